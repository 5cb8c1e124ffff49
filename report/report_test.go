package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/report"
)

var web = engine.ObjectRef{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "web"}

// at is where a field of the Deployment stands: one line for each step of its path.
func at(path engine.Path) report.Source { return report.Source{File: "web.yaml", Line: 1 + len(path)} }

func violation(policy string, e v1alpha1.Enforcement, message string, path ...any) engine.Violation {
	return engine.Violation{Policy: policy, Enforcement: e, Severity: engine.High, Message: message, Path: path, Fix: "mend it\nlike this"}
}

func write(t *testing.T, format string, cfg report.Config, r *report.Report) string {
	t.Helper()
	f, err := report.New(format, cfg)
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	if err := f.Write(&buf, r); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

func TestText(t *testing.T) {
	t.Parallel()
	denied := violation("probes", v1alpha1.Deny, "no probe", "spec", "containers", 0)
	cases := map[string]struct {
		reason string
		cfg    report.Config
		report report.Report
		want   string
	}{
		"Nothing": {
			reason: "A run without findings says how much it looked at.",
			report: report.Report{Revision: "0123456789ab", Objects: []report.Object{{Ref: web}}},
			want:   "1 object: 0 denied\npolicies 0123456\n",
		},
		"Denied": {
			reason: "A place is shown once for lines that stand there one after another.",
			report: report.Report{Revision: "0123456789ab", Objects: []report.Object{report.NewObject(&engine.Decision{Object: web, Violations: []engine.Violation{
				denied, violation("resources", v1alpha1.Deny, "no request", "spec", "containers", 1), violation("resources", v1alpha1.Deny, "no team", "metadata"),
			}}, nil, at)}},
			cfg: report.Config{NoFix: true},
			want: `denied: Deployment shop/web breaks 2 policies (3 violations):
  probes     spec.containers[0]: no probe
  resources  spec.containers[1]: no request
    at web.yaml:4, high severity
  resources  metadata: no team
    at web.yaml:2, high severity

1 object: 1 denied
policies 0123456
`,
		},
		"FromNoFile": {
			reason: "What comes from no file has no place, and what was stored before says so.",
			report: report.Report{Objects: []report.Object{report.NewObject(&engine.Decision{Object: web, Violations: []engine.Violation{
				{Policy: "probes", Enforcement: v1alpha1.Warn, Message: "no probe", Existing: true},
			}}, nil, nil)}},
			want: `warned: Deployment shop/web breaks 1 policy (1 violation):
  probes  no probe (as before)

1 object: 0 denied, 1 warned about
policies 
`,
		},
		"Fixes": {
			reason: "How to put it right may be lines of YAML, which stay aligned, and which are shown once.",
			report: report.Report{Objects: []report.Object{report.NewObject(&engine.Decision{Object: web, Violations: []engine.Violation{
				denied, violation("probes", v1alpha1.Deny, "no other probe", "spec", "containers", 0),
				{Policy: "resources", Enforcement: v1alpha1.Deny, Severity: engine.Low, Message: "no limit", Fix: "say one"},
			}}, nil, at)}},
			want: `denied: Deployment shop/web breaks 2 policies (3 violations):
  probes     spec.containers[0]: no probe
    at web.yaml:4, high severity
    fix: mend it
         like this
  probes     spec.containers[0]: no other probe
    at web.yaml:4, high severity
    fix: as above
  resources  no limit
    at web.yaml:1, low severity
    fix: say one

1 object: 1 denied
policies 
`,
		},
		"Recorded": {
			reason: "What is only recorded is counted, for --fail-on dryrun fails on it.",
			cfg:    report.Config{NoFix: true},
			report: report.Report{Objects: []report.Object{report.NewObject(&engine.Decision{Object: web, Violations: []engine.Violation{
				violation("probes", v1alpha1.DryRun, "no probe"),
			}}, nil, at)}},
			want: `recorded: Deployment shop/web breaks 1 policy (1 violation):
  probes  no probe
    at web.yaml:1, high severity

1 object: 0 denied, 1 recorded
policies 
`,
		},
		"QuietlyWell": {
			reason: "Who asked for quiet hears nothing of patches and records.",
			cfg:    report.Config{Quiet: true},
			report: report.Report{Objects: []report.Object{report.NewObject(&engine.Decision{Object: web, Violations: []engine.Violation{
				violation("probes", v1alpha1.DryRun, "no probe"),
			}}, &engine.Mutation{Policies: []string{"a"}, Patch: json.RawMessage(`[]`)}, at)}, Assumptions: []string{"the moon is green"}},
		},
		"QuietlyUndecided": {
			reason: "Quiet is for what is well, and nobody knows that of this.",
			cfg:    report.Config{Quiet: true},
			report: report.Report{Errors: []report.Error{{Message: "unreadable"}}},
			want:   "0 objects: 0 denied; 1 error\npolicies \n",
		},
		"Coloured": {
			reason: "Colours are outside of what is said.",
			cfg:    report.Config{Colour: true, NoFix: true},
			report: report.Report{Objects: []report.Object{report.NewObject(&engine.Decision{Object: web, Violations: []engine.Violation{denied}}, nil, at)}},
			want: "\x1b[1;31mdenied: Deployment shop/web breaks 1 policy (1 violation):\x1b[0m\n" +
				"  probes  spec.containers[0]: no probe\n\x1b[2m    at web.yaml:4, high severity\x1b[0m\n\n1 object: 1 denied\npolicies \n",
		},
		"Patched": {
			reason: "Patches name their policies and fields, and long values are cut.",
			report: report.Report{Objects: []report.Object{report.NewObject(&engine.Decision{Object: web}, &engine.Mutation{
				Policies: []string{"a", "b"}, Patch: json.RawMessage(`[{"op":"add","path":"/metadata/labels/example.com~1x","value":"` + strings.Repeat("ü", 200) + `"},{"op":"add","path":"/spec/list/0/items/-","value":1},{"op":"remove","path":"/spec/x"}]`),
				RecordedPolicies: []string{"c"}, Recorded: json.RawMessage(`[{"op":"replace","path":"/spec/y","value":{"z":null}}]`),
				Warnings: []string{"policies a and c ask for different patches of spec.z, so neither is applied"},
			}, at)}},
			want: `Deployment shop/web is patched by a, b:
  add metadata.labels["example.com/x"]: "` + strings.Repeat("ü", 159) + `…
  add spec.list[0].items: 1
  remove spec.x
    at web.yaml:1

Deployment shop/web is not patched, but could be by c:
  replace spec.y: {"z":null}
    at web.yaml:1

Deployment shop/web is not patched in full:
  policies a and c ask for different patches of spec.z, so neither is applied
    at web.yaml:1

1 object: 0 denied, 1 patched
policies 
`,
		},
		"Counted": {
			reason: "What was not judged, not read and not understood is counted.",
			report: report.Report{
				Objects: []report.Object{
					{Ref: web, Passed: "namespace kube-system is excluded"}, {Ref: web, Passed: "namespace kube-system is excluded"},
					{Ref: web, Err: errors.New("does not fit")},
					{Ref: web, Errors: []*engine.PolicyError{{Policy: "a", OnError: v1alpha1.OnErrorDeny, Err: errors.New("slow")}}},
					{Ref: web, Errors: []*engine.PolicyError{{Policy: "a", OnError: v1alpha1.OnErrorAllow, Err: errors.New("slow")}}},
				},
				Skipped: 1, Errors: []report.Error{{Message: "unreadable"}, {Message: "unreadable"}},
				Assumptions: []string{"the moon is \x1b[31mgreen"},
			},
			want: `assumed: the moon is \x1b[31mgreen
5 objects: 0 denied, 1 warned about, 2 undecided; 2 passed unjudged (namespace kube-system is excluded); 1 document skipped; 2 errors
policies 
`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := write(t, "text", tc.cfg, &tc.report)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nWrite(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestTextHasEveryViolation holds the text against a limit like that of a webhook's
// message: on a terminal nothing is left out.
func TestTextHasEveryViolation(t *testing.T) {
	t.Parallel()
	d := &engine.Decision{Object: web}
	for i := range 1000 {
		d.Violations = append(d.Violations, violation("probes", v1alpha1.Deny, "no probe", "spec", "containers", i))
	}
	got := write(t, "text", report.Config{}, &report.Report{Objects: []report.Object{report.NewObject(d, nil, at)}})
	if n := strings.Count(got, "no probe"); n != 1000 {
		t.Errorf("Write(...): got %d violations, want 1000", n)
	}
}

// hostile is text that obeys nobody: escapes of terminals, controls, overrides of
// direction, bytes that are no UTF-8, XML, and commands of CI runners.
const hostile = "a\x1b[2J\r\u009b31m\u202e\u2028\x7f\xff<&>\"\U000e0041z]]>\uffff##[add-mask]x\n::stop-commands::y,file=z"

// hostileReport returns a report whose every text is hostile.
func hostileReport(t *testing.T) *report.Report {
	t.Helper()
	object := engine.ObjectRef{APIVersion: "v1", Kind: "ConfigMap", Namespace: hostile, Name: hostile}
	v := engine.Violation{
		Policy: "a", Enforcement: v1alpha1.Deny, Severity: engine.High, Message: hostile, Path: engine.Path{hostile, 0},
		Subject: hostile, Fix: hostile, Details: json.RawMessage(`"` + "\u202e" + `"`),
	}
	patch, err := json.Marshal([]map[string]any{{"op": "add", "path": "/" + hostile, "value": hostile}})
	if err != nil {
		t.Fatal(err)
	}
	return &report.Report{
		Objects: []report.Object{
			report.NewObject(&engine.Decision{Object: object, Violations: []engine.Violation{v}}, &engine.Mutation{
				Policies: []string{"a"}, Patch: patch, Warnings: []string{hostile},
			}, func(engine.Path) report.Source { return report.Source{File: hostile, Line: 1} }),
			{Ref: object, Passed: hostile},
			{Ref: object, Excused: []engine.Excuse{{Policy: "b", Exception: hostile}}},
		},
		Policies: []report.Policy{{Name: "a", Title: hostile, Description: hostile, Category: hostile}},
		Warnings: []report.Note{{Message: hostile}}, Assumptions: []string{hostile},
	}
}

func TestHostileText(t *testing.T) {
	t.Parallel()
	r := hostileReport(t)
	r.GroupedBy = []string{"team"}
	r.Objects[0].Labels = []string{hostile}
	for _, format := range append(report.Formats(), "table", "html") {
		got := write(t, format, report.Config{}, r)
		for _, char := range got {
			if s := string(char); s != "\n" && engine.Printable(s) != s {
				t.Errorf("%s has the character %U", format, char)
			}
		}
	}
	var back struct{ Results []struct{ Message string } }
	if err := json.Unmarshal([]byte(write(t, "json", report.Config{}, r)), &back); err != nil {
		t.Fatal(err)
	}
	if want := strings.ToValidUTF8(hostile, "\ufffd"); len(back.Results) != 1 || back.Results[0].Message != want {
		t.Errorf("message out of JSON: got %+q, want %+q", back.Results, want)
	}
}

// TestHostileCommands holds GitHub's runner to the commands that are meant: it takes
// what follows "::" at the start of a line for one, and "##[" anywhere else.
func TestHostileCommands(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSuffix(write(t, "github", report.Config{}, hostileReport(t)), "\n"), "\n")
	if len(lines) != 4 {
		t.Fatalf("got %d lines, want one for the warning, for the violation, for what was assumed and to count:\n%q", len(lines), lines)
	}
	command := regexp.MustCompile(`^::(error|warning) (file=[^:,]+,line=1,)?title=[^:,]+::[^\r\n]+$`)
	for _, line := range lines[:2] {
		if !command.MatchString(line) {
			t.Errorf("not a command as it should be: %q", line)
		}
	}
	for _, line := range lines[2:] {
		if !strings.HasPrefix(line, "lintel: ") || strings.Contains(line, "##[") {
			t.Errorf("a line that is no command has one: %q", line)
		}
	}
}

func TestErrorsAreToldOnce(t *testing.T) {
	t.Parallel()
	slow := errors.New("ran out of time")
	o := report.NewObject(
		&engine.Decision{Object: web, Errors: []*engine.PolicyError{{Policy: "b", OnError: v1alpha1.OnErrorDeny, Err: slow}}},
		&engine.Mutation{Errors: []*engine.PolicyError{{Policy: "b", Err: slow}, {Policy: "a", OnError: v1alpha1.OnErrorAllow, Err: slow}}},
		at)
	r := report.Report{Objects: []report.Object{o}, Errors: []report.Error{{Message: "first"}}}
	want := []report.Error{
		{Message: "first"},
		{Source: at(nil), Policy: "a", Object: &web, OnError: v1alpha1.OnErrorAllow, Message: "could not decide: ran out of time"},
		{Source: at(nil), Policy: "b", Object: &web, OnError: v1alpha1.OnErrorDeny, Message: "could not decide: ran out of time"},
	}
	if diff := cmp.Diff(want, r.AllErrors()); diff != "" {
		t.Errorf("AllErrors(): -want, +got:\n%s", diff)
	}
}

func TestUnknownFormat(t *testing.T) {
	t.Parallel()
	if _, err := report.New("xml", report.Config{}); err == nil || !strings.Contains(err.Error(), `"xml"`) {
		t.Errorf("New: got error %v, want one that names the format", err)
	}
}
