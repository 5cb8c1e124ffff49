package main

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lintel-policy/lintel/controller"
)

// lookAfter watches over what is kept of the cluster: how old it is, and whether kinds
// have come that policies read.
func (g *gate) lookAfter(ctx context.Context) error {
	caches := controller.Caches{Namespaces: g.namespaces, Inventory: g.inventory}
	if g.kept != nil {
		caches.Policies = g.kept.policies
	}
	if err := g.metrics.Register(caches); err != nil {
		return fmt.Errorf("register metrics of caches: %w", err)
	}
	go caches.Watch(ctx, g.log)
	go g.lookForKinds(ctx)
	return nil
}

// kindsPeriod is how often is asked for a kind that policies read and that is not there.
const kindsPeriod = 10 * time.Second

// lookForKinds has kinds watched that have come. The registrar does so too, but only
// one replica registers, and each has to know what its policies read.
func (g *gate) lookForKinds(ctx context.Context) {
	tick := time.NewTicker(kindsPeriod)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !g.haveCome(ctx, g.inventory.Absent()) {
			continue
		}
		var before *controller.Catalog
		if g.kept != nil {
			before = g.kept.catalog.Load()
		}
		catalog, err := controller.ReadCatalog(ctx, g.client.DiscoveryClient, before)
		if err != nil {
			g.log.Error("looking for kinds", zap.Error(err))
			continue
		}
		g.found(ctx, catalog)
	}
}

// haveCome reports whether the cluster has one of the kinds. It asks for just their
// groups: all that there is can be megabytes.
func (g *gate) haveCome(ctx context.Context, kinds []schema.GroupVersionKind) bool {
	for _, gvk := range kinds {
		list, err := g.client.ServerResourcesForGroupVersionWithContext(ctx, gvk.GroupVersion().String())
		if err != nil {
			continue // it has not come, or will be looked for again
		}
		for _, r := range list.APIResources {
			if r.Kind == gvk.Kind {
				return true
			}
		}
	}
	return false
}

// found has what the policies read watched of the kinds that there are now.
func (g *gate) found(ctx context.Context, catalog *controller.Catalog) {
	if g.kept == nil {
		g.watchInventory(ctx, catalog, g.live.Set())
		return
	}
	g.kept.catalog.Store(catalog)
	g.watchBoth(ctx)
}
