package main

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
)

// TestAuditKinds gives a kind another revision where a policy that matches it changes, or
// where an exception from that ends, and other kinds none: these are not judged anew.
func TestAuditKinds(t *testing.T) {
	t.Parallel()
	listed := metav1.Verbs{"create", "update", "get", "list", "watch"}
	version := metav1.GroupVersionForDiscovery{GroupVersion: "v1", Version: "v1"}
	g := &gate{kept: &kept{}}
	g.kept.catalog.Store(controller.NewCatalog(
		[]*metav1.APIGroup{{PreferredVersion: version, Versions: []metav1.GroupVersionForDiscovery{version}}},
		[]*metav1.APIResourceList{{GroupVersion: "v1", APIResources: []metav1.APIResource{
			{Name: "configmaps", Kind: "ConfigMap", Namespaced: true, Verbs: listed}, {Name: "services", Kind: "Service", Namespaced: true, Verbs: listed},
		}}},
	))
	policy := func(name, kind, message string) engine.Policy {
		p := engine.Policy{Name: name, FreePackage: true, Modules: []v1alpha1.Module{{Name: "a.rego", Rego: "package a\n\nviolation contains {\"msg\": \"" + message + "\"}"}}}
		p.Spec.Match = &v1alpha1.Match{Kinds: []v1alpha1.Kinds{{APIGroups: []string{""}, Kinds: []string{kind}}}}
		return p
	}
	excused := func(expires time.Time) []v1alpha1.PolicyException {
		e := v1alpha1.PolicyException{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "legacy"}}
		e.Spec = v1alpha1.PolicyExceptionSpec{Policies: []string{"maps"}, Reason: "r", Owner: "o", Expires: metav1.NewTime(expires), Objects: v1alpha1.Objects{Names: []string{"legacy"}}}
		return []v1alpha1.PolicyException{e}
	}
	revisions := func(message string, exceptions []v1alpha1.PolicyException) map[string]string {
		t.Helper()
		set, err := engine.Compile(engine.Config{Policies: []engine.Policy{policy("maps", "ConfigMap", message), policy("services", "Service", "no")}, Exceptions: exceptions})
		must(err)
		found := map[string]string{}
		for _, w := range g.auditKinds(set) {
			found[w.Kind.Kind] = w.Revision
		}
		return found
	}
	before := revisions("no", nil)
	if len(before) != 2 || before["ConfigMap"] == before["Service"] {
		t.Fatalf("kinds: %v", before)
	}
	for name, after := range map[string]map[string]string{"another rule": revisions("never", nil), "an exception": revisions("no", excused(time.Now().Add(time.Hour)))} {
		if after["ConfigMap"] == before["ConfigMap"] || after["Service"] != before["Service"] {
			t.Errorf("%s: %v, before %v", name, after, before)
		}
	}

	var set *engine.Set
	first, end := "", time.Now()
	for span := 2 * time.Second; !time.Now().Before(end); span *= 2 { // unless it ends before it is compiled
		end = time.Now().Add(span)
		var err error
		set, err = engine.Compile(engine.Config{Policies: []engine.Policy{policy("maps", "ConfigMap", "no")}, Exceptions: excused(end)})
		must(err)
		first = g.auditKinds(set)[0].Revision
	}
	time.Sleep(time.Until(end))
	if ended := g.auditKinds(set)[0].Revision; ended == first {
		t.Error("the exception has ended, and the kind is not judged anew")
	}
}
