package main

import (
	"fmt"

	"k8s.io/client-go/dynamic"

	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/webhook"
)

// newChecker returns what checks Policies and PolicyExceptions before they are
// stored, nil where policies do not come from those.
func (g *gate) newChecker() (webhook.Checker, error) {
	if g.kept == nil {
		return nil, nil
	}
	client, err := dynamic.NewForConfig(g.config)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	return controller.NewChecker(controller.CheckerConfig{
		Client: client, Compose: g.kept.keeper.Compose, Policies: g.kept.policies.Objects, Set: g.live.Set,
		Catalog: g.kept.catalog.Load, Namespace: g.namespaces.Get,
	}), nil
}
