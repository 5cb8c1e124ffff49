package audit

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/semaphore"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/report"
)

// How the memory of a Background is shared out: half is for what is being reviewed. Of
// the rest, three quarters are for what is known of objects, and one for what was found.
const (
	defaultMemory = 256 << 20
	// perKnown is what it takes to know an object and to have found something wrong with
	// it, in bytes, but for what is found, which objects share: its entry, its name, its
	// version and its place in a map that is half full.
	perKnown = 700
)

// A budget bounds what is reviewed at a time, by what [engine.Weight] says of it.
type budget struct {
	limit int64
	held  *semaphore.Weighted
}

func newBudget(limit int64) *budget { return &budget{limit, semaphore.NewWeighted(limit)} }

// take waits until there is room for an object, and returns what gives that back. It
// reports false for one for which there never is.
func (b *budget) take(ctx context.Context, object []byte) (release func(), fits bool) {
	weight := engine.Weight(object)
	if weight > b.limit {
		return func() {}, false
	}
	if b.held.Acquire(ctx, weight) != nil {
		return func() {}, true // ctx has ended, as whoever asked will see
	}
	return func() { b.held.Release(weight) }, true
}

// tooHeavy says why an object was not judged.
func (b *budget) tooHeavy() error {
	return fmt.Errorf("not judged: it would take more memory than the %d MiB that an audit has for one object", b.limit>>20)
}

// A hoard has what was found of objects, each list of violations once however many
// objects have it: replicas of one workload, and objects that lack the same.
type hoard struct {
	limit  int // of size, in bytes
	size   int
	lists  map[digest]*list
	places map[*report.Violation]*list // by where they begin
	// cut is how many findings have lost their texts.
	cut int
}

// A list is what was found of some objects.
type list struct {
	key        digest
	violations []report.Violation
	uses       int
	size       int  // in bytes, 0 for one that is always kept
	cut        bool // it is without texts
}

func newHoard(limit int) hoard {
	return hoard{limit: limit, lists: map[digest]*list{}, places: map[*report.Violation]*list{}}
}

// take has a finding use the list that is there already, if there is one. Where there is
// no more room, what it says is left out, but not which policies are broken.
func (h *hoard) take(f *Finding) {
	if f == nil || len(f.Violations) == 0 {
		return
	}
	l := h.find(f.Violations)
	if h.size+l.size > h.limit && l.uses == 0 {
		l = h.find(withoutTexts(f.Violations))
		l.cut, l.size = true, 0 // of those there are few
	}
	if l.uses == 0 {
		h.lists[l.key], h.places[&l.violations[0]] = l, l
		h.size += l.size
	}
	if l.uses++; l.cut {
		h.cut++
	}
	f.Violations = l.violations
}

// drop gives up a finding that was taken.
func (h *hoard) drop(f *Finding) {
	if f == nil || len(f.Violations) == 0 {
		return
	}
	l := h.places[&f.Violations[0]]
	if l.uses--; l.uses == 0 {
		delete(h.lists, l.key)
		delete(h.places, &l.violations[0])
		h.size -= l.size
	}
	if l.cut {
		h.cut--
	}
}

// hasRoom reports whether texts were left out and there is room for them now.
func (h *hoard) hasRoom() bool { return h.cut > 0 && h.size < h.limit/4*3 }

// find returns the list of violations, a new one that nobody uses if there is none.
func (h *hoard) find(violations []report.Violation) *list {
	key, length := digestOf(violations)
	if l := h.lists[key]; l != nil {
		return l
	}
	const perList, perViolation = 200, 350 // beside their texts
	return &list{key: key, violations: violations, size: perList + perViolation*len(violations) + length}
}

// leftOut is what is said of a violation whose texts are left out.
const leftOut = "what is wrong is not kept, as the memory of the audit is used up: lintel audit says it"

func withoutTexts(violations []report.Violation) []report.Violation {
	cut := make([]report.Violation, len(violations))
	for i, v := range violations {
		cut[i].Policy, cut[i].Enforcement, cut[i].Severity, cut[i].Message = v.Policy, v.Enforcement, v.Severity, leftOut
		cut[i].DeniedFrom = v.DeniedFrom
	}
	return slices.CompactFunc(cut, func(a, b report.Violation) bool {
		return a.Policy == b.Policy && a.Enforcement == b.Enforcement && a.Severity == b.Severity && a.DeniedFrom.Equal(b.DeniedFrom)
	})
}
