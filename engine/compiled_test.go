package engine_test

import (
	"testing"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// TestCompiledBefore holds that a policy is taken from a Set that was made before just
// where nothing of it has changed.
func TestCompiledBefore(t *testing.T) {
	made := func(message string, spec v1alpha1.PolicySpec, before ...*engine.Set) *engine.Set {
		spec.Match = &v1alpha1.Match{Kinds: []v1alpha1.Kinds{{APIGroups: []string{""}, Kinds: []string{"ConfigMap"}}}}
		set, err := engine.Compile(engine.Config{Compiled: before, Policies: []engine.Policy{{
			Name: "one", FreePackage: true, Spec: spec,
			Modules: []v1alpha1.Module{{Name: "a.rego", Rego: "package team\n\nviolation contains {\"msg\": \"" + message + "\"}"}},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	warn, deny := v1alpha1.PolicySpec{Enforcement: v1alpha1.Warn}, v1alpha1.PolicySpec{Enforcement: v1alpha1.Deny}
	first := made("first", warn)
	revision := first.Policies()[0].Revision
	if made("first", deny, first); revision == "" || first.Policies()[0].Revision != revision {
		t.Errorf("revision of a policy that another Set has too: got %q, want %q", first.Policies()[0].Revision, revision)
	}
	cases := map[string]struct {
		message string
		spec    v1alpha1.PolicySpec
	}{
		"Same": {"first", warn}, "OtherRego": {"second", warn}, "OtherSpec": {"first", deny},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, want := made(tc.message, tc.spec, nil, first), made(tc.message, tc.spec)
			if got.Revision() != want.Revision() {
				t.Errorf("revision: got %s, want %s", got.Revision(), want.Revision())
			}
			req, err := engine.NewRequest([]byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"shop"}}`), "shop")
			if err != nil {
				t.Fatal(err)
			}
			d, err := got.Review(t.Context(), req, nil)
			if err != nil || len(d.Violations) != 1 || d.Violations[0].Message != tc.message || d.Violations[0].Enforcement != tc.spec.Enforcement {
				t.Errorf("got %v, %+v, want it %s: %s", err, d, tc.spec.Enforcement, tc.message)
			}
		})
	}
}

// BenchmarkCompiledBefore is what a policy costs that has not changed.
func BenchmarkCompiledBefore(b *testing.B) {
	cfg := engine.Config{Policies: []engine.Policy{{
		Name: "one", FreePackage: true, Modules: []v1alpha1.Module{{Name: "a.rego", Rego: "package team\n\n" + long(200)}},
		Spec: v1alpha1.PolicySpec{Match: &v1alpha1.Match{Kinds: []v1alpha1.Kinds{{APIGroups: []string{""}, Kinds: []string{"ConfigMap"}}}}},
	}}}
	set, err := engine.Compile(cfg)
	if err != nil {
		b.Fatal(err)
	}
	cfg.Compiled = []*engine.Set{set}
	for b.Loop() {
		if _, err := engine.Compile(cfg); err != nil {
			b.Fatal(err)
		}
	}
}
