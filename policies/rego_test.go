package policies_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
	"github.com/lintel-policy/lintel/verify"
)

// libraryFolder has the Rego that every policy is compiled beside.
const libraryFolder = "../engine/workload"

// regoFolders are the folders of Rego: those of the policies and that of the library.
func regoFolders(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*/*_test.rego")
	if err != nil {
		t.Fatalf("list the policies: %v", err)
	}
	folders := []string{libraryFolder}
	for _, file := range files {
		folders = append(folders, filepath.Dir(file))
	}
	slices.Sort(folders)
	return slices.Compact(folders)
}

// TestPolicies runs what proves the library: tests that cover every line, and samples,
// of which nothing is vacuous.
func TestPolicies(t *testing.T) {
	suites, err := policies.LoadSuites(".")
	if err != nil {
		t.Fatalf("LoadSuites(...): %v", err)
	}
	for _, suite := range suites {
		t.Run(suite.Policy.Name, func(t *testing.T) {
			passes(t, verify.Run(t.Context(), provers(), suite))
		})
	}
}

// TestSharedLibrary runs the tests of the Rego that every policy is compiled beside.
func TestSharedLibrary(t *testing.T) {
	modules, err := engine.Library()
	if err != nil {
		t.Fatalf("Library(): %v", err)
	}
	var tests []v1alpha1.Module
	for file, source := range sources(t, libraryFolder) {
		if strings.HasSuffix(file, "_test.rego") {
			tests = append(tests, v1alpha1.Module{Name: file, Rego: string(source)})
		}
	}
	r, err := verify.RunTests(t.Context(), provers(), modules, tests)
	if err != nil {
		t.Fatalf("RunTests(...): %v", err)
	}
	passes(t, r)
}

// provers asks for every line; the time is for one table, on a busy machine and with -race.
func provers() verify.Config { return verify.Config{Timeout: time.Minute, Coverage: 100} }

func passes(t *testing.T, r *verify.Result) {
	t.Helper()
	if r.Passed() && len(r.Cases) > 0 {
		return
	}
	var text strings.Builder
	if err := verify.Write(&text, "text", []*verify.Result{r}, false); err != nil {
		t.Fatalf("Write(...): %v", err)
	}
	t.Errorf("it does not pass, or has no tests:\n%s", text.String())
}

// TestRegoCompiles compiles each policy as `opa check --strict` does.
func TestRegoCompiles(t *testing.T) {
	for _, folder := range regoFolders(t) {
		compiler := strictCompiler()
		if compiler.Compile(withLibrary(t, parseFolder(t, folder))); compiler.Failed() {
			t.Errorf("%s: %v", folder, compiler.Errors)
		}
	}
}

// TestRegoIsFormatted holds the Rego to what `opa fmt` makes of it.
func TestRegoIsFormatted(t *testing.T) {
	for _, folder := range regoFolders(t) {
		for file, source := range sources(t, folder) {
			got, err := format.SourceWithOpts(file, source, format.Opts{RegoVersion: ast.RegoV1, Capabilities: engine.Capabilities()})
			if err != nil {
				t.Errorf("format %s: %v", file, err)
			} else if !bytes.Equal(got, source) {
				t.Errorf("%s is not as opa fmt writes it: -is, +should:\n%s", file, cmp.Diff(string(source), string(got)))
			}
		}
	}
}

// TestMetadata asks that each policy says what it is about and each of its results
// what it means: documentation is made from that.
func TestMetadata(t *testing.T) {
	for _, folder := range regoFolders(t) {
		for file, module := range parseFolder(t, folder) {
			if folder == libraryFolder || strings.HasSuffix(file, "_test.rego") {
				continue
			}
			titles := map[string]bool{}
			for _, rule := range module.Rules {
				title := titleOf(rule)
				switch name := rule.Head.Name.String(); {
				case name != "violation" && name != "_finding" && name != "patch", rule.Default:
				case title == "":
					t.Errorf("%s: a %s has no title", rule.Loc(), name)
				case titles[title]:
					t.Errorf("%s: another rule is titled %q", rule.Loc(), title)
				}
				titles[title] = true
			}
		}
	}
	for _, info := range library(t).Policies() {
		texts := []string{info.Title, info.Description, string(info.Severity), info.Category, string(info.Enforcement)}
		if slices.Contains(texts, "") || len(info.Match.Kinds) == 0 || len(info.Match.Operations) == 0 || info.Parameters == nil {
			t.Errorf("the METADATA of %s lacks a title, description, severity, category, enforcement, match or parameters", info.Name)
		}
	}
}

// TestRegoDefaults asks that the tests beside a policy have the parameters that it
// has where nobody sets any.
func TestRegoDefaults(t *testing.T) {
	for _, info := range library(t).Policies() {
		pkg := "data.lintel." + strings.ReplaceAll(info.Name, "-", "_") + "_test._defaults"
		compiler := strictCompiler()
		compiler.Compile(withLibrary(t, parseFolder(t, info.Name)))
		results, err := rego.New(rego.Compiler(compiler), rego.Query(pkg)).Eval(t.Context())
		if err != nil || len(results) == 0 {
			t.Errorf("%s: eval: %v, %d results", pkg, err, len(results))
			continue
		}
		if diff := cmp.Diff(asJSON(t, schemaDefaults(info.Parameters)), asJSON(t, results[0].Expressions[0].Value)); diff != "" {
			t.Errorf("%s: -schema, +tests:\n%s", pkg, diff)
		}
	}
}

// schemaDefaults returns the defaults of the properties of a schema.
func schemaDefaults(schema map[string]any) map[string]any {
	defaults := map[string]any{}
	properties, _ := schema["properties"].(map[string]any)
	for name, property := range properties {
		if p, ok := property.(map[string]any); ok && p["default"] != nil {
			defaults[name] = p["default"]
		}
	}
	return defaults
}

func titleOf(rule *ast.Rule) string {
	for _, a := range rule.Annotations {
		if a.Title != "" {
			return a.Title
		}
	}
	return ""
}

func strictCompiler() *ast.Compiler {
	return ast.NewCompiler().WithCapabilities(engine.Capabilities()).WithStrict(true)
}

// sources returns the Rego of a folder by file.
func sources(t testing.TB, folder string) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.rego"))
	if err != nil || len(files) == 0 {
		t.Fatalf("list %s: %v, %d files", folder, err, len(files))
	}
	found := map[string][]byte{}
	for _, file := range files {
		if found[file], err = os.ReadFile(file); err != nil {
			t.Fatalf("read the Rego: %v", err)
		}
	}
	return found
}

func parseFolder(t *testing.T, folder string) map[string]*ast.Module {
	t.Helper()
	options := ast.ParserOptions{RegoVersion: ast.RegoV1, ProcessAnnotation: true, Capabilities: engine.Capabilities()}
	modules := map[string]*ast.Module{}
	for file, source := range sources(t, folder) {
		module, err := ast.ParseModuleWithOpts(file, string(source), options)
		if err != nil {
			t.Fatalf("parse %s: %v", file, err)
		}
		modules[file] = module
	}
	return modules
}

// withLibrary returns modules and those of the library.
func withLibrary(t *testing.T, modules map[string]*ast.Module) map[string]*ast.Module {
	t.Helper()
	all := map[string]*ast.Module{}
	for file, module := range modules {
		all[file] = module
	}
	for file, module := range parseFolder(t, libraryFolder) {
		if all[file] == nil && !strings.HasSuffix(file, "_test.rego") {
			all[file] = module
		}
	}
	return all
}
