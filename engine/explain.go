package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/lintel-policy/lintel/api/v1alpha1"
)

// An Explanation says what one policy of a [Set] makes of a request, step by step.
type Explanation struct {
	Policy Info
	// Asked says whether the policy is asked, and Why by which clause it is or is not.
	Asked bool
	Why   string
	// Enforcement and Patches are in force in this request because of Setting.
	Enforcement v1alpha1.Enforcement
	Patches     v1alpha1.PatchMode
	Setting     string
	// DeniedFrom is when a later stage denies what is let by now; zero if none does.
	DeniedFrom time.Time
	// Exceptions are those of the namespace that name the policy.
	Exceptions []Considered
	// Reads are the fields of the object that its rules read, in the order of paths.
	Reads []Read
	// Scanned says that they searched the object for secrets, in all its fields.
	Scanned bool
	// Firings are the rules that yielded something, in the order of their lines.
	Firings []Firing
	// Errors say why the policy could not decide.
	Errors []error
}

// A Considered is an exception that might have excused the object.
type Considered struct {
	Exception string // namespace/name
	Excuses   bool
	Why       string
}

// A Firing is one result of a rule.
type Firing struct {
	Rule string // violation or patch
	// Title, File and Row are those of the rule that wrote the result, which violation
	// may only pass on. Title is from METADATA; "" if the rule has none.
	Title string
	File  string
	Row   int
	// Path and Text say what the result is about: the message of a violation, or
	// what a patch does.
	Path Path
	Text string
}

// Explain says of each policy, in the order of names, what it makes of a request:
// of the object as it was sent what patch rules do, of the patched object what
// violation rules do. Every policy is asked by itself, without a deadline but
// that of ctx. It is for people: [Set.Patch] and [Set.Review] decide. The second
// value says why no policy is asked at all, "" if they are.
func (s *Set) Explain(ctx context.Context, req *Request, inv *Inventory) ([]Explanation, string, error) {
	if req == nil {
		return nil, "", errors.New("explain: there is no request")
	}
	if passed := s.passes(req); passed != "" {
		return nil, passed, nil
	}
	m, err := s.Patch(ctx, req, inv)
	if err != nil {
		return nil, "", err
	}
	complete, err := s.complete(req)
	if err != nil {
		return nil, "", err
	}
	patched, err := s.complete(m.Request)
	if err != nil {
		return nil, "", err
	}
	all := make([]Explanation, len(s.policies))
	for i, p := range s.policies {
		x := &explainer{set: s, policy: p, inv: inv}
		all[i] = x.explain(ctx, complete, patched)
	}
	return all, "", nil
}

// An explainer asks one policy about one request.
type explainer struct {
	set    *Set
	policy *policy
	inv    *Inventory
	Explanation
}

func (x *explainer) explain(ctx context.Context, sent, patched *Request) Explanation {
	p := x.policy
	x.Policy = p.info
	with, _, _, err := x.set.consider(p, patched)
	x.Enforcement, x.Patches, x.Setting = with.enforcement, with.patches, p.setting(patched)
	x.DeniedFrom = with.deniedFrom
	x.Asked, x.Why = x.set.clause(p, patched)
	x.Exceptions = x.set.considered(p, patched)
	excused := slices.ContainsFunc(x.Exceptions, func(c Considered) bool { return c.Excuses })
	if err != nil {
		x.Errors = append(x.Errors, err)
	}
	if !x.Asked || excused || err != nil {
		return x.Explanation
	}
	if p.patches != nil && sent.isPatchable() && with.patches != v1alpha1.PatchOff {
		x.tracePatches(ctx, sent, with)
	}
	if p.violations != nil && x.set.answers(p, patched) {
		x.trace(ctx, patched, p.violations, with, x.violation)
	}
	slices.SortStableFunc(x.Reads, func(a, b Read) int { return a.Path.Compare(b.Path) })
	x.Reads = slices.CompactFunc(x.Reads, func(a, b Read) bool { return a.Path.Compare(b.Path) == 0 })
	return x.Explanation
}

// trace asks a rule about a request and keeps what it read. describe says what
// one result of it means; it is kept unless describe gives it no text.
func (x *explainer) trace(ctx context.Context, req *Request, q *query, with settings, describe func(item *ast.Term, object *ast.Term, f *Firing) error) {
	t := newTracer(q, req.object)
	e := (&evaluation{inventory: x.inv, time: req.time, tracer: t}).with(req.term(req.object))
	if _, err := e.ask(ctx, x.policy, q, with.parameters); err != nil {
		x.Errors = append(x.Errors, fmt.Errorf("%s: %w", q.name, err))
	}
	x.Reads, x.Scanned = append(x.Reads, t.result()...), x.Scanned || t.scanned
	for i, f := range t.fired {
		t.fired[i].rule = t.maker(f)
	}
	slices.SortStableFunc(t.fired, func(a, b fired) int { return a.rule.Loc().Row - b.rule.Loc().Row })
	for _, f := range t.fired {
		info := newRuleInfo(f.rule, q.name)
		firing := Firing{Rule: q.name, File: info.File, Row: info.Row, Title: info.Title}
		if err := describe(f.item, req.object, &firing); err != nil {
			x.Errors = append(x.Errors, fmt.Errorf("%s: %w", q.name, err))
		} else if firing.Text != "" {
			x.Firings = append(x.Firings, firing)
		}
	}
}

func (x *explainer) violation(item, object *ast.Term, f *Firing) error {
	v, err := readViolation(item, object)
	f.Path, f.Text = v.Path, v.Message
	if is, _ := valueOf[ast.Boolean](child(item, "exempt")); bool(is) {
		f.Text += " (exempt)"
	}
	return err
}

// tracePatches asks the patch rule again and again, as [Set.Patch] does, but of
// this policy alone.
func (x *explainer) tracePatches(ctx context.Context, req *Request, with settings) {
	pt := &patcher{req: req}
	for range maxRounds {
		var changes []change
		x.trace(ctx, req, x.policy.patches, with, func(item, object *ast.Term, f *Firing) error {
			c, err := readChange(item)
			if err != nil || !pt.permits(&c, object) || !c.changes(object) {
				return err
			}
			changes = append(changes, c)
			f.Path, f.Text = c.path, c.text()
			return nil
		})
		changes, _ = resolve(changes)
		next, broken := apply(req.object, changes)
		if len(changes) == 0 || len(broken) > 0 {
			return
		}
		req = req.withObject(next)
	}
}

// text says what the change does, with its value, as the patch has it that people
// are shown.
func (c *change) text() string {
	if c.value == nil {
		return c.op
	}
	return c.op + " " + cut(c.value.String(), 240)
}

// setting says what decides how the policy is enforced in a request.
func (p *policy) setting(r *Request) string {
	if scope, err := p.scope(r); err == nil && scope != nil && scope.enforcement != "" {
		for i := range p.scopes {
			if &p.scopes[i] == scope {
				return fmt.Sprintf("scopes[%d]", i)
			}
		}
	}
	by := "its own setting"
	for _, s := range p.info.Spec.Stages {
		if !r.time.Before(s.From.Time) {
			by = "the stage from " + Moment(s.From.Time)
		}
	}
	return by
}

// considered returns the exceptions that might excuse the object, and why they do
// or do not.
func (s *Set) considered(p *policy, r *Request) []Considered {
	var found []Considered
	for _, e := range s.exceptions[r.namespace] {
		if !slices.Contains(e.policies, p.info.Name) {
			continue
		}
		c := Considered{Exception: e.namespace + "/" + e.name, Why: s.refusal(e, p, r)}
		if c.Excuses = c.Why == ""; c.Excuses {
			c.Why = "until " + Moment(e.expires)
		}
		found = append(found, c)
	}
	return found
}

// refusal says why an exception does not excuse the object, "" if it does.
func (s *Set) refusal(e *exception, p *policy, r *Request) string {
	switch {
	case p.exceptions == nil:
		return honoursNone
	case r.Namespace() == "":
		return "a cluster-scoped object is never excused"
	case !r.time.Before(e.expires):
		return "it expired on " + Moment(e.expires)
	case !slices.ContainsFunc(s.origins(r), e.selects):
		return "its spec.objects does not select the object"
	}
	if honoured, err := selectsNamespace(p.exceptions, r); err != nil {
		return err.Error()
	} else if !honoured {
		return honoursElsewhere
	}
	return ""
}
