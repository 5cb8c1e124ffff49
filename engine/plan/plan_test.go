package plan_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/lintel-policy/lintel/engine/plan"
)

// asked returns the question what data.p.x is.
func asked(t testing.TB, rego string) question {
	t.Helper()
	compiler, err := ast.CompileModulesWithOpt(map[string]string{"p.rego": "package p\n\n" + rego}, ast.CompileOpts{ParserOptions: ast.ParserOptions{RegoVersion: ast.RegoV1}})
	if err != nil {
		t.Fatalf("compile the rules: %v", err)
	}
	return question{compiler: compiler, query: ast.MustParseBody("result = data.p.x"), strict: true, data: map[string]any{}}
}

func compile(t testing.TB, q question) *plan.Plan {
	t.Helper()
	p, err := plan.Compile(plan.Config{Compiler: q.compiler, Query: q.query})
	if err != nil {
		t.Fatalf("Compile(...): %v", err)
	}
	return p
}

// TestLikeTopdown asks both evaluators what OPA's cases do not ask.
func TestLikeTopdown(t *testing.T) {
	cases := map[string]struct{ reason, rego, input string }{
		"NotThatIsAsked twice": {"What a `not` found does not count the next time round.", `x contains i if { some i; input.l[i]; not i in input.m }`, `{"l": [1, 2, 3], "m": [0, 2]}`},
		"FirstRuleIsEnough":    {"Where all rules say the same, what comes after the first that holds is not asked.", "x if f(1)\nf(v) if v == 1\nf(v) if count(v) > 0", `{}`},
		"ConflictIsAnError":    {"Two values of one rule contradict each other.", "x := 1 if input.a\nx := 2 if input.b", `{"a": 1, "b": 2}`},
		"ErrorInNegation":      {"A function that fails is an error, also below a `not`.", `x if not count(input.n) > 0`, `{"n": 1}`},
		"ErrorIsNotReached":    {"What comes after a condition that does not hold is not called.", `x if { input.a; count(input.n) > 0 }`, `{"n": 1}`},
		"LoopsInOrder":         {"Loops go by the order of keys.", `x := [[k, v] | some k, v in input.o]`, `{"o": {"b": 1, "a": 2, "c": [1]}}`},
		"SetsInOrder": {"So do those over sets that rules have made.", `x := [v | some v in s]
s contains input[_]`, `{"a": 2, "b": "b", "c": 1}`},
		"WithInput":        {"Rules say something else of another input.", "x := [a, b, c] if { a := y; b := y with input.v as 2; c := y }\ny := input.v", `{"v": 1}`},
		"WithRules":        {"Rules may be replaced.", "x := [a, b] if { a := y; b := y with data.p.z as 2 }\ny := z\nz := 1", `{}`},
		"SameNestedObject": {"What a rule puts into an object changes no value of the input.", "x := [y, input]\ny[k] := v if some k, v in input.o\ny.a.b := 1 if false", `{"o": {"c": {"d": 1}}}`},
		"SetsInAnObject": {"What a rule puts into a part goes neither into what it took the part from, nor into what it yields elsewhere.",
			"x := [y, a, input] if { a := y with input.l as [7, 8] }\ny[k] contains v if some k, v in input.o\ny[k] contains v if { some k in [\"d\", \"e\"]; some v in input.l }", `{"o": {"c": {"d": 1}}, "l": [1, 2, 3, 2]}`},
		"SetsBelowOneAnother": {"So do parts of parts.", "x := y\ny[k][j] contains v if { some k in input.l; some j in input.l; some v in [k, j, k + j] }", `{"l": [1, 2, 3]}`},
		"FirstOfEquals":       {"Of values of one rule that are equal and written otherwise, the first counts.", "x := y\ny := input.a if true\ny := input.b if true", `{"a": 1.0, "b": 1}`},
		"PathWithNUL":         {"A path is its steps, whatever is in them.", `x contains v if { a := data.inv[input.l[0]].b; a; v := data.inv[input.l[1]] }`, `{"l": ["a", "a\u0000b"]}`},
		"Walk":                {"A function may yield many values.", `x contains p if { walk(input, [p, v]); is_number(v) }`, `{"a": [1, {"b": 2}]}`},
		"Else":                {"The first branch that holds counts.", "x := 1 if input.a\nelse := 2 if input.b\nelse := 3", `{"b": true}`},
		"Every":               {"An item that does not hold is enough.", `x if every v in input.l { v > 1 }`, `{"l": [2, 3, 1]}`},
		"EveryOfNothing":      {"Of nothing everything holds.", `x if every v in input.l { v > 1 }`, `{"l": []}`},
		"NumbersAreEqual":     {"1 and 1.0 are one number.", `x := [input.a == 1, {1: 2}[input.a], input.a in {1}]`, `{"a": 1.0}`},
		"KeyOfNoObject":       {"A part of what has none is undefined.", `x := [v | some v in [1, "a", null, {"k": 2}]; v.k]`, `{}`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Log(tc.reason)
			q := asked(t, tc.rego)
			q.input = ast.MustParseTerm(tc.input)
			q.data = map[string]any{"inv": map[string]any{"a": map[string]any{"b": map[string]any{"b": 1}}}}
			for range 2 { // with what the first left behind
				q.sameAsTopdown(t, compile(t, q))
			}
		})
	}
}

// TestStops holds that an evaluation ends soon after it is cancelled, whatever it is at.
func TestStops(t *testing.T) {
	const most = 30 * time.Second // a busy machine; without a look it takes years
	loops := "numbers.range(1, 1000)"
	for name, rego := range map[string]string{
		"Loops": fmt.Sprintf("x := [1 | some a in %s; some b in %[1]s; some c in %[1]s; some d in %[1]s; a+b+c+d < 0]", loops),
		"Calls": "x := f0(1)\n" + doubling(60),
	} {
		t.Run(name, func(t *testing.T) {
			p, cancel := compile(t, asked(t, rego)), topdown.NewCancel()
			time.AfterFunc(50*time.Millisecond, cancel.Cancel)
			begin := time.Now()
			if got, err := p.Eval(t.Context(), plan.Query{Cancel: cancel}); !errors.Is(err, plan.ErrCancelled) || time.Since(begin) > most {
				t.Errorf("got %v, %v after %v, want %v", got, err, time.Since(begin), plan.ErrCancelled)
			}
		})
	}
}

// TestGrowingSets holds that a set in an object is not copied with each element.
func TestGrowingSets(t *testing.T) {
	const most = 10 * time.Second // a busy machine; with copies it takes most of a minute
	p := compile(t, asked(t, "x := y\ny[k] contains v if { some v in numbers.range(1, 8000); some k in [\"a\", \"b\"] }"))
	begin := time.Now()
	if got, err := p.Eval(t.Context(), plan.Query{}); err != nil || len(got) != 1 || time.Since(begin) > most {
		t.Errorf("got %d results, %v after %v", len(got), err, time.Since(begin))
	}
}

// doubling returns functions that each call the next twice.
func doubling(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "f%d(v) := f%d(v+1) + f%[2]d(v+2)\n", i, i+1)
	}
	fmt.Fprintf(&b, "f%d(v) := v\n", n)
	return b.String()
}

// TestRefuses holds that rules have no plan which would be too large, or whose
// functions answer otherwise each time, and that this is found out soon.
func TestRefuses(t *testing.T) {
	var rules, refs, mocks, ends strings.Builder
	for i := range 30 {
		fmt.Fprintf(&rules, "r%d := %[1]d\n", i)
		fmt.Fprintf(&refs, "data.q[v%d]; ", i)
		fmt.Fprintf(&mocks, "y%d := [a, b] if { a := y%d; b := y%[2]d with data.p.w%[1]d as 1 }\nw%[1]d := 0\n", i, i+1)
	}
	for i := range 500 {
		fmt.Fprintf(&ends, "l.r%d := %[1]d\ns%[1]d := data.p.l[_]\n", i)
	}
	for name, rego := range map[string]string{
		"ManyWays":                 "x if { " + refs.String() + "true }",
		"TwoWaysEach":              "x if { " + strings.ReplaceAll(refs.String(), "data.q", "data.p.o") + "true }\no.a := 1",
		"ManyWaysInAll":            "x := s0\n" + ends.String(),
		"ManyMocks":                "x := y0\n" + mocks.String() + "y30 := w0",
		"LongLiteral":              "x := [" + strings.Repeat("1, ", 100_000) + "1]",
		"Time":                     "x := time.now_ns()",
		"ManyRules":                strings.Repeat("x contains 1 if input.a\n", 501),
		"NotGivenYet":              "x contains [a, b] if [a, b] = [b, 1]",
		"Indexed":                  "x := {k: vs | some i; k := input.l[i].k; vs := [v | some j; input.l[j].k == k; v := input.l[j].v]}",
		"AsWritten":                "x := [v | some v in {input.b, input.a}]",
		"AsWritten in a list":      "x if { some v in [{input.b: 1, input.a: 2}][0]; v }",
		"AsWritten for a function": "x := f({input.b, input.a})\nf(s) := [v | some v in s]",
	} {
		t.Run(name, func(t *testing.T) {
			modules := map[string]string{"p.rego": "package p\n\n" + rego, "q.rego": "package q\n\n" + rules.String()}
			compiler, err := ast.CompileModulesWithOpt(modules, ast.CompileOpts{ParserOptions: ast.ParserOptions{RegoVersion: ast.RegoV1}})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := plan.Compile(plan.Config{Compiler: compiler, Query: ast.MustParseBody("result = data.p.x")}); err == nil {
				t.Error("Compile(...): got a plan, want an error")
			}
		})
	}
}

// TestTogether has many goroutines evaluate one plan, each about another input.
func TestTogether(t *testing.T) {
	p := compile(t, asked(t, `x := [y | some i in numbers.range(1, 50); y := i + input.n; z]
z if object.get(input, "n", 0) >= 0
z if not input.n in {100, 101}`))
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			input := ast.ObjectTerm(ast.Item(ast.StringTerm("n"), ast.InternedTerm(n)))
			want := fmt.Sprintf(`{"result": [%d, `, n+1)
			for range 50 {
				got, err := p.Eval(t.Context(), plan.Query{Input: input})
				if err != nil || len(got) != 1 || !strings.HasPrefix(got[0].String(), want) {
					t.Errorf("got %v, %v, want %s…", got, err, want)
				}
			}
		})
	}
	all.Wait()
}

// TestMemo holds that rules of the shared package are asked once for an input, by
// whichever plan, and never told of another input.
func TestMemo(t *testing.T) {
	compiler, err := ast.CompileModulesWithOpt(map[string]string{
		"shared.rego": "package shared\n\ny := count(input.l)\nz if input.none", "p.rego": "package p\n\nx := [data.shared.y, v, w] if {\n\tv := data.shared.y with input.l as []\n\tw := own\n\tnot data.shared.z\n}\nown := 1",
	}, ast.CompileOpts{ParserOptions: ast.ParserOptions{RegoVersion: ast.RegoV1}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Compile(plan.Config{Compiler: compiler, Query: ast.MustParseBody("result = data.p.x"), Shared: ast.MustParseRef("data.shared")})
	if err != nil {
		t.Fatal(err)
	}
	memo := plan.Memo{}
	ask := func(input, want string) {
		t.Helper()
		got, err := p.Eval(t.Context(), plan.Query{Input: ast.MustParseTerm(input), Memo: memo})
		if err != nil || len(got) != 1 || got[0].String() != `{"result": `+want+`}` {
			t.Errorf("got %v, %v, want %s", got, err, want)
		}
	}
	ask(`{"l": [1, 2]}`, "[2, 0, 1]")
	if len(memo) != 2 {
		t.Errorf("memo: got %v, want y and that z is undefined", memo)
	}
	ask(`{"l": [1, 2, 3], "none": true}`, "[2, 0, 1]") // it is the caller who knows that it is the same input
}
