package verify

import (
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/junit"
)

func writeJUnit(w io.Writer, results []*Result) error {
	all := junit.Results{Name: "lintel test"}
	for _, r := range results {
		all.Suites = append(all.Suites, r.suite())
	}
	return all.Write(w)
}

// suite returns the suite of a policy: a case for each of its own, and one for each
// problem.
func (r *Result) suite() *junit.Suite {
	s := &junit.Suite{Name: r.Policy}
	whole := time.Duration(0)
	if r.Broken != nil {
		s.Cases = append(s.Cases, junit.Case{Name: "compile", Class: r.Policy, Time: seconds(0), Error: newOutcome("", r.Broken.Error())})
	}
	for _, c := range r.Cases {
		whole += c.Duration
		s.Cases = append(s.Cases, c.junit(r.Policy))
	}
	for _, p := range r.Problems {
		s.Cases = append(s.Cases, junit.Case{Name: "proof: " + engine.Printable(p.Message), Class: r.Policy, Time: seconds(0), Failure: newOutcome(p.at(), p.Message)})
	}
	s.Time = seconds(whole)
	return s
}

func (c Case) junit(policy string) junit.Case {
	x := junit.Case{Name: string(c.Kind) + " " + engine.Printable(c.Name), Class: policy, Time: seconds(c.Duration)}
	switch {
	case c.Failure != "":
		x.Failure = newOutcome(c.at()+": ", c.Failure)
	case c.Skipped:
		x.Skipped = &junit.Outcome{Message: "it is to be written"}
	}
	if c.Output != "" {
		x.Output = &junit.Text{Text: engine.PrintableLines(c.Output)}
	}
	return x
}

// newOutcome returns an outcome whose text begins with the place that it is about,
// for which the format has no attribute.
func newOutcome(place, text string) *junit.Outcome {
	first, _, _ := strings.Cut(text, "\n")
	return &junit.Outcome{Message: engine.PrintableLines(first), Text: place + engine.PrintableLines(text)}
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }
