package controller_test

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// everything is about all that can be asked about in some groups, in all ways.
const everything = `# METADATA
# custom:
#   match:
#     kinds:
#     - {apiGroups: [""], kinds: [ConfigMap, Pod, Namespace, ServiceAccount]}
#     - {apiGroups: [apps], kinds: [Deployment]}
#     - {apiGroups: [scaled.example.com, plain.example.com], kinds: [Widget]}
#     subresources: ["*"]
#     operations: ["*"]
#   ENFORCEMENT
package lintel.NAME

violation contains {"msg": "never"} if input.review.operation == "NEVER"

patch contains {"path": ["metadata", "labels", "seen"], "value": "yes"} if input.review.operation == "NEVER"
`

func everythingBy(name, enforcement string) engine.Policy {
	return policy(strings.NewReplacer("NAME", name, "ENFORCEMENT", enforcement).Replace(everything), v1alpha1.PolicySpec{})
}

// TestConditionsAreTotal sends requests that lack what match conditions read. A
// condition that errs refuses a request, or lets it by unseen, and the API server
// counts it.
func TestConditionsAreTotal(t *testing.T) {
	makeWidgets(t)
	g := start(t, everythingBy("denies", "enforcement: deny"), everythingBy("warns", "enforcement: warn"), everythingBy("holds", "controlled: deny"))
	const (
		widgets = "/apis/scaled.example.com/v1/namespaces/default/widgets"
		plain   = "/apis/plain.example.com/v1/namespaces/default/widgets"
		maps    = "/api/v1/namespaces/default/configmaps"
		pods    = "/api/v1/namespaces/default/pods"

		validated = "deny warn"
		all       = "deny patch warn"
	)
	eventually(t, "all entries to be asked", func() bool {
		return entries(g.callsOf(func() { _ = g.create(maps+"?dryRun=All", `{"metadata":{"name":"probe"}}`) })) == all
	})
	before := conditionErrors(t, g)
	requests := []struct {
		do     string // method and path, with what is sent after it
		body   string
		as     string // user; if empty, the administrator
		want   string // entries that are asked; empty: none
		reason string
	}{
		{"POST " + maps, `{"metadata":{"name":"bare"}}`, "", all, "An object may have no labels."},
		{"POST " + maps, `{"metadata":{"name":"null","labels":null,"annotations":null}}`, "", all, "They may be null."},
		{"PATCH " + maps + "/bare", `{"data":{"a":"b"}}`, "", all, "Nor may an update have any."},
		{"PATCH " + maps + "/bare", `{"metadata":{"labels":{"a":"b"}}}`, garbageCollector, all, "What a controller of the cluster writes may have no spec."},
		{"DELETE " + maps + "/null", "", "", validated, "A deletion has no object."},
		{"DELETE " + maps + "?labelSelector=a%3Db", "", "", validated, "Nor has one of many."},
		{"POST " + pods, podJSON("web"), "", all, "A pod."},
		{"PATCH " + pods + "/web/status", `{"status":{"phase":"Running"}}`, "", "", "A status that changes no labels is not asked about, also where there are none."},
		{"PATCH " + pods + "/web/status", `{"status":{"phase":"Pending"}}`, "system:node:n", "", "Nor is what a kubelet reports."},
		{"PATCH " + pods + "/web/status", `{"metadata":{"labels":{"a":"b"}}}`, "", all, "The first label is a change."},
		{"PATCH " + pods + "/web/status", `{"metadata":{"labels":null}}`, "", all, "So is the end of the last."},
		{"POST " + pods + "/web/exec?command=ls&stdout=true", "", "", validated, "A connection's object is its options, and it has no old one."},
		{"POST " + pods + "/web/attach?stdout=true", "", "", validated, "So it is with those that attach."},
		{"POST " + pods + "/web/portforward", "", "", validated, "Or forward ports."},
		{"GET " + pods + "/web/proxy/", "", "", validated, "Or are a proxy's."},
		{"POST " + pods + "/web/eviction?dryRun=All", `{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"web"}}`, "", all, "An eviction has no labels and no spec."},
		{"POST " + pods + "/web/binding?dryRun=All", `{"metadata":{"name":"web"},"target":{"kind":"Node","name":"n"}}`, "", all, "Nor has a binding."},
		{"POST /api/v1/namespaces/default/serviceaccounts/default/token", `{"spec":{}}`, "", all, "A request for a token has no metadata to speak of."},
		{"PUT /api/v1/namespaces/default/finalize", `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"default"},"spec":{"finalizers":["kubernetes"]}}`, "", all, "A namespace's labels go where they are not sent."},
		{"PUT /api/v1/namespaces/default/status", `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"default"}}`, "", "", "Now there are none to change."},
		{"POST /api/v1/namespaces", `{"metadata":{"name":"going"}}`, "", all, "A namespace."},
		{"DELETE /api/v1/namespaces/going", "", "", validated, "It may be deleted."},
		{"PUT /api/v1/namespaces/going/finalize", `{"metadata":{"name":"going"},"spec":{"finalizers":["kubernetes"]},"status":{}}`, "", "", "While it goes nobody is asked about its finalizers, which are its spec."},
		{"POST /apis/apps/v1/namespaces/default/deployments", workload("Deployment", "total"), "", all, "A deployment."},
		{"PATCH /apis/apps/v1/namespaces/default/deployments/total/scale", `{"spec":{"replicas":2}}`, "", "patch warn", "A scale is another kind, and waits for nobody."},
		{"PATCH /apis/apps/v1/namespaces/default/deployments/total/status", `{"status":{"replicas":1}}`, deploymentController, "", "A controller's status is not asked about."},
		{"PATCH /apis/apps/v1/namespaces/default/deployments/total", `{"metadata":{"finalizers":["example.com/kept"]}}`, garbageCollector, "", "Nor is what the garbage collector keeps of an object."},
		{"PATCH /apis/apps/v1/namespaces/default/deployments/total", `{"metadata":{"annotations":{"a":"b"}}}`, deploymentController, all, "What a controller says of an object is."},
		{"POST " + widgets, widget("scaled", "specless", ""), "", all, "An object of an extension may have no spec."},
		{"POST " + widgets, widget("scaled", "one", `,"spec":{"replicas":1}`), "", all, "Or have one."},
		{"POST " + plain, widget("plain", "text", `,"spec":"text"`), "", all, "Or one that is no object."},
		{"PATCH " + plain + "/text", `{"spec":[1,{}]}`, garbageCollector, all, "Which may become a list."},
		{"PATCH " + plain + "/text", `{"status":{}}`, garbageCollector, "", "Or stay one."},
		{"PATCH " + widgets + "/specless", `{"spec":null,"status":7}`, garbageCollector, "", "Or stay without one, which changes nothing."},
		{"PATCH " + widgets + "/specless/status", `{"status":8}`, "", "", "Its status may be anything."},
		{"PATCH " + widgets + "/one/scale", `{"spec":{"replicas":3}}`, autoscaler, "patch warn", "It may be scaled."},
		{"DELETE " + widgets + "/specless", "", "", validated, "It may be deleted."},
		{"PATCH " + widgets + "/specless", `{"metadata":{"finalizers":null}}`, garbageCollector, "", "Only its finalizers go, which nobody is asked about."},
		{"DELETE " + widgets + "/one", "", "", validated, "So may one with a spec."},
		{"PATCH " + widgets + "/one", `{"metadata":{"finalizers":null}}`, "", "", "Which is not asked about when only its finalizers go."},
	}
	for _, tc := range requests {
		t.Run(tc.do, func(t *testing.T) {
			g.settled(t, tc.do)
			var err error
			got := g.callsOf(func() { err = g.request(t, tc.do, tc.body, tc.as) })
			if diff := cmp.Diff(tc.want, entries(got)); diff != "" {
				t.Errorf("%s\nasked: -want, +got (%v):\n%s", tc.reason, err, diff)
			}
			if err != nil && (apierrors.IsForbidden(err) || strings.Contains(err.Error(), "condition")) {
				t.Errorf("%s\nrefused: %v", tc.reason, err)
			}
		})
	}
	t.Run("ManyFields", func(t *testing.T) {
		// To compare so many would take the API server more than a condition may cost, and
		// more time than a request has. That deciding takes long is another matter.
		var fields strings.Builder
		for i := range 23_000 {
			fmt.Fprintf(&fields, `,"k%x":0`, i)
		}
		must(t, "create", g.create(plain, widget("plain", "many", fields.String())))
		err := g.request(t, "PATCH "+plain+"/many", `{"metadata":{"finalizers":null}}`, garbageCollector)
		if err != nil && !strings.Contains(err.Error(), `failed calling webhook "deny.lintel.dev"`) {
			t.Errorf("finalizers of an object with many fields: %v", err)
		}
	})
	if diff := cmp.Diff(before, conditionErrors(t, g)); diff != "" {
		t.Errorf("match conditions that err: -before, +after:\n%s", diff)
	}
}

const garbageCollector = "system:serviceaccount:kube-system:generic-garbage-collector"

// makeWidgets makes a kind with subresources and one without, of which nothing is
// required.
func makeWidgets(t *testing.T) {
	t.Helper()
	g := &gate{client: kubernetes.NewForConfigOrDie(shared.Cluster(t).Config())}
	for group, more := range map[string]string{
		"plain.example.com":  "",
		"scaled.example.com": `"subresources":{"status":{},"scale":{"specReplicasPath":".spec.replicas","statusReplicasPath":".status.replicas"}},`,
	} {
		crd := strings.NewReplacer("example.com", group, `"storage":true,`, `"storage":true,`+more).Replace(widgetCRD)
		must(t, "create CRD", g.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd))
		eventually(t, "the API server to serve widgets", func() bool { return g.get("/apis/"+group+"/v1/widgets") == nil })
	}
}

func widget(group, name, more string) string {
	return fmt.Sprintf(`{"apiVersion":"%s.example.com/v1","kind":"Widget","metadata":{"name":%q,"finalizers":["example.com/kept"]}%s}`, group, name, more)
}

// entries names the entries that were asked.
func entries(calls []call) string {
	var names []string
	for _, c := range calls {
		names = append(names, c.entry)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// request sends something as somebody, where "METHOD PATH" is what to do.
func (g *gate) request(t *testing.T, do, body, as string) error {
	t.Helper()
	cfg := rest.CopyConfig(g.config)
	if as != "" {
		cfg.Impersonate = rest.ImpersonationConfig{UserName: as, Groups: []string{"system:masters"}}
	}
	method, path, _ := strings.Cut(do, " ")
	req := kubernetes.NewForConfigOrDie(cfg).RESTClient().Verb(method).RequestURI(path).SetHeader("Content-Type", "application/json")
	if method == "PATCH" {
		req = req.SetHeader("Content-Type", "application/merge-patch+json")
	}
	if body != "" {
		req = req.Body([]byte(body))
	}
	return req.Do(t.Context()).Error()
}

// settled waits until the API server would patch the newest object. It takes the
// old one from a cache that lags, and asks about that one before it finds out.
func (g *gate) settled(t *testing.T, do string) {
	t.Helper()
	path, isPatch := strings.CutPrefix(do, "PATCH ")
	if !isPatch {
		return
	}
	version := func(query string) string {
		var object metav1.PartialObjectMetadata
		raw, err := g.client.RESTClient().Get().RequestURI(path + query).DoRaw(t.Context())
		must(t, "read "+path, err)
		must(t, "decode "+path, json.Unmarshal(raw, &object))
		return object.ResourceVersion
	}
	eventually(t, "the cache of the API server", func() bool { return version("?resourceVersion=0") == version("") })
}

func (g *gate) get(path string) error {
	return g.client.RESTClient().Get().RequestURI(path).Do(context.Background()).Error()
}

// conditionErrors returns how often a match condition has erred, by entry.
func conditionErrors(t *testing.T, g *gate) []string {
	t.Helper()
	text, err := g.client.RESTClient().Get().AbsPath("/metrics").DoRaw(t.Context())
	must(t, "read metrics of the API server", err)
	return regexp.MustCompile(`(?m)^apiserver_admission_match_condition_evaluation_errors_total\{.*$`).FindAllString(string(text), -1)
}
