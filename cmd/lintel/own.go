package main

import (
	"context"

	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
	"github.com/lintel-policy/lintel/webhook"
)

// newChecker returns what checks Policies and PolicyExceptions before they are
// stored, nil where policies do not come from those.
func (g *gate) newChecker() webhook.Checker {
	if g.kept == nil {
		return nil
	}
	compose := func(s policies.Source) (engine.Config, error) { return g.kept.keeper.Compose(s) } // which comes later
	return begunChecker{g.kept.begun, controller.NewChecker(controller.CheckerConfig{
		Client: g.dynamic, Compose: compose, Policies: g.kept.policies.Objects, Set: g.live.Set,
		Catalog: g.kept.catalog.Load, Namespace: g.namespaces.Get,
	})}
}

// A begunChecker finds nothing out before policies have been read.
type begunChecker struct {
	begun   <-chan struct{}
	checker *controller.Checker
}

// Check implements [webhook.Checker].
func (c begunChecker) Check(ctx context.Context, req *engine.Request) (webhook.Finding, error) {
	select {
	case <-c.begun:
		return c.checker.Check(ctx, req)
	default:
		return webhook.Finding{}, webhook.ErrNotReady
	}
}
