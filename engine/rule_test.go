package engine_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/lintel-policy/lintel/engine"
)

func TestRules(t *testing.T) {
	const (
		finding  = "# METADATA\n# title: A\n# description: Of a.\n_finding contains {\"msg\": \"a\"}\n\n"
		passing  = "# METADATA\n# title: All\nviolation contains f if some f in _finding\n\n"
		own      = "# METADATA\n# title: B\nviolation contains {\"msg\": \"b\"}\n\n"
		patching = "default patch := []\n\n# METADATA\n# title: P\npatch := [{\"path\": [\"a\"], \"value\": 1}] if input.x\n"
	)
	cases := map[string]struct {
		reason, rules string
		want          []engine.RuleInfo
	}{
		"Own": {
			reason: "What has no METADATA has a place all the same.",
			rules:  own + "violation contains {\"msg\": \"c\"}\n",
			want: []engine.RuleInfo{
				{Name: "violation", Title: "B", File: "p.rego", Row: 11},
				{Name: "violation", File: "p.rego", Row: 13},
			},
		},
		"PassedOn": {
			reason: "People are told of what finds, not of what passes it on.",
			rules:  passing + finding,
			want:   []engine.RuleInfo{{Name: "_finding", Title: "A", Description: "Of a.", File: "p.rego", Row: 16}},
		},
		"Unknown": {
			reason: "Where it cannot be seen what makes the results, there is the rule itself.",
			rules:  "# METADATA\n# title: All\nviolation := _all\n\n_all := []\n",
			want:   []engine.RuleInfo{{Name: "violation", Title: "All", File: "p.rego", Row: 11}},
		},
		"Patches": {
			reason: "A default is no rule that anybody asks about.",
			rules:  patching + "\n" + passing + finding,
			want: []engine.RuleInfo{
				{Name: "patch", Patches: true, Title: "P", File: "p.rego", Row: 13},
				{Name: "_finding", Title: "A", Description: "Of a.", File: "p.rego", Row: 22},
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := setOf(t, policy("p", tc.rules)).Policies()[0].Rules
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nRules: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestValues(t *testing.T) {
	p := policyWith("p", metadataOf+"#   parameters: {type: object, properties: {a: {type: integer, default: 1}, b: {type: integer, default: 2}}}\n", "violation contains {\"msg\": \"x\"}\n")
	p.Spec.Parameters = &runtime.RawExtension{Raw: []byte(`{"b": 3}`)}
	got := setOf(t, p).Policies()[0].Values
	if diff := cmp.Diff(map[string]string{"a": "1", "b": "3"}, map[string]string{"a": fmt.Sprint(got["a"]), "b": fmt.Sprint(got["b"])}); diff != "" {
		t.Errorf("Values: the parameters in force: -want, +got:\n%s", diff)
	}
}
