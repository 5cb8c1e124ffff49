package report

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// text writes what people read. An object is written as kubectl shows its denial,
// with the place in the file below the lines that it holds for.
type text struct {
	cfg Config
}

// Write writes r. Errors and warnings of the input are counted only: they are
// told of where errors go.
func (t *text) Write(w io.Writer, r *Report) error {
	var blocks []string
	for i := range r.Objects {
		blocks = append(blocks, t.object(&r.Objects[i])...)
	}
	var buf bytes.Buffer
	for _, b := range blocks {
		buf.WriteString(b)
		buf.WriteString("\n")
	}
	for _, a := range r.Assumptions {
		fmt.Fprintf(&buf, "assumed: %s\n", engine.Printable(a))
	}
	fmt.Fprintf(&buf, "%s\n%s\n", r.closing(), engine.Footer(r.Revision))
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

// violations returns those of one enforcement.
func (t *text) violations(o *Object, e v1alpha1.Enforcement, found []Violation) string {
	var b strings.Builder
	plain := make([]engine.Violation, len(found))
	for i, v := range found {
		plain[i] = v.Violation
	}
	headline := strings.TrimSuffix(engine.Headline(o.Ref, plain), ":") + consequence(e) + ":"
	fmt.Fprintln(&b, t.paint(colourOf(e), headline))
	for i, line := range engine.Lines(plain) {
		if found[i].Existing {
			line += " (as before)"
		}
		fmt.Fprintln(&b, line)
		if t.cfg.Explain {
			b.WriteString(indented(found[i].Fix))
		}
		if isLast := i+1 == len(found); isLast || found[i+1].Source != found[i].Source {
			t.place(&b, found[i].Source)
		}
	}
	return b.String()
}

// consequence says what becomes of a request that breaks policies.
func consequence(e v1alpha1.Enforcement) string {
	switch e {
	case v1alpha1.Warn:
		return ", admitted with a warning"
	case v1alpha1.DryRun:
		return ", admitted and recorded"
	default:
		return ""
	}
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

// indented returns how to put something right, which may be lines of YAML.
func indented(fix string) string {
	if fix == "" {
		return ""
	}
	var b strings.Builder
	lead := "    fix: "
	for line := range strings.SplitSeq(strings.TrimRight(fix, "\n"), "\n") {
		fmt.Fprintf(&b, "%s%s\n", lead, engine.Printable(line))
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

// closing counts, in one line. What there is none of is left out, but for denials.
func (r *Report) closing() string {
	s := r.Summary()
	parts := []string{fmt.Sprintf("%s: %d denied", engine.Counted(s.Objects, "object", "objects"), s.Denied)}
	for _, c := range []struct {
		n    int
		what string
	}{{s.Warned, "warned about"}, {s.Patched, "patched"}, {s.Excused, "excused by exceptions"}, {s.Undecided, "undecided"}} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	line := strings.Join(parts, ", ")
	if s.Passed > 0 {
		line += fmt.Sprintf("; %d passed unjudged (%s)", s.Passed, strings.Join(r.reasons(), ", "))
	}
	if s.Skipped > 0 {
		line += "; " + engine.Counted(s.Skipped, "document that is no Kubernetes object", "documents that are no Kubernetes objects") + " skipped"
	}
	if n := len(r.Errors); n > 0 {
		line += "; " + engine.Counted(n, "error", "errors")
	}
	return line
}

// reasons returns why objects passed unjudged, each once.
func (r *Report) reasons() []string {
	reasons := map[string]bool{}
	for i := range r.Objects {
		if why := r.Objects[i].Passed; why != "" {
			reasons[engine.Printable(why)] = true
		}
	}
	return slices.Sorted(maps.Keys(reasons))
}
