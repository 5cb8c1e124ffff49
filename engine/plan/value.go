package plan

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
)

func equal(a, b *ast.Term) bool { return a == b || ast.ValueEqual(a.Value, b.Value) }

// dot compiles the look at one part of a value. What is put into that part later, is
// put into a copy, since it may belong to others: the one copy for all that a call of
// the rule puts there, or a set that grows would be copied with each of its elements.
func (c *compiler) dot(stmt *ir.DotStmt) step {
	from, key := c.operand(stmt.Source), c.operand(stmt.Key)
	c.documents[stmt.Target] = from.document
	c.written[stmt.Target] = c.partOf(from)
	to, isChanged := c.assigned(stmt.Target), c.changes[stmt.Target] > 0
	whole := c.local(c.result)
	return func(s *state, f []*ast.Term) signal {
		source, k := from.constant, key.value(s, f)
		if source == nil {
			source = f[from.local]
		}
		if source == nil || k == nil {
			return undefined
		}
		t := at(source, k)
		if isChanged && t != nil {
			t = s.own(t, f[whole])
		}
		f[to] = t
		return when(t != nil)
	}
}

// at returns the part of t under a key, nil if there is none.
func at(t, key *ast.Term) *ast.Term {
	switch v := t.Value.(type) {
	case *ast.Array:
		return v.Get(key)
	case ast.Object:
		return v.Get(key)
	case ast.Set:
		if v.Contains(key) {
			return key
		}
	case *document:
		return v.below(key)
	}
	return nil
}

// A part is one that a rule has copied for the value that it makes.
type part struct{ copied, of *ast.Term }

// own returns a part of what a rule makes that is its own: t, or a copy of it.
func (s *state) own(t, of *ast.Term) *ast.Term {
	if s.parts[part{t, of}] {
		return t
	}
	if s.parts == nil {
		s.parts = map[part]bool{}
	}
	t = copied(t)
	s.parts[part{t, of}] = true
	return t
}

// copied returns a copy that something can be put into. What is in it stays the same: who
// puts something into a part of that takes a copy of the part.
func copied(t *ast.Term) *ast.Term {
	switch v := t.Value.(type) {
	case ast.Object:
		c := ast.NewObject()
		v.Foreach(c.Insert)
		return ast.NewTerm(c)
	case ast.Set:
		c := ast.NewSet()
		v.Foreach(c.Add)
		return ast.NewTerm(c)
	}
	return t
}

func (c *compiler) length(stmt *ir.LenStmt) step {
	from, to := c.operand(stmt.Source), c.assigned(stmt.Target)
	return func(s *state, f []*ast.Term) signal {
		t := from.value(s, f)
		if t == nil {
			return undefined
		}
		switch v := t.Value.(type) {
		case *ast.Array:
			f[to] = ast.InternedTerm(v.Len())
		case ast.Object:
			f[to] = ast.InternedTerm(v.Len())
		case ast.Set:
			f[to] = ast.InternedTerm(v.Len())
		default:
			return undefined
		}
		return next
	}
}

// merge compiles the union of what data has, which goes first, and what rules say.
func (c *compiler) merge(stmt *ir.ObjectMergeStmt) step {
	a, b, to := c.variable(stmt.A), c.variable(stmt.B), c.assigned(stmt.Target)
	return func(s *state, f []*ast.Term) signal {
		x, y := a.value(s, f), b.value(s, f)
		if x == nil || y == nil {
			return undefined
		}
		f[to], _ = merged(x, y)
		return next
	}
}

func merged(a, b *ast.Term) (*ast.Term, bool) {
	x, isObject := a.Value.(ast.Object)
	y, areObjects := b.Value.(ast.Object)
	if !isObject || !areObjects {
		return a, false
	}
	both, _ := x.MergeWith(y, merged)
	return ast.NewTerm(both), false
}
