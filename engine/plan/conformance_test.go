package plan_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/test/cases"
	"github.com/open-policy-agent/opa/v1/test/cases/testdata"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/lintel-policy/lintel/engine/plan"
)

// skipped are the cases that are not run, or whose plan says something else, and why.
var skipped = map[string]string{}

// TestConformance holds plans to the cases that OPA's own evaluators are held to: each
// yields what topdown does, or says that there is an error where topdown does.
func TestConformance(t *testing.T) {
	counts := map[string]int{}
	for _, tc := range conformanceCases(t) {
		t.Run(tc.Note, func(t *testing.T) {
			got := conforms(t, tc)
			counts[got]++
		})
	}
	t.Logf("%v", counts)
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
		if err := util.Unmarshal(text, &set); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, set.Cases...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// conforms runs a case and returns what became of it.
func conforms(t *testing.T, tc cases.TestCase) string {
	t.Helper()
	for k, v := range tc.Env {
		t.Setenv(k, v)
	}
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
		t.Errorf("compile %v", err)
		return "compile"
	}
	query := ast.MustParseBody(tc.Query)
	p, err := plan.Compile(t.Context(), plan.Config{Compiler: compiler, Query: query, Lenient: !tc.StrictError})
	if err != nil {
		if strings.Contains(err.Error(), "answers otherwise") {
			return "nondeterministic"
		}
		t.Errorf("unplanned: %v", err)
		return "unplanned"
	}
	data := map[string]any{}
	if tc.Data != nil {
		data = *tc.Data
	}
	var input *ast.Term
	if tc.InputTerm != nil {
		input = ast.MustParseTerm(*tc.InputTerm)
	} else if tc.Input != nil {
		input = ast.NewTerm(ast.MustInterfaceToValue(*tc.Input))
	}
	want, wantErr := byTopdown(t, compiler, query, data, input, tc.StrictError)
	got, err := p.Eval(plan.Query{Context: t.Context(), Input: input, Data: values{ast.MustInterfaceToValue(data)}, Time: ast.NumberTerm(json.Number(fmt.Sprint(time.Now().UnixNano()))), Cancel: topdown.NewCancel()})
	switch {
	case err != nil && wantErr != nil:
		return "error"
	case err != nil:
		t.Errorf("plan: %v, topdown: %v", err, want)
		return "plan error"
	case wantErr != nil:
		t.Errorf("topdown: %v, plan: %v", wantErr, got)
		return "topdown error"
	}
	if diff := compareResults(want, got); diff != "" {
		t.Errorf("%s", diff)
		return "other"
	}
	return "same"
}

func byTopdown(t *testing.T, compiler *ast.Compiler, query ast.Body, data map[string]any, input *ast.Term, strict bool) ([]string, error) {
	t.Helper()
	qc := compiler.QueryCompiler()
	compiled, err := qc.Compile(query)
	if err != nil {
		t.Fatal(err)
	}
	store := inmem.NewFromObject(data)
	txn := storage.NewTransactionOrDie(t.Context(), store)
	results, err := topdown.NewQuery(compiled).WithCompiler(compiler).WithStore(store).WithTransaction(txn).WithInput(input).
		WithStrictBuiltinErrors(strict).Run(t.Context())
	var texts []string
	for _, r := range results {
		o := ast.NewObject()
		for k, v := range r {
			name := k
			if rw, ok := qc.RewrittenVars()[k]; ok {
				name = rw
			}
			if name.IsGenerated() || name.IsWildcard() {
				continue
			}
			o.Insert(ast.StringTerm(string(name)), v)
		}
		texts = append(texts, o.String())
	}
	return texts, err
}

func compareResults(want []string, results []ast.Object) string {
	var got []string
	for _, r := range results {
		got = append(got, r.String())
	}
	slices.Sort(want)
	slices.Sort(got)
	want, got = slices.Compact(want), slices.Compact(got)
	if slices.Equal(want, got) {
		return ""
	}
	return fmt.Sprintf("want %s\ngot  %s", strings.Join(want, "\n"), strings.Join(got, "\n"))
}

// values is data that is read from a value.
type values struct{ all ast.Value }

func (v values) Read(path []string) ast.Value {
	at := v.all
	for _, step := range path {
		var t *ast.Term
		switch v := at.(type) {
		case ast.Object:
			t = v.Get(ast.StringTerm(step))
		case *ast.Array:
			t = v.Get(ast.NumberTerm(json.Number(step)))
		}
		if t == nil {
			return nil
		}
		at = t.Value
	}
	return at
}
