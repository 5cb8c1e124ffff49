package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
	kubectl := func(stdin string, args ...string) {
		if _, said, code := c.Kubectl(t.Context(), strings.NewReader(stdin), args...); code != 0 {
			t.Fatalf("kubectl %q: %s", args, said)
		}
	}
	kubectl("", "apply", "-f", "../../manifests/crds")
	t.Cleanup(func() { c.Kubectl(context.WithoutCancel(t.Context()), nil, "delete", "-f", "../../manifests/crds") })
	kubectl("", "wait", "--for=condition=Established", "crd/policies.lintel.dev", "crd/policyexceptions.lintel.dev")
	kubectl(inCluster, "apply", "-f", "-")

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
	if want := "exception default/legacy excuses the object: until 2037-01-01T00:00Z"; !strings.Contains(stdout, want) {
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
