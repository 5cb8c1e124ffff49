// Package gitops_test applies policies and workloads out of one commit, as Flux and
// Argo CD do: by kustomize-controller itself, as a process, and by the engine of Argo
// CD. Both are built from the nested module in tools, so that what they need is
// nobody else's.
package gitops_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lintel-policy/lintel/e2e/cluster"
	"github.com/lintel-policy/lintel/e2e/gate"
)

// built builds lintel when it is first asked for.
var built func() (string, error)

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "lintel-gitops-")
	if err != nil {
		fmt.Fprintf(os.Stderr, "make a folder for lintel: %v\n", err)
		os.Exit(1)
	}
	built = sync.OnceValues(func() (string, error) { return gate.Build(context.Background(), folder) })
	code := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

// A site is a cluster of its own, with Lintel as soon as there are kinds for it.
type site struct {
	*cluster.Cluster
	binary string
}

// newSite starts a cluster. Its test runs beside others, since most of it is waiting.
func newSite(t *testing.T) *site {
	t.Helper()
	t.Parallel()
	c, err := cluster.Start(t.Context(), cluster.Config{Controllers: true, ControllerArgs: []string{"--horizontal-pod-autoscaler-sync-period=1s"}})
	must(t, err)
	t.Cleanup(func() { must(t, c.Stop()) })
	binary, err := built()
	must(t, err)
	return &site{c, binary}
}

// startLintel starts Lintel again and again, as kubelets do, since it ends where the
// cluster has no policies.lintel.dev. It returns what stops it.
func (s *site) startLintel(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var lintel sync.WaitGroup
	lintel.Go(func() { s.keepRunning(ctx, t) })
	stop = func() {
		cancel()
		lintel.Wait()
	}
	t.Cleanup(stop)
	return stop
}

// keepRunning runs Lintel until ctx ends.
func (s *site) keepRunning(ctx context.Context, t *testing.T) {
	t.Helper()
	for ctx.Err() == nil {
		g, err := gate.Launch(gate.Process{Binary: s.binary, Args: []string{"serve", "--kubeconfig", s.Kubeconfig(), "--address", "127.0.0.1:0", "--fail-closed", "-p", "cluster"}})
		if err != nil {
			t.Error(err)
			return
		}
		select {
		case <-ctx.Done():
			_ = g.Stop() // it may have just ended by itself
		case <-g.Ended():
			if log := g.Log(); !strings.Contains(log, "policies.lintel.dev") {
				t.Errorf("lintel ended:\n%s", log)
			}
			time.Sleep(200 * time.Millisecond)
		}
	}
}

// tool builds one of the nested module's programs and returns its path.
func tool(t *testing.T, name, pkg string) string {
	t.Helper()
	program, err := filepath.Abs("../../.cache/gitops/" + name)
	must(t, err)
	build := exec.CommandContext(t.Context(), "go", "build", "-C", "tools", "-o", program, pkg)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	return program
}

// A commit has the texts of files by their names.
type commit map[string]string

// with returns the commit with a file more, or another one.
func (c commit) with(name, text string) commit {
	next := commit{name: text}
	for name, text := range c {
		if _, ok := next[name]; !ok {
			next[name] = text
		}
	}
	return next
}

// without returns the commit without a file.
func (c commit) without(name string) commit {
	next := c.with(name, "")
	delete(next, name)
	return next
}

// start is a first commit, with everything in one folder and in no order: workloads
// before their namespace, policies before their kind.
func start(t *testing.T) commit {
	t.Helper()
	return commit{
		"a-shop.yaml":       testdata(t, "shop.yaml"),
		"m-policies.yaml":   testdata(t, "policies.yaml"),
		"w-exceptions.yaml": read(t, "../../manifests/crds/lintel.dev_policyexceptions.yaml"),
		"z-kinds.yaml":      read(t, "../../manifests/crds/lintel.dev_policies.yaml"),
	}
}

// denial is what Lintel says of testdata/api.yaml.
const denial = `admission webhook "deny.lintel.dev" denied the request: Deployment shop/api breaks 1 policy (2 violations):
  probes  spec.template.spec.containers[0] (api): no livenessProbe
  probes  spec.template.spec.containers[0] (api): no readinessProbe, so traffic arrives before it can be served
policies `

// mended is testdata/api.yaml with what probes asks for.
func mended(t *testing.T) string {
	t.Helper()
	const image = "        image: registry.example.com/shop/api:1.0.0\n"
	return strings.Replace(testdata(t, "api.yaml"), image, image+
		"        readinessProbe: {tcpSocket: {port: 8080}}\n        livenessProbe: {tcpSocket: {port: 8080}}\n", 1)
}

// awaitInForce waits until the policies of testdata/policies.yaml deny.
func (s *site) awaitInForce(t *testing.T) {
	t.Helper()
	s.eventually(t, "policies in force", func() (bool, string) {
		_, stderr, _ := s.Kubectl(t.Context(), strings.NewReader(testdata(t, "api.yaml")), "apply", "--dry-run=server", "-f", "-")
		return strings.Contains(stderr, denial), stderr
	})
}

// versions are the resource versions of all that commits make, by kind and name.
func (s *site) versions(t *testing.T) map[string]string {
	t.Helper()
	var list struct {
		Items []struct {
			Kind     string
			Metadata struct{ Name, Namespace, ResourceVersion string }
		}
	}
	must(t, json.Unmarshal([]byte(s.must(t, "get", "policies.lintel.dev,namespaces,deployments,services,horizontalpodautoscalers,customresourcedefinitions", "-A", "-o", "json")), &list))
	found := map[string]string{}
	for _, item := range list.Items {
		m := item.Metadata
		found[item.Kind+" "+m.Namespace+"/"+m.Name] = m.ResourceVersion
	}
	return found
}

// settled returns the versions when controllers have stopped changing anything.
func (s *site) settled(t *testing.T) map[string]string {
	t.Helper()
	before, same := s.versions(t), 0
	s.eventually(t, "controllers to have done their work", func() (bool, string) {
		now := s.versions(t)
		same++
		if fmt.Sprint(now) != fmt.Sprint(before) {
			before, same = now, 0
		}
		return same > 6, fmt.Sprint(now)
	})
	return before
}

// eventually waits until something is so, and shows what was there instead.
func (s *site) eventually(t *testing.T, what string, is func() (bool, string)) {
	t.Helper()
	got := ""
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		var ok bool
		if ok, got = is(); ok {
			return
		}
	}
	t.Fatalf("waited for %s in vain:\n%s", what, got)
}

// must runs kubectl, which has to succeed, and returns what it printed.
func (s *site) must(t *testing.T, args ...string) string {
	t.Helper()
	return s.mustWith(t, "", args...)
}

func (s *site) mustWith(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	stdout, stderr, code := s.Kubectl(t.Context(), strings.NewReader(stdin), args...)
	if code != 0 {
		t.Fatalf("kubectl %s: %s", strings.Join(args, " "), stderr)
	}
	return stdout
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func testdata(t *testing.T, name string) string {
	t.Helper()
	return read(t, filepath.Join("testdata", name))
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	return string(data)
}
