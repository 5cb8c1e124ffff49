package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/lintel-policy/lintel/engine"
)

// comers reads a kind that does not exist yet.
const comers = `# METADATA
# custom:
#   match: {kinds: [{apiGroups: [""], kinds: [ConfigMap]}]}
#   inventory:
#   - {apiVersion: example.info/v1, kind: Comer}
#   - {apiVersion: example.info/v1, kind: Other, optional: true}
package lintel.comers

violation contains {"msg": "a Comer has the same name"} if data.inventory.namespace[input.review.namespace]["example.info/v1"].Comer[input.review.name]
`

const comerCRD = `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"comers.example.info"},
"spec":{"group":"example.info","scope":"Namespaced","names":{"plural":"comers","singular":"comer","kind":"Comer","listKind":"ComerList"},
"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}]}}`

// comersCome defines the kind, as long as the test runs.
func comersCome(t *testing.T) {
	t.Helper()
	kubectl(t, comerCRD, "create", "-f", "-")
	t.Cleanup(func() {
		shared.Cluster(t).Kubectl(context.WithoutCancel(t.Context()), nil, "delete", "--wait=false", "crd/comers.example.info")
	})
	kubectl(t, "", "wait", "--for=condition=Established", "crd/comers.example.info")
}

// TestKindsThatCome has a replica that does not register find a kind that has come.
func TestKindsThatCome(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "comers")
	must(os.Mkdir(folder, 0o700))
	must(os.WriteFile(filepath.Join(folder, "comers.rego"), []byte(comers), 0o600))
	g := &gate{mode: byURL, log: zap.NewNop(), metrics: newRegistry(), changed: make(chan struct{}, 1)}
	begin := time.Now()
	must(g.readPolicies(t.Context(), &serveCommand{kubeconfig: shared.Cluster(t).Kubeconfig(), policies: []string{filepath.Dir(folder)}}))
	if took := time.Since(begin); took > readyTimeout/2 {
		t.Errorf("a kind that does not exist was waited for: %v", took)
	}
	kind := engine.InventoryKind{APIVersion: "example.info/v1", Kind: "Comer"}
	if err := g.inventory.Lacks(kind); err == nil {
		t.Fatal("a kind that does not exist is known")
	}
	comersCome(t)
	if err := until(t.Context(), time.Minute, func() error { return g.inventory.Lacks(kind) }); err != nil {
		t.Errorf("a kind that has come: %v", err)
	}
}

// TestServeUnreadable serves a policy that reads a kind which does not exist: the
// process is ready, and the policy and its status say what is the matter until it comes.
func TestServeUnreadable(t *testing.T) {
	define(t)
	policy := strings.ReplaceAll(ownedPolicy(t, comers, ""), "owned", "comers")
	kubectl(t, policy, "create", "-f", "-")
	s := serveFrom(t, "cluster", "--fail-closed")
	condition := func(field string) string {
		return kubectl(t, "", "get", "policy", "comers", "-o", fmt.Sprintf(`jsonpath={.status.conditions[?(@.type=="InventoryReady")].%s}`, field))
	}
	awaitCondition := func(want string) {
		t.Helper()
		err := until(t.Context(), time.Minute, func() error {
			if got := condition("status") + " " + condition("reason") + ": " + condition("message"); got != want {
				return fmt.Errorf("condition: got %q, want %q", got, want)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	const other = "example.info/v1 Other reads as empty: the cluster has no such kind"
	create(t, orphan, "comers  could not decide: example.info/v1 Comer cannot be read: the cluster has no such kind")
	awaitCondition("False Unreadable: example.info/v1 Comer cannot be read, so the policy cannot decide: the cluster has no such kind\n" + other)
	comersCome(t)
	awaitCondition("True Readable: " + other)
	create(t, orphan, `"name": "orphan"`)
	kubectl(t, "", "delete", "policy", "comers")
	s.end(t, syscall.SIGTERM)
}
