package plan_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/test/cases"
	"github.com/open-policy-agent/opa/v1/test/cases/testdata"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/engine/plan"
)

// skipped are the cases of OPA that are not run, and why.
var skipped = map[string]string{
	"time/time caching": "calls test.sleep, which only OPA's own tests have",
}

// unplanned are the functions whose cases have no plan: they do not answer the same
// each time, and no policy may call them.
var unplanned = []string{
	"http.send", "io.jwt.decode_verify", "io.jwt.encode_sign", "io.jwt.encode_sign_raw", "json.match_schema", "json.verify_schema",
	"net.lookup_ip_addr", "opa.runtime", "rand.intn", "time.now_ns", "uuid.rfc4122",
}

// TestConformance holds plans to the cases that OPA holds its own evaluators to: each
// yields what topdown does, and fails where topdown does.
func TestConformance(t *testing.T) {
	ran := 0
	for _, tc := range conformanceCases(t) {
		t.Run(tc.Note, func(t *testing.T) {
			if reason, ok := skipped[tc.Note]; ok {
				t.Skip(reason)
			}
			conforms(t, tc)
			ran++
		})
	}
	t.Logf("%d cases", ran)
	if ran < 2000 {
		t.Error("these are too few")
	}
}

func conformanceCases(t *testing.T) []cases.TestCase {
	t.Helper()
	var all []cases.TestCase
	err := fs.WalkDir(testdata.V1, ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(testdata.V1, file)
		if err != nil {
			return err
		}
		var set cases.Set
		err = util.Unmarshal(text, &set)
		all = append(all, set.Cases...)
		return err
	})
	if err != nil {
		t.Fatalf("read OPA's cases: %v", err)
	}
	return all
}

func conforms(t *testing.T, tc cases.TestCase) {
	t.Helper()
	for k, v := range tc.Env {
		t.Setenv(k, v)
	}
	q := question{compiler: compilerOf(t, tc), query: ast.MustParseBody(tc.Query), strict: tc.StrictError, data: map[string]any{}}
	if tc.Data != nil {
		q.data = *tc.Data
	}
	switch {
	case tc.InputTerm != nil:
		q.input = ast.MustParseTerm(*tc.InputTerm)
	case tc.Input != nil:
		q.input = ast.NewTerm(ast.MustInterfaceToValue(*tc.Input))
	}
	p, err := plan.Compile(plan.Config{Compiler: q.compiler, Query: q.query, Lenient: !q.strict})
	if err != nil && strings.Contains(err.Error(), "has an index for") {
		t.Skip(err) // topdown answers, by decision; what such comprehensions yield is in other cases
	}
	if err != nil && slices.ContainsFunc(unplanned, func(name string) bool { return strings.Contains(err.Error(), "function "+name+" ") }) {
		t.Skip(err) // topdown answers, by decision: it answers otherwise each time, so there is nothing to compare
	}
	if err != nil {
		t.Fatalf("Compile(...): %v", err)
	}
	q.sameAsTopdown(t, p)
}

func compilerOf(t *testing.T, tc cases.TestCase) *ast.Compiler {
	t.Helper()
	options := ast.ParserOptions{RegoVersion: ast.RegoV1}
	if tc.ExperimentalKeywords {
		options.Capabilities = ast.CapabilitiesForThisVersion(ast.CapabilitiesExperimentalKeywords(true))
	}
	modules := map[string]string{}
	for i, m := range tc.Modules {
		modules[fmt.Sprintf("test-%d.rego", i)] = m
	}
	compiler, err := ast.CompileModulesWithOpt(modules, ast.CompileOpts{ParserOptions: options})
	if err != nil {
		t.Fatalf("compile the modules: %v", err)
	}
	return compiler
}

// A question is what both evaluators are asked.
type question struct {
	compiler *ast.Compiler
	query    ast.Body
	data     map[string]any
	input    *ast.Term
	strict   bool
}

// sameAsTopdown holds p to what topdown answers.
func (q question) sameAsTopdown(t *testing.T, p *plan.Plan) {
	t.Helper()
	want, wantErr := q.topdown(t)
	got, err := q.plan(t, p)
	if (err != nil) != (wantErr != nil) || err != nil && !errors.Is(err, plan.ErrFailed) {
		t.Fatalf("got %v, %v, want what topdown says: %v, %v", got, err, want, wantErr)
	}
	if diff := cmp.Diff(want, got); diff != "" && err == nil {
		t.Errorf("-topdown, +plan:\n%s", diff)
	}
}

// plan returns the results of p in order, each once.
func (q question) plan(t *testing.T, p *plan.Plan) ([]string, error) {
	t.Helper()
	results, err := p.Eval(t.Context(), plan.Query{Input: q.input, Data: values{ast.MustInterfaceToValue(q.data)}, Cancel: topdown.NewCancel()})
	texts := []string{}
	for _, r := range results {
		texts = append(texts, r.String())
	}
	slices.Sort(texts)
	return slices.Compact(texts), err
}

// topdown returns its results in order, each once.
func (q question) topdown(t *testing.T) ([]string, error) {
	t.Helper()
	qc := q.compiler.QueryCompiler()
	compiled, err := qc.Compile(q.query)
	if err != nil {
		t.Fatalf("compile the query: %v", err)
	}
	store := inmem.NewFromObject(q.data)
	txn := storage.NewTransactionOrDie(t.Context(), store)
	results, err := topdown.NewQuery(compiled).WithCompiler(q.compiler).WithStore(store).WithTransaction(txn).WithInput(q.input).
		WithStrictBuiltinErrors(q.strict).WithBuiltins(engine.Builtins()).Run(t.Context())
	texts := []string{}
	for _, r := range results {
		named := ast.NewObject()
		for name, value := range r {
			if written, ok := qc.RewrittenVars()[name]; ok {
				name = written
			}
			if !name.IsGenerated() && !name.IsWildcard() {
				named.Insert(ast.StringTerm(string(name)), value)
			}
		}
		texts = append(texts, named.String())
	}
	slices.Sort(texts)
	return slices.Compact(texts), err
}

// values is data that is read from a value.
type values struct{ all ast.Value }

func (v values) Read(path []string) ast.Value {
	found := v.all
	for _, step := range path {
		var t *ast.Term
		switch v := found.(type) {
		case ast.Object:
			t = v.Get(ast.StringTerm(step))
		case *ast.Array:
			t = v.Get(ast.NumberTerm(json.Number(step)))
		}
		if t == nil {
			return nil
		}
		found = t.Value
	}
	return found
}
