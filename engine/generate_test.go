package engine_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// A generator makes random objects and rules that are likely to meet: few keys,
// few values.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator {
	return generator{rand.New(rand.NewPCG(seed, 1))}
}

func (g generator) pick(from ...string) string { return from[g.IntN(len(from))] }

func (g generator) key() string { return g.pick("a", "b", "c/d", "e~f", "g") }

// object returns an object of at most depth levels.
func (g generator) object(depth int) object {
	o := object{}
	for range g.IntN(4) {
		o[g.key()] = g.value(depth - 1)
	}
	if g.IntN(2) == 0 {
		o["template"] = object{"x": g.value(depth - 1)}
	}
	return o
}

func (g generator) value(depth int) any {
	if depth <= 0 {
		return []any{"s", 1, true, nil, ""}[g.IntN(5)]
	}
	switch g.IntN(4) {
	case 0:
		return g.object(depth)
	case 1:
		list := []any{}
		for range g.IntN(4) {
			list = append(list, object{"name": g.pick("x", "y", "z"), "v": g.IntN(3)})
		}
		return list
	}
	return g.value(0)
}

// patchRules returns some patch rules, most of which depend on the object.
func (g generator) patchRules() string {
	var b strings.Builder
	for range 1 + g.IntN(3) {
		op := g.pick("default", "set", "append", "remove")
		fmt.Fprintf(&b, "patch contains {\"path\": %s, \"op\": %q, \"value\": %s}%s\n", g.path(), op, g.literal(), g.condition())
	}
	return b.String()
}

func (g generator) path() string {
	steps := []string{`"spec"`}
	for range 1 + g.IntN(2) {
		switch g.IntN(6) {
		case 0:
			steps = append(steps, `"template"`)
		default:
			steps = append(steps, fmt.Sprintf("%q", g.key()))
		}
	}
	if g.IntN(8) == 0 {
		steps = append(steps, "0")
	}
	return "[" + strings.Join(steps, ", ") + "]"
}

func (g generator) literal() string {
	return g.pick(`"s"`, `1`, `2`, `{"name": "x", "v": 1}`, `{"name": "w"}`, `{"a": 1}`, `[]`, `{}`)
}

func (g generator) condition() string {
	switch g.IntN(4) {
	case 0:
		return fmt.Sprintf(" if input.review.object.spec[%q]", g.key())
	case 1:
		return fmt.Sprintf(" if not input.review.object.spec[%q]", g.key())
	}
	return ""
}
