package engine_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// TestParts holds that of two webhooks which are both asked, each policy answers
// just one, and the one that fails as it has to.
func TestParts(t *testing.T) {
	always := `violation contains {"msg": "m"}`
	all := strings.Replace(metadataOf, "kinds: [Deployment]", "kinds: [Deployment], versions: ['*']", 1)
	all = strings.Replace(all, "#   match:\n", "#   match:\n#     subresources: ['*']\n", 1)
	with := func(name string, spec v1alpha1.PolicySpec) engine.Policy {
		p := policyWith(name, all, always)
		p.Spec = spec
		return p
	}
	later := v1alpha1.PolicySpec{Enforcement: v1alpha1.Warn, Stages: []v1alpha1.Stage{{From: timeAt(now.AddDate(1, 0, 0)), Enforcement: v1alpha1.Deny}}}
	scoped := v1alpha1.PolicySpec{Enforcement: v1alpha1.DryRun, Scopes: []v1alpha1.Scope{{Users: []string{"joe"}, Enforcement: v1alpha1.Deny}}}
	set := setOf(t,
		with("denies", v1alpha1.PolicySpec{}),
		with("warns", v1alpha1.PolicySpec{Enforcement: v1alpha1.Warn}),
		with("records", v1alpha1.PolicySpec{Enforcement: v1alpha1.DryRun}),
		with("later", later),
		with("scoped", scoped),
		with("strict", v1alpha1.PolicySpec{Enforcement: v1alpha1.Warn, OnError: v1alpha1.OnErrorDeny}),
		policyWith("held", all+"#   controlled: deny\n", always),
	)
	cases := map[string]struct {
		reason    string
		ask       ask
		enforcing string
	}{
		"Person": {
			reason:    "What can deny anywhere, at any time, or when it errs, has to be waited for.",
			ask:       ask{object: deployment(object{})},
			enforcing: "denies held later scoped strict",
		},
		"Controller": {
			reason:    "A built-in controller waits only for policies that hold controllers.",
			ask:       ask{object: deployment(object{}), user: "system:serviceaccount:kube-system:replicaset-controller"},
			enforcing: "held",
		},
		"Scale": {
			reason: "Scaling waits for nobody.",
			ask:    ask{operation: "UPDATE", group: "autoscaling", kind: "Scale", resource: "deployments", sub: "scale", object: object{"kind": "Scale"}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			whole := review(t, set, tc.ask)
			enforcing := review(t, set.Part(engine.Enforcing), tc.ask)
			recording := review(t, set.Part(engine.Recording), tc.ask)
			if got := strings.Join(enforcing.Evaluated, " "); got != tc.enforcing {
				t.Errorf("%s\nenforcing: got %q, want %q", tc.reason, got, tc.enforcing)
			}
			parts := append(summary(enforcing), summary(recording)...)
			less := func(a, b string) bool { return a < b }
			if diff := cmp.Diff(summary(whole), parts, cmpopts.SortSlices(less)); diff != "" || len(whole.Evaluated) != 7 {
				t.Errorf("%s\nthe parts together find other things than the whole, of %q: -whole, +parts:\n%s", tc.reason, whole.Evaluated, diff)
			}
		})
	}
	undecided := set.Part(engine.Recording).Undecided(ask{object: deployment(object{})}.request(t), errors.New("lost"))
	if diff := cmp.Diff([]string{"error allow records: lost", "error allow warns: lost"}, summary(undecided)); diff != "" {
		t.Errorf("undecided is only what the part answers for: -want, +got:\n%s", diff)
	}
}
