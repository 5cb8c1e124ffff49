package controller_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lintel-policy/lintel/controller"
)

// TestSettled has many objects change at once, as one sync from git changes them: they
// are compiled once, when no more come, and where more keep coming after a second.
func TestSettled(t *testing.T) {
	cases := map[string]struct {
		reason  string
		changes int // one every 50 ms
		want    time.Duration
	}{
		"One":  {"One change is not waited after for long.", 1, 100 * time.Millisecond},
		"Sync": {"A sync is one change.", 10, 550 * time.Millisecond},
		"Ever": {"What never ends is not waited for.", 100, time.Second},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				p := controller.NewPolicies(controller.CacheConfig{})
				began := time.Now()
				go func() {
					for range tc.changes {
						p.Again()
						select {
						case <-ctx.Done():
							return
						case <-time.After(50 * time.Millisecond):
						}
					}
				}()
				if !p.Settled(ctx) || time.Since(began) != tc.want {
					t.Errorf("%s\nsettled after %s, want %s", tc.reason, time.Since(began), tc.want)
				}
				if tc.want < time.Second {
					time.AfterFunc(time.Hour, stop)
					if p.Settled(ctx) {
						t.Errorf("%s\nit is compiled twice", tc.reason)
					}
				}
			})
		})
	}
}
