package junit_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/junit"
)

// TestWrite holds the results to being counted, to saying what there is and no more,
// and to text that cannot end its own section.
func TestWrite(t *testing.T) {
	results := &junit.Results{Name: "run", Suites: []*junit.Suite{
		{Name: "a", File: "a.yaml", Time: "1.5", Cases: []junit.Case{
			{Name: "passes", Class: "c", Time: "0", Output: &junit.Text{Text: "two\nlines"}},
			{Name: "fails", Class: "c", Time: "0", Failure: &junit.Outcome{Type: "high", Message: "<is> wrong", Text: "ends ]]> not"}},
			{Name: "waits", Class: "c", Time: "0", Skipped: &junit.Outcome{Message: "to be written"}},
		}},
		{Name: "b", Cases: []junit.Case{{Name: "errs", Class: "c", Time: "0", Error: &junit.Outcome{Message: "cannot be read"}}}},
	}}
	const want = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="run" tests="4" failures="1" errors="1">
  <testsuite name="a" tests="3" failures="1" errors="0" skipped="1" time="1.5" file="a.yaml">
    <testcase name="passes" classname="c" time="0">
      <system-out><![CDATA[two
lines]]></system-out>
    </testcase>
    <testcase name="fails" classname="c" time="0">
      <failure type="high" message="&lt;is&gt; wrong"><![CDATA[ends ]]]]><![CDATA[> not]]></failure>
    </testcase>
    <testcase name="waits" classname="c" time="0">
      <skipped message="to be written"></skipped>
    </testcase>
  </testsuite>
  <testsuite name="b" tests="1" failures="0" errors="1" skipped="0">
    <testcase name="errs" classname="c" time="0">
      <error message="cannot be read"></error>
    </testcase>
  </testsuite>
</testsuites>
`
	for range 2 { // what was counted before is not counted again
		var b strings.Builder
		if err := results.Write(&b); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Fatalf("Write(...): -want, +got:\n%s", diff)
		}
	}
	if err := results.Write(full{}); !errors.Is(err, errFull) {
		t.Errorf("Write(...) to what is full: got %v, want %v", err, errFull)
	}
}

var errFull = errors.New("no room")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }
