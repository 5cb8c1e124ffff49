package plan

import (
	"errors"
	"fmt"
	"maps"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
)

// A function is a rule, or all rules of one name.
type function struct {
	params []int
	result int
	locals int
	blocks []block
	memo   int    // the number of a rule without arguments, else -1
	shared string // the name in a [Memo], if it may be there
}

// errNotGiven reports rules such as `[a, b] = [b, 1]`: topdown learns a when it comes to
// b, and a plan has nothing to give to a before.
var errNotGiven = errors.New("it uses a variable before it knows its value")

// A compiler turns statements into steps.
type compiler struct {
	cfg       Config
	texts     []string
	strings   []*ast.Term          // of texts
	functions map[string]*function // by name
	paths     map[string]*function // by the key of their path, for calls whose path is known late
	memos     int
	refused   error // why there is to be no plan

	scope // of the function that is being compiled
}

// A scope is what is known of the variables of a function.
type scope struct {
	input     int // the variable of input
	data      int
	locals    int
	constants map[ir.Local]*ast.Term // at this place
	documents map[ir.Local]bool      // may hold a [document]
	written   map[ir.Local]written
	given     map[ir.Local]bool // have been given a value somewhere before this place
	changes   changes           // in the block of the function that is being compiled
	// early is the variable that a rule assigns where all rules of the function say the
	// same, so that the first that holds is enough; 0 if there is none.
	early  ir.Local
	result ir.Local
	// proof is the variable that tells the body of a `not` to hold; 0 outside.
	proof ir.Local
}

func newCompiler(cfg Config, policy *ir.Policy) *compiler {
	c := &compiler{cfg: cfg, functions: map[string]*function{}, paths: map[string]*function{}}
	for _, s := range policy.Static.Strings {
		c.texts, c.strings = append(c.texts, s.Value), append(c.strings, ast.StringTerm(s.Value))
	}
	for _, fn := range policy.Funcs.Funcs {
		c.functions[fn.Name] = &function{memo: -1}
		c.paths[keyOf(fn.Path)] = c.functions[fn.Name]
	}
	return c
}

// plan compiles the statements of the query and returns how many variables they have.
func (c *compiler) plan(p *ir.Plan) ([]block, int, error) {
	c.scope = scope{
		input: int(ir.Input), data: int(ir.Data), documents: map[ir.Local]bool{ir.Data: true},
		written: map[ir.Local]written{}, given: map[ir.Local]bool{ir.Input: true, ir.Data: true}, locals: int(ir.Unused),
	}
	blocks, err := c.top(p.Blocks)
	return blocks, c.locals, err
}

// function compiles a function. Its first two parameters are input and data.
func (c *compiler) function(fn *ir.Func) (err error) {
	f := c.functions[fn.Name]
	c.scope = scope{
		input: int(fn.Params[0]), data: int(fn.Params[1]), documents: map[ir.Local]bool{fn.Params[1]: true},
		written: map[ir.Local]written{}, given: map[ir.Local]bool{fn.Return: true}, result: fn.Return, early: sameResult(fn),
	}
	for _, p := range fn.Params {
		f.params = append(f.params, c.assigned(p))
	}
	f.result = c.local(fn.Return)
	if len(fn.Params) == 2 {
		f.memo = c.memos
		c.memos++
		if c.isShared(fn) {
			f.shared = fn.Name
		}
	}
	f.blocks, err = c.top(fn.Blocks)
	f.locals = c.locals
	return err
}

// isShared reports whether a function is a rule of the shared package as it is
// written: below a `with` that replaces rules, functions are planned anew as g1, g2, ….
func (c *compiler) isShared(fn *ir.Func) bool {
	if len(c.cfg.Shared) == 0 || len(fn.Path) < len(c.cfg.Shared) || fn.Path[0] != "g0" {
		return false
	}
	for i, t := range c.cfg.Shared[1:] {
		if t.Value.Compare(ast.String(fn.Path[i+1])) != 0 {
			return false
		}
	}
	return true
}

// top compiles the blocks of a function or of the query.
func (c *compiler) top(blocks []*ir.Block) ([]block, error) {
	var compiled []block
	outside := c.given
	for _, b := range blocks {
		c.changes, c.constants, c.given = changesIn(b), map[ir.Local]*ast.Term{}, maps.Clone(outside)
		steps, err := c.block(b)
		if err != nil {
			return nil, err
		}
		compiled = append(compiled, steps)
	}
	return compiled, nil
}

// block compiles a block. What it finds out about constants holds in it alone.
func (c *compiler) block(b *ir.Block) (block, error) {
	outer := c.constants
	c.constants = maps.Clone(outer)
	defer func() { c.constants = outer }()
	var steps block
	for rest := b.Stmts; len(rest) > 0; {
		more, used, err := c.statements(rest)
		if err != nil {
			return nil, err
		}
		steps, rest = append(steps, more...), rest[used:]
	}
	return steps, nil
}

func (c *compiler) blocks(from []*ir.Block) ([]block, error) {
	var compiled []block
	for _, b := range from {
		steps, err := c.block(b)
		if err != nil {
			return nil, err
		}
		compiled = append(compiled, steps)
	}
	return compiled, nil
}

// statements compiles the first of some statements, and those that go with it. It
// returns how many these are.
func (c *compiler) statements(all []ir.Stmt) (block, int, error) {
	if to, ok := made(all[0]); ok {
		return c.composite(to, all)
	}
	if call, loop, ok := relation(all); ok {
		step, err := c.call(call, loop)
		return block{step}, 2, err
	}
	step, err := c.statement(all[0])
	return block{step}, 1, err
}

// relation returns the call of a function and the loop over what it yields, if these
// come next and the function may yield more than one value.
func relation(all []ir.Stmt) (*ir.CallStmt, *ir.ScanStmt, bool) {
	if len(all) < 2 {
		return nil, nil, false
	}
	call, isCall := all[0].(*ir.CallStmt)
	loop, isLoop := all[1].(*ir.ScanStmt)
	if !isCall || !isLoop || loop.Source != call.Result {
		return nil, nil, false
	}
	decl, ok := ast.BuiltinMap[call.Func]
	return call, loop, ok && decl.Relation
}

// local notes that the function has a variable.
func (c *compiler) local(l ir.Local) int {
	c.locals = max(c.locals, int(l)+1)
	return int(l)
}

// assigned notes that a statement gives a variable a value.
func (c *compiler) assigned(l ir.Local) int {
	delete(c.constants, l)
	c.given[l] = true
	return c.local(l)
}

func (c *compiler) operand(o ir.Operand) operand {
	switch v := o.Value.(type) {
	case ir.StringIndex:
		return operand{constant: c.strings[v]}
	case ir.Bool:
		return operand{constant: ast.InternedTerm(bool(v))}
	case ir.Local:
		if !c.given[v] {
			c.refused = errNotGiven
		}
		return c.variable(v)
	}
	c.refused = fmt.Errorf("operand %v is not known", o.Value)
	return operand{}
}

func (c *compiler) variable(l ir.Local) operand {
	if t, ok := c.constants[l]; ok {
		return operand{constant: t}
	}
	return operand{local: c.local(l), document: c.documents[l]}
}

func (c *compiler) operands(from []ir.Operand) []operand {
	compiled := make([]operand, len(from))
	for i, o := range from {
		compiled[i] = c.operand(o)
	}
	return compiled
}

// constant makes a step that assigns a constant, and remembers it.
func (c *compiler) constant(to ir.Local, t *ast.Term) step {
	l := c.assigned(to)
	c.constants[to] = t
	return func(_ *state, f []*ast.Term) signal {
		f[l] = t
		return next
	}
}

// sameResult returns the variable that the rules of a function assign their result
// to, where they all assign the same constant; else 0.
func sameResult(fn *ir.Func) ir.Local {
	var assigned []*ir.AssignVarOnceStmt
	for _, b := range fn.Blocks {
		eachStatement(b, func(s ir.Stmt) {
			if s, ok := s.(*ir.AssignVarOnceStmt); ok {
				assigned = append(assigned, s)
			}
		})
	}
	// What a rule yields is assigned to a variable, and that to the result.
	of := ir.Local(0)
	for _, s := range assigned {
		if l, ok := s.Source.Value.(ir.Local); ok && s.Target == fn.Return && of == 0 {
			of = l
		}
	}
	var same ir.Val
	for _, s := range assigned {
		if s.Target != of {
			continue
		}
		if _, variable := s.Source.Value.(ir.Local); variable || same != nil && same != s.Source.Value {
			return 0
		}
		same = s.Source.Value
	}
	if same == nil {
		return 0
	}
	return of
}
