package audit

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/report"
)

// TestViolations puts and removes objects, and holds that whatever the limit is, the
// sums are exact, the namespaces with the most violations are told apart, and there are
// no more counts than that.
func TestViolations(t *testing.T) {
	dice := rand.New(rand.NewPCG(3, 4))
	b := &Background{store: newStore(1 << 30)}
	want := map[series]int{}
	for i := range 4000 {
		it := item{id: identity{Namespace: fmt.Sprintf("ns-%d", dice.IntN(1+i/100)), Name: fmt.Sprintf("map-%d", i%700)}}
		b.store.remove(it.kind, it.id)
		f := &Finding{Ref: engine.ObjectRef{Namespace: it.id.Namespace}}
		for range dice.IntN(4) {
			f.Violations = append(f.Violations, report.Violation{Violation: engine.Violation{
				Policy: fmt.Sprintf("policy-%d", dice.IntN(10)), Severity: []engine.Severity{engine.High, engine.Low}[dice.IntN(2)],
				Enforcement: []v1alpha1.Enforcement{v1alpha1.Deny, v1alpha1.Warn, v1alpha1.DryRun}[dice.IntN(3)],
			}})
		}
		b.store.put(it, nil, 10, f)
		if dice.IntN(5) == 0 {
			b.store.remove(it.kind, it.id)
		}
	}
	for _, sp := range b.store.spaces {
		for _, e := range sp.objects {
			for _, v := range e.found.Violations {
				want[series{v.Policy, v.Enforcement, v.Severity, e.found.Ref.Namespace}]++
			}
		}
	}
	if len(want) < 500 || !maps.Equal(want, b.store.counts) {
		t.Fatalf("%d counts, want %d", len(b.store.counts), len(want))
	}
	for _, limit := range []int{len(want), len(want) - 1, 300, 60, 59, 6, 1} {
		testLimit(t, b.Violations(limit), want, limit)
	}
}

func testLimit(t *testing.T, got []Count, want map[series]int, limit int) {
	t.Helper()
	if atMost := max(limit, 6); len(got) > atMost { // three enforcements of two severities
		t.Errorf("limit %d: %d counts", limit, len(got))
	}
	sums, sum := map[string]int{}, 0 // by namespace
	for s, n := range want {
		sums[s.namespace] += n
		sum += n
	}
	kept := map[string]int{}
	for _, c := range got {
		kept[c.Namespace] += c.Violations
		sum -= c.Violations
		if n := want[series{c.Policy, c.Enforcement, c.Severity, c.Namespace}]; c.Namespace != Other && n != c.Violations {
			t.Errorf("limit %d: %+v, want %d", limit, c, n)
		}
	}
	if sum != 0 {
		t.Errorf("limit %d: the sum differs by %d", limit, sum)
	}
	delete(kept, Other)
	for name, n := range kept {
		if n != sums[name] {
			t.Errorf("limit %d: namespace %s has %d, want %d", limit, name, n, sums[name])
		}
		delete(sums, name)
	}
	if len(kept) > 0 && len(sums) > 0 {
		least, most := slices.Min(slices.Collect(maps.Values(kept))), slices.Max(slices.Collect(maps.Values(sums)))
		if least < most {
			t.Errorf("limit %d: a namespace with %d violations is told apart, and one with %d is not", limit, least, most)
		}
	}
	if limit == 300 && (len(kept) == 0 || len(kept) == 40) {
		t.Errorf("limit %d: %d namespaces are told apart", limit, len(kept))
	}
}
