package audit

import (
	"cmp"
	"maps"
	"slices"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// A Count is how many violations there are of one policy in one namespace.
type Count struct {
	Policy      string
	Enforcement v1alpha1.Enforcement
	Severity    engine.Severity
	Namespace   string // "" for what is in none
	Violations  int
}

// Other is in the place of the namespaces, or policies, that there is no room for in a
// number of counts. It can be the name of neither.
const Other = "_other"

// A series is what counts are told apart by.
type series struct {
	policy      string
	enforcement v1alpha1.Enforcement
	severity    engine.Severity
	namespace   string
}

// count counts what was found of an object n times, which is -1 to take it back.
func (s *store) count(f *Finding, n int) {
	if f == nil {
		return
	}
	s.errors += n * len(f.Errors)
	if f.Err != nil {
		s.errors += n
	}
	add := func(of series, n int) {
		of.namespace = f.Ref.Namespace
		if s.counts[of] += n; s.counts[of] == 0 {
			delete(s.counts, of)
		}
	}
	for _, v := range f.Violations {
		add(series{policy: v.Policy, enforcement: v.Enforcement, severity: v.Severity}, n)
	}
	for of, left := range f.left {
		add(of, n*left)
	}
}

// Violations counts what is known now. Where that would take more than limit counts,
// those of the namespaces with the fewest violations are summed up in [Other], and if
// that is not enough those of policies: the sum is exact.
func (b *Background) Violations(limit int) []Count {
	b.mu.Lock()
	counts := maps.Clone(b.store.counts)
	b.mu.Unlock()
	counts = fold(counts, limit, func(s *series) *string { return &s.namespace })
	counts = fold(counts, limit, func(s *series) *string { return &s.policy })
	var all []Count
	for s, n := range counts {
		all = append(all, Count{s.policy, s.enforcement, s.severity, s.namespace, n})
	}
	return all
}

// fold sums up the counts of the least by what of returns, until there are no more than
// limit, or all are summed up.
func fold(counts map[series]int, limit int, of func(*series) *string) map[series]int {
	if len(counts) <= limit {
		return counts
	}
	violations, own, others := map[string]int{}, map[string]int{}, map[series]bool{}
	for s, n := range counts {
		name := *of(&s)
		violations[name] += n
		own[name]++
		*of(&s) = Other
		others[s] = true
	}
	room := limit - len(others)
	kept := map[string]bool{}
	for _, name := range slices.SortedFunc(maps.Keys(own), func(a, b string) int {
		return cmp.Or(cmp.Compare(violations[b], violations[a]), cmp.Compare(a, b))
	}) {
		if room -= own[name]; room < 0 {
			break
		}
		kept[name] = true
	}
	folded := map[series]int{}
	for s, n := range counts {
		if name := of(&s); !kept[*name] {
			*name = Other
		}
		folded[s] += n
	}
	return folded
}
