package controller_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
)

// anException is one from "a" and "b" of the object of its name, until a time.
func anException(name string, expires time.Time) string {
	return fmt.Sprintf(`---
apiVersion: lintel.dev/v1alpha1
kind: PolicyException
metadata: {name: %s, namespace: default}
spec: {policies: [a, b], objects: {names: [%[1]s]}, reason: r, owner: o, expires: %q}
`, name, expires.UTC().Format(time.RFC3339))
}

// honouring returns a Set with policies that honour all exceptions. All but the first
// only record.
func honouring(t *testing.T, names ...string) *engine.Set {
	t.Helper()
	var cfg engine.Config
	for i, name := range names {
		p := engine.Policy{
			Name: name, FreePackage: true, Modules: []v1alpha1.Module{{Name: "a.rego", Rego: "package a\n\nviolation contains {\"msg\": \"m\"}"}},
			Spec: v1alpha1.PolicySpec{
				Exceptions: &v1alpha1.Exceptions{},
				Match:      &v1alpha1.Match{Kinds: []v1alpha1.Kinds{{APIGroups: []string{""}, Kinds: []string{"ConfigMap"}}}},
			},
		}
		if i > 0 {
			p.Spec.Enforcement = v1alpha1.DryRun
		}
		cfg.Policies = append(cfg.Policies, p)
	}
	set, err := engine.Compile(cfg)
	must(t, "compile", err)
	return set
}

// followed returns what knows the policies of the shared cluster, once it does.
func followed(t *testing.T) (*controller.Policies, dynamic.Interface) {
	t.Helper()
	client := dynamic.NewForConfigOrDie(shared.Cluster(t).Config())
	p := controller.NewPolicies(controller.CacheConfig{Client: client})
	must(t, "watch policies", p.Start(t.Context()))
	eventually(t, "policies to be read", p.Synced)
	return p, client
}

// exceptionOf returns an exception of namespace default as p knows it.
func exceptionOf(p *controller.Policies, name string) v1alpha1.PolicyException {
	for _, e := range p.Objects().Exceptions {
		if e.Name == name {
			return e
		}
	}
	return v1alpha1.PolicyException{}
}

// stored returns an exception of namespace default as it is stored, once p knows that,
// so that nothing is written by what was before.
func stored(t *testing.T, p *controller.Policies, client dynamic.Interface, name string) v1alpha1.PolicyException {
	t.Helper()
	read, err := client.Resource(v1alpha1.GroupVersion.WithResource("policyexceptions")).Namespace("default").Get(t.Context(), name, metav1.GetOptions{})
	must(t, "read exception", err)
	eventually(t, "the exception to be known", func() bool { return exceptionOf(p, name).ResourceVersion == read.GetResourceVersion() })
	return exceptionOf(p, name)
}

// TestNoticesOfExceptions moves the clock on: people are told of an exception once a
// day that it ends soon, and that it is not used.
func TestNoticesOfExceptions(t *testing.T) {
	define(t)
	now := time.Now()
	day := func(n float64) time.Time { return now.Add(time.Duration(n * 24 * float64(time.Hour))) }
	apply(t, anException("ending", day(14.5))+anException("idle", day(400)))
	p, client := followed(t)
	x := controller.NewExceptions(client, p)
	out := controller.Outcome{Set: honouring(t, "a")}
	tell := func(at time.Time) []string {
		t.Helper()
		notices, err := x.WriteConditions(t.Context(), out, nil, at)
		must(t, "write conditions", err)
		var texts []string
		for _, n := range notices {
			texts = append(texts, n.Exception.Name+" "+n.Reason+": "+n.Text)
		}
		slices.Sort(texts)
		stored(t, p, client, "ending")
		stored(t, p, client, "idle")
		return texts
	}
	ends := "ending Ending: exception default/ending ends on " + day(14.5).UTC().Format(time.RFC3339) + ": from then on what it excuses is held to a (deny) (%s left)"
	unused := "%s Idle: it has excused nothing for %d days, since it was made: if it is not needed, delete it"
	for _, tc := range []struct {
		at   float64 // in days from now
		want []string
	}{
		{0, nil},
		{0.6, []string{fmt.Sprintf(ends, "14 days")}},
		{0.7, nil}, // though another policy comes that is named
		{1.6, []string{fmt.Sprintf(ends, "13 days")}},
		{14.4, []string{fmt.Sprintf(ends, "1 day")}},
		{14.5, []string{"ending Expired: it expired on " + day(14.5).UTC().Format(time.RFC3339)}},
		{20, nil},
		{34.9, nil},
		{35.1, []string{fmt.Sprintf(unused, "idle", 35)}},
		{35.2, nil},
		{36.1, []string{fmt.Sprintf(unused, "idle", 36)}},
	} {
		if tc.at == 0.7 {
			out.Set = honouring(t, "a", "b")
		}
		if diff := cmp.Diff(tc.want, tell(day(tc.at))); diff != "" {
			t.Errorf("after %v days: -want, +got:\n%s", tc.at, diff)
		}
	}
	x.Excused(engine.ObjectRef{Kind: "ConfigMap", Namespace: "default", Name: "idle"}, day(36.2), excuse("idle"))
	must(t, "write uses", x.WriteUses(t.Context(), day(36.2), false))
	if stored(t, p, client, "idle").Status.LastUsed == nil {
		t.Error("the first use is not written")
	}
	if got := tell(day(71)); got != nil {
		t.Errorf("when it was used in between: %q", got)
	}
	if c := meta.FindStatusCondition(exceptionOf(p, "idle").Status.Conditions, "Unused"); c == nil || c.Reason != "InUse" {
		t.Errorf("condition Unused: %v", c)
	}
}

// excuse is what an exception of namespace default excuses from.
func excuse(name string) []engine.Excuse {
	return []engine.Excuse{{Policy: "a", Exception: "default/" + name, Expires: time.Now().Add(time.Hour), Then: v1alpha1.Deny}, {Policy: "a", Exception: "spec.x"}}
}

// TestUsesOfReplicas has two replicas notice uses of the same exceptions.
func TestUsesOfReplicas(t *testing.T) {
	define(t)
	now := time.Now().Truncate(time.Second)
	apply(t, anException("one", now.AddDate(1, 0, 0))+anException("gone", now.AddDate(1, 0, 0)))
	p, client := followed(t)
	a, b := controller.NewExceptions(client, p), controller.NewExceptions(client, p)
	use := func(x *controller.Exceptions, exception, object string, after time.Duration) {
		x.Excused(engine.ObjectRef{Kind: "ConfigMap", Namespace: "default", Name: object}, now.Add(after), excuse(exception))
	}
	write := func(x *controller.Exceptions, after time.Duration, last bool) {
		t.Helper()
		must(t, "write uses", x.WriteUses(t.Context(), now.Add(after), last))
	}
	says := func(reason, object string, at time.Duration) {
		t.Helper()
		status := stored(t, p, client, "one").Status
		if want := "ConfigMap default/" + object + " from a"; status.LastExcused != want || !status.LastUsed.Time.Equal(now.Add(at)) {
			t.Errorf("%s\nlast excused %q at %s, want %q at %s", reason, status.LastExcused, status.LastUsed, want, now.Add(at))
		}
	}
	use(a, "one", "first", 0)
	use(a, "one", "before", -time.Second)
	write(a, 0, false)
	says("The first use is written at once, and none before it.", "first", 0)
	use(b, "one", "second", time.Second)
	write(b, 2*time.Second, false)
	says("No use is written for a minute, whoever has noticed it.", "first", 0)
	write(b, time.Minute, false)
	says("Then it is.", "second", time.Second)
	use(a, "one", "older", 500*time.Millisecond)
	write(a, time.Hour, true)
	says("The later time wins.", "second", time.Second)

	use(a, "one", "third", 2*time.Second)
	use(b, "one", "fourth", 3*time.Second)
	write(a, 3*time.Second, true)
	write(b, 3*time.Second, true) // which may not know yet what the other has written
	says("At the end all is written at once, and two do not get in each other's way.", "fourth", 3*time.Second)
	use(a, "one", "fifth", 4*time.Second)
	use(b, "one", "sixth", 5*time.Second)
	write(b, 5*time.Second, true)
	write(a, 5*time.Second, true)
	says("In whatever order.", "sixth", 5*time.Second)

	use(a, "gone", "x", 0)
	kubectl(t, "delete", "policyexception", "gone")
	eventually(t, "it to be gone", func() bool { return exceptionOf(p, "gone").Name == "" })
	write(a, 0, true)
	apply(t, anException("gone", now.AddDate(1, 0, 0)))
	eventually(t, "it to be back", func() bool { return exceptionOf(p, "gone").Name != "" })
	write(a, 0, true)
	if stored(t, p, client, "gone").Status.LastUsed != nil {
		t.Error("what is remembered of an exception outlives it")
	}
}

// TestLiveTellsOfExceptions asks while the clock goes on: a request has one time, from
// its beginning to its end, and a dry run uses nothing up.
func TestLiveTellsOfExceptions(t *testing.T) {
	end := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	cfg := engine.Config{Exceptions: []v1alpha1.PolicyException{{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "one"},
		Spec: v1alpha1.PolicyExceptionSpec{
			Policies: []string{"a"}, Objects: v1alpha1.Objects{Names: []string{"one"}}, Reason: "r", Owner: "o", Expires: metav1.NewTime(end),
		},
	}}}
	namespace, err := engine.DecodeObject([]byte(`{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}`))
	must(t, "decode namespace", err)
	cfg.Policies = []engine.Policy{{
		Name: "a", FreePackage: true, Modules: []v1alpha1.Module{{Name: "a.rego", Rego: `package a

violation contains {"msg": "m"}

patch contains {"path": ["metadata", "labels", "a"], "value": "b"}`}},
		Spec: v1alpha1.PolicySpec{
			Exceptions: &v1alpha1.Exceptions{},
			Match:      &v1alpha1.Match{Kinds: []v1alpha1.Kinds{{APIGroups: []string{""}, Kinds: []string{"ConfigMap"}}}},
		},
	}}
	set, err := engine.Compile(cfg)
	must(t, "compile", err)
	clock := end
	var told []string
	live := controller.NewLive(controller.LiveConfig{
		Now: func() time.Time { clock = clock.Add(time.Second); return clock },
		Excused: func(object engine.ObjectRef, at time.Time, excused []engine.Excuse) {
			told = append(told, fmt.Sprintf("%s %s %s", object, at.Format(time.TimeOnly), excused[0].Exception))
		},
	})
	live.Swap(set)
	request := func(more string) *engine.Request {
		req, err := engine.Decode([]byte(`{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "u", "operation": "CREATE",
			"kind": {"version": "v1", "kind": "ConfigMap"}, "resource": {"version": "v1", "resource": "configmaps"}, "namespace": "default", "name": "one",
			"object": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one", "namespace": "default"}}` + more + `}}`))
		must(t, "decode", err)
		return req.In(namespace)
	}
	for _, tc := range []struct {
		reason  string
		at      time.Duration // of the request, from the end of the exception
		more    string
		excused bool
		told    []string
	}{
		{"It counts for a request from before its end, however late the answer.", -time.Second, "", true, []string{"ConfigMap default/one 23:59:59 default/one"}},
		{"At its end it counts no more.", 0, "", false, nil},
		{"When the clock is put back it does again.", -10 * time.Minute, "", true, []string{"ConfigMap default/one 23:50:00 default/one"}},
		{"A dry run has the same verdict, and no effect.", -time.Second, `, "dryRun": true`, true, nil},
	} {
		told, clock = nil, end.Add(tc.at-time.Second)
		d, err := live.Review(t.Context(), engine.Whole, request(tc.more))
		must(t, "review", err)
		if got := len(d.Violations) == 0; got != tc.excused || !d.Time.Equal(end.Add(tc.at)) {
			t.Errorf("%s\nexcused %t at %s, want %t at %s", tc.reason, got, d.Time, tc.excused, end.Add(tc.at))
		}
		if diff := cmp.Diff(tc.told, told); diff != "" {
			t.Errorf("%s\ntold of: -want, +got:\n%s", tc.reason, diff)
		}
		told, clock = nil, end.Add(tc.at-time.Second)
		m, err := live.Patch(t.Context(), request(tc.more))
		must(t, "patch", err)
		if got := m.Patch == nil; got != tc.excused {
			t.Errorf("%s\nnot patched %t, want %t", tc.reason, got, tc.excused)
		}
		if diff := cmp.Diff(tc.told, told); diff != "" {
			t.Errorf("%s\ntold of when patching: -want, +got:\n%s", tc.reason, diff)
		}
	}
}
