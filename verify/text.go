package verify

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/lintel-policy/lintel/engine"
)

func writeText(w io.Writer, results []*Result, all bool) error {
	var b strings.Builder
	width := 0
	for _, r := range results {
		width = max(width, len(r.Policy))
	}
	passed := 0
	for _, r := range results {
		if r.Passed() {
			passed++
		}
		fmt.Fprintf(&b, "%-6s  %-*s  %s\n", r.outcome(), width, r.Policy, r.numbers())
		r.writeLines(&b, all)
	}
	fmt.Fprintf(&b, "%s, %d ok\n", engine.Counted(len(results), "policy", "policies"), passed)
	_, err := io.WriteString(w, b.String())
	return err
}

// outcome returns one word.
func (r *Result) outcome() string {
	switch {
	case r.Broken != nil:
		return "broken"
	case r.Passed():
		return "ok"
	}
	return "FAIL"
}

// numbers returns how much was run.
func (r *Result) numbers() string {
	if r.Broken != nil {
		return "it does not compile"
	}
	text := engine.Counted(r.count(true), "test", "tests") + "  " + engine.Counted(r.count(false), "sample", "samples")
	if r.Coverage != nil {
		text += fmt.Sprintf("  coverage %.1f%%", r.Coverage.Percent)
	}
	return text
}

func (r *Result) writeLines(b *strings.Builder, all bool) {
	for _, c := range r.Cases {
		switch {
		case c.Failure != "":
			fmt.Fprintf(b, "  %s: %s %s\n", c.at(), c.Kind, engine.Printable(c.Name))
			indent(b, "    ", c.Failure)
			if c.Output != "" {
				b.WriteString("    it printed:\n")
				indent(b, "      ", c.Output)
			}
		case c.Skipped:
			fmt.Fprintf(b, "  %s: %s %s is to be written\n", c.at(), c.Kind, engine.Printable(c.Name))
		case all:
			fmt.Fprintf(b, "  %s: %s %s: ok (%s)\n", c.at(), c.Kind, engine.Printable(c.Name), c.Duration.Round(100*time.Microsecond))
		}
	}
	for _, p := range r.Problems {
		fmt.Fprintf(b, "  %s%s\n", p.at(), engine.Printable(p.Message))
	}
	if all && r.Coverage != nil {
		for _, l := range r.Coverage.Uncovered {
			fmt.Fprintf(b, "  %s:%s: reached by no test and no sample\n", engine.Printable(l.File), l.rows())
		}
	}
}

func (c Case) at() string { return engine.Printable(c.File) + ":" + strconv.Itoa(c.Line) }

func (p Problem) at() string {
	if p.File == "" {
		return ""
	}
	return engine.Printable(p.File) + ":" + strconv.Itoa(p.Line) + ": "
}

// indent writes each line of a text, for people.
func indent(b *strings.Builder, by, text string) {
	for line := range strings.SplitSeq(engine.PrintableLines(text), "\n") {
		b.WriteString(strings.TrimRight(by+line, " ") + "\n")
	}
}
