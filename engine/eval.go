package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/topdown"
)

var (
	// errUndefined reports that a rule has no value at all. It is never read as permission.
	errUndefined = errors.New("the rule is undefined")
	// errOutOfTime reports that a policy did not answer before the deadline.
	errOutOfTime = errors.New("ran out of time")
	// errPanicked reports that a policy made the evaluator panic.
	errPanicked = errors.New("the evaluator panicked")
)

// An evaluation asks the rules of policies about one input. All queries of it
// share what the library says of that input.
type evaluation struct {
	review    *ast.Term // input.review
	inventory *Inventory
	time      time.Time
	cancel    topdown.Cancel // nil if nothing cancels
	shared    topdown.VirtualCache
}

// with returns the evaluation for another input.review.
func (e *evaluation) with(review *ast.Term) *evaluation {
	c := *e
	c.review, c.shared = review, topdown.NewVirtualCache()
	return &c
}

// ask returns the value of a rule of p. A panic is an error of that policy: its
// text may hold parts of the object and is not repeated.
func (e *evaluation) ask(ctx context.Context, p *policy, q *query, parameters *ast.Term) (value ast.Value, err error) {
	defer func() {
		if recover() != nil {
			value, err = nil, errPanicked
			e.shared = topdown.NewVirtualCache() // its frames may be out of step
		}
	}()
	err = e.query(p, q, parameters).Iter(ctx, func(r topdown.QueryResult) error {
		value = r[result].Value
		return nil
	})
	switch {
	case topdown.IsCancel(err):
		return nil, errOutOfTime
	case err != nil:
		return nil, withoutValues(err)
	case value == nil:
		return nil, errUndefined
	}
	return value, nil
}

func (e *evaluation) query(p *policy, q *query, parameters *ast.Term) *topdown.Query {
	input := ast.ObjectTerm(
		[2]*ast.Term{knownTerms["review"], e.review},
		[2]*ast.Term{knownTerms["parameters"], parameters},
	)
	query := topdown.NewQuery(q.body).
		WithCompiler(q.compiler).
		WithStore(&store{inventory: e.inventory, kinds: p.inventory}).
		WithInput(input).
		WithBuiltins(Builtins()).
		WithStrictBuiltinErrors(true).
		WithMetrics(metrics.NoOp()).
		WithTime(e.time)
	if e.cancel != nil {
		query = query.WithCancel(e.cancel)
	}
	if p.ownPackage {
		query = query.WithVirtualCache(&libraryCache{own: topdown.NewVirtualCache(), shared: e.shared})
	}
	return query
}

// withoutValues returns an error of the evaluator that says what kind of failure
// it was and where in the Rego, and nothing of the values that it met.
func withoutValues(err error) error {
	var e *topdown.Error
	if !errors.As(err, &e) {
		return errors.New("the evaluator failed")
	}
	where := ""
	if e.Location != nil {
		where = fmt.Sprintf(" at %s:%d", e.Location.File, e.Location.Row)
	}
	return fmt.Errorf("%s%s", e.Code, where)
}

// A libraryCache is the cache of one query for the values of rules. What the
// library's own rules yield depends on input.review alone, so it goes to a cache
// that all queries of an evaluation share.
type libraryCache struct {
	own, shared topdown.VirtualCache
	depth       int // frames pushed by `with`, in which the input may be another
}

func (c *libraryCache) cacheFor(ref ast.Ref) topdown.VirtualCache {
	if c.depth == 0 && len(ref) > len(libraryRef) && ref[1].Equal(libraryRef[1]) && ref[2].Equal(libraryRef[2]) {
		return c.shared
	}
	return c.own
}

// Get returns the value of ref, or that it is undefined.
func (c *libraryCache) Get(ref ast.Ref) (*ast.Term, bool) { return c.cacheFor(ref).Get(ref) }

// Put keeps the value of ref.
func (c *libraryCache) Put(ref ast.Ref, value *ast.Term) { c.cacheFor(ref).Put(ref, value) }

// Push begins a frame.
func (c *libraryCache) Push() { c.depth++; c.own.Push() }

// Pop ends the frame that began last.
func (c *libraryCache) Pop() { c.depth--; c.own.Pop() }

// Keys returns the keys of the frame that began last.
func (c *libraryCache) Keys() []ast.Ref { return c.own.Keys() }

// libraryRef is the package of the shared library.
var libraryRef = ast.MustParseRef("data.lintel.workload")
