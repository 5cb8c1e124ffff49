package plan

import (
	"errors"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// call compiles the call of a rule or of a built-in function.
func (c *compiler) call(stmt *ir.CallStmt) (step, error) {
	args, result := c.operands(stmt.Args), c.assigned(stmt.Result)
	if fn, ok := c.functions[stmt.Func]; ok {
		for _, a := range args {
			c.refuse(a, partly)
		}
		return func(s *state, f []*ast.Term) signal { return s.assign(f, result, fn, args) }, nil
	}
	decl, fn := ast.BuiltinMap[stmt.Func], topdown.GetBuiltin(stmt.Func)
	if own, ok := c.cfg.Builtins[stmt.Func]; ok {
		decl, fn = own.Decl, own.Func
	}
	switch {
	case decl == nil || fn == nil:
		return nil, fmt.Errorf("function %s is not known", stmt.Func)
	case decl.Nondeterministic:
		return nil, fmt.Errorf("function %s answers otherwise the next time", stmt.Func)
	case decl.Relation:
		return c.relation(fn, args, result), nil
	}
	return c.builtin(fn, args, result, decl.Decl.Result() == nil), nil
}

// callDynamic compiles the call of a rule whose path is known when it is called.
func (c *compiler) callDynamic(stmt *ir.CallDynamicStmt) step {
	path, result := c.operands(stmt.Path), c.assigned(stmt.Result)
	args := make([]operand, len(stmt.Args))
	for i, a := range stmt.Args {
		args[i] = c.variable(a)
	}
	return func(s *state, f []*ast.Term) signal {
		steps := make([]string, len(path))
		for i := range path {
			t := path[i].value(s, f)
			if t == nil {
				return undefined
			}
			text, ok := t.Value.(ast.String)
			if !ok {
				return undefined
			}
			steps[i] = string(text)
		}
		fn, ok := c.paths[strings.Join(steps, "\x00")]
		if !ok {
			return undefined
		}
		return s.assign(f, result, fn, args)
	}
}

// assign calls a function and assigns what it yields.
func (s *state) assign(f []*ast.Term, result int, fn *function, args []operand) signal {
	if s.cancelled() {
		return failed
	}
	value, ok := s.remembered(fn)
	if !ok {
		if value, ok = s.invoke(f, fn, args); !ok {
			return failed
		}
		s.remember(fn, value)
	}
	f[result] = value
	return when(value != nil)
}

// remembered returns what a rule without arguments has yielded before.
func (s *state) remembered(fn *function) (value *ast.Term, ok bool) {
	switch {
	case fn.memo < 0:
		return nil, false
	case fn.shared != "" && s.world == 0 && s.query.Memo != nil:
		value, ok = s.query.Memo[fn.shared]
		return value, ok
	}
	m := s.worlds[s.world].memo[fn.memo]
	return m.value, m.known
}

func (s *state) remember(fn *function, value *ast.Term) {
	switch {
	case fn.memo < 0:
	case fn.shared != "" && s.world == 0 && s.query.Memo != nil:
		s.query.Memo[fn.shared] = value
	default:
		s.worlds[s.world].memo[fn.memo] = known{true, value}
	}
}

// invoke runs a function; its value is nil where it is undefined.
func (s *state) invoke(f []*ast.Term, fn *function, args []operand) (value *ast.Term, ok bool) {
	free := s.free
	frame := s.frame(fn.locals)
	for i := range args {
		frame[fn.params[i]] = args[i].argument(s, f)
	}
	for _, b := range fn.blocks {
		sig := b.run(s, frame)
		if sig == failed {
			s.leave(frame, free)
			return nil, false
		}
		if sig == returned {
			break
		}
	}
	value = frame[fn.result]
	s.leave(frame, free)
	return value, true
}

// yields calls a built-in function. What it yields is in s.yielded.
func (s *state) yields(f []*ast.Term, fn topdown.BuiltinFunc, args []operand, lenient bool) signal {
	free := s.free
	values := s.frame(len(args))
	defer s.leave(values, free)
	for i := range args {
		if values[i] = args[i].value(s, f); values[i] == nil {
			return undefined
		}
	}
	s.yielded = s.yielded[:0]
	if err := fn(s.builtin, values, s.yield); err != nil {
		return s.failedCall(err, lenient)
	}
	return when(len(s.yielded) > 0)
}

// failedCall says what the error of a built-in function means.
func (s *state) failedCall(err error, lenient bool) signal {
	switch halt := (topdown.Halt{}); {
	case s.cancelled():
		return failed
	case lenient && !errors.As(err, &halt):
		return undefined
	}
	return s.fail(ErrFailed)
}

func (c *compiler) builtin(fn topdown.BuiltinFunc, args []operand, result int, void bool) step {
	lenient := c.cfg.Lenient
	return func(s *state, f []*ast.Term) signal {
		sig := s.yields(f, fn, args, lenient)
		if sig == next && !void {
			f[result] = s.yielded[0]
		}
		return sig
	}
}

// relation compiles the call of a function that yields any number of values.
func (c *compiler) relation(fn topdown.BuiltinFunc, args []operand, result int) step {
	lenient := c.cfg.Lenient
	return func(s *state, f []*ast.Term) signal {
		if sig := s.yields(f, fn, args, lenient); sig != next {
			return sig
		}
		f[result] = ast.ArrayTerm(append([]*ast.Term(nil), s.yielded...)...)
		return next
	}
}
