package verify

import (
	"encoding/xml"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/lintel-policy/lintel/engine"
)

// The elements of JUnit's format that its readers agree on.
type (
	xmlSuites struct {
		XMLName xml.Name   `xml:"testsuites"`
		Suites  []xmlSuite `xml:"testsuite"`
	}
	xmlSuite struct {
		Name     string    `xml:"name,attr"`
		Tests    int       `xml:"tests,attr"`
		Failures int       `xml:"failures,attr"`
		Errors   int       `xml:"errors,attr"`
		Skipped  int       `xml:"skipped,attr"`
		Time     string    `xml:"time,attr"`
		Cases    []xmlCase `xml:"testcase"`
	}
	xmlCase struct {
		Name    string      `xml:"name,attr"`
		Class   string      `xml:"classname,attr"`
		File    string      `xml:"file,attr,omitempty"`
		Line    int         `xml:"line,attr,omitempty"`
		Time    string      `xml:"time,attr"`
		Failure *xmlFailure `xml:"failure"`
		Error   *xmlFailure `xml:"error"`
		Skipped *struct{}   `xml:"skipped"`
		Output  string      `xml:"system-out,omitempty"`
	}
	xmlFailure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

func writeJUnit(w io.Writer, results []*Result) error {
	var all xmlSuites
	for _, r := range results {
		all.Suites = append(all.Suites, r.xml())
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	if err := enc.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// xml returns the suite of a policy: a case for each of its own, and one for each
// problem.
func (r *Result) xml() xmlSuite {
	s := xmlSuite{Name: r.Policy}
	whole := time.Duration(0)
	if r.Broken != nil {
		s.Errors = 1
		s.Cases = append(s.Cases, xmlCase{Name: "compile", Class: r.Policy, Time: "0.000", Error: newFailure(r.Broken.Error())})
	}
	for _, c := range r.Cases {
		whole += c.Duration
		x := xmlCase{Name: string(c.Kind) + " " + engine.Printable(c.Name), Class: r.Policy, File: c.File, Line: c.Line, Time: seconds(c.Duration), Output: engine.PrintableLines(c.Output)}
		switch {
		case c.Failure != "":
			s.Failures++
			x.Failure = newFailure(c.Failure)
		case c.Skipped:
			s.Skipped++
			x.Skipped = &struct{}{}
		}
		s.Cases = append(s.Cases, x)
	}
	for _, p := range r.Problems {
		s.Failures++
		s.Cases = append(s.Cases, xmlCase{Name: "proof: " + engine.Printable(p.Message), Class: r.Policy, File: p.File, Line: p.Line, Time: "0.000", Failure: newFailure(p.Message)})
	}
	s.Tests, s.Time = len(s.Cases), seconds(whole)
	return s
}

func newFailure(text string) *xmlFailure {
	first, _, _ := strings.Cut(text, "\n")
	return &xmlFailure{Message: engine.Printable(first), Text: engine.PrintableLines(text)}
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }
