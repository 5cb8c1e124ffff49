package policies_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
)

// docsFolder has the pages of the library.
const docsFolder = "../docs/policies"

// pages returns those of the library.
func pages(t *testing.T) []policies.Page {
	t.Helper()
	suites, err := policies.EmbeddedSuites()
	if err != nil {
		t.Fatalf("EmbeddedSuites(): %v", err)
	}
	var all []policies.Page
	for _, s := range suites {
		set := compile(t, engine.Config{Policies: []engine.Policy{s.Policy}})
		all = append(all, policies.NewPage(set.Policies()[0], s.Samples))
	}
	return all
}

// TestPagesAreCurrent holds the pages of docs to what METADATA and samples say.
func TestPagesAreCurrent(t *testing.T) {
	all := pages(t)
	want := map[string]string{"README.md": policies.Index(all)}
	for _, p := range all {
		want[p.Name+".md"] = p.Markdown()
	}
	files, err := filepath.Glob(filepath.Join(docsFolder, "*"))
	if err != nil {
		t.Fatalf("list %s: %v", docsFolder, err)
	}
	got := map[string]string{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("read a page: %v", err)
		}
		got[filepath.Base(file)] = string(data)
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("write them with lintel policies docs --out docs/policies: -is, +should:\n%s", diff)
	}
}
