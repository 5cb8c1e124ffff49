package plan

import (
	"context"
	"errors"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
	"github.com/open-policy-agent/opa/v1/rego"
)

// target is the name by which OPA knows who takes plans.
const target = "lintel-plan"

// planKey is the key of the context's value that says where a plan goes.
type planKey struct{}

// A receiver hands on what OPA's planner makes, which is internal to OPA: only a
// target that is registered for all of the process is given a plan.
type receiver struct{}

var register = sync.OnceFunc(func() { rego.RegisterPlugin(target, receiver{}) }) //nolint:gochecknoglobals // as OPA has targets

// IsTarget is part of [rego.TargetPlugin].
func (receiver) IsTarget(name string) bool { return name == target }

// PrepareForEval is part of [rego.TargetPlugin].
func (receiver) PrepareForEval(ctx context.Context, policy *ir.Policy, _ ...rego.PrepareOption) (rego.TargetPluginEval, error) {
	to, ok := ctx.Value(planKey{}).(**ir.Policy)
	if !ok {
		return nil, errors.New("nobody waits for a plan")
	}
	*to = policy
	return nil, nil
}

// planned returns the plan that OPA's planner makes of a query.
func planned(cfg Config) (policy *ir.Policy, err error) {
	register()
	options := []func(*rego.Rego){
		rego.Compiler(cfg.Compiler),
		rego.ParsedQuery(cfg.Query),
		rego.Target(target),
		rego.EvalMode(ast.EvalModeTopdown), // or the compiler could not serve topdown any more
	}
	for name, b := range cfg.Builtins {
		options = append(options, rego.FunctionDecl(&rego.Function{Name: name, Decl: b.Decl.Decl}))
	}
	ctx := context.WithValue(context.Background(), planKey{}, &policy) //nolint:forbidigo // planning waits for nothing: it says where the plan goes
	_, err = rego.New(options...).PrepareForEval(ctx)
	return policy, err
}
