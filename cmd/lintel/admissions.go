package main

import (
	"context"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"

	"github.com/lintel-policy/lintel/audit"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/webhook"
)

const (
	// countPeriod is how often it is looked whether numbers are to be written.
	countPeriod = 2 * time.Second
	// lastCountTime bounds writing what is left of them at the end.
	lastCountTime = 3 * time.Second
	// teamLabel tells whose an object is, as required-labels asks for it.
	teamLabel = "team"
)

// newAdmissions makes what counts what policies of the cluster would have denied.
func (c *serveCommand) newAdmissions(g *gate) (err error) {
	if g.kept == nil {
		return nil
	}
	cfg := audit.AdmissionsConfig{Metrics: g.metrics, Policies: func() []engine.Info {
		if set := g.live.Set(); set != nil {
			return set.Policies()
		}
		return nil
	}}
	if g.mode == byService {
		own, _, _ := strings.Cut(c.service, "/")
		cfg.Client, cfg.Name = g.client.CoreV1().ConfigMaps(own), lastDayName
	}
	g.admissions, err = audit.NewAdmissions(cfg)
	return err
}

// count counts a request that policies let by and would have denied. A dry run has no
// effects, and tools make one before each request that counts.
func (g *gate) count(r webhook.Reviewed) {
	if r.Decision == nil || len(r.Decision.WouldDeny) == 0 || r.Request.DryRun() {
		return
	}
	by := r.Decision.WouldDeny
	team := strings.Clone(engine.Printable(r.Request.In(r.Decision.Namespace).Label(teamLabel)))
	g.owners.Tell(r.Request, func(o corev1.ObjectReference) {
		owner := audit.Owner{Kind: engine.Printable(o.Kind), Namespace: engine.Printable(o.Namespace), Name: engine.Printable(o.Name), Team: team}
		if o.Kind == "" {
			owner = audit.Owner{} // of a team alone nobody can find anything
		}
		g.admissions.Add(by, owner)
	})
}

// keepCounts writes what is counted, and has it told by who leads, until ctx ends, and
// then what is not written yet.
func (g *gate) keepCounts(ctx context.Context) error {
	var naming sync.WaitGroup
	naming.Go(func() { g.owners.Run(ctx) })
	said := ""
	write := func(ctx context.Context, last bool) {
		if g.live.Set() == nil {
			return // who does not know which policies are in force would drop those of others
		}
		err := g.admissions.Sync(ctx, g.leads(), last)
		if err == nil {
			said = ""
		} else if ctx.Err() == nil && err.Error() != said {
			said = err.Error() // once
			g.log.Error("counting what would be denied", zap.Error(err))
		}
	}
	tick := time.NewTicker(countPeriod)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
			write(ctx, false)
		}
	}
	naming.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastCountTime)
	defer cancel()
	write(ctx, true)
	return nil
}
