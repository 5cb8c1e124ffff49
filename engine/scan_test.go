package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/engine"
)

// tells says of each finding of secrets.scan what there is to say.
const tells = `violation contains {"msg": msg, "path": found.path} if {
	some found in secrets.scan(input.review.object)
	msg := sprintf("%s is a %s, %s, %q, %d, %d", [found.at, found.class, found.rule, found.key, found.line, count(found)])
}`

func TestScan(t *testing.T) {
	const secret = "hunter2-4711"
	set := setOf(t, policy("a", tells))
	d := review(t, set, ask{object: with(deployment(object{"password": secret}), object{"data": object{"app.properties": "a=b\ndb.password=" + secret}})})
	want := []string{
		`deny a data["app.properties"]: data["app.properties"] is a name, password-name, "db.password", 2, 6`,
		`deny a spec.password: spec.password is a name, password-name, "", 0, 6`,
	}
	if diff := cmp.Diff(want, summary(d)); diff != "" {
		t.Errorf("secrets.scan says where and what, and no more: -want, +got:\n%s", diff)
	}
	if strings.Contains(d.Message(), secret) {
		t.Error("the message has the secret")
	}
	// The ratchet goes by the string that holds the secret.
	before := deployment(object{"password": secret, "token": "x"})
	after := deployment(object{"password": secret, "token": "Zebra-4711-Pl"})
	got := summary(review(t, set, ask{operation: "UPDATE", object: after, old: before}))
	for _, line := range got {
		if strings.Contains(line, "spec.password") != strings.HasSuffix(line, "(existing)") {
			t.Errorf("only what was there before is existing: %q", got)
		}
	}
}

// TestExempt holds that what a policy exempts is recorded and nothing else, and
// that it does not make what comes later an existing violation.
func TestExempt(t *testing.T) {
	set := setOf(t, policy("a", `violation contains {"msg": "m", "path": ["spec", "x"], "exempt": exempt} if exempt := object.get(input.review.object.spec, "exempt", false)`))
	d := review(t, set, ask{object: deployment(object{"exempt": true})})
	if len(d.Violations) > 0 || !d.Allowed() {
		t.Errorf("what is exempt is a violation: %q", summary(d))
	}
	if diff := cmp.Diff([]engine.Excuse{{Policy: "a", Exception: "spec.x"}}, d.Excused); diff != "" {
		t.Errorf("what is exempt is not recorded: -want, +got:\n%s", diff)
	}
	d = review(t, set, ask{operation: "UPDATE", object: deployment(object{}), old: deployment(object{"exempt": true})})
	if diff := cmp.Diff([]string{"deny a spec.x: m"}, summary(d)); diff != "" {
		t.Errorf("what is exempt no more is no existing violation: -want, +got:\n%s", diff)
	}
}

// TestTime holds that the time of the request, and no other, is what Rego knows.
func TestTime(t *testing.T) {
	set := setOf(t, policy("a", `violation contains {"msg": input.time}`), policy("b", `violation contains {"msg": "no clock"} if not input["ti" ]`))
	at := time.Date(2031, 2, 3, 4, 5, 6, 0, time.FixedZone("", 3600))
	d := review(t, set, ask{object: deployment(object{}), at: at})
	if diff := cmp.Diff([]string{"deny a : 2031-02-03T03:05:06Z", "deny b : no clock"}, summary(d)); diff != "" {
		t.Errorf("input.time: -want, +got:\n%s", diff)
	}
}
