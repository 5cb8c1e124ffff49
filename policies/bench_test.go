package policies_test

import (
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/engine/plan"
)

// benchDeployment is what most workloads look like to the policies, and breaks none.
const benchDeployment = `{"apiVersion": "apps/v1", "kind": "Deployment",
"metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web", "environment": "production", "team": "shop", "service": "web"}},
"spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": {
 "metadata": {"labels": {"app": "web", "environment": "production", "team": "shop", "service": "web"}},
 "spec": {
  "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone",
   "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {"matchLabels": {"app": "web"}}}],
  "containers": [
   {"name": "web", "image": "registry.example.com/web:1.4", "ports": [{"name": "http", "containerPort": 8080}],
    "livenessProbe": {"httpGet": {"path": "/livez", "port": "http"}}, "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}},
    "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "128Mi"}}},
   {"name": "proxy", "image": "registry.example.com/proxy:2.0", "ports": [{"containerPort": 9090}],
    "livenessProbe": {"httpGet": {"path": "/livez", "port": 9090}}, "readinessProbe": {"httpGet": {"path": "/readyz", "port": 9090}},
    "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}}}]}}}}`

// BenchmarkCompliant times the rules of each policy alone, on an object that breaks
// none and needs no patch, without what the engine does around them: by plans, and by
// topdown, which plans are in place of.
func BenchmarkCompliant(b *testing.B) {
	for _, info := range library(b).Policies() {
		input := benchInput(b, info)
		compiler := benchCompiler(b, info.Name)
		for _, rule := range []string{"violation", "patch"} {
			ref := ast.MustParseRef("data.lintel." + strings.ReplaceAll(info.Name, "-", "_") + "." + rule)
			if len(compiler.GetRulesExact(ref)) == 0 {
				continue
			}
			b.Run(info.Name+"/"+rule+"/plan", func(b *testing.B) { benchPlan(b, compiler, ref, input) })
			b.Run(info.Name+"/"+rule+"/topdown", func(b *testing.B) { benchTopdown(b, compiler, ref, input) })
		}
	}
}

// benchPlan times a rule, which has to yield nothing.
func benchPlan(b *testing.B, compiler *ast.Compiler, rule ast.Ref, input *ast.Term) {
	b.Helper()
	p, err := plan.Compile(plan.Config{Compiler: compiler, Query: ast.NewBody(ast.Equality.Expr(ast.VarTerm("x"), ast.NewTerm(rule))), Builtins: engine.Builtins()})
	if err != nil {
		b.Fatalf("Compile(...): %v", err)
	}
	b.ReportAllocs()
	for b.Loop() {
		results, err := p.Eval(b.Context(), plan.Query{Input: input})
		if err != nil || len(results) != 1 {
			b.Fatalf("%s: %d results, %v", rule, len(results), err)
		}
		if found := results[0].String(); found != `{"x": set()}` && found != `{"x": []}` {
			b.Fatalf("%s finds %s", rule, found)
		}
	}
}

// benchTopdown does the same by topdown.
func benchTopdown(b *testing.B, compiler *ast.Compiler, rule ast.Ref, input *ast.Term) {
	b.Helper()
	body, err := compiler.QueryCompiler().Compile(ast.NewBody(ast.Equality.Expr(ast.VarTerm("x"), ast.NewTerm(rule))))
	if err != nil {
		b.Fatalf("compile the query: %v", err)
	}
	store := inmem.NewFromObject(object{"inventory": object{"namespace": object{"shop": object{}}}})
	txn := storage.NewTransactionOrDie(b.Context(), store)
	b.ReportAllocs()
	for b.Loop() {
		results, err := topdown.NewQuery(body).WithCompiler(compiler).WithStore(store).WithTransaction(txn).WithInput(input).
			WithBuiltins(engine.Builtins()).WithStrictBuiltinErrors(true).WithMetrics(metrics.NoOp()).Run(b.Context())
		if err != nil || len(results) != 1 {
			b.Fatalf("%s: %d results, %v", rule, len(results), err)
		}
		if found := results[0]["x"].String(); found != "set()" && found != "[]" {
			b.Fatalf("%s finds %s", rule, found)
		}
	}
}

// benchInput returns the input of a policy with the parameters that it has where
// nobody sets any.
func benchInput(b *testing.B, info engine.Info) *ast.Term {
	b.Helper()
	parameters := string(asJSON(b, schemaDefaults(info.Parameters)))
	input, err := ast.ParseTerm(`{"parameters": ` + parameters + `, "review": {"operation": "CREATE", "namespace": "shop", "name": "web",
"kind": {"group": "apps", "version": "v1", "kind": "Deployment"},
"resource": {"group": "apps", "version": "v1", "resource": "deployments"}, "object": ` + benchDeployment + `}}`)
	if err != nil {
		b.Fatalf("parse the input: %v", err)
	}
	return input
}

func benchCompiler(b *testing.B, policy string) *ast.Compiler {
	b.Helper()
	modules := map[string]*ast.Module{}
	for _, folder := range []string{policy, libraryFolder} {
		for file, source := range sources(b, folder) {
			if !strings.HasSuffix(file, "_test.rego") {
				modules[file] = ast.MustParseModuleWithOpts(string(source), ast.ParserOptions{Capabilities: engine.Capabilities()})
			}
		}
	}
	compiler := strictCompiler()
	if compiler.Compile(modules); compiler.Failed() {
		b.Fatalf("compile %s: %v", policy, compiler.Errors)
	}
	return compiler
}
