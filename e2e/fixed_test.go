package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFixedAsPatched holds that files which lintel fix has changed make the same objects
// as those which Lintel patches in the cluster. LINTEL_CORPUS names a folder of more files.
func TestFixedAsPatched(t *testing.T) {
	samples, err := filepath.Glob(filepath.Join("..", "policies", "*", "testdata"))
	if err != nil || len(samples) == 0 {
		t.Fatalf("no samples of policies: %v", err)
	}
	folders := append(samples, testdata("corpus"), testdata("rendered", "site", "base"))
	if more := os.Getenv("LINTEL_CORPUS"); more != "" {
		folders = append(folders, more)
	}
	c, s := newCorpus(t, folders...), newStage(t, "fixed")
	kubeconfig := s.kubeconfig(t)
	c.makeContext(t, s, kubeconfig)

	policies, library := testdata("fixed"), libraryWith(t, "enforcement: dryrun, patches: apply")
	fixed := *c
	fixed.folder = t.TempDir()
	if err := os.CopyFS(fixed.folder, os.DirFS(c.folder)); err != nil {
		t.Fatal(err)
	}
	args := []string{"fix", "-p", "embedded", "-p", library, "-p", policies, "-n", s.namespace, "--namespace-labels", namespaceLabels, fixed.folder}
	ran := run(t, built.Path(t), args...)
	again := run(t, built.Path(t), args...)
	if strings.Contains(again.stdout, "fixed ") {
		t.Errorf("what is fixed is fixed again:\n%s", again.stdout)
	}
	left := map[string]bool{}
	for line := range strings.Lines(ran.stderr) {
		for file := range c.origins {
			if strings.Contains(line, file) && !strings.Contains(line, "warning: ") {
				left[file] = true
			}
		}
	}

	plain := fixed.create(t, s, kubeconfig)
	s.guard(t, library, policies)
	gated := c.create(t, s, kubeconfig)
	compared, changed := 0, 0
	for _, file := range c.files() {
		want, got := gated.objects[file], plain.objects[file]
		if left[file] || want == nil && got == nil {
			continue
		}
		if want == nil || got == nil {
			t.Errorf("%s: %s%s", c.origins[file], gated.others[file], plain.others[file])
			continue
		}
		compared++
		if strings.Contains(ran.stdout, file) {
			changed++
		}
		if diff := cmp.Diff(settled(want), settled(got)); diff != "" {
			t.Errorf("%s: -as the cluster patches it, +as it is fixed:\n%s", c.origins[file], diff)
		}
	}
	t.Logf("%d objects, %d of them fixed, %d left alone", compared, changed, len(left))
	if changed < 100 || len(left) > changed/4 {
		t.Errorf("%d of %d objects were fixed and %d left alone, want more", changed, compared, len(left))
	}
}
