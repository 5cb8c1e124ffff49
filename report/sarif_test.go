package report_test

import (
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/report"
)

// sarifSchema returns the schema of the standard, which is in testdata as OASIS
// published it, compiled with its formats.
func sarifSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	data, err := os.ReadFile("testdata/sarif-schema-2.1.0.json")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := jsonschema.UnmarshalJSON(strings.NewReader(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("sarif.json", schema); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("sarif.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// TestSARIFSchema holds every kind of report to the standard.
func TestSARIFSchema(t *testing.T) {
	t.Parallel()
	schema := sarifSchema(t)
	for name, r := range map[string]*report.Report{
		"Rich": rich(), "Old": withBaseline(), "Hostile": hostileReport(t), "Empty": {},
		"RelativeOutside": {Objects: []report.Object{{Ref: web, Source: report.Source{File: "../a/../b c.yaml", Line: 1}, Excused: []engine.Excuse{{Policy: "a", Exception: "b/c"}}}}},
	} {
		for _, folder := range []string{"", "/", "/src/sh op"} {
			got := write(t, "sarif", report.Config{Folder: folder, Version: "v1.2.3"}, r)
			instance, err := jsonschema.UnmarshalJSON(strings.NewReader(got))
			if err != nil {
				t.Fatalf("%s in %q: %v", name, folder, err)
			}
			if err := schema.Validate(instance); err != nil {
				t.Errorf("%s in %q: %v", name, folder, err)
			}
		}
	}
}

// TestSARIFSchemaIsStrict holds the validator to finding mistakes.
func TestSARIFSchemaIsStrict(t *testing.T) {
	t.Parallel()
	schema := sarifSchema(t)
	good := write(t, "sarif", report.Config{Folder: "/src"}, rich())
	for from, to := range map[string]string{
		`"level": "error"`: `"level": "deny"`, `"startLine": 6`: `"startLine": 0`, `"executionSuccessful": false`: `"success": false`,
		`"uri": "deploy/web%20app.yaml"`: `"uri": "deploy/web app%.yaml"`,
	} {
		bad := strings.ReplaceAll(good, from, to)
		instance, err := jsonschema.UnmarshalJSON(strings.NewReader(bad))
		if err != nil {
			t.Fatal(err)
		}
		if bad == good || schema.Validate(instance) == nil {
			t.Errorf("the schema takes %s", to)
		}
	}
}

// A sarifLog is what the tests read of a log.
type sarifLog struct {
	Runs []struct {
		Tool struct {
			Driver struct{ Rules []struct{ ID string } }
		}
		Results []struct {
			RuleID    string
			RuleIndex int
			Message   struct{ Text, Markdown string }
			Locations []struct {
				PhysicalLocation struct {
					ArtifactLocation struct{ URI, URIBaseID string }
				}
			}
			PartialFingerprints map[string]string
		}
	}
}

func readSARIF(t *testing.T, cfg report.Config, r *report.Report) sarifLog {
	t.Helper()
	var log sarifLog
	if err := json.Unmarshal([]byte(write(t, "sarif", cfg, r)), &log); err != nil {
		t.Fatal(err)
	}
	return log
}

// TestSARIFRules holds each result to the rule that it names twice.
func TestSARIFRules(t *testing.T) {
	t.Parallel()
	run := readSARIF(t, report.Config{}, rich()).Runs[0]
	for _, result := range run.Results {
		if got := run.Tool.Driver.Rules[result.RuleIndex].ID; got != result.RuleID {
			t.Errorf("result of %q: its rule is %q", result.RuleID, got)
		}
	}
}

// TestSARIFFingerprints holds fingerprints to what is the same finding.
func TestSARIFFingerprints(t *testing.T) {
	t.Parallel()
	one := func(file string, line int, subject string, path ...any) []string {
		v := violation("probes", v1alpha1.Deny, "no probe", path...)
		v.Subject = subject
		r := &report.Report{Objects: []report.Object{report.NewObject(&engine.Decision{Object: web, Violations: []engine.Violation{v, v}}, nil,
			func(engine.Path) report.Source { return report.Source{File: file, Line: line} })}}
		var prints []string
		for _, result := range readSARIF(t, report.Config{}, r).Runs[0].Results {
			for _, print := range result.PartialFingerprints {
				prints = append(prints, print)
			}
		}
		return prints
	}
	first := one("a.yaml", 7, "web", "spec", "containers", 0)
	if first[0] == first[1] {
		t.Errorf("the same finding twice has one fingerprint: %s", first[0])
	}
	if diff := cmp.Diff(first, one("b.yaml", 70, "web", "spec", "containers", 1)); diff != "" {
		t.Errorf("a shift of lines and items changes it: -before, +after:\n%s", diff)
	}
	if cmp.Equal(first, one("a.yaml", 7, "other", "spec", "containers", 0)) {
		t.Error("another container has the same")
	}
}

// TestSARIFFiles holds the names of files to being read back.
func TestSARIFFiles(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		reason string
		file   string
		base   string
		want   string // the path that the URI stands for, from the base
	}{
		"Plain":     {"A file in the folder is named from it.", "deploy/web.yaml", "SRCROOT", "deploy/web.yaml"},
		"Odd":       {"What means something in a URI is escaped.", "a b/50%/c:d?e#f.yaml", "SRCROOT", "a b/50%/c:d?e#f.yaml"},
		"Colon":     {"What is before a colon is no scheme.", "javascript:alert(1).yaml", "SRCROOT", "javascript:alert(1).yaml"},
		"Dotted":    {"Code scanning matches names letter by letter.", "./deploy//web.yaml", "SRCROOT", "deploy/web.yaml"},
		"Within":    {"An absolute name in the folder is named from it.", "/src/shop/web.yaml", "SRCROOT", "web.yaml"},
		"Above":     {"A name that leads out of the folder is a URI of its own: code scanning takes no dots.", "../pay/web.yaml", "", "/src/pay/web.yaml"},
		"Around":    {"One that leads back is named from the folder.", "../shop/web.yaml", "SRCROOT", "web.yaml"},
		"Elsewhere": {"Another is a URI of its own.", "/src/shopping/a b.yaml", "", "/src/shopping/a b.yaml"},
		"NotUTF8":   {"Names are bytes.", "a\xff.yaml", "SRCROOT", "a\xff.yaml"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &report.Report{Objects: []report.Object{report.NewObject(&engine.Decision{Object: web, Violations: []engine.Violation{
				violation("probes", v1alpha1.Deny, "no probe"),
			}}, nil, func(engine.Path) report.Source { return report.Source{File: tc.file} })}}
			at := readSARIF(t, report.Config{Folder: "/src/shop"}, r).Runs[0].Results[0].Locations[0].PhysicalLocation.ArtifactLocation
			u, err := url.Parse(at.URI)
			if err != nil {
				t.Fatalf("%s\n%v", tc.reason, err)
			}
			if u.Path != tc.want || at.URIBaseID != tc.base || u.RawQuery != "" || u.Fragment != "" {
				t.Errorf("%s\ngot %q from %q, want path %q from %q", tc.reason, at.URI, at.URIBaseID, tc.want, tc.base)
			}
		})
	}
}

// TestSARIFMessages holds messages to saying nothing but what they say.
func TestSARIFMessages(t *testing.T) {
	t.Parallel()
	v := violation("probes", v1alpha1.Deny, "[click](https://evil.example) <img src=x> @team **b**")
	v.Fix = "a: |\n  ```\n  ````\nb: c"
	r := &report.Report{Objects: []report.Object{report.NewObject(&engine.Decision{Object: web, Violations: []engine.Violation{v}}, nil, at)}}
	got := readSARIF(t, report.Config{}, r).Runs[0].Results[0].Message
	if want := `Deployment shop/web: [click\](https://evil.example) <img`; !strings.HasPrefix(got.Text, want) {
		t.Errorf("text: got %q, want %q first", got.Text, want)
	}
	want := `Deployment shop/web\: \[click\]\(https\://evil.example\) \<img src=x\> \@team \*\*b\*\*` + "\n\n" +
		"`````yaml\na: |\n  ```\n  ````\nb: c\n`````\n"
	if diff := cmp.Diff(want, got.Markdown); diff != "" {
		t.Errorf("markdown: -want, +got:\n%s", diff)
	}
}

// TestSARIFExcuses tells what an exception excuses from what a policy exempts.
func TestSARIFExcuses(t *testing.T) {
	t.Parallel()
	d := &engine.Decision{Object: web, Evaluated: []string{"probes"}, Excused: []engine.Excuse{
		{Policy: "labels", Exception: "shop/legacy"}, {Policy: "probes", Exception: "spec.containers[0]"},
	}}
	var got []string
	for _, result := range readSARIF(t, report.Config{}, &report.Report{Objects: []report.Object{report.NewObject(d, nil, at)}}).Runs[0].Results {
		got = append(got, result.Message.Text)
	}
	want := []string{"Deployment shop/web is excused by shop/legacy", "Deployment shop/web: spec.containers[0] is exempt"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages: -want, +got:\n%s", diff)
	}
}
