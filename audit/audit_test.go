package audit_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/audit"
	"github.com/lintel-policy/lintel/engine"
)

// owned wants an owner of what it matches, by what the namespace asks for.
const owned = `# METADATA
# title: Owned
# custom:
#   severity: high
#   enforcement: deny
#   match:
#     kinds:
#     - {apiGroups: [""], kinds: [ConfigMap, PersistentVolumeClaim]}
#     - {apiGroups: [apps], kinds: [ReplicaSet]}
package lintel.owned

violation contains {"msg": "owner is missing", "path": ["metadata", "labels", "owner"]} if {
	not input.review.object.metadata.labels.owner
	not input.review.namespaceObject.metadata.labels.lax
}
`

var (
	configMaps   = audit.Kind{GroupVersionKind: schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, Resource: "configmaps", Namespaced: true}
	claims       = audit.Kind{GroupVersionKind: schema.GroupVersionKind{Version: "v1", Kind: "PersistentVolumeClaim"}, Resource: "persistentvolumeclaims", Namespaced: true}
	replicaSets  = audit.Kind{GroupVersionKind: schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "ReplicaSet"}, Resource: "replicasets", Namespaced: true}
	statefulSets = audit.Kind{GroupVersionKind: schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "StatefulSet"}, Resource: "statefulsets", Namespaced: true}
	widgets      = audit.Kind{GroupVersionKind: schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Widget"}, Resource: "widgets", Namespaced: true}
)

func compile(t *testing.T, rego string) *engine.Set {
	t.Helper()
	set, err := engine.Compile(engine.Config{Policies: []engine.Policy{{Name: "owned", Modules: []v1alpha1.Module{{Name: "owned.rego", Rego: rego}}}}})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// namespace makes a namespace that goes with the test.
func namespace(t *testing.T, client kubernetes.Interface, name string, labels map[string]string) {
	t.Helper()
	_, err := client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}, metav1.CreateOptions{})
	must(t, err)
	t.Cleanup(func() {
		must(t, client.CoreV1().Namespaces().Delete(context.WithoutCancel(t.Context()), name, metav1.DeleteOptions{}))
	})
}

// seed makes ConfigMaps, some with an owner, and returns which should be denied.
func seed(t *testing.T, client kubernetes.Interface, namespace string, n int) map[string]bool {
	t.Helper()
	dice := rand.New(rand.NewPCG(1, 2))
	denied := map[string]bool{}
	var clients sync.WaitGroup
	limit := make(chan struct{}, 8)
	for i := range n {
		m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("map-%04d", i), Labels: map[string]string{"team": fmt.Sprintf("team-%d", i%3)}}}
		if dice.IntN(2) == 0 {
			m.Labels["owner"] = "somebody"
		} else {
			denied[namespace+"/"+m.Name] = true
		}
		limit <- struct{}{}
		clients.Go(func() {
			defer func() { <-limit }()
			if _, err := client.CoreV1().ConfigMaps(namespace).Create(t.Context(), m, metav1.CreateOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	clients.Wait()
	return denied
}

// pages are what a client asks for of ConfigMaps, page by page. Before the second, the API
// server forgets the state that the list began with.
type pages struct {
	t      *testing.T
	base   http.RoundTripper
	forget func() // has the API server forget a little
	limits map[string]int
	gone   int // how often it was said that the state is forgotten
}

// RoundTrip sends one request.
func (p *pages) RoundTrip(req *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(req.URL.Path, "/configmaps") {
		return p.base.RoundTrip(req)
	}
	p.limits[req.URL.Query().Get("limit")]++
	for waited := 0; p.gone == 0 && req.URL.Query().Get("continue") != "" && waited < 300; waited++ {
		res, err := p.base.RoundTrip(req.Clone(p.t.Context()))
		if err != nil {
			return nil, err
		}
		_ = res.Body.Close()
		if res.StatusCode == http.StatusGone {
			p.gone++
			break
		}
		p.forget()
		time.Sleep(200 * time.Millisecond)
	}
	return p.base.RoundTrip(req)
}

// TestRun finds in many pages what a check in Go finds, in the order of names, and
// counts by labels, though the state in which the list began is forgotten before its end.
func TestRun(t *testing.T) {
	client := newClient(t)
	namespace(t, client, "strict", map[string]string{"team": "platform"})
	namespace(t, client, "lax", map[string]string{"lax": "yes"})
	want := seed(t, client, "strict", 1100) // three pages
	seed(t, client, "lax", 10)

	asked := &pages{t: t, limits: map[string]int{}, forget: func() {
		_, err := client.CoreV1().Namespaces().Patch(t.Context(), "strict", types.MergePatchType, []byte(fmt.Sprintf(`{"metadata": {"annotations": {"now": "%d"}}}`, time.Now().UnixNano())), metav1.PatchOptions{})
		must(t, err)
	}}
	config := audit.Shared.Cluster(t).Config()
	config.Wrap(func(base http.RoundTripper) http.RoundTripper {
		asked.base = base
		return asked
	})
	var reviewed sync.Map
	r, err := audit.Run(t.Context(), audit.Config{
		Client: clientOf(t, config).CoreV1().RESTClient(), Set: compile(t, owned), Kinds: []audit.Kind{configMaps}, Labels: []string{"team"},
		Reviewed: func() { reviewed.Store(new(int), true) },
	})
	must(t, err)
	if pages := asked.limits["500"]; asked.gone != 1 || pages < 4 || len(asked.limits) != 1 || len(r.Errors) > 0 {
		t.Errorf("asked for pages of %v, %d times forgotten, errors %v; want some of 500, one of them twice, and no error", asked.limits, asked.gone, r.Errors)
	}
	got, names := map[string]bool{}, []string{}
	for _, o := range r.Objects {
		if ns := o.Ref.Namespace; ns != "strict" && ns != "lax" || o.Ref.Name == "kube-root-ca.crt" {
			continue
		}
		names = append(names, o.Ref.Namespace+"/"+o.Ref.Name)
		for _, v := range o.Violations {
			if v.Enforcement == v1alpha1.Deny {
				got[names[len(names)-1]] = true
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("denied (-want +got):\n%s", diff)
	}
	if len(names) != 1110 || names[0] != "lax/map-0000" || names[10] != "strict/map-0000" || names[1109] != "strict/map-1099" {
		t.Errorf("%d objects, from %q to %q", len(names), names[0], names[len(names)-1])
	}
	n := 0
	reviewed.Range(func(any, any) bool { n++; return true })
	if n != len(r.Objects) {
		t.Errorf("%d objects were told of, of %d", n, len(r.Objects))
	}
	for _, table := range r.Tables() {
		if table.By != "team" {
			continue
		}
		total := 0
		for _, row := range table.Rows {
			total += row.Denied
			if strings.HasPrefix(row.Name, "team-") && row.Objects < 367 {
				t.Errorf("row %+v", row)
			}
		}
		if total < len(want) {
			t.Errorf("%d are denied in %+v", total, table)
		}
	}
}

// TestRunOfOneNamespace asks for nothing outside of it.
func TestRunOfOneNamespace(t *testing.T) {
	client := newClient(t)
	namespace(t, client, "mine", nil)
	want := seed(t, client, "mine", 5)
	namespace(t, client, "theirs", nil)
	seed(t, client, "theirs", 5)
	limited := as(t, client, "mine", "tenant", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"list"}})

	cfg := audit.Config{Client: limited.CoreV1().RESTClient(), Set: compile(t, owned), Kinds: []audit.Kind{configMaps}, Namespace: "mine"}
	if _, err := audit.Run(t.Context(), cfg); err == nil || !strings.HasPrefix(err.Error(), `read the namespace: namespaces "mine" is forbidden`) {
		t.Errorf("without its Namespace: %v", err)
	}
	role, err := client.RbacV1().Roles("mine").Get(t.Context(), "tenant", metav1.GetOptions{})
	must(t, err)
	role.Rules = append(role.Rules, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"get"}})
	_, err = client.RbacV1().Roles("mine").Update(t.Context(), role, metav1.UpdateOptions{})
	must(t, err)
	await(t, func() error {
		_, err := limited.CoreV1().Namespaces().Get(t.Context(), "mine", metav1.GetOptions{})
		return err
	})
	r, err := audit.Run(t.Context(), cfg)
	must(t, err)
	denied := 0
	for _, o := range r.Objects {
		if o.Ref.Namespace != "mine" {
			t.Errorf("%s is of another namespace", o.Ref)
		}
		if o.Ref.Name != "kube-root-ca.crt" && len(o.Violations) > 0 {
			denied++
		}
	}
	if denied != len(want) || len(r.Errors) > 0 {
		t.Errorf("%d denied, want %d; errors %v", denied, len(want), r.Errors)
	}

	cfg.Client, cfg.Namespace = client.CoreV1().RESTClient(), "nowhere"
	if _, err := audit.Run(t.Context(), cfg); err == nil || err.Error() != `read the namespace: namespaces "nowhere" not found` {
		t.Errorf("a namespace that is not there: %v", err)
	}
}

// TestUnlistable judges the rest where a kind cannot be listed.
func TestUnlistable(t *testing.T) {
	client := newClient(t)
	namespace(t, client, "rest", nil)
	seed(t, client, "rest", 5)
	limited := as(t, client, "rest", "reader")
	grant(t, client, "reader", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"namespaces", "configmaps"}, Verbs: []string{"get", "list"}})
	r, err := audit.Run(t.Context(), audit.Config{
		Client: limited.CoreV1().RESTClient(), Set: compile(t, owned), Kinds: []audit.Kind{replicaSets, widgets, configMaps}, Inventory: []audit.Kind{claims}, Namespace: "rest",
	})
	must(t, err)
	var got []string
	for _, e := range r.Errors {
		got = append(got, e.Message)
	}
	want := []string{
		`list persistentvolumeclaims: persistentvolumeclaims is forbidden: User "reader" cannot list resource "persistentvolumeclaims" in API group "" in the namespace "rest": policies that read it see none`,
		`list replicasets.apps: replicasets.apps is forbidden: User "reader" cannot list resource "replicasets" in API group "apps" in the namespace "rest"`,
		`list widgets.example.com: widgets.example.com is forbidden: User "reader" cannot list resource "widgets" in API group "example.com" in the namespace "rest"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	if len(r.Objects) < 5 {
		t.Errorf("%d objects were judged", len(r.Objects))
	}
}

// TestMade records what controllers made of workloads, and leaves out what is on its
// way out.
func TestMade(t *testing.T) {
	client := newClient(t)
	namespace(t, client, "made", nil)
	apply := func(manifest string) {
		t.Helper()
		_, stderr, code := audit.Shared.Cluster(t).Kubectl(t.Context(), strings.NewReader(manifest), "apply", "--server-side", "-f", "-")
		if code != 0 {
			t.Fatal(stderr)
		}
	}
	apply(`
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: made}
spec:
  selector: {matchLabels: {app: db}}
  serviceName: db
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: postgres}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: &claim {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data-db-0, namespace: made}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data-db-x, namespace: made}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: going, namespace: made, finalizers: [example.com/held]}}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata:
  name: web-1
  namespace: made
  ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, uid: 00000000-0000-0000-0000-000000000001, controller: true}]
spec: &rs
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: nginx}]}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata:
  name: web-2
  namespace: made
  ownerReferences: [{apiVersion: example.com/v1, kind: Rollout, name: web, uid: 00000000-0000-0000-0000-000000000001, controller: true}]
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: nginx}]}
`)
	must(t, client.CoreV1().ConfigMaps("made").Delete(t.Context(), "going", metav1.DeleteOptions{}))
	t.Cleanup(func() {
		_, err := client.CoreV1().ConfigMaps("made").Patch(context.WithoutCancel(t.Context()), "going", "application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
		must(t, err)
	})
	r, err := audit.Run(t.Context(), audit.Config{
		Client: client.CoreV1().RESTClient(), Set: compile(t, owned), Kinds: []audit.Kind{configMaps, claims, replicaSets}, Namespace: "made",
	})
	must(t, err)
	got := map[string]v1alpha1.Enforcement{}
	for _, o := range r.Objects {
		if o.Ref.Name != "kube-root-ca.crt" && len(o.Violations) == 1 {
			got[o.Ref.String()] = o.Violations[0].Enforcement
		}
	}
	want := map[string]v1alpha1.Enforcement{
		"PersistentVolumeClaim made/data-db-0": v1alpha1.DryRun, "PersistentVolumeClaim made/data-db-x": v1alpha1.Deny,
		"ReplicaSet made/web-1": v1alpha1.DryRun, "ReplicaSet made/web-2": v1alpha1.Deny,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("violations (-want +got):\n%s", diff)
	}
}

func newClient(t *testing.T) kubernetes.Interface {
	t.Helper()
	return clientOf(t, audit.Shared.Cluster(t).Config())
}

func clientOf(t *testing.T, config *rest.Config) kubernetes.Interface {
	t.Helper()
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	must(t, err)
	return client
}

// as returns a client of a user who may do what rules say in a namespace.
func as(t *testing.T, admin kubernetes.Interface, namespace, user string, rules ...rbacv1.PolicyRule) kubernetes.Interface {
	t.Helper()
	_, err := admin.RbacV1().Roles(namespace).Create(t.Context(), &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: user}, Rules: rules}, metav1.CreateOptions{})
	must(t, err)
	_, err = admin.RbacV1().RoleBindings(namespace).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: user}, Subjects: []rbacv1.Subject{{Kind: "User", APIGroup: "rbac.authorization.k8s.io", Name: user}},
		RoleRef: rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "Role", Name: user},
	}, metav1.CreateOptions{})
	must(t, err)
	config, err := audit.Shared.Cluster(t).ConfigFor(user)
	must(t, err)
	return clientOf(t, config)
}

// grant lets a user do what rules say everywhere, as long as the test runs, and
// returns when that has come into force.
func grant(t *testing.T, admin kubernetes.Interface, user string, rules ...rbacv1.PolicyRule) {
	t.Helper()
	_, err := admin.RbacV1().ClusterRoles().Create(t.Context(), &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: user}, Rules: rules}, metav1.CreateOptions{})
	must(t, err)
	_, err = admin.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: user}, Subjects: []rbacv1.Subject{{Kind: "User", APIGroup: "rbac.authorization.k8s.io", Name: user}},
		RoleRef: rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: user},
	}, metav1.CreateOptions{})
	must(t, err)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		must(t, admin.RbacV1().ClusterRoles().Delete(ctx, user, metav1.DeleteOptions{}))
		must(t, admin.RbacV1().ClusterRoleBindings().Delete(ctx, user, metav1.DeleteOptions{}))
	})
	config, err := audit.Shared.Cluster(t).ConfigFor(user)
	must(t, err)
	client := clientOf(t, config)
	await(t, func() error {
		_, err := client.CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{Limit: 1})
		return err
	})
}

// await waits until check finds nothing wrong: permissions come into force a moment
// after they were given.
func await(t *testing.T, check func() error) {
	t.Helper()
	var err error
	for range 1200 {
		if err = check(); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal(err)
}
