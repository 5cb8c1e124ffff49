package secrets_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/secrets"
)

// redactor is a scanner with limits that are not in the way.
func redactor(t *testing.T) *secrets.Scanner {
	t.Helper()
	s, err := secrets.New(secrets.Config{Budget: 64 << 20})
	if err != nil {
		t.Fatalf("New(...): %v", err)
	}
	return s
}

// redact returns a redacted copy of an object and the JSON of it.
func redact(t *testing.T, s *secrets.Scanner, object any) (any, string) {
	t.Helper()
	copies, err := s.Redact(object)
	if err != nil {
		t.Fatalf("Redact(...): %v", err)
	}
	data, err := json.Marshal(copies[0])
	if err != nil {
		t.Fatal(err)
	}
	return copies[0], string(data)
}

// minPart is how many bytes of a secret are too many.
const minPart = 6

// leaked returns a part of value that text has, but not what was there anyway.
func leaked(text, anyway, value string) string {
	for i := 0; i+minPart <= len(value); i++ {
		if part := value[i : i+minPart]; strings.Contains(text, part) && !strings.Contains(anyway, part) {
			return part
		}
	}
	return ""
}

// TestRedactLabelled holds that nothing of a secret that the scanner finds is left,
// and that the scanner finds the same in what is left.
func TestRedactLabelled(t *testing.T) {
	s := redactor(t)
	redactedOnes := 0
	for class, cases := range labelledSecrets() {
		for _, c := range cases {
			object, _ := c.at(c.value)
			found := s.Scan(secrets.Of(object))
			if len(found) == 0 {
				continue // docs/secrets.md counts these
			}
			redactedOnes++
			copied, text := redact(t, s, object)
			neutral, _ := c.at("§")
			_, anyway := redact(t, s, neutral)
			marks := "password-name secret-name random-value connection-string private-key"
			for _, line := range strings.Split(c.value, "\n") {
				quoted, _ := json.Marshal(line)
				if part := leaked(text, anyway+marks+rulesOf(found), strings.Trim(string(quoted), `"`)); part != "" {
					t.Errorf("%s: %s: %q is left in %s", class, c.what, part, text)
				}
			}
			if diff := cmp.Diff(places(found), places(s.Scan(secrets.Of(copied)))); diff != "" {
				t.Errorf("%s: %s: what is found after redacting: -before, +after:\n%s", class, c.what, diff)
			}
		}
	}
	if redactedOnes < 150 {
		t.Errorf("only %d secrets were redacted", redactedOnes)
	}
}

func rulesOf(found []secrets.Finding) string {
	var b strings.Builder
	for _, f := range found {
		b.WriteString(string(f.Class) + "/" + f.Rule + " ")
	}
	return b.String()
}

// A spot is where something is found and by which rule.
type spot struct {
	Path  []any
	Rule  string
	Class secrets.Class
}

// places returns where something was found. A mark has no lines and no keys.
func places(found []secrets.Finding) []spot {
	var all []spot
	for _, f := range found {
		if n := len(all); n > 0 && cmp.Equal(all[n-1], spot{f.Path, f.Rule, f.Class}) {
			continue
		}
		all = append(all, spot{f.Path, f.Rule, f.Class})
	}
	return all
}

// TestRedactHarmless holds that what is harmless stays as it is, but for what is
// under a name that says secret.
func TestRedactHarmless(t *testing.T) {
	s := redactor(t)
	for class, cases := range labelledHarmless() {
		for _, c := range cases {
			object, _ := c.at(c.value)
			if len(s.Scan(secrets.Of(object))) > 0 {
				continue
			}
			copied, text := redact(t, s, object)
			if found := s.Scan(secrets.Of(copied)); len(found) > 0 {
				t.Errorf("%s: %s: redacted, it is found: %s", class, c.what, outline(found))
			}
			if !strings.Contains(text, "lintel:redacted:") && !cmp.Equal(any(object), copied) {
				t.Errorf("%s: %s: nothing is redacted and something changed", class, c.what)
			}
		}
	}
}

func TestRedact(t *testing.T) {
	s := redactor(t)
	secret := "hunter2" + "-Zx81qq"
	cases := map[string]struct {
		reason string
		object any
		want   any
	}{
		"Elsewhere": {
			reason: "A value that was found is taken out wherever it stands, also in a key.",
			object: dict{"env": []any{dict{"name": "PASSWORD", "value": secret}}, "note": "it is " + secret + "!", secret: "x"},
			want: dict{"env": []any{dict{"name": "PASSWORD", "value": "lintel:redacted:1:name/password-name"}},
				"note": "it is lintel:redacted:1!", "lintel:redacted:1": "x"},
		},
		"Words": {
			reason: "A password of plain words is a name elsewhere, and names have to stay.",
			object: dict{"env": []any{dict{"name": "PASSWORD", "value": "post" + "gres"}}, "name": "postgres"},
			want:   dict{"env": []any{dict{"name": "PASSWORD", "value": "lintel:redacted:1:name/password-name"}}, "name": "postgres"},
		},
		"UnderName": {
			reason: "What has a name that says secret is replaced even if it is harmless, and found by nobody afterwards.",
			object: dict{"env": []any{dict{"name": "API_TOKEN", "value": "changeme"}}},
			want:   dict{"env": []any{dict{"name": "API_TOKEN", "value": "lintel:redacted:1"}}},
		},
		"Number": {
			reason: "A password may be written as a number, and stays one.",
			object: dict{"password": json.Number("48151623"), "replicas": json.Number("3")},
			want:   dict{"password": json.Number("0"), "replicas": json.Number("3")},
		},
		"Passed over": {
			reason: "What the scanner passes over because others wrote it is in a record all the same.",
			object: dict{"status": dict{"url": "https://svc:" + secret + "@h/"}, "image": "https://svc:" + secret + "@h/"},
			want:   dict{"status": dict{"url": "lintel:redacted:3:url/url-password"}, "image": "lintel:redacted:3:url/url-password"},
		},
		"SecretInside": {
			reason: "A Secret that is part of something, as in a resource of Crossplane, has its data replaced.",
			object: dict{"spec": dict{"manifest": dict{"kind": "Secret", "data": dict{"a": "b3BlbjE="}, "stringData": dict{"c": "open"}}}},
			want:   dict{"spec": dict{"manifest": dict{"kind": "Secret", "data": dict{"a": "lintel:redacted:1"}, "stringData": dict{"c": "lintel:redacted:2"}}}},
		},
		"Forged": {
			reason: "Who writes a mark accuses himself of what it says, and of nothing else.",
			object: dict{"a": "lintel:redacted:7:token/x", "b": "lintel:redacted:7:token/<script>", "c": "lintel:redacted:0", "d": "lintel:redacted:7:more/x"},
			want:   dict{"a": "lintel:redacted:1:token/x", "b": "lintel:redacted:7:token/<script>", "c": "lintel:redacted:0", "d": "lintel:redacted:7:more/x"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, _ := redact(t, s, tc.object)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nRedact(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestRedactTogether holds that a value of one object is taken out of another, and
// that values which differ still do, as policies compare new with old.
func TestRedactTogether(t *testing.T) {
	env := func(value string) any { return dict{"env": []any{dict{"name": "PASSWORD", "value": value}}} }
	got, err := redactor(t).Redact(env("first"+"-Zx81qq"), env("second"+"-Zx81qq"), env("first"+"-Zx81qq"), dict{"a": "first" + "-Zx81qq"})
	if err != nil {
		t.Fatal(err)
	}
	want := []any{
		env("lintel:redacted:2:name/password-name"), env("lintel:redacted:1:name/password-name"),
		env("lintel:redacted:2:name/password-name"), dict{"a": "lintel:redacted:2"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Redact(...): -want, +got:\n%s", diff)
	}
}

func TestRedactTooLarge(t *testing.T) {
	s, err := secrets.New(secrets.Config{Budget: 1000})
	if err != nil {
		t.Fatal(err)
	}
	deep := any("x")
	for range 600 {
		deep = []any{deep}
	}
	for name, object := range map[string]any{"large": dict{"a": strings.Repeat("x", 2000)}, "deep": deep} {
		if _, err := s.Redact(object); !errors.Is(err, secrets.ErrTooLarge) {
			t.Errorf("%s: got %v, want ErrTooLarge: what is not scanned is not written", name, err)
		}
	}
}
