package report

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"slices"

	"github.com/lintel-policy/lintel/engine"
)

// junit writes XML as JUnit's reports have it and CI systems read it: a suite for
// each file, and in it a test for each policy that was asked about an object.
// What fails the run is a failure, what could not be told is an error.
//
// There is no standard. The elements and attributes are those that Jenkins's own
// schema permits, which is the strictest.
type junit struct{}

type testSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Suites   []*testSuite `xml:"testsuite"`

	byFile map[string]*testSuite
}

type testSuite struct {
	Name     string     `xml:"name,attr"`
	Tests    int        `xml:"tests,attr"`
	Failures int        `xml:"failures,attr"`
	Errors   int        `xml:"errors,attr"`
	Skipped  int        `xml:"skipped,attr"`
	File     string     `xml:"file,attr,omitempty"`
	Cases    []testCase `xml:"testcase"`
}

type testCase struct {
	Name    string   `xml:"name,attr"`
	Class   string   `xml:"classname,attr"`
	Time    string   `xml:"time,attr"`
	Skipped *outcome `xml:"skipped"`
	Error   *outcome `xml:"error"`
	Failure *outcome `xml:"failure"`
	Output  *cdata   `xml:"system-out"`
}

type outcome struct {
	Type    string `xml:"type,attr,omitempty"`
	Message string `xml:"message,attr"`
	Text    string `xml:",cdata"`
}

// A cdata is text whose lines stay lines.
type cdata struct {
	Text string `xml:",cdata"`
}

// Write writes r.
func (junit) Write(w io.Writer, r *Report) error {
	all := &testSuites{Name: "lintel", byFile: map[string]*testSuite{}}
	for _, e := range r.Errors {
		all.add(e.Source.File, testCase{Name: "can be read", Class: cmp.Or(e.Source.String(), "lintel"), Error: newOutcome("error", e.text(), "")})
	}
	for i := range r.Objects {
		for _, c := range r.cases(&r.Objects[i]) {
			all.add(r.Objects[i].Source.File, c)
		}
	}
	data, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("encode XML: %w", err)
	}
	_, err = w.Write(slices.Concat([]byte(xml.Header), data, []byte("\n")))
	return err
}

// add adds a test to the suite of a file.
func (all *testSuites) add(file string, c testCase) {
	file = engine.Printable(file)
	s := all.byFile[file]
	if s == nil {
		s = &testSuite{Name: cmp.Or(file, "lintel"), File: file}
		all.byFile[file] = s
		all.Suites = append(all.Suites, s)
	}
	c.Time = "0"
	s.Cases = append(s.Cases, c)
	s.Tests++
	all.Tests++
	s.Failures += one(c.Failure != nil)
	all.Failures += one(c.Failure != nil)
	s.Errors += one(c.Error != nil)
	all.Errors += one(c.Error != nil)
	s.Skipped += one(c.Skipped != nil)
}
