package controller

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
)

// Policies knows the Policy and PolicyException objects of a cluster, and the
// ConfigMaps that they name, as they change.
type Policies struct {
	client  dynamic.Interface
	maxAge  time.Duration
	changed chan struct{} // has room for one
	// contacts are those of the kinds that are always watched, by their resource.
	contacts map[string]*contact

	mu         sync.Mutex
	policies   map[string]v1alpha1.Policy
	exceptions map[string]v1alpha1.PolicyException // by namespace/name
	maps       map[v1alpha1.ConfigMapRef]*configMap
	unsynced   int // kinds of which it is not known yet what was there at first

	settled map[string]engine.Policy // as they last were in force everywhere, for WriteStatus alone
}

// A configMap is a ConfigMap that some Policy names.
type configMap struct {
	stop    context.CancelFunc
	since   time.Time         // when it was first asked for
	data    map[string]string // nil if it is not there
	synced  bool
	refused string // why it may not be read; "" if it may
}

// patience is how long a ConfigMap is waited for. One that cannot be read, because
// nobody has permitted it, holds up its own policy alone.
const patience = 5 * time.Second

// NewPolicies returns a Policies that knows nothing yet.
func NewPolicies(cfg CacheConfig) *Policies {
	cfg = cfg.withDefaults()
	contacts := map[string]*contact{}
	for _, resource := range []schema.GroupVersionResource{policiesResource, exceptionsResource} {
		contacts[resource.Resource] = newContact(cfg.MaxAge)
	}
	return &Policies{
		client: cfg.Client, maxAge: cfg.MaxAge, changed: make(chan struct{}, 1), contacts: contacts, policies: map[string]v1alpha1.Policy{},
		exceptions: map[string]v1alpha1.PolicyException{}, maps: map[v1alpha1.ConfigMapRef]*configMap{},
	}
}

// Start watches until ctx ends. It is [ErrNoDefinitions] where the cluster has no
// such kinds: a watch of those would be tried for ever.
func (p *Policies) Start(ctx context.Context) error {
	for _, resource := range []schema.GroupVersionResource{policiesResource, exceptionsResource} {
		if _, err := readSome(ctx, p.client, resource); err != nil {
			return err
		}
	}
	p.unsynced = 2
	synced := func() { p.unsynced-- }
	err := p.watch(ctx, p.source(policiesResource), listener{
		put: func(u *unstructured.Unstructured) error {
			policy, err := typed[v1alpha1.Policy](u)
			if err == nil {
				p.policies[policy.Name] = policy
				p.follow(ctx)
			}
			return err
		},
		remove: func(_, name string) {
			delete(p.policies, name)
			p.follow(ctx)
		},
		synced: synced,
	})
	if err != nil {
		return err
	}
	return p.watch(ctx, p.source(exceptionsResource), listener{
		put: func(u *unstructured.Unstructured) error {
			e, err := typed[v1alpha1.PolicyException](u)
			if err == nil {
				p.exceptions[e.Namespace+"/"+e.Name] = e
			}
			return err
		},
		remove: func(namespace, name string) { delete(p.exceptions, namespace+"/"+name) },
		synced: synced,
	})
}

// source is one of the kinds that are always watched.
func (p *Policies) source(resource schema.GroupVersionResource) source {
	return source{client: p.client, gvr: resource, contact: p.contacts[resource.Resource]}
}

// readSome reads the first object of a resource, which says whether it may be read.
func readSome(ctx context.Context, client dynamic.Interface, resource schema.GroupVersionResource) (*unstructured.UnstructuredList, error) {
	list, err := client.Resource(resource).List(ctx, metav1.ListOptions{Limit: 1})
	return list, listError(resource, err)
}

// follow watches just the ConfigMaps that policies name. p is locked.
func (p *Policies) follow(ctx context.Context) {
	wanted := map[v1alpha1.ConfigMapRef]bool{}
	for _, policy := range p.policies {
		if ref := policy.Spec.Source.ConfigMapRef; ref != nil {
			wanted[*ref] = true
		}
	}
	for ref, m := range p.maps {
		if !wanted[ref] {
			m.stop()
			delete(p.maps, ref)
		}
	}
	for ref := range wanted {
		if p.maps[ref] == nil {
			p.followOne(ctx, ref)
		}
	}
}

func (p *Policies) followOne(ctx context.Context, ref v1alpha1.ConfigMapRef) {
	ctx, cancel := context.WithCancel(ctx)
	m := &configMap{stop: cancel, since: time.Now()}
	p.maps[ref] = m
	told := listener{
		put: func(u *unstructured.Unstructured) error {
			data, _, err := unstructured.NestedStringMap(u.Object, "data")
			m.data = data
			if m.data == nil {
				m.data = map[string]string{}
			}
			return err
		},
		remove: func(_, _ string) { m.data = nil },
		synced: func() { m.synced = true },
	}
	// The watch takes the lock that is held here.
	go func() {
		if !p.awaitPermission(ctx, ref, m) {
			return
		}
		from := source{client: p.client, gvr: configMapsResource, namespace: ref.Namespace, name: ref.Name, contact: newContact(p.maxAge)}
		_ = p.watch(ctx, from, told) // no handler is wrong
	}()
}

// A listener is told of the objects of a source, with the [Policies] locked.
type listener struct {
	put    func(*unstructured.Unstructured) error // an object that it cannot take is removed
	remove func(namespace, name string)
	synced func() // all that were there at first have been put
}

// watch tells to of the objects of a source until ctx ends.
func (p *Policies) watch(ctx context.Context, from source, to listener) error {
	informer, err := from.informer(nil)
	if err != nil {
		return err
	}
	change := func(obj any, tell bool) {
		u, ok := obj.(*unstructured.Unstructured)
		if !ok {
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if to.put(u) != nil {
			to.remove(u.GetNamespace(), u.GetName()) // no schema lets this by
		}
		if tell {
			p.tell()
		}
	}
	handle, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { change(obj, true) },
		UpdateFunc: func(before, after any) { change(after, changesSpec(before, after)) },
		DeleteFunc: func(obj any) {
			p.mu.Lock()
			defer p.mu.Unlock()
			removed(obj, to.remove)
			p.tell()
		},
	})
	if err != nil {
		return fmt.Errorf("watch %s: %w", from.gvr.Resource, err)
	}
	go informer.RunWithContext(ctx)
	go func() {
		if cache.WaitForCacheSync(ctx.Done(), handle.HasSynced) {
			p.mu.Lock()
			defer p.mu.Unlock()
			to.synced()
			p.tell()
		}
	}()
	return nil
}

// changesSpec reports whether an update changes more than the status, which Lintel
// itself writes. ConfigMaps have no generation.
func changesSpec(before, after any) bool {
	a, okA := before.(*unstructured.Unstructured)
	b, okB := after.(*unstructured.Unstructured)
	return !okA || !okB || b.GetGeneration() == 0 || a.GetGeneration() != b.GetGeneration()
}

// tell says that something has changed. p is locked.
func (p *Policies) tell() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// Again has [Policies.Settled] return as if something had changed.
func (p *Policies) Again() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tell()
}

// Changed is sent to when something has changed since it was received from.
func (p *Policies) Changed() <-chan struct{} { return p.changed }

// Synced reports whether all is known that was there when the watches began.
func (p *Policies) Synced() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.maps {
		if !m.synced && m.refused == "" && time.Since(m.since) < patience {
			return false
		}
	}
	return p.unsynced == 0
}

// Objects returns what is known now.
func (p *Policies) Objects() policies.Objects {
	p.mu.Lock()
	defer p.mu.Unlock()
	var o policies.Objects
	for _, policy := range p.policies {
		o.Policies = append(o.Policies, policy)
	}
	for _, e := range p.exceptions {
		o.Exceptions = append(o.Exceptions, e)
	}
	data, refused := map[v1alpha1.ConfigMapRef]map[string]string{}, map[v1alpha1.ConfigMapRef]string{}
	for ref, m := range p.maps {
		refused[ref] = m.refused
		if m.data != nil {
			data[ref] = maps.Clone(m.data)
		}
	}
	o.Refused = func(ref v1alpha1.ConfigMapRef) string { return refused[ref] }
	o.ConfigMap = func(ref v1alpha1.ConfigMapRef) (map[string]string, bool) {
		found, ok := data[ref]
		return found, ok
	}
	return o
}

// settleTime is how long nothing may change before policies are compiled: one sync
// from git writes many objects at once, each of which would compile all.
const settleTime = 100 * time.Millisecond

// maxUnsettled bounds that: what goes on changing is compiled all the same.
const maxUnsettled = time.Second

// Settled waits for a change and until no more have come for a while. It returns
// false when ctx ends.
func (p *Policies) Settled(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-p.changed:
	}
	end := time.After(maxUnsettled)
	for {
		select {
		case <-ctx.Done():
			return false
		case <-end:
			return true
		case <-p.changed:
		case <-time.After(settleTime):
			return true
		}
	}
}
