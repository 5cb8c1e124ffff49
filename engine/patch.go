package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/lintel-policy/lintel/api/v1alpha1"
)

// maxRounds is how often patch rules are asked before what still changes is left
// out. Labels that flow from namespace to object to template need three.
const maxRounds = 10

// errUnsettled reports patch rules that ask for something else each time.
var errUnsettled = fmt.Errorf("its patches do not settle in %d rounds and are left out", maxRounds)

// Patch asks the patch rules what to change in the object of the request, until
// they have nothing to change any more: patching the result changes nothing. It
// answers before ctx ends, then without any patch. The error says that nothing
// could be decided at all; a policy that could not decide is left out.
func (s *Set) Patch(ctx context.Context, req *Request, inv *Inventory) (*Mutation, error) {
	if req == nil {
		return nil, errors.New("patch: there is no request")
	}
	unchanged := &Mutation{Revision: s.revision, Object: req.Ref(), Request: req}
	if s.passes(req) != "" || !req.isPatchable() {
		return unchanged, nil
	}
	complete, err := s.complete(req)
	if err != nil {
		return nil, err
	}
	asked := s.asked(complete, inv, func(p *policy) bool { return p.patches != nil })
	asked.policies = slices.DeleteFunc(asked.policies, func(a asking) bool { return a.settings.patches == v1alpha1.PatchOff })
	unchanged.Excused = asked.excused
	if len(asked.policies) == 0 {
		unchanged.Errors = neverRefusing(asked.errs)
		return unchanged, nil
	}
	answers, left := inTime(ctx, 1, req.size <= maxInline, nil, func(_ int, cancel topdown.Cancel) *Mutation {
		pt := &patcher{req: complete, inv: inv, cancel: cancel}
		return pt.mutate(ctx, asked)
	})
	unchanged.Left = left
	switch {
	case len(answers) == 0:
		unchanged.Errors = neverRefusing(asked.allFailed(stopped(ctx)))
		return unchanged, nil
	case answers[0] == nil:
		unchanged.Errors = neverRefusing(asked.allFailed(errPanicked))
		return unchanged, nil
	}
	m := answers[0]
	m.Revision, m.Object, m.Excused = s.revision, req.Ref(), asked.excused
	m.Errors = neverRefusing(append(asked.errs, m.Errors...))
	return m, nil
}

// allFailed returns an error for each policy: what kept it from being asked, else err.
func (a askedSet) allFailed(err error) []*PolicyError {
	errs := a.errs
	for _, p := range a.policies {
		errs = append(errs, &PolicyError{Policy: p.policy.info.Name, Err: err})
	}
	return errs
}

// neverRefusing returns errs as errors that refuse nothing: what is wrong with an
// object that was not patched, its review says.
func neverRefusing(errs []*PolicyError) []*PolicyError {
	for _, e := range errs {
		e.OnError = v1alpha1.OnErrorAllow
	}
	slices.SortStableFunc(errs, func(a, b *PolicyError) int { return strings.Compare(a.Policy, b.Policy) })
	return errs
}

// A patcher asks patch rules about one request.
type patcher struct {
	req      *Request
	inv      *Inventory
	cancel   topdown.Cancel
	errs     map[string]error // by policy: those that are left out
	warnings map[string]bool
}

// mutate asks the policies that apply their patches, then, from what these made
// of the object, those that only record theirs.
func (pt *patcher) mutate(ctx context.Context, asked askedSet) *Mutation {
	pt.errs, pt.warnings = map[string]error{}, map[string]bool{}
	applied := slices.Clone(asked.policies)
	applied = slices.DeleteFunc(applied, func(a asking) bool { return a.settings.patches != v1alpha1.PatchApply })

	m := &Mutation{}
	object, by := pt.settle(ctx, pt.req.object, applied)
	m.Patch, m.Policies = encodePatch(pt.req.object, object), by
	m.Request = pt.req.withObject(object)
	m.Warnings = slices.Sorted(maps.Keys(pt.warnings))
	if len(applied) < len(asked.policies) {
		wanted, by := pt.settle(ctx, object, asked.policies)
		m.Recorded, m.RecordedPolicies = encodePatch(object, wanted), by
	}
	for name, err := range pt.errs {
		m.Errors = append(m.Errors, &PolicyError{Policy: name, Err: err})
	}
	return m
}

// settle returns what the policies make of object, which they leave alone when
// they are asked again, and the names of those that changed it. Where leaving out
// a policy does not lead there, nothing is changed.
func (pt *patcher) settle(ctx context.Context, object *ast.Term, policies []asking) (*ast.Term, []string) {
	const tries = 3
	contributed := map[string]bool{}
	settled := object
	for range tries {
		next, by, left := pt.settleWithout(ctx, settled, policies)
		same := sameTerm(next, settled)
		maps.Copy(contributed, by)
		settled = next
		if same || left == 0 {
			if sameTerm(settled, object) {
				return object, nil
			}
			return settled, slices.Sorted(maps.Keys(contributed))
		}
	}
	pt.warnings["patches do not settle together, so none is applied"] = true
	return object, nil
}

// settleWithout asks the policies until nothing changes. One that errs or does
// not settle is left out, and the others begin anew. It also returns who changed
// something and how many were left out.
func (pt *patcher) settleWithout(ctx context.Context, object *ast.Term, policies []asking) (*ast.Term, map[string]bool, int) {
	policies = slices.Clone(policies)
	left := 0
	for {
		settled, by, broken := pt.rounds(ctx, object, policies)
		if len(broken) == 0 {
			return settled, by, left
		}
		maps.Copy(pt.errs, broken)
		policies = slices.DeleteFunc(policies, func(a asking) bool { return broken[a.policy.info.Name] != nil })
		left += len(broken)
	}
}

// rounds asks the policies again and again until they change nothing. It returns
// the policies to leave out instead if one errs, or if the last round still changes something.
func (pt *patcher) rounds(ctx context.Context, object *ast.Term, policies []asking) (*ast.Term, map[string]bool, map[string]error) {
	by := map[string]bool{}
	for range maxRounds {
		changes, broken := pt.ask(ctx, object, policies)
		if len(broken) > 0 {
			return nil, nil, broken
		}
		changes, conflicts := resolve(changes)
		for _, c := range conflicts {
			pt.warnings[c] = true
		}
		next, broken := apply(object, changes)
		if len(broken) > 0 {
			return nil, nil, broken
		}
		if sameTerm(next, object) {
			return object, by, nil
		}
		object = next
		for _, c := range changes {
			by[c.policy] = true
		}
	}
	changes, broken := pt.ask(ctx, object, policies)
	changes, _ = resolve(changes)
	if len(broken) == 0 {
		broken = map[string]error{}
		for _, c := range changes {
			broken[c.policy] = errUnsettled
		}
	}
	if len(broken) == 0 {
		return object, by, nil
	}
	return nil, nil, broken
}

// ask returns the changes that the policies ask for and that would change object,
// in the order of the policies' names.
func (pt *patcher) ask(ctx context.Context, object *ast.Term, policies []asking) ([]change, map[string]error) {
	e := (&evaluation{inventory: pt.inv, time: pt.req.time, cancel: pt.cancel}).with(pt.req.term(object))
	var changes []change
	broken := map[string]error{}
	for _, a := range policies {
		wanted, err := pt.askOne(ctx, e, object, a)
		if err != nil {
			broken[a.policy.info.Name] = fmt.Errorf("patch: %w", err)
		}
		changes = append(changes, wanted...)
	}
	return changes, broken
}

// askOne returns the changes that one policy asks for. Values are compared, at
// which the evaluator's code panics for some numbers: that is the policy's error.
func (pt *patcher) askOne(ctx context.Context, e *evaluation, object *ast.Term, a asking) (changes []change, err error) {
	defer func() {
		if recover() != nil {
			changes, err = nil, errPanicked
		}
	}()
	value, err := e.ask(ctx, a.policy, a.policy.patches, a.settings.parameters)
	if err != nil {
		return nil, err
	}
	err = eachItem(value, func(item *ast.Term) error {
		c, err := readChange(item)
		if err != nil {
			return err
		}
		c.policy = a.policy.info.Name
		if !pt.permits(&c, object) || !c.changes(object) {
			return nil
		}
		changes = append(changes, c)
		return pt.checkLoosening(c, object)
	})
	return changes, err
}

// withObject returns the request with object in place of its own.
func (r *Request) withObject(object *ast.Term) *Request {
	c := *r
	c.object = object
	return &c
}
