package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/lintel-policy/lintel/engine/plan"
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
	shared    *frame
	memo      plan.Memo           // the same as shared, for plans
	tracer    topdown.QueryTracer // nil if nobody looks
}

// with returns the evaluation for another input.review.
func (e *evaluation) with(review *ast.Term) *evaluation {
	c := *e
	c.review, c.shared, c.memo = review, &frame{}, plan.Memo{}
	return &c
}

// ask returns the value of a rule of p. It is the plan that is asked, and topdown where
// there is none, where somebody looks, and where the plan fails: a rule that failed
// may be one that topdown passes over, and only topdown says what failed.
func (e *evaluation) ask(ctx context.Context, p *policy, q *query, parameters *ast.Term) (value ast.Value, err error) {
	if q.plan != nil && e.tracer == nil {
		value, err = e.askPlan(ctx, p, q, parameters)
		if !errors.Is(err, plan.ErrFailed) {
			return value, err
		}
	}
	return e.askTopdown(ctx, p, q, parameters)
}

// askPlan returns the value of a rule of p. A plan that panics failed.
func (e *evaluation) askPlan(ctx context.Context, p *policy, q *query, parameters *ast.Term) (value ast.Value, err error) {
	defer func() {
		if recover() != nil {
			value, err = nil, plan.ErrFailed
		}
	}()
	about := plan.Query{Input: e.input(p, parameters), Data: documents{e.store(p)}, Cancel: e.cancel}
	if p.ownPackage {
		about.Memo = e.memo
	}
	results, err := q.plan.Eval(ctx, about)
	switch {
	case errors.Is(err, plan.ErrCancelled):
		return nil, stopped(ctx)
	case err != nil:
		return nil, err
	case len(results) == 0:
		return nil, errUndefined
	}
	return results[0].Get(resultTerm).Value, nil
}

// askTopdown returns the value of a rule of p. A panic is an error of that policy: its
// text may hold parts of the object and is not repeated.
func (e *evaluation) askTopdown(ctx context.Context, p *policy, q *query, parameters *ast.Term) (value ast.Value, err error) {
	defer func() {
		if recover() != nil {
			value, err = nil, errPanicked
			e.shared = &frame{} // its frames may be out of step
		}
	}()
	err = e.query(p, q, parameters).Iter(ctx, func(r topdown.QueryResult) error {
		value = r[result].Value
		return nil
	})
	switch {
	case topdown.IsCancel(err):
		return nil, stopped(ctx)
	case err != nil:
		return nil, withoutValues(err)
	case value == nil:
		return nil, errUndefined
	}
	return value, nil
}

// stopped says why the policies were stopped that had not answered yet: because
// of time, unless the caller gave another cause.
func stopped(ctx context.Context) error {
	cause := context.Cause(ctx)
	if cause == nil || errors.Is(cause, context.DeadlineExceeded) || errors.Is(cause, context.Canceled) {
		return errOutOfTime
	}
	return cause
}

// input returns the input of the rules of p.
func (e *evaluation) input(p *policy, parameters *ast.Term) *ast.Term {
	fields := [][2]*ast.Term{{knownTerms["review"], e.review}, {knownTerms["parameters"], parameters}}
	if p.readsTime && !e.time.IsZero() {
		fields = append(fields, [2]*ast.Term{knownTerms["time"], ast.StringTerm(e.time.UTC().Format(time.RFC3339Nano))})
	}
	return ast.ObjectTerm(fields...)
}

func (e *evaluation) store(p *policy) *store {
	return &store{inventory: e.inventory, kinds: p.inventory}
}

func (e *evaluation) query(p *policy, q *query, parameters *ast.Term) *topdown.Query {
	query := topdown.NewQuery(q.body).
		WithCompiler(q.compiler).
		WithStore(e.store(p)).
		WithInput(e.input(p, parameters)).
		WithBuiltins(Builtins()).
		WithStrictBuiltinErrors(true).
		WithMetrics(metrics.NoOp()).
		WithTime(e.time).
		WithVirtualCache(newRuleCache(e.sharedWith(p)))
	if e.cancel != nil {
		query = query.WithCancel(e.cancel)
	}
	if e.tracer != nil {
		query = query.WithQueryTracer(e.tracer).WithIndexing(false) // which skips rules unseen
	}
	return query
}

// sharedWith returns the frame that p has in common with other policies.
func (e *evaluation) sharedWith(p *policy) *frame {
	if p.ownPackage {
		return e.shared
	}
	return &frame{}
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
