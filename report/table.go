package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lintel-policy/lintel/engine"
)

// shownRows is how many rows of a table people are shown: the worst. JSON and HTML
// have all.
const shownRows = 20

// tables writes the tables of a report, with bars.
type tables struct{ cfg Config }

// Write writes r.
func (t tables) Write(w io.Writer, r *Report) error {
	if t.cfg.Quiet && r.quiet() {
		return nil
	}
	var buf bytes.Buffer
	for _, table := range r.Tables() {
		table.write(&buf)
	}
	r.writeLastDays(&buf)
	if r.Since != nil {
		fmt.Fprintf(&buf, "compared with %s\n", r.Since.Time.UTC().Format(time.RFC3339))
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

// writeLastDays writes a line for each policy that would have denied most.
func (r *Report) writeLastDays(buf *bytes.Buffer) {
	shown := r.LastDays[:min(len(r.LastDays), shownRows)]
	for _, day := range shown {
		fmt.Fprintln(buf, day.Text(r.Time))
	}
	if more := len(r.LastDays) - len(shown); more > 0 {
		fmt.Fprintf(buf, "and %d more\n", more)
	}
	if len(shown) > 0 {
		buf.WriteString("\n")
	}
}

// barWidth is how wide the bar of the worst row is, in characters.
const barWidth = 20

// write writes a table in columns, the worst rows first, with a bar for what is denied.
func (t Table) write(buf *bytes.Buffer) {
	columns := t.columns()
	lines := [][]string{{strings.ToUpper(engine.Printable(t.By))}}
	for _, c := range columns {
		lines[0] = append(lines[0], c.name)
	}
	shown := t.Rows[:min(len(t.Rows), shownRows)]
	for _, row := range shown {
		line := []string{engine.Printable(t.nameOf(row))}
		for _, c := range columns {
			line = append(line, c.of(row))
		}
		lines = append(lines, append(line, t.bar(row)))
	}
	writeColumns(buf, lines)
	if more := len(t.Rows) - len(shown); more > 0 {
		fmt.Fprintf(buf, "and %d more\n", more)
	}
	buf.WriteString("\n")
}

// bar shows how many objects are denied, next to the worst row.
func (t Table) bar(row Row) string {
	worst := 1
	for _, other := range t.Rows {
		worst = max(worst, other.Denied)
	}
	return strings.Repeat("█", (row.Denied*barWidth+worst-1)/worst)
}

// writeColumns writes cells below each other: the first at the left, as it is a name,
// numbers at the right. A cell after those of the first line is as it comes.
func writeColumns(buf *bytes.Buffer, lines [][]string) {
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i := range widths {
			widths[i] = max(widths[i], utf8.RuneCountInString(line[i]))
		}
	}
	for _, line := range lines {
		text := fmt.Sprintf("%-*s", widths[0], line[0])
		for i, cell := range line[1:] {
			width := 0
			if i+1 < len(widths) {
				width = widths[i+1]
			}
			text += fmt.Sprintf("  %*s", width, cell)
		}
		buf.WriteString(strings.TrimRight(text, " ") + "\n")
	}
}

// nameOf returns what people are told a row is.
func (t Table) nameOf(row Row) string {
	switch {
	case row.Name != "":
		return row.Name
	case t.By == byNamespace:
		return "(no namespace)"
	}
	return "(unlabelled)"
}

// A column is one of a table.
type column struct {
	name string
	of   func(Row) string
}

// columns returns those that have something to say. DENIED always has.
func (t Table) columns() []column {
	count := func(of func(Row) int) func(Row) string {
		return func(row Row) string { return fmt.Sprint(of(row)) }
	}
	all := []struct {
		name string
		of   func(Row) int
	}{
		{"OBJECTS", func(r Row) int { return r.Objects }},
		{"DENIED", func(r Row) int { return r.Denied }},
		{"WARNED", func(r Row) int { return r.Warned }},
		{"RECORDED", func(r Row) int { return r.Recorded }},
		{"PATCHED", func(r Row) int { return r.Patched }},
		{"UNDECIDED", func(r Row) int { return r.Undecided }},
	}
	var shown []column
	for i, c := range all {
		total := 0
		for _, row := range t.Rows {
			total += c.of(row)
		}
		if i < 2 || total > 0 {
			shown = append(shown, column{c.name, count(c.of)})
		}
		if c.name == "DENIED" && t.isCompared() {
			shown = append(shown, column{"CHANGE", Row.change})
		}
	}
	return shown
}

func (t Table) isCompared() bool { return len(t.Rows) > 0 && t.Rows[0].Before != nil }

// change says how many more are denied than before.
func (row Row) change() string {
	if row.Before == nil || *row.Before == row.Denied {
		return "="
	}
	return fmt.Sprintf("%+d", row.Denied-*row.Before)
}
