package secrets_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/lintel-policy/lintel/secrets"
)

var updatePage = flag.Bool("update", false, "write the table of ../docs/secrets.md anew")

// A labelled value is one that a person has judged, where a manifest has it.
type labelled struct {
	what  string
	at    place
	value string
}

// A tally counts, for one class, the secrets and the harmless values that look
// like them, and how many of each the scanner flags.
type tally struct{ secrets, found, harmless, flagged int }

func (t tally) plus(o tally) tally {
	return tally{t.secrets + o.secrets, t.found + o.found, t.harmless + o.harmless, t.flagged + o.flagged}
}

func (t tally) recall() float64    { return percent(t.found, t.secrets) }
func (t tally) precision() float64 { return percent(t.found, t.found+t.flagged) }
func (t tally) wrong() float64     { return percent(t.flagged, t.harmless) }

func percent(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return 100 * float64(part) / float64(whole)
}

// TestLabelled measures the scanner on values that were labelled by hand, and
// holds it to what docs/secrets.md promises.
func TestLabelled(t *testing.T) {
	tallies := measure(t)
	var all tally
	for _, one := range tallies {
		all = all.plus(one)
	}
	t.Logf("recall %.1f %%, precision %.1f %%, %.1f %% of the harmless flagged", all.recall(), all.precision(), all.wrong())
	if all.secrets < 170 || all.harmless < 330 {
		t.Errorf("the set has %d secrets and %d harmless values, want 170 and 330 or more", all.secrets, all.harmless)
	}
	if all.recall() < 90 {
		t.Errorf("found %d of %d secrets, want 90 %% or more", all.found, all.secrets)
	}
	if all.wrong() > 2 {
		t.Errorf("flagged %d of %d harmless values, want 2 %% or fewer", all.flagged, all.harmless)
	}
	checkPage(t, table(tallies, all))
}

// TestLabelledOnce keeps a value from being counted twice.
func TestLabelledOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, set := range []map[string][]labelled{labelledSecrets(), labelledHarmless()} {
		for class, cases := range set {
			for _, c := range cases {
				if name := class + ": " + c.what; seen[name] {
					t.Errorf("%s is there twice", name)
				} else {
					seen[name] = true
				}
			}
		}
	}
}

// TestLabelledUnsaid holds findings to say nothing of what they found. Rules are
// words of ours and a path may have the value's word in it by itself.
func TestLabelledUnsaid(t *testing.T) {
	scanner, err := secrets.New(secrets.Config{})
	if err != nil {
		t.Fatalf("New(...): %v", err)
	}
	for class, cases := range labelledSecrets() {
		for _, c := range cases {
			object, path := c.at(c.value)
			for _, f := range scanner.Scan(secrets.Of(object)) {
				if said := fmt.Sprint(f.Path, f.Key); strings.Contains(said, c.value) && !strings.Contains(fmt.Sprint(path), c.value) {
					t.Errorf("%s at %s of %s repeats the value", f.Rule, class, c.what)
				}
			}
		}
	}
}

// measure tells each miss by its description. It prints no value: a set like
// this one may hold a real one some day.
func measure(t *testing.T) map[string]tally {
	t.Helper()
	scanner, err := secrets.New(secrets.Config{})
	if err != nil {
		t.Fatalf("New(...): %v", err)
	}
	tallies := map[string]tally{}
	hidden, harmless := labelledSecrets(), labelledHarmless()
	for _, class := range classes() {
		one := tally{secrets: len(hidden[class]), harmless: len(harmless[class])}
		for _, c := range hidden[class] {
			object, path := c.at(c.value)
			if findings := scanner.Scan(secrets.Of(object)); slices.ContainsFunc(findings, at(path)) {
				one.found++
			} else {
				t.Logf("missed %s: %s (%s)", class, c.what, outline(findings))
			}
		}
		for _, c := range harmless[class] {
			object, _ := c.at(c.value)
			if findings := scanner.Scan(secrets.Of(object)); len(findings) > 0 {
				one.flagged++
				t.Logf("flagged %s: %s (%s)", class, c.what, outline(findings))
			}
		}
		tallies[class] = one
	}
	return tallies
}

func at(path []any) func(secrets.Finding) bool {
	return func(f secrets.Finding) bool { return reflect.DeepEqual(f.Path, path) }
}

// outline names rules and places, which hold no value.
func outline(findings []secrets.Finding) string {
	if len(findings) == 0 {
		return "nothing found"
	}
	var all []string
	for _, f := range findings {
		all = append(all, fmt.Sprintf("%s at %v", f.Rule, f.Path))
	}
	return strings.Join(all, ", ")
}

// table is what docs/secrets.md shows of a measurement.
func table(tallies map[string]tally, all tally) string {
	var b strings.Builder
	b.WriteString("| class | secrets | found | recall | harmless | flagged | precision |\n|---|---|---|---|---|---|---|\n")
	row := func(name string, t tally) {
		fmt.Fprintf(&b, "| %s | %d | %d | %.1f %% | %d | %d | %.1f %% |\n",
			name, t.secrets, t.found, t.recall(), t.harmless, t.flagged, t.precision())
	}
	for _, class := range classes() {
		row(class, tallies[class])
	}
	row("all", all)
	return b.String()
}

func classes() []string { return slices.Sorted(maps.Keys(labelledSecrets())) }

// checkPage compares the page's table with the one measured, or writes it.
func checkPage(t *testing.T, table string) {
	t.Helper()
	const page, start, end = "../docs/secrets.md", "<!-- measured -->\n", "<!-- /measured -->"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatalf("read the page: %v", err)
	}
	before, rest, ok := bytes.Cut(text, []byte(start))
	old, after, ended := bytes.Cut(rest, []byte(end))
	if !ok || !ended {
		t.Fatalf("%s has no %q … %q", page, start, end)
	}
	if string(old) == table {
		return
	}
	if !*updatePage {
		t.Errorf("the table of %s is not current; `go test ./secrets -run TestLabelled -update` writes\n%s", page, table)
		return
	}
	if err := os.WriteFile(page, fmt.Appendf(nil, "%s%s%s%s%s", before, start, table, end, after), 0o644); err != nil {
		t.Fatalf("write the page: %v", err)
	}
}
