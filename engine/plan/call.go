package plan

import (
	"errors"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// call compiles the call of a rule or of a built-in function, and the loop over what it
// yields, if one follows.
func (c *compiler) call(stmt *ir.CallStmt, loop *ir.ScanStmt) (step, error) {
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
	case decl.Relation && loop != nil:
		return c.relation(fn, stmt, loop)
	case decl.Relation:
		return nil, fmt.Errorf("nothing goes through what %s yields", stmt.Func)
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
		fn, ok := c.paths[keyOf(steps)]
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

// values puts the values of operands into a frame.
func (s *state) values(f []*ast.Term, args []operand) (values []*ast.Term, ok bool) {
	values = s.frame(len(args))
	for i := range args {
		if values[i] = args[i].value(s, f); values[i] == nil {
			return values, false
		}
	}
	return values, true
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

// builtin compiles the call of a built-in function, which yields one value at most.
func (c *compiler) builtin(fn topdown.BuiltinFunc, args []operand, result int, void bool) step {
	lenient := c.cfg.Lenient
	return func(s *state, f []*ast.Term) signal {
		free := s.free
		values, ok := s.values(f, args)
		if !ok {
			s.leave(values, free)
			return undefined
		}
		s.yielded, s.hasYielded = nil, false
		err := fn(s.builtin, values, s.yield)
		s.leave(values, free)
		switch {
		case err != nil:
			return s.failedCall(err, lenient)
		case !s.hasYielded:
			return undefined
		case !void:
			f[result] = s.yielded
		}
		return next
	}
}

// errLeft ends a built-in function whose values nobody wants any more.
var errLeft = errors.New("left")

// relation compiles the call of a function that yields any number of values, and the
// loop over them. What the function yields is not kept: it may be a list of all that is
// in an object, each with a path as long as it is deep.
func (c *compiler) relation(fn topdown.BuiltinFunc, call *ir.CallStmt, loop *ir.ScanStmt) (step, error) {
	args, lenient := c.operands(call.Args), c.cfg.Lenient
	turn, err := c.turn(loop)
	return func(s *state, f []*ast.Term) signal {
		free := s.free
		values, ok := s.values(f, args)
		if !ok {
			s.leave(values, free)
			return undefined
		}
		sig, n := next, 0
		err := fn(s.builtin, values, func(t *ast.Term) error {
			if sig = turn(s, f, ast.InternedTerm(n), t); sig != next {
				return errLeft
			}
			n++
			return nil
		})
		s.leave(values, free)
		if err != nil && sig == next {
			return s.failedCall(err, lenient)
		}
		return sig
	}, err
}
