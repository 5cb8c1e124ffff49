package verify_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/verify"
)

// results are one of each: a policy that passes, one that does not, one that is broken.
func results() []*verify.Result {
	return []*verify.Result{
		{
			Policy: "probes", Origin: "policies/probes", Coverage: &verify.Coverage{Percent: 100},
			Cases: []verify.Case{
				{Kind: verify.Test, Name: "test_a/x", File: "probes_test.rego", Line: 3, Duration: 1500 * time.Microsecond},
				{Kind: verify.Test, Name: "todo_test_b", File: "probes_test.rego", Line: 9, Skipped: true},
			},
		},
		{
			Policy: "owner", Origin: "policies/owner",
			Coverage: &verify.Coverage{Percent: 87.5, Uncovered: []verify.Lines{{File: "owner.rego", First: 7, Last: 7}, {File: "owner.rego", First: 9, Last: 12}}},
			Cases: []verify.Case{
				{Kind: verify.Test, Name: "test_\x1b[31m", File: "owner_test.rego", Line: 3, Failure: "line 4: got == want\n  got: 1", Output: "a\x1b[2J\nb"},
				{Kind: verify.BadSample, Name: "Pod web", File: "bad.yaml", Line: 2, Failure: "it is <good> & fine"},
			},
			Problems: []verify.Problem{{File: "owner.rego", Line: 5, Message: "no test and no sample makes it fire"}},
		},
		{Policy: "torn", Origin: "policies/torn", Broken: errors.New("torn.rego:3: rego_parse_error")},
	}
}

func TestWrite(t *testing.T) {
	cases := map[string]struct {
		reason, format string
		all            bool
		want           string
	}{
		"Text": {
			reason: "One line says it of a policy that passes; nothing can move the cursor.",
			format: "text",
			want: `ok      probes  2 tests  0 samples  coverage 100.0%
  probes_test.rego:9: test todo_test_b is to be written
FAIL    owner   1 test  1 sample  coverage 87.5%
  owner_test.rego:3: test test_\x1b[31m
    line 4: got == want
      got: 1
    it printed:
      a\x1b[2J
      b
  bad.yaml:2: bad sample Pod web
    it is <good> & fine
  owner.rego:5: no test and no sample makes it fire
broken  torn    it does not compile
3 policies, 1 ok
`,
		},
		"Verbose": {
			reason: "All cases are told of, and the lines that are not covered.",
			format: "text", all: true,
			want: `ok      probes  2 tests  0 samples  coverage 100.0%
  probes_test.rego:3: test test_a/x: ok (1.5ms)
  probes_test.rego:9: test todo_test_b is to be written
FAIL    owner   1 test  1 sample  coverage 87.5%
  owner_test.rego:3: test test_\x1b[31m
    line 4: got == want
      got: 1
    it printed:
      a\x1b[2J
      b
  bad.yaml:2: bad sample Pod web
    it is <good> & fine
  owner.rego:5: no test and no sample makes it fire
  owner.rego:7: reached by no test and no sample
  owner.rego:9-12: reached by no test and no sample
broken  torn    it does not compile
3 policies, 1 ok
`,
		},
		"JSON": {
			reason: "Programs get everything.",
			format: "json",
			want: `{
  "policies": [
    {
      "policy": "probes",
      "origin": "policies/probes",
      "passed": true,
      "coverage": 100,
      "cases": [
        {
          "kind": "test",
          "name": "test_a/x",
          "file": "probes_test.rego",
          "line": 3,
          "passed": true,
          "seconds": 0.0015
        },
        {
          "kind": "test",
          "name": "todo_test_b",
          "file": "probes_test.rego",
          "line": 9,
          "passed": false,
          "skipped": true,
          "seconds": 0
        }
      ],
      "problems": []
    },
    {
      "policy": "owner",
      "origin": "policies/owner",
      "passed": false,
      "coverage": 87.5,
      "uncovered": [
        {
          "file": "owner.rego",
          "first": 7,
          "last": 7
        },
        {
          "file": "owner.rego",
          "first": 9,
          "last": 12
        }
      ],
      "cases": [
        {
          "kind": "test",
          "name": "test_\u001b[31m",
          "file": "owner_test.rego",
          "line": 3,
          "passed": false,
          "failure": "line 4: got == want\n  got: 1",
          "output": "a\u001b[2J\nb",
          "seconds": 0
        },
        {
          "kind": "bad sample",
          "name": "Pod web",
          "file": "bad.yaml",
          "line": 2,
          "passed": false,
          "failure": "it is <good> & fine",
          "seconds": 0
        }
      ],
      "problems": [
        {
          "file": "owner.rego",
          "line": 5,
          "message": "no test and no sample makes it fire"
        }
      ]
    },
    {
      "policy": "torn",
      "origin": "policies/torn",
      "passed": false,
      "cases": [],
      "problems": [],
      "error": "torn.rego:3: rego_parse_error"
    }
  ],
  "summary": {
    "passed": 1,
    "policies": 3
  }
}
`,
		},
		"JUnit": {
			reason: "A problem is a case that fails; what cannot be compiled is an error.",
			format: "junit",
			want: `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="lintel test" tests="6" failures="3" errors="1">
  <testsuite name="probes" tests="2" failures="0" errors="0" skipped="1" time="0.002">
    <testcase name="test test_a/x" classname="probes" time="0.002"></testcase>
    <testcase name="test todo_test_b" classname="probes" time="0.000">
      <skipped message="it is to be written"></skipped>
    </testcase>
  </testsuite>
  <testsuite name="owner" tests="3" failures="3" errors="0" skipped="0" time="0.000">
    <testcase name="test test_\x1b[31m" classname="owner" time="0.000">
      <failure message="line 4: got == want"><![CDATA[owner_test.rego:3: line 4: got == want
  got: 1]]></failure>
      <system-out><![CDATA[a\x1b[2J
b]]></system-out>
    </testcase>
    <testcase name="bad sample Pod web" classname="owner" time="0.000">
      <failure message="it is &lt;good&gt; &amp; fine"><![CDATA[bad.yaml:2: it is <good> & fine]]></failure>
    </testcase>
    <testcase name="proof: no test and no sample makes it fire" classname="owner" time="0.000">
      <failure message="no test and no sample makes it fire"><![CDATA[owner.rego:5: no test and no sample makes it fire]]></failure>
    </testcase>
  </testsuite>
  <testsuite name="torn" tests="1" failures="0" errors="1" skipped="0" time="0.000">
    <testcase name="compile" classname="torn" time="0.000">
      <error message="torn.rego:3: rego_parse_error"><![CDATA[torn.rego:3: rego_parse_error]]></error>
    </testcase>
  </testsuite>
</testsuites>
`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			if err := verify.Write(&b, tc.format, results(), tc.all); err != nil {
				t.Fatalf("Write(...): %v", err)
			}
			if diff := cmp.Diff(tc.want, b.String()); diff != "" {
				t.Errorf("%s\nWrite(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
