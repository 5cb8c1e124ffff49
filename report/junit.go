package report

import (
	"cmp"
	"io"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/junit"
)

// junitFormat writes a suite for each file, and in it a test for each policy that
// was asked about an object. What fails the run is a failure, what could not be
// told is an error.
type junitFormat struct{}

// Write writes r.
func (junitFormat) Write(w io.Writer, r *Report) error {
	all := &suites{byFile: map[string]*junit.Suite{}}
	all.Name = "lintel"
	for _, e := range r.Errors {
		all.add(e.Source.File, junit.Case{Name: "can be read", Class: cmp.Or(e.Source.String(), "lintel"), Error: newOutcome("error", e.text(), "")})
	}
	for i := range r.Objects {
		for _, c := range r.cases(&r.Objects[i]) {
			all.add(r.Objects[i].Source.File, c)
		}
	}
	return all.Write(w)
}

// suites are results with a suite for each file.
type suites struct {
	junit.Results
	byFile map[string]*junit.Suite
}

// add adds a test to the suite of a file.
func (all *suites) add(file string, c junit.Case) {
	file = engine.Printable(file)
	s := all.byFile[file]
	if s == nil {
		s = &junit.Suite{Name: cmp.Or(file, "lintel"), File: file}
		all.byFile[file] = s
		all.Suites = append(all.Suites, s)
	}
	c.Time = "0"
	s.Cases = append(s.Cases, c)
}
