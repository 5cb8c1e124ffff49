package engine_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// staged returns a policy that wants replicas, with stages.
func staged(enforcement v1alpha1.Enforcement, stages ...v1alpha1.Stage) engine.Policy {
	p := policy("a", noReplicas)
	p.Spec.Enforcement, p.Spec.Stages = enforcement, stages
	return p
}

func stage(after time.Duration, enforcement v1alpha1.Enforcement) v1alpha1.Stage {
	return v1alpha1.Stage{From: timeAt(now.Add(after)), Enforcement: enforcement}
}

func TestMessagesNameWhenItIsDenied(t *testing.T) {
	later := staged(v1alpha1.Warn, stage(2*time.Hour, v1alpha1.Deny), stage(time.Hour, v1alpha1.DryRun))
	scoped := staged(v1alpha1.Warn, stage(time.Hour, v1alpha1.Deny))
	scoped.Spec.Scopes = []v1alpha1.Scope{
		{Users: []string{"robot"}, Enforcement: v1alpha1.Warn},
		{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}, Enforcement: v1alpha1.Warn},
	}
	enforced := staged(v1alpha1.Warn, stage(time.Hour, v1alpha1.Deny))
	enforced.Spec.Existing = v1alpha1.ExistingEnforce
	const warned = "a (denied from 2026-06-01T13:00:00Z): spec.replicas: no replicas"
	old := ask{operation: "UPDATE", old: deployment(object{})}
	cases := map[string]struct {
		reason string
		policy engine.Policy
		ask    ask
		want   []string
		due    string
	}{
		"Next":     {"People are told until when they have time.", scoped, ask{}, []string{warned}, "denied from 2026-06-01T13:00:00Z"},
		"NotNext":  {"A stage between does not matter.", later, ask{}, []string{"a (denied from 2026-06-01T14:00:00Z): spec.replicas: no replicas"}, "denied from 2026-06-01T14:00:00Z"},
		"Recorded": {"What is recorded tells nobody, and knows.", later, ask{at: now.Add(time.Hour)}, nil, "denied from 2026-06-01T14:00:00Z"},
		"Begun":    {"What is denied says so.", scoped, ask{at: now.Add(time.Hour)}, nil, ""},
		"ByUser":   {"A scope is no stage.", scoped, ask{user: "robot"}, []string{"a: spec.replicas: no replicas"}, ""},
		"ByScope":  {"Nor is one by namespace.", scoped, ask{labels: map[string]string{"a": "b"}}, []string{"a: spec.replicas: no replicas"}, ""},
		"Controlled": {
			"What built-in controllers make is not denied then either.", scoped, ask{user: "system:kube-controller-manager"}, nil, "",
		},
		"Existing": {"What was there before is not denied then either.", scoped, old, []string{"a: spec.replicas: no replicas (as before)"}, ""},
		"ExistingEnforced": {
			"Where it is held to the policy all the same, it is.", enforced, old, []string{warned + " (as before)"}, "denied from 2026-06-01T13:00:00Z",
		},
		"TakenBack": {
			"Of two stages of one moment the later in the list counts.", staged(v1alpha1.Warn, stage(time.Hour, v1alpha1.Deny), stage(time.Hour, v1alpha1.Warn)), ask{},
			[]string{"a: spec.replicas: no replicas"}, "",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.ask.object = deployment(object{})
			d := review(t, setOf(t, tc.policy), tc.ask)
			if diff := cmp.Diff(tc.want, d.Warnings()); diff != "" {
				t.Errorf("%s\nWarnings(): -want, +got:\n%s", tc.reason, diff)
			}
			if got := d.Violations[0].Due(); got != tc.due {
				t.Errorf("%s\nDue(): got %q, want %q", tc.reason, got, tc.due)
			}
		})
	}
}

func TestStagesOfInfo(t *testing.T) {
	info := setOf(t, staged(v1alpha1.DryRun, stage(2*time.Hour, v1alpha1.Deny), stage(time.Hour, v1alpha1.Warn))).Policies()[0]
	if !info.CanDeny() {
		t.Error("a policy that denies one day is registered as if it never did")
	}
	cases := map[string]struct {
		at   time.Time
		now  v1alpha1.Enforcement
		next *v1alpha1.Stage
	}{
		"Before":    {now, v1alpha1.DryRun, &v1alpha1.Stage{From: timeAt(now.Add(time.Hour)), Enforcement: v1alpha1.Warn}},
		"Between":   {now.Add(time.Hour), v1alpha1.Warn, &v1alpha1.Stage{From: timeAt(now.Add(2 * time.Hour)), Enforcement: v1alpha1.Deny}},
		"Afterward": {now.Add(2 * time.Hour), v1alpha1.Deny, nil},
	}
	for name, tc := range cases {
		if got := info.EnforcementAt(tc.at); got != tc.now {
			t.Errorf("%s: EnforcementAt(...): got %q, want %q", name, got, tc.now)
		}
		if diff := cmp.Diff(tc.next, info.NextStage(tc.at)); diff != "" {
			t.Errorf("%s: NextStage(...): -want, +got:\n%s", name, diff)
		}
	}
}

// TestPhase has another phase whenever time alone may change a verdict, and no sooner.
func TestPhase(t *testing.T) {
	t.Parallel()
	day := func(n int) metav1.Time { return metav1.NewTime(time.Date(2027, 1, n, 0, 0, 0, 0, time.UTC)) }
	policy := engine.Policy{Name: "owned", FreePackage: true, Modules: []v1alpha1.Module{{Name: "a.rego", Rego: "package a\n\nviolation contains {\"msg\": \"no\"}"}}}
	policy.Spec.Match = &v1alpha1.Match{Kinds: []v1alpha1.Kinds{{APIGroups: []string{""}, Kinds: []string{"Pod"}}}}
	policy.Spec.Enforcement, policy.Spec.Stages = v1alpha1.Warn, []v1alpha1.Stage{{From: day(10), Enforcement: v1alpha1.Deny}}
	other := policy
	other.Name, other.Spec.Stages = "other", nil
	e := v1alpha1.PolicyException{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "legacy"}}
	e.Spec = v1alpha1.PolicyExceptionSpec{Policies: []string{"owned"}, Reason: "r", Owner: "o", Expires: day(20), Objects: v1alpha1.Objects{Names: []string{"legacy"}}}
	set, err := engine.Compile(engine.Config{Policies: []engine.Policy{policy, other}, Exceptions: []v1alpha1.PolicyException{e}})
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]int{9: 0, 10: 1, 19: 1, 20: 2, 30: 2} {
		if got := set.Phase("owned", day(n).Time); got != want {
			t.Errorf("on day %d: got phase %d, want %d", n, got, want)
		}
		if got := set.Phase("other", day(n).Time); got != 0 {
			t.Errorf("another policy on day %d: got phase %d", n, got)
		}
	}
}
