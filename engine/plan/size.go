package plan

import (
	"errors"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
)

// OPA's planner writes out all that may happen, and cannot be stopped. A reference
// that has a variable where rules differ is planned once for each rule, and what
// follows it each time anew; rules are planned anew below each `with` that replaces
// rules. Both multiply, so that little Rego could make a plan without end.
const (
	// maxBranches is how many ways there may be through one rule.
	maxBranches = 1000
	// maxWork is how much the planner may have to do, in bytes of Rego that it looks at:
	// a second's worth. The library's policies take a hundredth of it.
	maxWork = 1e9
	// termWork is what it takes to plan a term of a rule, beside looking at the text of the
	// expression that the term is in, which the planner does for each statement that it makes.
	termWork = 5000
	// maxRules is how many rules one name may have. The planner takes four times as long for
	// twice as many, and the index of rules, which plans have not, makes more and more of a
	// difference: a rule that does not apply takes a plan a µs to find out.
	maxRules = 500
)

// checkSize refuses rules whose plan could be out of all proportion to them.
func checkSize(compiler *ast.Compiler) error {
	work, rules, replaced := 0.0, map[string]int{}, replacements{compiler: compiler, by: map[*ast.Rule]float64{}, known: map[*ast.Rule]float64{}}
	for _, m := range compiler.Modules {
		if indexed(compiler, m) {
			return errors.New("topdown has an index for one of its comprehensions")
		}
		for _, r := range m.Rules {
			name := r.Ref().GroundPrefix().String()
			if rules[name]++; rules[name] > maxRules {
				return fmt.Errorf("%s has more than %d rules", name, maxRules)
			}
			n := branches(compiler, r)
			if n > maxBranches {
				return fmt.Errorf("%s: its references go through too many rules", r.Loc())
			}
			if with := replacing(compiler, r); with > 0 {
				replaced.by[r] = float64(n * with)
			}
			work += float64(n) * float64(terms(r)) * float64(termWork+len(r.Loc().Text))
		}
	}
	if work*float64(1+len(replaced.by)) > maxWork || work*replaced.times() > maxWork {
		return errors.New("it would take too long to plan")
	}
	return nil
}

// indexed reports whether a module has a comprehension that topdown asks once for all
// turns of a loop around it. A plan would go through it in each.
func indexed(compiler *ast.Compiler, m *ast.Module) (found bool) {
	ast.WalkTerms(m, func(t *ast.Term) bool {
		found = found || compiler.ComprehensionIndex(t) != nil
		return found
	})
	return found
}

// replacements counts how often a rule may be planned: once, and once below each chain
// of `with` that replace something, each of which is in a rule that the one before asks.
type replacements struct {
	compiler *ast.Compiler
	by       map[*ast.Rule]float64 // how many such `with` a rule has, in all ways through it
	known    map[*ast.Rule]float64 // how many chains begin in a rule
}

func (r replacements) times() float64 {
	n := 1.0
	for rule := range r.by {
		n += r.chains(rule)
	}
	return n
}

// chains returns how many chains begin in a rule.
func (r replacements) chains(rule *ast.Rule) float64 {
	if n, ok := r.known[rule]; ok {
		return n
	}
	n, asked := 1.0, map[*ast.Rule]bool{}
	r.walk(rule, asked)
	for other := range asked {
		if r.by[other] > 0 && other != rule {
			n += r.chains(other)
		}
	}
	r.known[rule] = n * r.by[rule]
	return r.known[rule]
}

// walk adds a rule, and all that it asks, to asked.
func (r replacements) walk(rule *ast.Rule, asked map[*ast.Rule]bool) {
	if rule == nil || asked[rule] {
		return
	}
	asked[rule] = true
	r.walk(rule.Else, asked)
	for dependency := range r.compiler.Graph.Dependencies(rule) {
		if next, ok := dependency.(*ast.Rule); ok {
			r.walk(next, asked)
		}
	}
}

// terms returns how many terms a rule has.
func terms(rule *ast.Rule) (n int) {
	ast.WalkTerms(rule, func(*ast.Term) bool {
		n++
		return false
	})
	return n
}

// replacing returns how many `with` of a rule replace rules or functions.
func replacing(compiler *ast.Compiler, rule *ast.Rule) (n int) {
	ast.WalkExprs(rule, func(e *ast.Expr) bool {
		for _, w := range e.With {
			if ref, ok := w.Target.Value.(ast.Ref); !ok || replaces(compiler, ref) {
				n++
			}
		}
		return false
	})
	return n
}

// replaces reports whether a `with` puts something in the place of rules or of a function.
func replaces(compiler *ast.Compiler, ref ast.Ref) bool {
	switch {
	case ref[0].Equal(ast.InputRootDocument):
		return false
	case ref[0].Equal(ast.DefaultRootDocument):
		return compiler.RuleTree.Find(ref) != nil
	}
	return true
}

// branches returns how many ways there are through a rule, or a number beyond maxBranches.
func branches(compiler *ast.Compiler, rule *ast.Rule) int {
	n := 1
	ast.WalkRefs(rule, func(ref ast.Ref) bool {
		if n <= maxBranches && ref[0].Equal(ast.DefaultRootDocument) {
			n *= choices(compiler.RuleTree.Child(ref[0].Value), ref[1:])
		}
		return false
	})
	return n
}

// choices returns how many ways the planner goes from a node along a reference until it
// comes to a rule: to each child where there is a variable, and to what data has there
// beside rules. Where the reference ends before a rule, it goes to all that are below.
func choices(node *ast.TreeNode, ref ast.Ref) int {
	switch {
	case node == nil || len(node.Values) > 0:
		return 1
	case len(ref) > 0 && ref[0].IsGround():
		return choices(node.Child(ref[0].Value), ref[1:])
	}
	n := 1
	for _, child := range node.Children {
		n += choices(child, ref[min(1, len(ref)):])
	}
	return n
}
