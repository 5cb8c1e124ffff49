package main

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/api/resource"
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

// minAuditMemory is enough for small clusters, and for objects of some size.
const minAuditMemory = 16 << 20

// auditLimit is how many bytes an audit may take.
func (c *serveCommand) auditLimit() (int64, error) {
	limit, err := resource.ParseQuantity(c.auditMemory)
	switch {
	case err != nil:
		return 0, fmt.Errorf("--audit-memory %q: no quantity such as 256Mi", c.auditMemory)
	case limit.Value() < minAuditMemory:
		return 0, fmt.Errorf("--audit-memory %s: less than 16Mi is too little for an audit", c.auditMemory)
	}
	return limit.Value(), nil
}

// newBackground makes what reviews all that is in the cluster, for whoever leads, in so
// many bytes. Its requests go by a client of their own, so that nothing waits for them.
func (g *gate) newBackground(handler *webhook.Handler, limit int64) error {
	config := rest.CopyConfig(g.config)
	config.QPS, config.Burst = auditQPS, 2*auditQPS
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	mended := prometheus.NewCounter(prometheus.CounterOpts{
		Namespace: "lintel", Subsystem: "audit", Name: "mended_reports_total", Help: "Reports that somebody else had changed or deleted, and that were put right.",
	})
	g.reports = &audit.Reports{
		Client: client.CoreV1().RESTClient(), Policies: func() []engine.Info { return g.live.Set().Policies() },
		Owner: controller.ClusterRoleOwner(client.RbacV1().ClusterRoles(), installation), LastDays: g.admissions.Days, Leads: g.election.holds, Tell: g.tellNews(),
		Mended: func(namespace string) {
			mended.Inc()
			g.log.Info("put right a report that somebody else had changed or deleted", zap.String("namespace", namespace))
		},
	}
	g.audited = make(chan struct{}, 1)
	g.background, err = audit.NewBackground(audit.BackgroundConfig{
		Client: client.CoreV1().RESTClient(), Set: g.live.Set, Kinds: g.auditKinds, Inventory: g.inventory.Current, Changed: g.audited, Log: g.log,
		Namespace: func(ctx context.Context, name string) *engine.Object {
			ns, _ := g.namespaces.Get(ctx, name) // without it, policies that go by it could not decide, and say so
			return ns
		},
		Memory: limit, Busy: func() bool { return handler.Running() > 0 },
		Publisher: g.reports, Gate: openGate{g},
	})
	if err != nil {
		return err
	}
	return g.registerAudit(mended)
}

// keepAudited audits, and keeps the reports, until ctx ends.
func (g *gate) keepAudited(ctx context.Context) {
	g.reports.Begin()
	g.background.Run(ctx)
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
