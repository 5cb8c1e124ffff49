// Package junit writes results of tests as JUnit's reports have them and CI systems
// read them.
//
// There is no standard. The elements and attributes are those that Jenkins's own
// schema permits, which is the strictest.
package junit

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"
)

// Results are those of one run. Write counts what is in them.
type Results struct {
	XMLName  xml.Name `xml:"testsuites"`
	Name     string   `xml:"name,attr"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Errors   int      `xml:"errors,attr"`
	Suites   []*Suite `xml:"testsuite"`
}

// A Suite are the results of tests that belong together.
type Suite struct {
	Name     string `xml:"name,attr"`
	Tests    int    `xml:"tests,attr"`
	Failures int    `xml:"failures,attr"`
	Errors   int    `xml:"errors,attr"`
	Skipped  int    `xml:"skipped,attr"`
	Time     string `xml:"time,attr,omitempty"` // in seconds; "" if it was not measured
	File     string `xml:"file,attr,omitempty"` // "" if they are about no file, or about several
	Cases    []Case `xml:"testcase"`
}

// A Case is the result of one test, which passed if it has no outcome.
type Case struct {
	Name    string   `xml:"name,attr"`
	Class   string   `xml:"classname,attr"`
	Time    string   `xml:"time,attr"` // in seconds
	Skipped *Outcome `xml:"skipped"`
	Error   *Outcome `xml:"error"`
	Failure *Outcome `xml:"failure"`
	Output  *Text    `xml:"system-out"` // what the test says beside its outcome
}

// An Outcome is why a test did not pass.
type Outcome struct {
	Type    string `xml:"type,attr,omitempty"`
	Message string `xml:"message,attr"` // in one line
	Text    string `xml:",cdata"`
}

// A Text is one whose lines stay lines.
type Text struct {
	Text string `xml:",cdata"`
}

// Write writes the results. They may hold no character that XML cannot.
func (r *Results) Write(w io.Writer) error {
	r.Tests, r.Failures, r.Errors = 0, 0, 0
	for _, s := range r.Suites {
		s.count()
		r.Tests += s.Tests
		r.Failures += s.Failures
		r.Errors += s.Errors
	}
	data, err := xml.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode XML: %w", err)
	}
	_, err = w.Write(slices.Concat([]byte(xml.Header), data, []byte("\n")))
	return err
}

func (s *Suite) count() {
	s.Tests, s.Failures, s.Errors, s.Skipped = len(s.Cases), 0, 0, 0
	for _, c := range s.Cases {
		if c.Failure != nil {
			s.Failures++
		}
		if c.Error != nil {
			s.Errors++
		}
		if c.Skipped != nil {
			s.Skipped++
		}
	}
}
