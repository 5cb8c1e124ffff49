package plan

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
)

// constantOf returns what a statement assigns, and to which variable, if it is a constant.
func (c *compiler) constantOf(s ir.Stmt) (ir.Local, *ast.Term, bool) {
	switch s := s.(type) {
	case *ir.MakeNullStmt:
		return s.Target, ast.InternedNullTerm, true
	case *ir.MakeNumberIntStmt:
		return s.Target, ast.InternedTerm(s.Value), true
	case *ir.MakeNumberRefStmt:
		return s.Target, ast.NewTerm(ast.Number(c.texts[s.Index])), true
	case *ir.AssignIntStmt:
		return s.Target, ast.InternedTerm(s.Value), true
	}
	return 0, nil, false
}

// statement compiles one statement.
func (c *compiler) statement(s ir.Stmt) (step, error) {
	if to, t, ok := c.constantOf(s); ok {
		return c.constant(to, t), nil
	}
	switch s := s.(type) {
	case *ir.BlockStmt, *ir.ScanStmt, *ir.NotStmt, *ir.WithStmt:
		return c.nested(s)
	case *ir.CallStmt:
		return c.call(s, nil)
	case *ir.CallDynamicStmt:
		return c.callDynamic(s), nil
	case *ir.ArrayAppendStmt:
		return c.append(s), nil
	case *ir.SetAddStmt:
		return c.add(s), nil
	case *ir.ObjectInsertStmt:
		return c.insert(s.Object, s.Key, s.Value, false), nil
	case *ir.ObjectInsertOnceStmt:
		return c.insert(s.Object, s.Key, s.Value, true), nil
	case *ir.ObjectMergeStmt:
		return c.merge(s), nil
	case *ir.DotStmt:
		return c.dot(s), nil
	case *ir.LenStmt:
		return c.length(s), nil
	case *ir.AssignVarStmt:
		return c.assign(s), nil
	case *ir.AssignVarOnceStmt:
		return c.assignOnce(s), nil
	case *ir.ResetLocalStmt:
		return c.reset(s), nil
	case *ir.ResultSetAddStmt:
		return c.addResult(s), nil
	}
	return c.test(s)
}

// test compiles a statement that is undefined where what it asks is not so.
func (c *compiler) test(s ir.Stmt) (step, error) {
	switch s := s.(type) {
	case *ir.BreakStmt:
		leave := signal(s.Index) + 1
		return func(*state, []*ast.Term) signal { return leave }, nil
	case *ir.ReturnLocalStmt:
		if s.Source != c.result {
			return nil, fmt.Errorf("returns %v", s.Source)
		}
		return func(*state, []*ast.Term) signal { return returned }, nil
	case *ir.NopStmt:
		return func(*state, []*ast.Term) signal { return next }, nil
	case *ir.EqualStmt:
		return c.equal(s), nil
	case *ir.NotEqualStmt:
		return c.notEqual(s), nil
	case *ir.IsArrayStmt:
		return c.is(s.Source, func(v ast.Value) bool { _, ok := v.(*ast.Array); return ok }), nil
	case *ir.IsObjectStmt:
		return c.is(s.Source, func(v ast.Value) bool { _, ok := v.(ast.Object); return ok }), nil
	case *ir.IsSetStmt:
		return c.is(s.Source, func(v ast.Value) bool { _, ok := v.(ast.Set); return ok }), nil
	case *ir.IsDefinedStmt:
		return c.defined(s.Source, true), nil
	case *ir.IsUndefinedStmt:
		return c.defined(s.Source, false), nil
	}
	return nil, fmt.Errorf("statement %T is not known", s)
}

// when returns next where something holds, else undefined.
func when(holds bool) signal {
	if holds {
		return next
	}
	return undefined
}

func (c *compiler) is(of ir.Operand, kind func(ast.Value) bool) step {
	o := c.operand(of)
	return func(s *state, f []*ast.Term) signal {
		t := o.value(s, f)
		return when(t != nil && kind(t.Value))
	}
}

func (c *compiler) defined(of ir.Local, want bool) step {
	o := c.variable(of)
	c.given[of] = true
	return func(s *state, f []*ast.Term) signal { return when((o.argument(s, f) != nil) == want) }
}

func (c *compiler) equal(stmt *ir.EqualStmt) step {
	a, b := c.operand(stmt.A), c.operand(stmt.B)
	return func(s *state, f []*ast.Term) signal {
		x, y := a.value(s, f), b.value(s, f)
		return when(x != nil && y != nil && equal(x, y))
	}
}

func (c *compiler) notEqual(stmt *ir.NotEqualStmt) step {
	a, b := c.operand(stmt.A), c.operand(stmt.B)
	if v, ok := stmt.B.Value.(ir.Bool); ok && !bool(v) { // which is what a condition asks
		return func(s *state, f []*ast.Term) signal {
			x := a.value(s, f)
			return when(x != nil && x.Value != ast.InternedBooleanFalseValue)
		}
	}
	return func(s *state, f []*ast.Term) signal {
		x, y := a.value(s, f), b.value(s, f)
		return when(x != nil && y != nil && !equal(x, y))
	}
}

func (c *compiler) assign(stmt *ir.AssignVarStmt) step {
	from := c.operand(stmt.Source)
	c.documents[stmt.Target] = c.documents[stmt.Target] || from.document
	c.written[stmt.Target] = c.writtenIn(from)
	to := c.assigned(stmt.Target)
	if stmt.Target == c.proof && c.proof != 0 {
		return func(*state, []*ast.Term) signal { return found }
	}
	if from.constant != nil {
		return c.constant(stmt.Target, from.constant)
	}
	return func(s *state, f []*ast.Term) signal {
		f[to] = from.argument(s, f)
		return when(f[to] != nil || !from.document) // there may be no input
	}
}

func (c *compiler) assignOnce(stmt *ir.AssignVarOnceStmt) step {
	from, to := c.operand(stmt.Source), c.assigned(stmt.Target)
	if stmt.Target == c.early && c.early != 0 { // no other rule could say anything else
		result := c.local(c.result)
		return func(s *state, f []*ast.Term) signal {
			f[result] = from.value(s, f)
			return returned
		}
	}
	return func(s *state, f []*ast.Term) signal {
		t := from.value(s, f)
		switch {
		case t == nil:
			return undefined
		case f[to] == nil:
			f[to] = t
		case !equal(f[to], t):
			return s.fail(ErrFailed)
		}
		return next // of 1 and 1.0, which are equal, the first counts
	}
}

func (c *compiler) reset(stmt *ir.ResetLocalStmt) step {
	l := c.assigned(stmt.Target)
	return func(_ *state, f []*ast.Term) signal {
		f[l] = nil
		return next
	}
}

func (c *compiler) addResult(stmt *ir.ResultSetAddStmt) step {
	l := c.local(stmt.Value)
	return func(s *state, f []*ast.Term) signal {
		if o, ok := f[l].Value.(ast.Object); ok {
			s.results = append(s.results, o)
		}
		return next
	}
}
