package webhook_test

import (
	"context"
	"errors"
	"testing"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/webhook"
)

// TestDoors holds that of /validate/deny and /validate/warn just one judges, and
// that what nobody decided is refused only where a policy would have refused it.
func TestDoors(t *testing.T) {
	lost := func(live) webhook.Funcs {
		return unruly(func(context.Context) error { return errors.New("lost") })
	}
	panics := func(live) webhook.Funcs { return unruly(func(context.Context) error { panic("s3cr3t") }) }
	knows := func(broken func(live) webhook.Funcs) func(live) webhook.Decider {
		return func(l live) webhook.Decider {
			f := broken(l)
			f.UndecidedFunc = l.Undecided
			return f
		}
	}
	sound := func(l live) webhook.Decider { return l }
	type verdicts struct{ validate, deny, warn bool }
	cases := map[string]struct {
		reason      string
		enforcement v1alpha1.Enforcement
		decider     func(live) webhook.Decider
		name        string
		want        verdicts // whether the request is allowed
	}{
		"Denies":       {"A policy that denies answers at the door of those that deny.", v1alpha1.Deny, sound, "bad", verdicts{false, false, true}},
		"Warns":        {"One that warns holds nothing up anywhere.", v1alpha1.Warn, sound, "bad", verdicts{true, true, true}},
		"DenierLost":   {"What a policy that denies could not decide is refused at its door.", v1alpha1.Deny, knows(lost), "good", verdicts{false, false, true}},
		"WarnerLost":   {"What a policy that warns could not decide passes.", v1alpha1.Warn, knows(lost), "good", verdicts{true, true, true}},
		"DenierPanics": {"A panic is no other than an error.", v1alpha1.Deny, knows(panics), "good", verdicts{false, false, true}},
		"WarnerPanics": {"Nor is it for a policy that warns.", v1alpha1.Warn, knows(panics), "good", verdicts{true, true, true}},
		"NobodyKnows": {
			"Where nobody can tell, only the door that holds nothing up is open.", v1alpha1.Deny,
			func(l live) webhook.Decider { return panics(l) }, "good", verdicts{false, false, true},
		},
		"UndecidedPanics": {
			"Whoever panics again is not asked a third time.", v1alpha1.Warn,
			func(l live) webhook.Decider {
				f := panics(l)
				f.UndecidedFunc = func(engine.Part, *engine.Request, error) *engine.Decision { panic("s3cr3t") }
				return f
			}, "good", verdicts{false, false, true},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			decider := tc.decider(compile(t, pods, v1alpha1.PolicySpec{Enforcement: tc.enforcement}))
			s := serve(t, webhook.Config{Decider: decider}, 0)
			allowed := func(path string) bool {
				res := s.post(t, path, review("u-7", tc.name)).response(t)
				if res.UID != "u-7" {
					t.Errorf("%s\n%s: uid %q, want u-7", tc.reason, path, res.UID)
				}
				return res.Allowed
			}
			got := verdicts{allowed(webhook.PathValidate), allowed(webhook.PathDeny), allowed(webhook.PathWarn)}
			if got != tc.want {
				t.Errorf("%s\nallowed: got %+v, want %+v", tc.reason, got, tc.want)
			}
		})
	}
}
