package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/report"
)

// explained is what `lintel explain` says of objects.
type explained struct {
	Revision string            `json:"revision"`
	Objects  []explainedObject `json:"objects"`

	warnings []string // for standard error
}

type explainedObject struct {
	Object   engine.ObjectRef  `json:"object"`
	Source   report.Source     `json:"source"`
	Passed   string            `json:"passed,omitempty"` // why no policy is asked
	Policies []explainedPolicy `json:"policies"`
}

type explainedPolicy struct {
	Policy      string               `json:"policy"`
	Asked       bool                 `json:"asked"`
	Why         string               `json:"why"`
	Enforcement v1alpha1.Enforcement `json:"enforcement"`
	Setting     string               `json:"setting"`              // what decides the enforcement
	DeniedFrom  string               `json:"deniedFrom,omitempty"` // by a later stage
	Patches     v1alpha1.PatchMode   `json:"patches,omitempty"`    // "" for a policy without patch rules
	Exceptions  []explainedException `json:"exceptions"`
	Reads       []explainedRead      `json:"reads"`
	Scanned     bool                 `json:"scanned,omitempty"` // for secrets, in all fields
	Rules       []explainedRule      `json:"rules"`
	Errors      []string             `json:"errors"`
}

type explainedException struct {
	Exception string `json:"exception"`
	Excuses   bool   `json:"excuses"`
	Why       string `json:"why"`
}

type explainedRead struct {
	Path   string `json:"path"`
	Absent bool   `json:"absent,omitempty"`
	Value  string `json:"value,omitempty"`
	Line   int    `json:"line,omitempty"` // of the nearest ancestor that the file has
}

type explainedRule struct {
	Rule   string        `json:"rule"`
	Title  string        `json:"title,omitempty"`
	Rego   report.Source `json:"rego"`
	Path   string        `json:"path"`
	Text   string        `json:"text"`
	Source report.Source `json:"source"`
}

func newExplained(x engine.Explanation, at func(engine.Path) report.Source) explainedPolicy {
	p := explainedPolicy{
		Policy: x.Policy.Name, Asked: x.Asked, Why: x.Why, Enforcement: x.Enforcement, Setting: x.Setting, Scanned: x.Scanned,
		Exceptions: []explainedException{}, Reads: []explainedRead{}, Rules: []explainedRule{}, Errors: []string{},
	}
	if !x.DeniedFrom.IsZero() {
		p.DeniedFrom = engine.Moment(x.DeniedFrom)
	}
	if x.Policy.PatchesObjects {
		p.Patches = x.Patches
	}
	for _, e := range x.Exceptions {
		p.Exceptions = append(p.Exceptions, explainedException(e))
	}
	for _, r := range x.Reads {
		p.Reads = append(p.Reads, explainedRead{Path: r.Path.String(), Absent: r.Absent, Value: r.Value, Line: at(r.Path).Line})
	}
	for _, f := range x.Firings {
		p.Rules = append(p.Rules, explainedRule{
			Rule: f.Rule, Title: f.Title, Rego: report.Source{File: f.File, Line: f.Row},
			Path: f.Path.String(), Text: f.Text, Source: at(f.Path),
		})
	}
	for _, err := range x.Errors {
		p.Errors = append(p.Errors, err.Error())
	}
	return p
}

// text writes the explanations, an object after the other, a policy after the other.
func (e explained) text(w io.Writer) error {
	var b strings.Builder
	for _, o := range e.Objects {
		fmt.Fprintf(&b, "%s%s\n", o.Object.Printable(), placed(o.Source))
		if o.Passed != "" {
			fmt.Fprintf(&b, "  no policy is asked: %s\n", engine.Printable(o.Passed))
		}
		for _, p := range o.Policies {
			p.text(&b)
		}
		b.WriteString("\n")
	}
	_, err := fmt.Fprintf(w, "%s%s\n", b.String(), engine.Footer(e.Revision))
	return err
}

func placed(s report.Source) string {
	if s.File == "" {
		return ""
	}
	return " at " + s.String()
}

func (p explainedPolicy) text(b *strings.Builder) {
	if !p.Asked {
		fmt.Fprintf(b, "\n  %s is not asked: %s\n", engine.Printable(p.Policy), engine.Printable(p.Why))
		return
	}
	fmt.Fprintf(b, "\n  %s is asked: %s\n", engine.Printable(p.Policy), engine.Printable(p.Why))
	more := ""
	if p.DeniedFrom != "" {
		more = ", deny from " + p.DeniedFrom
	}
	if p.Patches != "" {
		more += ", patches " + string(p.Patches)
	}
	fmt.Fprintf(b, "    enforcement %s by %s%s\n", p.Enforcement, p.Setting, more)
	for _, e := range p.Exceptions {
		fmt.Fprintf(b, "    exception %s %s: %s\n", engine.Printable(e.Exception), excuses(e.Excuses), engine.Printable(e.Why))
	}
	if slices.ContainsFunc(p.Exceptions, func(e explainedException) bool { return e.Excuses }) {
		return
	}
	for _, message := range p.Errors {
		fmt.Fprintf(b, "    could not decide: %s\n", engine.Printable(message))
	}
	p.readings(b)
	p.firings(b)
}

func excuses(is bool) string {
	if is {
		return "excuses the object"
	}
	return "does not excuse the object"
}

func (p explainedPolicy) readings(b *strings.Builder) {
	if p.Scanned {
		b.WriteString("    all fields are searched for secrets\n")
	}
	if len(p.Reads) == 0 {
		return
	}
	b.WriteString("    read:\n")
	var lines strings.Builder
	tab := tabwriter.NewWriter(&lines, 0, 0, 2, ' ', 0)
	for _, r := range p.Reads {
		value := engine.Printable(r.Value)
		if r.Absent {
			value = "absent"
		}
		fmt.Fprintf(tab, "      %s\t%s\n", engine.Printable(r.Path), value)
	}
	_ = tab.Flush() // a builder takes everything
	b.WriteString(lines.String())
}

func (p explainedPolicy) firings(b *strings.Builder) {
	if len(p.Rules) == 0 && len(p.Errors) == 0 {
		b.WriteString("    no rule yields anything\n")
	}
	for i, r := range p.Rules {
		if i == 0 || p.Rules[i-1].Rego != r.Rego {
			fmt.Fprintf(b, "    %s by %s%s\n", r.Rule, r.Rego, inBrackets(r.Title))
		}
		fmt.Fprintf(b, "      %s: %s%s\n", engine.Printable(r.Path), engine.Printable(r.Text), inBrackets(r.Source.String()))
	}
}

func inBrackets(text string) string {
	if text == "" {
		return ""
	}
	return " (" + engine.Printable(text) + ")"
}
