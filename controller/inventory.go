package controller

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/lintel-policy/lintel/engine"
)

// An Inventory holds the objects of a cluster that policies read beside those of
// requests. Each change makes another [engine.Inventory], which shares with the one before
// all that has not changed. A kind that cannot be read is a matter of the policies that
// read it, and of nobody else. The nil Inventory is empty.
type Inventory struct {
	client  dynamic.Interface
	maxAge  time.Duration
	log     *zap.Logger
	current atomic.Pointer[engine.Inventory]

	mu      sync.Mutex
	looking bool // at what has grown old
	dropped bool // there is still shown what is watched no more
	kinds   map[schema.GroupVersionKind]*reading
}

// A reading is one kind that policies read. It is watched as long as there is one.
type reading struct {
	inventory *Inventory
	gvk       schema.GroupVersionKind
	optional  bool
	gvr       schema.GroupVersionResource // empty while discovery does not have the kind
	begin     func() error                // watches it anew
	stop      context.CancelFunc          // nil while it is not watched
	contact   *contact                    // of the watch that goes on, or was the last
	synced    bool
	lost      time.Time // when it was last heard of, if it was to be begun anew since
	objects   map[engine.ObjectRef]*engine.Object
	state     State // as it was last looked at
	lack      *lack // why it cannot be read; nil if it can
}

// NewInventory returns an Inventory that watches nothing yet.
func NewInventory(cfg CacheConfig) *Inventory {
	cfg = cfg.withDefaults()
	return &Inventory{client: cfg.Client, maxAge: cfg.MaxAge, log: cfg.Log, kinds: map[schema.GroupVersionKind]*reading{}}
}

// Watch watches just kinds from now on, each until ctx ends or a later Watch
// leaves it out. One that catalog does not have, or that cannot be read, is no error:
// policies that cannot do without could not decide until it can be.
func (i *Inventory) Watch(ctx context.Context, kinds []engine.InventoryKind, catalog *Catalog) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.looking {
		i.looking = true
		go i.keepLooking(ctx)
	}
	var errs []error
	wanted := map[schema.GroupVersionKind]bool{}
	for _, kind := range kinds {
		gvk := schema.FromAPIVersionAndKind(kind.APIVersion, kind.Kind)
		r := i.kinds[gvk]
		if r == nil {
			r = &reading{inventory: i, gvk: gvk}
			i.kinds[gvk] = r
		}
		r.optional = kind.Optional && (!wanted[gvk] || r.optional) // two sets may both read it
		wanted[gvk] = true
		gvr, _ := catalog.resource(gvk)
		errs = append(errs, r.follow(ctx, gvr))
	}
	for gvk, r := range i.kinds {
		if !wanted[gvk] {
			r.end()
			delete(i.kinds, gvk)
		}
	}
	i.look()
	if i.dropped {
		i.rebuild()
	}
	return errors.Join(errs...)
}

// follow watches the kind as a resource, which is empty if there is none. The
// inventory is locked.
func (r *reading) follow(ctx context.Context, gvr schema.GroupVersionResource) error {
	if r.gvr == gvr {
		return nil
	}
	r.end()
	if gvr.Empty() {
		return nil
	}
	r.gvr, r.lost = gvr, time.Time{}
	r.begin = func() error {
		ctx, stop := context.WithCancel(ctx)
		r.stop, r.contact, r.objects = stop, newContact(r.inventory.maxAge), map[engine.ObjectRef]*engine.Object{}
		m := &mirrored{r, ctx}
		return mirror(ctx, source{client: r.inventory.client, gvr: gvr, contact: r.contact}, m, m.finish, m.fail)
	}
	return r.begin()
}

// end stops watching the kind. What there was of it is shown until the inventory is
// made anew.
func (r *reading) end() {
	if r.stop != nil {
		r.stop()
	}
	r.inventory.dropped = r.inventory.dropped || len(r.objects) > 0
	r.stop, r.gvr, r.synced, r.objects = nil, schema.GroupVersionResource{}, false, nil
}

// renew begins to watch anew what has not been heard of for too long: it counts again
// when all of it has been read, and not at the first word.
func (r *reading) renew() {
	gvr, lost := r.gvr, r.contact.last()
	r.end()
	r.gvr, r.lost = gvr, lost
	_ = r.begin() // it was begun before
}

// rebuild makes the inventory anew of all that is synced. i is locked.
func (i *Inventory) rebuild() {
	var all []*engine.Object
	for _, r := range i.kinds {
		if r.synced {
			all = slices.AppendSeq(all, maps.Values(r.objects))
		}
	}
	i.current.Store(engine.NewInventory(all...).Lacking(i.lacking()))
	i.dropped = false
}

// Synced reports whether nothing is being read that may still come soon. What
// cannot be read is not waited for, and what takes long is not waited for any more.
func (i *Inventory) Synced() bool {
	if i == nil {
		return true
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, r := range i.kinds {
		if r.isAwaited() {
			return false
		}
	}
	return true
}

// Current returns the inventory as it is now.
func (i *Inventory) Current() *engine.Inventory {
	if i == nil {
		return nil
	}
	return i.current.Load()
}

// A mirrored is one watch of a kind. What it tells after it was ended, when a last
// event may still be on its way, does not count.
type mirrored struct {
	*reading
	ctx context.Context //nolint:containedctx // it says whether the watch goes on
}

// finish is called when all that was there at first has been put. Until then
// nothing is shown of the kind: one by one would cost a copy for each.
func (m *mirrored) finish() {
	m.inventory.mu.Lock()
	defer m.inventory.mu.Unlock()
	if m.ctx.Err() == nil {
		m.synced, m.lost = true, time.Time{}
		m.inventory.rebuild() // before it is said to be known
		m.inventory.look()
	}
}

// fail is called when the kind could not be read.
func (m *mirrored) fail() {
	m.inventory.mu.Lock()
	defer m.inventory.mu.Unlock()
	m.inventory.look()
}

func (m *mirrored) put(o *engine.Object) {
	m.inventory.mu.Lock()
	defer m.inventory.mu.Unlock()
	if m.ctx.Err() != nil {
		return
	}
	m.objects[o.Ref()] = o
	if m.synced {
		m.inventory.current.Store(m.inventory.current.Load().With(o))
	}
}

func (m *mirrored) remove(namespace, name string) {
	m.inventory.mu.Lock()
	defer m.inventory.mu.Unlock()
	if m.ctx.Err() != nil {
		return
	}
	apiVersion, kind := m.gvk.ToAPIVersionAndKind()
	ref := engine.ObjectRef{APIVersion: apiVersion, Kind: kind, Namespace: namespace, Name: name}
	delete(m.objects, ref)
	if m.synced {
		m.inventory.current.Store(m.inventory.current.Load().Without(ref))
	}
}
