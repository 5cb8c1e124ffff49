package gitops_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// An argo is an Application of Argo CD that is called shop.
type argo struct {
	*site
	program string
	cache   string // the folder in which its kubectl keeps what kinds there are
}

// A synced is what Argo CD says of an object.
type synced struct {
	Object, Status, Message string
	Modified                bool
	Live, Wanted            json.RawMessage
}

// run syncs or compares a commit, and returns what is said of each object.
func (a argo) run(t *testing.T, verb string, c commit) map[string]synced {
	t.Helper()
	folder := t.TempDir()
	for name, text := range c {
		must(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	cmd := exec.CommandContext(t.Context(), a.program, verb, a.Kubeconfig(), "shop", folder)
	cmd.Env = append(os.Environ(), "KUBECACHEDIR="+a.cache)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("argo %s: %v\n%s%s", verb, err, out, stderr.String())
	}
	var results []synced
	must(t, json.Unmarshal(out, &results))
	found := map[string]synced{}
	for _, r := range results {
		found[r.Object] = r
	}
	return found
}

// sync syncs a commit and returns what became of each object that was not synced.
func (a argo) sync(t *testing.T, c commit) map[string]string {
	t.Helper()
	failed := map[string]string{}
	results := a.run(t, "sync", c)
	if len(results) == 0 {
		t.Error("nothing was synced")
	}
	for name, r := range results {
		if r.Status != "Synced" && r.Status != "Pruned" {
			failed[name] = r.Status + ": " + r.Message
		}
	}
	return failed
}

// TestArgo follows a repository from its first commit to the end of its policies.
func TestArgo(t *testing.T) {
	s := newSite(t)
	a := argo{s, tool(t, "argo", "./argo"), t.TempDir()}
	s.startLintel(t)

	// What kinds there are is asked anew for one that is missing only if the answer is
	// from an earlier sync, of which Argo CD has always had some.
	c := start(t)
	namespace, _, _ := strings.Cut(c["a-shop.yaml"], "---")
	a.sync(t, commit{"namespace.yaml": namespace})
	if diff := cmp.Diff(map[string]string{}, a.sync(t, c)); diff != "" {
		t.Fatalf("policies, their kind and workloads in one commit: -want, +got:\n%s", diff)
	}
	s.awaitInForce(t)

	failed := a.sync(t, c.with("b-api.yaml", testdata(t, "api.yaml")))
	if got := failed["Deployment/shop/api"]; len(failed) != 1 || !strings.HasPrefix(got, "SyncFailed: ") || !strings.Contains(got, denial) {
		t.Errorf("a workload that is denied: got %q, want that alone to fail with\n%s", failed, denial)
	}
	s.must(t, "get", "service", "api", "-n", "shop") // it was synced all the same
	c = c.with("b-api.yaml", mended(t))
	if diff := cmp.Diff(map[string]string{}, a.sync(t, c)); diff != "" {
		t.Errorf("the workload mended: -want, +got:\n%s", diff)
	}
	t.Run("Drift", func(t *testing.T) { a.testDrift(t, c) })

	if diff := cmp.Diff(map[string]string{}, a.sync(t, c.without("m-policies.yaml"))); diff != "" {
		t.Errorf("without policies: -want, +got:\n%s", diff)
	}
	s.eventually(t, "policies that are not in git any more to go", func() (bool, string) {
		got := s.must(t, "get", "policies.lintel.dev", "-o", "name")
		return got == "", got
	})
}

// testDrift holds that nothing differs once a commit is synced, whoever else writes,
// and that to sync it again changes nothing.
func (a argo) testDrift(t *testing.T, c commit) {
	t.Helper()
	same := func(when string) {
		t.Helper()
		before := a.settled(t)
		for name, r := range a.run(t, "diff", c) {
			if r.Modified || r.Message != "" {
				t.Errorf("%s, %s differs: %s\nlive   %s\nwanted %s", when, name, r.Message, r.Live, r.Wanted)
			}
		}
		if diff := cmp.Diff(map[string]string{}, a.sync(t, c)); diff != "" {
			t.Errorf("%s, to sync again: -want, +got:\n%s", when, diff)
		}
		if diff := cmp.Diff(before, a.versions(t)); diff != "" {
			t.Errorf("%s, the same commit changes something: -before, +after:\n%s", when, diff)
		}
	}
	a.eventually(t, "the autoscaler", func() (bool, string) {
		got := a.must(t, "get", "deployment", "web", "-n", "shop", "-o", "jsonpath={.spec.replicas}")
		return got == "3", got
	})
	same("synced")
	a.must(t, "scale", "deployment", "api", "web", "-n", "shop", "--replicas=5")
	same("scaled by others")

	name := "Deployment/shop/api"
	if r := a.run(t, "diff", c.with("b-api.yaml", strings.Replace(mended(t), "api:1.0.0", "api:1.0.1", 1)))[name]; !r.Modified {
		t.Errorf("another image of %s is no difference: %s", name, r.Message)
	}
}
