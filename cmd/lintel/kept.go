package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"k8s.io/client-go/dynamic"

	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
)

// kept is what keeps up with the policies of a cluster.
type kept struct {
	policies *controller.Policies
	keeper   *controller.Keeper
	catalog  atomic.Pointer[controller.Catalog]
	outcome  atomic.Pointer[controller.Outcome]
	next     atomic.Pointer[engine.Set] // what is about to be in force; nil if nothing ever was
	changed  chan struct{}              // sent to when others are in force, for the registrar
	told     chan struct{}              // the same, for who writes the status
}

// keepCluster makes live what the policies of the cluster decide, beside those of
// other sources, which are read once.
func (g *gate) keepCluster(ctx context.Context, from []string, own string) error {
	others := slices.DeleteFunc(slices.Clone(from), func(name string) bool { return name == fromCluster })
	sources, broken, err := readSources(others, noCluster)
	if err != nil {
		return err
	}
	for _, err := range broken {
		g.log.Error("policy is broken and left out", zap.Error(err))
	}
	catalog, err := controller.ReadCatalog(ctx, g.client.DiscoveryClient, nil)
	if err != nil {
		return fmt.Errorf("reach the cluster: %w", err)
	}
	client, err := dynamic.NewForConfig(g.config)
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	g.kept = &kept{policies: controller.NewPolicies(controller.CacheConfig{Client: client}), changed: make(chan struct{}, 1), told: make(chan struct{}, 1)}
	if g.exceptions, err = g.newExceptions(); err != nil {
		return err
	}
	g.kept.catalog.Store(catalog)
	g.kept.keeper = &controller.Keeper{Compose: func(source policies.Source) (engine.Config, error) {
		all, err := policies.Combine(append([]policies.Source{source}, sources...)...)
		cfg := engine.Config{Policies: all.Policies, Exceptions: all.Exceptions, Plurals: g.kept.catalog.Load().Plurals()}
		if own != "" {
			cfg.ExcludedNamespaces = append(engine.DefaultExcludedNamespaces(), own)
		}
		return cfg, err
	}}
	if err := g.kept.policies.Start(ctx); err != nil {
		return err
	}
	if err := until(ctx, readyTimeout, unless(g.kept.policies.Synced)); err != nil {
		return fmt.Errorf("read policies of the cluster: %w", err)
	}
	out := g.kept.keeper.Compile(g.kept.policies.Objects())
	g.tellOutcome(out)
	return g.watch(ctx, client, out.Set, catalog)
}

// keepUp puts other policies in force whenever the objects of the cluster change.
func (g *gate) keepUp(ctx context.Context) error {
	for g.kept.policies.Settled(ctx) {
		out := g.kept.keeper.Compile(g.kept.policies.Objects())
		if out.Set.Revision() != g.live.Revision() {
			g.swap(ctx, out.Set)
		}
		g.tellOutcome(out)
	}
	return nil
}

// inventoryTime is how long what new policies read is waited for before they are in
// force without it: then they could not decide, as their onError has it.
const inventoryTime = 2 * time.Second

// swap puts a set in force. What it reads is watched before, and what the set before
// reads no less than before: narrowed too early, that one would judge by nothing.
func (g *gate) swap(ctx context.Context, set *engine.Set) {
	g.kept.next.Store(set)
	g.watchBoth(ctx)
	if err := until(ctx, inventoryTime, unless(g.inventory.Synced)); err != nil {
		g.log.Error("inventory is not complete", zap.Error(err))
	}
	g.live.Swap(set)
	g.watchBoth(ctx)
	g.log.Info("policies in force", zap.String("revision", set.Revision()), zap.Int("policies", len(set.Policies())))
	wake(g.kept.changed)
}

// watchBoth watches what is read by the policies in force, and by those that are about
// to be.
func (g *gate) watchBoth(ctx context.Context) {
	sets := []*engine.Set{g.live.Set()}
	if next := g.kept.next.Load(); next != nil && next != sets[0] {
		sets = append(sets, next)
	}
	g.watchInventory(ctx, g.kept.catalog.Load(), sets...)
}

// tellOutcome logs what is broken, and has it written into the objects.
func (g *gate) tellOutcome(out controller.Outcome) {
	for name, err := range out.Broken {
		g.log.Error("policy is broken", zap.String("policy", engine.Printable(name)), zap.Bool("kept", out.Kept[name]), zap.Error(err))
	}
	for _, err := range out.Errors {
		g.log.Error("policies are broken", zap.Error(err))
	}
	g.kept.outcome.Store(&out)
	wake(g.kept.told)
}

// errNotSynced reports that it is not known yet what the cluster holds.
var errNotSynced = errors.New("not all has been read yet")

// unless returns a check that finds it wrong as long as something is not synced.
func unless(synced func() bool) func() error {
	return func() error {
		if !synced() {
			return errNotSynced
		}
		return nil
	}
}

// wake has whoever receives from c go on, now or when it comes to that.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// tellStatus writes into the objects what became of them, until ctx ends. One replica
// does it for all. What time alone changes, such as a stage that begins, is told by
// the next tick.
func (g *gate) tellStatus(ctx context.Context) {
	go g.tellExceptions(ctx)
	tick := time.NewTicker(retryPeriod)
	defer tick.Stop()
	for {
		if out := g.kept.outcome.Load(); out != nil {
			if err := g.kept.policies.WriteStatus(ctx, *out, time.Now(), g.inventory); err != nil && ctx.Err() == nil {
				g.log.Error("writing status", zap.Error(err))
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-g.kept.told:
		case <-tick.C:
		}
	}
}

// discovered has what the policies read watched as kinds come and go.
func (g *gate) discovered(ctx context.Context) func(*controller.Catalog) {
	return func(catalog *controller.Catalog) {
		g.kept.catalog.Store(catalog)
		g.watchBoth(ctx)
	}
}
