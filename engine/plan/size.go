package plan

import (
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
	// maxReplacing is how many `with` may replace rules, or functions, in all rules:
	// with two in each of eight rules that call one another, the last is planned 256 times.
	maxReplacing = 16
	// maxRules is how many rules one name may have. The planner takes four times as long for
	// twice as many, and the index of rules, which plans have not, makes more and more of a
	// difference: a rule that does not apply takes a plan a µs to find out.
	maxRules = 500
)

// checkSize refuses rules whose plan could be out of all proportion to them.
func checkSize(compiler *ast.Compiler) error {
	replacing, rules := 0, map[string]int{}
	for _, m := range compiler.Modules {
		ast.WalkExprs(m, func(e *ast.Expr) bool {
			for _, w := range e.With {
				if ref, ok := w.Target.Value.(ast.Ref); !ok || replaces(compiler, ref) {
					replacing++
				}
			}
			return false
		})
		for _, r := range m.Rules {
			name := r.Ref().GroundPrefix().String()
			if rules[name]++; rules[name] > maxRules {
				return fmt.Errorf("%s has more than %d rules", name, maxRules)
			}
			if branches(compiler, r) > maxBranches {
				return fmt.Errorf("%s: its references go through too many rules", r.Loc())
			}
		}
	}
	if replacing > maxReplacing {
		return fmt.Errorf("rules are replaced by with %d times", replacing)
	}
	return nil
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
		if n <= maxBranches {
			n *= max(1, choices(compiler, ref))
		}
		return false
	})
	return n
}

// choices returns how many rules a reference may be to: those below its first
// variable, if it comes to one before it comes to a rule.
func choices(compiler *ast.Compiler, ref ast.Ref) int {
	if !ref[0].Equal(ast.DefaultRootDocument) {
		return 1
	}
	node := compiler.RuleTree
	for _, step := range ref {
		if !step.IsGround() && !step.Equal(ast.DefaultRootDocument) {
			return below(node)
		}
		if node = node.Child(step.Value); node == nil || len(node.Values) > 0 {
			return 1
		}
	}
	return 1
}

// below returns how many rules there are below a node.
func below(node *ast.TreeNode) int {
	n := len(node.Values)
	for _, child := range node.Children {
		n += below(child)
	}
	return n
}
