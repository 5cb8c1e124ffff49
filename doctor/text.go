package doctor

import (
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/lintel-policy/lintel/engine"
)

// plain is what a shell takes as it is.
var plain = regexp.MustCompile(`^[A-Za-z0-9._:/=-]+$`)

// quoted returns a word for a shell.
func quoted(word string) string {
	if plain.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// colours are Select Graphic Rendition parameters of ECMA-48, as those of reports.
func (s Severity) colour() string {
	return map[Severity]string{Problem: "1;31", Warning: "33", Note: "36"}[s]
}

// WriteText writes a report for people, in colours if they can see some.
func (r *Report) WriteText(w io.Writer, coloured bool) error {
	var b strings.Builder
	for _, f := range r.Findings {
		head := string(f.Severity)
		if coloured {
			head = "\x1b[" + f.Severity.colour() + "m" + head + "\x1b[0m"
		}
		b.WriteString(head + ": ")
		f.write(&b)
	}
	for i, u := range r.Unseen {
		if i == 0 {
			b.WriteString("not seen:\n")
		}
		fmt.Fprintf(&b, "  %s: %s\n", engine.Printable(u.What), engine.Printable(u.Why))
	}
	if len(r.Unseen) > 0 {
		b.WriteString("\n")
	}
	summary := r.Summary.String()
	if len(r.Unseen) > 0 && r.Summary == (Summary{}) {
		summary = "nothing is wrong with what was seen"
	}
	fmt.Fprintf(&b, "%s in namespace %s\n", summary, engine.Printable(r.Namespace))
	_, err := io.WriteString(w, b.String())
	return err
}

// write writes what was found, why it matters, and what mends it.
func (f Finding) write(b *strings.Builder) {
	where := f.Object
	if f.Field != "" {
		where += " " + f.Field
	}
	lines := strings.Split(engine.PrintableLines(f.Message), "\n")
	fmt.Fprintf(b, "%s: %s\n", engine.Printable(where), lines[0])
	for _, line := range lines[1:] {
		fmt.Fprintf(b, "  %s\n", line)
	}
	if f.Why != "" {
		fmt.Fprintf(b, "  why: %s\n", engine.Printable(f.Why))
	}
	if f.Command != "" {
		fmt.Fprintf(b, "  mend: %s\n", engine.Printable(f.Command))
	}
	if f.YAML != "" {
		b.WriteString("  mend: kubectl apply -f - with\n")
		for line := range strings.Lines(f.YAML) {
			fmt.Fprintf(b, "    %s\n", engine.Printable(strings.TrimSuffix(line, "\n")))
		}
	}
	b.WriteString("\n")
}

// String says how many there are of each severity.
func (s Summary) String() string {
	if s == (Summary{}) {
		return "nothing is wrong"
	}
	var parts []string
	for _, part := range []struct {
		n         int
		one, more string
	}{{s.Problems, "problem", "problems"}, {s.Warnings, "warning", "warnings"}, {s.Notes, "note", "notes"}} {
		if part.n > 0 {
			parts = append(parts, engine.Counted(part.n, part.one, part.more))
		}
	}
	return strings.Join(parts, ", ")
}
