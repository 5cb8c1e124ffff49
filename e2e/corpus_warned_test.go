package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/net"
)

// TestWarningsOfFile holds what lintel check says of a file to the warnings of the
// cluster, where every policy only warns: the other entry says the same.
func TestWarningsOfFile(t *testing.T) {
	samples, err := filepath.Glob(filepath.Join("..", "policies", "*", "testdata"))
	if err != nil || len(samples) == 0 {
		t.Fatalf("no samples of policies: %v", err)
	}
	c := newCorpus(t, append(samples, testdata("corpus"))...)
	s := newStage(t, "corpus-warned")
	kubeconfig := s.kubeconfig(t)
	c.makeContext(t, s, kubeconfig)
	plain := c.create(t, s, kubeconfig)
	folder := libraryWith(t, "enforcement: warn")
	s.guard(t, folder)
	found := s.check(t, c.folder, "-p", "embedded", "-p", folder)

	warned := 0
	for file, o := range plain.objects {
		path := filepath.Join(c.folder, file)
		if found.errorOf(path) != "" {
			continue // it is ambiguous; TestVerdictOfFile says so
		}
		want, got := found.warnings(path), s.warnings(t, path, o)
		if !sameWarnings(want, got) {
			t.Errorf("%s: lintel check warns\n%s\nand the cluster\n%s", c.origins[file], strings.Join(want, "\n"), strings.Join(got, "\n"))
		}
		if len(got) > 0 {
			warned++
		}
	}
	t.Logf("%d objects, %d of them warned of", len(plain.objects), warned)
	if warned < 100 {
		t.Errorf("%d objects were warned of, want at least 100", warned)
	}
}

// warnings are the findings of one file as warnings.
func (r report) warnings(file string) []string {
	var texts []string
	for _, f := range r.Results {
		if f.Enforcement == "warn" && f.Source.File == file {
			texts = append(texts, strings.Replace(f.line(), "  ", ": ", 1))
		}
	}
	return texts
}

// warnings creates the object of a file, as a dry run, and returns what Lintel
// warns of.
func (s *stage) warnings(t *testing.T, path string, o object) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	gvk := schema.FromAPIVersionAndKind(fmt.Sprint(o["apiVersion"]), fmt.Sprint(o["kind"]))
	resource, _ := meta.UnsafeGuessKindToResource(gvk)
	to := "/apis/" + gvk.GroupVersion().String()
	if gvk.Group == "" {
		to = "/api/" + gvk.Version
	}
	if namespace, ok := at(o, "metadata", "namespace").(string); ok {
		to += "/namespaces/" + url.PathEscape(namespace)
	}
	code, header, answer := exchange(t, s.Config(), http.MethodPost, to+"/"+resource.Resource+"?dryRun=All&fieldValidation=Ignore", "application/yaml", string(data))
	if code != http.StatusCreated {
		t.Errorf("%s: status %d, want 201: %v", path, code, answer)
	}
	parsed, errs := net.ParseWarningHeaders(header.Values("Warning"))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	var texts []string
	for _, w := range parsed {
		if isOurs(w.Text) {
			texts = append(texts, w.Text)
		}
	}
	return texts
}

// isOurs tells warnings of policies from those of the API server itself.
func isOurs(text string) bool {
	for _, name := range []string{"probes: ", "required-labels: ", "resources: ", "topology-spread: ", "no-hardcoded-secrets: ", "+"} {
		if strings.HasPrefix(text, name) {
			return true
		}
	}
	return false
}

// sameWarnings compares warnings with those that may have been cut, and of which
// only the first may be there.
func sameWarnings(want, got []string) bool {
	for i, text := range got {
		if rest, ok := strings.CutPrefix(text, "+"); ok && i == len(got)-1 {
			return rest == fmt.Sprintf("%d more", len(want)-i)
		}
		if i >= len(want) || text != want[i] && !(strings.HasSuffix(text, "…") && strings.HasPrefix(want[i], strings.TrimSuffix(text, "…"))) {
			return false
		}
	}
	return len(got) == len(want)
}
