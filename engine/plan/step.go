package plan

import "github.com/open-policy-agent/opa/v1/ast"

// A signal says how a step ended. A positive one leaves as many blocks.
type signal int

const (
	next      signal = 0  // go on with the next step
	undefined signal = 1  // leave the block
	returned  signal = -1 // leave the function
	found     signal = -2 // leave the body of a `not`, which holds
	failed    signal = -3 // end the evaluation
)

// A step is a statement over the variables of a function.
type step func(s *state, f []*ast.Term) signal

// A block is steps that are taken one after another.
type block []step

func (b block) run(s *state, f []*ast.Term) signal {
	for _, step := range b {
		if sig := step(s, f); sig != next {
			return sig
		}
	}
	return next
}

// outside returns what a signal that leaves a block means to the block around it.
func (s signal) outside() signal {
	if s > 0 {
		return s - 1
	}
	return s
}

// An operand is what a step reads: a constant or a variable.
type operand struct {
	constant *ast.Term
	local    int
	document bool // the variable may hold a [document]
}

// value returns the value of the operand, nil if it is undefined.
func (o *operand) value(s *state, f []*ast.Term) *ast.Term {
	if o.constant != nil {
		return o.constant
	}
	t := f[o.local]
	if o.document && t != nil {
		return s.forced(t)
	}
	return t
}

// argument is value, but leaves data itself as it is.
func (o *operand) argument(s *state, f []*ast.Term) *ast.Term {
	if o.constant == nil && o.document && isRoot(f[o.local]) {
		return f[o.local]
	}
	return o.value(s, f)
}
