package webhook_test

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/webhook"
)

// update is a review that changes a Deployment; spec and old are JSON.
func update(spec, old string) string {
	object := func(spec string) string {
		return `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":` + spec + `}`
	}
	return `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","operation":"UPDATE","kind":{"group":"apps","version":"v1","kind":"Deployment"},` +
		`"resource":{"group":"apps","version":"v1","resource":"deployments"},"name":"web","namespace":"shop","userInfo":{"username":"ann"},` +
		`"object":` + object(spec) + `,"oldObject":` + object(old) + `}}`
}

// containers is the spec of a Deployment with that list of containers.
func containers(list string) string {
	return `{"template":{"spec":{"containers":[` + list + `]}}}`
}

// amplify has a policy that keeps more text the longer it runs.
const amplify = `# METADATA
# custom: {severity: high, match: {kinds: [{apiGroups: [apps], kinds: [Deployment]}]}}
package lintel.pods

violation contains {"msg": "m"} if count([s | some i in numbers.range(1, 20000); s := sprintf("%0100000d", [i])]) < 0
`

const (
	// childMemory is what a child may use.
	childMemory = 192 << 20
	// slack is what evaluators make from one look at the memory to the next and until
	// they stop. For the rest the collector sees to it that all that is Go's stays
	// below the limit.
	slack = 64 << 20
	// patient is how many times something is tried that a busy machine may not come to.
	patient = 10
	// program is what a process has in memory beside: its code, and what the
	// collector gave back and the system has not taken yet.
	program = 64 << 20
)

// TestMemoryIsBounded sends what takes gigabytes when it is judged all at once,
// or once, by a careless policy, to a process of its own.
func TestMemoryIsBounded(t *testing.T) {
	dense := func(item string, n int) string { return update(containers(strings.Repeat(item+",", n)+"{}"), `{}`) }
	cases := map[string]struct {
		reason string
		rules  string
		limit  int64
		time   string
		bodies []string
		says   string // in one answer, to the first body alone or to one of many
		room   bool   // for small reviews meanwhile
	}{
		"HeavyRequests": {
			reason: "Sixteen reviews of up to 3 MiB with a million values each are judged one after another, or not at all.",
			limit:  childMemory, time: "5s",
			bodies: []string{dense("{}", 1<<20), dense("0", 3<<19), dense("{}", 150_000), dense(`{"name":"c"}`, 50_000)},
			says:   "could not decide: judging it would take too much memory",
			room:   true,
		},
		"CarelessPolicy": {
			reason: "A policy that takes memory without end is stopped.",
			rules:  amplify,
			limit:  childMemory / 2, time: "9s",
			bodies: []string{dense("{}", 1)},
			says:   "could not decide: memory ran short",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := startChild(t, tc.rules, tc.limit)
			var group sync.WaitGroup
			var said atomic.Int64
			post := func(body string) {
				got := c.post(t, webhook.PathDeny+"?timeout="+tc.time, body)
				assertNotAllowed(t, tc.reason, got)
				if strings.Contains(got.body, tc.says) {
					said.Add(1)
				}
			}
			for range patient { // until it came to that before its time was over
				if post(tc.bodies[0]); said.Load() > 0 {
					break
				}
			}
			for i := range 16 {
				group.Go(func() { post(tc.bodies[i%len(tc.bodies)]) })
			}
			for range 10 {
				if got := c.post(t, webhook.PathDeny+"?timeout="+tc.time, review("u", "good")); tc.room && got.code != http.StatusOK {
					t.Errorf("%s\na small review meanwhile: want an answer, got %d %s", tc.reason, got.code, got.body)
				}
			}
			group.Wait()
			await(t, "small reviews are answered", func() bool { return c.post(t, webhook.PathDeny, review("u", "good")).code == http.StatusOK })
			if said.Load() == 0 {
				t.Errorf("%s\nno answer says %q", tc.reason, tc.says)
			}
			c.assertBounded(t, tc.reason, tc.limit)
		})
	}
}

// assertNotAllowed holds that a request was refused, or sent away in good order.
func assertNotAllowed(t *testing.T, reason string, got answer) {
	t.Helper()
	switch got.code {
	case http.StatusOK:
		if res := got.response(t); res.Allowed || res.UID != "u" {
			t.Errorf("%s\nwant a refusal, got %s", reason, got.body)
		}
	case http.StatusTooManyRequests:
		if got.header.Get("Retry-After") != "1" {
			t.Errorf("%s\n429 without Retry-After", reason)
		}
	case http.StatusRequestTimeout:
	default:
		t.Errorf("%s\ngot %d %s", reason, got.code, got.body)
	}
}

// assertBounded ends the child and holds that it never took much more than limit.
func (c *child) assertBounded(t *testing.T, reason string, limit int64) {
	t.Helper()
	last := c.end(t)
	t.Logf("idle %d MiB, peak %d MiB, resident %s", last.Idle>>20, last.Peak>>20, last.Resident)
	if most := limit + slack; last.Peak > most {
		t.Errorf("%s\nmemory: want at most %d MiB, got %d", reason, most>>20, last.Peak>>20)
	}
	resident, err := strconv.ParseInt(strings.TrimSuffix(last.Resident, " kB"), 10, 64)
	if most := limit + slack + program; err == nil && !underRace && resident<<10 > most {
		t.Errorf("%s\nresident memory: want at most %d MiB, got %d", reason, most>>20, resident>>10)
	}
}

// TestLargestReviewIsJudged sends the largest review that an API server sends: a
// request of 3 MiB and the largest object that etcd stores, both of characters
// that are escaped as six.
func TestLargestReviewIsJudged(t *testing.T) {
	escaped := func(n int) string { return containers(`{"name":"a","args":["` + strings.Repeat(`\u003c`, n) + `"]}`) }
	c := startChild(t, "", childMemory)
	var got answer
	for range patient { // a client that is slow to send is told to send it again
		if got = c.post(t, webhook.PathDeny+"?timeout=9s", update(escaped(3<<20), escaped(3<<19))); got.code == http.StatusOK {
			break
		}
	}
	var res *admissionv1.AdmissionResponse
	if got.code == http.StatusOK {
		res = got.response(t)
	}
	if res == nil || res.Allowed || res.Result.Code == http.StatusTooManyRequests || !strings.Contains(res.Result.Message, "probes") {
		t.Errorf("want it judged, got %d %.500s", got.code, got.body)
	}
	c.assertBounded(t, "The largest review fits.", childMemory)
}

// TestHeavyReviewsLeaveRoom holds that heavy reviews take at most half of the
// slots, and give back what they take.
func TestHeavyReviewsLeaveRoom(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	registry := prometheus.NewRegistry()
	s := serve(t, webhook.Config{MaxConcurrent: 4, Metrics: registry, Decider: webhook.Funcs{
		ReviewFunc: func(_ context.Context, _ engine.Part, req *engine.Request) (*engine.Decision, error) {
			if strings.HasPrefix(req.Ref().Name, "heavy") {
				<-release
			}
			return &engine.Decision{}, nil
		},
	}}, 0)
	heavy := review("u", "heavy"+strings.Repeat("y", 600_000))
	codes := make(chan int)
	for range 4 {
		go func() { codes <- s.post(t, webhook.PathValidate+"?timeout=3s", heavy).code }()
	}
	for range 2 {
		if code := <-codes; code != http.StatusTooManyRequests {
			t.Errorf("the third heavy review: want 429, got %d", code)
		}
	}
	if running := value(t, registry, "lintel_webhook_running"); running != 2 {
		t.Errorf("heavy reviews at a time, with 4 slots: want 2, got %v", running)
	}
	if got := s.post(t, webhook.PathValidate+"?timeout=3s", review("u", "light")); got.code != http.StatusOK {
		t.Errorf("a light review meanwhile: want 200, got %d", got.code)
	}
	close(release)
	for range 2 {
		if code := <-codes; code != http.StatusOK {
			t.Errorf("a heavy review that has its turn: want 200, got %d", code)
		}
	}
	for range 5 {
		if got := s.post(t, webhook.PathValidate+"?timeout=3s", heavy); got.code != http.StatusOK {
			t.Errorf("one heavy review after another: want 200, got %d", got.code)
		}
	}
}
