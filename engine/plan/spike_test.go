package plan_test

import (
	"os"
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

func BenchmarkSpike(b *testing.B) {
	for _, name := range []string{"probes", "resources", "required-labels", "topology-spread", "no-hardcoded-secrets"} {
		lib, _ := engine.Library()
		mods := map[string]*ast.Module{}
		opts := ast.ParserOptions{RegoVersion: ast.RegoV1, ProcessAnnotation: true, Capabilities: engine.Capabilities()}
		for _, l := range lib {
			mods[l.Name] = ast.MustParseModuleWithOpts(l.Rego, opts)
		}
		und := strings.ReplaceAll(name, "-", "_")
		text, err := os.ReadFile("../../policies/" + name + "/" + und + ".rego")
		if err != nil {
			b.Fatal(err)
		}
		mods["p"] = ast.MustParseModuleWithOpts(string(text), opts)
		c := ast.NewCompiler().WithCapabilities(engine.Capabilities())
		if c.Compile(mods); c.Failed() {
			b.Fatal(c.Errors)
		}
		for _, rule := range []string{"violation", "patch"} {
			ref := ast.MustParseRef("data.lintel." + und + "." + rule)
			if len(c.GetRulesExact(ref)) == 0 {
				continue
			}
			body := ast.NewBody(ast.Equality.Expr(ast.VarTerm("x"), ast.NewTerm(ref)))
			p, err := plan.Compile(b.Context(), plan.Config{Compiler: c, Query: body, Builtins: engine.Builtins()})
			if err != nil {
				b.Fatal(err)
			}
			compiled, err := c.QueryCompiler().Compile(body)
			if err != nil {
				b.Fatal(err)
			}
			input := ast.MustParseTerm(spikeInput)
			store := inmem.NewFromObject(map[string]any{"inventory": map[string]any{"namespace": map[string]any{"shop": map[string]any{}}}})
			txn := storage.NewTransactionOrDie(b.Context(), store)
			b.Run(name+"/"+rule+"/topdown", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					rs, err := topdown.NewQuery(compiled).WithCompiler(c).WithStore(store).WithTransaction(txn).WithInput(input).
						WithBuiltins(engine.Builtins()).WithStrictBuiltinErrors(true).WithMetrics(metrics.NoOp()).Run(b.Context())
					if err != nil || len(rs) != 1 || rs[0]["x"].String() != "set()" && rs[0]["x"].String() != "[]" {
						b.Fatal(err, rs)
					}
				}
			})
			b.Run(name+"/"+rule+"/plan", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					rs, err := p.Eval(plan.Query{Context: b.Context(), Input: input})
					if err != nil || len(rs) != 1 || rs[0].String() != `{"x": set()}` && rs[0].String() != `{"x": []}` {
						b.Fatal(err, rs)
					}
				}
			})
		}
	}
}

const spikeInput = `{"parameters": {}, "review": {"operation": "CREATE", "namespace": "shop", "name": "web",
"kind": {"group": "apps", "version": "v1", "kind": "Deployment"},
"resource": {"group": "apps", "version": "v1", "resource": "deployments"}, "object": 
{"apiVersion": "apps/v1", "kind": "Deployment",
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
    "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}}}]}}}}}}`
