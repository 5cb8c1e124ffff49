package controller_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
)

// checker returns what a Checker is made of that knows the shared cluster, as config
// may read it, and no policies but its own.
func checker(t *testing.T, config *rest.Config) controller.CheckerConfig {
	t.Helper()
	catalog, err := controller.ReadCatalog(t.Context(), discovery.NewDiscoveryClientForConfigOrDie(shared.Cluster(t).Config()), nil)
	must(t, "read catalog", err)
	client := dynamic.NewForConfigOrDie(config)
	namespaces := controller.NewNamespaces(controller.CacheConfig{Client: client})
	return controller.CheckerConfig{
		Client: client,
		Compose: func(s policies.Source) (engine.Config, error) {
			return engine.Config{Policies: s.Policies, Exceptions: s.Exceptions}, nil
		},
		Policies: func() policies.Objects { return policies.Objects{} }, Set: func() *engine.Set { return nil },
		Catalog: func() *controller.Catalog { return catalog }, Namespace: namespaces.Get,
	}
}

// asked is the request that an API server makes of the creation of an object.
func asked(t *testing.T, kind string, object any) *engine.Request {
	t.Helper()
	data, err := json.Marshal(object)
	must(t, "encode", err)
	req, err := engine.Decode(fmt.Appendf(nil, `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","operation":"CREATE",
		"kind":{"group":"lintel.dev","version":"v1alpha1","kind":%q},"object":%s}}`, kind, data))
	must(t, "decode", err)
	return req
}

// TestCheckerIsBounded holds that Rego at which the compiler takes long holds up two
// checks at most, and those that wait are told so in time.
func TestCheckerIsBounded(t *testing.T) {
	cfg := checker(t, shared.Cluster(t).Config())
	release, begun := make(chan struct{}), make(chan struct{}, 10)
	compose := cfg.Compose
	cfg.Compose = func(s policies.Source) (engine.Config, error) {
		if strings.HasPrefix(s.Policies[0].Name, "slow") {
			begun <- struct{}{}
			<-release
		}
		return compose(s)
	}
	c := controller.NewChecker(cfg)
	done := make(chan error, 2)
	for i := range 2 {
		go func() {
			_, err := c.Check(context.WithoutCancel(t.Context()), asked(t, "Policy", object(fmt.Sprint("slow-", i), `violation contains {"msg": "a"}`)))
			done <- err
		}()
		<-begun
	}
	quick := asked(t, "Policy", object("quick", `violation contains {"msg": "a"}`))
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	found, err := c.Check(ctx, quick)
	if err == nil || err.Error() != "other policies are being checked" || found.Refusal != "" || ctx.Err() != nil {
		t.Errorf("while two are compiled: %+v %v, context %v", found, err, ctx.Err())
	}
	again, cancelAgain := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancelAgain()
	if _, err := c.Check(again, asked(t, "Policy", object("slow-0", `violation contains {"msg": "a"}`))); !errors.Is(err, context.DeadlineExceeded) || len(begun) > 0 {
		t.Errorf("what is sent again while it is compiled: %v, want it to wait for that", err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := c.Check(ended, quick); err == nil {
		t.Error("whoever has gone away is checked for all the same")
	}
	close(release)
	for range 2 {
		must(t, "check what was slow", <-done)
	}
	if found, err := c.Check(t.Context(), quick); err != nil || found.Refusal != "" {
		t.Errorf("afterwards: %+v %v", found, err)
	}
}

// TestCheckerReadsLittle holds what is said where the ConfigMap of a policy may not be
// read, and that nothing but Lintel's own kinds is checked.
func TestCheckerReadsLittle(t *testing.T) {
	config := rest.CopyConfig(shared.Cluster(t).Config())
	config.Impersonate.UserName = "nobody"
	c := controller.NewChecker(checker(t, config))
	var p v1alpha1.Policy
	p.Name, p.Spec.Source.ConfigMapRef = "a", &v1alpha1.ConfigMapRef{Namespace: "default", Name: "b"}
	found, err := c.Check(t.Context(), asked(t, "Policy", p))
	want := `a: its Rego could not be checked: read ConfigMap default/b: configmaps "b" is forbidden: User "nobody" cannot get resource "configmaps"`
	if err != nil || found.Refusal != "" || len(found.Warnings) != 1 || !strings.HasPrefix(found.Warnings[0], want) {
		t.Errorf("Check(...): %+v %v, want the warning %q", found, err, want)
	}
	if found, err := c.Check(t.Context(), asked(t, "Other", p)); err != nil || found.Refusal != "" || found.Warnings != nil {
		t.Errorf("a kind that is none of Lintel's: %+v %v", found, err)
	}
	if _, err := c.Check(t.Context(), asked(t, "Policy", map[string]any{"spec": "s3cr3t"})); err == nil || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("what no schema lets by: %v, want an error without its value", err)
	}
}

// TestCheckerLeavesSpec holds that an update which leaves the spec alone passes,
// whatever is stored: finalizers must be able to go.
func TestCheckerLeavesSpec(t *testing.T) {
	c := controller.NewChecker(checker(t, shared.Cluster(t).Config()))
	broken := object("a", `violation contains {"msg": nothing}`)
	changed := object("a", `violation contains {"msg": nothing_else}`)
	now := metav1.Now()
	leaving := broken
	leaving.DeletionTimestamp = &now
	cases := map[string]struct {
		now, old v1alpha1.Policy
		refused  bool
	}{
		"Same":      {broken, broken, false},
		"Leaving":   {leaving, leaving, false},
		"Changed":   {changed, broken, true},
		"Meanwhile": {changed, leaving, true},
	}
	for name, tc := range cases {
		object, err := json.Marshal(tc.now)
		must(t, "encode", err)
		old, err := json.Marshal(tc.old)
		must(t, "encode", err)
		req, err := engine.Decode(fmt.Appendf(nil, `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","operation":"UPDATE",
			"kind":{"group":"lintel.dev","version":"v1alpha1","kind":"Policy"},"object":%s,"oldObject":%s}}`, object, old))
		must(t, "decode", err)
		if found, err := c.Check(t.Context(), req); err != nil || (found.Refusal != "") != tc.refused {
			t.Errorf("%s: %+v %v, want it refused: %t", name, found, err, tc.refused)
		}
	}
}

// TestCheckerAgrees holds that a Checker refuses just what a Keeper finds broken, and
// with the same words.
func TestCheckerAgrees(t *testing.T) {
	cfg := checker(t, shared.Cluster(t).Config())
	library, err := policies.Library()
	must(t, "read the library", err)
	cfg.Compose = func(s policies.Source) (engine.Config, error) {
		all, err := policies.Combine(s, library)
		return engine.Config{Policies: all.Policies, Exceptions: all.Exceptions}, err
	}
	c := controller.NewChecker(cfg)
	spec := func(name string, spec v1alpha1.PolicySpec) v1alpha1.Policy {
		var p v1alpha1.Policy
		p.Name, p.Spec = name, spec
		return p
	}
	stage := v1alpha1.PolicySpec{Source: v1alpha1.Source{Library: "probes"}, Stages: []v1alpha1.Stage{{Enforcement: "block"}}}
	cases := map[string]v1alpha1.Policy{
		"Well":    object("a", `violation contains {"msg": "a"}`),
		"Syntax":  object("a", `violation contains {`),
		"Type":    object("a", `violation contains {"msg": count(1)}`),
		"Library": spec("a", v1alpha1.PolicySpec{Source: v1alpha1.Source{Library: "none"}}),
		"Probes":  spec("probes", v1alpha1.PolicySpec{Source: v1alpha1.Source{Library: "probes"}}),
		"Clash":   object("probes", `violation contains {"msg": "a"}`),
		"Stage":   spec("a", stage),
	}
	for name, p := range cases {
		found, err := c.Check(t.Context(), asked(t, "Policy", p))
		must(t, "check", err)
		keeper := &controller.Keeper{Compose: cfg.Compose}
		broken := keeper.Compile(policies.Objects{Policies: []v1alpha1.Policy{p}}).Broken[p.Name]
		switch {
		case (broken == nil) != (found.Refusal == ""):
			t.Errorf("%s: the Checker says %q, the Keeper %v", name, found.Refusal, broken)
		case broken != nil && !strings.Contains(strings.ReplaceAll(found.Refusal, "\n  ", "\n"), engine.PrintableLines(broken.Error())):
			t.Errorf("%s: the Checker says %q, the Keeper %v", name, found.Refusal, broken)
		case (broken == nil) != (name == "Well" || name == "Probes"):
			t.Errorf("%s: %v", name, broken)
		}
	}
}

// TestCheckerPanics holds that what the compiler panics at gives its turn back.
func TestCheckerPanics(t *testing.T) {
	cfg := checker(t, shared.Cluster(t).Config())
	cfg.Compose = func(policies.Source) (engine.Config, error) { panic("s3cr3t") }
	c := controller.NewChecker(cfg)
	for range 5 {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic is lost")
				}
			}()
			if _, err := c.Check(t.Context(), asked(t, "Policy", object("a", `violation contains {"msg": "a"}`))); err != nil {
				t.Errorf("Check(...): %v, want a panic each time", err)
			}
		}()
	}
}
