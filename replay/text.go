package replay

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/lintel-policy/lintel/engine"
)

// phrase says a class in words.
func (c Class) phrase() string {
	switch c {
	case NewlyDenied:
		return "newly denied"
	case Unsure:
		return "undecided"
	case NoLongerDenied:
		return "no longer denied"
	case NewlyWarned:
		return "newly warned"
	case NoLongerWarned:
		return "no longer warned"
	case Otherwise:
		return "otherwise changed"
	default:
		return "unchanged"
	}
}

// shownRows is how many teams are listed for people.
const shownRows = 50

// WriteText writes the summary for people: counts first, then examples.
func (s *Summary) WriteText(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s%s: %s\n", engine.Counted(s.Requests, "request", "requests"), s.span(), s.Counts.text())
	var rows []row
	for _, p := range s.Policies {
		rows = append(rows, row{[]string{engine.Printable(p.Policy)}, p.Counts})
	}
	table(&b, []string{"POLICY"}, rows)
	rows = nil
	for _, t := range s.Teams[:min(len(s.Teams), shownRows)] {
		rows = append(rows, row{[]string{orNone(t.Team), orNone(t.Namespace)}, t.Counts})
	}
	table(&b, []string{"TEAM", "NAMESPACE"}, rows)
	if more := len(s.Teams) - shownRows; more > 0 {
		fmt.Fprintf(&b, "and %d more, which -o json lists\n", more)
	}
	s.examples(&b)
	b.WriteString("\n")
	for _, a := range s.Assumptions {
		fmt.Fprintf(&b, "assumed: %s\n", engine.Printable(a))
	}
	if s.Repeated > 0 {
		fmt.Fprintf(&b, "%s left out\n", engine.Counted(s.Repeated, "repeated request", "repeated requests"))
	}
	fmt.Fprintf(&b, "compared with %s\n%s\n", s.baseline(), engine.Footer(s.Revision))
	_, err := w.Write(b.Bytes())
	return err
}

func (s *Summary) span() string {
	if s.From.IsZero() {
		return ""
	}
	return fmt.Sprintf(" from %s to %s", s.From.UTC().Format(time.RFC3339), s.To.UTC().Format(time.RFC3339))
}

func (s *Summary) baseline() string {
	if s.Baseline == "" {
		return "what was recorded"
	}
	return engine.Footer(s.Baseline)
}

// text lists what there is any of.
func (c Counts) text() string {
	var parts []string
	for _, class := range classes() {
		if n := c[class]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, class.phrase()))
		}
	}
	if len(parts) == 0 {
		return "nothing to compare"
	}
	return strings.Join(parts, ", ")
}

// A row is one of a table: of what, and how often.
type row struct {
	names  []string
	counts Counts
}

// table writes rows under heads and the classes that there is a change of.
func table(b *bytes.Buffer, heads []string, rows []row) {
	if len(rows) == 0 {
		return
	}
	b.WriteString("\n")
	lines := [][]string{heads}
	for _, r := range rows {
		lines = append(lines, r.names)
	}
	for _, class := range classes() {
		if class == Same || !slices.ContainsFunc(rows, func(r row) bool { return r.counts[class] > 0 }) {
			continue
		}
		lines[0] = append(lines[0], strings.ToUpper(class.phrase()))
		for i, r := range rows {
			lines[i+1] = append(lines[i+1], strconv.Itoa(r.counts[class]))
		}
	}
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, line := range lines {
		fmt.Fprintln(t, strings.Join(line, "\t"))
	}
	_ = t.Flush() // a buffer takes all
}

func orNone(name string) string {
	if name == "" {
		return "(none)"
	}
	return engine.Printable(name)
}

func (s *Summary) examples(b *bytes.Buffer) {
	var last Class
	shown := 0
	rest := func() {
		if more := s.Counts[last] - shown; last != "" && more > 0 {
			fmt.Fprintf(b, "  and %d more\n", more)
		}
	}
	for i := range s.Examples {
		e := &s.Examples[i]
		if e.Class != last {
			rest()
			last, shown = e.Class, 0
			fmt.Fprintf(b, "\n%s:\n", e.Class.phrase())
		}
		shown++
		e.text(b)
	}
	rest()
}

func (e *Example) text(b *bytes.Buffer) {
	team := ""
	if e.Team != "" {
		team = " of " + engine.Printable(e.Team)
	}
	fmt.Fprintf(b, "  %s%s, %s by %s at %s:%d\n", e.Object.Printable(), team, e.Operation, orNone(e.User), engine.Printable(e.Source.File), e.Source.Line)
	for _, c := range e.Changes {
		fmt.Fprintf(b, "    %s: %s → %s%s\n", engine.Printable(c.Policy), c.From, c.To, c.text())
	}
}

// text says what the policy finds now, "" where that is nothing.
func (c Change) text() string {
	if c.Message == "" {
		return ""
	}
	text := "  "
	if c.Path != "" {
		text += engine.Printable(c.Path) + ": "
	}
	text += engine.Printable(c.Message)
	if c.More > 0 {
		text += fmt.Sprintf(" (+%d more)", c.More)
	}
	return text
}
