package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

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
	told     chan struct{}              // sent to when others are in force, for who writes the status
	begun    chan struct{}              // closed when policies are in force for the first time
	lastGood *lastGood                  // what is kept over restarts; nil if nothing is
}

func newKept(cache controller.CacheConfig) *kept {
	return &kept{policies: controller.NewPolicies(cache), told: make(chan struct{}, 1), begun: make(chan struct{})}
}

// collectors are the metrics of it.
func (k *kept) collectors() []prometheus.Collector {
	count := func() (isBroken, isPending int) {
		if out := k.outcome.Load(); out != nil {
			return out.Count()
		}
		return 0, 0
	}
	return []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "lintel_policies_broken", Help: "How many Policy objects are broken: in force as they last were, or not at all.",
		}, func() float64 { n, _ := count(); return float64(n) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "lintel_policies_pending", Help: "How many Policy objects wait for what they are made of.",
		}, func() float64 { _, n := count(); return float64(n) }),
	}
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
	catalog, err := g.readCatalog(ctx)
	if err != nil {
		return err
	}
	g.kept.catalog.Store(catalog)
	g.kept.keeper = &controller.Keeper{Again: g.kept.policies.Again, Compose: func(source policies.Source) (engine.Config, error) {
		all, err := policies.Combine(append([]policies.Source{source}, sources...)...)
		cfg := engine.Config{Policies: all.Policies, Exceptions: all.Exceptions, Plurals: g.kept.catalog.Load().Plurals()}
		if own != "" {
			cfg.ExcludedNamespaces = append(engine.DefaultExcludedNamespaces(), own)
		}
		return cfg, err
	}}
	if err := g.readKept(ctx); err != nil {
		return err
	}
	out := g.kept.keeper.Compile(g.kept.policies.Objects())
	g.tellOutcome(out)
	if err := g.watch(ctx, out.Set, catalog); err != nil {
		return err
	}
	close(g.kept.begun)
	return nil
}

// readKept reads the policies of the cluster as they are, and then as they last
// compiled: what has come later than that is known by then.
func (g *gate) readKept(ctx context.Context) error {
	if err := g.attempt(ctx, func() error { return g.kept.policies.Start(ctx) }); err != nil {
		return err
	}
	err := g.attempt(ctx, func() error {
		if err := until(ctx, readyTimeout, unless(g.kept.policies.Synced)); err != nil {
			return fmt.Errorf("read policies of the cluster: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return g.attempt(ctx, func() error { return g.kept.lastGood.recall(ctx, g.kept.keeper) })
}

// keepUp puts other policies in force whenever the objects of the cluster change.
func (g *gate) keepUp(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-g.kept.begun:
	}
	for g.kept.policies.Settled(ctx) {
		g.kept.keeper.Recall(g.kept.lastGood.takeOver())
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

// widenTime is how long a registration for new policies is waited for before they are
// in force without it: then what only they match passes for a little longer.
const widenTime = 2 * time.Second

// swap puts a set in force. What it reads is watched before, and what the set before
// reads no less than before: narrowed too early, that one would judge by nothing. The
// same goes for what the API server asks about, where that is this replica's to say.
func (g *gate) swap(ctx context.Context, set *engine.Set) {
	g.kept.next.Store(set)
	g.watchBoth(ctx)
	wake(g.changed)
	if err := until(ctx, inventoryTime, unless(g.inventory.Synced)); err != nil {
		g.log.Error("inventory is not complete", zap.Error(err))
	}
	isRegistered := func() bool { return !g.leads() || g.registrar.IsOpen() || g.registrar.Covers(set.Revision()) }
	if err := until(ctx, widenTime, unless(isRegistered)); err != nil {
		g.log.Error("policies come into force before they are registered", zap.String("revision", set.Revision()))
	}
	g.live.Swap(set)
	g.watchBoth(ctx)
	g.tellInForce(set)
}

// leads reports whether this replica registers for all.
func (g *gate) leads() bool {
	return g.registrar != nil && (g.election == nil || g.election.leads.Load())
}

// tellInForce logs which policies are in force, and has it known to the others.
func (g *gate) tellInForce(set *engine.Set) {
	g.log.Info("policies in force", zap.String("revision", set.Revision()), zap.Int("policies", len(set.Policies())))
	if len(set.Policies()) == 0 {
		g.log.Error("there are no policies: whatever is asked about is admitted")
	}
	for _, p := range set.Policies() {
		if p.Unplanned != nil {
			g.log.Info("a policy takes longer than others: it has no plan", zap.String("policy", p.Name), zap.Error(p.Unplanned))
		}
	}
	wake(g.changed)
	if g.audited != nil {
		wake(g.audited)
	}
	g.replicas.wake()
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
	g.kept.lastGood.wake()
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

// tellStatus writes into Policies what became of them, until ctx ends. One replica
// does it for all. What time alone changes, such as a stage that begins, is told by
// the next tick.
func (g *gate) tellStatus(ctx context.Context) {
	for ctx.Err() == nil {
		again := retryPeriod
		if out := g.kept.outcome.Load(); out != nil {
			reach := controller.Reach{
				Awaits: g.awaits(out.Set.Revision()), TooLarge: g.kept.lastGood.tooLarge(), Inventory: g.inventory, Catalog: g.kept.catalog.Load(),
				LastDay: g.admissions.Of,
			}
			if reach.Awaits != "" {
				again = spreadPeriod
			}
			if err := g.kept.policies.WriteStatus(ctx, *out, reach, time.Now()); err != nil && ctx.Err() == nil {
				g.log.Error("writing status", zap.Error(err))
			}
		}
		select {
		case <-ctx.Done():
		case <-g.kept.told:
		case <-time.After(again):
		}
	}
}

// awaits says what is missing until policies are in force everywhere, "" if nothing is.
func (g *gate) awaits(revision string) string {
	switch {
	case g.live.Revision() != revision:
		return "they come into force in a moment"
	case g.registrar.IsOpen():
		return "somebody has opened the gate, and nothing is registered until it closes"
	case !g.registrar.Covers(revision):
		return "the API server is to be told"
	case g.replicas == nil:
		return ""
	}
	if lagging := g.replicas.known.Lagging(revision); len(lagging) > 0 {
		return "other policies are served by " + strings.Join(shownReplicas(lagging), ", ")
	}
	return ""
}
