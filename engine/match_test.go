package engine_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/api/v1alpha1"
)

// TestMatchOfObject lays the match of a Policy object over that of METADATA.
func TestMatchOfObject(t *testing.T) {
	p := policyWith("test", "# METADATA\n# custom:\n#   match: {kinds: [{apiGroups: [apps], kinds: [Deployment]}], operations: [UPDATE], excludedNamespaces: [bank]}\n",
		`violation contains {"msg": "x"}`)
	own := v1alpha1.Match{
		Kinds:      []v1alpha1.Kinds{{APIGroups: []string{"apps"}, Kinds: []string{"Deployment"}}},
		Operations: []v1alpha1.Operation{v1alpha1.Update}, Subresources: []string{""}, ExcludedNamespaces: []string{"bank"},
	}
	jobs := own
	jobs.Kinds = []v1alpha1.Kinds{{APIGroups: []string{"batch"}, Kinds: []string{"Job"}}}
	cases := map[string]struct {
		reason string
		given  *v1alpha1.Match
		want   v1alpha1.Match
	}{
		"None":  {"Without one, the policy's own holds.", nil, own},
		"Empty": {"So it does where nothing is in it.", &v1alpha1.Match{}, own},
		"Kinds": {"Another field than those that are given is the policy's own.", &v1alpha1.Match{Kinds: jobs.Kinds}, jobs},
	}
	for name, tc := range cases {
		p.Spec.Match = tc.given
		if diff := cmp.Diff(tc.want, setOf(t, p).Policies()[0].Match); diff != "" {
			t.Errorf("%s: %s -want, +got:\n%s", name, tc.reason, diff)
		}
	}
}
