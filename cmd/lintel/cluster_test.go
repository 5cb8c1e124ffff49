package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// inCluster are policies of a cluster, one of which does not compile.
const inCluster = `
apiVersion: lintel.dev/v1alpha1
kind: Policy
metadata: {name: probes}
spec: {source: {library: probes}, exceptions: {}}
---
apiVersion: lintel.dev/v1alpha1
kind: Policy
metadata: {name: broken}
spec:
  source: {modules: [{name: a.rego, rego: "package team\n\nviolation contains 1 if nothing"}]}
  match: {kinds: [{apiGroups: [apps], kinds: [Deployment]}]}
---
apiVersion: lintel.dev/v1alpha1
kind: PolicyException
metadata: {name: legacy, namespace: default}
spec: {policies: [probes], objects: {names: [legacy]}, reason: r, owner: o, expires: "2037-01-01T00:00:00Z"}
`

// workloads are two alike, one of which is excused.
const workloads = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: &spec
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: nginx}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: legacy}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: nginx}]}
`

// TestPoliciesOfCluster judges files by the Policy and PolicyException objects of a
// real API server.
func TestPoliciesOfCluster(t *testing.T) {
	c := shared.Cluster(t)
	file := filepath.Join(t.TempDir(), "workloads.yaml")
	must(os.WriteFile(file, []byte(workloads), 0o600))
	lintel := func(args ...string) (int, string, string) {
		var stdout, stderr strings.Builder
		code := run(t.Context(), append([]string{"lintel"}, args...), streams{strings.NewReader(""), &stdout, &stderr})
		return code, stdout.String(), stderr.String()
	}
	check := []string{"check", file, "-p", "cluster", "--kubeconfig", c.Kubeconfig(), "--no-fix"}

	code, stdout, stderr := lintel(check...)
	if want := "lintel: read policies of the cluster: the cluster has no policies.lintel.dev: kubectl apply -f manifests/crds makes that kind\n"; code != exitUntold || stdout != "" || stderr != want {
		t.Errorf("without definitions: %d %q %q, want %q", code, stdout, stderr, want)
	}
	define(t)
	kubectl(t, inCluster, "apply", "-f", "-")

	code, stdout, stderr = lintel(check...)
	for _, want := range []string{
		"denied: Deployment default/web breaks 1 policy (2 violations):\n  probes  spec.template.spec.containers[0] (web): no livenessProbe\n",
		"2 objects: 1 denied, 1 excused by exceptions; 1 error\n",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("check: %q is not in\n%s", want, stdout)
		}
	}
	if want := "lintel: policy broken: Policy broken#a.rego:3: rego_unsafe_var_error: var nothing is unsafe\n"; code != exitUntold || !strings.HasSuffix(stderr, want) {
		t.Errorf("check: %d %q, want %d and %q", code, stderr, exitUntold, want)
	}
	_, stdout, _ = lintel("explain", "probes", "-f", file, "-p", "cluster", "--kubeconfig", c.Kubeconfig())
	if want := "exception default/legacy excuses the object: until 2037-01-01T00:00:00Z"; !strings.Contains(stdout, want) {
		t.Errorf("explain: %q is not in\n%s", want, stdout)
	}
	_, stdout, _ = lintel("explain", "probes", "-p", "cluster", "--kubeconfig", c.Kubeconfig())
	if want := "probes: "; !strings.HasPrefix(stdout, want) {
		t.Errorf("explain: %q does not begin\n%s", want, stdout)
	}
	if code, _, stderr := lintel("check", file, "-p", "cluster", "--kubeconfig", "nowhere"); code != exitUntold || !strings.Contains(stderr, "find the cluster: ") {
		t.Errorf("without a kubeconfig: %d %q", code, stderr)
	}
}

// define gives the cluster the kinds of Lintel's objects, as long as the test runs.
func define(t *testing.T) {
	t.Helper()
	kubectl(t, "", "apply", "-f", "../../manifests/crds")
	t.Cleanup(func() {
		shared.Cluster(t).Kubectl(context.WithoutCancel(t.Context()), nil, "delete", "-f", "../../manifests/crds")
	})
	kubectl(t, "", "wait", "--for=condition=Established", "crd/policies.lintel.dev", "crd/policyexceptions.lintel.dev")
}

func kubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	stdout, stderr, code := shared.Cluster(t).Kubectl(t.Context(), strings.NewReader(stdin), args...)
	if code != 0 {
		t.Fatalf("kubectl %q: %s", args, stderr)
	}
	return stdout
}

// ownedPolicy is a Policy of the Rego of owned.
func ownedPolicy(t *testing.T, rego, more string) string {
	t.Helper()
	data, err := json.Marshal(rego)
	must(err)
	return `{"apiVersion": "lintel.dev/v1alpha1", "kind": "Policy", "metadata": {"name": "owned"}, "spec": {"source": {"modules": [{"name": "a.rego", "rego": ` + string(data) + `}]}` + more + `}}`
}

// TestServePoliciesOfCluster changes the policies of a cluster while they are served:
// each change takes effect without a restart, and none that is broken does.
func TestServePoliciesOfCluster(t *testing.T) {
	define(t)
	s := serveFrom(t, "cluster", "--fail-closed")
	status := func(path string) string {
		return kubectl(t, "", "get", "policy", "owned", "-o", "jsonpath={.status."+path+"}")
	}
	awaitStatus := func(path, want string) {
		t.Helper()
		got := ""
		if !comesTrue(func() bool { got = status(path); return strings.Contains(got, want) }) {
			t.Errorf("status.%s: got %q, want %q", path, got, want)
		}
	}
	const isReady = `conditions[?(@.type=="Ready")]`
	create(t, orphan, `"name": "orphan"`)

	kubectl(t, ownedPolicy(t, owned, ""), "apply", "-f", "-")
	create(t, orphan, "ConfigMap default/orphan breaks 1 policy (1 violation):\n  owned  metadata.labels.owner: owner is missing\n")
	create(t, mended, `"colour": "red"`)
	awaitStatus(isReady+".reason", "Compiled")
	awaitStatus("enforcement", "deny")

	kubectl(t, ownedPolicy(t, owned, `, "enforcement": "warn"`), "apply", "-f", "-")
	create(t, orphan, "Warning: owned: metadata.labels.owner: owner is missing")
	awaitStatus("enforcement", "warn")

	// What is in a ConfigMap nobody checks before it is stored.
	kubectl(t, ownedRego(t, owned), "apply", "-f", "-")
	t.Cleanup(func() {
		shared.Cluster(t).Kubectl(context.WithoutCancel(t.Context()), nil, "delete", "configmap", "owned-rego")
	})
	mapped := policyFrom("owned", `"configMapRef": {"namespace": "default", "name": "owned-rego"}`, `, "enforcement": "warn", `+about)
	if !comesTrue(func() bool { // a status may be written between what kubectl reads and what it writes
		_, _, code := shared.Cluster(t).Kubectl(t.Context(), strings.NewReader(mapped), "replace", "-f", "-")
		return code == 0
	}) {
		t.Fatal("the Policy cannot be replaced")
	}
	awaitStatus(isReady+".reason", "Compiled")
	kubectl(t, ownedRego(t, "package lintel.owned\n\nviolation contains 1 if nothing"), "apply", "-f", "-")
	awaitStatus(isReady+".reason", "Broken")
	awaitStatus(isReady+".message", "ConfigMap default/owned-rego#a.rego:3: rego_unsafe_var_error: var nothing is unsafe\nWhat was in force before is in force still.")
	create(t, orphan, "Warning: owned: metadata.labels.owner: owner is missing")

	kubectl(t, ownedRego(t, owned), "apply", "-f", "-")
	kubectl(t, "", "patch", "policy", "owned", "--type=merge", "-p", `{"spec": {"enforcement": "deny"}}`)
	create(t, orphan, "ConfigMap default/orphan breaks 1 policy")
	testReloads(t)

	kubectl(t, "", "delete", "policy", "owned")
	if !comesTrue(func() bool { return !strings.Contains(create(t, orphan, `"name": "orphan"`), "Warning") }) {
		t.Error("a policy that is gone is in force still")
	}
	s.end(t, syscall.SIGTERM)
}

// testReloads changes a policy ten times a second, to something broken each second
// time, while requests that it denies come in all the time: none is let by, and none
// fails for another reason.
func testReloads(t *testing.T) {
	t.Helper()
	client := kubernetes.NewForConfigOrDie(shared.Cluster(t).Config())
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var asked atomic.Int64
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for ctx.Err() == nil {
				_, err := client.CoreV1().ConfigMaps("default").Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "orphan-"}}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
				if ctx.Err() == nil && (err == nil || !strings.Contains(err.Error(), "owned  metadata.labels.owner: ")) {
					t.Errorf("a request while policies change: %v, want a denial", err)
					return
				}
				asked.Add(1)
			}
		})
	}
	for i := range 31 {
		rego := strings.Replace(owned, "owner is missing", fmt.Sprintf("owner is missing in round %d", i), 1)
		if i%2 == 1 {
			rego = "package lintel.owned\n\nviolation contains 1 if nothing"
		}
		_, err := client.CoreV1().ConfigMaps("default").Patch(t.Context(), "owned-rego", types.MergePatchType, []byte(ownedRego(t, rego)), metav1.PatchOptions{})
		must(err)
		time.Sleep(100 * time.Millisecond)
	}
	create(t, orphan, "owner is missing in round 30\n")
	stop()
	clients.Wait()
	if asked.Load() < 100 {
		t.Errorf("only %d requests came in", asked.Load())
	}
}

// ownedRego is the ConfigMap of a policy, of which policy owned finds nothing wrong.
func ownedRego(t *testing.T, rego string) string {
	t.Helper()
	data, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]string{"a.rego": rego},
		"metadata": map[string]any{"name": "owned-rego", "namespace": "default", "labels": map[string]string{"owner": "me"}},
	})
	must(err)
	return string(data)
}
