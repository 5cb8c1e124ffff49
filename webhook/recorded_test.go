package webhook_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/webhook"
)

// TestRecorded holds what is handed on to be kept: each review that was validated,
// once, with its body and its verdict; nothing that was refused, or only patched.
func TestRecorded(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []string
	keep := func(r webhook.Reviewed) {
		mu.Lock()
		defer mu.Unlock()
		verdict := "admitted"
		if !r.Allowed {
			verdict = "refused"
		}
		uid := "?"
		for _, known := range []string{"u-good", "u-bad", "u-heavy"} {
			if strings.Contains(string(r.Body), `"`+known+`"`) {
				uid = known
			}
		}
		if r.Decision == nil {
			verdict += ", undecided"
		}
		got = append(got, strings.Join([]string{r.Door, uid, verdict}, " "))
	}
	s := serveWith(t, webhook.Config{Decider: compile(t, pods, v1alpha1.PolicySpec{}), Record: keep, MaxMemory: 64 << 20}, webhook.ServerConfig{})
	s.post(t, webhook.PathValidate, review("u-good", "good"))
	s.post(t, webhook.PathDeny, review("u-bad", "bad"))
	s.post(t, webhook.PathWarn, review("u-bad", "bad"))
	s.post(t, webhook.PathMutate, review("u-bad", "bad"))
	s.post(t, webhook.PathDeny, "{}")
	s.post(t, webhook.PathDeny, strings.Replace(review("u-heavy", "bad"), `"canary":`, `"x":[`+strings.Repeat("0,", 300_000)+`0],"canary":`, 1))
	mu.Lock()
	defer mu.Unlock()
	want := []string{"validate u-good admitted", "deny u-bad refused", "warn u-bad admitted", "deny u-heavy refused"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what was recorded: -want, +got:\n%s", diff)
	}
}
