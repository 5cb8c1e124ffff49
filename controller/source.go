package controller

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"
)

// A source is what is watched of a cluster: the objects of a resource, of one
// namespace if that is given, and just one of them if that is.
type source struct {
	client          dynamic.Interface
	gvr             schema.GroupVersionResource
	namespace, name string
	contact         *contact
}

// informer returns what keeps up with the source and notes in its contact when
// anything was heard. failed is called after each failure, if it is not nil.
func (s source) informer(failed func()) (cache.SharedIndexInformer, error) {
	lw := &cache.ListWatch{ListWithContextFunc: s.list, WatchFuncWithContext: s.watch}
	informer := cache.NewSharedIndexInformerWithOptions(cache.ToListWatcherWithWatchListSemantics(lw, s.client),
		&unstructured.Unstructured{}, cache.SharedIndexInformerOptions{ObjectDescription: s.gvr.String()})
	// The client library would log each of its tries, for as long as they fail.
	err := informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) {
		s.contact.fail(err)
		if failed != nil {
			failed()
		}
	})
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", s.gvr.Resource, err)
	}
	return informer, nil
}

// resource adds to options what is selected, and returns what to ask with them.
func (s source) resource(opts *metav1.ListOptions) dynamic.ResourceInterface {
	if s.name != "" {
		opts.FieldSelector = fields.OneTermEqualSelector("metadata.name", s.name).String()
	}
	return s.client.Resource(s.gvr).Namespace(s.namespace)
}

// listTimeout bounds the reading of one page: a connection that hangs is tried again.
const listTimeout = time.Minute

func (s source) list(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	list, err := s.resource(&opts).List(ctx, opts)
	if err != nil {
		return nil, err
	}
	s.contact.hear()
	return list, nil
}

func (s source) watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
	w, err := s.resource(&opts).Watch(ctx, opts)
	if err != nil {
		return nil, err
	}
	h := &heardWatch{from: w, contact: s.contact, events: make(chan watch.Event), done: make(chan struct{})}
	go h.run(s.contact.maxAge / 3)
	return h, nil
}

// A heardWatch is a watch that notes what is heard, and gives up what is silent.
type heardWatch struct {
	from    watch.Interface
	contact *contact
	events  chan watch.Event
	done    chan struct{}
	stop    sync.Once
}

// ResultChan implements watch.Interface.
func (h *heardWatch) ResultChan() <-chan watch.Event { return h.events }

// Stop implements watch.Interface.
func (h *heardWatch) Stop() { h.stop.Do(func() { close(h.done) }) }

// run passes events on. A watch of which nothing is heard for so long is frozen, by
// a proxy for example, or has missed something: all is read anew.
func (h *heardWatch) run(silence time.Duration) {
	defer close(h.events)
	defer h.from.Stop()
	timer := time.NewTimer(silence)
	defer timer.Stop()
	for {
		select {
		case <-h.done:
			return
		case <-timer.C:
			h.pass(watch.Event{Type: watch.Error, Object: &metav1.Status{
				Status: metav1.StatusFailure, Reason: metav1.StatusReasonExpired, Code: http.StatusGone, Message: "nothing is heard of it",
			}})
			return
		case e, ok := <-h.from.ResultChan():
			if !ok {
				return
			}
			if e.Type != watch.Error {
				h.contact.hear()
			}
			timer.Reset(silence)
			h.pass(e)
		}
	}
}

func (h *heardWatch) pass(e watch.Event) {
	select {
	case h.events <- e:
	case <-h.done:
	}
}
