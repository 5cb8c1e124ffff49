package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// sarif writes the Static Analysis Results Interchange Format 2.1.0, as code
// scanning reads it: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html.
type sarif struct {
	cfg Config
}

const (
	sarifSchema  = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
	sarifVersion = "2.1.0"
	homepage     = "https://github.com/lintel-policy/lintel"

	// sourceRoot names the folder that the names of files are relative to.
	sourceRoot = "SRCROOT"
	// fingerprintKey names how fingerprints are made, for them to be compared with
	// their like alone.
	fingerprintKey = "lintelFinding/v1"
)

// Write writes r.
func (s *sarif) Write(w io.Writer, r *Report) error {
	l := sarifBuilder{folder: s.cfg.Folder, base: s.cfg.Root, report: r, index: map[string]int{}, seen: map[string]int{}}
	run := sarifRun{
		Tool: sarifTool{sarifDriver{
			Name: "lintel", Version: s.cfg.Version, InformationURI: homepage, Rules: l.rules(),
		}},
		Invocations: []sarifInvocation{l.invocation()},
		Results:     l.results(),
		ColumnKind:  "unicodeCodePoints",
		URIBases:    map[string]sarifArtifact{sourceRoot: l.root()},
		Properties:  map[string]any{"revision": r.Revision, "summary": r.Summary()},
	}
	return EncodeJSON(w, sarifLog{sarifSchema, sarifVersion, []sarifRun{run}})
}

// A sarifBuilder makes the parts of a log.
type sarifBuilder struct {
	folder string // that the names of files are relative to
	base   string // that they are told relative to
	report *Report
	index  map[string]int // of rules, by the name of the policy
	seen   map[string]int // how often there was a fingerprint
}

// root says where file names start from.
func (l *sarifBuilder) root() sarifArtifact {
	if l.base == "" {
		return sarifArtifact{Description: &sarifMessage{Text: "the folder that lintel was run in"}}
	}
	return sarifArtifact{URI: fileURI(strings.TrimSuffix(l.base, "/") + "/")}
}

// rules lists the policies, and those of which nobody said what they are.
func (l *sarifBuilder) rules() []sarifRule {
	rules := []sarifRule{}
	add := func(p Policy) {
		if _, ok := l.index[p.Name]; !ok {
			l.index[p.Name] = len(rules)
			rules = append(rules, ruleOf(p))
		}
	}
	for _, p := range l.report.Policies {
		add(p)
	}
	for i := range l.report.Objects {
		for _, name := range l.report.Objects[i].policies() {
			add(Policy{Name: name})
		}
	}
	return rules
}

// ruleOf describes a policy.
func ruleOf(p Policy) sarifRule {
	rule := sarifRule{
		ID: engine.Printable(p.Name), HelpURI: p.HelpURI, Properties: map[string]any{},
		Short: messageOf(p.Title), Full: messageOf(p.Description), Help: messageOf(p.Description),
	}
	if p.Enforcement != "" {
		rule.Default = &sarifConfiguration{levelOf(p.Enforcement)}
	}
	if p.Category != "" {
		rule.Properties["tags"] = []string{engine.Printable(p.Category)}
	}
	if p.Severity != "" {
		rule.Properties["severity"] = p.Severity
	}
	if p.Category == "security" {
		rule.Properties["security-severity"] = scoreOf(p.Severity)
	}
	return rule
}

// scoreOf returns a score in the middle of what code scanning calls by the same
// word: above 9.0 it is critical, from 7.0 on high, from 4.0 on medium.
func scoreOf(s engine.Severity) string {
	switch s {
	case engine.Critical:
		return "9.5"
	case engine.High:
		return "8.0"
	case engine.Medium:
		return "5.5"
	default:
		return "2.0"
	}
}

func messageOf(s string) *sarifMessage {
	if s == "" {
		return nil
	}
	return &sarifMessage{Text: plainMessage(s)}
}

// levelOf returns the level that goes with an enforcement.
func levelOf(e v1alpha1.Enforcement) string {
	switch e {
	case v1alpha1.Deny:
		return "error"
	case v1alpha1.Warn:
		return "warning"
	default:
		return "note"
	}
}

// results returns what was found, and what exceptions keep from being found.
func (l *sarifBuilder) results() []sarifResult {
	results := []sarifResult{}
	for i := range l.report.Objects {
		o := &l.report.Objects[i]
		for k := range o.Violations {
			results = append(results, l.violation(o, &o.Violations[k]))
		}
		for _, e := range o.Excused {
			results = append(results, l.excused(o, e))
		}
	}
	return results
}

// violation returns the result for one.
func (l *sarifBuilder) violation(o *Object, v *Violation) sarifResult {
	fingerprint := findingOf(o, *v).fingerprint()
	l.seen[fingerprint]++
	result := sarifResult{
		RuleID: engine.Printable(v.Policy), RuleIndex: l.index[v.Policy], Level: levelOf(v.Enforcement), Message: violationMessage(o, v),
		Locations:    []sarifLocation{l.location(v.Source, o, v.Path)},
		Fingerprints: map[string]string{fingerprintKey: fmt.Sprintf("%s:%d", fingerprint, l.seen[fingerprint])},
		Properties:   map[string]any{"enforcement": v.Enforcement, "severity": v.Severity},
	}
	if !v.DeniedFrom.IsZero() {
		result.Properties["deniedFrom"] = engine.Moment(v.DeniedFrom)
	}
	if l.report.Baseline != nil {
		result.BaselineState = "new"
	}
	if v.Old {
		result.BaselineState = "unchanged"
		result.Suppressions = []sarifSuppression{{"external", "accepted", "the baseline has it"}}
	}
	return result
}

// excused returns the result for what an exception keeps a policy from saying, or
// what the policy was asked about and exempts itself.
func (l *sarifBuilder) excused(o *Object, e engine.Excuse) sarifResult {
	text, why := o.Ref.Printable()+" is excused by "+e.Exception, "exception "+e.Exception
	if slices.Contains(o.Asked, e.Policy) {
		text, why = o.Ref.Printable()+": "+e.Exception+" is exempt", "the policy exempts it"
	}
	result := sarifResult{
		RuleID: engine.Printable(e.Policy), RuleIndex: l.index[e.Policy], Kind: "notApplicable", Level: "none",
		Message:      sarifMessage{Text: plainMessage(text)},
		Locations:    []sarifLocation{l.location(o.Source, o, nil)},
		Suppressions: []sarifSuppression{{"external", "accepted", engine.Printable(why)}},
	}
	if l.report.Baseline != nil {
		result.BaselineState = "unchanged" // all results have a state or none
	}
	return result
}

// invocation says how the run went.
func (l *sarifBuilder) invocation() sarifInvocation {
	inv := sarifInvocation{Successful: !l.report.Untold()}
	notify := func(level, text string, at Source) {
		n := sarifNotification{Level: level, Message: sarifMessage{Text: plainMessage(text)}}
		if where := l.location(at, nil, nil); where.Physical != nil {
			n.Locations = []sarifLocation{where}
		}
		inv.Notifications = append(inv.Notifications, n)
	}
	for _, e := range l.report.AllErrors() {
		level := "warning"
		if e.untold() {
			level = "error"
		}
		notify(level, e.text(), e.Source)
	}
	for _, n := range l.report.Warnings {
		notify("warning", n.Message, n.Source)
	}
	for _, a := range l.report.Assumptions {
		notify("note", "assumed: "+a, Source{})
	}
	return inv
}
