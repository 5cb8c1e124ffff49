package main

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/lintel-policy/lintel/audit"
	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/webhook"
)

// auditQPS is how many requests a second an audit may make of the API server: a page of
// objects each, and a report each.
const auditQPS = 20

// newBackground makes what reviews all that is in the cluster, for whoever leads. Its
// requests go by a client of their own, so that nothing waits for them.
func (g *gate) newBackground(handler *webhook.Handler) error {
	config := rest.CopyConfig(g.config)
	config.QPS, config.Burst = auditQPS, 2*auditQPS
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	mended := prometheus.NewCounter(prometheus.CounterOpts{
		Namespace: "lintel", Subsystem: "audit", Name: "mended_reports_total", Help: "Reports that somebody else had changed or deleted, and that were put right.",
	})
	g.audited = make(chan struct{}, 1)
	g.background, err = audit.NewBackground(audit.BackgroundConfig{
		Client: client.CoreV1().RESTClient(), Set: g.live.Set, Kinds: g.auditKinds, Inventory: g.inventory.Current, Changed: g.audited, Log: g.log,
		Namespace: func(ctx context.Context, name string) *engine.Object {
			ns, _ := g.namespaces.Get(ctx, name) // without it, policies that go by it could not decide, and say so
			return ns
		},
		Idle: func(ctx context.Context) { letDecide(ctx, handler) },
		Publisher: &audit.Reports{
			Client: client.CoreV1().RESTClient(), Policies: func() []engine.Info { return g.live.Set().Policies() },
			Owner: controller.ClusterRoleOwner(client.RbacV1().ClusterRoles(), installation), Leads: g.election.holds,
			Mended: func(namespace string) {
				mended.Inc()
				g.log.Info("put right a report that somebody else had changed or deleted", zap.String("namespace", namespace))
			},
		},
	})
	if err != nil {
		return err
	}
	return g.registerAudit(mended)
}

// auditKinds returns what policies match of the kinds that there are, each with the
// revision of those that match it, which is another one when a stage begins or an
// exception ends. A policy that asks for what cannot be is told of where it is registered.
func (g *gate) auditKinds(set *engine.Set) []audit.Watched {
	catalog := g.kept.catalog.Load()
	var watched []audit.Watched
	at := map[audit.Kind]int{}
	for _, p := range set.Policies() {
		stored, _ := catalog.Stored([]engine.Info{p})
		for _, r := range stored {
			kind := auditKind(r)
			i, known := at[kind]
			if !known {
				i = len(watched)
				at[kind] = i
				watched = append(watched, audit.Watched{Kind: kind})
			}
			watched[i].Revision += fmt.Sprintf("%s %d\n", p.Revision, set.Phase(p.Name, time.Now()))
			watched[i].Reads = watched[i].Reads || len(p.Inventory) > 0
		}
	}
	return watched
}

// How an audit makes way: between two objects it waits until no request is being
// decided, but not for ever, since on a busy cluster one always is.
const (
	makeWayFor  = 100 * time.Millisecond
	makeWayStep = time.Millisecond
)

func letDecide(ctx context.Context, handler *webhook.Handler) {
	for end := time.Now().Add(makeWayFor); handler.Running() > 0 && ctx.Err() == nil && time.Now().Before(end); {
		time.Sleep(makeWayStep)
	}
}

// registerAudit registers the metrics of an audit, with others of its own.
func (g *gate) registerAudit(more ...prometheus.Collector) error {
	gauge := func(name, help string, of func(audit.Progress) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "lintel", Subsystem: "audit", Name: name, Help: help}, func() float64 { return of(g.background.Progress()) })
	}
	for _, c := range append(more,
		gauge("objects", "Objects that the audit of this replica knows; 0 where another leads.", func(p audit.Progress) float64 { return float64(p.Objects) }),
		gauge("reviews", "How many objects it has reviewed since it leads.", func(p audit.Progress) float64 { return float64(p.Reviews) }),
		gauge("unlisted_kinds", "Kinds that policies match and that it may not list or watch.", func(p audit.Progress) float64 { return float64(p.Unlisted) }),
		gauge("finished_seconds", "When all had been reviewed last, in seconds since 1970; 0 before.", func(p audit.Progress) float64 {
			if p.Finished.IsZero() {
				return 0
			}
			return float64(p.Finished.Unix())
		}),
		gauge("duration_seconds", "How long that took.", func(p audit.Progress) float64 { return p.Took.Seconds() }),
	) {
		if err := g.metrics.Register(c); err != nil {
			return fmt.Errorf("register metrics of the audit: %w", err)
		}
	}
	return nil
}
