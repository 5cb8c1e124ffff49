package plan_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/lintel-policy/lintel/engine/plan"
)

// TestRandomRules asks both evaluators about rules that are put together at random, and
// about random inputs. Few of the rules make sense, and most meet values of a wrong type.
func TestRandomRules(t *testing.T) {
	const tries, inputs = 400, 6
	planned, defined, failed := 0, 0, 0
	for seed := range uint64(tries) {
		g := generator{rand.New(rand.NewPCG(seed, 7))}
		rego := g.rules()
		compiler, err := ast.CompileModulesWithOpt(map[string]string{"p.rego": rego}, ast.CompileOpts{ParserOptions: ast.ParserOptions{RegoVersion: ast.RegoV1}})
		if err != nil {
			continue // most often a type that can never fit
		}
		q := question{compiler: compiler, query: ast.MustParseBody("result = data.p"), data: map[string]any{}, strict: g.IntN(2) == 0}
		p, err := plan.Compile(plan.Config{Compiler: compiler, Query: q.query, Lenient: !q.strict})
		if err != nil {
			continue
		}
		planned++
		for range inputs {
			q.input = ast.NewTerm(ast.MustInterfaceToValue(g.input(3)))
			want, err := q.topdown(t)
			got, planErr := q.plan(t, p)
			switch {
			case err != nil:
				failed++
				if planErr == nil {
					t.Errorf("got %v, want an error as topdown has: %v\n%s\n%v", got, err, rego, q.input)
				}
			case planErr != nil:
				failed++ // topdown passed over the rule that failed
			case strings.Join(want, "\n") != strings.Join(got, "\n"):
				t.Fatalf("-topdown, +plan:\n-%v\n+%v\n%s\n%v", want, got, rego, q.input)
			default:
				defined++
			}
		}
	}
	t.Logf("%d of %d have plans, of %d results and %d errors", planned, tries, defined, failed)
	if planned < tries/4 || defined < tries {
		t.Error("that is too little to tell")
	}
}

// A generator makes rules and inputs in which few names meet often.
type generator struct{ *rand.Rand }

func (g generator) pick(from ...string) string { return from[g.IntN(len(from))] }

func (g generator) rules() string {
	var b strings.Builder
	b.WriteString("package p\n\n")
	for range 2 {
		fmt.Fprintf(&b, "f(x) if {\n\t%s\n}\n\n", g.condition("x"))
		fmt.Fprintf(&b, "g(x) := y if {\n\t%s\n\ty := %s\n}\n\n", g.condition("x", "f(%[1]s)"), g.value("x"))
	}
	fmt.Fprintf(&b, "default d := false\n\nd if {\n\t%s\n}\n\n", g.condition("input.a", "f(%[1]s)", "g(%[1]s)"))
	for i := range 3 {
		head := g.pick("r%d contains v if", "r%d := v if", "r%d[k] := v if", "r%d if")
		fmt.Fprintf(&b, head+" {\n%s}\n\n", i, g.body(i))
	}
	return b.String()
}

// body returns a body that has the variables k and v.
func (g generator) body(rule int) string {
	var b strings.Builder
	from := g.pick("input", "input.l", "input.a", "input.a.b", `{"k": input.l}`, "[1, 2, input.a]")
	fmt.Fprintf(&b, "\tsome k, v in %s\n", from)
	for range 1 + g.IntN(3) {
		fmt.Fprintf(&b, "\t%s\n", g.condition(g.pick("k", "v", "input.a"), "f(%[1]s)", "g(%[1]s)", "d", "g(%[1]s) == %[2]s"))
	}
	if rule > 0 && g.IntN(2) == 0 {
		fmt.Fprintf(&b, "\t%sr%d%s\n", g.pick("", "not "), rule-1, g.pick("", `.b`, " with input as v", " with input.a as {\"b\": k}"))
	}
	return b.String()
}

// condition returns an expression about x, which may be one of calls.
func (g generator) condition(x string, calls ...string) string {
	y := g.value(x)
	c := g.pick(append(calls, "%[1]s == %[2]s", "%[1]s != %[2]s", "%[1]s < %[2]s", "%[2]s in %[1]s", "%[1]s in %[2]s", "%[1]s.b",
		"is_object(%[1]s)", "count(%[2]s) > 0", "%[1]s[%[3]q]", "startswith(%[1]s, \"a\")", "every i in %[2]s { i != %[1]s }", "{i | some i in %[2]s} != {%[1]s}",
		"some i in %[1]s; i == %[2]s", "[_, _] = %[1]s", "{%[3]q: _} = %[1]s", "walk(%[1]s, [_, 1])")...)
	c = fmt.Sprintf(c, x, y, g.pick("a", "b", "c"))
	c, _, _ = strings.Cut(c, "%!(EXTRA")
	if g.IntN(4) == 0 && !strings.ContainsAny(c, ";_") && !strings.HasPrefix(c, "every") {
		return "not " + c
	}
	return c
}

// value returns a term in which x may be.
func (g generator) value(x string) string {
	v := g.pick("%[1]s", "1", `"a"`, "null", "input.a", "input.l[0]", "[%[1]s, 1]", `{"a": %[1]s}`, "[i | some i in input.l; i != %[1]s]", "{i: 1 | some i in input.l}",
		"object.get(input, \"a\", %[1]s)", "input[\"b\"]", "array.concat(input.l, [%[1]s])", "{%[1]s}", "input.a.b")
	v, _, _ = strings.Cut(fmt.Sprintf(v, x), "%!(EXTRA")
	return v
}

func (g generator) input(depth int) any {
	if depth == 0 || g.IntN(6) == 0 {
		return []any{1, 0, "a", "b", true, false, nil, 1.5}[g.IntN(8)]
	}
	if depth < 3 && g.IntN(3) == 0 {
		list := []any{}
		for range g.IntN(4) {
			list = append(list, g.input(depth-1))
		}
		return list
	}
	o := map[string]any{}
	for _, key := range []string{"a", "b", "l"} {
		if g.IntN(4) > 0 {
			o[key] = g.input(depth - 1)
		}
	}
	return o
}
