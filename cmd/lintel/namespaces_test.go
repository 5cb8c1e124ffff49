package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// graded denies in some namespaces, by their labels, and honours exceptions in some.
const graded = `, "enforcement": "warn",
	"scopes": [{"namespaceSelector": {"matchLabels": {"tier": "production"}}, "enforcement": "deny"}, {"namespaceSelector": {"matchLabels": {"tier": "play"}}, "enforcement": "dryrun"}],
	"exceptions": {"namespaceSelector": {"matchLabels": {"exceptions": "allowed"}}}`

// places are namespaces with different labels, two with the same exception.
const places = `
{apiVersion: v1, kind: Namespace, metadata: {name: graded-production, labels: {tier: production}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: graded-play, labels: {tier: play}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: graded-other}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: graded-excused, labels: {tier: production, exceptions: allowed}}}
---
apiVersion: lintel.dev/v1alpha1
kind: PolicyException
metadata: {name: e, namespace: graded-excused}
spec: {policies: [owned], objects: {names: [settings]}, reason: r, owner: o, expires: "2037-01-01T00:00:00Z"}
---
apiVersion: lintel.dev/v1alpha1
kind: PolicyException
metadata: {name: e, namespace: graded-production}
spec: {policies: [owned], objects: {names: [settings]}, reason: r, owner: o, expires: "2037-01-01T00:00:00Z"}
`

const settings = `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}`

// TestNamespacesOfCluster judges one file in namespaces of different labels, by the
// webhook and from the command line: both have to say the same.
func TestNamespacesOfCluster(t *testing.T) {
	define(t)
	kubectl(t, places, "apply", "-f", "-")
	t.Cleanup(func() {
		shared.Cluster(t).Kubectl(context.WithoutCancel(t.Context()), nil, "delete", "namespaces", "--wait=false",
			"graded-production", "graded-play", "graded-other", "graded-excused")
	})
	kubectl(t, ownedPolicy(t, owned, graded), "apply", "-f", "-")
	s := serveFrom(t, "cluster", "--fail-closed")
	create(t, strings.Replace(settings, `"name"`, `"namespace": "graded-production", "name"`, 1), "denied the request") // it is registered

	file := filepath.Join(t.TempDir(), "settings.json")
	must(os.WriteFile(file, []byte(settings), 0o600))
	want := map[string]string{"graded-production": "denied", "graded-play": "passes", "graded-other": "warned", "graded-excused": "passes"}
	byWebhook, byCheck := map[string]string{}, map[string]string{}
	for namespace := range want {
		byWebhook[namespace] = admitted(t, namespace)
		byCheck[namespace], _ = checked(t, shared.Cluster(t).Kubeconfig(), file, "-n", namespace)
	}
	if diff := cmp.Diff(want, byWebhook); diff != "" {
		t.Errorf("the webhook: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(want, byCheck); diff != "" {
		t.Errorf("lintel check: -want, +got:\n%s", diff)
	}
	s.end(t, syscall.SIGTERM)
	testGivenLabels(t, file)
	testForbiddenNamespaces(t, file)
}

// admitted says what the API server does with the settings.
func admitted(t *testing.T, namespace string) string {
	t.Helper()
	_, stderr, code := shared.Cluster(t).Kubectl(t.Context(), strings.NewReader(settings), "create", "-n", namespace, "--dry-run=server", "-f", "-")
	switch {
	case strings.Contains(stderr, "denied the request"):
		return "denied"
	case code == 0 && strings.Contains(stderr, "Warning: owned: "):
		return "warned"
	case code == 0 && stderr == "":
		return "passes"
	}
	return stderr
}

// checked returns what lintel check says of the one object of a file, and what it
// says on standard error.
func checked(t *testing.T, kubeconfig string, args ...string) (string, string) {
	t.Helper()
	var stdout, stderr strings.Builder
	line := append([]string{"lintel", "check", "-p", "cluster", "--kubeconfig", kubeconfig, "-o", "json"}, args...)
	run(t.Context(), line, streams{strings.NewReader(""), &stdout, &stderr})
	var r struct {
		Summary struct{ Objects, Denied, Warned int }
	}
	if err := json.Unmarshal([]byte(stdout.String()), &r); err != nil {
		t.Fatalf("lintel check: %v: %s%s", err, &stdout, &stderr)
	}
	switch {
	case r.Summary.Denied > 0:
		return "denied", stderr.String()
	case r.Summary.Warned > 0:
		return "warned", stderr.String()
	}
	return "passes", stderr.String()
}

// testGivenLabels holds that what is given goes before what the cluster has.
func testGivenLabels(t *testing.T, file string) {
	t.Helper()
	admin := shared.Cluster(t).Kubeconfig()
	if got, _ := checked(t, admin, file, "-n", "graded-production", "--namespace-labels", "tier=play"); got != "passes" {
		t.Errorf("with labels from a flag: %s", got)
	}
	labelled := filepath.Join(t.TempDir(), "namespace.json")
	must(os.WriteFile(labelled, []byte(`{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "graded-production"}}`), 0o600))
	if got, _ := checked(t, admin, file, labelled, "-n", "graded-production"); got != "warned" {
		t.Errorf("with a Namespace object among the files: %s", got)
	}
	if got, stderr := checked(t, admin, file, "-n", "graded-nowhere"); got != "warned" || stderr != "" {
		t.Errorf("in a namespace that is not there: %s %q", got, stderr)
	}
}

// testForbiddenNamespaces has somebody ask who may read policies and no namespace.
func testForbiddenNamespaces(t *testing.T, file string) {
	t.Helper()
	kubectl(t, "", "create", "clusterrole", "graded", "--verb=get,list", "--resource=policies.lintel.dev,policyexceptions.lintel.dev")
	kubectl(t, "", "create", "clusterrolebinding", "graded", "--clusterrole=graded", "--user=reader")
	t.Cleanup(func() {
		shared.Cluster(t).Kubectl(context.WithoutCancel(t.Context()), nil, "delete", "clusterrole/graded", "clusterrolebinding/graded")
	})
	reader, err := shared.Cluster(t).KubeconfigFor("reader")
	must(err)
	want := `lintel: warning: the labels of namespace "graded-production" could not be read from the cluster: ` +
		`read namespace "graded-production": namespaces "graded-production" is forbidden: User "reader" cannot get resource "namespaces" in API group "" in the namespace "graded-production"` + "\n"
	if got, stderr := checked(t, reader, file, "-n", "graded-production"); got != "warned" || stderr != want {
		t.Errorf("without a permission: %s, -want, +got:\n%s", got, cmp.Diff(want, stderr))
	}
	var stdout, stderr strings.Builder
	code := run(t.Context(), []string{"lintel", "explain", "-p", "cluster", "--kubeconfig", reader, "-f", file, "-n", "graded-production"}, streams{strings.NewReader(""), &stdout, &stderr})
	if code != exitClean || stderr.String() != want {
		t.Errorf("explain without a permission: %d %q", code, &stderr)
	}
	stdout.Reset()
	run(t.Context(), []string{"lintel", "explain", "-p", "cluster", "--kubeconfig", shared.Cluster(t).Kubeconfig(), "-f", file, "-n", "graded-production"}, streams{strings.NewReader(""), &stdout, &stderr})
	if want := "enforcement deny by scopes[0]"; !strings.Contains(stdout.String(), want) {
		t.Errorf("explain: %q is not in\n%s", want, &stdout)
	}
}
