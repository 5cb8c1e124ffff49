package plan

import (
	"context"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/builtins"
)

// A state is one evaluation.
type state struct {
	query   Query
	results []ast.Object
	err     error // why the evaluation failed

	free  []*ast.Term // of the piece of memory that frames are taken from
	piece []*ast.Term

	worlds []world // the one that the query is about, and those of each `with` that the evaluation is below
	world  int     // which of them it is in

	documents map[string]*ast.Term // of Data, by the key of their path; nil where there is none

	parts map[part]bool // that rules may put more into

	builtin topdown.BuiltinContext
	yield   func(*ast.Term) error // takes what a built-in function yields
	yielded *ast.Term
	// hasYielded is set also where what is yielded is nothing, as a function does that has no result.
	hasYielded bool
}

// A world is an input and data, and what rules without arguments yield of them, by
// their number.
type world struct {
	input, data *ast.Term
	memo        []known
}

// known is what a rule yielded, once it is known; nil if it is undefined.
type known struct {
	known bool
	value *ast.Term
}

// pieceSize is how many variables fit in a piece of memory; nearly all evaluations need one.
const pieceSize = 2048

// enter changes to the world of an input and data, which may be one that the
// evaluation is in already: what comes after a `with` is planned inside of it.
func (s *state) enter(input, data *ast.Term) {
	for i, w := range s.worlds {
		if w.input == input && w.data == data {
			s.world = i
			return
		}
	}
	s.worlds = append(s.worlds, world{input, data, make([]known, len(s.worlds[0].memo))})
	s.world = len(s.worlds) - 1
}

// frame returns n variables, none of which is defined.
func (s *state) frame(n int) []*ast.Term {
	if n > len(s.free) {
		s.free = make([]*ast.Term, max(n, pieceSize)) // who holds the old piece still does
	}
	f := s.free[:n:n]
	s.free = s.free[n:]
	return f
}

// leave gives back the frame that was taken last, when free was free.
func (s *state) leave(frame, free []*ast.Term) {
	clear(frame)
	s.free = free
}

// fail ends the evaluation with an error.
func (s *state) fail(err error) signal {
	s.err = err
	return failed
}

// cancelled reports whether the evaluation has to stop, and then fails.
func (s *state) cancelled() bool {
	if s.query.Cancel == nil || !s.query.Cancel.Cancelled() {
		return false
	}
	s.err = ErrCancelled
	return true
}

// A statePool keeps states of one plan to use again.
type statePool struct {
	pool  sync.Pool
	memos int // how many rules without arguments there are
}

func (p *statePool) get(ctx context.Context, q Query) *state {
	s, ok := p.pool.Get().(*state)
	if !ok {
		s = &state{piece: make([]*ast.Term, pieceSize), worlds: []world{{memo: make([]known, p.memos)}}}
		s.yield = func(t *ast.Term) error {
			s.yielded, s.hasYielded = t, true
			return nil
		}
	}
	s.query, s.free = q, s.piece
	s.builtin = topdown.BuiltinContext{Context: ctx, Cancel: q.Cancel, Cache: builtins.Cache{}}
	return s
}

// put takes back a state whose frames have been left, with nothing in it that belongs
// to a request.
func (p *statePool) put(s *state) {
	first := world{memo: s.worlds[0].memo}
	clear(first.memo)
	clear(s.worlds[:cap(s.worlds)]) // those that have been left, too
	*s = state{piece: s.piece, worlds: append(s.worlds[:0], first), yield: s.yield}
	p.pool.Put(s)
}
