// Package doctor looks at an installation of Lintel and says what is wrong with it,
// or is going to be.
//
// [Read] reads a cluster once, with what the caller may read; what it could not see
// is said so, and taken for neither well nor ill. Each check is a function of that
// [Snapshot] alone, so it can be tried on any, and the same one gives the same findings.
package doctor

import (
	"cmp"
	"slices"
)

// A Severity says how bad a finding is.
type Severity string

// The severities, the worst first.
const (
	Problem Severity = "problem" // something does not work, or does not hold
	Warning Severity = "warning" // something will not, or not as it seems
	Note    Severity = "note"    // something to know
)

// A Finding is one thing that a check has found.
type Finding struct {
	Check    string   `json:"check"` // its name, which stays the same, as in "registration.excluded"
	Severity Severity `json:"severity"`
	Object   string   `json:"object"`          // kind, namespace and name
	Field    string   `json:"field,omitempty"` // of the object
	Message  string   `json:"message"`
	Why      string   `json:"why,omitempty"`     // why it matters
	Command  string   `json:"command,omitempty"` // that mends it
	YAML     string   `json:"yaml,omitempty"`    // that mends it when it is applied
}

// A Report is what all checks have found.
type Report struct {
	Namespace string    `json:"namespace"`         // of the installation
	Account   string    `json:"account,omitempty"` // of Lintel; empty if it is not known
	Findings  []Finding `json:"findings"`          // the worst first
	Unseen    []Unseen  `json:"unseen"`
	Summary   Summary   `json:"summary"`
}

// An Unseen is what could not be looked at.
type Unseen struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// A Summary counts findings.
type Summary struct {
	Problems int `json:"problems"`
	Warnings int `json:"warnings"`
	Notes    int `json:"notes"`
}

// checks are all of them, in the order in which their findings are told.
func checks() []func(*Snapshot) []Finding {
	return []func(*Snapshot) []Finding{
		checkServer, checkDefinitions, checkDeployment, checkEndpoints, checkBudget, checkKept, checkImages, checkRevisions,
		checkRights, checkExcess,
		checkPolicies, checkMatches, checkExceptions, checkLabels,
		checkRegistered, checkCoverage, checkEntries, checkTimeouts, checkCertificates,
		checkLaterWebhooks, checkLockout,
	}
}

// Examine makes all checks.
func (s *Snapshot) Examine() *Report {
	r := &Report{Namespace: s.Namespace, Account: s.Account, Findings: []Finding{}, Unseen: slices.Concat([]Unseen{}, s.Unseen)}
	for _, check := range checks() {
		r.Findings = append(r.Findings, check(s)...)
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int { return cmp.Compare(a.Severity.rank(), b.Severity.rank()) })
	for _, f := range r.Findings {
		r.Summary.count(f.Severity)
	}
	return r
}

func (s Severity) rank() int { return slices.Index([]Severity{Problem, Warning, Note}, s) }

func (s *Summary) count(severity Severity) {
	switch severity {
	case Problem:
		s.Problems++
	case Warning:
		s.Warnings++
	case Note:
		s.Notes++
	}
}
