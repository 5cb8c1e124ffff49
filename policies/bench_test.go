package policies_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/lintel-policy/lintel/engine"
)

// BenchmarkCompliant times the rules of each policy alone, on a Deployment that
// breaks none, without what the engine does around them.
func BenchmarkCompliant(b *testing.B) {
	input := benchInput(b)
	for _, name := range []string{"probes", "required-labels", "resources", "topology-spread"} {
		for _, rule := range []string{"violation", "patch"} {
			compiler := benchCompiler(b, name)
			ref := "data.lintel." + strings.ReplaceAll(name, "-", "_") + "." + rule
			if len(compiler.GetRulesExact(ast.MustParseRef(ref))) == 0 {
				continue
			}
			body, err := compiler.QueryCompiler().Compile(ast.MustParseBody("x = " + ref))
			if err != nil {
				b.Fatal(err)
			}
			b.Run(name+"/"+rule, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					q := topdown.NewQuery(body).WithCompiler(compiler).WithInput(input).WithBuiltins(engine.Builtins()).
						WithIndexing(true).WithEarlyExit(true).WithStrictBuiltinErrors(true).WithMetrics(metrics.NoOp())
					res, err := q.Run(b.Context())
					if err != nil || len(res) != 1 {
						b.Fatal(res, err)
					}
				}
			})
		}
	}
}

func BenchmarkLib(b *testing.B) {
	input := benchInput(b)
	compiler := benchCompiler(b, "required-labels")
	for _, ref := range []string{"data.lintel.workload.pod_path", "data.lintel.workload.pod_spec","data.lintel.workload.runs_for_long", "data.lintel.workload.lasting_containers", "data.lintel.workload.resourceful_containers","data.lintel.required_labels._agreeing","data.lintel.required_labels._has_more_templates","data.lintel.required_labels._annotations","data.lintel.required_labels._fields","data.lintel.required_labels._suspects"} {
		body, _ := compiler.QueryCompiler().Compile(ast.MustParseBody("x = " + ref))
		b.Run(ref, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				q := topdown.NewQuery(body).WithCompiler(compiler).WithInput(input).WithBuiltins(engine.Builtins()).
					WithIndexing(true).WithEarlyExit(true).WithStrictBuiltinErrors(true).WithMetrics(metrics.NoOp())
				res, err := q.Run(b.Context())
				if err != nil || len(res) != 1 {
					b.Fatal(res, err)
				}
			}
		})
	}
}

func benchCompiler(b *testing.B, name string) *ast.Compiler {
	modules := map[string]*ast.Module{}
	files, _ := filepath.Glob(name + "/*.rego")
	lib, _ := filepath.Glob("../engine/workload/*.rego")
	for _, f := range append(files, lib...) {
		if strings.HasSuffix(f, "_test.rego") {
			continue
		}
		src, err := os.ReadFile(f)
		if err != nil {
			b.Fatal(err)
		}
		modules[f] = ast.MustParseModuleWithOpts(string(src), ast.ParserOptions{Capabilities: engine.Capabilities()})
	}
	compiler := ast.NewCompiler().WithCapabilities(engine.Capabilities())
	if compiler.Compile(modules); compiler.Failed() {
		b.Fatal(compiler.Errors)
	}
	return compiler
}

func benchInput(b *testing.B) *ast.Term {
	src, err := os.ReadFile("/tmp/w/rg/input.json")
	if err != nil {
		b.Fatal(err)
	}
	return ast.NewTerm(ast.MustParseTerm(string(src)).Value)
}
