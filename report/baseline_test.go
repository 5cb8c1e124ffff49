package report_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/report"
)

// run returns the report of a run that found these violations of web.
func run(violations ...engine.Violation) *report.Report {
	return runOf(web, violations...)
}

func runOf(object engine.ObjectRef, violations ...engine.Violation) *report.Report {
	d := &engine.Decision{Object: object, Violations: violations, Evaluated: []string{"labels", "probes"}}
	return &report.Report{Revision: "r1", Objects: []report.Object{report.NewObject(d, nil, at)}}
}

func probe(container, message string, index int) engine.Violation {
	v := violation("probes", v1alpha1.Deny, message, "spec", "containers", index)
	v.Subject = container
	return v
}

// baselineOf returns the baseline of a run, through its file.
func baselineOf(t *testing.T, r *report.Report) *report.Baseline {
	t.Helper()
	b, err := report.ReadBaseline("b.json", []byte(write(t, "baseline", report.Config{}, r)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBaseline(t *testing.T) {
	t.Parallel()
	renamed, moved, newer := web, web, web
	renamed.Name, moved.Namespace, newer.APIVersion = "shop", "staging", "apps/v2"
	upgraded := run(probe("web", "no probe at all", 0), probe("web", "no other probe", 0))
	upgraded.Revision = "r2"
	undecided := run()
	undecided.Objects[0].Errors = []*engine.PolicyError{{Policy: "probes", OnError: v1alpha1.OnErrorAllow}}
	unasked := run()
	unasked.Objects[0].Asked = []string{"labels"}
	excluded := run()
	excluded.Objects[0].Passed = "excluded"
	cases := map[string]struct {
		reason string
		before *report.Report
		now    *report.Report
		want   report.Comparison
		denied int
	}{
		"Same":      {"What was there is old.", run(probe("web", "no probe", 0)), run(probe("web", "no probe", 0)), report.Comparison{Old: 1}, 0},
		"Shifted":   {"An item before it changes the index, not the finding.", run(probe("web", "no probe", 0)), run(probe("web", "no probe", 3)), report.Comparison{Old: 1}, 0},
		"NewerAPI":  {"A version of the API is not another object.", run(probe("web", "no probe", 0)), runOf(newer, probe("web", "no probe", 0)), report.Comparison{Old: 1}, 0},
		"Softer":    {"What was recorded and is denied now was there.", run(violation("probes", v1alpha1.DryRun, "no probe")), run(violation("probes", v1alpha1.Deny, "no probe")), report.Comparison{Old: 1}, 0},
		"Another":   {"Another container is new, although its index is an old one.", run(probe("web", "no probe", 0)), run(probe("proxy", "no probe", 0)), report.Comparison{Gone: 1}, 1},
		"Message":   {"Of the same policies, another text is another finding.", run(probe("web", "no readiness", 0)), run(probe("web", "no liveness", 0)), report.Comparison{Gone: 1}, 1},
		"Upgraded":  {"Of other policies it is the same one, as often as it was there.", run(probe("web", "no probe", 0)), upgraded, report.Comparison{Old: 1}, 1},
		"Renamed":   {"An object under another name is a new one; of the old one nothing is known.", run(probe("web", "no probe", 0)), runOf(renamed, probe("web", "no probe", 0)), report.Comparison{Elsewhere: 1}, 1},
		"Moved":     {"So is one in another namespace.", run(probe("web", "no probe", 0)), runOf(moved, probe("web", "no probe", 0)), report.Comparison{Elsewhere: 1}, 1},
		"Repeated":  {"One old finding excuses one.", run(violation("probes", v1alpha1.Deny, "no probe", "args", 0)), run(violation("probes", v1alpha1.Deny, "no probe", "args", 0), violation("probes", v1alpha1.Deny, "no probe", "args", 1)), report.Comparison{Old: 1}, 1},
		"Fewer":     {"What is counted is gone by count.", run(violation("probes", v1alpha1.Deny, "no probe", "args", 0), violation("probes", v1alpha1.Deny, "no probe", "args", 1)), run(violation("probes", v1alpha1.Deny, "no probe", "args", 0)), report.Comparison{Old: 1, Gone: 1}, 0},
		"Mended":    {"What is mended is gone.", run(probe("web", "no probe", 0)), run(), report.Comparison{Gone: 1}, 0},
		"Undecided": {"What could not be decided is not mended.", run(probe("web", "no probe", 0)), undecided, report.Comparison{Elsewhere: 1}, 0},
		"Unasked":   {"What was not asked is not mended.", run(probe("web", "no probe", 0)), unasked, report.Comparison{Elsewhere: 1}, 0},
		"Excluded":  {"What was not judged is not mended.", run(probe("web", "no probe", 0)), excluded, report.Comparison{Elsewhere: 1}, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			baselineOf(t, tc.before).Compare(tc.now)
			got := *tc.now.Baseline
			if diff := cmp.Diff(tc.want, got, cmpopts.IgnoreUnexported(report.Comparison{})); diff != "" {
				t.Errorf("%s\nCompare(...): -want, +got:\n%s", tc.reason, diff)
			}
			if s := tc.now.Summary(); s.Denied != tc.denied || s.Failing != tc.denied {
				t.Errorf("%s\nSummary(): got %d denied and %d failing, want %d", tc.reason, s.Denied, s.Failing, tc.denied)
			}
		})
	}
}

// TestBaselineTightens holds a baseline that is written over itself to losing what
// is gone, keeping what was not looked at, and taking up nothing new.
func TestBaselineTightens(t *testing.T) {
	t.Parallel()
	other := web
	other.Name = "other"
	before := run(probe("web", "old text", 0), probe("web", "gone", 0), probe("proxy", "no probe", 1))
	before.Objects = append(before.Objects, runOf(other, probe("web", "no probe", 0)).Objects...)
	now := run(probe("web", "new text", 0), probe("proxy", "no probe", 1), violation("labels", v1alpha1.Deny, "is new"))
	now.Revision = "r2"
	baselineOf(t, before).Compare(now)

	want := run(probe("web", "new text", 0), probe("proxy", "no probe", 1))
	want.Revision = "r2"
	want.Objects = append(want.Objects, runOf(other, probe("web", "no probe", 0)).Objects...)
	if diff := cmp.Diff(write(t, "baseline", report.Config{}, want), write(t, "baseline", report.Config{}, now)); diff != "" {
		t.Errorf("the baseline written over itself: -want, +got:\n%s", diff)
	}
}

// TestBaselineIsComplete holds a run that could not tell to writing none: it would
// have later runs fail.
func TestBaselineIsComplete(t *testing.T) {
	t.Parallel()
	f, err := report.New("baseline", report.Config{})
	if err != nil {
		t.Fatal(err)
	}
	undecided := run(probe("web", "no probe", 0))
	undecided.Objects[0].Errors = []*engine.PolicyError{{Policy: "labels", OnError: v1alpha1.OnErrorAllow, Err: errors.New("ran out of time")}}
	for name, r := range map[string]*report.Report{"rich": rich(), "undecided": undecided} {
		var b strings.Builder
		if err := f.Write(&b, r); err == nil || b.Len() > 0 {
			t.Errorf("%s: got error %v and %d bytes, want an error and none", name, err, b.Len())
		}
	}
}

func TestReadBaseline(t *testing.T) {
	t.Parallel()
	const entry = `{"policy": "a", "object": {"kind": "Pod"}, "message": "m"}`
	cases := map[string]struct {
		reason string
		data   string
		want   string // in the error
	}{
		"Empty":     {"A file that was cut off is no baseline.", "", "b.json:1: read baseline: unexpected end of JSON input"},
		"OtherJSON": {"JSON of another kind is none.", "[]", `b.json:1: read baseline: there is something else where "{" should be`},
		"Report":    {"A report is none.", `{"revision": "a",` + "\n" + `"results": []}`, "b.json:2: read baseline: it has a key"},
		"Conflict":  {"A conflict of git is told of by its line.", "{\n\"version\": 1,\n\"findings\": [\n" + entry + ",\n<<<<<<< HEAD\n" + entry + "]}", "b.json:5: read baseline: invalid character '<'"},
		"CutOff":    {"So is an end that is missing.", "{\n\"version\": 1,\n\"findings\": [\n" + entry + ",\n", "b.json:4: read baseline: "},
		"Version":   {"Of another version it cannot be known what is meant.", `{"version": 2, "findings": []}`, "b.json:1: read baseline: its version is 2, and this program reads 1"},
		"NoVersion": {"Without one neither.", `{"findings": []}`, "its version is 0"},
		"NoFinding": {"A finding of nothing would excuse anything.", "{\"version\": 1,\n\"findings\": [\n" + entry + ",\n{}]}", "b.json:4: read baseline: a finding has"},
		"Unknown":   {"What is not understood may have been meant to narrow.", "{\"version\": 1, \"findings\": [\n\n{\"policy\": \"a\", \"line\": 3}]}", `b.json:3: read baseline: json: unknown field "line"`},
		"WrongType": {"The kinds of values are held to.", "{\"version\": 1, \"findings\": [\n{\"policy\": 7}]}", "b.json:2: read baseline: json: cannot unmarshal"},
		"Negative":  {"Nothing is there less than never.", "{\"version\": 1, \"findings\": [\n" + strings.Replace(entry, "}", "}, \"count\": -1", 1) + "]}", "b.json:2: "},
		"More":      {"What comes after the end is not ignored.", "{\"version\": 1, \"findings\": []}\n{}", "b.json:2: read baseline: invalid character '{' after top-level value"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, err := report.ReadBaseline("b.json", []byte(tc.data))
			if err == nil || b != nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s\nReadBaseline(...): got error %v, want %q", tc.reason, err, tc.want)
			}
		})
	}
}

// FuzzReadBaseline holds what is read to being written and read again as the same.
func FuzzReadBaseline(f *testing.F) {
	f.Add([]byte(`{"version": 1, "revision": "a", "findings": [{"policy": "a", "object": {"kind": "Pod", "name": "b"}, "path": "x[*]", "message": "m", "count": 2}]}`))
	f.Add([]byte("{\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := report.ReadBaseline("b.json", data)
		if err != nil {
			return
		}
		r := &report.Report{}
		b.Compare(r)
		first := write(t, "baseline", report.Config{}, r)
		again, err := report.ReadBaseline("b.json", []byte(first))
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, first)
		}
		r = &report.Report{}
		again.Compare(r)
		if diff := cmp.Diff(first, write(t, "baseline", report.Config{}, r)); diff != "" {
			t.Errorf("-first, +again:\n%s", diff)
		}
	})
}
