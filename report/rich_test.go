package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/report"
)

// rich returns a report with everything in it that a report can have.
func rich() *report.Report {
	probes := violation("probes", v1alpha1.Deny, "no readinessProbe", "spec", "template", "spec", "containers", 0)
	probes.Subject, probes.Fix = "web", "readinessProbe:\n  httpGet: {path: /healthz, port: 8080}"
	token := engine.Violation{
		Policy: "no-secrets", Enforcement: v1alpha1.Deny, Severity: engine.Critical, Message: "a token stands here in plain text",
		Path: engine.Path{"data", "a/b"}, Details: json.RawMessage(`{"kind":"token"}`),
	}
	limit := violation("resources", v1alpha1.Warn, "no limit", "spec")
	limit.DeniedFrom = time.Date(2027, 1, 15, 1, 0, 0, 0, time.FixedZone("", 3600))
	job := engine.ObjectRef{APIVersion: "batch/v1", Kind: "Job", Namespace: "shop", Name: "import"}
	config := engine.ObjectRef{APIVersion: "v1", Kind: "ConfigMap", Namespace: "shop", Name: "config"}
	in := func(file string) func(engine.Path) report.Source {
		return func(path engine.Path) report.Source { return report.Source{File: file, Line: 1 + len(path)} }
	}
	return &report.Report{
		Revision: "0123456789ab",
		Policies: []report.Policy{
			{Name: "no-secrets", Title: "No secrets", Description: "Nothing secret\nstands anywhere.", Severity: engine.Critical, Category: "security", Enforcement: v1alpha1.Deny, HelpURI: "https://example.com/no-secrets"},
			{Name: "probes", Title: "Probes", Severity: engine.High, Category: "reliability", Enforcement: v1alpha1.Deny},
			{Name: "resources", Severity: engine.Medium, Enforcement: v1alpha1.Warn},
		},
		Objects: []report.Object{
			report.NewObject(&engine.Decision{
				Object: web, Evaluated: []string{"probes", "resources", "spread"}, Violations: []engine.Violation{
					probes, limit, violation("spread", v1alpha1.DryRun, "one zone"),
				}, Errors: []*engine.PolicyError{{Policy: "late", OnError: v1alpha1.OnErrorAllow, Err: errors.New("ran out of time")}},
			}, &engine.Mutation{Policies: []string{"spread"}, Patch: json.RawMessage(`[{"op":"add","path":"/spec/x","value":1}]`), Warnings: []string{"one patch is left out"}, Errors: []*engine.PolicyError{{Policy: "spread", Err: errors.New("ran out of time")}}}, in("deploy/web app.yaml")),
			report.NewObject(&engine.Decision{Object: config, Evaluated: []string{"no-secrets", "probes"}, Violations: []engine.Violation{token}}, nil, in("/src/shop/deploy/50%:a#b.yaml")),
			report.NewObject(&engine.Decision{Object: job, Excused: []engine.Excuse{{Policy: "probes", Exception: "shop/legacy", Expires: time.Date(2027, 3, 31, 0, 0, 0, 0, time.UTC)}}}, nil, in("-")),
			report.NewObject(&engine.Decision{Object: engine.ObjectRef{APIVersion: "v1", Kind: "Pod", Namespace: "kube-system", Name: "dns"}, Passed: "namespace kube-system is excluded"}, nil, in("/etc/elsewhere.yaml")),
			{Ref: engine.ObjectRef{APIVersion: "v1", Kind: "Pod", Name: "misfit"}, Source: report.Source{File: "misfit.yaml", Line: 3}, Err: errors.New("spec is a list, not an object")},
			{Ref: job, Asked: []string{"slow"}, Errors: []*engine.PolicyError{{Policy: "slow", OnError: v1alpha1.OnErrorDeny, Err: errors.New("ran out of time")}}},
		},
		Errors:      []report.Error{{Source: report.Source{File: "broken.yaml", Line: 7}, Message: "is no YAML"}, {Policy: "broken", Message: "does not compile"}},
		Warnings:    []report.Note{{Source: report.Source{File: "deploy/web app.yaml", Line: 4}, Message: `unknown field "replica"`}},
		Assumptions: []string{`namespace "shop" has no labels`},
		Skipped:     2,
	}
}

// told returns the same report of a run that could tell of everything.
func told() *report.Report {
	r := rich()
	r.Objects, r.Errors = r.Objects[:4], nil
	r.Objects[0].Errors = nil
	return r
}

// TestGolden holds each format to a file; LINTEL_UPDATE=1 writes them.
func TestGolden(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		reason string
		format string
		report func() *report.Report
	}{
		"rich.txt":      {"People read what was found, and errors elsewhere.", "text", rich},
		"rich.json":     {"Programs rely on every name in it.", "json", rich},
		"rich.sarif":    {"Code scanning shows rules, places and errors.", "sarif", rich},
		"rich.xml":      {"Jenkins and GitLab show tests.", "junit", rich},
		"rich.gh":       {"A runner takes each line for a command.", "github", rich},
		"baseline.json": {"A baseline has no lines and no values, and is in an order that differences are readable in.", "baseline", told},
		"old.txt":       {"Old findings are counted only.", "text", withBaseline},
		"old.json":      {"Old findings are marked.", "json", withBaseline},
		"old.sarif":     {"Old findings are suppressed.", "sarif", withBaseline},
		"old.xml":       {"Old findings fail no test.", "junit", withBaseline},
		"old.gh":        {"Old findings are counted only.", "github", withBaseline},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := write(t, tc.format, report.Config{Folder: "/src/shop", Version: "v1.2.3"}, tc.report())
			file := filepath.Join("testdata", name)
			if os.Getenv("LINTEL_UPDATE") != "" {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s\nWrite(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// withBaseline returns a report of which one finding was there before.
func withBaseline() *report.Report {
	before := told()
	before.Objects = before.Objects[:1]
	var file bytes.Buffer
	f, err := report.New("baseline", report.Config{})
	if err == nil {
		err = f.Write(&file, before)
	}
	if err != nil {
		return nil
	}
	b, err := report.ReadBaseline("baseline.json", file.Bytes())
	if err != nil {
		return nil
	}
	r := told()
	r.Objects[0].Violations = r.Objects[0].Violations[:2]
	b.Compare(r)
	return r
}

// TestFailOn holds the summary and the tests of JUnit to one opinion.
func TestFailOn(t *testing.T) {
	t.Parallel()
	cases := map[report.FailOn]struct {
		reason  string
		failing int
	}{
		"":                  {"Without a word, what is denied fails.", 1},
		report.FailOnDeny:   {"What is denied fails.", 1},
		report.FailOnWarn:   {"So does what is warned about.", 2},
		report.FailOnDryRun: {"So does what is recorded.", 3},
		report.FailOnNever:  {"Nothing fails.", 0},
	}
	for failOn, tc := range cases {
		t.Run(string(failOn), func(t *testing.T) {
			t.Parallel()
			r := &report.Report{FailOn: failOn}
			for _, e := range []v1alpha1.Enforcement{v1alpha1.Deny, v1alpha1.Warn, v1alpha1.DryRun} {
				v := []engine.Violation{violation("probes", e, "no probe")}
				r.Objects = append(r.Objects, report.NewObject(&engine.Decision{Object: web, Violations: v}, nil, at))
			}
			if got := r.Summary().Failing; got != tc.failing {
				t.Errorf("%s\nSummary().Failing: got %d, want %d", tc.reason, got, tc.failing)
			}
			if got := strings.Count(write(t, "junit", report.Config{}, r), "<failure "); got != tc.failing {
				t.Errorf("%s\nfailures: got %d, want %d", tc.reason, got, tc.failing)
			}
		})
	}
	if _, err := report.ParseFailOn("error"); err == nil {
		t.Error(`ParseFailOn("error"): got no error`)
	}
}

// TestMostly counts policies where there are many objects at fault.
func TestMostly(t *testing.T) {
	t.Parallel()
	var r report.Report
	for range 10 {
		v := []engine.Violation{violation("probes", v1alpha1.Deny, "no probe"), violation("labels", v1alpha1.Warn, "no label"), violation("labels", v1alpha1.Warn, "no other")}
		r.Objects = append(r.Objects, report.NewObject(&engine.Decision{Object: web, Violations: v}, nil, at))
	}
	if got, want := write(t, "text", report.Config{}, &r), "\nviolations: labels 20, probes 10\n10 objects: 10 denied"; !strings.Contains(got, want) {
		t.Errorf("the end is not %q:\n%s", want, got[len(got)-200:])
	}
}
