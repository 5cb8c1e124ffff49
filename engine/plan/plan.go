// Package plan evaluates queries about Rego by plans that are made once.
//
// OPA's planner turns a query and the rules that it needs into statements over
// numbered variables. [Compile] turns these into functions that call one another.
// What it costs to find out what an expression means, OPA's own evaluator, topdown,
// pays each time it comes to one; here it is paid when policies are loaded.
//
// A plan yields what topdown yields. Where there is an error, it says only that there
// is one ([ErrFailed]): topdown may pass over the rule that had it, since it has an
// index of rules, and only topdown can say which error it is. The caller asks it.
package plan

import (
	"context"
	"errors"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
	"github.com/open-policy-agent/opa/v1/topdown"
)

var (
	// ErrFailed reports that an evaluation met an error. Topdown knows which, or that
	// it does not count.
	ErrFailed = errors.New("the evaluation failed")
	// ErrCancelled reports that an evaluation was stopped.
	ErrCancelled = errors.New("the evaluation was cancelled")
)

// A Plan is a query that is ready to be evaluated, by any number of goroutines at a time.
type Plan struct {
	blocks []block
	locals int
	states statePool
}

// Config says what to compile. Compiler and Query are required.
type Config struct {
	Compiler *ast.Compiler               // that compiled the rules
	Query    ast.Body                    // which is not compiled yet
	Builtins map[string]*topdown.Builtin // functions beside OPA's own, by name
	// Shared is a package whose rules depend on the input alone, so that a [Memo] may
	// keep what they yield for other plans; if nil, there is none.
	Shared ast.Ref
	// Lenient says that where a built-in function fails its call is undefined. Else it
	// is an error.
	Lenient bool
}

// A Query is what one evaluation is about.
type Query struct {
	Input  *ast.Term      // nil if there is none
	Data   Data           // what data has beside the rules; nil if nothing
	Cancel topdown.Cancel // stops the evaluation; nil if nothing does
	Memo   Memo           // what is known of the shared rules for this input; nil if nothing is kept
}

// Data is what data has beside the rules. Read returns the document at a path below
// data, nil if there is none.
type Data interface {
	Read(path []string) ast.Value
}

// A Memo has what the shared rules yield for one input, by their names in plans; nil where a
// rule is undefined. It belongs to one goroutine at a time.
type Memo map[string]*ast.Term

// errPanicked reports rules at which OPA's planner, or what is made of its plan, panics.
var errPanicked = errors.New("the planner panicked")

// Compile makes a Plan. An error says what keeps the query or its rules from being planned.
func Compile(cfg Config) (_ *Plan, err error) {
	defer func() {
		if recover() != nil {
			err = errPanicked
		}
	}()
	if err := checkSize(cfg.Compiler); err != nil {
		return nil, err
	}
	policy, err := planned(cfg)
	if err != nil {
		return nil, fmt.Errorf("plan the rules: %w", err)
	}
	if n := len(policy.Plans.Plans); n != 1 {
		return nil, fmt.Errorf("%d plans instead of one", n)
	}
	c := newCompiler(cfg, policy)
	for _, fn := range policy.Funcs.Funcs {
		if err := c.function(fn); err != nil {
			return nil, fmt.Errorf("%s: %w", fn.Name, err)
		}
	}
	p := &Plan{}
	if p.blocks, p.locals, err = c.plan(policy.Plans.Plans[0]); err != nil {
		return nil, err
	}
	if c.refused != nil {
		return nil, c.refused
	}
	p.states.memos = c.memos
	return p, nil
}

// Eval evaluates the query, and returns an object for each result, with the values of
// the variables of the query.
func (p *Plan) Eval(ctx context.Context, q Query) ([]ast.Object, error) {
	s := p.states.get(ctx, q)
	free := s.free
	frame := s.frame(p.locals)
	frame[ir.Input], frame[ir.Data] = q.Input, rootOf(q.Data)
	s.worlds[0].input, s.worlds[0].data = frame[ir.Input], frame[ir.Data]
	for _, b := range p.blocks {
		if b.run(s, frame) == failed {
			break
		}
	}
	results, err := s.results, s.err
	s.leave(frame, free)
	p.states.put(s) // not where something panics, which leaves frames behind
	if err != nil {
		return nil, err
	}
	return results, nil
}
