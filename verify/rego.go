package verify

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// A runner runs the tests of a policy, and asks the policy itself.
type runner struct {
	compiler *ast.Compiler
	all      map[string]*ast.Module
	policy   map[string]*ast.Module // those of it that are the policy's
	tests    map[string]*ast.Module
	pkg      string // the policy's, as in data.lintel.probes
}

// newRunner parses a policy and its tests. What the engine takes is known to be fine.
func newRunner(policy, tests []v1alpha1.Module) (*runner, error) {
	library, err := engine.Library()
	if err != nil {
		return nil, err
	}
	r := &runner{all: map[string]*ast.Module{}}
	if _, err := r.parse(library); err != nil {
		return nil, err
	}
	if r.policy, err = r.parse(policy); err != nil {
		return nil, err
	}
	if r.tests, err = r.parse(tests); err != nil {
		return nil, err
	}
	for _, m := range r.policy {
		r.pkg = m.Package.Path.String()
	}
	for file, m := range r.tests {
		if path := m.Package.Path.String(); path == "data.lintel.workload" || path == "data.inventory" {
			return nil, fmt.Errorf("%s: package %s is Lintel's own: tests stand in %s_test", file, path, r.pkg)
		}
	}
	r.compiler = ast.NewCompiler().WithCapabilities(engine.Capabilities()).WithEnablePrintStatements(true)
	return r, nil
}

// parse parses modules and keeps them.
func (r *runner) parse(sources []v1alpha1.Module) (map[string]*ast.Module, error) {
	options := ast.ParserOptions{RegoVersion: ast.RegoV1, ProcessAnnotation: true, Capabilities: engine.Capabilities()}
	parsed := map[string]*ast.Module{}
	for _, s := range sources {
		m, err := ast.ParseModuleWithOpts(s.Name, s.Rego, options)
		switch {
		case err != nil:
			return nil, engine.RegoError(err)
		case m == nil:
			return nil, fmt.Errorf("%s: the module is empty", s.Name)
		}
		parsed[s.Name], r.all[s.Name] = m, m
	}
	return parsed, nil
}

// run compiles everything and runs the tests, all of them before it returns.
func (r *runner) run(ctx context.Context, cfg Config, watch *watcher) ([]Case, error) {
	tests := tester.NewRunner().
		SetCompiler(r.compiler).
		SetModules(r.all).
		AddCustomBuiltins(customBuiltins()).
		RaiseBuiltinErrors(true).
		SetTimeout(cfg.Timeout).
		SetParallel(runtime.GOMAXPROCS(0)).
		SetCoverageQueryTracer(watch)
	results, err := tests.RunTests(ctx, nil)
	if err != nil {
		return nil, engine.RegoError(err)
	}
	var cases []Case
	for t := range results {
		cases = append(cases, r.casesOf(ctx, cfg, t)...)
	}
	return cases, nil
}

// casesOf returns the rows of a test, or the test itself where it has none.
func (r *runner) casesOf(ctx context.Context, cfg Config, t *tester.Result) []Case {
	c := Case{Kind: Test, Name: t.Name, File: t.Location.File, Line: t.Location.Row, Skipped: t.Skip, Duration: t.Duration}
	rows := rowsOf(t)
	var why failures
	if !t.Pass() && !t.Skip {
		why = r.explain(ctx, cfg, t)
	}
	switch {
	case t.Error != nil:
		c.Failure, c.Output = describe(ctx, t.Error, cfg.Timeout), string(t.Output)
	case len(rows) == 0 && t.Fail:
		c.Failure, c.Output = why.of(""), string(t.Output)
	case len(rows) == 0 && r.isTable(t) && !t.Skip:
		c.Failure = "it has no rows, so it tests nothing"
	}
	if len(rows) == 0 || t.Error != nil {
		return selected(cfg, c)
	}
	var cases []Case
	for _, row := range rows {
		rc := c
		rc.Name = c.Name + "/" + row.name
		if row.failed {
			rc.Failure, rc.Output = why.of(row.name), string(t.Output)
		}
		cases = append(cases, selected(cfg, rc)...)
	}
	return cases
}

func selected(cfg Config, c Case) []Case {
	if cfg.Run != nil && !cfg.Run.MatchString(c.Name) {
		return nil
	}
	return []Case{c}
}

// isTable reports whether a test is one that has rows.
func (r *runner) isTable(t *tester.Result) bool {
	m := r.tests[t.Location.File]
	return m != nil && slices.ContainsFunc(m.Rules, func(rule *ast.Rule) bool {
		return rule.Loc().Row == t.Location.Row && rule.Head.DocKind() == ast.PartialObjectDoc
	})
}

type row struct {
	name   string
	failed bool
}

// rowsOf returns the innermost rows of a table.
func rowsOf(t *tester.Result) []row {
	var rows []row
	for name, sub := range t.SubResults.Iter {
		if len(sub.SubResults) == 0 {
			rows = append(rows, row{strings.Join(name, "/"), sub.Fail})
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.name, b.name) })
	return rows
}

// customBuiltins returns the engine's own functions as the tester takes them.
func customBuiltins() []*tester.Builtin {
	var builtins []*tester.Builtin
	for _, option := range functions() {
		builtins = append(builtins, &tester.Builtin{Decl: option.decl, Func: option.add})
	}
	return builtins
}

type function struct {
	decl *ast.Builtin
	add  func(*rego.Rego)
}

// functions returns the engine's own functions.
func functions() []function {
	var all []function
	for _, b := range engine.Builtins() {
		call := func(bctx rego.BuiltinContext, operands []*ast.Term) (result *ast.Term, err error) {
			err = b.Func(bctx, operands, func(t *ast.Term) error {
				result = t
				return nil
			})
			return result, err
		}
		all = append(all, function{b.Decl, rego.FunctionDyn(&rego.Function{Name: b.Decl.Name, Decl: b.Decl.Decl}, call)})
	}
	return all
}

// prepare prepares a query. The compiler has to be done by then.
func (r *runner) prepare(ctx context.Context, query string, inventory map[string]any) (rego.PreparedEvalQuery, error) {
	options := []func(*rego.Rego){
		rego.Compiler(r.compiler), rego.Query(query), rego.StrictBuiltinErrors(true),
		rego.Store(inmem.NewFromObjectWithOpts(map[string]any{"inventory": inventory}, inmem.OptRoundTripOnWrite(false))),
	}
	for _, f := range functions() {
		options = append(options, f.add)
	}
	return rego.New(options...).PrepareForEval(ctx)
}
