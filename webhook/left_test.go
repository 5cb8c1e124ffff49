package webhook_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/webhook"
)

// A counting decider knows how many of its evaluators run, and how many ran at
// most, those that were left behind among them.
type counting struct {
	live
	now, most atomic.Int64
}

func (c *counting) begin() {
	now := c.now.Add(1)
	for most := c.most.Load(); now > most && !c.most.CompareAndSwap(most, now); most = c.most.Load() {
	}
}

func (c *counting) end(left <-chan struct{}) {
	if left == nil {
		c.now.Add(-1)
		return
	}
	go func() {
		<-left
		c.now.Add(-1)
	}()
}

func (c *counting) Review(ctx context.Context, part engine.Part, req *engine.Request) (*engine.Decision, error) {
	c.begin()
	d, err := c.live.Review(ctx, part, req)
	c.end(d.Left)
	return d, err
}

func (c *counting) Patch(ctx context.Context, req *engine.Request) (*engine.Mutation, error) {
	c.begin()
	m, err := c.live.Patch(ctx, req)
	c.end(m.Left)
	return m, err
}

// TestWhatIsLeftBehindKeepsItsTurn sends more at once than may be decided, of
// which no evaluator stops at its deadline.
func TestWhatIsLeftBehindKeepsItsTurn(t *testing.T) {
	t.Parallel()
	const deciding = 2
	repeats := 30 // with which a match goes on for a while, and longer under the race detector
	if underRace {
		repeats = 8
	}
	slow := fmt.Sprintf("if regex.match(`((a{1,%d}){1,%[1]d})c`, input.review.object.metadata.annotations.canary)\n", repeats)
	rego := pods[:strings.Index(pods, "violation")] + `violation contains {"msg": "m"} ` + slow +
		`patch contains {"path": ["metadata", "labels", "seen"], "value": "yes"} ` + slow
	decider := &counting{live: compile(t, rego, v1alpha1.PolicySpec{})}
	registry := prometheus.NewRegistry()
	s := serve(t, webhook.Config{Decider: decider, MaxConcurrent: deciding, Metrics: registry}, 0)
	for _, path := range []string{webhook.PathDeny, webhook.PathMutate} {
		body := strings.Replace(review("u", "good"), "s3cr3t", strings.Repeat("a", 48<<10), 1)
		var group sync.WaitGroup
		var undecided, shed atomic.Int64
		for range 12 {
			group.Go(func() {
				switch got := s.post(t, path+"?timeout=300ms", body); {
				case got.code == http.StatusTooManyRequests, got.code == http.StatusRequestTimeout:
					shed.Add(1)
				case got.code == http.StatusOK && got.response(t).Result.Code == http.StatusInternalServerError:
					undecided.Add(1)
				default:
					t.Errorf("%s: want 429, or 408, or an answer that nothing was decided, got %d %s", path, got.code, got.body)
				}
			})
		}
		group.Wait()
		if undecided.Load() == 0 || shed.Load() == 0 {
			t.Errorf("%s: %d were decided too late and %d sent away, want some of both", path, undecided.Load(), shed.Load())
		}
		if most := decider.most.Load(); most > deciding {
			t.Errorf("%s: %d evaluators ran at a time, want no more than %d", path, most, deciding)
		}
		await(t, "what was left behind ends", func() bool { return decider.now.Load() == 0 })
		await(t, "it gives back its turn and its bytes", func() bool {
			return value(t, registry, "lintel_webhook_running")+value(t, registry, "lintel_webhook_inflight_bytes") == 0
		})
	}
	if got := s.post(t, webhook.PathDeny+"?timeout=5s", review("u", "bad")); got.code != http.StatusOK {
		t.Errorf("when all have ended: want an answer, got %d", got.code)
	}
}

// await waits until a condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for began := time.Now(); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > 2*time.Minute {
			t.Fatalf("%s: not after two minutes", what)
		}
	}
}
