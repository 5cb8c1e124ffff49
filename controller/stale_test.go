package controller_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/e2e/cluster"
	"github.com/lintel-policy/lintel/engine"
)

// strict denies Services in namespaces that ask for it, without reading anything else.
const strict = `# METADATA
# custom:
#   match:
#     kinds: [{apiGroups: [""], kinds: [Service]}]
#     namespaceSelector: {matchLabels: {services: forbidden}}
package lintel.strict

violation contains {"msg": "no services here"}
`

// loner denies Services whose name a ConfigMap has, wherever they are.
const loner = `# METADATA
# custom:
#   match: {kinds: [{apiGroups: [""], kinds: [Service]}]}
#   inventory: [{apiVersion: v1, kind: ConfigMap}]
package lintel.loner

violation contains {"msg": "a ConfigMap has the same name"} if data.inventory.namespace[input.review.namespace]["v1"].ConfigMap[input.review.name]
`

// plain denies Services that are called so, whatever else there is.
const plain = `# METADATA
# custom:
#   match: {kinds: [{apiGroups: [""], kinds: [Service]}]}
package lintel.plain

violation contains {"msg": "a plain name"} if input.review.name == "plain"
`

// service asks for a Service, as a dry run, and returns why it is refused, "" if it is not.
func (g *gate) service(t *testing.T, namespace, name string) string {
	t.Helper()
	err := g.create("/api/v1/namespaces/"+namespace+"/services?dryRun=All",
		fmt.Sprintf(`{"apiVersion":"v1","kind":"Service","metadata":{"name":%q},"spec":{"ports":[{"port":80}]}}`, name))
	if err != nil && !apierrors.IsForbidden(err) && !apierrors.IsInternalError(err) {
		t.Fatalf("create Service %s/%s: %v", namespace, name, err)
	}
	if err == nil {
		return ""
	}
	return err.Error()
}

// namespace makes a namespace, and removes it when the test ends.
func (g *gate) namespace(t *testing.T, name, labels string) {
	t.Helper()
	must(t, "create namespace", g.create("/api/v1/namespaces", `{"metadata":{"name":"`+name+`","labels":{`+labels+`}}}`))
	t.Cleanup(func() { _ = g.delete("/api/v1/namespaces/" + name) })
}

// within waits for longer than eventually does: a client that has failed for some time
// tries again after up to half a minute.
func within(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited two minutes for %s", what)
		}
	}
}

// TestFrozenWatch has watches say nothing while everything changes: what is stale
// decides nothing, a Namespace is read live, and all else is decided as ever.
func TestFrozenWatch(t *testing.T) {
	p := through(t, unlimited(t))
	g := startWith(t, controller.CacheConfig{Client: dynamic.NewForConfigOrDie(p.Config), MaxAge: 2 * time.Second},
		policy(labelled, v1alpha1.PolicySpec{Match: matchConfigMaps(), Enforcement: v1alpha1.DryRun}),
		policy(strict, v1alpha1.PolicySpec{}), policy(loner, v1alpha1.PolicySpec{}), policy(plain, v1alpha1.PolicySpec{}))
	metrics := prometheus.NewRegistry()
	must(t, "register metrics", metrics.Register(g.caches))
	g.namespace(t, "frozen", `"services":"forbidden"`)
	must(t, "create ConfigMap", g.create("/api/v1/namespaces/frozen/configmaps", `{"metadata":{"name":"twin"}}`))
	stop := g.heartbeat(t)
	defer stop()
	label := func(value string) {
		t.Helper()
		must(t, "label namespace", g.patch("/api/v1/namespaces/frozen", `{"metadata":{"labels":{"services":`+value+`}}}`))
	}
	has := func(name, want string) func() bool {
		return func() bool { return strings.Contains(g.service(t, "frozen", name), want) }
	}
	within(t, "a label to count", has("other", "no services here"))
	within(t, "the inventory to count", has("twin", "a ConfigMap has the same name"))

	p.freeze()
	label(`null`)
	const stale = "loner  could not decide: v1 ConfigMap cannot be read: nothing has been heard of it since 20"
	within(t, "the label to be read live when the watch is stale", func() bool {
		said := g.service(t, "frozen", "other")
		return strings.Contains(said, stale) && !strings.Contains(said, "strict")
	})
	label(`"forbidden"`)
	within(t, "it to be read live each time", has("other", "no services here"))
	within(t, "a stale inventory to decide nothing", has("other", stale))
	if said := g.service(t, "frozen", "plain"); !strings.Contains(said, "a plain name") || !strings.Contains(said, stale) {
		t.Errorf("a policy that reads nothing: want it to decide beside the one that cannot, got %q", said)
	}
	if got := gauge(t, metrics, "lintel_inventory_kinds", "stale"); got != 1 {
		t.Errorf("kinds that are stale: got %v, want 1", got)
	}
	for _, cache := range []string{"namespaces", "inventory"} {
		if age := gauge(t, metrics, "lintel_cache_age_seconds", cache); age < 2 {
			t.Errorf("age of %s: got %v s, want more than the bound", cache, age)
		}
	}

	p.thaw()
	label(`null`)
	within(t, "what has come back to count", has("twin", "a ConfigMap has the same name"))
	within(t, "nothing to be wrong any more", func() bool { return g.service(t, "frozen", "other") == "" })
}

// heartbeat changes a Namespace and a ConfigMap all the time, as API servers tell
// watchers each minute that nothing has changed: that is too rare for a test.
func (g *gate) heartbeat(t *testing.T) (stop func()) {
	t.Helper()
	must(t, "create ConfigMap", g.create("/api/v1/namespaces/frozen/configmaps", `{"metadata":{"name":"beat"}}`))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for i := 0; ctx.Err() == nil; i++ {
			beat := fmt.Sprintf(`{"metadata":{"annotations":{"beat":"%d"}}}`, i)
			_ = g.patch("/api/v1/namespaces/frozen", beat)
			_ = g.patch("/api/v1/namespaces/frozen/configmaps/beat", beat)
			time.Sleep(100 * time.Millisecond)
		}
	}()
	return func() { cancel(); <-ended }
}

// matchConfigMaps matches what the gate is asked about to see that it is.
func matchConfigMaps() *v1alpha1.Match {
	m := match("", "ConfigMap")
	return &m
}

// gauge returns the value of one series of a metric that has one label.
func gauge(t *testing.T, metrics prometheus.Gatherer, name, label string) float64 {
	t.Helper()
	families, err := metrics.Gather()
	must(t, "gather metrics", err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && m.GetLabel()[0].GetValue() == label {
				return m.GetGauge().GetValue()
			}
		}
	}
	t.Fatalf("there is no %s of %s", name, label)
	return 0
}

// TestSilentWatch has watches say nothing, but lists answer: what has changed is found
// out long before it would be stale.
func TestSilentWatch(t *testing.T) {
	p := through(t, unlimited(t))
	p.lists = true
	k := keep(t, controller.CacheConfig{Client: dynamic.NewForConfigOrDie(p.Config), MaxAge: 15 * time.Second}, policy(strict, v1alpha1.PolicySpec{}), policy(loner, v1alpha1.PolicySpec{}))
	g := &gate{client: k.client}
	g.namespace(t, "silent", `"services":"forbidden"`)
	must(t, "create ConfigMap", g.create("/api/v1/namespaces/silent/configmaps", `{"metadata":{"name":"plain"}}`))
	const before = "loner: a ConfigMap has the same name; strict: no services here"
	within(t, "all to be known", func() bool { return k.says(t, "silent") == before })
	p.freeze()
	must(t, "label namespace", g.patch("/api/v1/namespaces/silent", `{"metadata":{"labels":{"services":null}}}`))
	must(t, "delete ConfigMap", g.delete("/api/v1/namespaces/silent/configmaps/plain"))
	within(t, "both to be read anew", func() bool {
		said := k.says(t, "silent")
		if strings.Contains(said, "could not decide") {
			t.Fatalf("it is read too late: %s", said)
		}
		return said == ""
	})
}

// TestNewNamespace makes objects in namespaces of which no watch has told yet, and
// in one that cannot be read at all: neither is taken for one without labels.
func TestNewNamespace(t *testing.T) {
	p := through(t, unlimited(t))
	g := startWith(t, controller.CacheConfig{Client: dynamic.NewForConfigOrDie(p.Config)},
		policy(labelled, v1alpha1.PolicySpec{Match: matchConfigMaps(), Enforcement: v1alpha1.DryRun}), policy(strict, v1alpha1.PolicySpec{}))
	p.freeze()
	for i := range 10 {
		name := fmt.Sprintf("new-%d", i)
		g.namespace(t, name, `"services":"forbidden"`)
		if said := g.service(t, name, "web"); !strings.Contains(said, "no services here") {
			t.Errorf("a Service in a namespace that was made just now: want it denied, got %q", said)
		}
	}
	g.namespace(t, "new-free", "")
	if said := g.service(t, "new-free", "web"); said != "" {
		t.Errorf("a Service in a new namespace that does not mind: got %q", said)
	}
	p.cutOff(true)
	if said := g.service(t, "new-0", "web"); !strings.Contains(said, "strict  could not decide: the labels of the namespace are not known") {
		t.Errorf("a Service in a namespace that cannot be read: want that nobody could decide, got %q", said)
	}
}

// TestAPIServerGone ends the API server and starts it anew: what was read is decided
// by meanwhile, within the bound and no longer, and catches up afterwards.
func TestAPIServerGone(t *testing.T) {
	c := shared.Cluster(t)
	cache := controller.CacheConfig{Client: dynamic.NewForConfigOrDie(unlimited(t))}
	policies := []engine.Policy{policy(strict, v1alpha1.PolicySpec{}), policy(loner, v1alpha1.PolicySpec{}), policy(plain, v1alpha1.PolicySpec{})}
	long := keep(t, cache, policies...)
	cache.MaxAge = 2 * time.Second
	short := keep(t, cache, policies...)
	g := &gate{client: long.client}
	g.namespace(t, "gone", `"services":"forbidden"`)
	must(t, "create ConfigMap", g.create("/api/v1/namespaces/gone/configmaps", `{"metadata":{"name":"plain"}}`))
	const known = "loner: a ConfigMap has the same name; plain: a plain name; strict: no services here"
	within(t, "all to be known", func() bool { return long.says(t, "gone") == known })

	must(t, "kill", c.Kill(cluster.APIServer))
	for range 50 {
		if got := long.says(t, "gone"); got != known {
			t.Fatalf("while the API server is gone: got %q, want %q", got, known)
		}
	}
	const unknown = "plain: a plain name; loner could not decide; strict could not decide"
	within(t, "what is older than the bound to decide nothing", func() bool { return short.says(t, "gone") == unknown })
	if got := long.says(t, "gone"); got != known {
		t.Errorf("within the bound: got %q, want %q", got, known)
	}
	must(t, "restart", c.Restart(t.Context(), cluster.APIServer))

	must(t, "label namespace", g.patch("/api/v1/namespaces/gone", `{"metadata":{"labels":{"services":null}}}`))
	must(t, "delete ConfigMap", g.delete("/api/v1/namespaces/gone/configmaps/plain"))
	within(t, "one to catch up", func() bool { return long.says(t, "gone") == "plain: a plain name" })
	within(t, "the other to catch up", func() bool { return short.says(t, "gone") == "plain: a plain name" })
}

// A known knows a cluster and decides, asked by the test alone.
type known struct {
	client    *kubernetes.Clientset
	live      *controller.Live
	inventory *controller.Inventory
}

// keep reads what policies need of the shared cluster.
func keep(t *testing.T, cache controller.CacheConfig, policies ...engine.Policy) known {
	t.Helper()
	k := known{client: kubernetes.NewForConfigOrDie(unlimited(t))}
	catalog, err := controller.ReadCatalog(t.Context(), k.client.DiscoveryClient, nil)
	must(t, "read catalog", err)
	set, err := engine.Compile(engine.Config{Policies: policies, Plurals: catalog.Plurals()})
	must(t, "compile", err)
	namespaces, inventory := controller.NewNamespaces(cache), controller.NewInventory(cache)
	must(t, "watch namespaces", namespaces.Start(t.Context()))
	k.inventory = inventory
	must(t, "watch inventory", inventory.Watch(t.Context(), set.Inventory(), catalog))
	k.live = controller.NewLive(controller.LiveConfig{Namespaces: namespaces, Inventory: inventory})
	k.live.Swap(set)
	eventually(t, "ready", func() bool { return k.live.Ready() == nil })
	return k
}

// says returns what is decided about the Service "plain" of a namespace.
func (k known) says(t *testing.T, namespace string) string {
	t.Helper()
	req, err := engine.Decode([]byte(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","operation":"CREATE",
		"kind":{"group":"","version":"v1","kind":"Service"},"resource":{"group":"","version":"v1","resource":"services"},"namespace":"` + namespace + `","name":"plain",
		"object":{"apiVersion":"v1","kind":"Service","metadata":{"name":"plain","namespace":"` + namespace + `"}}}}`))
	must(t, "decode", err)
	d, err := k.live.Review(t.Context(), engine.Whole, req)
	must(t, "review", err)
	var parts []string
	for _, v := range d.Violations {
		parts = append(parts, v.Policy+": "+v.Message)
	}
	for _, e := range d.Errors {
		parts = append(parts, e.Policy+" could not decide")
	}
	return strings.Join(parts, "; ")
}
