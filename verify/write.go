package verify

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lintel-policy/lintel/engine"
)

// Formats returns the names of the formats that [Write] knows, the default first.
func Formats() []string { return []string{"text", "json", "junit"} }

// Write writes results in a format. With all, the text has a line for each case that
// passed, too.
func Write(w io.Writer, format string, results []*Result, all bool) error {
	switch format {
	case "text":
		return writeText(w, results, all)
	case "json":
		return writeJSON(w, results)
	case "junit":
		return writeJUnit(w, results)
	}
	return fmt.Errorf("format %q is unknown: it is one of %q", format, Formats())
}

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
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimRight(by+engine.Printable(strings.ReplaceAll(strings.TrimRight(line, "\r\n"), "\t", "  ")), " ") + "\n")
	}
}

type jsonResult struct {
	Policy    string      `json:"policy"`
	Origin    string      `json:"origin"`
	Passed    bool        `json:"passed"`
	Coverage  *float64    `json:"coverage,omitempty"`
	Uncovered []jsonLines `json:"uncovered,omitempty"`
	Cases     []jsonCase  `json:"cases"`
	Problems  []jsonPlace `json:"problems"`
	Error     string      `json:"error,omitempty"`
}

type jsonLines struct {
	File  string `json:"file"`
	First int    `json:"first"`
	Last  int    `json:"last"`
}

type jsonCase struct {
	Kind    Kind    `json:"kind"`
	Name    string  `json:"name"`
	File    string  `json:"file"`
	Line    int     `json:"line"`
	Passed  bool    `json:"passed"`
	Skipped bool    `json:"skipped,omitempty"`
	Failure string  `json:"failure,omitempty"`
	Output  string  `json:"output,omitempty"`
	Seconds float64 `json:"seconds"`
}

type jsonPlace struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Message string `json:"message"`
}

func writeJSON(w io.Writer, results []*Result) error {
	all := []jsonResult{}
	passed := 0
	for _, r := range results {
		j := jsonResult{Policy: r.Policy, Origin: r.Origin, Passed: r.Passed(), Cases: []jsonCase{}, Problems: []jsonPlace{}}
		if r.Passed() {
			passed++
		}
		if r.Broken != nil {
			j.Error = r.Broken.Error()
		}
		if r.Coverage != nil {
			j.Coverage = &r.Coverage.Percent
			for _, l := range r.Coverage.Uncovered {
				j.Uncovered = append(j.Uncovered, jsonLines(l))
			}
		}
		for _, c := range r.Cases {
			j.Cases = append(j.Cases, jsonCase{c.Kind, c.Name, c.File, c.Line, c.Failure == "" && !c.Skipped, c.Skipped, c.Failure, c.Output, c.Duration.Seconds()})
		}
		for _, p := range r.Problems {
			j.Problems = append(j.Problems, jsonPlace(p))
		}
		all = append(all, j)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(struct {
		Policies []jsonResult   `json:"policies"`
		Summary  map[string]int `json:"summary"`
	}{all, map[string]int{"policies": len(results), "passed": passed}})
}

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
		x := xmlCase{Name: string(c.Kind) + " " + engine.Printable(c.Name), Class: r.Policy, File: c.File, Line: c.Line, Time: seconds(c.Duration), Output: printable(c.Output)}
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
	return &xmlFailure{Message: engine.Printable(first), Text: printable(text)}
}

// printable returns lines that XML can hold.
func printable(text string) string {
	lines := slices.Collect(strings.Lines(text))
	for i, line := range lines {
		lines[i] = engine.Printable(strings.TrimRight(line, "\r\n"))
	}
	return strings.Join(lines, "\n")
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }
