package controller_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/policies"
)

// fromTeam is a policy that takes its Rego from a namespace that its reader may not read.
const fromTeam = `
apiVersion: v1
kind: Namespace
metadata: {name: permitted}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: rules, namespace: permitted}
data:
  a.rego: |
    package team
    violation contains {"msg": "canary"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: others, namespace: permitted}
---
apiVersion: lintel.dev/v1alpha1
kind: Policy
metadata: {name: from-team}
spec: {source: {configMapRef: {namespace: permitted, name: rules}}}
---
apiVersion: lintel.dev/v1alpha1
kind: Policy
metadata: {name: odd}
spec: {source: {configMapRef: {namespace: permitted, name: "a; reboot"}}}
`

// TestConfigMapIsPermitted reads policies with an account that may read those and no
// ConfigMap: what the Policy says then permits that one, and takes effect.
func TestConfigMapIsPermitted(t *testing.T) {
	c := shared.Cluster(t)
	define(t)
	apply(t, fromTeam)
	kubectl(t, "create", "clusterrole", "permitted", "--verb=get,list,watch", "--resource=policies.lintel.dev,policyexceptions.lintel.dev")
	kubectl(t, "create", "clusterrolebinding", "permitted", "--clusterrole=permitted", "--serviceaccount=permitted:lintel")
	t.Cleanup(func() {
		c.Kubectl(context.WithoutCancel(t.Context()), nil, "delete", "--wait=false", "clusterrole/permitted", "clusterrolebinding/permitted", "namespace/permitted")
	})
	cfg, err := c.ConfigFor("system:serviceaccount:permitted:lintel")
	must(t, "make credentials", err)
	client := dynamic.NewForConfigOrDie(cfg)
	p := controller.NewPolicies(controller.CacheConfig{Client: client})
	must(t, "watch policies", p.Start(t.Context()))
	eventually(t, "policies to be read", p.Synced)

	var said error
	eventually(t, "what permits it", func() bool {
		_, said = policies.FromObjects(p.Objects())
		return said != nil && strings.Contains(said.Error(), "may not read") && strings.Contains(said.Error(), "can be called")
	})
	const want = "policy from-team: spec.source.configMapRef: waits for what it is made from: system:serviceaccount:permitted:lintel may not read ConfigMap permitted/rules; who may grant that writes:\n" +
		"kubectl create role -n permitted lintel-rules --verb=get,list,watch --resource=configmaps --resource-name=rules\n" +
		"kubectl create rolebinding -n permitted lintel-rules --role=lintel-rules --serviceaccount=permitted:lintel\n" +
		"policy odd: spec.source.configMapRef: waits for what it is made from: no ConfigMap can be called permitted/a; reboot"
	if said.Error() != want || !errors.Is(said, policies.ErrPending) {
		t.Errorf("got  %v\nwant %s", said, want)
	}
	objects, err := controller.ReadPolicies(t.Context(), client)
	must(t, "read policies once", err)
	if _, err := policies.FromObjects(objects); err == nil || err.Error() != want {
		t.Errorf("read once: got  %v\nwant %s", err, want)
	}

	for line := range strings.Lines(said.Error()) {
		if args := strings.Fields(line); args[0] == "kubectl" {
			kubectl(t, args[1:]...)
		}
	}
	eventually(t, "the policy to be read", func() bool {
		s, _ := policies.FromObjects(p.Objects()) // the error is of the other
		return len(s.Policies) == 1
	})
	configMaps := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace("permitted")
	if _, err := configMaps.Get(t.Context(), "others", metav1.GetOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("another ConfigMap of the namespace: %v, want that it may not be read", err)
	}
}
