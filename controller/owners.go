package controller

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/util/flowcontrol"

	"github.com/lintel-policy/lintel/engine"
)

const (
	// ownerRate and ownerBurst are how many are found out a second, for long and at once.
	ownerRate  = 2
	ownerBurst = 50
	// maxAsked is how many wait to be found out, and maxRemembered how many are remembered,
	// for ownerAge at most.
	maxAsked      = 100
	maxRemembered = 2000
	ownerAge      = time.Hour
)

// Owners find out who made the objects of requests, while these go on: the topmost
// controlling owner that can be found out, and else the object itself.
type Owners struct {
	owners
	asked chan question

	mu    sync.Mutex
	found map[origin]corev1.ObjectReference
	since time.Time // when the first of them was found out
}

// An origin is what objects have in common that the same made: an owner in a namespace,
// or that they are one object.
type origin struct {
	object   corev1.ObjectReference
	resource schema.GroupVersionResource
	owner    metav1.OwnerReference
}

func (m made) origin() origin {
	o := origin{object: m.object, resource: m.resource}
	if m.owner != nil {
		o.owner = *m.owner
	}
	if m.resource.Empty() {
		o.object = corev1.ObjectReference{Namespace: m.object.Namespace}
	}
	return o
}

// A question is who made an object, and who is to be told.
type question struct {
	made
	tell func(corev1.ObjectReference)
}

// NewOwners returns Owners that know the kinds of a cluster by mapper, and read owners
// by metadata, as far as it may.
func NewOwners(mapper meta.RESTMapperWithContext, metadata metadata.Interface) *Owners {
	return &Owners{owners: owners{mapper, metadata}, asked: make(chan question, maxAsked), found: map[origin]corev1.ObjectReference{}}
}

// Tell calls tell with who made the object of a request: at once where that is known,
// else when it has been found out, while the Owners run. Where too much is asked it is
// called with the zero value. Tell itself waits for nothing.
func (o *Owners) Tell(req *engine.Request, tell func(corev1.ObjectReference)) {
	m := madeOf(req)
	if m.owner == nil && m.resource.Empty() {
		tell(m.object)
		return
	}
	if ref, known := o.recall(m); known {
		tell(ref)
		return
	}
	select {
	case o.asked <- question{m, tell}:
	default:
		tell(corev1.ObjectReference{})
	}
}

// Run finds out what is asked until ctx ends, and then answers all that waits with the
// zero value.
func (o *Owners) Run(ctx context.Context) {
	limit := flowcontrol.NewTokenBucketRateLimiter(ownerRate, ownerBurst)
	for {
		select {
		case <-ctx.Done():
			o.refuse()
			return
		case q := <-o.asked:
			ref, known := o.recall(q.made)
			if !known && limit.Wait(ctx) == nil {
				ref = o.find(ctx, q.made)
			}
			q.tell(ref)
		}
	}
}

// refuse answers all that waits with the zero value.
func (o *Owners) refuse() {
	for {
		select {
		case q := <-o.asked:
			q.tell(corev1.ObjectReference{})
		default:
			return
		}
	}
}

// recall returns who made an object if that was found out before.
func (o *Owners) recall(m made) (corev1.ObjectReference, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	ref, known := o.found[m.origin()]
	if known && ref == (corev1.ObjectReference{}) {
		ref = m.object
	}
	return ref, known
}

// find finds out who made an object, and remembers it for a while: owners are made anew
// under other names, and permissions change.
func (o *Owners) find(ctx context.Context, m made) corev1.ObjectReference {
	ctx, cancel := context.WithTimeout(ctx, ownerTime)
	defer cancel()
	ref := o.of(ctx, m)
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.found) >= maxRemembered || time.Since(o.since) >= ownerAge {
		clear(o.found)
		o.since = time.Now()
	}
	if o.found[m.origin()] = ref; ref == m.object {
		o.found[m.origin()] = corev1.ObjectReference{} // each is its own
	}
	return ref
}
