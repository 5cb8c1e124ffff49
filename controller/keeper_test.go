package controller_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
)

// object is a Policy of one module about ConfigMaps.
func object(name, rule string) v1alpha1.Policy {
	var p v1alpha1.Policy
	p.Name = name
	p.Spec.Source.Modules = []v1alpha1.Module{{Name: "a.rego", Rego: "package team\n\n" + rule}}
	p.Spec.Match = &v1alpha1.Match{Kinds: []v1alpha1.Kinds{{APIGroups: []string{""}, Kinds: []string{"ConfigMap"}}}}
	return p
}

// TestKeeper follows policies that change, and those of the library beside them.
func TestKeeper(t *testing.T) {
	const well, other, bad = `violation contains {"msg": "a"}`, `violation contains {"msg": "b"}`, `violation contains 1 if nothing`
	library, err := policies.Library()
	must(t, "read the library", err)
	k := &controller.Keeper{Compose: func(s policies.Source) (engine.Config, error) {
		all, err := policies.Combine(s, library)
		return engine.Config{Policies: all.Policies, Exceptions: all.Exceptions}, err
	}}
	messages := func(set *engine.Set) string {
		req, err := engine.NewRequest([]byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"shop"}}`), "shop")
		must(t, "make request", err)
		d, err := set.Review(t.Context(), req, nil)
		must(t, "review", err)
		var all []string
		for _, v := range d.Violations {
			all = append(all, v.Policy+"="+v.Message)
		}
		return strings.Join(all, " ")
	}
	unknown := v1alpha1.Policy{}
	unknown.Name, unknown.Spec.Source.Library = "probes", "none"
	waiting := v1alpha1.Policy{}
	waiting.Name, waiting.Spec.Source.ConfigMapRef = "later", &v1alpha1.ConfigMapRef{Namespace: "a", Name: "b"}
	steps := []struct {
		reason   string
		policies []v1alpha1.Policy
		says     string
		broken   []string
		kept     []string
		count    int // of policies in force
	}{
		{"None is not nothing: the library is there.", nil, "", nil, nil, 5},
		{"Each does its part.", []v1alpha1.Policy{object("one", well), object("two", well)}, "one=a two=a", nil, nil, 7},
		{"A broken one goes on as before, and others change.", []v1alpha1.Policy{object("one", bad), object("two", other)}, "one=a two=b", []string{"one"}, []string{"one"}, 7},
		{"As long as it takes.", []v1alpha1.Policy{object("one", bad), object("two", well)}, "one=a two=a", []string{"one"}, []string{"one"}, 7},
		{"Mended, it is in force.", []v1alpha1.Policy{object("one", other), object("two", well)}, "one=b two=a", nil, nil, 7},
		{"One that never was well is in force in no form.", []v1alpha1.Policy{object("one", other), object("three", bad)}, "one=b", []string{"three"}, nil, 6},
		{"One that is gone is forgotten: it does not come back broken.", []v1alpha1.Policy{object("two", bad)}, "", []string{"two"}, nil, 5},
		{"A broken object of the library's name is not the library's policy, which would deny.", []v1alpha1.Policy{unknown}, "", []string{"probes"}, nil, 4},
		{"One may wait.", []v1alpha1.Policy{waiting}, "", []string{"later"}, nil, 5},
	}
	for _, step := range steps {
		out := k.Compile(policies.Objects{Policies: step.policies, ConfigMap: func(v1alpha1.ConfigMapRef) (map[string]string, bool) { return nil, false }})
		if got := messages(out.Set); got != step.says || len(out.Set.Policies()) != step.count {
			t.Errorf("%s\nin force: %q and %d policies, want %q and %d", step.reason, got, len(out.Set.Policies()), step.says, step.count)
		}
		broken, kept := map[string]bool{}, map[string]bool{}
		for _, name := range step.broken {
			broken[name] = true
		}
		for _, name := range step.kept {
			kept[name] = true
		}
		for name, err := range out.Broken {
			if !broken[name] || errors.Is(err, policies.ErrPending) != (name == "later") {
				t.Errorf("%s\npolicy %s: %v", step.reason, name, err)
			}
			delete(broken, name)
		}
		if diff := cmp.Diff(kept, out.Kept); diff != "" || len(broken) > 0 || len(out.Errors) > 0 {
			t.Errorf("%s\nkept: -want, +got:\n%s\nnot broken: %v, errors %v", step.reason, diff, broken, out.Errors)
		}
	}
}

// TestKeeperDoesNotWait has a policy change to Rego that compiles for seconds: the others
// change meanwhile, and it goes on as before until it has been compiled.
func TestKeeperDoesNotWait(t *testing.T) {
	again := make(chan struct{}, 1)
	k := &controller.Keeper{
		Patience: time.Second, Again: func() { again <- struct{}{} },
		Compose: func(s policies.Source) (engine.Config, error) {
			return engine.Config{Policies: s.Policies, Exceptions: s.Exceptions}, nil
		},
	}
	long := "f(x) := 0 if x == 0\n" + strings.Repeat("else := 1 if x == 1\n", 3500) // the compiler compares each with each
	const well = `violation contains {"msg": "a"}`
	steps := []struct {
		reason   string
		wait     bool // until something has been compiled
		one, two string
		going    bool
		kept     bool
		wantOne  bool // in force as it is
	}{
		{"What is new is waited for.", false, well, well, false, false, true},
		{"What takes long is not, and goes on as before.", false, long + well, well + " if true", true, true, false},
		{"Nor does it hold up the others in another form.", false, well + " if 1 == 1", well, true, true, false},
		{"When the first form has been compiled, the other is.", true, well + " if 1 == 1", well, true, true, false},
		{"Then it is in force.", true, well + " if 1 == 1", well, false, false, true},
		{"What has been slow is no longer waited for.", false, well + " if 2 == 2", well, true, true, false},
		{"It comes as soon as it can.", true, well + " if 2 == 2", well, false, false, true},
	}
	for _, step := range steps {
		if step.wait {
			<-again
		}
		out := k.Compile(policies.Objects{Policies: []v1alpha1.Policy{object("one", step.one), object("two", step.two)}})
		if got := errors.Is(out.Broken["one"], policies.ErrPending); got != step.going || out.Kept["one"] != step.kept || out.Broken["two"] != nil {
			t.Errorf("%s\nbroken %v, kept %v", step.reason, out.Broken, out.Kept)
		}
		if got := strings.HasSuffix(out.Well["one"].Modules[0].Rego, step.one); got != step.wantOne {
			t.Errorf("%s\nin force as it is: %t, want %t", step.reason, got, step.wantOne)
		}
		if got := out.Well["two"].Modules[0].Rego; !strings.HasSuffix(got, step.two) || len(out.Set.Policies()) != 2 {
			t.Errorf("%s\nthe other is %q, and %d are in force", step.reason, got, len(out.Set.Policies()))
		}
	}
}
