package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/lintel-policy/lintel/api/v1alpha1"
)

// Review judges the object of the request by every policy that matches it, and
// answers before ctx ends even where a policy does not: that policy then could
// not decide. The error says that nothing could be decided at all.
func (s *Set) Review(ctx context.Context, req *Request, inv *Inventory) (*Decision, error) {
	if req == nil {
		return nil, errors.New("review: there is no request")
	}
	d := &Decision{Revision: s.revision, Object: req.Ref(), Namespace: req.ns, Time: req.time}
	if d.Passed = s.passes(req); d.Passed != "" {
		return d, nil
	}
	req, err := s.complete(req)
	if err != nil {
		return nil, err
	}
	asked := s.asked(req, inv, func(p *policy) bool { return p.violations != nil && s.answers(p, req) })
	d.Excused, d.Errors = asked.excused, asked.errs
	rv := newReviewer(s, req, inv)
	verdicts, left := inTime(ctx, len(asked.policies), req.size <= maxInline, verdict{err: errPanicked}, func(i int, cancel topdown.Cancel) verdict {
		return rv.review(ctx, cancel, asked.policies[i])
	})
	d.Left = left
	for i, a := range asked.policies {
		d.Evaluated = append(d.Evaluated, a.policy.info.Name)
		v := verdict{err: stopped(ctx)}
		if i < len(verdicts) {
			v = verdicts[i]
		}
		d.Violations = append(d.Violations, v.violations...)
		d.Excused = append(d.Excused, v.exempt...)
		if a.wouldDeny(v.violations) {
			d.WouldDeny = append(d.WouldDeny, PolicyRevision{a.policy.info.Name, s.revisions[a.policy.info.Name]})
		}
		if v.err != nil {
			d.Errors = append(d.Errors, s.policyError(req, a.policy, a.settings, v.err))
		}
	}
	d.sort()
	return d, nil
}

// complete returns the request with its managedFields if some policy reads them.
func (s *Set) complete(req *Request) (*Request, error) {
	if !slices.ContainsFunc(s.policies, func(p *policy) bool { return p.readsManaged }) {
		return req, nil
	}
	return req.withManagedFields()
}

// sort puts the violations in order, without repeats, and the errors by policy.
func (d *Decision) sort() {
	slices.SortStableFunc(d.Violations, compareViolations)
	d.Violations = slices.CompactFunc(d.Violations, func(a, b Violation) bool {
		return compareViolations(a, b) == 0 && a.Fix == b.Fix && string(a.Details) == string(b.Details)
	})
	slices.SortStableFunc(d.Errors, func(a, b *PolicyError) int { return cmp.Compare(a.Policy, b.Policy) })
}

func compareViolations(a, b Violation) int {
	return cmp.Or(
		cmp.Compare(a.Severity.rank(), b.Severity.rank()),
		cmp.Compare(a.Policy, b.Policy),
		a.Path.Compare(b.Path),
		cmp.Compare(a.Message, b.Message),
	)
}

// rank orders severities, worst first.
func (s Severity) rank() int {
	return slices.Index([]Severity{Critical, High, Medium, Low}, s)
}

// An asking is a policy that matches a request, and how it is enforced there.
type asking struct {
	policy   *policy
	settings settings
}

// wouldDeny reports whether a policy lets by violations that it would deny if it denied.
func (a asking) wouldDeny(violations []Violation) bool {
	return slices.ContainsFunc(violations, func(v Violation) bool {
		return v.Enforcement != v1alpha1.Deny && !v.Controlled && (!v.Existing || a.policy.existing() == v1alpha1.ExistingEnforce)
	})
}

// An askedSet is what became of the policies that match a request by kind.
type askedSet struct {
	policies []asking
	excused  []Excuse
	errs     []*PolicyError
}

// asked returns the policies to ask about a request. One that reads what inv lacks
// could not decide.
func (s *Set) asked(r *Request, inv *Inventory, wanted func(*policy) bool) askedSet {
	var set askedSet
	for _, p := range s.index.find(r) {
		if !wanted(p) {
			continue
		}
		settings, matches, excuse, err := s.consider(p, r)
		if err == nil && matches && excuse == nil {
			err = inv.lacks(p)
		}
		switch {
		case err != nil:
			set.errs = append(set.errs, s.policyError(r, p, settings, err))
		case excuse != nil:
			set.excused = append(set.excused, s.excused(p, r, excuse))
		case matches:
			set.policies = append(set.policies, asking{p, settings})
		}
	}
	return set
}

// consider returns how p is enforced in a request, whether it is asked, and the
// exception that keeps it from being asked. Its error is never read as "is not asked".
func (s *Set) consider(p *policy, r *Request) (with settings, matches bool, excuse *exception, err error) {
	if with, err = p.settingsFor(r); err != nil {
		return with, false, nil, err
	}
	if matches, err = p.matcher.request(r); !matches || err != nil {
		return with, false, nil, err
	}
	if p.readsNamespace && r.Namespace() != "" && r.ns == nil {
		return with, false, nil, errNamespaceUnknown
	}
	excuse, err = s.excuse(p, r)
	return with, true, excuse, err
}

// Undecided returns the decision about a request that nothing could be decided
// about, because of err: each policy that matches it could not decide, and its
// onError says what becomes of the request.
func (s *Set) Undecided(req *Request, err error) *Decision {
	d := &Decision{Revision: s.revision, Object: req.Ref(), Namespace: req.ns, Time: req.time}
	if d.Passed = s.passes(req); d.Passed != "" {
		return d
	}
	asked := s.asked(req, nil, func(p *policy) bool { return p.violations != nil && s.answers(p, req) })
	d.Excused, d.Errors = asked.excused, asked.errs
	for _, a := range asked.policies {
		d.Evaluated = append(d.Evaluated, a.policy.info.Name)
		d.Errors = append(d.Errors, s.policyError(req, a.policy, a.settings, err))
	}
	d.sort()
	return d
}

// policyError says that p could not decide. What a built-in controller asks for
// is not refused because of it, unless the policy holds controllers too.
func (s *Set) policyError(r *Request, p *policy, with settings, err error) *PolicyError {
	onError := with.onError
	if s.controllers[r.user] && !p.info.Controlled {
		onError = v1alpha1.OnErrorAllow
	}
	return &PolicyError{Policy: p.info.Name, OnError: onError, Err: err}
}

// A verdict is what one policy says of a request.
type verdict struct {
	violations []Violation
	exempt     []Excuse
	err        error
}

// A reviewer asks policies about one request, one after another.
type reviewer struct {
	req        *Request
	inv        *Inventory
	controlled bool
	now        *evaluation // of the object
	before     *evaluation // of the old object; made when it is needed
}

func newReviewer(s *Set, req *Request, inv *Inventory) *reviewer {
	return &reviewer{req: req, inv: inv, controlled: s.controllers[req.user]}
}

func (rv *reviewer) review(ctx context.Context, cancel topdown.Cancel, a asking) verdict {
	if rv.now == nil {
		rv.now = &evaluation{inventory: rv.inv, time: rv.req.time, cancel: cancel}
		rv.now = rv.now.with(rv.req.term(rv.req.object))
	}
	violations, exempt, err := rv.judge(ctx, rv.now, a)
	if err != nil {
		return verdict{err: err}
	}
	rv.ratchet(ctx, a, violations)
	for i := range violations {
		v := &violations[i]
		if rv.controlled && !a.policy.info.Controlled {
			v.Controlled, v.Enforcement, v.DeniedFrom = true, v1alpha1.DryRun, time.Time{}
		}
	}
	return verdict{violations: violations, exempt: exempt}
}
