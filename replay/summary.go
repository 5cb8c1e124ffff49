package replay

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lintel-policy/lintel/engine"
)

// A Summary says which verdicts change.
type Summary struct {
	Revision string `json:"revision"` // of the policies that judge
	// Baseline is the revision of those that are compared with, empty where that is
	// what was recorded.
	Baseline string    `json:"baseline"`
	From     time.Time `json:"from,omitzero"` // of the first request that says its time
	To       time.Time `json:"to,omitzero"`   // of the last
	Requests int       `json:"requests"`
	// Repeated is how often a request was there again.
	Repeated    int            `json:"repeated"`
	Counts      Counts         `json:"counts"` // of requests
	Policies    []PolicyCounts `json:"policies"`
	Teams       []TeamCounts   `json:"teams"`
	Examples    []Example      `json:"examples"`
	Assumptions []string       `json:"assumptions"`
	Errors      []LineError    `json:"errors"`
	// MoreErrors is how many there are beyond those that are listed.
	MoreErrors int `json:"moreErrors,omitempty"`

	opts                Options
	noVerdict, noLabels int
	policies            map[string]Counts
	teams               map[[2]string]Counts
}

// Counts has how many there are of each class.
type Counts map[Class]int

func newCounts() Counts {
	counts := Counts{}
	for _, class := range classes() {
		counts[class] = 0
	}
	return counts
}

// PolicyCounts counts the requests that one policy judges otherwise.
type PolicyCounts struct {
	Policy string `json:"policy"`
	Counts Counts `json:"counts"`
}

// TeamCounts counts the requests of one team in one namespace whose verdict changes.
type TeamCounts struct {
	Team      string `json:"team"`
	Namespace string `json:"namespace"`
	Counts    Counts `json:"counts"`
}

// An Example is a request whose verdict changes.
type Example struct {
	Class     Class            `json:"class"`
	Object    engine.ObjectRef `json:"object"`
	Team      string           `json:"team,omitempty"`
	Operation string           `json:"operation"`
	User      string           `json:"user"`
	Time      time.Time        `json:"time,omitzero"`
	Source    Place            `json:"source"`
	Changes   []Change         `json:"changes"`
}

// A LineError says what could not be read or judged.
type LineError struct {
	Place
	Message string `json:"message"`
}

const (
	// maxErrors bounds the errors that are listed.
	maxErrors = 100
	// maxRows bounds the teams and namespaces that are told apart. There are not so
	// many in a cluster, but in a file there may be.
	maxRows = 10_000
)

func newSummary(opts Options) *Summary {
	s := &Summary{
		Revision: opts.Set.Revision(), opts: opts, Counts: newCounts(), policies: map[string]Counts{}, teams: map[[2]string]Counts{},
		Policies: []PolicyCounts{}, Teams: []TeamCounts{}, Examples: []Example{}, Assumptions: []string{}, Errors: []LineError{},
	}
	if opts.Baseline != nil {
		s.Baseline = opts.Baseline.Revision()
	}
	return s
}

func (s *Summary) fail(e *Error) {
	if len(s.Errors) >= maxErrors {
		s.MoreErrors++
		return
	}
	s.Errors = append(s.Errors, LineError{e.Place, e.Err.Error()})
}

// add counts an outcome.
func (s *Summary) add(o *outcome) {
	if o.err != nil {
		s.fail(&Error{Place: o.Source, Err: o.err})
		return
	}
	s.Requests++
	s.Counts[o.class]++
	if o.noVerdict {
		s.noVerdict++
	}
	if o.noLabels {
		s.noLabels++
	}
	if !o.Time.IsZero() {
		if s.From.IsZero() || o.Time.Before(s.From) {
			s.From = o.Time
		}
		if o.Time.After(s.To) {
			s.To = o.Time
		}
	}
	if o.class == Same {
		return
	}
	for _, c := range o.Changes {
		count(s.policies, c.Policy, "(others)", c.class())
	}
	count(s.teams, [2]string{o.Team, o.Object.Namespace}, [2]string{"(others)", ""}, o.class)
	if s.Counts[o.class] <= s.opts.Examples {
		o.Class = o.class
		s.Examples = append(s.Examples, o.Example)
	}
}

// count counts under a key, or under that of all others where there are too many.
func count[K comparable](rows map[K]Counts, key, others K, class Class) {
	if _, ok := rows[key]; !ok && len(rows) >= maxRows {
		key = others
	}
	if rows[key] == nil {
		rows[key] = newCounts()
	}
	rows[key][class]++
}

// finish puts what was counted in order: what changes most for the worse comes first.
func (s *Summary) finish() {
	for name, counts := range s.policies {
		s.Policies = append(s.Policies, PolicyCounts{name, counts})
	}
	slices.SortFunc(s.Policies, func(a, b PolicyCounts) int {
		return cmp.Or(compareCounts(a.Counts, b.Counts), strings.Compare(a.Policy, b.Policy))
	})
	for key, counts := range s.teams {
		s.Teams = append(s.Teams, TeamCounts{key[0], key[1], counts})
	}
	slices.SortFunc(s.Teams, func(a, b TeamCounts) int {
		return cmp.Or(compareCounts(a.Counts, b.Counts), strings.Compare(a.Team, b.Team), strings.Compare(a.Namespace, b.Namespace))
	})
	order := classes()
	slices.SortStableFunc(s.Examples, func(a, b Example) int {
		return slices.Index(order, a.Class) - slices.Index(order, b.Class)
	})
	s.Assumptions = append(s.Assumptions, s.assumptions()...)
}

func compareCounts(a, b Counts) int {
	for _, class := range classes() {
		if a[class] != b[class] {
			return b[class] - a[class]
		}
	}
	return 0
}

// assumptions says what was taken for granted because the reviews do not say it.
func (s *Summary) assumptions() []string {
	var all []string
	if s.noVerdict > 0 {
		all = append(all, fmt.Sprintf("%s with no recorded verdict: taken to have been admitted (--baseline-policies judges what was before)",
			engine.Counted(s.noVerdict, "request", "requests")))
	}
	if s.noLabels > 0 {
		all = append(all, fmt.Sprintf("%s with no recorded namespace: its labels are taken to be empty", engine.Counted(s.noLabels, "request", "requests")))
	}
	readers := map[string]bool{}
	for _, p := range s.opts.Set.Policies() {
		if len(p.Inventory) > 0 && s.opts.Inventory == nil {
			readers[p.Name] = true
		}
	}
	if len(readers) > 0 && s.Requests > 0 {
		all = append(all, fmt.Sprintf("%s other objects, of which none are recorded: taken to be none (--inventory gives them)",
			strings.Join(slices.Sorted(maps.Keys(readers)), ", ")+reads(len(readers))))
	}
	return all
}

func reads(n int) string {
	if n == 1 {
		return " reads"
	}
	return " read"
}
