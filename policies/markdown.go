package policies

import (
	"cmp"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// generated says at the top of a page what made it.
const generated = "<!-- Made by lintel policies docs from the METADATA and the samples of the policy. Change those. -->\n\n"

// IsPage reports whether a file is one that [Page.Markdown] or [Index] made.
func IsPage(text string) bool { return strings.HasPrefix(text, generated) }

// Markdown returns the page.
func (p Page) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s# %s\n\n", generated, inline(p.heading()))
	if p.Description != "" {
		fmt.Fprintf(&b, "%s\n\n", inline(p.Description))
	}
	fmt.Fprintf(&b, "| policy | severity | category | enforcement |\n|---|---|---|---|\n| `%s` | %s | %s | %s |\n\n",
		p.Name, p.Severity, inline(p.Category), p.Enforcement)
	p.writeMatches(&b)
	p.writeParameters(&b)
	writeRules(&b, "What it finds", p.Violations)
	writeRules(&b, "What it changes", p.Changes)
	p.writeExamples(&b)
	p.writeConfiguration(&b)
	return b.String()
}

// heading is the title, else the name.
func (p Page) heading() string { return cmp.Or(p.Title, p.Name) }

func (p Page) writeMatches(b *strings.Builder) {
	b.WriteString("## What it is about\n\n| API group | kinds |\n|---|---|\n")
	for _, m := range p.Matches {
		group := m.Group
		if len(m.Versions) > 0 {
			group += " (" + strings.Join(m.Versions, ", ") + ")"
		}
		fmt.Fprintf(b, "| %s | %s |\n", inline(group), inline(strings.Join(m.Kinds, ", ")))
	}
	fmt.Fprintf(b, "\nOperations: %s.", joined(p.Match.Operations))
	if what := p.subresources(); what != "" {
		fmt.Fprintf(b, " Asked about %s.", what)
	}
	if p.Controlled {
		b.WriteString(" It is enforced on what the built-in controllers make, too.")
	}
	b.WriteString("\n\n")
	if len(p.Inventory) > 0 {
		b.WriteString("It also reads, where they are there:\n\n")
		for _, k := range p.Inventory {
			fmt.Fprintf(b, "- %s `%s`\n", inline(k.Kind), inline(k.APIVersion))
		}
		b.WriteString("\n")
	}
}

// subresources says what of an object is judged, where that is not just the object itself.
func (p Page) subresources() string {
	var names []string
	for _, s := range p.Match.Subresources {
		if s == "" {
			names = append(names, "the object itself")
		} else {
			names = append(names, "its `"+inline(s)+"`")
		}
	}
	if len(names) == 1 && p.Match.Subresources[0] == "" {
		return ""
	}
	return strings.Join(names, ", ")
}

func (p Page) writeParameters(b *strings.Builder) {
	b.WriteString("## Parameters\n\n")
	if len(p.Parameters) == 0 {
		b.WriteString("None.\n\n")
		return
	}
	b.WriteString("| parameter | type | default | |\n|---|---|---|---|\n")
	for _, r := range p.Parameters {
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", inline(r.Name), inline(r.Type), code(r.Default), r.markdown())
	}
	b.WriteString("\n")
}

func (r ParameterRow) markdown() string {
	pattern := code(r.Pattern)
	r.Pattern = ""
	text := inline(r.Text())
	if pattern != "" {
		text = strings.TrimSpace(text + " Matches " + pattern + ".")
	}
	return text
}

// Text returns what is said of the parameter beside its type and default.
func (r ParameterRow) Text() string {
	text := strings.Join(strings.Fields(r.Description), " ")
	for _, more := range []string{r.Limits, map[bool]string{true: "required"}[r.Required]} {
		if more != "" {
			text = strings.TrimSpace(text + " " + strings.ToUpper(more[:1]) + more[1:] + ".")
		}
	}
	if r.Pattern != "" {
		text = strings.TrimSpace(text + " Matches " + r.Pattern + ".")
	}
	return text
}

func writeRules(b *strings.Builder, heading string, rules []engine.RuleInfo) {
	if len(rules) == 0 {
		return
	}
	fmt.Fprintf(b, "## %s\n\n", heading)
	for _, r := range rules {
		fmt.Fprintf(b, "- **%s**", inline(cmp.Or(r.Title, r.Name)))
		if r.Description != "" {
			fmt.Fprintf(b, ": %s", inline(r.Description))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
}

func (p Page) writeExamples(b *strings.Builder) {
	if p.Bad != nil {
		fmt.Fprintf(b, "## Examples\n\nIn this object\n\n%s\nit finds\n\n", fenced(p.Bad.Object(), "yaml"))
		fmt.Fprintf(b, "%s\n", fenced(strings.Join(p.Bad.Want, "\n")+"\n", "text"))
	}
	if p.Good != nil {
		if p.Bad == nil {
			b.WriteString("## Examples\n\n")
		}
		fmt.Fprintf(b, "In this one it finds nothing:\n\n%s\n", fenced(p.Good.Object(), "yaml"))
	}
}

func (p Page) writeConfiguration(b *strings.Builder) {
	fmt.Fprintf(b, "## Configuration\n\n%s\n", fenced(p.Configuration(), "yaml"))
	b.WriteString("What is left out is as METADATA says. `exceptions` says where PolicyExceptions are honoured;\n" +
		"an exception stands in the namespace of what it excuses:\n\n")
	b.WriteString(fenced(p.Exception(), "yaml"))
}

// Configuration returns a Policy object, as YAML, that sets what the policy sets
// by itself.
func (p Page) Configuration() string {
	source := map[string]any{"library": p.Name}
	if p.Origin != EmbeddedOrigin {
		source = nil // the folder of the object's name
	}
	spec := map[string]any{"enforcement": p.Enforcement, "exceptions": map[string]any{}}
	if source != nil {
		spec["source"] = source
	}
	if len(p.Values) > 0 {
		spec["parameters"] = p.Values
	}
	return asYAML(map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "Policy", "metadata": map[string]any{"name": p.Name}, "spec": spec,
	})
}

// Exception returns an example of a PolicyException, as YAML.
func (p Page) Exception() string {
	return asYAML(map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "PolicyException",
		"metadata": map[string]any{"name": "legacy", "namespace": "shop"},
		"spec": map[string]any{
			"policies": []string{p.Name}, "objects": map[string]any{"names": []string{"legacy-*"}},
			"reason": "replaced soon", "owner": "team-shop", "expires": "2027-03-31T00:00:00Z",
		},
	})
}

func asYAML(v any) string {
	data, err := yaml.Marshal(v)
	if err != nil {
		return ""
	}
	return string(data)
}

// Index returns the page that lists others.
func Index(pages []Page) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s# Policies\n\n| policy | severity | category | enforcement | |\n|---|---|---|---|---|\n", generated)
	for _, p := range pages {
		fmt.Fprintf(&b, "| [%s](%s.md) | %s | %s | %s | %s |\n", p.Name, p.Name, p.Severity, inline(p.Category), p.Enforcement, inline(p.heading()))
	}
	return b.String()
}

// inline returns text as one line that Markdown and HTML leave alone, also in a table.
func inline(text string) string {
	text = engine.Printable(strings.Join(strings.Fields(text), " "))
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`, "[", `\[`).Replace(text)
}

// code returns text as code for a table, nothing for none.
func code(text string) string {
	if text == "" {
		return ""
	}
	text = engine.Printable(text)
	fence := "`"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fence + strings.ReplaceAll(text, "|", `\|`) + fence
}

// fenced returns text as a block of code.
func fenced(text, language string) string {
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fence + language + "\n" + printableLines(text) + fence + "\n"
}

func printableLines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(engine.Printable(strings.TrimRight(line, "\r\n")) + "\n")
	}
	return b.String()
}

func joined[T ~string](words []T) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = string(w)
	}
	return strings.Join(texts, ", ")
}
