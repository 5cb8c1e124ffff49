package plan

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
)

// A building is the list of a comprehension while it grows.
type building struct {
	ast.Value // none: it is in a variable alone until it is complete
	elements  []*ast.Term
}

// made returns the variable of a statement that makes a list, an object or a set.
func made(s ir.Stmt) (ir.Local, bool) {
	switch s := s.(type) {
	case *ir.MakeArrayStmt:
		return s.Target, true
	case *ir.MakeObjectStmt:
		return s.Target, true
	case *ir.MakeSetStmt:
		return s.Target, true
	}
	return 0, false
}

// composite compiles a statement that makes a list, an object or a set, with those that
// follow it and fill it, as they do wherever a literal is written. It returns how many
// these are. What has only constants in it is made once and for all.
func (c *compiler) composite(to ir.Local, all []ir.Stmt) (block, int, error) {
	var steps block
	var parts []operand
	used, filled := 1, 0
	for ; used < len(all); used++ {
		if l, ok := changed(all[used]); ok && l == to {
			parts, filled = append(parts, c.parts(all[used])...), filled+1
			continue
		}
		more, n, err := c.part(to, all[used:])
		if err != nil {
			return nil, 0, err
		}
		if n == 0 {
			break
		}
		steps, used = append(steps, more...), used+n-1
	}
	grows := c.changes[to] > filled
	c.written[to] = c.writtenAs(all[0], parts)
	if loop, ok := comprehension(to, all[used:]); ok && filled == 0 && c.changes[to] == changesIn(loop.Blocks...)[to] {
		if _, isList := all[0].(*ir.MakeArrayStmt); isList {
			more, err := c.list(to, loop)
			return append(steps, more...), used + 1, err
		}
	}
	compose := composer(all[0])
	if t := constants(parts); !grows && to != c.result && len(t) == len(parts) {
		return append(steps, c.constant(to, compose(t))), used, nil
	}
	l := c.assigned(to)
	return append(steps, func(s *state, f []*ast.Term) signal {
		values := make([]*ast.Term, len(parts))
		for i := range parts {
			if values[i] = parts[i].value(s, f); values[i] == nil {
				return undefined
			}
		}
		f[l] = compose(values)
		return next
	}), used, nil
}

// part compiles what may stand between the statements that fill a literal: constants
// and other literals.
func (c *compiler) part(of ir.Local, all []ir.Stmt) (block, int, error) {
	if _, _, ok := c.constantOf(all[0]); ok {
		return c.statements(all)
	}
	if inner, ok := made(all[0]); ok && inner != of {
		return c.statements(all)
	}
	return nil, 0, nil
}

// parts returns what a statement puts into a list, an object or a set.
func (c *compiler) parts(s ir.Stmt) []operand {
	switch s := s.(type) {
	case *ir.ArrayAppendStmt:
		return []operand{c.operand(s.Value)}
	case *ir.ObjectInsertStmt:
		return []operand{c.operand(s.Key), c.operand(s.Value)}
	case *ir.ObjectInsertOnceStmt:
		return []operand{c.operand(s.Key), c.operand(s.Value)}
	case *ir.SetAddStmt:
		return []operand{c.operand(s.Value)}
	}
	return nil
}

// composer returns the function that makes a list, an object or a set of its parts.
func composer(s ir.Stmt) func(parts []*ast.Term) *ast.Term {
	switch s.(type) {
	case *ir.MakeArrayStmt:
		return func(parts []*ast.Term) *ast.Term { return ast.ArrayTerm(parts...) }
	case *ir.MakeSetStmt:
		return func(parts []*ast.Term) *ast.Term { return ast.SetTerm(parts...) }
	}
	return func(parts []*ast.Term) *ast.Term {
		o := ast.NewObjectWithCapacity(len(parts) / 2)
		for i := 0; i < len(parts); i += 2 {
			o.Insert(parts[i], parts[i+1]) // of two with the same key the last counts
		}
		return ast.NewTerm(o)
	}
}

// constants returns the constants that operands begin with.
func constants(operands []operand) []*ast.Term {
	var found []*ast.Term
	for _, o := range operands {
		if o.constant == nil {
			break
		}
		found = append(found, o.constant)
	}
	return found
}

// comprehension returns the block that fills a list, if it comes next.
func comprehension(to ir.Local, all []ir.Stmt) (*ir.BlockStmt, bool) {
	if len(all) == 0 {
		return nil, false
	}
	loop, ok := all[0].(*ir.BlockStmt)
	return loop, ok && changesIn(loop.Blocks...)[to] > 0
}

// list compiles the comprehension of a list, which is complete when its block has been left.
func (c *compiler) list(to ir.Local, loop *ir.BlockStmt) (block, error) {
	l := c.assigned(to)
	begin := func(_ *state, f []*ast.Term) signal {
		f[l] = &ast.Term{Value: &building{}}
		return next
	}
	fill, err := c.statement(loop)
	end := func(s *state, f []*ast.Term) signal {
		list, ok := f[l].Value.(*building)
		if !ok {
			return s.fail(ErrFailed)
		}
		f[l] = ast.ArrayTerm(list.elements...)
		return next
	}
	return block{begin, fill, end}, err
}

// append compiles a statement that adds to a list, one of a comprehension as a rule.
func (c *compiler) append(stmt *ir.ArrayAppendStmt) step {
	value, l := c.operand(stmt.Value), c.assigned(stmt.Array)
	return func(s *state, f []*ast.Term) signal {
		v := value.value(s, f)
		if v == nil {
			return undefined
		}
		switch list := f[l].Value.(type) {
		case *building:
			list.elements = append(list.elements, v)
		case *ast.Array:
			f[l] = ast.NewTerm(list.Append(v))
		}
		return next
	}
}

// add compiles a statement that adds to a set.
func (c *compiler) add(stmt *ir.SetAddStmt) step {
	value, l := c.operand(stmt.Value), c.assigned(stmt.Set)
	return func(s *state, f []*ast.Term) signal {
		v := value.value(s, f)
		if v == nil {
			return undefined
		}
		set, ok := f[l].Value.(ast.Set)
		if !ok {
			return s.fail(ErrFailed)
		}
		set.Add(v)
		return next
	}
}

// insert compiles a statement that adds to an object. Where once is set, a key has one value.
func (c *compiler) insert(to ir.Local, key, value ir.Operand, once bool) step {
	k, v, l := c.operand(key), c.operand(value), c.assigned(to)
	return func(s *state, f []*ast.Term) signal {
		key, value := k.value(s, f), v.value(s, f)
		if key == nil || value == nil {
			return undefined
		}
		object, ok := objectOf(f[l])
		if !ok {
			return s.fail(ErrFailed)
		}
		if once {
			if before := object.Get(key); before != nil {
				if !equal(before, value) {
					return s.fail(ErrFailed)
				}
				return next
			}
		}
		object.Insert(key, value)
		return next
	}
}
