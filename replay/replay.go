// Package replay keeps the reviews that a webhook has answered, and judges them
// again by other policies: what would have changed, before anything does.
//
// A [Recorder] writes a line for each review, without credentials, and never keeps
// a decision waiting: what it has no room for is dropped and counted. [Run] reads
// such lines, and plain AdmissionReviews of any origin, judges them, and says which
// verdicts differ. A credential is replaced by a mark that the scanner takes for one
// of the same kind, so that redacting changes no verdict about credentials.
package replay

import (
	"encoding/json"
	"time"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// formatVersion is that of the lines that are written.
const formatVersion = 1

// A Note is what a line has beside its AdmissionReview, under the key "lintel".
type Note struct {
	Version   int             `json:"version"`
	Time      time.Time       `json:"time"`                // that stages and exceptions went by
	Door      string          `json:"door"`                // that was asked: validate, deny or warn
	Namespace json.RawMessage `json:"namespace,omitempty"` // the object, as policies saw it
	Verdict   Verdict         `json:"verdict"`
}

// A Verdict is what was answered, and why, without a value of the object.
type Verdict struct {
	Revision string `json:"revision,omitempty"`
	Allowed  bool   `json:"allowed"`
	// Unjudged says that nothing could be decided at all.
	Unjudged bool `json:"unjudged,omitempty"`
	// Passed says why no policy was asked.
	Passed    string      `json:"passed,omitempty"`
	Policies  []string    `json:"policies,omitempty"` // that were asked
	Findings  []Finding   `json:"findings,omitempty"`
	Undecided []Undecided `json:"undecided,omitempty"`
	Excused   []Excused   `json:"excused,omitempty"`
	// More is how many findings there are beyond those that are listed.
	More int `json:"more,omitempty"`
}

// A Finding says that a policy found something, and where.
type Finding struct {
	Policy      string               `json:"policy"`
	Enforcement v1alpha1.Enforcement `json:"enforcement"`
	Path        string               `json:"path,omitempty"`
}

// An Undecided says that a policy could not decide, and whether that refuses.
type Undecided struct {
	Policy  string           `json:"policy"`
	OnError v1alpha1.OnError `json:"onError"`
}

// An Excused names what kept a policy from being asked, or what it exempts.
type Excused struct {
	Policy    string `json:"policy"`
	Exception string `json:"exception"`
}

const (
	// maxFindings bounds what is kept of one verdict: hardly any object has more, and
	// each policy and enforcement is in what is listed.
	maxFindings = 100
	// maxPath bounds a path, in bytes.
	maxPath = 1 << 10
)

// newVerdict sums a decision up. It has to be quick: a request waits for it.
func newVerdict(d *engine.Decision, allowed bool) Verdict {
	if d == nil {
		return Verdict{Allowed: allowed, Unjudged: true}
	}
	v := Verdict{Revision: d.Revision, Allowed: allowed, Passed: d.Passed, Policies: d.Evaluated}
	listed := map[Finding]bool{}
	for i := range d.Violations {
		found := &d.Violations[i]
		f := Finding{Policy: found.Policy, Enforcement: found.Enforcement}
		if len(v.Findings) >= maxFindings && listed[f] {
			v.More++
			continue
		}
		listed[f] = true
		if f.Path = found.Path.String(); len(f.Path) > maxPath {
			f.Path = ""
		}
		v.Findings = append(v.Findings, f)
	}
	for _, e := range d.Errors {
		v.Undecided = append(v.Undecided, Undecided{e.Policy, e.OnError})
	}
	for _, e := range d.Excused[:min(len(d.Excused), maxFindings)] {
		v.Excused = append(v.Excused, Excused{e.Policy, e.Exception})
	}
	return v
}
