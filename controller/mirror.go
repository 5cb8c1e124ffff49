package controller

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/cache"

	"github.com/lintel-policy/lintel/engine"
)

// A held is an object as an informer keeps it: decoded, with just the metadata
// that the informer goes by, so that each object is in memory once.
type held struct {
	metav1.ObjectMeta
	object *engine.Object
}

// hold is an informer's transform. What it cannot decode has no object.
func hold(obj any) (any, error) {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return obj, nil
	}
	h := &held{ObjectMeta: metav1.ObjectMeta{
		Name: u.GetName(), Namespace: u.GetNamespace(), UID: u.GetUID(), ResourceVersion: u.GetResourceVersion(),
	}}
	o, err := decodeObject(u)
	if err != nil {
		return nil, fmt.Errorf("keep %s %s: %w", u.GetKind(), u.GetName(), err)
	}
	h.object = o
	return h, nil
}

func decodeObject(u *unstructured.Unstructured) (*engine.Object, error) {
	u = u.DeepCopy()
	u.SetManagedFields(nil)
	data, err := u.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return engine.DecodeObject(data)
}

// A sink is told of the objects of one kind, one after another.
type sink interface {
	put(o *engine.Object)
	remove(namespace, name string)
}

// mirror tells to of the objects of a source until ctx ends. synced is called once,
// when to has been told of all that were there at first; failed each time when they
// could not be read, if it is not nil.
func mirror(ctx context.Context, from source, to sink, synced, failed func()) error {
	informer, err := from.informer(failed)
	if err != nil {
		return err
	}
	if err := informer.SetTransform(hold); err != nil {
		return fmt.Errorf("watch %s: %w", from.gvr.Resource, err)
	}
	handle, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { putHeld(to, obj) },
		UpdateFunc: func(_, obj any) { putHeld(to, obj) },
		DeleteFunc: func(obj any) { removed(obj, to.remove) },
	})
	if err != nil {
		return fmt.Errorf("watch %s: %w", from.gvr.Resource, err)
	}
	go informer.RunWithContext(ctx)
	go func() {
		if cache.WaitForCacheSync(ctx.Done(), handle.HasSynced) {
			synced()
		}
	}()
	return nil
}

func putHeld(to sink, obj any) {
	if h, ok := obj.(*held); ok {
		to.put(h.object)
	}
}

// removed tells of an object, or of the last that an informer knew of one, that is gone.
func removed(obj any, remove func(namespace, name string)) {
	if last, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		obj = last.Obj
	}
	if m, err := meta.Accessor(obj); err == nil {
		remove(m.GetNamespace(), m.GetName())
	}
}

// lookupTimeout bounds the one read from the API server that a request waits for.
const lookupTimeout = time.Second
