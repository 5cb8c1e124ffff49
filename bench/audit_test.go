package bench_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/lintel-policy/lintel/audit"
	"github.com/lintel-policy/lintel/e2e/cluster"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
	"github.com/lintel-policy/lintel/resource"
)

// What BenchmarkAudit is about: a cluster of some size, and four times the library.
const (
	auditedObjects  = 10_000
	auditedPolicies = 20
)

// The goals of an audit: objects a second of evaluation, how much longer it may take
// than listing alone, and what a pass over what has not changed may take of the first.
const (
	goalOfReviews = 5000
	goalOfList    = 1.5
	goalOfPass    = 0.1
)

// BenchmarkAudit audits a real API server with objects of e2e/testdata/corpus, again and
// again under other names, in turns with only listing them, and with only reviewing
// them.
func BenchmarkAudit(b *testing.B) {
	c, kinds := seeded(b, auditedObjects)
	config := clientConfig(c)
	client, err := kubernetes.NewForConfig(config)
	mustBench(b, err)
	set := compiled(b)
	cfg := audit.Config{Client: client.CoreV1().RESTClient(), Set: set, Kinds: kinds}
	var listed, audited, reviewed, again []time.Duration
	objects := 0
	for b.Loop() {
		b.StopTimer()
		var bytes [][]byte
		listed = append(listed, timed(1, func() { bytes = listAll(b, client.CoreV1().RESTClient(), kinds) }))
		objects = len(bytes)
		reviewed = append(reviewed, timed(1, func() { reviewAll(b, set, bytes) }))
		b.StartTimer()
		audited = append(audited, timed(1, func() {
			r, err := audit.Run(b.Context(), cfg)
			if err != nil || len(r.Objects) != objects || len(r.Errors) > 0 {
				b.Fatalf("audit: %v, %v", err, r.Errors)
			}
		}))
		b.StopTimer()
		first, second := passes(b, client.CoreV1().RESTClient(), set, kinds)
		again = append(again, time.Duration(float64(second)/float64(first)*float64(time.Second)))
		b.StartTimer()
	}
	rate := float64(objects) / median(reviewed).Seconds()
	list := float64(median(audited)) / float64(median(listed))
	pass := median(again).Seconds()
	b.ReportMetric(rate, "objects/s")
	b.ReportMetric(rate/goalOfReviews, "of-goal-objects")
	b.ReportMetric(list, "x-list")
	b.ReportMetric(list/goalOfList, "of-goal-list")
	b.ReportMetric(pass, "second/first")
	b.ReportMetric(pass/goalOfPass, "of-goal-second")
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.Sys)/(1<<20), "MiB-sys")
}

// clientConfig is for a client that waits for nothing.
func clientConfig(c *cluster.Cluster) *rest.Config {
	config := c.Config()
	config.QPS = -1
	config.WarningHandler = rest.NoWarnings{} // of what is wrong with some of the corpus
	config.AcceptContentTypes, config.ContentType = "application/json", "application/json"
	return config
}

// seeded starts a control plane and makes n objects.
func seeded(b *testing.B, n int) (*cluster.Cluster, []audit.Kind) {
	b.Helper()
	c, err := cluster.Start(b.Context(), cluster.Config{})
	mustBench(b, err)
	b.Cleanup(func() { _ = c.Stop() })
	config := clientConfig(c)
	client, err := dynamic.NewForConfig(config)
	mustBench(b, err)
	typed, err := kubernetes.NewForConfig(config)
	mustBench(b, err)
	for i := range 20 {
		_, err := typed.CoreV1().Namespaces().Create(b.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("space-%02d", i)}}, metav1.CreateOptions{})
		mustBench(b, err)
	}
	samples := slices.DeleteFunc(samples(b), func(s sample) bool {
		return create(b.Context(), client, s, 0, metav1.DryRunAll) != nil // some are there to be wrong
	})
	var next atomic.Int64
	var clients sync.WaitGroup
	for range 16 {
		clients.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := create(b.Context(), client, samples[i%len(samples)], i); err != nil {
					b.Error(err)
				}
			}
		})
	}
	clients.Wait()
	var kinds []audit.Kind
	for _, s := range samples {
		known := false
		for _, k := range kinds {
			known = known || k == s.kind
		}
		if !known {
			kinds = append(kinds, s.kind)
		}
	}
	return c, kinds
}

// A sample is an object that a new API server takes under any name.
type sample struct {
	kind   audit.Kind
	object map[string]any
}

// samples returns the workloads and ConfigMaps of the corpus.
func samples(b *testing.B) []sample {
	b.Helper()
	wanted := map[string]string{"Deployment": "apps", "StatefulSet": "apps", "DaemonSet": "apps", "ConfigMap": "", "CronJob": "batch"}
	var all []sample
	for _, o := range resource.Load(b.Context(), resource.Options{}, "../e2e/testdata/corpus").Objects {
		gv, err := schema.ParseGroupVersion(o.APIVersion)
		group, ok := wanted[o.Kind]
		if err != nil || !ok || gv.Group != group || gv.Version != "v1" {
			continue
		}
		object := &unstructured.Unstructured{}
		mustBench(b, object.UnmarshalJSON(o.JSON)) // with the integers that a client needs
		all = append(all, sample{audit.Kind{GroupVersionKind: gv.WithKind(o.Kind), Resource: strings.ToLower(o.Kind) + "s", Namespaced: true}, object.Object})
	}
	if len(all) == 0 {
		b.Fatal("there are no workloads in e2e/testdata/corpus")
	}
	return all
}

// create makes the sample the i-th object.
func create(ctx context.Context, client dynamic.Interface, s sample, i int, dryRun ...string) error {
	namespace := fmt.Sprintf("space-%02d", i%20)
	object := (&unstructured.Unstructured{Object: s.object}).DeepCopy()
	object.SetNamespace(namespace)
	object.SetName(fmt.Sprintf("object-%05d", i))
	_, err := client.Resource(s.kind.GroupVersion().WithResource(s.kind.Resource)).Namespace(namespace).Create(ctx, object, metav1.CreateOptions{DryRun: dryRun})
	return err
}

// compiled returns the library under several names.
func compiled(b *testing.B) *engine.Set {
	b.Helper()
	dir := b.TempDir()
	writePolicies(b, dir, auditedPolicies)
	return compiledFrom(b, dir)
}

func compiledFrom(b *testing.B, dir string) *engine.Set {
	b.Helper()
	source, err := policies.Load(dir)
	mustBench(b, err)
	set, err := engine.Compile(engine.Config{Policies: source.Policies})
	mustBench(b, err)
	return set
}

// listAll lists as kubectl does, in pages, and does nothing with what it reads but to
// take the items apart.
func listAll(b *testing.B, client rest.Interface, kinds []audit.Kind) [][]byte {
	b.Helper()
	var all [][]byte
	for _, k := range kinds {
		path := "/apis/" + k.Group + "/" + k.Version + "/" + k.Resource
		if k.Group == "" {
			path = "/api/" + k.Version + "/" + k.Resource
		}
		for token := ""; ; {
			body, err := client.Get().AbsPath(path).SetHeader("Accept", "application/json").Param("limit", "500").Param("continue", token).Stream(b.Context())
			mustBench(b, err)
			var page struct {
				Metadata struct{ Continue string }
				Items    []json.RawMessage
			}
			data, err := io.ReadAll(body)
			mustBench(b, err)
			mustBench(b, body.Close())
			mustBench(b, json.Unmarshal(data, &page))
			for _, item := range page.Items {
				apiVersion, kind := k.ToAPIVersionAndKind()
				all = append(all, fmt.Appendf(nil, `{"apiVersion":%q,"kind":%q,%s`, apiVersion, kind, item[1:]))
			}
			if token = page.Metadata.Continue; token == "" {
				break
			}
		}
	}
	return all
}

// reviewAll patches and reviews objects that are in memory, on all processors.
func reviewAll(b *testing.B, set *engine.Set, objects [][]byte) {
	b.Helper()
	ns, err := engine.DecodeObject([]byte(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"space-00"}}`))
	mustBench(b, err)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(objects); i = int(next.Add(1)) - 1 {
				req, err := engine.NewRequest(objects[i], "")
				if err == nil {
					_, _, err = set.Decide(context.Background(), req.At(time.Now()).In(ns), nil)
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	workers.Wait()
}

// passes returns how long an audit in the background takes to review all, and then to
// find that nothing of it has changed when the same policies come into force anew.
func passes(b *testing.B, client rest.Interface, set *engine.Set, kinds []audit.Kind) (first, second time.Duration) {
	b.Helper()
	changed := make(chan struct{})
	ns, err := engine.DecodeObject([]byte(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"space-00"}}`))
	mustBench(b, err)
	background, err := audit.NewBackground(audit.BackgroundConfig{
		Client: client, Changed: changed, Publisher: nobody{}, Interval: time.Hour,
		Set:       func() *engine.Set { return set },
		Kinds:     func(*engine.Set) []audit.Watched { return watched(kinds, set) },
		Namespace: func(context.Context, string) *engine.Object { return ns },
		Inventory: func() *engine.Inventory { return nil },
	})
	mustBench(b, err)
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		background.Run(ctx)
	}()
	first = timed(1, func() {
		for background.Progress().Finished.IsZero() {
			time.Sleep(time.Millisecond)
		}
	})
	reviews := background.Progress().Reviews
	second = timed(1, func() {
		changed <- struct{}{}
		changed <- struct{}{} // taken when the first has been dealt with
	})
	if again := background.Progress().Reviews - reviews; again > 0 {
		b.Errorf("%d objects were reviewed again", again)
	}
	stop()
	<-done
	return first, second
}

// nobody is who findings are published to.
type nobody struct{}

func (nobody) Publish(context.Context, audit.Space) error { return nil }

func (nobody) Foreign(context.Context) ([]string, error) { return nil, nil }
