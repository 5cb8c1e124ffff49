// Package lintel_test holds the whole module to its layout.
package lintel_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/lintel-policy/lintel/"

// mayImport is what each folder of the product may import of the others. A
// folder that is not here may be imported by tests, benchmarks and the demo alone.
var mayImport = map[string][]string{
	"api/v1alpha1": {},
	"audit":        {"api/v1alpha1", "engine", "report"},
	"certs":        {},
	"cmd/lintel":   {"api/v1alpha1", "audit", "certs", "controller", "doctor", "engine", "measure", "policies", "replay", "report", "resource", "splice", "verify", "webhook"},
	"controller":   {"api/v1alpha1", "engine", "policies", "webhook"},
	"doctor":       {"api/v1alpha1", "controller", "engine", "policies"},
	"engine":       {"api/v1alpha1", "engine/plan", "secrets"},
	"engine/plan":  {},
	"junit":        {},
	"measure":      {"engine"},
	"policies":     {"api/v1alpha1", "engine"},
	"replay":       {"api/v1alpha1", "engine", "secrets"},
	"report":       {"api/v1alpha1", "engine", "junit"},
	"resource":     {},
	"secrets":      {},
	"splice":       {},
	"verify":       {"api/v1alpha1", "engine", "junit", "policies", "resource"},
	"webhook":      {"api/v1alpha1", "engine"},
}

func TestImportsPointOneWay(t *testing.T) {
	seen := map[string]bool{}
	for file, imports := range productImports(t) {
		folder := path.Dir(file)
		allowed, ok := mayImport[folder]
		if !ok {
			t.Errorf("%s: folder %s is not in the layout", file, folder)
		}
		seen[folder] = true
		for _, imported := range imports {
			if other, ours := strings.CutPrefix(imported, module); ours && !slices.Contains(allowed, other) {
				t.Errorf("%s: %s may not import %s", file, folder, other)
			}
		}
	}
	for folder := range mayImport {
		if !seen[folder] {
			t.Errorf("folder %s of the layout has no code", folder)
		}
	}
}

// TestEngineKnowsNoOutside holds the engine to being pure: what it decides by is
// in its arguments.
func TestEngineKnowsNoOutside(t *testing.T) {
	outside := []string{"net", "net/http", "os", "os/exec", "log", "log/slog", "go.uber.org/zap", "k8s.io/client-go", "sigs.k8s.io/controller-runtime", "math/rand", "math/rand/v2"}
	for file, imports := range productImports(t) {
		if path.Dir(file) != "engine" {
			continue
		}
		for _, imported := range imports {
			if slices.ContainsFunc(outside, func(o string) bool { return imported == o || strings.HasPrefix(imported, o+"/") }) {
				t.Errorf("%s imports %s", file, imported)
			}
		}
	}
}

// TestWebhookKnowsNoRego holds the webhook to asking the engine, and all others but
// what runs the tests of policies.
func TestWebhookKnowsNoRego(t *testing.T) {
	for file, imports := range productImports(t) {
		for _, imported := range imports {
			if !strings.HasPrefix(file, "engine/") && !strings.HasPrefix(file, "verify/") && strings.HasPrefix(imported, "github.com/open-policy-agent/opa") {
				t.Errorf("%s imports %s: only engine and verify know Rego", file, imported)
			}
		}
	}
}

// productImports returns what each file of the product imports, by its path.
func productImports(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "e2e" || entry.Name() == "bench" || entry.Name() == "testdata" || strings.HasPrefix(entry.Name(), ".") && file != "."):
			return filepath.SkipDir
		case !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go"):
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		imports := []string{}
		for _, spec := range parsed.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			imports = append(imports, name)
		}
		found[filepath.ToSlash(file)] = imports
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
