package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// text writes what people read. An object is written as kubectl shows its denial,
// with the place in the file and the way out below each line.
type text struct {
	cfg Config
}

// Write writes r. Errors and warnings of the input are counted only: they are
// told of where errors go.
func (t *text) Write(w io.Writer, r *Report) error {
	if t.cfg.Quiet && r.quiet() {
		return nil
	}
	var buf bytes.Buffer
	for i := range r.Objects {
		for _, block := range t.object(&r.Objects[i]) {
			buf.WriteString(block)
			buf.WriteString("\n")
		}
	}
	for _, a := range r.Assumptions {
		fmt.Fprintf(&buf, "assumed: %s\n", engine.Printable(a))
	}
	for _, line := range r.closing() {
		fmt.Fprintln(&buf, line)
	}
	fmt.Fprintln(&buf, engine.Footer(r.Revision))
	_, err := w.Write(buf.Bytes())
	return err
}

// object returns the blocks of one object: what is denied, warned about and
// recorded, and what is patched.
func (t *text) object(o *Object) []string {
	var blocks []string
	for _, e := range []v1alpha1.Enforcement{v1alpha1.Deny, v1alpha1.Warn, v1alpha1.DryRun} {
		if found := o.with(e); len(found) > 0 {
			blocks = append(blocks, t.violations(o, e, found))
		}
	}
	for _, p := range o.Patches {
		blocks = append(blocks, t.patch(o, p))
	}
	if len(o.Notes) > 0 {
		blocks = append(blocks, t.notes(o))
	}
	return blocks
}

// violations returns those of one enforcement. Lines that are of one place have it
// once below them, if nothing else comes in between.
func (t *text) violations(o *Object, e v1alpha1.Enforcement, found []Violation) string {
	var b strings.Builder
	fmt.Fprintln(&b, t.paint(colourOf(e), headline(o, e, found)))
	fixes := fixes{t: t, shown: map[string]bool{}}
	for i, line := range engine.Lines(plain(found)) {
		if found[i].Existing {
			line += " (as before)"
		}
		fmt.Fprintln(&b, line)
		fix := fixes.of(found[i])
		last := i+1 == len(found)
		if place := where(found[i]); place != "" && (fix != "" || last || where(found[i+1]) != place) {
			fmt.Fprintln(&b, t.paint(faint, "    "+place))
		}
		b.WriteString(fix)
	}
	return b.String()
}

func plain(found []Violation) []engine.Violation {
	violations := make([]engine.Violation, len(found))
	for i, v := range found {
		violations[i] = v.Violation
	}
	return violations
}

// headline is that of a denial, to the letter, with the verdict before it.
func headline(o *Object, e v1alpha1.Enforcement, found []Violation) string {
	verdict := "denied: "
	switch e {
	case v1alpha1.Warn:
		verdict = "warned: "
	case v1alpha1.DryRun:
		verdict = "recorded: "
	default:
	}
	return verdict + engine.Headline(o.Ref, plain(found))
}

// where says where a violation is, how bad, and when it is denied.
func where(v Violation) string {
	var parts []string
	if v.Source.File != "" {
		parts = append(parts, "at "+v.Source.String())
	}
	if v.Severity != "" {
		parts = append(parts, string(v.Severity)+" severity")
	}
	if due := v.Due(); due != "" {
		parts = append(parts, due)
	}
	return strings.Join(parts, ", ")
}

// place writes where something stands.
func (t *text) place(b *strings.Builder, s Source) {
	if s.File != "" {
		fmt.Fprintln(b, t.paint(faint, "    at "+s.String()))
	}
}

// String returns file:line, as editors and terminals understand it.
func (s Source) String() string {
	if s.Line == 0 {
		return engine.Printable(s.File)
	}
	return fmt.Sprintf("%s:%d", engine.Printable(s.File), s.Line)
}

// fixes shows how to put violations of one object right. A snippet that has been
// shown is not shown again: ten containers without a probe want the same.
type fixes struct {
	t     *text
	shown map[string]bool
}

func (f fixes) of(v Violation) string {
	switch {
	case f.t.cfg.NoFix || v.Fix == "":
		return ""
	case f.shown[v.Fix] && strings.Contains(v.Fix, "\n"):
		return "    fix: as above\n"
	}
	f.shown[v.Fix] = true
	return indented(v.Fix)
}

// indented returns how to put something right, which may be lines of YAML.
func indented(fix string) string {
	if fix == "" {
		return ""
	}
	var b strings.Builder
	lead := "    fix: "
	for line := range strings.SplitSeq(strings.TrimRight(fix, "\n"), "\n") {
		fmt.Fprintln(&b, strings.TrimRight(lead+engine.PrintableLine(line), " "))
		lead = "         "
	}
	return b.String()
}

// notes returns what patches left out.
func (t *text) notes(o *Object) string {
	var b strings.Builder
	fmt.Fprintln(&b, t.paint(yellow, o.Ref.Printable()+" is not patched in full:"))
	for _, text := range o.Notes {
		fmt.Fprintf(&b, "  %s\n", engine.Printable(text))
	}
	t.place(&b, o.Source)
	return b.String()
}
