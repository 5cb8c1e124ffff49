package webhook_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/webhook"
)

// A checks is a Checker that is a function.
type checks func(context.Context, *engine.Request) (webhook.Finding, error)

func (c checks) Check(ctx context.Context, req *engine.Request) (webhook.Finding, error) {
	return c(ctx, req)
}

// TestOwn holds that what is checked and found wrong is refused, that what nobody
// could check passes, and that what is not checked in time is refused.
func TestOwn(t *testing.T) {
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	long := strings.Repeat("x", 10<<10)
	cases := map[string]struct {
		reason   string
		check    checks
		allowed  bool
		code     int32
		message  string // of the status
		warnings []string
	}{
		"Well": {
			reason:  "What is well is stored.",
			check:   func(context.Context, *engine.Request) (webhook.Finding, error) { return webhook.Finding{}, nil },
			allowed: true,
		},
		"Warned": {
			reason: "A warning has one line and refuses nothing.",
			check: func(context.Context, *engine.Request) (webhook.Finding, error) {
				return webhook.Finding{Warnings: []string{"a\nb"}}, nil
			},
			allowed: true, warnings: []string{`a\x0ab`},
		},
		"Refused": {
			reason: "Who wrote it reads what is wrong, and what is doubtful beside.",
			check: func(context.Context, *engine.Request) (webhook.Finding, error) {
				return webhook.Finding{Refusal: "line 3\nis wrong", Warnings: []string{"c"}}, nil
			},
			code: http.StatusForbidden, message: "line 3\nis wrong", warnings: []string{"c"},
		},
		"Long": {
			reason: "Nobody reads more than some pages.",
			check: func(context.Context, *engine.Request) (webhook.Finding, error) {
				return webhook.Finding{Refusal: long}, nil
			},
			code: http.StatusForbidden, message: long[:4<<10-len("…")] + "…",
		},
		"Lost": {
			reason: "What could not be found out is decided again by the controller.",
			check: func(context.Context, *engine.Request) (webhook.Finding, error) {
				return webhook.Finding{}, errors.New("lost")
			},
			allowed: true, code: http.StatusInternalServerError, message: "Pod shop/a could not be checked: lost",
			warnings: []string{"lintel: Pod shop/a could not be checked: lost; its status will say whether it is in force"},
		},
		"Panics": {
			reason:  "So is that at which the checker panics, and nothing of it is said.",
			check:   func(context.Context, *engine.Request) (webhook.Finding, error) { panic("s3cr3t") },
			allowed: true, code: http.StatusInternalServerError, message: "Pod shop/a could not be checked: a defect in Lintel kept it from deciding",
			warnings: []string{"lintel: Pod shop/a could not be checked: a defect in Lintel kept it from deciding; its status will say whether it is in force"},
		},
		"Endless": {
			reason: "What takes so long would keep the controller from all else.",
			check: func(context.Context, *engine.Request) (webhook.Finding, error) {
				<-release
				return webhook.Finding{}, nil
			},
			code: http.StatusInternalServerError,
			message: "Pod shop/a could not be checked: no decision was reached in time. What takes so long to compile would hold up every change of a policy: " +
				"make it smaller, or apply it again if Lintel was only busy",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := prometheus.NewRegistry()
			recorded := func(webhook.Reviewed) { t.Error("a check is recorded as a review that can be replayed") }
			s := serve(t, webhook.Config{Decider: compile(t, pods, v1alpha1.PolicySpec{}), Checker: tc.check, Metrics: registry, Record: recorded}, 0)
			began := time.Now()
			res := s.post(t, webhook.PathOwn+"?timeout=1s", review("u-9", "a")).response(t)
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("%s\nanswered after %s", tc.reason, took)
			}
			if res.UID != "u-9" || res.Allowed != tc.allowed {
				t.Errorf("%s\nuid %q, allowed %t, want u-9 and %t", tc.reason, res.UID, res.Allowed, tc.allowed)
			}
			if diff := cmp.Diff(tc.warnings, res.Warnings); diff != "" {
				t.Errorf("%s\nwarnings: -want, +got:\n%s", tc.reason, diff)
			}
			var code int32
			message := ""
			if res.Result != nil {
				code, message = res.Result.Code, res.Result.Message
			}
			if code != tc.code || message != tc.message {
				t.Errorf("%s\nstatus: got %d %q, want %d %q", tc.reason, code, message, tc.code, tc.message)
			}
			if got := value(t, registry, "lintel_webhook_decisions_total"); got != 1 {
				t.Errorf("decisions: got %v, want 1", got)
			}
		})
	}
}

// TestOwnIsStrict holds that the path takes nothing but reviews, and is not there
// without a checker.
func TestOwnIsStrict(t *testing.T) {
	never := checks(func(context.Context, *engine.Request) (webhook.Finding, error) {
		t.Error("what is no review is checked")
		return webhook.Finding{}, nil
	})
	decider := compile(t, pods, v1alpha1.PolicySpec{})
	s := serve(t, webhook.Config{Decider: decider, Checker: never, MaxBody: 4 << 10}, 0)
	cases := map[string]struct {
		method, contentType, body string
		want                      int
	}{
		"Method": {http.MethodGet, "application/json", "", http.StatusMethodNotAllowed},
		"YAML":   {http.MethodPost, "application/yaml", review("u", "a"), http.StatusUnsupportedMediaType},
		"Hidden": {http.MethodPost, "application/json", "apiVersion: admission.k8s.io/v1\n", http.StatusBadRequest},
		"Empty":  {http.MethodPost, "application/json", "{}", http.StatusBadRequest},
		"NoUID":  {http.MethodPost, "application/json", review("", "a"), http.StatusBadRequest},
		"Large":  {http.MethodPost, "application/json", review("u", strings.Repeat("a", 4<<10)), http.StatusRequestEntityTooLarge},
	}
	for name, tc := range cases {
		if got := s.do(t, tc.method, webhook.PathOwn, map[string]string{"Content-Type": tc.contentType}, strings.NewReader(tc.body)); got.code != tc.want {
			t.Errorf("%s: got %d, want %d", name, got.code, tc.want)
		}
	}
	without := serve(t, webhook.Config{Decider: decider}, 0)
	if got := without.post(t, webhook.PathOwn, review("u", "a")); got.code != http.StatusNotFound {
		t.Errorf("without a checker: got %d, want %d", got.code, http.StatusNotFound)
	}
}
