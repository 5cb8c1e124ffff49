package manifests_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/lintel-policy/lintel/e2e/cluster"
)

// tenancy is what is in the namespaces of tenants, and of Lintel, beside the
// installation.
const tenancy = `
apiVersion: lintel.dev/v1alpha1
kind: PolicyException
metadata: {name: legacy, namespace: tenants}
spec: {policies: [probes], objects: {names: [legacy]}, reason: r, owner: o, expires: "2037-01-01T00:00:00Z"}
---
apiVersion: lintel.dev/v1alpha1
kind: PolicyException
metadata: {name: legacy, namespace: lintel-system}
spec: {policies: [probes], objects: {names: [legacy]}, reason: r, owner: o, expires: "2037-01-01T00:00:00Z"}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: lintel-1, namespace: lintel-system, labels: {kubernetes.io/service-name: lintel}}
addressType: IPv4
endpoints: []
`

// testTenants has people of all sorts do all that can be done with what is Lintel's,
// by real requests, the writing ones as dry runs.
func testTenants(t *testing.T, c *cluster.Cluster) {
	bindRoles(t, c, "tenants")
	kubectl(t, c, "apply", "-f", guardManifest)
	_, stderr, code := c.Kubectl(t.Context(), strings.NewReader(tenancy), "apply", "-f", "-")
	if code != 0 {
		t.Fatal(stderr)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		c.Kubectl(ctx, strings.NewReader(tenancy), "delete", "--ignore-not-found", "-f", "-")
		c.Kubectl(ctx, nil, "delete", "--ignore-not-found", "-f", guardManifest)
	})
	for _, role := range []string{"admin", "edit", "view"} {
		kubectl(t, c, "create", "rolebinding", "-n", "tenants", role, "--clusterrole="+role, "--user="+role)
		for _, line := range canI(t, c, role, "tenants") {
			if strings.Contains(line, "lintel.dev") {
				t.Errorf("%s of a namespace may do: %s", role, line)
			}
		}
	}
	const read, all = "get list watch", "get list watch create update patch delete"
	want := map[string]string{
		"viewer policies": read, "viewer policyexceptions in lintel-system": read, "viewer policyexceptions in tenants": read,
		"editor policies": all, "editor policyexceptions in lintel-system": all, "editor policyexceptions in tenants": all,
		"author policyexceptions in tenants": all,
	}
	got := map[string]string{}
	for _, user := range []string{"admin", "edit", "view", "author", "viewer", "editor", "anybody", ""} {
		maps.Copy(got, attempts(t, c, user))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("who can do what: -want, +got:\n%s", diff)
	}
	t.Run("Escalation", func(t *testing.T) { testEscalation(t, c) })
}

// clientOf is the client of a user, of nobody if that is "".
func clientOf(t *testing.T, c *cluster.Cluster, user string) (dynamic.Interface, *rest.Config) {
	t.Helper()
	cfg := rest.AnonymousClientConfig(c.Config())
	if user != "" {
		var err error
		cfg, err = c.ConfigFor(user)
		must(t, err)
	}
	cfg.QPS = -1 // as fast as the API server answers
	return dynamic.NewForConfigOrDie(cfg), cfg
}

// attempts has a user do everything and returns what the API server let happen.
func attempts(t *testing.T, c *cluster.Cluster, user string) map[string]string {
	t.Helper()
	admin := dynamic.NewForConfigOrDie(c.Config())
	client, _ := clientOf(t, c, user)
	done := map[string]string{}
	for _, of := range lintels() {
		object, err := of.in(admin).Get(t.Context(), of.name, metav1.GetOptions{})
		must(t, err)
		for _, verb := range of.verbs() {
			err := of.attempt(t.Context(), client, verb, object.DeepCopy())
			switch {
			case err == nil:
				key := user + " " + of.String()
				done[key] = strings.TrimPrefix(done[key]+" "+verb, " ")
			case !apierrors.IsForbidden(err) && !apierrors.IsUnauthorized(err):
				t.Errorf("user %q, %s %s: %v, want it done or refused", user, verb, of, err)
			}
		}
	}
	return done
}

// A target is an object of Lintel's, or a subresource of one.
type target struct {
	gvr                          schema.GroupVersionResource
	namespace, name, subresource string
}

// String names the kind of object, and where it is.
func (of target) String() string {
	text := of.gvr.Resource
	if of.subresource != "" {
		text += "/" + of.subresource
	}
	if of.namespace != "" {
		text += " in " + of.namespace
	}
	return text
}

// lintels are all objects that an installation has, and what it goes by.
func lintels() []target {
	var all []target
	add := func(group, version, namespace string, named ...string) {
		for _, n := range named {
			resource, name, _ := strings.Cut(n, " ")
			resource, subresource, _ := strings.Cut(resource, "/")
			all = append(all, target{schema.GroupVersionResource{Group: group, Version: version, Resource: resource}, namespace, name, subresource})
		}
	}
	add("lintel.dev", "v1alpha1", "", "policies probes", "policies/status probes")
	for _, in := range []string{"tenants", namespace} {
		add("lintel.dev", "v1alpha1", in, "policyexceptions legacy", "policyexceptions/status legacy")
	}
	add("admissionregistration.k8s.io", "v1", "", "validatingwebhookconfigurations lintel", "mutatingwebhookconfigurations lintel",
		"validatingadmissionpolicies namespace-labels.lintel.dev", "validatingadmissionpolicybindings namespace-labels.lintel.dev")
	add("apiextensions.k8s.io", "v1", "", "customresourcedefinitions policies.lintel.dev", "customresourcedefinitions policyexceptions.lintel.dev")
	add("rbac.authorization.k8s.io", "v1", "", "clusterroles lintel", "clusterrolebindings lintel", "clusterroles lintel-namespace-labels")
	add("rbac.authorization.k8s.io", "v1", namespace, "roles lintel", "rolebindings lintel")
	add("", "v1", "", "namespaces lintel-system", "namespaces/status lintel-system")
	add("", "v1", namespace, "secrets lintel-tls", "configmaps lintel-state", "configmaps lintel-replicas", "configmaps lintel-last-good", "configmaps lintel-last-day",
		"configmaps lintel-namespace-labels", "services lintel", "serviceaccounts lintel", "resourcequotas lintel")
	add("discovery.k8s.io", "v1", namespace, "endpointslices lintel-1")
	add("coordination.k8s.io", "v1", namespace, "leases lintel")
	add("apps", "v1", namespace, "deployments lintel", "deployments/scale lintel", "deployments/status lintel")
	add("policy", "v1", namespace, "poddisruptionbudgets lintel")
	add("networking.k8s.io", "v1", namespace, "networkpolicies lintel")
	return all
}

// verbs are what can be asked of it.
func (of target) verbs() []string {
	if of.subresource != "" {
		return []string{"get", "update", "patch"}
	}
	all := []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}
	if of.gvr.Resource == "namespaces" {
		return slices.DeleteFunc(all, func(verb string) bool { return verb == "deletecollection" }) // there is none
	}
	return all
}

func (of target) in(client dynamic.Interface) dynamic.ResourceInterface {
	if of.namespace == "" {
		return client.Resource(of.gvr)
	}
	return client.Resource(of.gvr).Namespace(of.namespace)
}

// attempt sends one request. object is what there is.
func (of target) attempt(ctx context.Context, client dynamic.Interface, verb string, object *unstructured.Unstructured) error {
	in, dry := of.in(client), []string{metav1.DryRunAll}
	var sub []string
	if of.subresource != "" {
		sub = []string{of.subresource}
	}
	var err error
	switch verb {
	case "get":
		_, err = in.Get(ctx, of.name, metav1.GetOptions{}, sub...)
	case "list":
		_, err = in.List(ctx, metav1.ListOptions{})
	case "watch":
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		_, err = in.Watch(ctx, metav1.ListOptions{})
	case "create":
		object.SetName(of.name + "-another")
		object.SetResourceVersion("")
		_, err = in.Create(ctx, object, metav1.CreateOptions{DryRun: dry})
	case "update":
		_, err = in.Update(ctx, object, metav1.UpdateOptions{DryRun: dry}, sub...)
	case "patch":
		_, err = in.Patch(ctx, of.name, types.MergePatchType, []byte(`{"metadata": {"annotations": {"a": "b"}}}`), metav1.PatchOptions{DryRun: dry}, sub...)
	case "delete":
		err = in.Delete(ctx, of.name, metav1.DeleteOptions{DryRun: dry})
	case "deletecollection":
		err = in.DeleteCollection(ctx, metav1.DeleteOptions{DryRun: dry}, metav1.ListOptions{})
	}
	return err
}

// testEscalation has people give themselves what they have not got.
func testEscalation(t *testing.T, c *cluster.Cluster) {
	binding := func(role string) string {
		return fmt.Sprintf(`{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "more"},
			"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": %q}, "subjects": [{"kind": "User", "name": "admin"}]}`, role)
	}
	const bindings, roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/tenants/rolebindings", "/apis/rbac.authorization.k8s.io/v1/namespaces/tenants/roles"
	const token = "/api/v1/namespaces/lintel-system/serviceaccounts/lintel/token"
	cases := map[string]struct {
		reason     string
		path, body string
		as         string // whom the user claims to be
	}{
		"Bind":        {"Who runs a namespace does not make authors of exceptions in it.", bindings, binding("lintel-exception-author"), ""},
		"BindEditor":  {"Nor editors.", bindings, binding("lintel-editor"), ""},
		"BindAccount": {"Nor have they what Lintel has.", bindings, binding("lintel"), ""},
		"Role": {
			"A role of one's own is no way either.", roles,
			`{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "more"}, "rules": [{"apiGroups": ["lintel.dev"], "resources": ["policyexceptions"], "verbs": ["create"]}]}`, "",
		},
		"Token":       {"Nobody gets the token of Lintel's account.", token, `{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}`, ""},
		"Impersonate": {"Nor acts in its name.", token, `{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}`, account},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for _, user := range []string{"admin", "edit", "view", "author", "viewer", "editor", "anybody", ""} {
				_, cfg := clientOf(t, c, user)
				cfg.Impersonate.UserName = tc.as
				if err := post(t, cfg, tc.path, tc.body); !apierrors.IsForbidden(err) && !apierrors.IsUnauthorized(err) {
					t.Errorf("%s\nuser %q: %v, want it forbidden", tc.reason, user, err)
				}
			}
		})
	}
	cfg := c.Config()
	if err := post(t, cfg, bindings, binding("lintel-exception-author")); err != nil {
		t.Errorf("the administrator: %v: this test says nothing", err)
	}
}

// post makes an object in a dry run.
func post(t *testing.T, cfg *rest.Config, path, body string) error {
	t.Helper()
	cfg.APIPath, cfg.GroupVersion, cfg.NegotiatedSerializer = "/", &schema.GroupVersion{}, scheme.Codecs.WithoutConversion()
	client, err := rest.RESTClientFor(cfg)
	must(t, err)
	return client.Post().AbsPath(path).Param("dryRun", "All").SetHeader("Content-Type", "application/json").Body([]byte(body)).Do(t.Context()).Error()
}
