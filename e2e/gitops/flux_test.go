package gitops_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// kustomization has its objects pruned, and waits for them to be ready.
const kustomization = `
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: shop, namespace: flux-system}
spec: {url: "https://git.example.com/shop", interval: 1h}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: shop, namespace: flux-system}
spec:
  interval: 1h
  retryInterval: 1h
  timeout: 20s
  prune: true
  sourceRef: {kind: GitRepository, name: shop}
  path: ./
  wait: true
  healthCheckExprs: [{apiVersion: apps/v1, kind: Deployment, current: "true"}] # there are no nodes
`

// A flux is kustomize-controller, with a source that the test writes.
type flux struct {
	*site
	server *httptest.Server

	mu      sync.Mutex
	archive []byte
	commits int
}

// startFlux starts kustomize-controller, with one Kustomization.
func (s *site) startFlux(t *testing.T) *flux {
	t.Helper()
	program := tool(t, "kustomize-controller", "github.com/fluxcd/kustomize-controller")
	folder, err := exec.CommandContext(t.Context(), "go", "list", "-C", "tools", "-m", "-f", "{{.Dir}}", "github.com/fluxcd/kustomize-controller").Output()
	must(t, err)
	f := &flux{site: s}
	f.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		_, _ = w.Write(f.archive)
	}))
	t.Cleanup(f.server.Close)
	s.must(t, "create", "namespace", "flux-system")
	s.must(t, "apply", "-f", "testdata/flux.yaml", "-f", strings.TrimSpace(string(folder))+"/config/crd/bases")
	s.must(t, "wait", "--for=condition=Established", "crd", "--all")

	var log bytes.Buffer
	ctx, stop := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, program, "--watch-all-namespaces", "--metrics-addr=0", "--health-addr=127.0.0.1:0", "--requeue-dependency=1s")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+s.Kubeconfig(), "RUNTIME_NAMESPACE=flux-system", "TMPDIR="+t.TempDir())
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	must(t, cmd.Start())
	t.Cleanup(func() {
		stop()
		_ = cmd.Wait() // a signal has ended it
		if t.Failed() {
			t.Log(log.String())
		}
	})
	s.mustWith(t, kustomization, "apply", "-f", "-")
	return f
}

// push makes a commit what Flux is to sync, and returns what became of it: the
// condition Ready of the Kustomization, and its message.
func (f *flux) push(t *testing.T, c commit) (ready bool, message string) {
	t.Helper()
	f.mu.Lock()
	f.archive = packed(t, c)
	f.commits++
	revision := fmt.Sprintf("main@sha1:%040x", f.commits)
	digest := sha256.Sum256(f.archive)
	size := len(f.archive)
	f.mu.Unlock()
	f.must(t, "patch", "gitrepository", "shop", "-n", "flux-system", "--subresource=status", "--type=merge", "-p", fmt.Sprintf(
		`{"status": {"observedGeneration": 1, "artifact": {"url": "%s/%d.tar.gz", "path": "%d.tar.gz", "revision": %q, "digest": "sha256:%s", "lastUpdateTime": %q, "size": %d},
		"conditions": [{"type": "Ready", "status": "True", "reason": "Stored", "message": "", "lastTransitionTime": %q}]}}`,
		f.server.URL, f.commits, f.commits, revision, hex.EncodeToString(digest[:]), time.Now().UTC().Format(time.RFC3339), size, time.Now().UTC().Format(time.RFC3339)))
	return f.outcome(t, revision)
}

// outcome waits until Flux has done with a revision.
func (f *flux) outcome(t *testing.T, revision string) (ready bool, message string) {
	t.Helper()
	f.eventually(t, "Flux to end the sync", func() (bool, string) {
		got := f.must(t, "get", "kustomization", "shop", "-n", "flux-system", "-o",
			`jsonpath={.status.lastAttemptedRevision}|{.status.conditions[?(@.type=="Reconciling")].status}|{.status.conditions[?(@.type=="Ready")].status}|{.status.conditions[?(@.type=="Ready")].message}`)
		parts := strings.SplitN(got, "|", 4)
		ready, message = parts[2] == "True", parts[3]
		return parts[0] == revision && parts[2] != "Unknown" && (parts[1] == "" || parts[2] == "False"), got
	})
	return ready, message
}

// again has the same commit synced once more.
func (f *flux) again(t *testing.T) {
	t.Helper()
	token := time.Now().Format(time.RFC3339Nano)
	f.must(t, "annotate", "kustomization", "shop", "-n", "flux-system", "--overwrite", "reconcile.fluxcd.io/requestedAt="+token)
	f.eventually(t, "Flux to sync again", func() (bool, string) {
		got := f.must(t, "get", "kustomization", "shop", "-n", "flux-system", "-o", "jsonpath={.status.lastHandledReconcileAt}")
		return got == token, got
	})
	if ready, message := f.outcome(t, fmt.Sprintf("main@sha1:%040x", f.commits)); !ready {
		t.Errorf("the same commit fails the second time: %s", message)
	}
}

// packed is a commit as Flux has it.
func packed(t *testing.T, c commit) []byte {
	t.Helper()
	var archive bytes.Buffer
	zipped := gzip.NewWriter(&archive)
	w := tar.NewWriter(zipped)
	for _, name := range slices.Sorted(maps.Keys(c)) {
		must(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(c[name]))}))
		_, err := w.Write([]byte(c[name]))
		must(t, err)
	}
	must(t, w.Close())
	must(t, zipped.Close())
	return archive.Bytes()
}

// TestFlux follows a repository from its first commit to the end of its policies.
func TestFlux(t *testing.T) {
	s := newSite(t)
	f := s.startFlux(t)
	s.startLintel(t)

	c := start(t)
	if ready, message := f.push(t, c); !ready {
		t.Fatalf("policies, their kind and workloads in one commit: %s", message)
	}
	s.awaitInForce(t)
	f.wait(t, false)

	ready, message := f.push(t, c.with("b-api.yaml", testdata(t, "api.yaml")))
	if want := "Deployment/shop/api dry-run failed (Forbidden): " + denial; ready || !strings.Contains(message, want) {
		t.Errorf("a workload that is denied: ready is %t, and the message\n%s\nwant\n%s", ready, message, want)
	}
	c = c.with("b-api.yaml", mended(t))
	if ready, message := f.push(t, c); !ready {
		t.Fatalf("the workload mended: %s", message)
	}
	if got := s.must(t, "get", "deployment", "api", "-n", "shop", "-o", "jsonpath={.metadata.labels.team} {.spec.template.spec.topologySpreadConstraints[*].topologyKey}"); got != "checkout topology.kubernetes.io/zone kubernetes.io/hostname" {
		t.Errorf("what Flux applied is patched: got %q", got)
	}
	t.Run("Drift", f.testDrift)
	t.Run("Health", func(t *testing.T) { f.testHealth(t, c) })

	if ready, message := f.push(t, c.without("m-policies.yaml")); !ready {
		t.Fatalf("without policies: %s", message)
	}
	if got := s.must(t, "get", "policies.lintel.dev", "-o", "name"); got != "" {
		t.Errorf("policies that are not in git any more: %q", got)
	}
	s.eventually(t, "nothing to be denied", func() (bool, string) {
		_, stderr, code := s.Kubectl(t.Context(), strings.NewReader(testdata(t, "api.yaml")), "create", "--dry-run=server", "-f", "-")
		return code == 0 || !strings.Contains(stderr, "lintel"), stderr
	})
}

// testDrift holds that nothing is left to do once a commit is synced, whoever else
// writes: patches are in what Flux's dry runs answer as they are in what is stored.
func (f *flux) testDrift(t *testing.T) {
	f.again(t) // what was there before the policies were is patched when it is next applied
	f.eventually(t, "the autoscaler", func() (bool, string) {
		got := f.must(t, "get", "deployment", "web", "-n", "shop", "-o", "jsonpath={.spec.replicas}")
		return got == "3", got
	})
	before := f.settled(t)
	f.again(t)
	if diff := cmp.Diff(before, f.versions(t)); diff != "" {
		t.Errorf("the same commit changes something: -before, +after:\n%s", diff)
	}
	f.must(t, "scale", "deployment", "api", "web", "-n", "shop", "--replicas=5")
	before = f.settled(t)
	f.again(t)
	if diff := cmp.Diff(before, f.versions(t)); diff != "" {
		t.Errorf("after others have scaled, the same commit changes something: -before, +after:\n%s", diff)
	}
}

// fromMap is a policy whose Rego is in a ConfigMap, which comes after it.
const fromMap = `
apiVersion: lintel.dev/v1alpha1
kind: Policy
metadata: {name: from-map}
spec:
  source: {configMapRef: {namespace: shop, name: rego}}
  match: {kinds: [{apiGroups: [""], kinds: [ConfigMap]}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: rego, namespace: shop, labels: {environment: production, team: checkout, service: shop}}
data:
  a.rego: |
    package team
    violation contains {"msg": "no"} if false
`

// broken is a policy that does not compile.
const broken = `
apiVersion: lintel.dev/v1alpha1
kind: Policy
metadata: {name: broken}
spec:
  source: {modules: [{name: a.rego, rego: "package team\n\nviolation contains 1 if nothing"}]}
  match: {kinds: [{apiGroups: [""], kinds: [ConfigMap]}]}
`

// testHealth holds that a sync waits for its policies to be in force, and fails at once
// where one is broken.
func (f *flux) testHealth(t *testing.T, c commit) {
	f.wait(t, true)
	if ready, message := f.push(t, c.with("p.yaml", fromMap)); !ready {
		t.Errorf("a policy that waits for a ConfigMap of the same commit: %s", message)
	}
	ready, message := f.push(t, c.with("p.yaml", broken))
	if want := "Policy/broken"; ready || !strings.Contains(message, want) || strings.Contains(message, "timeout") {
		t.Errorf("a policy that does not compile: ready is %t, and the message\n%s\nwant %q, and no timeout", ready, message, want)
	}
	f.wait(t, false)
}

// wait has syncs wait, or not, until all is ready, which Flux looks for every five seconds.
func (f *flux) wait(t *testing.T, wait bool) {
	t.Helper()
	f.must(t, "patch", "kustomization", "shop", "-n", "flux-system", "--type=merge", "-p", fmt.Sprintf(`{"spec": {"wait": %t}}`, wait))
}
