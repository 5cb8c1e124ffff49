package plan

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
)

// nested compiles a statement that has blocks.
func (c *compiler) nested(s ir.Stmt) (step, error) {
	switch s := s.(type) {
	case *ir.BlockStmt:
		return c.inner(s)
	case *ir.ScanStmt:
		return c.scan(s)
	case *ir.NotStmt:
		return c.not(s)
	case *ir.WithStmt:
		return c.with(s)
	}
	return nil, fmt.Errorf("statement %T has no blocks", s)
}

func (c *compiler) inner(stmt *ir.BlockStmt) (step, error) {
	blocks, err := c.blocks(stmt.Blocks)
	return func(s *state, f []*ast.Term) signal {
		for _, b := range blocks {
			if sig := b.run(s, f).outside(); sig != next {
				return sig
			}
		}
		return next
	}, err
}

// scan compiles a loop. Its order is that of topdown: that of the keys.
func (c *compiler) scan(stmt *ir.ScanStmt) (step, error) {
	from := c.variable(stmt.Source)
	c.refuse(from, literal)
	c.written[stmt.Key], c.written[stmt.Value] = c.partOf(from), c.partOf(from)
	turn, err := c.turn(stmt)
	return func(s *state, f []*ast.Term) signal {
		t := from.value(s, f)
		if t == nil {
			return undefined
		}
		sig := next
		switch over := t.Value.(type) {
		case *ast.Array:
			for i := 0; i < over.Len() && sig == next; i++ {
				sig = turn(s, f, ast.InternedTerm(i), over.Elem(i))
			}
		case ast.Object:
			over.Until(func(key, value *ast.Term) bool {
				sig = turn(s, f, key, value)
				return sig != next
			})
		case ast.Set:
			over.Until(func(element *ast.Term) bool {
				sig = turn(s, f, element, element)
				return sig != next
			})
		}
		return sig
	}, err
}

// turn compiles one turn of a loop.
func (c *compiler) turn(stmt *ir.ScanStmt) (func(s *state, f []*ast.Term, key, value *ast.Term) signal, error) {
	k, v := c.assigned(stmt.Key), c.assigned(stmt.Value)
	body, err := c.block(stmt.Block)
	return func(s *state, f []*ast.Term, key, value *ast.Term) signal {
		if s.cancelled() {
			return failed
		}
		f[k], f[v] = key, value
		return body.run(s, f).outside()
	}, err
}

// not compiles a negation. Its body either comes to its end, or says at each place
// where it holds that it does, by a variable; the first is enough.
func (c *compiler) not(stmt *ir.NotStmt) (step, error) {
	outer := c.proof
	c.proof = 0
	if n := len(stmt.Block.Stmts); n > 0 {
		if last, ok := stmt.Block.Stmts[n-1].(*ir.IsDefinedStmt); ok {
			c.proof = last.Source
		}
	}
	body, err := c.block(stmt.Block)
	c.proof = outer
	return func(s *state, f []*ast.Term) signal {
		switch sig := body.run(s, f); sig {
		case next, found:
			return undefined
		default:
			return sig.outside()
		}
	}, err
}

// with compiles a block in which input or data is another.
func (c *compiler) with(stmt *ir.WithStmt) (step, error) {
	l, value := c.assigned(stmt.Local), c.operand(stmt.Value)
	path := make([]*ast.Term, len(stmt.Path))
	for i, p := range stmt.Path {
		path[i] = c.strings[p]
	}
	before := c.variable(stmt.Local)
	input, data := c.input, c.data
	body, err := c.block(stmt.Block)
	return func(s *state, f []*ast.Term) signal {
		v := value.argument(s, f)
		if v == nil && len(path) > 0 {
			return undefined
		}
		old, world, worlds := f[l], s.world, len(s.worlds)
		if len(path) > 0 {
			v = replaced(before.value(s, f), path, v)
		}
		f[l] = v
		s.enter(f[input], f[data])
		sig := body.run(s, f)
		f[l], s.world, s.worlds = old, world, s.worlds[:worlds]
		if sig > undefined {
			return sig - 1
		}
		return sig
	}, err
}

// replaced returns t with a value at a path, and objects on the way there wherever
// there is none.
func replaced(t *ast.Term, path []*ast.Term, value *ast.Term) *ast.Term {
	if len(path) == 0 {
		return value
	}
	var members [][2]*ast.Term
	var below *ast.Term
	if o, ok := objectOf(t); ok {
		below = o.Get(path[0])
		o.Foreach(func(k, v *ast.Term) {
			if !equal(k, path[0]) {
				members = append(members, [2]*ast.Term{k, v})
			}
		})
	}
	return ast.ObjectTerm(append(members, [2]*ast.Term{path[0], replaced(below, path[1:], value)})...)
}

func objectOf(t *ast.Term) (ast.Object, bool) {
	if t == nil {
		return nil, false
	}
	o, ok := t.Value.(ast.Object)
	return o, ok
}
