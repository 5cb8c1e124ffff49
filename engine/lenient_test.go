package engine_test

import (
	"strings"
	"testing"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// TestWouldDeny asks which policies that let a request by would deny it if they denied,
// and has them deny.
func TestWouldDeny(t *testing.T) {
	const replicaSets = "system:serviceaccount:kube-system:replicaset-controller"
	bare, more := deployment(object{}), deployment(object{"paused": true})
	cases := map[string]struct {
		reason string
		rules  string
		more   string // METADATA
		spec   v1alpha1.PolicySpec
		ask    ask
		want   bool
	}{
		"Warns":      {reason: "It is told of, and passes.", spec: v1alpha1.PolicySpec{Enforcement: v1alpha1.Warn}, ask: ask{object: bare}, want: true},
		"Records":    {reason: "It passes.", spec: v1alpha1.PolicySpec{Enforcement: v1alpha1.DryRun}, ask: ask{object: bare}, want: true},
		"Denies":     {reason: "It does not pass.", ask: ask{object: bare}},
		"Clean":      {reason: "There is nothing to deny.", spec: v1alpha1.PolicySpec{Enforcement: v1alpha1.Warn}, ask: ask{object: deployment(object{"replicas": 1})}},
		"Existing":   {reason: "What an update leaves alone no policy denies.", spec: v1alpha1.PolicySpec{Enforcement: v1alpha1.Warn}, ask: ask{operation: "UPDATE", old: bare, object: more}},
		"Enforced":   {reason: "But for one that holds old objects to account.", spec: v1alpha1.PolicySpec{Enforcement: v1alpha1.Warn, Existing: v1alpha1.ExistingEnforce}, ask: ask{operation: "UPDATE", old: bare, object: more}, want: true},
		"Controlled": {reason: "What a built-in controller makes is recorded.", spec: v1alpha1.PolicySpec{Enforcement: v1alpha1.Warn}, ask: ask{object: bare, user: replicaSets}},
		"Held":       {reason: "But for policies that hold controllers.", more: "#   controlled: deny\n", spec: v1alpha1.PolicySpec{Enforcement: v1alpha1.Warn}, ask: ask{object: bare, user: replicaSets}, want: true},
		"Scope": {
			reason: "It denies elsewhere.", spec: v1alpha1.PolicySpec{Scopes: []v1alpha1.Scope{{Users: []string{"joe"}, Enforcement: v1alpha1.DryRun}}},
			ask: ask{object: bare, user: "joe"}, want: true,
		},
		"Undecided": {reason: "What could not be decided nobody knows.", rules: `violation contains {"msg": "m"} if 1 / 0 > 1`, spec: v1alpha1.PolicySpec{Enforcement: v1alpha1.Warn}, ask: ask{object: bare}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := policyWith("a", metadataOf+tc.more, strings.ReplaceAll(tc.rules+noReplicas, "1violation", "1\nviolation"))
			p.Spec = tc.spec
			set := setOf(t, p)
			d := review(t, set, tc.ask)
			want := []engine.PolicyRevision{{Policy: "a", Revision: set.Policies()[0].Revision}}
			if got := len(d.WouldDeny) > 0; got != tc.want || got && d.WouldDeny[0] != want[0] {
				t.Errorf("%s\ngot %v, want %t %v", tc.reason, d.WouldDeny, tc.want, want)
			}
			if tc.rules != "" || tc.spec.Enforcement == "" && !tc.want {
				return
			}
			p.Spec.Enforcement, p.Spec.Scopes = v1alpha1.Deny, nil
			if denies := !review(t, setOf(t, p), tc.ask).Allowed(); denies != tc.want {
				t.Errorf("%s\nif it denies, it denies: %t, want %t", tc.reason, denies, tc.want)
			}
		})
	}
}
