package controller_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/dynamic"

	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/policies"
)

// someObjects are policies of each source, two of which wait or are wrong.
const someObjects = `
apiVersion: lintel.dev/v1alpha1
kind: Policy
metadata: {name: probes}
spec: {source: {library: probes}, enforcement: warn, parameters: {}}
---
apiVersion: lintel.dev/v1alpha1
kind: Policy
metadata: {name: from-map}
spec: {source: {configMapRef: {namespace: default, name: rego}}}
---
apiVersion: lintel.dev/v1alpha1
kind: Policy
metadata: {name: later}
spec: {source: {configMapRef: {namespace: default, name: later}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: rego, namespace: default}
data:
  a.rego: |
    package team
    violation contains {"msg": "no"}
---
apiVersion: lintel.dev/v1alpha1
kind: PolicyException
metadata: {name: legacy, namespace: default}
spec: {policies: [probes], objects: {names: [a]}, reason: r, owner: o, expires: "2037-01-01T00:00:00Z"}
`

func TestReadPolicies(t *testing.T) {
	c := shared.Cluster(t)
	client := dynamic.NewForConfigOrDie(c.Config())
	if _, err := controller.ReadPolicies(t.Context(), client); !errors.Is(err, controller.ErrNoDefinitions) {
		t.Errorf("without definitions: %v, want %v", err, controller.ErrNoDefinitions)
	}
	define(t)
	apply(t, someObjects)
	t.Cleanup(func() {
		c.Kubectl(context.WithoutCancel(t.Context()), nil, "delete", "configmap", "rego")
	})
	objects, err := controller.ReadPolicies(t.Context(), client)
	must(t, "read policies", err)
	s, err := policies.FromObjects(objects)
	if !errors.Is(err, policies.ErrPending) || strings.Contains(err.Error(), "\n") {
		t.Errorf("FromObjects(...): %v, want that one is pending", err)
	}
	got := map[string]string{}
	for _, p := range s.Policies {
		got[p.Name] = p.Modules[0].Name + " " + string(p.Spec.Enforcement)
	}
	want := map[string]string{"probes": "probes/probes.rego warn", "from-map": "ConfigMap default/rego#a.rego "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("policies: -want, +got:\n%s", diff)
	}
	if len(s.Exceptions) != 1 || s.Exceptions[0].Name != "legacy" || s.Exceptions[0].Spec.Expires.IsZero() {
		t.Errorf("exceptions: %+v", s.Exceptions)
	}
}

// TestPoliciesFollow has objects come and go at a real API server.
func TestPoliciesFollow(t *testing.T) {
	c := shared.Cluster(t)
	client := dynamic.NewForConfigOrDie(c.Config())
	p := controller.NewPolicies(controller.CacheConfig{Client: client})
	if err := p.Start(t.Context()); !errors.Is(err, controller.ErrNoDefinitions) {
		t.Fatalf("without definitions: %v, want %v", err, controller.ErrNoDefinitions)
	}
	define(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	must(t, "watch policies", p.Start(ctx))
	eventually(t, "policies to be read", p.Synced)
	has := func(names string) func() bool {
		return func() bool {
			s, _ := policies.FromObjects(p.Objects())
			var got []string
			for _, policy := range s.Policies {
				got = append(got, policy.Name)
			}
			for _, e := range s.Exceptions {
				got = append(got, e.Namespace+"/"+e.Name)
			}
			return strings.Join(got, " ") == names
		}
	}
	const from = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: later, namespace: default}\ndata: {a.rego: package team}\n"
	apply(t, someObjects)
	eventually(t, "all but the one that waits", has("from-map probes default/legacy"))
	apply(t, from)
	eventually(t, "what was waited for", has("from-map later probes default/legacy"))
	kubectl(t, "delete", "configmap", "later", "rego")
	eventually(t, "what waits again", has("probes default/legacy"))
	kubectl(t, "delete", "policy", "probes")
	kubectl(t, "delete", "policyexception", "legacy")
	eventually(t, "nothing", has(""))

	for len(p.Changed()) > 0 {
		<-p.Changed()
	}
	kubectl(t, "patch", "policy", "later", "--subresource=status", "--type=merge", "-p", `{"status":{"revision":"x"}}`)
	eventually(t, "the status", func() bool {
		for _, policy := range p.Objects().Policies {
			if policy.Status.Revision == "x" {
				return true
			}
		}
		return false
	})
	if len(p.Changed()) > 0 {
		t.Error("a status, which Lintel writes, is taken for a change")
	}
}

// define gives the cluster the kinds of Lintel's objects, as long as the test runs.
func define(t *testing.T) {
	t.Helper()
	c := shared.Cluster(t)
	kubectl(t, "apply", "-f", "../manifests/crds")
	t.Cleanup(func() { c.Kubectl(context.WithoutCancel(t.Context()), nil, "delete", "-f", "../manifests/crds") })
	kubectl(t, "wait", "--for=condition=Established", "crd/policies.lintel.dev", "crd/policyexceptions.lintel.dev")
}

func apply(t *testing.T, objects string) {
	t.Helper()
	if _, stderr, code := shared.Cluster(t).Kubectl(t.Context(), strings.NewReader(objects), "apply", "-f", "-"); code != 0 {
		t.Fatal(stderr)
	}
}
