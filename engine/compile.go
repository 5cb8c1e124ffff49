package engine

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine/plan"
)

// library is the Rego that every policy is compiled beside.
//
//go:embed workload/*.rego
var library embed.FS

// maxRego is how much Rego one policy may have, in bytes: more than ten times the
// largest of the library, and little enough to compile in well under a second.
const maxRego = 512 << 10

// maxNesting is how deep comprehensions may stand in one another. OPA's compiler
// takes twice as long and more for each level: 8 ms for eight, half a minute for
// sixteen, and it cannot be stopped. Two are the most of the library.
const maxNesting = 8

// maxBody is how many expressions a body may have. Their order is up to OPA's compiler,
// which takes four to eight times as long for twice as many where each needs the next:
// up to a second for these, and more than a quarter of a minute for 800.
const maxBody = 200

// reserved are the packages that no policy may add rules to.
var reserved = []ast.Ref{ //nolint:gochecknoglobals // never changed
	ast.MustParseRef("data.lintel.workload"),
	ast.MustParseRef("data.inventory"),
}

// A query is a rule of a policy, ready to be evaluated.
type query struct {
	name     string  // violation or patch
	ref      ast.Ref // the same with its package
	compiler *ast.Compiler
	body     ast.Body
	plan     *plan.Plan // nil where there is none; see unplanned
	// unplanned says why there is no plan.
	unplanned error
}

// result is the variable that a query binds to the value of its rule.
const result = ast.Var("result")

var resultTerm = ast.StringTerm(string(result)) //nolint:gochecknoglobals // never changed

func parserOptions() ast.ParserOptions {
	return ast.ParserOptions{RegoVersion: ast.RegoV1, ProcessAnnotation: true, Capabilities: Capabilities()}
}

// parseModules parses the Rego of a policy and checks its package.
func parseModules(src Policy) ([]*ast.Module, error) {
	if len(src.Modules) == 0 {
		return nil, errors.New("there is no Rego")
	}
	size := 0
	var modules []*ast.Module
	for _, m := range src.Modules {
		if size += len(m.Rego); size > maxRego {
			return nil, fmt.Errorf("more than %d KiB of Rego", maxRego>>10)
		}
		module, err := ast.ParseModuleWithOpts(m.Name, m.Rego, parserOptions())
		if err != nil {
			return nil, RegoError(err)
		}
		if module == nil {
			return nil, fmt.Errorf("%s: the module is empty", m.Name)
		}
		if nesting(module) > maxNesting {
			return nil, fmt.Errorf("%s: comprehensions are nested more than %d deep: name the inner ones by rules of their own", m.Name, maxNesting)
		}
		if err := checkBodies(module); err != nil {
			return nil, fmt.Errorf("%s:%w", m.Name, err)
		}
		modules = append(modules, module)
	}
	return modules, checkPackages(src, modules)
}

// checkBodies refuses bodies that would take too long to compile.
func checkBodies(module *ast.Module) (err error) {
	ast.WalkBodies(module, func(b ast.Body) bool {
		if len(b) > maxBody && err == nil {
			err = fmt.Errorf("%d: a body has more than %d expressions: have rules of their own for some", b.Loc().Row, maxBody)
		}
		return err != nil
	})
	return err
}

func checkPackages(src Policy, modules []*ast.Module) error {
	first := modules[0].Package.Path
	for _, m := range modules {
		if !m.Package.Path.Equal(first) {
			return fmt.Errorf("%s: package %s, but %s is package %s", m.Package.Loc().File, m.Package.Path, src.Modules[0].Name, first)
		}
	}
	for _, r := range reserved {
		if first.HasPrefix(r) || r.HasPrefix(first) {
			return fmt.Errorf("%s: package %s is Lintel's own", src.Modules[0].Name, first)
		}
	}
	want := "data.lintel." + strings.ReplaceAll(src.Name, "-", "_")
	if !src.FreePackage && first.String() != want {
		return fmt.Errorf("%s: package %s, but policy %s has package %s", src.Modules[0].Name,
			strings.TrimPrefix(first.String(), "data."), src.Name, strings.TrimPrefix(want, "data."))
	}
	return nil
}

// compile compiles modules beside the library and prepares the policy's queries.
func (p *policy) compile(modules []*ast.Module) error {
	all, err := libraryModules()
	if err != nil {
		return err
	}
	pkg := modules[0].Package.Path
	for i, m := range modules {
		all[fmt.Sprintf("%s#%d", p.info.Name, i)] = m
	}
	compiler := ast.NewCompiler().WithCapabilities(Capabilities())
	if compiler.Compile(all); compiler.Failed() {
		return RegoError(compiler.Errors)
	}
	if p.violations, err = newQuery(compiler, pkg, "violation"); err != nil {
		return err
	}
	if p.patches, err = newQuery(compiler, pkg, "patch"); err != nil {
		return err
	}
	if p.violations == nil && p.patches == nil {
		return fmt.Errorf("package %s has neither a violation nor a patch rule", pkg)
	}
	p.info.Reviews, p.info.PatchesObjects = p.violations != nil, p.patches != nil
	p.info.Unplanned = errors.Join(p.violations.whyUnplanned(), p.patches.whyUnplanned())
	return nil
}

// newQuery returns the query for a rule, nil where the package has none of that name.
func newQuery(compiler *ast.Compiler, pkg ast.Ref, rule string) (*query, error) {
	ref := pkg.Append(ast.StringTerm(rule))
	if len(compiler.GetRulesExact(ref)) == 0 {
		return nil, nil
	}
	body := ast.NewBody(ast.Equality.Expr(ast.NewTerm(result), ast.NewTerm(ref)))
	compiled, err := compiler.QueryCompiler().Compile(body)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", ref, err)
	}
	q := &query{name: rule, ref: ref, compiler: compiler, body: compiled}
	q.plan, q.unplanned = plan.Compile(plan.Config{Compiler: compiler, Query: body, Builtins: Builtins(), Shared: libraryRef})
	return q, nil
}

// whyUnplanned says why the query has no plan; nil if it has one, or is none.
func (q *query) whyUnplanned() error {
	if q == nil || q.unplanned == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", q.name, q.unplanned)
}

// libraryModules parses the shared library, anew for each compiler because
// compiling changes modules.
func libraryModules() (map[string]*ast.Module, error) {
	sources, err := Library()
	if err != nil {
		return nil, err
	}
	modules := map[string]*ast.Module{}
	for _, source := range sources {
		module, err := ast.ParseModuleWithOpts(source.Name, source.Rego, parserOptions())
		if err != nil {
			return nil, fmt.Errorf("parse the library: %w", err)
		}
		modules[source.Name] = module
	}
	return modules, nil
}

// Library returns the Rego that every policy is compiled beside, for programs that
// run the tests of policies.
func Library() ([]v1alpha1.Module, error) {
	files, err := fs.Glob(library, "workload/*.rego")
	if err != nil {
		return nil, fmt.Errorf("list the library: %w", err)
	}
	var sources []v1alpha1.Module
	for _, file := range files {
		if strings.HasSuffix(file, "_test.rego") {
			continue
		}
		source, err := library.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the library: %w", err)
		}
		sources = append(sources, v1alpha1.Module{Name: path.Join("lintel", file), Rego: string(source)})
	}
	return sources, nil
}
