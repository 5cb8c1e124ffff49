package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// How an election goes, as the controllers of Kubernetes have it: who leads says
// so every two seconds, gives up after ten of not being able to, and is replaced
// after fifteen, so that never two lead.
const (
	leaseDuration = 15 * time.Second
	renewDeadline = 10 * time.Second
	retryPeriod   = 2 * time.Second
)

// An election finds one leader among replicas.
type election struct {
	namespace string // of the replicas, and of their Lease
	lock      resourcelock.Interface
	log       *zap.Logger
	leads     atomic.Bool
	elector   atomic.Pointer[leaderelection.LeaderElector]
}

// errNotLeading says that another replica may lead by now.
var errNotLeading = errors.New("this replica does not lead any more")

// holds returns an error unless this replica leads at this moment: one that has slept
// may go on with what it was at long after another has taken over.
func (e *election) holds() error {
	elector := e.elector.Load()
	if elector == nil || !elector.IsLeader() || elector.Check(0) != nil {
		return errNotLeading
	}
	return nil
}

// newElection returns an election by a Lease in namespace.
func newElection(g *gate, namespace string) (*election, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("name this replica: %w", err)
	}
	e := &election{namespace: namespace, log: g.log, lock: &resourcelock.LeaseLock{
		LeaseMeta: metav1.ObjectMeta{Namespace: namespace, Name: installation},
		Client:    g.client.CoordinationV1(),
		// The host's name alone is shared by replicas on one machine.
		LockConfig: resourcelock.ResourceLockConfig{Identity: host + "_" + uuid.NewString()},
	}}
	return e, g.metrics.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "lintel_leader", Help: "Whether this replica registers the webhook and rotates certificates.",
	}, func() float64 {
		if e.leads.Load() {
			return 1
		}
		return 0
	}))
}

// run calls lead whenever this replica has been elected, with a context that ends
// when it no longer is. When ctx ends, it gives the lead away once lead has returned.
func (e *election) run(ctx context.Context, lead func(context.Context)) error {
	electing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var leading sync.Mutex // held while lead runs: the elector does not wait for it
	started := func(elected context.Context) {
		leading.Lock()
		defer leading.Unlock()
		elected, cancel := context.WithCancel(elected)
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		if elected.Err() == nil {
			e.leads.Store(true)
			e.log.Info("leading", zap.String("identity", e.lock.Identity()))
			lead(elected)
			e.leads.Store(false)
		}
	}
	defer context.AfterFunc(ctx, func() {
		leading.Lock()
		defer leading.Unlock()
		stop()
	})()
	for ctx.Err() == nil {
		elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Lock: e.lock, LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod, ReleaseOnCancel: true,
			Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: started, OnStoppedLeading: func() {}},
		})
		if err != nil {
			return fmt.Errorf("take part in the election of a leader: %w", err)
		}
		e.elector.Store(elector)
		elector.Run(electing)
	}
	return nil
}
