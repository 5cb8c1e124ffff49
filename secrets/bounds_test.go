package secrets_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/secrets"
)

func TestTooLarge(t *testing.T) {
	deep := any("x")
	for range 600 {
		deep = []any{deep}
	}
	cases := map[string]struct {
		reason string
		budget int
		object secrets.Node
		want   string
	}{
		"OverBudget": {"What was not read to its end is said to be so.", 1000, configMap("file", strings.Repeat("a b\n", 500)+"password=hunter2"), "too-large-to-scan"},
		"Within":     {"A budget is of bytes: what fits is read.", 10000, configMap("file", strings.Repeat("a b\n", 500)+"password=hunter2"), "password-name"},
		"Deep":       {"What nests too deep is too large as well.", 0, secrets.Of(deep), "too-large-to-scan"},
		"Decoded":    {"Bytes of base64 count again decoded.", 2800, secrets.Of(map[string]any{"binaryData": map[string]any{"f": strings.Repeat("QUFB", 500)}}), "too-large-to-scan"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s, err := secrets.New(secrets.Config{Budget: tc.budget})
			if err != nil {
				t.Fatal(err)
			}
			if got := rules(s.Scan(tc.object)); got != tc.want {
				t.Errorf("%s\nScan(...): rules %q, want %q", tc.reason, got, tc.want)
			}
		})
	}
}

func TestMoreThanAreListed(t *testing.T) {
	values := map[string]any{}
	for i := range 50 {
		values[fmt.Sprintf("db%02dPassword", i)] = "hunter2"
	}
	s := newScanner(t)
	first := s.Scan(secrets.Of(values))
	if len(first) != 21 || first[20].Class != secrets.ClassMore || first[19].Path[0] != "db19Password" {
		t.Errorf("want the first 20 by path, and one that says more; got:\n%s", strings.Join(found(first), "\n"))
	}
	for range 20 {
		if diff := cmp.Diff(first, s.Scan(secrets.Of(values))); diff != "" {
			t.Fatalf("The order of a map changes what is listed: -first, +again:\n%s", diff)
		}
	}
	text := strings.Repeat("password=hunter2\n", 100)
	if got := s.Scan(configMap("file", text)); len(got) != 21 || got[20].Class != secrets.ClassMore {
		t.Errorf("A text of many has %d findings, want 21", len(got))
	}
}

func TestConcurrentScans(t *testing.T) {
	s := newScanner(t)
	object := configMap("file", "a: 1\ndb:\n  password: hunter2\n  token: "+token+"\n")
	want := found(s.Scan(object))
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				if diff := cmp.Diff(want, found(s.Scan(object))); diff != "" {
					t.Errorf("Scans at once differ: -want, +got:\n%s", diff)
				}
			}
		})
	}
	group.Wait()
}

// TestNothingOfAValue holds findings to repeating no secret in any field.
func TestNothingOfAValue(t *testing.T) {
	s := newScanner(t)
	for _, text := range []string{
		token + "=" + token, "password: " + random, `{"` + random + `":"` + token + `"}`, random + ":\n  password: hunter2\n", "[" + token + "]\npassword=" + random,
		"https://app:" + random + "@db", random + "=" + token, "a " + token + ": " + jwt, "name: " + token + "\nvalue: " + token, `{"name":"` + random + `_password","value":"hunter2"}`,
	} {
		for _, object := range []secrets.Node{configMap("f", text), configMap(text, text), env(text, text), applied(`{"` + token + `":"` + token + `"}`)} {
			for _, f := range s.Scan(object) {
				for _, value := range []string{token, random, jwt, "hunter2"} {
					if strings.Contains(fmt.Sprint(f), value[:7]) {
						t.Errorf("%q: a finding has a part of a value: %v", text, f)
					}
				}
			}
		}
	}
}
