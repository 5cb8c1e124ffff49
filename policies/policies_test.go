package policies_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
)

var update = flag.Bool("update", false, "write capabilities.json anew")

// embeddedNames returns the names of the policies in the library.
func embeddedNames(t testing.TB) []string {
	t.Helper()
	all, err := policies.Embedded()
	if err != nil {
		t.Fatalf("Embedded(): %v", err)
	}
	var got []string
	for _, p := range all {
		got = append(got, p.Name)
	}
	return got
}

func TestEveryFolderIsEmbedded(t *testing.T) {
	files, err := filepath.Glob("*/*.rego")
	if err != nil {
		t.Fatalf("list the policies: %v", err)
	}
	var want []string
	for _, file := range files {
		want = append(want, filepath.Dir(file))
	}
	slices.Sort(want)
	want = slices.Compact(want)
	if diff := cmp.Diff(want, embeddedNames(t)); diff != "" || len(want) == 0 {
		t.Errorf("Embedded(): -want, +got:\n%s", diff)
	}
}

func TestEmbeddedCompiles(t *testing.T) {
	all, err := policies.Embedded()
	if err != nil {
		t.Fatalf("Embedded(): %v", err)
	}
	set := compile(t, engine.Config{Policies: all})
	for _, info := range set.Policies() {
		if info.Title == "" || info.Description == "" || info.Severity == "" || len(info.Match.Kinds) == 0 || info.Origin != policies.EmbeddedOrigin {
			t.Errorf("policy %s: METADATA lacks a title, description, severity or match, or the origin is %q", info.Name, info.Origin)
		}
	}
}

func TestLoadedLibraryDecidesAsEmbedded(t *testing.T) {
	loaded, err := policies.Load(".")
	if err != nil {
		t.Fatalf("Load(...): %v", err)
	}
	all, err := policies.Embedded()
	if err != nil {
		t.Fatalf("Embedded(): %v", err)
	}
	want, got := compile(t, engine.Config{Policies: all}), compile(t, engine.Config{Policies: loaded.Policies})
	if want.Revision() != got.Revision() {
		t.Errorf("Revision(): got %s of the folder, want %s as embedded", got.Revision(), want.Revision())
	}
}

// capabilitiesFile is for opa check --capabilities and for regal.
const capabilitiesFile = "capabilities.json"

func TestCapabilitiesFileIsCurrent(t *testing.T) {
	shipped := struct {
		*ast.Capabilities
		AllowNet []string `json:"allow_net"` // not left out when empty, since that would allow every host
	}{engine.Capabilities(), []string{}}
	want, err := json.MarshalIndent(shipped, "", "  ")
	if err != nil {
		t.Fatalf("encode the capabilities: %v", err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile(capabilitiesFile, want, 0o600); err != nil {
			t.Fatalf("write %s: %v", capabilitiesFile, err)
		}
	}
	got, err := os.ReadFile(capabilitiesFile)
	if err != nil {
		t.Fatalf("read %s: %v", capabilitiesFile, err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("%s is not what engine.Capabilities() returns: write it with go test ./policies -run Capabilities -update", capabilitiesFile)
	}
}

func TestLibraryCompilesWithCapabilitiesFile(t *testing.T) {
	capabilities, err := ast.LoadCapabilitiesFile(capabilitiesFile)
	if err != nil {
		t.Fatalf("LoadCapabilitiesFile(...): %v", err)
	}
	if capabilities.AllowNet == nil {
		t.Errorf("%s: allow_net is missing, which allows every host", capabilitiesFile)
	}
	modules := map[string]*ast.Module{}
	for _, pattern := range []string{"*/*.rego", libraryFolder + "/*.rego"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatalf("list Rego: %v", err)
		}
		for _, file := range files {
			modules[file] = ast.MustParseModuleWithOpts(readFile(t, file), ast.ParserOptions{Capabilities: capabilities, ProcessAnnotation: true})
		}
	}
	compiler := ast.NewCompiler().WithCapabilities(capabilities).WithStrict(true)
	if compiler.Compile(modules); compiler.Failed() {
		t.Errorf("The library and its tests compile as opa check --strict --capabilities would compile them: %v", compiler.Errors)
	}
}
