package policies_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
)

func TestFromObjects(t *testing.T) {
	const rego = "package team\n\nviolation contains {\"msg\": \"x\"}\n"
	ref := func(name string) v1alpha1.Source {
		return v1alpha1.Source{ConfigMapRef: &v1alpha1.ConfigMapRef{Namespace: "team", Name: name}}
	}
	configMaps := map[string]map[string]string{
		"rego":  {"b.rego": rego, "a.rego": rego, "README.md": "text"},
		"empty": {"README.md": "text"},
	}
	cases := map[string]struct {
		reason  string
		source  v1alpha1.Source
		name    string   // probes if empty
		modules []string // names
		err     string
		pending bool
	}{
		"Library":      {reason: "A policy of the library by its name.", source: v1alpha1.Source{Library: "probes"}, modules: []string{"probes/probes.rego"}},
		"OwnName":      {reason: "The same under another.", name: "strict-probes", source: v1alpha1.Source{Library: "probes"}, modules: []string{"probes/probes.rego"}},
		"Unknown":      {reason: "The error says which there are.", source: v1alpha1.Source{Library: "prob"}, err: `policy probes: spec.source.library: the library has no policy "prob", only no-hardcoded-secrets, `},
		"Modules":      {reason: "Errors in modules lead to the object.", source: v1alpha1.Source{Modules: []v1alpha1.Module{{Name: "a.rego", Rego: rego}}}, modules: []string{"Policy probes#a.rego"}},
		"ConfigMap":    {reason: "All its Rego, and nothing else, in order.", source: ref("rego"), modules: []string{"ConfigMap team/rego#a.rego", "ConfigMap team/rego#b.rego"}},
		"NoRego":       {reason: "One without Rego is a mistake.", source: ref("empty"), err: "policy probes: spec.source.configMapRef: ConfigMap team/empty has no key that ends in .rego"},
		"NotYet":       {reason: "One that is not there may still come.", source: ref("later"), err: "policy probes: spec.source.configMapRef: waits for what it is made from: there is no ConfigMap team/later", pending: true},
		"Nothing":      {reason: "An API server refuses this; whoever asks otherwise gets an error.", err: "policy probes: spec.source has none of library, modules and configMapRef"},
		"BothSources":  {reason: "So it is with two.", source: v1alpha1.Source{Library: "probes", Modules: []v1alpha1.Module{{}}}, err: "policy probes: spec.source has both library and modules"},
		"NamelessRego": {reason: "And with Rego that errors cannot name.", source: v1alpha1.Source{Modules: []v1alpha1.Module{{Rego: rego}}}, err: "policy probes: spec.source.modules[0].name is missing"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var broken, well v1alpha1.Policy
			broken.Name, broken.Spec.Source = "probes", tc.source
			if tc.name != "" {
				broken.Name = tc.name
			}
			well.Name, well.Spec = "resources", v1alpha1.PolicySpec{Source: v1alpha1.Source{Library: "resources"}, Enforcement: v1alpha1.Warn}
			s, err := policies.FromObjects(policies.Objects{
				Policies: []v1alpha1.Policy{well, broken},
				ConfigMap: func(ref v1alpha1.ConfigMapRef) (map[string]string, bool) {
					data, ok := configMaps[ref.Name]
					return data, ok && ref.Namespace == "team"
				},
			})
			got := map[string][]string{}
			for _, p := range s.Policies {
				for _, m := range p.Modules {
					got[p.Name] = append(got[p.Name], m.Name)
				}
			}
			want := map[string][]string{"resources": {"resources/resources.rego"}}
			if tc.modules != nil {
				want[broken.Name] = tc.modules
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s\nmodules: -want, +got:\n%s", tc.reason, diff)
			}
			var of *engine.PolicyError
			switch {
			case tc.err == "" && err != nil, tc.err != "" && (err == nil || !strings.HasPrefix(err.Error(), tc.err)):
				t.Errorf("%s\nFromObjects(...): %v, want %q", tc.reason, err, tc.err)
			case tc.err != "" && (!errors.As(err, &of) || of.Policy != "probes" || errors.Is(err, policies.ErrPending) != tc.pending):
				t.Errorf("%s\nFromObjects(...): %v is not that of the policy, or pending: %v", tc.reason, err, tc.pending)
			}
		})
	}
}
