package engine_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// lacking is an inventory with a Service, of which Services are not known.
func lacking(t *testing.T) *engine.Inventory {
	t.Helper()
	service := objectOf(t, object{"apiVersion": "v1", "kind": "Service", "metadata": object{"namespace": "shop", "name": "web"}})
	return engine.NewInventory(service).Lacking(map[schema.GroupVersionKind]error{{Version: "v1", Kind: "Service"}: errors.New("forbidden: grant it")})
}

// reader is a policy that counts Services, which it declares with more.
func reader(name, more string, spec v1alpha1.PolicySpec) engine.Policy {
	p := policyWith(name, metadataOf+"#   inventory: [{apiVersion: v1, kind: Service"+more+"}]\n",
		`violation contains {"msg": sprintf("%d services", [count(object.get(data.inventory.namespace, "shop", {}))])}`+"\n"+
			`patch contains {"path": ["metadata", "labels", "services"], "value": sprintf("%d", [count(object.get(data.inventory.namespace, "shop", {}))])}`)
	p.Spec = spec
	return p
}

// TestLacking holds that what cannot be read is a matter of those alone who read it.
func TestLacking(t *testing.T) {
	set := setOf(t,
		reader("admits", "", v1alpha1.PolicySpec{OnError: v1alpha1.OnErrorAllow}),
		reader("denies", "", v1alpha1.PolicySpec{}),
		reader("likes", ", optional: true", v1alpha1.PolicySpec{}),
		policy("other", `violation contains {"msg": "as ever"}`))
	req := ask{object: deployment(object{})}.request(t)
	d, err := set.Review(t.Context(), req, lacking(t))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"deny likes : 0 services",
		"deny other : as ever",
		"error allow admits: v1 Service cannot be read: forbidden: grant it",
		"error deny denies: v1 Service cannot be read: forbidden: grant it",
	}
	if diff := cmp.Diff(want, summary(d)); diff != "" {
		t.Errorf("Review(...) of what is lacking: -want, +got:\n%s", diff)
	}
	m, err := set.Patch(t.Context(), req, lacking(t))
	if err != nil {
		t.Fatal(err)
	}
	var failed []string
	for _, e := range m.Errors {
		failed = append(failed, string(e.OnError)+" "+e.Policy)
	}
	if diff := cmp.Diff([]string{"allow admits", "allow denies"}, failed); diff != "" {
		t.Errorf("Patch(...) of what is lacking: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"likes"}, m.Policies); diff != "" {
		t.Errorf("policies that patch: -want, +got:\n%s", diff)
	}
}

// TestLackingLater holds that what is lacking stays so as other objects come and go,
// and is there again when it is known again.
func TestLackingLater(t *testing.T) {
	set := setOf(t, reader("a", "", v1alpha1.PolicySpec{}))
	req := ask{object: deployment(object{})}.request(t)
	other := objectOf(t, object{"apiVersion": "v1", "kind": "ConfigMap", "metadata": object{"namespace": "shop", "name": "other"}})
	cases := map[string]struct {
		inventory *engine.Inventory
		want      string
	}{
		"With":    {lacking(t).With(other), "error deny a: v1 Service cannot be read: forbidden: grant it"},
		"Without": {lacking(t).With(other).Without(other.Ref()), "error deny a: v1 Service cannot be read: forbidden: grant it"},
		"Known":   {lacking(t).Lacking(nil), "deny a : 1 services"},
		"Others":  {engine.NewInventory(other), "deny a : 0 services"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			d, err := set.Review(t.Context(), req, tc.inventory)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{tc.want}, summary(d)); diff != "" {
				t.Errorf("Review(...): -want, +got:\n%s", diff)
			}
		})
	}
}

// TestGoesByNamespace holds that nobody reads a namespace for what does not go by it,
// and that all is found that does.
func TestGoesByNamespace(t *testing.T) {
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
	cases := map[string]struct {
		rule string
		spec v1alpha1.PolicySpec
		want bool
	}{
		"Not":       {`violation contains {"msg": "m"}`, v1alpha1.PolicySpec{Scopes: []v1alpha1.Scope{{Users: []string{"u"}}}}, false},
		"Match":     {`violation contains {"msg": "m"}`, v1alpha1.PolicySpec{Match: &v1alpha1.Match{NamespaceSelector: selector}}, true},
		"Scope":     {`violation contains {"msg": "m"}`, v1alpha1.PolicySpec{Scopes: []v1alpha1.Scope{{NamespaceSelector: selector}}}, true},
		"Exception": {`violation contains {"msg": "m"}`, v1alpha1.PolicySpec{Exceptions: &v1alpha1.Exceptions{NamespaceSelector: selector}}, true},
		"Rego":      {`violation contains {"msg": "m"} if input.review.namespaceObject.metadata.labels.a == "b"`, v1alpha1.PolicySpec{}, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := policy("a", tc.rule)
			p.Spec = tc.spec
			set := setOf(t, p)
			if got := set.GoesByNamespace(ask{object: deployment(object{})}.request(t)); got != tc.want {
				t.Errorf("GoesByNamespace(...): got %t, want %t", got, tc.want)
			}
			if set.GoesByNamespace(ask{kind: "ReplicaSet", object: deployment(object{})}.request(t)) {
				t.Error("GoesByNamespace(...) of what nobody asks about: got true")
			}
		})
	}
}
