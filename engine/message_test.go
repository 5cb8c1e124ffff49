package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

func decisionOf(violations ...engine.Violation) *engine.Decision {
	return &engine.Decision{
		Revision:   "4f2a91c",
		Object:     engine.ObjectRef{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "web"},
		Violations: violations,
	}
}

func violation(policy, message string, path ...any) engine.Violation {
	return engine.Violation{Policy: policy, Message: message, Path: path, Enforcement: v1alpha1.Deny}
}

func TestMessage(t *testing.T) {
	probe := violation("probes", "no livenessProbe", "spec", "template", "spec", "containers", 0)
	probe.Subject = "web"
	warned := violation("probes", "slow")
	warned.Enforcement = v1alpha1.Warn
	cases := map[string]struct {
		reason   string
		decision *engine.Decision
		want     string
	}{
		"Allowed": {"Nothing is said where nothing is denied.", decisionOf(warned), ""},
		"Denied": {
			"All violations at once, policies in a column.",
			decisionOf(probe, violation("required-labels", `label "team" is missing`, "metadata", "labels", "team"), warned),
			`Deployment shop/web breaks 2 policies (2 violations):
  probes           spec.template.spec.containers[0] (web): no livenessProbe
  required-labels  metadata.labels.team: label "team" is missing
policies 4f2a91c`,
		},
		"One": {
			"One is not many.",
			decisionOf(violation("a", "m")),
			"Deployment shop/web breaks 1 policy (1 violation):\n  a  m\npolicies 4f2a91c",
		},
		"CouldNotDecide": {
			"Who could not decide is named.",
			&engine.Decision{Revision: "4f2a91c", Object: engine.ObjectRef{Kind: "Pod", Name: "p"},
				Errors: []*engine.PolicyError{{Policy: "a", OnError: v1alpha1.OnErrorDeny, Err: errors.New("ran out of time")}}},
			"Pod p could not be judged:\n  a  could not decide: ran out of time\npolicies 4f2a91c",
		},
		"Escapes": {
			"Nothing that an object says moves the cursor or breaks the line.",
			decisionOf(violation("a", "x\ny\x1b[31m\u202e\u2028%s", "metadata", "annotations", "e\x1b[2J/x")),
			"Deployment shop/web breaks 1 policy (1 violation):\n" +
				`  a  metadata.annotations["e\x1b[2J/x"]: x\x0ay\x1b[31m\u202e\u2028%s` + "\npolicies 4f2a91c",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.decision.Message()); diff != "" {
				t.Errorf("%s\nMessage(): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestMessageIsBounded(t *testing.T) {
	many := make([]engine.Violation, 10_000)
	for i := range many {
		many[i] = violation("a", fmt.Sprintf("message %d", i), "spec", "list", i)
	}
	long := decisionOf(violation("a", strings.Repeat("é", 5<<20)))
	deep := violation("a", "m")
	for range 5000 {
		deep.Path = append(deep.Path, "é")
	}
	deep.Subject = strings.Repeat("x", 1<<20)
	named := decisionOf(violation("a", "m"))
	named.Object.Name = strings.Repeat("n", 1<<20)
	for name, d := range map[string]*engine.Decision{"Many": decisionOf(many...), "Long": long, "Deep": decisionOf(deep), "Name": named} {
		t.Run(name, func(t *testing.T) {
			got := d.Message()
			if len(got) > 4<<10 {
				t.Errorf("Message() is %d bytes long, want at most 4 KiB", len(got))
			}
			if !utf8.ValidString(got) {
				t.Errorf("Message() is cut within a character")
			}
			if !strings.HasSuffix(got, "\npolicies 4f2a91c") {
				t.Errorf("Message() lacks its last line: …%q", got[max(0, len(got)-60):])
			}
			if name == "Many" && !strings.Contains(got, " more\n") {
				t.Errorf("Message() does not say how much is left out")
			}
		})
	}
}

func TestWarningsAreBounded(t *testing.T) {
	var texts []string
	for i := range 200 {
		texts = append(texts, fmt.Sprintf("%d\n%s", i, strings.Repeat("é", 400)))
	}
	got := engine.FitWarnings(texts)
	total := 0
	for _, w := range got {
		total += len(w)
		if len(w) > 240 || strings.ContainsAny(w, "\n\r") || !utf8.ValidString(w) {
			t.Errorf("warning %q is not one line of at most 240 bytes", w)
		}
	}
	if total > 3500 {
		t.Errorf("warnings are %d bytes together, want at most 3500", total)
	}
	if last := got[len(got)-1]; last != fmt.Sprintf("+%d more", 200-len(got)+1) {
		t.Errorf("the last warning is %q after %d others, want how many of 200 are left out", last, len(got)-1)
	}
}

func TestPathString(t *testing.T) {
	cases := map[string]engine.Path{
		"":                                      {},
		"spec.template.spec.containers[0]":      {"spec", "template", "spec", "containers", 0},
		`metadata.annotations["example.com/x"]`: {"metadata", "annotations", "example.com/x"},
		`data["a b"][1]`:                        {"data", "a b", 1},
		`["0a"]._b-c`:                           {"0a", "_b-c"},
		`[""]`:                                  {""},
	}
	for want, path := range cases {
		if got := path.String(); got != want {
			t.Errorf("Path%q.String(): got %s, want %s", []any(path), got, want)
		}
	}
}

func TestPrintable(t *testing.T) {
	cases := map[string]struct{ reason, want, line string }{
		"a::b ## c #[d]":      {"What is no command stays.", "a::b ## c #[d]", "a::b ## c #[d]"},
		"::error::x":          {"GitHub obeys it at the start of a line alone.", "::error::x", `\x3a:error::x`},
		" \u2003\u200b::x::":  {"And after space.", " \u2003\\u200b::x::", " \u2003\\u200b\\x3a:x::"},
		"a ##[add-mask]b":     {"And this anywhere.", `a ##\x5badd-mask]b`, `a ##\x5badd-mask]b`},
		"##vso[task.x a=b]\n": {"So does Azure.", `##vso\x5btask.x a=b]\x0a`, `##vso\x5btask.x a=b]\x0a`},
	}
	for text, tc := range cases {
		if got := engine.Printable(text); got != tc.want {
			t.Errorf("%s\nPrintable(%q): got %q, want %q", tc.reason, text, got, tc.want)
		}
		if got := engine.PrintableLine(text); got != tc.line {
			t.Errorf("%s\nPrintableLine(%q): got %q, want %q", tc.reason, text, got, tc.line)
		}
	}
}

func TestPrintableLines(t *testing.T) {
	cases := map[string]struct{ reason, text, want string }{
		"Lines":   {"Lines stay lines, whatever the file's breaks are.", "a\r\nb\n\nc", "a\nb\n\nc"},
		"End":     {"Who writes the text ends its last line.", "a\n\n", "a"},
		"Tab":     {"Tabs are in what compilers say, and no more than room.", "a\tb", "a  b"},
		"Hostile": {"What a terminal obeys is shown, and a lone return would write over the line.", "a\x1b[2J\nb\rc", `a\x1b[2J` + "\n" + `b\x0dc`},
	}
	for name, tc := range cases {
		if got := engine.PrintableLines(tc.text); got != tc.want {
			t.Errorf("%s: %s\nPrintableLines(%q): got %q, want %q", name, tc.reason, tc.text, got, tc.want)
		}
	}
}
