package controller_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// all matches whatever there is, in every way there is.
const all = `# METADATA
# custom:
#   enforcement: dryrun
#   patches: record
#   match:
#     kinds: [{apiGroups: ["*"], kinds: ["*"]}]
#     subresources: ["*"]
package lintel.all

violation contains {"msg": "never"} if input.review.operation == "NEVER"

patch contains {"path": ["metadata", "labels", "seen"], "value": "yes"} if input.review.operation == "NEVER"
`

// TestMatrix walks discovery and makes a request of each resource and subresource, as
// a dry run: what is asked about is what is written down. It is seen by the entry that
// patches, which comes before the API server finds anything wrong with an object.
// LINTEL_UPDATE=1 writes the file.
func TestMatrix(t *testing.T) {
	g := start(t, policy(all, v1alpha1.PolicySpec{}))
	g.parents(t)
	_, lists, err := g.client.ServerGroupsAndResourcesWithContext(t.Context())
	must(t, "discover resources", err)
	var lines []string
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		must(t, "parse version", err)
		if strings.HasSuffix(gv.Group, "example.com") || strings.HasPrefix(gv.Group, "example.") || gv.Group == v1alpha1.GroupVersion.Group {
			continue // other tests define these
		}
		for _, r := range list.APIResources {
			for _, verb := range []string{"create", "update"} {
				if slices.Contains(r.Verbs, verb) {
					lines = append(lines, fmt.Sprintf("%s %s %s: %s", verb, gv, r.Name, g.isAsked(t, gv, r, verb)))
				}
			}
		}
	}
	slices.Sort(lines)
	got := strings.Join(lines, "\n") + "\n"
	file := filepath.Join("testdata", "matrix.txt")
	if os.Getenv("LINTEL_UPDATE") != "" {
		must(t, "write", os.WriteFile(file, []byte(got), 0o600))
	}
	want, err := os.ReadFile(file)
	must(t, "read", err)
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("what is asked about: -want, +got:\n%s", diff)
	}
}

// parents makes objects of which there are none, so that they and their subresources
// can be updated.
func (g *gate) parents(t *testing.T) {
	t.Helper()
	g.namespace(t, "matrix-parents", `"environment":"test","team":"test"`)
	kubectl(t, "create", "serviceaccount", "default", "-n", "matrix-parents")
	files, err := filepath.Glob("../e2e/testdata/workloads/*-mended.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no workloads: %v", err)
	}
	for _, file := range files {
		kubectl(t, "apply", "-n", "matrix-parents", "-f", file)
	}
	const others = "testdata/matrix/parents.yaml"
	kubectl(t, "create", "-f", others)
	t.Cleanup(func() {
		shared.Cluster(t).Kubectl(context.WithoutCancel(t.Context()), nil, "delete", "--wait=false", "-f", others)
	})
	kubectl(t, "create", "configmap", "parent", "-n", "matrix-parents")
	kubectl(t, "create", "secret", "generic", "parent", "-n", "matrix-parents")
	kubectl(t, "create", "quota", "parent", "-n", "matrix-parents")
	kubectl(t, "create", "poddisruptionbudget", "parent", "-n", "matrix-parents", "--selector=a=b", "--min-available=1")
	kubectl(t, "autoscale", "deployment", "deployment", "-n", "matrix-parents", "--max=2")
}

// isAsked makes a request and says whether it was asked about.
func (g *gate) isAsked(t *testing.T, gv schema.GroupVersion, r metav1.APIResource, verb string) string {
	t.Helper()
	base := "/apis/" + gv.String() + "/"
	if gv.Group == "" {
		base = "/api/" + gv.Version + "/"
	}
	owner, subresource, isSub := strings.Cut(r.Name, "/")
	path, name := base+inNamespace(r.Namespaced, "matrix-parents")+owner, "matrix"
	if isSub || verb == "update" {
		parent := g.some(t, gv.WithResource(owner))
		if parent == nil {
			return "there is none"
		}
		name = parent.GetName()
		path = strings.TrimSuffix(base+inNamespace(r.Namespaced, parent.GetNamespace())+owner+"/"+name+"/"+subresource, "/")
	}
	kind := schema.GroupVersion{Group: r.Group, Version: r.Version}
	if kind.Empty() {
		kind = gv
	}
	do, body := "POST ", map[string]any{"apiVersion": kind.String(), "kind": r.Kind, "metadata": map[string]any{"name": name}}
	if verb == "update" {
		do, body = "PUT ", g.read(t, path, strings.TrimSuffix(path, "/"+subresource))
		meta, _ := body["metadata"].(map[string]any)
		meta["labels"] = map[string]any{"changed": "yes"} // of a status, only that is asked about
	}
	data, err := json.Marshal(body)
	must(t, "encode", err)
	calls := g.callsOf(func() { _ = g.request(t, do+path+"?dryRun=All", string(data), "") }) // most objects are not valid
	if slices.ContainsFunc(calls, func(c call) bool { return c.entry == "patch" }) {
		return "asked"
	}
	return "not asked"
}

// inNamespace is the part of a path that names a namespace, if there is one.
func inNamespace(namespaced bool, name string) string {
	if !namespaced {
		return ""
	}
	return "namespaces/" + name + "/"
}

// read returns what is at the first of some paths that can be read.
func (g *gate) read(t *testing.T, paths ...string) map[string]any {
	t.Helper()
	var object map[string]any
	for _, path := range paths {
		raw, err := g.client.RESTClient().Get().RequestURI(path).DoRaw(t.Context())
		if err == nil && json.Unmarshal(raw, &object) == nil {
			return object
		}
	}
	t.Fatalf("nothing can be read at %q", paths)
	return nil
}

// some returns an object of a resource, of the namespaces that are judged if there is
// one there.
func (g *gate) some(t *testing.T, gvr schema.GroupVersionResource) *unstructured.Unstructured {
	t.Helper()
	list, err := g.dynamic.Resource(gvr).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		return nil
	}
	excluded := engine.DefaultExcludedNamespaces()
	slices.SortStableFunc(list.Items, func(a, b unstructured.Unstructured) int {
		return strings.Compare(b.GetNamespace()+"/"+b.GetName(), a.GetNamespace()+"/"+a.GetName())
	})
	for i := range list.Items {
		o := &list.Items[i]
		if !slices.Contains(excluded, o.GetNamespace()) && (gvr.Resource != "namespaces" || !slices.Contains(excluded, o.GetName())) {
			return o
		}
	}
	return nil
}
