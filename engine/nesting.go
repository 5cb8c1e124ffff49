package engine

import "github.com/open-policy-agent/opa/v1/ast"

// nesting returns how deep comprehensions stand in one another in x, a part of Rego.
func nesting(x any) int {
	deepest := 0
	ast.WalkTerms(x, func(t *ast.Term) bool {
		parts := comprehended(t)
		for _, part := range parts {
			deepest = max(deepest, 1+nesting(part))
		}
		return len(parts) > 0
	})
	return deepest
}

// comprehended returns the parts of a comprehension, nil of what is none.
func comprehended(t *ast.Term) []any {
	switch c := t.Value.(type) {
	case *ast.ArrayComprehension:
		return []any{c.Term, c.Body}
	case *ast.SetComprehension:
		return []any{c.Term, c.Body}
	case *ast.ObjectComprehension:
		return []any{c.Key, c.Value, c.Body}
	}
	return nil
}
