package report

import (
	"fmt"
	"slices"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// A FailOn says which findings fail a run: those that deny, those that warn as
// well, all of them, or none. What is in the baseline never does.
type FailOn string

// The values of FailOn.
const (
	FailOnDeny   FailOn = "deny"
	FailOnWarn   FailOn = "warn"
	FailOnDryRun FailOn = "dryrun"
	FailOnNever  FailOn = "never"
)

// FailOns returns the values of [FailOn], the default first.
func FailOns() []string {
	return []string{string(FailOnDeny), string(FailOnWarn), string(FailOnDryRun), string(FailOnNever)}
}

// ParseFailOn reads one of [FailOns].
func ParseFailOn(s string) (FailOn, error) {
	if !slices.Contains(FailOns(), s) {
		return "", fmt.Errorf("%q is unknown: it is one of %q", s, FailOns())
	}
	return FailOn(s), nil
}

// fails reports whether a finding with an enforcement fails the run.
func (f FailOn) fails(e v1alpha1.Enforcement) bool {
	switch f {
	case FailOnNever:
		return false
	case FailOnDryRun:
		return true
	case FailOnWarn:
		return e != v1alpha1.DryRun
	default:
		return e == v1alpha1.Deny
	}
}

// fails reports whether a finding fails the run.
func (r *Report) fails(v Violation) bool { return !v.Old && r.FailOn.fails(v.Enforcement) }

// A Summary counts objects: one that is denied and warned about counts as both.
// Findings that are in the baseline count as Old alone.
type Summary struct {
	Objects int `json:"objects"`
	Denied  int `json:"denied"`
	Warned  int `json:"warned"`
	// Recorded are those with a violation that is only recorded.
	Recorded int `json:"recorded"`
	Patched  int `json:"patched"`
	// Passed are those that no policy was asked about, because of their namespace.
	Passed int `json:"passed"`
	// Excused are those that an exception kept a policy from being asked about.
	Excused int `json:"excused"`
	// Undecided are those that could not be judged, or that would be refused because
	// a policy could not decide.
	Undecided int `json:"undecided"`
	// Failing are those that fail the run.
	Failing int `json:"failing"`
	// Skipped is how many documents were no Kubernetes objects.
	Skipped int `json:"skipped"`
}

// Summary counts what is in the report.
func (r *Report) Summary() Summary {
	s := Summary{Objects: len(r.Objects), Skipped: r.Skipped}
	for i := range r.Objects {
		o := &r.Objects[i]
		leftOpen := o.hasError(v1alpha1.OnErrorAllow)
		s.Denied += one(len(o.with(v1alpha1.Deny)) > 0)
		s.Warned += one(len(o.with(v1alpha1.Warn)) > 0 || leftOpen)
		s.Recorded += one(len(o.with(v1alpha1.DryRun)) > 0)
		s.Patched += one(slices.ContainsFunc(o.Patches, func(p Patch) bool { return p.Mode == v1alpha1.PatchApply }))
		s.Passed += one(o.Passed != "")
		s.Excused += one(len(o.Excused) > 0)
		s.Undecided += one(o.Err != nil || o.hasError(v1alpha1.OnErrorDeny))
		s.Failing += one(slices.ContainsFunc(o.Violations, r.fails) || leftOpen && r.FailOn.fails(v1alpha1.Warn))
	}
	return s
}

// Untold reports whether the run could not tell of something: this is more than
// any finding.
func (r *Report) Untold() bool { return len(r.Errors) > 0 || r.Summary().Undecided > 0 }

// quiet reports whether there is nothing that somebody has to be told of.
func (r *Report) quiet() bool {
	s := r.Summary()
	return s.Denied+s.Warned+s.Failing == 0 && !r.Untold()
}

// with returns the violations of one enforcement that are not old.
func (o *Object) with(e v1alpha1.Enforcement) []Violation {
	var found []Violation
	for _, v := range o.Violations {
		if v.Enforcement == e && !v.Old {
			found = append(found, v)
		}
	}
	return found
}

func (o *Object) hasError(onError v1alpha1.OnError) bool {
	return slices.ContainsFunc(o.Errors, func(e *engine.PolicyError) bool { return e.OnError == onError })
}

func one(is bool) int {
	if is {
		return 1
	}
	return 0
}
