// Package report writes what policies found: text, tables and a page for people, and
// JSON, SARIF, JUnit's XML and GitHub's annotations for programs.
//
// A [Report] is what one run found, in the order of the objects. A [Format] writes
// it; [New] knows them by name. Which of the findings count as a failure is said
// by [Report.FailOn], and all formats go by it; the exit code is the caller's.
//
// A [Baseline] holds findings that were there before. What is in it is told of,
// and fails nothing.
//
// Text that comes from objects may be hostile. No format writes a character that
// would move a terminal's cursor or change the direction of text.
package report

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// A Report is what one run found.
type Report struct {
	// Revision is that of the set of policies.
	Revision string
	// Policies are those of the set, by name.
	Policies []Policy
	// Objects are all that were judged or passed, in order.
	Objects []Object
	// Errors are what kept the run from telling: of files, of objects, of policies.
	Errors []Error
	// Warnings are of the input, not of policies, such as a misspelt field.
	Warnings []Note
	// Assumptions say what was taken for granted because nobody could know it.
	Assumptions []string
	// Skipped is how many documents were no Kubernetes objects, or are created by no
	// installation of their chart.
	Skipped int
	// FailOn is which findings fail the run. If "", those that deny.
	FailOn FailOn
	// GroupedBy are the keys of the labels whose values objects are counted by, as they
	// are in a cluster; nil for files.
	GroupedBy []string
	// Time is when the run was; JSON has it where there are tables.
	Time time.Time
	// LastDays are what policies would have denied at admission, most first; those of
	// which nobody knows are left out.
	LastDays []LastDay
	// Since is an earlier run to compare the tables with; nil without one.
	Since *Earlier
	// Baseline says how the findings compare with a baseline; nil without one.
	Baseline *Comparison
}

// A Policy is what a report says of one policy that it was made with.
type Policy struct {
	Name        string
	Title       string
	Description string
	Severity    engine.Severity
	Category    string
	Enforcement v1alpha1.Enforcement
	HelpURI     string // of its page; may be empty
}

// An Object is what was found of one object. Its lists may be those of other objects of
// which the same was found.
type Object struct {
	Ref        engine.ObjectRef
	Source     Source // where the object begins
	Violations []Violation
	Patches    []Patch
	// Notes say what patches left out and why.
	Notes []string
	// Errors are the policies that could not decide.
	Errors []*engine.PolicyError
	// Err says why the object could not be judged at all; nil if it was.
	Err error
	// Passed says why no policy was asked; "" if policies were.
	Passed string
	// Asked are the names of the policies that were asked, sorted.
	Asked []string
	// Labels are the values of the report's GroupedBy, "" where nobody gives one.
	Labels []string
	// Excused are the exceptions that kept a policy from being asked.
	Excused []engine.Excuse
}

// A Violation is one of an object of a report.
type Violation struct {
	engine.Violation
	Source Source // of the nearest ancestor of the path that the file has
	// Old is whether the baseline has it, so that it fails nothing.
	Old bool
}

// A Source is a place in a file. The zero Source is of what comes from no file.
type Source struct {
	File string `json:"file"`
	Line int    `json:"line,omitempty"` // from 1; 0 if it is not known
}

// A Patch is one that is made, or would be.
type Patch struct {
	Mode     v1alpha1.PatchMode // apply or record
	Policies []string           // the names of those that contributed
	JSON     json.RawMessage    // RFC 6902
}

// An Error says what kept a run from telling. All but Message may be empty.
type Error struct {
	Source Source
	Policy string
	Object *engine.ObjectRef
	// OnError says whether the object would be refused because of it.
	OnError v1alpha1.OnError
	Message string
}

// A Note is a remark on a place in a file.
type Note struct {
	Source  Source
	Message string
}

// NewObject returns what a decision and the mutation that went before it say of
// an object. The mutation may be nil. at says where a field stands; if nil, the
// object is from no file.
func NewObject(d *engine.Decision, m *engine.Mutation, at func(engine.Path) Source) Object {
	if at == nil {
		at = func(engine.Path) Source { return Source{} }
	}
	o := Object{Ref: d.Object, Source: at(nil), Passed: d.Passed, Asked: d.Evaluated, Excused: d.Excused}
	for _, v := range d.Violations {
		o.Violations = append(o.Violations, Violation{Violation: v, Source: at(v.Path)})
	}
	o.Errors = slices.Clone(d.Errors)
	if m != nil {
		o.add(m)
	}
	return o
}

// add takes up a mutation. A policy that could not patch for the reason that it
// could not decide is told of once.
func (o *Object) add(m *engine.Mutation) {
	if m.Patch != nil {
		o.Patches = append(o.Patches, Patch{v1alpha1.PatchApply, m.Policies, m.Patch})
	}
	if m.Recorded != nil {
		o.Patches = append(o.Patches, Patch{v1alpha1.PatchRecord, m.RecordedPolicies, m.Recorded})
	}
	o.Notes = m.Warnings
	for _, e := range m.Errors {
		same := func(have *engine.PolicyError) bool {
			return have.Policy == e.Policy && have.Error() == e.Error()
		}
		if !slices.ContainsFunc(o.Errors, same) {
			o.Errors = append(o.Errors, e)
		}
	}
	slices.SortStableFunc(o.Errors, func(a, b *engine.PolicyError) int { return cmp.Compare(a.Policy, b.Policy) })
}

// AllErrors returns the errors of the run, those of its objects included.
func (r *Report) AllErrors() []Error {
	all := slices.Clone(r.Errors)
	for i := range r.Objects {
		o := &r.Objects[i]
		if o.Err != nil {
			all = append(all, Error{Source: o.Source, Object: &o.Ref, Message: o.Err.Error()})
		}
		for _, e := range o.Errors {
			all = append(all, Error{Source: o.Source, Policy: e.Policy, Object: &o.Ref, OnError: e.OnError, Message: "could not decide: " + e.Err.Error()})
		}
	}
	return all
}

// untold reports whether the run could not tell because of it, and not just that
// a policy was left out, in judging or in patching.
func (e Error) untold() bool {
	return e.Object == nil || e.Policy == "" || e.OnError == v1alpha1.OnErrorDeny
}

// text says what of which object and policy could not be told.
func (e Error) text() string {
	var text string
	if e.Object != nil {
		text = e.Object.Printable() + ": "
	}
	if e.Policy != "" {
		text += "policy " + e.Policy + ": "
	}
	return text + e.Message
}
