package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// failures has, by row of a test, what is known of why it failed.
type failures map[string]string

// of returns why a row failed; "" is the test itself.
func (f failures) of(row string) string {
	if why, ok := f[row]; ok {
		return why
	}
	return "it is false or undefined"
}

// maxValue is how many characters of a value are shown.
const maxValue = 2000

// explain runs a test that failed once more, and looks where it was left.
func (r *runner) explain(ctx context.Context, cfg Config, t *tester.Result) failures {
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	query, err := r.prepare(ctx, t.Package+"."+t.Name, nil)
	if err != nil {
		return nil
	}
	w := &failing{file: t.Location.File, why: failures{}}
	_, _ = query.Eval(ctx, rego.EvalQueryTracer(w)) // the error has been told of
	return w.why
}

// failing is a tracer that remembers, for each row of a test, the expression of the
// test's file at which it was left last.
type failing struct {
	file string
	row  string
	why  failures
}

// Enabled is part of [topdown.QueryTracer].
func (*failing) Enabled() bool { return true }

// Config is part of [topdown.QueryTracer].
func (*failing) Config() topdown.TraceConfig { return topdown.TraceConfig{PlugLocalVars: true} }

// TraceEvent is part of [topdown.QueryTracer].
func (f *failing) TraceEvent(e topdown.Event) {
	expr, ok := e.Node.(*ast.Expr)
	switch {
	case !ok:
	case e.Op == topdown.TestCaseOp:
		f.row = rowName(expr)
	case e.Op == topdown.FailOp && e.Location != nil && e.Location.File == f.file:
		f.why[f.row] = f.text(&e, expr)
	}
}

// rowName returns the name of the row that an event of the tester begins.
func rowName(expr *ast.Expr) string {
	list, ok := expr.Operand(0).Value.(*ast.Array)
	if !ok {
		return ""
	}
	var steps []string
	list.Foreach(func(t *ast.Term) {
		if s, ok := t.Value.(ast.String); ok {
			steps = append(steps, string(s))
		} else {
			steps = append(steps, t.Value.String())
		}
	})
	return strings.Join(steps, "/")
}

// text says what did not hold, and of a comparison what the two sides are.
func (f *failing) text(e *topdown.Event, expr *ast.Expr) string {
	var b bytes.Buffer
	source := strings.TrimSpace(string(e.Location.Text))
	first, _, more := strings.Cut(source, "\n")
	if more {
		first += " …"
	}
	fmt.Fprintf(&b, "line %d: %s", e.Location.Row, first)
	if !isComparison(expr) {
		return b.String()
	}
	for _, side := range expr.Operands() {
		if value := valueOf(e, side); value != nil && !ast.IsConstant(side.Value) {
			fmt.Fprintf(&b, "\n  %s: %s", nameOf(e, side), shortened(value.String()))
		}
	}
	return b.String()
}

func isComparison(expr *ast.Expr) bool {
	if !expr.IsCall() {
		return false
	}
	switch expr.Operator().String() {
	case "eq", "equal", "neq", "lt", "gt", "lte", "gte":
		return len(expr.Operands()) == 2
	}
	return false
}

// valueOf returns what a side of a comparison was, nil if that is not known.
func valueOf(e *topdown.Event, side *ast.Term) ast.Value {
	value := e.Plug(side).Value
	if ref, ok := value.(ast.Ref); ok && ast.IsConstant(ref[0].Value) {
		found, err := ref[0].Value.Find(ref[1:])
		if err != nil {
			return nil
		}
		return found
	}
	if !ast.IsConstant(value) {
		return nil
	}
	return value
}

// nameOf returns what a side of a comparison is called in the source.
func nameOf(e *topdown.Event, side *ast.Term) string {
	if v, ok := side.Value.(ast.Var); ok {
		if m, ok := e.LocalMetadata[v]; ok && m.Name != "" {
			return string(m.Name)
		}
	}
	if side.Location != nil && len(side.Location.Text) > 0 {
		return string(side.Location.Text)
	}
	return "value"
}

func shortened(text string) string {
	if runes := []rune(text); len(runes) > maxValue {
		return string(runes[:maxValue]) + "…"
	}
	return text
}

// describe returns the text of an error of a test or a policy that was asked in ctx.
func describe(ctx context.Context, err error, timeout time.Duration) string {
	var e *topdown.Error
	switch {
	case topdown.IsCancel(err) && ctx.Err() != nil:
		return "it was stopped"
	case topdown.IsCancel(err):
		return fmt.Sprintf("it takes longer than %s", timeout)
	case errors.As(err, &e) && e.Location != nil:
		return fmt.Sprintf("%s:%d: %s: %s", e.Location.File, e.Location.Row, e.Code, e.Message)
	}
	return err.Error()
}
