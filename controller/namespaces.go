package controller

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/lintel-policy/lintel/engine"
)

// namespaces is the resource of Namespace objects.
var namespaces = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}

// errNoCluster reports that there are no Namespaces to be read.
var errNoCluster = errors.New("there is no cluster")

// Namespaces knows the Namespace objects of a cluster. The nil Namespaces is that
// of no cluster, and knows none.
type Namespaces struct {
	client  dynamic.Interface
	contact *contact
	synced  atomic.Bool

	mu     sync.RWMutex
	byName map[string]*engine.Object
}

// NewNamespaces returns Namespaces that knows none yet.
func NewNamespaces(cfg CacheConfig) *Namespaces {
	cfg = cfg.withDefaults()
	return &Namespaces{client: cfg.Client, contact: newContact(cfg.MaxAge), byName: map[string]*engine.Object{}}
}

// Start watches until ctx ends.
func (n *Namespaces) Start(ctx context.Context) error {
	return mirror(ctx, source{client: n.client, gvr: namespaces, contact: n.contact}, n, func() { n.synced.Store(true) }, nil)
}

// Synced reports whether those that were there at first are known.
func (n *Namespaces) Synced() bool { return n == nil || n.synced.Load() }

// Get returns a Namespace object. One that is not known, because it was made just
// now, or not known to be as it was any more, is read from the API server, for at most
// a second. That reading is not kept, since the watch alone knows the order of changes.
func (n *Namespaces) Get(ctx context.Context, name string) (*engine.Object, error) {
	if n == nil {
		return nil, errNoCluster
	}
	if o := n.known(name); o != nil && !n.contact.isStale() {
		return o, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	return ReadNamespace(ctx, n.client, name)
}

// ReadNamespace reads a Namespace object as it is now.
func ReadNamespace(ctx context.Context, client dynamic.Interface, name string) (*engine.Object, error) {
	u, err := client.Resource(namespaces).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("read namespace %q: %w", name, err)
	}
	return decodeObject(u)
}

// known returns a Namespace object as the watch has last told of it, nil if it has not.
func (n *Namespaces) known(name string) *engine.Object {
	if n == nil {
		return nil
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.byName[name]
}

func (n *Namespaces) put(o *engine.Object) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.byName[o.Ref().Name] = o
}

func (n *Namespaces) remove(_, name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.byName, name)
}
