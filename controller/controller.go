// Package controller connects policies with a cluster: it makes a set of the objects
// that say what is in force and tells them what became of it, gives the engine what it
// may know of the cluster while it reviews, and tells the API server which requests to
// ask about.
//
// [Policies] watches those objects and a [Keeper] compiles them: one that is broken
// goes on as it was and never stops the others. [Live] decides by the set that is in
// force, which is swapped whole. It adds to each request its Namespace, the time and
// the inventory, all from memory; the one thing that is read while a request is judged
// is a Namespace that is too new to be known, or not heard of for too long. A
// [Registrar] resolves what the policies match against discovery and registers for
// just that; whatever a policy says, it never asks for what a cluster cannot do without.
package controller

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/webhook"
)

// LiveConfig configures a [Live].
type LiveConfig struct {
	Namespaces *Namespaces      // knows the Namespace objects; if nil, there is no cluster and none is known
	Inventory  *Inventory       // holds what policies read beside the request; if nil, nothing can be read
	Now        func() time.Time // if nil, time.Now
	Log        *zap.Logger      // if nil, nothing is logged
	// Excused is told what exceptions kept policies from being asked about, save in dry
	// runs. A request waits for it. If nil, nobody is told.
	Excused func(object engine.ObjectRef, at time.Time, excused []engine.Excuse)
}

// Live decides by the set of policies that is in force.
type Live struct {
	cfg     LiveConfig
	current atomic.Pointer[loaded]
	ready   atomic.Bool
	asked   chan struct{} // closed at the first review
	ask     sync.Once
}

var _ webhook.Decider = (*Live)(nil)

// loaded is a Set with what is looked up in it for each request.
type loaded struct {
	set      *engine.Set
	parts    map[engine.Part]*engine.Set
	excluded map[string]bool
	nothing  *engine.Inventory // what policies read where there is no cluster
}

// NewLive returns a Live with no policies in force yet.
func NewLive(cfg LiveConfig) *Live {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	return &Live{cfg: cfg, asked: make(chan struct{})}
}

// Swap puts set in force. A request that is being decided goes on with the one
// before. Where set reads kinds that were not read before, [Inventory.Synced] is
// to be waited for first.
func (l *Live) Swap(set *engine.Set) {
	excluded := map[string]bool{}
	for _, name := range set.ExcludedNamespaces() {
		excluded[name] = true
	}
	parts := map[engine.Part]*engine.Set{}
	for _, part := range []engine.Part{engine.Whole, engine.Enforcing, engine.Recording} {
		parts[part] = set.Part(part)
	}
	lacking := map[schema.GroupVersionKind]error{}
	for _, kind := range set.Inventory() {
		lacking[schema.FromAPIVersionAndKind(kind.APIVersion, kind.Kind)] = errNoCluster
	}
	var nothing *engine.Inventory
	l.current.Store(&loaded{set, parts, excluded, nothing.Lacking(lacking)})
}

// Set returns the policies in force, nil before there are any.
func (l *Live) Set() *engine.Set {
	if now := l.current.Load(); now != nil {
		return now.set
	}
	return nil
}

// Revision is that of the policies in force, "" before there are any.
func (l *Live) Revision() string {
	if now := l.current.Load(); now != nil {
		return now.set.Revision()
	}
	return ""
}

// Ready returns [webhook.ErrNotReady] as long as requests cannot be decided:
// there are no policies, or it is not known yet what the cluster holds. Once
// they can be, they always can: a kind that comes later was empty before.
func (l *Live) Ready() error {
	switch {
	case l.ready.Load():
		return nil
	case l.current.Load() == nil:
		return webhook.ErrNotReady
	case !l.cfg.Namespaces.Synced():
		return fmt.Errorf("%w: namespaces are being read", webhook.ErrNotReady)
	case !l.cfg.Inventory.Synced(): // which it is at the latest when that takes too long
		return fmt.Errorf("%w: the inventory is being read", webhook.ErrNotReady)
	}
	l.ready.Store(true)
	return nil
}

// Review judges the object of the request by the policies of one part.
func (l *Live) Review(ctx context.Context, part engine.Part, req *engine.Request) (*engine.Decision, error) {
	if err := l.Ready(); err != nil {
		return nil, err
	}
	l.ask.Do(func() { close(l.asked) })
	now, inventory := l.inForce()
	d, err := now.parts[part].Review(ctx, l.complete(ctx, now, req), inventory)
	if err == nil {
		l.tellExcused(req, d.Time, d.Excused)
	}
	return d, err
}

// tellExcused tells of exceptions. A dry run has no effects, and uses none up.
func (l *Live) tellExcused(req *engine.Request, at time.Time, excused []engine.Excuse) {
	if l.cfg.Excused != nil && len(excused) > 0 && !req.DryRun() {
		l.cfg.Excused(req.Ref(), at, excused)
	}
}

// Undecided says what becomes of a request that Review did not decide. It reads
// nothing: a Namespace that is not known, or not as it is now, stays unknown.
func (l *Live) Undecided(part engine.Part, req *engine.Request, err error) *engine.Decision {
	now := l.current.Load()
	if now == nil {
		return nil
	}
	req = req.At(l.cfg.Now())
	if ns := l.cfg.Namespaces.known(req.Namespace()); ns != nil && !l.cfg.Namespaces.contact.isStale() {
		req = req.In(ns)
	}
	return now.parts[part].Undecided(req, err)
}

// Asked is closed when the first review has come in.
func (l *Live) Asked() <-chan struct{} { return l.asked }

// Patch asks what to change in the object of the request.
func (l *Live) Patch(ctx context.Context, req *engine.Request) (*engine.Mutation, error) {
	if err := l.Ready(); err != nil {
		return nil, err
	}
	now, inventory := l.inForce()
	req = l.complete(ctx, now, req)
	m, err := now.set.Patch(ctx, req, inventory)
	if err == nil {
		l.tellExcused(req, req.Time(), m.Excused)
	}
	return m, err
}

// inForce returns the policies in force with an inventory that has what they read: of one
// that was taken later, when others are in force, that may have been given up.
func (l *Live) inForce() (*loaded, *engine.Inventory) {
	for {
		now := l.current.Load()
		if l.cfg.Inventory == nil {
			return now, now.nothing
		}
		if inventory := l.cfg.Inventory.Current(); l.current.Load() == now {
			return now, inventory
		}
	}
}

// complete adds the time and the Namespace. Where that cannot be found out, it
// is left out: then a policy that goes by it could not decide, and what becomes
// of the request is that policy's onError; the others decide.
func (l *Live) complete(ctx context.Context, now *loaded, req *engine.Request) *engine.Request {
	req = req.At(l.cfg.Now())
	name := req.Namespace()
	if name == "" || now.excluded[name] {
		return req
	}
	if ns := l.cfg.Namespaces.known(name); ns != nil && !now.set.GoesByNamespace(req) {
		return req.In(ns) // it makes no difference how old that is
	}
	ns, err := l.cfg.Namespaces.Get(ctx, name)
	if err != nil {
		l.cfg.Log.Info("namespace is unknown", zap.String("uid", engine.Printable(req.UID())), zap.String("namespace", engine.Printable(name)), zap.Error(err))
		return req
	}
	return req.In(ns)
}
