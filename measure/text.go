package measure

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/lintel-policy/lintel/engine"
)

// String describes the machine in a line.
func (m Machine) String() string {
	return engine.Printable(fmt.Sprintf("%s, GOMAXPROCS %d, %s %s", m.CPU, m.GOMAXPROCS, m.Go, m.Platform))
}

// WriteText writes the report for people, with a comparison unless that is nil.
func (r *Report) WriteText(w io.Writer, c *Comparison) error {
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	heads := "POLICY\tWHAT\tOBJECTS\tP50\tP99\tBEST\tMEDIAN\tALLOCS\tBYTES"
	if c != nil {
		heads += "\t× TIME\t× ALLOCS"
	}
	fmt.Fprintln(t, heads)
	for _, cost := range r.Costs {
		fmt.Fprintln(t, strings.Join(cost.columns(c), "\t"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(&b, "\n%s of %d bytes; times are of one object, best and median of %d rounds\n", engine.Counted(r.Objects.Count, "object", "objects"), r.Objects.Bytes, rounds)
	if c != nil {
		b.WriteString("the last two columns are times what was saved: by the best round, and by allocations\n")
		for _, doubt := range c.Doubts {
			fmt.Fprintf(&b, "doubtful: %s\n", doubt)
		}
	}
	fmt.Fprintf(&b, "%s\n%s\n", r.Machine, engine.Footer(r.Revision))
	_, err := w.Write(b.Bytes())
	return err
}

func (cost Cost) columns(c *Comparison) []string {
	name := cost.Policy
	if name == "" {
		name = "-"
	}
	columns := []string{engine.Printable(name), cost.What, fmt.Sprint(cost.Objects)}
	if cost.Calls == 0 {
		columns = append(columns, "-", "-", "-", "-", "-", "-")
	} else {
		columns = append(columns, duration(cost.P50), duration(cost.P99), duration(cost.Best), duration(cost.Median), fmt.Sprint(cost.Allocs), fmt.Sprint(cost.Bytes))
	}
	if c == nil {
		return columns
	}
	if ratio, ok := c.of(cost); ok {
		return append(columns, fmt.Sprintf("%.2f", ratio.Time), fmt.Sprintf("%.2f", ratio.Allocs))
	}
	return append(columns, "-", "-")
}

// duration writes nanoseconds with about three digits.
func duration(ns int64) string {
	d := time.Duration(ns)
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	case d >= 10*time.Microsecond:
		return d.Round(100 * time.Nanosecond).String()
	}
	return d.String()
}
