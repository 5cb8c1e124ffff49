package controller_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/certs"
	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/e2e/cluster"
	"github.com/lintel-policy/lintel/e2e/cluster/clustertest"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/webhook"
)

var shared = clustertest.New(cluster.Config{})

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

// labelled wants a label of everything it matches and gives another one.
const labelled = `# METADATA
# title: Labelled
# custom:
#   severity: high
#   category: reliability
#   enforcement: deny
#   match:
#     kinds:
#     - {apiGroups: [""], kinds: [Pod, ConfigMap, Service, Namespace]}
#     - {apiGroups: [apps], kinds: [Deployment]}
#     - {apiGroups: [example.com], kinds: [Widget]}
#     subresources: ["", status, scale, ephemeralcontainers, resize]
#     operations: [CREATE, UPDATE, DELETE]
package lintel.labelled

violation contains {"msg": "label team is missing", "path": ["metadata", "labels", "team"]} if {
	object.get(input.review, "subResource", "") != "scale"
	input.review.operation != "DELETE"
	not input.review.object.metadata.labels.team
}

patch contains {"path": ["metadata", "labels", "seen"], "value": "yes"} if input.review.kind.kind != "Namespace"
`

// A gate is Lintel in front of a cluster: everything that serves needs, and a
// record of what the API server asked.
type gate struct {
	config  *rest.Config
	client  *kubernetes.Clientset
	dynamic dynamic.Interface
	live    *controller.Live
	caches  controller.Caches
	found   func(*controller.Catalog)
	stop    func() error // removes the registration, then stops serving

	mu    sync.Mutex
	calls []call
}

// A call is what the API server asked once.
type call struct {
	entry    string   // deny, warn or patch
	what     string   // operation, resource and name
	policies []string // that answered; not known of patch
}

func (g *gate) Review(ctx context.Context, part engine.Part, req *engine.Request) (*engine.Decision, error) {
	entry := map[engine.Part]string{engine.Enforcing: "deny", engine.Recording: "warn"}[part]
	d, err := g.live.Review(ctx, part, req)
	c := call{entry: entry, what: what(req)}
	if d != nil {
		c.policies = d.Evaluated
	}
	g.record(c)
	return d, err
}

func (g *gate) Patch(ctx context.Context, req *engine.Request) (*engine.Mutation, error) {
	g.record(call{entry: "patch", what: what(req)})
	return g.live.Patch(ctx, req)
}

func (g *gate) record(c call) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls = append(g.calls, c)
}

func what(req *engine.Request) string {
	asked := string(req.Operation()) + " " + req.Resource().Resource
	if s := req.Subresource(); s != "" {
		asked += "/" + s
	}
	return asked + " " + req.Ref().Name
}

func (g *gate) Undecided(part engine.Part, req *engine.Request, err error) *engine.Decision {
	return g.live.Undecided(part, req, err)
}

// callsOf returns what was asked while do ran, each once: the API server asks again
// when it finds that the object it went by is not the newest.
func (g *gate) callsOf(do func()) []call {
	g.mu.Lock()
	before := len(g.calls)
	g.mu.Unlock()
	do()
	g.mu.Lock()
	defer g.mu.Unlock()
	var calls []call
	for _, c := range g.calls[before:] {
		same := func(other call) bool {
			return c.entry == other.entry && c.what == other.what && slices.Equal(c.policies, other.policies)
		}
		if !slices.ContainsFunc(calls, same) {
			calls = append(calls, c)
		}
	}
	return calls
}

// since returns what the validating entries were asked while do ran.
func (g *gate) since(do func()) []string {
	var asked []string
	for _, c := range g.callsOf(do) {
		if c.entry != "patch" {
			asked = append(asked, c.what)
		}
	}
	return asked
}

// policy is a policy of one module.
func policy(rego string, spec v1alpha1.PolicySpec) engine.Policy {
	_, rest, _ := strings.Cut(rego, "package lintel.")
	name, _, _ := strings.Cut(rest, "\n")
	return engine.Policy{Name: name, Modules: []v1alpha1.Module{{Name: name + ".rego", Rego: rego}}, Spec: spec}
}

// start puts Lintel with policies in front of the shared cluster. It fails closed,
// so that a match condition that errs is seen as a request that is refused.
func start(t *testing.T, policies ...engine.Policy) *gate {
	t.Helper()
	return startWith(t, controller.CacheConfig{Client: dynamic.NewForConfigOrDie(unlimited(t))}, policies...)
}

// unlimited reaches the shared cluster as fast as it answers.
func unlimited(t *testing.T) *rest.Config {
	t.Helper()
	cfg := shared.Cluster(t).Config()
	cfg.QPS, cfg.Burst = -1, -1
	return cfg
}

// startWith does the same with what is kept of the cluster as it is configured.
func startWith(t *testing.T, cache controller.CacheConfig, policies ...engine.Policy) *gate {
	t.Helper()
	cfg := unlimited(t)
	g := &gate{config: cfg, client: kubernetes.NewForConfigOrDie(cfg), dynamic: dynamic.NewForConfigOrDie(cfg)}
	catalog, err := controller.ReadCatalog(t.Context(), g.client.DiscoveryClient, nil)
	must(t, "read catalog", err)
	set, err := engine.Compile(engine.Config{Policies: policies, Plurals: catalog.Plurals()})
	must(t, "compile", err)

	namespaces := controller.NewNamespaces(cache)
	must(t, "watch namespaces", namespaces.Start(t.Context()))
	inventory := controller.NewInventory(cache)
	g.found = func(c *controller.Catalog) {
		if err := inventory.Watch(t.Context(), set.Inventory(), c); err != nil {
			t.Errorf("watch inventory: %v", err)
		}
	}
	g.found(catalog)
	g.caches = controller.Caches{Namespaces: namespaces, Inventory: inventory}
	g.live = controller.NewLive(controller.LiveConfig{Namespaces: namespaces, Inventory: inventory})
	g.live.Swap(set)
	eventually(t, "ready", func() bool { return g.live.Ready() == nil })
	g.serve(t)
	return g
}

// serve serves and registers, and returns when the API server asks.
func (g *gate) serve(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, "listen", err)
	authority, err := certs.NewAuthority(time.Now(), time.Hour)
	must(t, "make authority", err)
	pair, err := authority.Issue([]string{"127.0.0.1"}, time.Now(), time.Hour)
	must(t, "issue certificate", err)
	source, err := certs.NewSource(pair, time.Now())
	must(t, "serve certificate", err)
	handler, err := webhook.New(webhook.Config{Decider: g})
	must(t, "make handler", err)
	server, err := webhook.NewServer(webhook.ServerConfig{Listener: listener, GetCertificate: source.GetCertificate})
	must(t, "make server", err)
	for _, path := range webhook.Paths() {
		server.Register(path, handler)
	}
	registrar, err := controller.NewRegistrar(controller.RegistrarConfig{
		Client: g.client.AdmissionregistrationV1(), Discovery: g.client.DiscoveryClient, Set: g.live.Set, Asked: g.live.Asked(),
		Target:    controller.Target{URL: "https://" + listener.Addr().String(), CABundle: func() []byte { return authority.Pair().Certificate }},
		APIServer: g.config.Host, FailClosed: true, Refresh: 200 * time.Millisecond, Discovered: g.found,
	})
	must(t, "make registrar", err)
	g.run(t, server, registrar)
	eventually(t, "the API server to ask", func() bool {
		return len(g.since(func() {
			pod := fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"probe","labels":{"team":"a"}}}`)
			_ = g.create("/api/v1/namespaces/default/configmaps?dryRun=All", pod)
			_ = g.create("/api/v1/namespaces/default/pods?dryRun=All", podJSON("probe", "team"))
		})) > 0
	})
}

func (g *gate) run(t *testing.T, server *webhook.Server, registrar *controller.Registrar) {
	t.Helper()
	serving, stopServing := context.WithCancel(context.WithoutCancel(t.Context()))
	registered, deregister := context.WithCancel(serving)
	served, removed := make(chan error, 1), make(chan error, 1)
	go func() { served <- server.Start(serving) }()
	go func() { removed <- registrar.Run(registered) }()
	g.stop = sync.OnceValue(func() error {
		deregister()
		err := errors.Join(<-removed, registrar.Remove(t.Context()))
		stopServing()
		<-served
		return err
	})
	t.Cleanup(func() {
		if err := g.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
}

func (g *gate) create(path, body string) error {
	return g.client.RESTClient().Post().AbsPath("/").RequestURI(path).Body([]byte(body)).SetHeader("Content-Type", "application/json").Do(context.Background()).Error()
}

func (g *gate) patch(path, body string) error {
	return g.client.RESTClient().Patch("application/merge-patch+json").RequestURI(path).Body([]byte(body)).Do(context.Background()).Error()
}

func (g *gate) delete(path string) error {
	return g.client.RESTClient().Delete().RequestURI(path).Do(context.Background()).Error()
}

func podJSON(name string, labels ...string) string {
	var pairs []string
	for _, l := range labels {
		pairs = append(pairs, fmt.Sprintf("%q:%q", l, "x"))
	}
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":%q,"labels":{%s}},"spec":{"containers":[{"name":"c","image":"i","resources":{"requests":{"cpu":"1"}}}]}}`,
		name, strings.Join(pairs, ","))
}

func TestGate(t *testing.T) {
	g := start(t, policy(labelled, v1alpha1.PolicySpec{}))
	pods := "/api/v1/namespaces/default/pods"

	t.Run("DeniedAndPatched", func(t *testing.T) {
		err := g.create(pods, podJSON("bare"))
		if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `admission webhook "deny.lintel.dev" denied the request: Pod default/bare breaks 1 policy (1 violation):`) {
			t.Errorf("a pod without the label: want it denied with the reason, got %v", err)
		}
		must(t, "create a pod with the label", g.create(pods, podJSON("web", "team")))
		pod, err := g.client.CoreV1().Pods("default").Get(t.Context(), "web", metav1.GetOptions{})
		must(t, "get", err)
		if pod.Labels["seen"] != "yes" {
			t.Errorf("labels of the stored pod: want what the patch adds, got %v", pod.Labels)
		}
	})

	cases := map[string]struct {
		reason string
		do     func() error
		want   []string
		denied bool
	}{
		"StatusWithoutLabels": {
			reason: "A status that leaves the labels alone is not asked about.",
			do: func() error {
				return g.patch(pods+"/web/status", `{"status":{"phase":"Running"}}`)
			},
		},
		"StatusDropsLabel": {
			reason: "A status that drops a label is asked about, and denied.",
			do:     func() error { return g.patch(pods+"/web/status", `{"metadata":{"labels":{"team":null}}}`) },
			want:   []string{"UPDATE pods/status web"}, denied: true,
		},
		"StatusDropsAllLabels": {
			reason: "An object without labels does not make the condition err.",
			do:     func() error { return g.patch(pods+"/web/status", `{"metadata":{"labels":null}}`) },
			want:   []string{"UPDATE pods/status web"}, denied: true,
		},
		"Resize": {
			reason: "A resize is asked about.",
			do: func() error {
				return g.patch(pods+"/web/resize", `{"spec":{"containers":[{"name":"c","image":"i","resources":{"requests":{"cpu":"2"}}}]}}`)
			},
			want: []string{"UPDATE pods/resize web"},
		},
		"EphemeralContainers": {
			reason: "An ephemeral container is asked about.",
			do: func() error {
				return g.patch(pods+"/web/ephemeralcontainers", `{"spec":{"ephemeralContainers":[{"name":"d","image":"i","terminationMessagePolicy":"File"}]}}`)
			},
			want: []string{"UPDATE pods/ephemeralcontainers web"},
		},
		"KubeSystem": {
			reason: "What is in kube-system is never held up.",
			do: func() error {
				return g.create("/api/v1/namespaces/kube-system/configmaps", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"bare"}}`)
			},
		},
		"Namespace": {
			reason: "A namespace is asked about by its own name.",
			do:     func() error { return g.create("/api/v1/namespaces", `{"metadata":{"name":"bare"}}`) },
			want:   []string{"CREATE namespaces bare"}, denied: true,
		},
		"DryRun": {
			reason: "A dry run gets the same verdict.",
			do:     func() error { return g.create(pods+"?dryRun=All", podJSON("bare")) },
			want:   []string{"CREATE pods bare"}, denied: true,
		},
		"APIServer": {
			reason: "What the API server does for itself is never held up.",
			do: func() error {
				as := rest.CopyConfig(g.config)
				as.Impersonate = rest.ImpersonationConfig{UserName: "system:apiserver", Groups: []string{"system:masters"}}
				return kubernetes.NewForConfigOrDie(as).RESTClient().Post().RequestURI("/api/v1/namespaces/default/configmaps").
					Body([]byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"own"}}`)).Do(t.Context()).Error()
			},
		},
		"Scale": {
			reason: "A scale of a deployment is asked about, though its kind is another.",
			do: func() error {
				deployment := `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","labels":{"team":"a"}},"spec":{"selector":{"matchLabels":{"a":"b"}},` +
					`"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}`
				if err := g.create("/apis/apps/v1/namespaces/default/deployments", deployment); err != nil {
					return err
				}
				return g.patch("/apis/apps/v1/namespaces/default/deployments/web/scale", `{"spec":{"replicas":3}}`)
			},
			want: []string{"CREATE deployments web", "UPDATE deployments/scale web"},
		},
		"Delete": {
			reason: "A deletion has no object, which makes no condition err.",
			do: func() error {
				return g.client.AppsV1().Deployments("default").Delete(t.Context(), "web", metav1.DeleteOptions{})
			},
			want: []string{"DELETE deployments web"},
		},
		"UnlabelledDelete": {
			reason: "Nor does one of an object without labels.",
			do: func() error {
				return g.client.CoreV1().ConfigMaps("default").Delete(t.Context(), "own", metav1.DeleteOptions{})
			},
			want: []string{"DELETE configmaps own"},
		},
	}
	order := []string{
		"StatusWithoutLabels", "StatusDropsLabel", "StatusDropsAllLabels", "Resize", "EphemeralContainers", "KubeSystem", "Namespace", "DryRun",
		"APIServer", "Scale", "Delete", "UnlabelledDelete",
	}
	if len(order) != len(cases) {
		t.Fatalf("%d cases in order, of %d", len(order), len(cases))
	}
	for _, name := range order {
		tc := cases[name]
		t.Run(name, func(t *testing.T) {
			var err error
			got := g.since(func() { err = tc.do() })
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nasked: -want, +got:\n%s", tc.reason, diff)
			}
			if apierrors.IsForbidden(err) != tc.denied {
				t.Errorf("%s\nwant denied %t, got %v", tc.reason, tc.denied, err)
			}
			if err != nil && !tc.denied && !apierrors.IsNotFound(err) {
				t.Errorf("%s\nwant no error, got %v", tc.reason, err)
			}
		})
	}

	t.Run("PendingKind", func(t *testing.T) {
		must(t, "create CRD", g.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", widgetCRD))
		eventually(t, "a kind that has come to be denied", func() bool {
			return apierrors.IsForbidden(g.create("/apis/example.com/v1/namespaces/default/widgets?dryRun=All",
				`{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"w"}}`))
		})
	})

	t.Run("Deregistered", func(t *testing.T) {
		must(t, "stop", g.stop())
		v, err := g.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().List(t.Context(), metav1.ListOptions{})
		must(t, "list", err)
		m, err := g.client.AdmissionregistrationV1().MutatingWebhookConfigurations().List(t.Context(), metav1.ListOptions{})
		must(t, "list", err)
		if len(v.Items)+len(m.Items) != 0 {
			t.Errorf("registrations after the end: want none, got %d and %d", len(v.Items), len(m.Items))
		}
		eventually(t, "requests to pass again", func() bool { return g.create(pods, podJSON("after")) == nil })
	})
}

const widgetCRD = `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"widgets.example.com"},
"spec":{"group":"example.com","scope":"Namespaced","names":{"plural":"widgets","singular":"widget","kind":"Widget","listKind":"WidgetList"},
"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}]}}`

// twins denies a pod whose name a ConfigMap has, in namespaces that ask for it.
const twins = `# METADATA
# title: Twins
# custom:
#   severity: high
#   category: reliability
#   enforcement: deny
#   match:
#     kinds: [{apiGroups: [""], kinds: [Pod]}]
#     namespaceSelector: {matchLabels: {twins: forbidden}}
#   inventory:
#   - {apiVersion: v1, kind: ConfigMap}
#   - {apiVersion: example.org/v1, kind: Nothing, optional: true}
package lintel.twins

violation contains {"msg": sprintf("ConfigMap %s has the same name", [name])} if {
	name := input.review.object.metadata.name
	data.inventory.namespace[input.review.namespace]["v1"].ConfigMap[name]
}

violation contains {"msg": sprintf("Nothing %s has the same name", [name])} if {
	name := input.review.object.metadata.name
	data.inventory.namespace[input.review.namespace]["example.org/v1"].Nothing[name]
}
`

func TestWhatTheClusterHolds(t *testing.T) {
	g := start(t, policy(twins, v1alpha1.PolicySpec{}))
	create := func(path, body string) {
		t.Helper()
		must(t, "create "+path, g.create(path, body))
	}
	denied := func(namespace, name string) bool {
		err := g.create("/api/v1/namespaces/"+namespace+"/pods?dryRun=All", podJSON(name))
		if err != nil && !apierrors.IsForbidden(err) {
			t.Fatalf("create pod %s/%s: %v", namespace, name, err)
		}
		return err != nil
	}
	create("/api/v1/namespaces", `{"metadata":{"name":"strict","labels":{"twins":"forbidden"}}}`)
	create("/api/v1/namespaces", `{"metadata":{"name":"lax"}}`)
	for _, ns := range []string{"strict", "lax"} {
		create("/api/v1/namespaces/"+ns+"/configmaps", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"web"}}`)
		must(t, "create service account", g.create("/api/v1/namespaces/"+ns+"/serviceaccounts", `{"metadata":{"name":"default"}}`))
	}
	eventually(t, "a new object to be in the inventory", func() bool { return denied("strict", "web") })
	if denied("lax", "web") {
		t.Error("a namespace that does not ask for it: want the pod admitted")
	}
	if denied("strict", "other") {
		t.Error("a pod without a twin: want it admitted")
	}
	must(t, "delete", g.client.CoreV1().ConfigMaps("strict").Delete(t.Context(), "web", metav1.DeleteOptions{}))
	eventually(t, "a deleted object to leave the inventory", func() bool { return !denied("strict", "web") })
	must(t, "label namespace", g.patch("/api/v1/namespaces/lax", `{"metadata":{"labels":{"twins":"forbidden"}}}`))
	eventually(t, "a changed label to count", func() bool { return denied("lax", "web") })

	if denied("strict", "late") {
		t.Error("a kind that does not exist yet: want it empty, and the pod admitted")
	}
	create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
		strings.NewReplacer("widget", "nothing", "Widget", "Nothing", "example.com", "example.org").Replace(widgetCRD))
	eventually(t, "an object of a kind that has come to be in the inventory", func() bool {
		_ = g.create("/apis/example.org/v1/namespaces/strict/nothings", `{"apiVersion":"example.org/v1","kind":"Nothing","metadata":{"name":"late"}}`)
		return denied("strict", "late")
	})
}

func TestNamespaceThatTheWatchLacks(t *testing.T) {
	cfg := shared.Cluster(t).Config()
	client := kubernetes.NewForConfigOrDie(cfg)
	// Nothing is watched, as if the watch were late.
	namespaces := controller.NewNamespaces(controller.CacheConfig{Client: dynamic.NewForConfigOrDie(cfg)})
	_, err := namespaces.Get(t.Context(), "late")
	if err == nil {
		t.Error("Get of a namespace that does not exist: want an error, got none")
	}
	must(t, "create namespace", client.RESTClient().Post().RequestURI("/api/v1/namespaces").Body([]byte(`{"metadata":{"name":"late"}}`)).Do(t.Context()).Error())
	got, err := namespaces.Get(t.Context(), "late")
	must(t, "get namespace", err)
	if got.Ref().Name != "late" {
		t.Errorf("Get: want late, got %s", got.Ref())
	}
}

// TestNamespaceIsUnknown: a policy that goes by the namespace could not decide
// where that cannot be read, and does not take it for one without labels.
func TestNamespaceIsUnknown(t *testing.T) {
	g := start(t, policy(twins, v1alpha1.PolicySpec{}))
	req, err := engine.Decode([]byte(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","operation":"CREATE",
		"kind":{"group":"","version":"v1","kind":"Pod"},"resource":{"group":"","version":"v1","resource":"pods"},"namespace":"nowhere","name":"web",
		"object":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"nowhere"}}}}`))
	must(t, "decode", err)
	d, err := g.live.Review(t.Context(), engine.Whole, req)
	must(t, "review", err)
	if d.Allowed() || len(d.Errors) != 1 {
		t.Errorf("Review: want it refused because the policy could not decide, got allowed %t, errors %v", d.Allowed(), d.Errors)
	}
}

func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited 15 s for %s", what)
		}
	}
}
