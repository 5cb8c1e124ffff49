package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
)

// A manual is what `lintel explain POLICY` says.
type manual struct {
	Policies []manualPage `json:"policies"`
}

type manualPage struct {
	listedPolicy
	Parameters []manualParameter `json:"parameters"`
	Violations []manualRule      `json:"violations"`
	Changes    []manualRule      `json:"changes"`
	Bad        *manualSample     `json:"bad,omitempty"`
	Good       *manualSample     `json:"good,omitempty"`

	page policies.Page
}

type manualParameter struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	Default     string `json:"default,omitempty"` // as JSON
	Required    bool   `json:"required,omitempty"`
	Description string `json:"description,omitempty"`
}

type manualRule struct {
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
}

type manualSample struct {
	Object string   `json:"object"` // as YAML
	Finds  []string `json:"finds,omitempty"`
}

// explainPolicies prints the documentation of the policies of these names.
func (c *explainCommand) explainPolicies(ctx context.Context, names []string) error {
	pages, broken, err := c.policies.pages(ctx)
	if err != nil {
		return err
	}
	known := make([]string, len(pages))
	for i, p := range pages {
		known[i] = p.Name
	}
	if err := know(names, known, broken); err != nil {
		return err
	}
	var m manual
	for _, name := range names {
		m.Policies = append(m.Policies, newManualPage(pages[slices.Index(known, name)]))
	}
	if err := writeAs(c.streams.out, c.output, m, m.text); err != nil {
		return err
	}
	return complainOf(broken, c.streams.err)
}

func errUnknownPolicy(name string, known []string) error {
	if len(known) == 0 {
		return fmt.Errorf("policy %q is unknown: there are none", name)
	}
	return fmt.Errorf("policy %q is unknown: there are %q", name, known)
}

func newManualPage(p policies.Page) manualPage {
	m := manualPage{
		listedPolicy: newListedPolicy(p.Info), Parameters: []manualParameter{},
		Violations: manualRules(p.Violations), Changes: manualRules(p.Changes), page: p,
	}
	for _, r := range p.Parameters {
		r.Pattern = "" // they are long, and no help in finding out what to write
		m.Parameters = append(m.Parameters, manualParameter{r.Name, r.Type, r.Default, r.Required, r.Text()})
	}
	if p.Bad != nil {
		m.Bad = &manualSample{p.Bad.Object(), p.Bad.Want}
	}
	if p.Good != nil {
		m.Good = &manualSample{Object: p.Good.Object()}
	}
	return m
}

func manualRules(rules []engine.RuleInfo) []manualRule {
	all := []manualRule{}
	for _, r := range rules {
		all = append(all, manualRule{cmp.Or(r.Title, r.Name), strings.Join(strings.Fields(r.Description), " ")})
	}
	return all
}

func (m manual) text(w io.Writer) error {
	var b strings.Builder
	for i, p := range m.Policies {
		if i > 0 {
			b.WriteString("\n")
		}
		p.text(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (m manualPage) text(b *strings.Builder) {
	fmt.Fprintf(b, "%s: %s\n\n", engine.Printable(m.Name), engine.Printable(m.Title))
	if m.Description != "" {
		paragraph(b, "  ", m.Description)
		b.WriteString("\n")
	}
	fmt.Fprintf(b, "  severity %s, enforcement %s", m.Severity, m.Enforcement)
	if m.Category != "" {
		fmt.Fprintf(b, ", category %s", engine.Printable(m.Category))
	}
	b.WriteString("\n")
	b.WriteString("\nMatches\n")
	for _, row := range m.page.Matches {
		paragraph(b, "  ", engine.Printable(row.Group)+": "+engine.Printable(strings.Join(row.Kinds, ", ")))
	}
	m.parameters(b)
	rules(b, "Finds", m.Violations)
	rules(b, "Changes", m.Changes)
	if m.Bad != nil {
		b.WriteString("\nIn this object\n\n")
		indent(b, "    ", m.Bad.Object)
		b.WriteString("\n  it finds\n\n")
		indent(b, "    ", strings.Join(m.Bad.Finds, "\n"))
	}
	if m.Good != nil {
		b.WriteString("\nIn this object it finds nothing\n\n")
		indent(b, "    ", m.Good.Object)
	}
}

func (m manualPage) parameters(b *strings.Builder) {
	if len(m.Parameters) == 0 {
		return
	}
	b.WriteString("\nParameters\n")
	for _, p := range m.Parameters {
		fmt.Fprintf(b, "  %s (%s)\n", engine.Printable(p.Name), engine.Printable(p.kind()))
		paragraph(b, "      ", p.Description)
	}
}

// kind returns the type, with the default if there is one.
func (p manualParameter) kind() string {
	if p.Default == "" {
		return p.Type
	}
	return p.Type + ", default " + p.Default
}

func rules(b *strings.Builder, heading string, rules []manualRule) {
	if len(rules) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", heading)
	for _, r := range rules {
		fmt.Fprintf(b, "  %s\n", engine.Printable(r.Title))
		paragraph(b, "      ", r.Description)
	}
}

// pageWidth is how wide lines of text are: as wide as terminals are made.
const pageWidth = 80

// paragraph writes text in lines that are no wider than a page.
func paragraph(b *strings.Builder, lead, text string) {
	line := lead
	for _, word := range strings.Fields(engine.Printable(text)) {
		if len(line) > len(lead) && len(line)+1+len(word) > pageWidth {
			fmt.Fprintln(b, line)
			line = lead
		}
		if len(line) > len(lead) {
			line += " "
		}
		line += word
	}
	if len(line) > len(lead) {
		fmt.Fprintln(b, line)
	}
}

func indent(b *strings.Builder, lead, text string) {
	for line := range strings.SplitSeq(engine.PrintableLines(text), "\n") {
		fmt.Fprintf(b, "%s%s\n", lead, line)
	}
}
