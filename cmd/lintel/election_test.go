package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// An elector takes part in an election.
type elector struct {
	*election
	leading chan struct{} // gets one when it begins to lead
	let     chan struct{} // closed to let it return from leading
	left    chan struct{} // closed when it has returned
	end     func()        // tells it to end
	ended   chan error
}

// stand has an elector take part.
func stand(t *testing.T, namespace string) *elector {
	t.Helper()
	client, err := kubernetes.NewForConfig(shared.Cluster(t).Config())
	must(err)
	e, err := newElection(&gate{client: client, metrics: prometheus.NewRegistry(), log: zap.NewNop()}, namespace)
	must(err)
	ctx, cancel := context.WithCancel(t.Context())
	c := &elector{e, make(chan struct{}, 1), make(chan struct{}), make(chan struct{}), cancel, make(chan error, 1)}
	go func() {
		c.ended <- c.run(ctx, func(elected context.Context) {
			c.leading <- struct{}{}
			<-elected.Done()
			<-c.let
			close(c.left)
		})
	}()
	t.Cleanup(cancel)
	return c
}

// waits fails the test where nothing comes in time.
func waits[T any](t *testing.T, what string, from <-chan T) {
	t.Helper()
	select {
	case <-from:
	case <-time.After(time.Minute):
		t.Fatalf("not within a minute: %s", what)
	}
}

// TestElection holds that one replica leads, and another only when what the first
// did has come to its end.
func TestElection(t *testing.T) {
	namespace := "election"
	permit(t, "create", "namespace", namespace)
	first := stand(t, namespace)
	waits(t, "the first leads", first.leading)
	second := stand(t, namespace)
	holder := func() string {
		client, err := kubernetes.NewForConfig(shared.Cluster(t).Config())
		must(err)
		lease, err := client.CoordinationV1().Leases(namespace).Get(t.Context(), installation, metav1.GetOptions{})
		must(err)
		if lease.Spec.HolderIdentity == nil {
			return ""
		}
		return *lease.Spec.HolderIdentity
	}
	first.end()
	// What the first does takes longer than it takes others to try again.
	select {
	case <-second.leading:
		t.Fatal("the second leads while the first has not come to an end")
	case <-time.After(2 * retryPeriod):
	}
	if got, want := holder(), first.lock.Identity(); got != want {
		t.Errorf("the Lease is held by %q, want %q, who has not come to an end", got, want)
	}
	if !first.leads.Load() || second.leads.Load() {
		t.Errorf("leads: the first %t, the second %t, want only the first", first.leads.Load(), second.leads.Load())
	}
	close(first.let)
	waits(t, "the second leads", second.leading)
	select {
	case <-first.left:
	default:
		t.Error("the second leads before the first has returned")
	}
	if err := <-first.ended; err != nil || first.leads.Load() {
		t.Errorf("the first: %v, leads %t, want no error and no more leading", err, first.leads.Load())
	}
	close(second.let)
	second.end()
	if err := <-second.ended; err != nil {
		t.Errorf("the second: %v", err)
	}
	if got := holder(); got != "" {
		t.Errorf("after all have ended the Lease is held by %q", got)
	}
}

// TestElectionIsLost holds that who has lost the Lease stops leading, and knows it.
func TestElectionIsLost(t *testing.T) {
	t.Parallel()
	namespace := "lost"
	permit(t, "create", "namespace", namespace)
	c := stand(t, namespace)
	waits(t, "it leads", c.leading)
	close(c.let)
	if err := c.holds(); err != nil {
		t.Errorf("while it leads: %v", err)
	}
	permit(t, "patch", "lease", installation, "-n", namespace, "--type=merge", "-p", `{"spec":{"holderIdentity":"thief","leaseDurationSeconds":3600}}`)
	waits(t, "it has stopped leading", c.left)
	if err := c.holds(); !errors.Is(err, errNotLeading) {
		t.Errorf("when the Lease is stolen: %v, want %v", err, errNotLeading)
	}
	c.end()
	if err := <-c.ended; err != nil || c.leads.Load() {
		t.Errorf("run: %v, leads %t, want no error and no more leading", err, c.leads.Load())
	}
}
