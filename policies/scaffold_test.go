package policies_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
	"github.com/lintel-policy/lintel/verify"
)

// TestNew asks that a new policy passes whatever its name, covers itself, and is as
// opa fmt writes it.
func TestNew(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "pull-secrets", "x-2", strings.Repeat("a", 63)} {
		made, err := policies.New(dir, name)
		if err != nil || len(made) != 4 {
			t.Fatalf("New(..., %q): %v, %q", name, err, made)
		}
		for _, file := range made {
			if filepath.Ext(file) == ".rego" {
				checkFormat(t, file)
			}
		}
	}
	suites, err := policies.LoadSuites(dir)
	if err != nil || len(suites) != 4 {
		t.Fatalf("LoadSuites(...): %v, %d suites", err, len(suites))
	}
	for _, s := range suites {
		passes(t, verify.Run(t.Context(), provers(), s))
	}
}

func checkFormat(t *testing.T, file string) {
	t.Helper()
	source := []byte(readFile(t, file))
	want, err := format.SourceWithOpts(file, source, format.Opts{RegoVersion: ast.RegoV1, Capabilities: engine.Capabilities()})
	if err != nil || !bytes.Equal(source, want) {
		t.Errorf("%s is not as opa fmt writes it: %v, -is, +should:\n%s", file, err, cmp.Diff(string(source), string(want)))
	}
}

func TestNewRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, err := policies.New(dir, "owner"); err != nil {
		t.Fatalf("New(...): %v", err)
	}
	cases := map[string]struct{ reason, name, want string }{
		"There":     {"What is there is never overwritten.", "owner", "owner is there already"},
		"UpperCase": {"No Policy object could have the name.", "Owner", "no name for a policy"},
		"Outside":   {"A name is no path.", "../owner", "no name for a policy"},
		"Empty":     {"A policy has a name.", "", "no name for a policy"},
		"Digit":     {"A package cannot begin with a digit.", "2fa", "no name for a package"},
		"Keyword":   {"Nor can it be a word of the language.", "some", "no name for a package"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := policies.New(dir, tc.name); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s\nNew(..., %q): got %v, want an error with %q", tc.reason, tc.name, err, tc.want)
			}
		})
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("something was made for a name that was refused: %v, %v", err, entries)
	}
}
