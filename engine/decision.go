package engine

import (
	"encoding/json"
	"time"

	"github.com/lintel-policy/lintel/api/v1alpha1"
)

// A Severity says how much harm a violation can do. It orders violations.
type Severity string

// The severities, worst first.
const (
	Critical Severity = "critical"
	High     Severity = "high"
	Medium   Severity = "medium"
	Low      Severity = "low"
)

// A Violation is one thing that one policy found wrong with an object.
type Violation struct {
	Policy      string
	Enforcement v1alpha1.Enforcement // what becomes of it in this request
	Severity    Severity
	Message     string          // what is wrong, for a person
	Path        Path            // the field at fault; empty if the policy named none
	Subject     string          // names of the list items on Path, such as a container's
	Fix         string          // how to put it right; may be empty
	Details     json.RawMessage // what else the policy says; may be nil
	Existing    bool            // the stored object had it already
	Controlled  bool            // the request is a built-in controller's
	// DeniedFrom is when a later stage of the policy denies it; zero if none does.
	DeniedFrom time.Time
}

// A PolicyError says that a policy could not decide.
type PolicyError struct {
	Policy string
	// OnError says whether the request is refused because of it.
	OnError v1alpha1.OnError
	Err     error
}

func (e *PolicyError) Error() string { return "policy " + e.Policy + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *PolicyError) Unwrap() error { return e.Err }

// A Decision is what a [Set] says of a request.
type Decision struct {
	// Revision is that of the Set.
	Revision string
	// Object is what was judged.
	Object ObjectRef
	// Namespace is the Namespace object that was gone by, nil where none was known,
	// and Time the time.
	Namespace *Object
	Time      time.Time
	// Violations are sorted by severity, policy, path and message, without repeats.
	Violations []Violation
	// Errors are the policies that could not decide, by name.
	Errors []*PolicyError
	// Evaluated are the names of the policies that were asked, sorted.
	Evaluated []string
	// Excused are the exceptions that kept a policy from being asked, and what
	// policies found and exempt themselves.
	Excused []Excuse
	// WouldDeny are the policies that let the request by and would have denied it if they
	// denied, by name. What the stored object had already, and what a built-in controller
	// asks for, they would let by all the same.
	WouldDeny []PolicyRevision
	// Passed says why no policy was asked, where none was for a reason of the
	// Set: an excluded namespace, an exempt user, a deletion in progress.
	Passed string
	// Left is closed when what went on beyond the deadline has ended: until then it
	// uses a processor and holds the request. It is nil where nothing did.
	Left <-chan struct{}
}

// A PolicyRevision names a policy and how it was then: [Info] has the same revision as
// long as nothing changes that has a say in what the policy decides.
type PolicyRevision struct{ Policy, Revision string }

// An Excuse names an exception and the policy that it kept from being asked, or
// what a policy found and exempts.
type Excuse struct {
	Policy    string
	Exception string // namespace/name, or the path to what is exempt
	// Expires is when the exception ends, the zero time for what a policy exempts, and
	// Then how the policy is enforced from that time on in such a request.
	Expires time.Time
	Then    v1alpha1.Enforcement
}

// Allowed reports whether the request may pass: no violation denies it and no
// policy that could not decide does.
func (d *Decision) Allowed() bool {
	for i := range d.Violations {
		if d.Violations[i].Enforcement == v1alpha1.Deny {
			return false
		}
	}
	for _, e := range d.Errors {
		if e.OnError == v1alpha1.OnErrorDeny {
			return false
		}
	}
	return true
}

// A Mutation is what the patch rules of a [Set] make of a request's object.
type Mutation struct {
	Revision string
	Object   ObjectRef
	// Patch is an RFC 6902 patch from which no operation can be left out. It is
	// nil if nothing changes.
	Patch json.RawMessage
	// Policies are the names of those that contributed to Patch, sorted.
	Policies []string
	// Recorded is the patch that policies in mode record would have added to
	// Patch; RecordedPolicies names them.
	Recorded         json.RawMessage
	RecordedPolicies []string
	// Warnings say what was left out and why: conflicts, changes that did not
	// settle.
	Warnings []string
	// Errors are the policies that could not decide. None of them refuses anything.
	Errors []*PolicyError
	// Excused are the exceptions that kept a policy from being asked.
	Excused []Excuse
	// Request is the request with the patched object, for a review that follows.
	Request *Request
	// Left is what it is in a [Decision].
	Left <-chan struct{}
}

// An ObjectRef names an object for people.
type ObjectRef struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
}

// String returns the kind with namespace and name, as in "Deployment shop/web".
func (o ObjectRef) String() string {
	name := o.Name
	if name == "" {
		name = "(no name)"
	}
	if o.Namespace != "" {
		name = o.Namespace + "/" + name
	}
	return o.Kind + " " + name
}
