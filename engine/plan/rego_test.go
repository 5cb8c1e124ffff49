package plan_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/engine/plan"
)

// TestRegoTests runs the tests of the library's policies, which go through each line
// of them, and holds what each says to what it says by topdown.
func TestRegoTests(t *testing.T) {
	folders, err := filepath.Glob("../../policies/*/*_test.rego")
	if err != nil || len(folders) < 5 {
		t.Fatalf("list the policies: %v, %v", folders, err)
	}
	for _, file := range append(folders, "../workload/workload_test.rego") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			q := question{compiler: withTests(t, filepath.Dir(file)), strict: true, data: map[string]any{}}
			planned := 0
			for _, rule := range testsOf(q.compiler) {
				q.query = ast.NewBody(ast.Equality.Expr(ast.VarTerm("result"), ast.NewTerm(rule)))
				p, err := plan.Compile(plan.Config{Compiler: q.compiler, Query: q.query, Builtins: engine.Builtins()})
				if err != nil {
					t.Logf("%v has no plan: %v", rule, err)
					continue
				}
				q.sameAsTopdown(t, p)
				planned++
			}
			if planned < 5 {
				t.Errorf("%d tests have plans: too few", planned)
			}
		})
	}
}

// withTests compiles the Rego of a folder and of the shared library.
func withTests(t *testing.T, folder string) *ast.Compiler {
	t.Helper()
	modules := map[string]*ast.Module{}
	files, err := filepath.Glob(folder + "/*.rego")
	if err != nil {
		t.Fatal(err)
	}
	options := ast.ParserOptions{RegoVersion: ast.RegoV1, ProcessAnnotation: true, Capabilities: engine.Capabilities()}
	for _, file := range append(files, "../workload/workload.rego") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if modules[filepath.Base(file)], err = ast.ParseModuleWithOpts(file, string(text), options); err != nil {
			t.Fatal(err)
		}
	}
	compiler := ast.NewCompiler().WithCapabilities(engine.Capabilities())
	if compiler.Compile(modules); compiler.Failed() {
		t.Fatal(compiler.Errors)
	}
	return compiler
}

// testsOf returns the tests among the rules.
func testsOf(compiler *ast.Compiler) []ast.Ref {
	var found []ast.Ref
	for _, m := range compiler.Modules {
		for _, r := range m.Rules {
			if name := string(r.Head.Ref()[0].Value.(ast.Var)); strings.HasPrefix(name, "test_") {
				found = append(found, m.Package.Path.Append(ast.StringTerm(name)))
			}
		}
	}
	return found
}
