package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/lintel-policy/lintel/engine"
)

// An Inventory holds the objects of a cluster that policies read beside those of
// requests. Each change makes another [engine.Inventory], which shares with the one before
// all that has not changed. The nil Inventory is empty.
type Inventory struct {
	client  dynamic.Interface
	current atomic.Pointer[engine.Inventory]

	mu      sync.Mutex
	watched map[schema.GroupVersionKind]*watched
}

// A watched is one kind that is watched.
type watched struct {
	inventory *Inventory
	gvk       schema.GroupVersionKind
	stop      context.CancelFunc
	synced    bool
	objects   map[engine.ObjectRef]*engine.Object
}

// NewInventory returns an Inventory that watches nothing yet.
func NewInventory(client dynamic.Interface) *Inventory {
	return &Inventory{client: client, watched: map[schema.GroupVersionKind]*watched{}}
}

// Watch watches just kinds from now on, each until ctx ends or a later Watch
// leaves it out. A kind that catalog does not have is empty, which is an error
// unless it is optional; the others are watched all the same.
func (i *Inventory) Watch(ctx context.Context, kinds []engine.InventoryKind, catalog *Catalog) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	var errs []error
	wanted := map[schema.GroupVersionKind]bool{}
	for _, kind := range kinds {
		gvk := schema.FromAPIVersionAndKind(kind.APIVersion, kind.Kind)
		gvr, ok := catalog.resource(gvk)
		if !ok {
			if !kind.Optional {
				errs = append(errs, fmt.Errorf("watch %s %s: no such kind", kind.APIVersion, kind.Kind))
			}
			continue
		}
		wanted[gvk] = true
		errs = append(errs, i.start(ctx, gvk, gvr))
	}
	i.narrow(wanted)
	return errors.Join(errs...)
}

// start watches a kind that is not watched yet. i is locked.
func (i *Inventory) start(ctx context.Context, gvk schema.GroupVersionKind, gvr schema.GroupVersionResource) error {
	if i.watched[gvk] != nil {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &watched{inventory: i, gvk: gvk, stop: cancel, objects: map[engine.ObjectRef]*engine.Object{}}
	i.watched[gvk] = w
	if err := watch(ctx, i.client, gvr, w, w.finish); err != nil {
		cancel()
		delete(i.watched, gvk)
		return err
	}
	return nil
}

// narrow stops watching what is not wanted. i is locked.
func (i *Inventory) narrow(wanted map[schema.GroupVersionKind]bool) {
	before := len(i.watched)
	for gvk, w := range i.watched {
		if !wanted[gvk] {
			w.stop()
			delete(i.watched, gvk)
		}
	}
	if len(i.watched) != before {
		i.rebuild()
	}
}

// rebuild makes the inventory anew of all that is synced. i is locked.
func (i *Inventory) rebuild() {
	var all []*engine.Object
	for _, w := range i.watched {
		if w.synced {
			all = slices.AppendSeq(all, maps.Values(w.objects))
		}
	}
	i.current.Store(engine.NewInventory(all...))
}

// Synced reports whether all that was there when the watches began is known.
func (i *Inventory) Synced() bool {
	if i == nil {
		return true
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, w := range i.watched {
		if !w.synced {
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

// finish is called when all that was there at first has been put. Until then
// nothing is shown of the kind: one by one would cost a copy for each.
func (w *watched) finish() {
	w.inventory.mu.Lock()
	defer w.inventory.mu.Unlock()
	w.synced = true
	w.inventory.rebuild()
}

func (w *watched) put(o *engine.Object) {
	w.inventory.mu.Lock()
	defer w.inventory.mu.Unlock()
	w.objects[o.Ref()] = o
	if w.isShown() {
		w.inventory.current.Store(w.inventory.current.Load().With(o))
	}
}

func (w *watched) remove(namespace, name string) {
	w.inventory.mu.Lock()
	defer w.inventory.mu.Unlock()
	apiVersion, kind := w.gvk.ToAPIVersionAndKind()
	ref := engine.ObjectRef{APIVersion: apiVersion, Kind: kind, Namespace: namespace, Name: name}
	delete(w.objects, ref)
	if w.isShown() {
		w.inventory.current.Store(w.inventory.current.Load().Without(ref))
	}
}

// isShown reports whether changes are to be seen: not before all is there, and
// not after the kind was given up, when a last event may still be on its way.
func (w *watched) isShown() bool { return w.synced && w.inventory.watched[w.gvk] == w }
