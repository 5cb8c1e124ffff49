package e2e_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A report is what lintel check says in JSON.
type report struct {
	Revision string
	Results  []finding
	Patches  []struct {
		Policies []string
		Object   reference
		Source   place
		Patch    json.RawMessage
	}
	Errors   []struct{ File, Policy, Message string }
	Warnings []struct{ File, Message string }
	Summary  struct{ Objects, Denied, Warned, Patched int }

	code int // exit code
}

// A finding is one violation in a report.
type finding struct {
	Policy, Enforcement, Message, Path, Subject string
	Object                                      reference
	Source                                      place
}

// A reference names an object, and a place is where it stands.
type (
	reference struct{ Kind, Namespace, Name string }
	place     struct {
		File string
		Line int
	}
)

// line is the finding as a denial has it.
func (f finding) line() string {
	where := f.Path
	if f.Subject != "" {
		where += " (" + f.Subject + ")"
	}
	return f.Policy + "  " + where + ": " + f.Message
}

// lines are the findings of one file, or of all for "", as a denial has them.
func (r report) lines(file string) []string {
	var lines []string
	for _, f := range r.Results {
		if f.Enforcement == "deny" && (file == "" || f.Source.File == file) {
			lines = append(lines, f.line())
		}
	}
	return lines
}

// errorOf says what kept lintel check from telling of a file; "" if nothing did.
func (r report) errorOf(file string) string {
	for _, e := range r.Errors {
		if e.File == file {
			return strings.TrimSpace(e.Policy + " " + e.Message)
		}
	}
	return ""
}

// A denial is what kubectl prints of one denied object.
type denial struct {
	file     string // that kubectl read it from; "" if it does not say
	object   string // kind and name, as people read it
	lines    []string
	more     int // lines that were left out
	policies int // as the first line counts them
	count    int // of violations, as the first line counts them
	revision string
}

// names are the policies that deny, sorted.
func (d denial) names() []string {
	names := map[string]bool{}
	for _, line := range d.lines {
		names[strings.Fields(line)[0]] = true
	}
	return slices.Sorted(maps.Keys(names))
}

var (
	deniedHead = regexp.MustCompile(`admission webhook "(?:deny|warn)\.lintel\.dev" denied the request: (.+) breaks (\d+) polic(?:y|ies) \((\d+) violations?\):$`)
	fromFile   = regexp.MustCompile(`error when [a-z]+ "(.*?)":`)
	deniedLine = regexp.MustCompile(`^  (\S+) +(\S.*)$`)
	deniedMore = regexp.MustCompile(`^  \+(\d+) more$`)
	deniedFoot = regexp.MustCompile(`^policies ([0-9a-f]{7})$`)
)

// denials reads what kubectl printed on standard error. Lines that belong to no
// denial are returned as others.
func denials(t *testing.T, stderr string) (found []denial, others []string) {
	t.Helper()
	var d *denial
	for line := range strings.Lines(stderr) {
		line = strings.TrimSuffix(line, "\n")
		head, foot, more := deniedHead.FindStringSubmatch(line), deniedFoot.FindStringSubmatch(line), deniedMore.FindStringSubmatch(line)
		one := deniedLine.FindStringSubmatch(line)
		switch {
		case head != nil:
			d = &denial{object: head[1], policies: number(t, head[2]), count: number(t, head[3])}
			if file := fromFile.FindStringSubmatch(line); file != nil {
				d.file = file[1]
			}
		case d == nil:
			others = append(others, line)
		case more != nil:
			d.more = number(t, more[1])
		case one != nil:
			d.lines = append(d.lines, one[1]+"  "+one[2])
		case foot != nil:
			d.revision = foot[1]
			found, d = append(found, *d), nil
		default:
			t.Fatalf("a denial has a line %q in:\n%s", line, stderr)
		}
	}
	if d != nil {
		t.Fatalf("a denial does not end:\n%s", stderr)
	}
	return found, others
}

func number(t *testing.T, text string) int {
	t.Helper()
	var n int
	if _, err := fmt.Sscan(text, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// denied holds kubectl's result to be one denial, with exit code 1 and nothing
// on standard output, and returns it.
func (r result) denied(t *testing.T, reason string) denial {
	t.Helper()
	found, _ := denials(t, r.stderr)
	if r.code != 1 || r.stdout != "" || len(found) != 1 {
		t.Fatalf("%s\ngot exit code %d, want 1 and one denial:\n%s%s", reason, r.code, r.stdout, r.stderr)
	}
	d := found[0]
	if d.count != len(d.lines)+d.more || d.more == 0 && d.policies != len(d.names()) {
		t.Errorf("%s\nthe first line counts %d policies and %d violations:\n%s", reason, d.policies, d.count, r.stderr)
	}
	return d
}

// admitted holds kubectl's result to be a success without warnings.
func (r result) admitted(t *testing.T, reason string) {
	t.Helper()
	if r.code != 0 || r.stderr != "" {
		t.Fatalf("%s\ngot exit code %d, want 0 and no word on standard error:\n%s%s", reason, r.code, r.stdout, r.stderr)
	}
}
