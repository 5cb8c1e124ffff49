package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/lintel-policy/lintel/controller"
)

const (
	// lookPeriod is how often the leader looks at what other replicas serve.
	lookPeriod = time.Second
	// spreadPeriod is the same while they do not serve what the leader does.
	spreadPeriod = 200 * time.Millisecond
	// spreadTime is how long that may last before it is logged.
	spreadTime = 5 * time.Second
	// withdrawTime bounds the last that a replica says.
	withdrawTime = 2 * time.Second
)

// replicas says what this replica serves, and finds out about the others.
type replicas struct {
	gate    *gate
	known   *controller.Replicas
	swapped chan struct{} // sent to when this one serves others
	look    chan struct{} // the same, for the leader

	// What has been logged, so that it is said once.
	lagging []string
	since   time.Time
	logged  bool
}

// newReplicas returns the replicas of the installation in namespace.
func newReplicas(g *gate, namespace string) (*replicas, error) {
	r := &replicas{gate: g, swapped: make(chan struct{}, 1), look: make(chan struct{}, 1)}
	r.known = controller.NewReplicas(controller.ReplicasConfig{
		Client: g.client.CoreV1().ConfigMaps(namespace), Name: replicasName, Identity: g.election.lock.Identity(),
	})
	return r, g.metrics.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "lintel_replicas_behind", Help: "How many other replicas do not serve the revision of this one, if this one leads; else 0.",
	}, func() float64 {
		if !g.election.leads.Load() {
			return 0
		}
		return float64(len(r.known.Lagging(g.live.Revision())))
	}))
}

// wake has it known that others are in force. It does nothing where there is one replica.
func (r *replicas) wake() {
	if r != nil {
		wake(r.swapped)
		wake(r.look)
	}
}

// report says what is served, until ctx ends, and then that nothing is.
func (r *replicas) report(ctx context.Context) error {
	tick := time.NewTicker(controller.ReportEvery)
	defer tick.Stop()
	wrong := ""
	for ctx.Err() == nil {
		if revision := r.gate.live.Revision(); revision != "" {
			wrong = r.complain("saying what is served", wrong, r.known.Report(ctx, revision))
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-r.swapped:
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawTime)
	defer cancel()
	r.complain("saying that nothing is served", wrong, r.known.Withdraw(ctx))
	return nil
}

// complain logs an error unless it is the one before, and returns what it says.
func (r *replicas) complain(doing, before string, err error) string {
	if err == nil {
		return ""
	}
	if err.Error() != before {
		r.gate.log.Error(doing, zap.Error(err))
	}
	return err.Error()
}

// observe finds out what the others serve, before anything is done that they could
// mind. Where nobody has permitted that, this replica does as if it were alone.
func (r *replicas) observe(ctx context.Context) {
	tell := func(err error) { r.gate.log.Error("finding out what other replicas serve", zap.Error(err)) }
	insist(ctx, func() error {
		err := r.known.Observe(ctx)
		if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
			tell(err)
			return nil
		}
		return err
	}, tell)
}

// watch has the registration follow what the others serve, until ctx ends.
func (r *replicas) watch(ctx context.Context) {
	wrong := ""
	for ctx.Err() == nil {
		wrong = r.complain("finding out what other replicas serve", wrong, r.known.Observe(ctx))
		again := lookPeriod
		if r.note() {
			again = spreadPeriod
		}
		select {
		case <-ctx.Done():
		case <-time.After(again):
		case <-r.look:
		}
	}
}

// note reports whether some replicas lag behind, has the registrar know where they
// are others than before, and logs it where that lasts.
func (r *replicas) note() bool {
	revision := r.gate.live.Revision()
	lagging := r.known.Lagging(revision)
	if !slices.Equal(lagging, r.lagging) {
		wake(r.gate.changed)
		if r.gate.kept != nil {
			wake(r.gate.kept.told)
		}
	}
	switch {
	case len(lagging) == 0 && r.logged:
		r.gate.log.Info("all replicas serve the same policies again", zap.String("revision", revision))
		r.logged = false
	case len(lagging) > 0 && len(r.lagging) == 0:
		r.since = time.Now()
	case len(lagging) > 0 && !r.logged && time.Since(r.since) > spreadTime:
		r.gate.log.Error("replicas serve other policies: what these ask for stays registered", zap.String("revision", revision), zap.Strings("replicas", shownReplicas(lagging)))
		r.logged = true
	}
	r.lagging = lagging
	return len(lagging) > 0
}

// maxShown is how many replicas are named, in the log and in each status: whoever may
// write their ConfigMap can have there be thousands.
const maxShown = 10

// shownReplicas returns the first of the names, and how many more there are.
func shownReplicas(names []string) []string {
	if more := len(names) - maxShown; more > 0 {
		return append(slices.Clone(names[:maxShown]), fmt.Sprintf("%d more", more))
	}
	return names
}
