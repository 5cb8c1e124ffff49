// Package audit holds what is already in a cluster to policies: what would be denied,
// warned about and patched if it were made today.
//
// [Run] lists the kinds that policies match, page by page, and reviews the objects
// while the next page is on its way. Nothing is written and no object is kept, but for
// the Namespaces and what the policies declare that they read. [Admissions] is about what
// people ask for meanwhile: it counts what policies that do not deny would have denied.
package audit

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/report"
)

// A Kind is one kind of object, in the version that policies see.
type Kind struct {
	schema.GroupVersionKind
	Resource   string // the plural
	Namespaced bool
}

// Config configures [Run]. Client and Set are required.
type Config struct {
	// Client is any client of the cluster: only paths are asked of it.
	Client rest.Interface
	Set    *engine.Set
	// Kinds are what is reviewed, and Inventory what policies read beside it.
	Kinds, Inventory []Kind
	// Namespace limits the run to one namespace. If "", all of the cluster is reviewed.
	Namespace string
	// Labels are the keys of the labels whose values objects are counted by.
	Labels []string
	// Changed limits the run to what was made or changed in a time, as far as the API
	// server keeps that of an object. If it is none, the run is about all.
	Changed Window
	// Now is what stages and exceptions go by. If zero, the time of the call.
	Now time.Time
	// Reviewed is called after each object, by several goroutines. It may be nil.
	Reviewed func()
}

// Run reviews what there is and returns what was found, in the order of the objects'
// namespaces, kinds and names. What cannot be listed is among the report's errors. The
// error is that of the context, or says that the Namespaces cannot be read.
func Run(ctx context.Context, cfg Config) (*report.Report, error) {
	if cfg.Now.IsZero() {
		cfg.Now = time.Now()
	}
	a := &auditor{Config: cfg, lister: lister{cfg.Client, cfg.Namespace}, reviewer: reviewer{set: cfg.Set, labels: cfg.Labels, now: cfg.Now}, shared: newSharer()}
	a.report = &report.Report{Revision: cfg.Set.Revision(), GroupedBy: append([]string{}, cfg.Labels...), Time: cfg.Now}
	if err := a.readNamespaces(ctx); err != nil {
		return nil, err
	}
	a.readInventory(ctx)
	a.claims, _ = a.lister.claims(ctx, cfg.Kinds)
	a.reviewAll(ctx)
	slices.SortFunc(a.report.Objects, func(x, y report.Object) int { return compareRefs(x.Ref, y.Ref) })
	return a.report, ctx.Err()
}

func compareRefs(a, b engine.ObjectRef) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.APIVersion, b.APIVersion))
}

// An auditor is one run.
type auditor struct {
	Config
	lister lister
	reviewer
	mu     sync.Mutex
	report *report.Report
	shared sharer
}

// namespaceKind is that of Namespaces, which every run reads.
var namespaceKind = Kind{schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, "namespaces", false}

func (a *auditor) readNamespaces(ctx context.Context) (err error) {
	var all []*engine.Object
	if a.Namespace != "" {
		all = make([]*engine.Object, 1)
		all[0], err = a.lister.one(ctx)
	} else {
		all, err = a.keep(ctx, namespaceKind)
	}
	if err != nil {
		return err
	}
	namespaces := make(map[string]*engine.Object, len(all))
	for _, ns := range all {
		namespaces[ns.Ref().Name] = ns
	}
	a.namespace = func(name string) *engine.Object { return namespaces[name] }
	return nil
}

// readInventory reads what policies declare. Without a kind that is not optional, its
// readers could not decide, so they are told to have failed.
func (a *auditor) readInventory(ctx context.Context) {
	var all []*engine.Object
	for _, kind := range a.Config.Inventory {
		kept, err := a.keep(ctx, kind)
		if err != nil {
			a.fail(report.Error{Message: err.Error() + ": policies that read it see none"})
		}
		all = append(all, kept...)
	}
	a.inventory = engine.NewInventory(all...)
}

// keep lists a kind and returns its objects.
func (a *auditor) keep(ctx context.Context, kind Kind) ([]*engine.Object, error) {
	var kept []*engine.Object
	_, err := a.lister.list(ctx, kind, func(object []byte) {
		if o, err := engine.DecodeObject(object); err == nil { // the API server writes JSON
			kept = append(kept, o)
		}
	})
	return kept, err
}

// An item is one object that is to be reviewed.
type item struct {
	kind   Kind
	object []byte
	// Of a Background:
	follower *follower
	pass     int // of the follower
	id       identity
	done     func() // called when it has been reviewed
}

func (it *item) ref() engine.ObjectRef {
	apiVersion, kind := it.kind.ToAPIVersionAndKind()
	return engine.ObjectRef{APIVersion: apiVersion, Kind: kind, Namespace: it.id.Namespace, Name: it.id.Name}
}

// maxWaiting is how many bytes of objects may wait to be reviewed, so that there is
// something to do until the next page comes: a page of objects of usual size.
const maxWaiting = 8 << 20

// reviewAll lists and reviews at once, on all processors.
func (a *auditor) reviewAll(ctx context.Context) {
	items := make(chan item, pageSize)
	waiting := semaphore.NewWeighted(maxWaiting)
	room := func(it item) int64 { return min(int64(len(it.object)), maxWaiting) }
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for it := range items {
				waiting.Release(room(it))
				a.one(ctx, it)
			}
		})
	}
	for _, kind := range a.Kinds {
		if a.Namespace != "" && !kind.Namespaced {
			continue
		}
		_, err := a.lister.list(ctx, kind, func(object []byte) {
			it := item{kind: kind, object: object}
			if waiting.Acquire(ctx, room(it)) == nil {
				items <- it
			}
		})
		if err != nil && ctx.Err() == nil {
			a.fail(report.Error{Message: err.Error()})
		}
	}
	close(items)
	workers.Wait()
}

func (a *auditor) fail(e report.Error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.report.Errors = append(a.report.Errors, e)
}

// one reviews one object.
func (a *auditor) one(ctx context.Context, it item) {
	if ctx.Err() != nil || !a.Changed.From.IsZero() && !a.Changed.has(stampsOf(it.object).times) {
		return
	}
	found, ok := a.reviewer.review(ctx, it.kind, it.object)
	if !ok {
		return
	}
	a.mu.Lock()
	a.shared.take(&found)
	a.report.Objects = append(a.report.Objects, found)
	a.mu.Unlock()
	if a.Reviewed != nil {
		a.Reviewed()
	}
}
