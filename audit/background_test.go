package audit_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/lintel-policy/lintel/audit"
	"github.com/lintel-policy/lintel/engine"
)

// A picture is what a Background has published.
type picture struct {
	*audit.Background
	changed chan struct{}
	ahead   atomic.Int64 // of the time, in nanoseconds

	mu         sync.Mutex
	set        *engine.Set
	namespaces map[string]*engine.Object
	spaces     map[string]audit.Space
	first      map[string]audit.Space // as first published
	published  int
	opened     []audit.Window // the times that the gate was open
	untold     bool
	came       []audit.Came // what was told of them
}

// paint runs a Background over the ConfigMaps of the API server, or other kinds, as long
// as the test runs. It knows one namespace, and objects of others cannot be judged.
func paint(t *testing.T, client kubernetes.Interface, set *engine.Set, namespace string, kinds ...audit.Kind) *picture {
	t.Helper()
	return paintWith(t, client, set, namespace, func(*audit.BackgroundConfig) {}, kinds...)
}

// paintWith is paint with a configuration that change has changed.
func paintWith(t *testing.T, client kubernetes.Interface, set *engine.Set, namespace string, change func(*audit.BackgroundConfig), kinds ...audit.Kind) *picture {
	t.Helper()
	p := &picture{changed: make(chan struct{}, 1), set: set, namespaces: map[string]*engine.Object{}, spaces: map[string]audit.Space{}, first: map[string]audit.Space{}}
	p.label(t, namespace, `{}`)
	cfg := audit.BackgroundConfig{
		Client: client.CoreV1().RESTClient(), Changed: p.changed, Interval: 500 * time.Millisecond, PublishEvery: 100 * time.Millisecond,
		Set: func() *engine.Set {
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.set
		},
		Kinds: watch(append(kinds, configMaps)[:max(1, len(kinds))]...),
		Namespace: func(_ context.Context, name string) *engine.Object {
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.namespaces[name]
		},
		Inventory: func() *engine.Inventory { return nil },
		Now:       func() time.Time { return time.Now().Add(time.Duration(p.ahead.Load())) },
		Publisher: p, Gate: p,
	}
	change(&cfg)
	var err error
	p.Background, err = audit.NewBackground(cfg)
	must(t, err)
	run(t, p.Background)
	return p
}

// run runs a Background as long as the test runs.
func run(t *testing.T, b *audit.Background) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
}

// watch has kinds watched, by the one policy.
func watch(kinds ...audit.Kind) func(*engine.Set) []audit.Watched {
	return func(set *engine.Set) []audit.Watched {
		var all []audit.Watched
		for _, kind := range kinds {
			all = append(all, audit.Watched{Kind: kind, Revision: set.Policies()[0].Revision})
		}
		return all
	}
}

// Publish keeps what it is told.
func (p *picture) Publish(_ context.Context, s audit.Space) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.first[s.Namespace]; !ok {
		p.first[s.Namespace] = s
	}
	p.spaces[s.Namespace] = s
	p.published++
	return nil
}

// Foreign returns none: nobody else can change what p has kept.
func (p *picture) Foreign(context.Context) ([]string, error) { return nil, nil }

// Opened returns what the test has set.
func (p *picture) Opened() ([]audit.Window, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.opened, p.untold
}

// Tell keeps what it is told.
func (p *picture) Tell(_ context.Context, came audit.Came) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.came, p.untold = append(p.came, came), false
	return nil
}

// label gives a namespace other labels, as the watch of the API server would tell.
func (p *picture) label(t *testing.T, name, labels string) {
	t.Helper()
	o, err := engine.DecodeObject([]byte(`{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "` + name + `", "labels": ` + labels + `}}`))
	must(t, err)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.namespaces[name] = o
}

func (p *picture) swap(set *engine.Set) {
	p.mu.Lock()
	p.set = set
	p.mu.Unlock()
	p.changed <- struct{}{}
}

// broken returns what breaks the policy in a namespace, as published.
func (p *picture) broken(namespace string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var names []string
	for _, f := range p.spaces[namespace].Findings {
		for _, v := range f.Violations {
			names = append(names, f.Ref.Name+": "+v.Message)
		}
	}
	return names
}

// await waits until just that breaks the policy.
func (p *picture) await(t *testing.T, namespace string, want ...string) {
	t.Helper()
	var got []string
	for range 2400 {
		if got = p.broken(namespace); slices.Equal(got, want) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("in namespace %s: got %q, want %q", namespace, got, want)
}

// TestBackground publishes what was there before, and follows what changes of objects,
// of policies and of namespaces.
func TestBackground(t *testing.T) {
	client := newClient(t)
	namespace(t, client, "ground", nil)
	maps := client.CoreV1().ConfigMaps("ground")
	create := func(name string, labels map[string]string) {
		t.Helper()
		_, err := maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}, metav1.CreateOptions{})
		must(t, err)
	}
	create("before", nil)
	create("well", map[string]string{"owner": "somebody"})
	p := paint(t, client, compile(t, owned), "ground")
	p.await(t, "ground", "before: owner is missing")

	create("later", nil)
	p.await(t, "ground", "before: owner is missing", "later: owner is missing")
	_, err := maps.Patch(t.Context(), "before", types.MergePatchType, []byte(`{"metadata": {"labels": {"owner": "me"}}}`), metav1.PatchOptions{})
	must(t, err)
	p.await(t, "ground", "later: owner is missing")
	must(t, maps.Delete(t.Context(), "later", metav1.DeleteOptions{}))
	p.await(t, "ground")

	p.swap(compile(t, strings.ReplaceAll(owned, "owner", "keeper")))
	p.await(t, "ground", "before: keeper is missing", "well: keeper is missing")
	p.label(t, "ground", `{"lax": "yes"}`)
	p.await(t, "ground")
	p.label(t, "ground", `{}`)
	p.await(t, "ground", "before: keeper is missing", "well: keeper is missing")
	if got := p.Progress(); got.Finished.IsZero() || got.Pending != 0 || got.Unlisted != 0 {
		t.Errorf("progress %+v", got)
	}
}

// TestUnchanged reviews nothing again that has not changed, and publishes nothing.
func TestUnchanged(t *testing.T) {
	client := newClient(t)
	namespace(t, client, "still", nil)
	seed(t, client, "still", 20)
	p := paint(t, client, compile(t, owned), "still")
	for range 2400 {
		if !p.Progress().Finished.IsZero() && len(p.broken("still")) > 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.mu.Lock()
	published := p.published
	p.mu.Unlock()
	before := p.Progress()
	p.swap(compile(t, owned)) // the same policies, compiled anew
	time.Sleep(2 * time.Second)
	after := p.Progress()
	if before.Reviews < 20 || after.Reviews != before.Reviews {
		t.Errorf("%d reviews, then %d", before.Reviews, after.Reviews)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.published != published {
		t.Errorf("published %d times, then %d times", published, p.published)
	}
}

// TestChanging compares what is published of a namespace in which much changes at once
// with what is there in the end.
func TestChanging(t *testing.T) {
	client := newClient(t)
	namespace(t, client, "busy", nil)
	seed(t, client, "busy", 200)
	p := paint(t, client, compile(t, owned), "busy")
	var clients sync.WaitGroup
	var label atomic.Int64
	stop := time.Now().Add(3 * time.Second)
	for range 4 {
		clients.Go(func() {
			for time.Now().Before(stop) {
				n := label.Add(1)
				name := "map-0" + string(rune('0'+n%10)) + string(rune('0'+n/10%10)) + "0"
				patch := `{"metadata": {"labels": {"owner": null}}}`
				if n%3 == 0 {
					patch = `{"metadata": {"labels": {"owner": "me"}}}`
				}
				_, _ = client.CoreV1().ConfigMaps("busy").Patch(t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}) // some are not there
				if n%7 == 0 {
					p.label(t, "busy", `{}`)
				}
			}
		})
	}
	clients.Wait()
	list, err := client.CoreV1().ConfigMaps("busy").List(t.Context(), metav1.ListOptions{})
	must(t, err)
	var want []string
	for _, m := range list.Items {
		if m.Labels["owner"] == "" {
			want = append(want, m.Name+": owner is missing")
		}
	}
	p.await(t, "busy", want...)
}

// TestBeside loses no change while labels of another namespace change, for which a watch
// begins anew all the time.
func TestBeside(t *testing.T) {
	client := newClient(t)
	namespace(t, client, "quiet", nil)
	namespace(t, client, "beside", nil)
	seed(t, client, "quiet", 300)
	seed(t, client, "beside", 1)
	p := paintWith(t, client, compile(t, owned), "quiet", func(cfg *audit.BackgroundConfig) { cfg.Interval = 10 * time.Millisecond })
	for range 600 {
		if !p.Progress().Finished.IsZero() {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	var relabelling sync.WaitGroup
	var done atomic.Bool
	relabelling.Go(func() {
		for !done.Load() {
			p.label(t, "beside", `{}`)
			time.Sleep(5 * time.Millisecond)
		}
	})
	var want []string
	for i := range 300 { // each changes once, so that one that is lost is seen
		name, owner := fmt.Sprintf("map-%04d", i), `"me"`
		if i%2 == 0 {
			owner = "null"
			want = append(want, name+": owner is missing")
		}
		_, err := client.CoreV1().ConfigMaps("quiet").Patch(t.Context(), name, types.MergePatchType, []byte(`{"metadata": {"labels": {"owner": `+owner+`}}}`), metav1.PatchOptions{})
		must(t, err)
	}
	done.Store(true)
	relabelling.Wait()
	p.await(t, "quiet", want...)
}
