package policies_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/engine"
)

// places returns "policy path" for each violation, once and sorted, and the errors.
func places(d *engine.Decision) []string {
	var lines []string
	for _, v := range d.Violations {
		lines = append(lines, v.Policy+" "+v.Path.String())
	}
	for _, e := range d.Errors {
		lines = append(lines, "error: "+e.Error())
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// TestCompliantObjects asks that the policies find nothing in thousands of objects
// that are made to break none.
func TestCompliantObjects(t *testing.T) {
	set := library(t)
	for seed := range uint64(500) {
		o := newGenerator(seed).compliant()
		if diff := cmp.Diff([]string(nil), places(decide(t, set, o))); diff != "" {
			t.Fatalf("seed %d: nothing is wrong with it: -want, +got:\n%s\n%s", seed, diff, asJSON(t, o))
		}
	}
}

// checkBroken breaks an object in up to three places and holds the policies to
// what the oracle finds in it. It returns how much that is.
func checkBroken(t *testing.T, set *engine.Set, seed uint64) int {
	t.Helper()
	g := newGenerator(seed)
	o := g.compliant()
	var done []string
	for range 1 + g.IntN(3) {
		done = append(done, g.breakSomething(o))
	}
	want := expected(o)
	if diff := cmp.Diff(want, places(decide(t, set, o)), equateEmpty()); diff != "" {
		t.Fatalf("seed %d: %q: -want, +got:\n%s\n%s", seed, done, diff, asJSON(t, o))
	}
	m, err := set.Patch(t.Context(), request(t, o), nil)
	if err != nil || len(m.Errors) > 0 {
		t.Fatalf("seed %d: %q: Patch(...): %v, %v\n%s", seed, done, err, m.Errors, asJSON(t, o))
	}
	return len(want)
}

func equateEmpty() cmp.Option {
	return cmp.Transformer("clone", func(s []string) []string { return slices.Clone(append([]string{}, s...)) })
}

// TestBrokenObjects breaks thousands of objects at random, by null and by wrong
// types as well.
func TestBrokenObjects(t *testing.T) {
	set := library(t)
	const objects = 2000
	broken := 0
	for seed := range uint64(objects) {
		if checkBroken(t, set, seed) > 0 {
			broken++
		}
	}
	if broken < objects/4 {
		t.Errorf("only %d of %d objects are broken", broken, objects)
	}
}

// FuzzBrokenObjects is [TestBrokenObjects] with seeds from the fuzzer.
func FuzzBrokenObjects(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed)
	}
	set := library(f)
	f.Fuzz(func(t *testing.T, seed uint64) { checkBroken(t, set, seed) })
}
