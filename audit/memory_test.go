package audit

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/report"
)

// breaks is a finding of an object that breaks a policy.
func breaks(policy, message string) *Finding {
	return &Finding{Violations: []report.Violation{{Violation: engine.Violation{Policy: policy, Message: message, Path: engine.Path{"spec", 0}}}}}
}

// TestHoard keeps the same list once, however many objects have it, leaves out texts and
// nothing else where there is no room, and is empty when all is given up.
func TestHoard(t *testing.T) {
	t.Parallel()
	h := newHoard(100_000)
	long := strings.Repeat("x", 1000)
	var taken []*Finding
	for i := range 5000 {
		f := breaks("a", fmt.Sprint(i%10, long))
		h.take(f)
		taken = append(taken, f)
	}
	if len(h.lists) != 10 || h.size > 40_000 || h.cut != 0 {
		t.Errorf("of ten lists it keeps %d, in %d bytes, %d cut", len(h.lists), h.size, h.cut)
	}
	for i := range 5000 {
		f := breaks(fmt.Sprint("b", i%3), fmt.Sprint("only once ", i, long))
		h.take(f)
		taken = append(taken, f)
	}
	if h.size > h.limit || h.cut < 4900 || len(h.lists) > 100 {
		t.Errorf("%d bytes of %d, %d cut, %d lists", h.size, h.limit, h.cut, len(h.lists))
	}
	last := taken[len(taken)-1].Violations
	if len(last) != 1 || last[0].Policy != "b1" || last[0].Message != leftOut {
		t.Errorf("what there is no room for: %+v", last)
	}
	if h.hasRoom() {
		t.Error("a full hoard has room")
	}
	rand.Shuffle(len(taken), func(i, k int) { taken[i], taken[k] = taken[k], taken[i] })
	for _, f := range taken[:9990] {
		h.drop(f)
	}
	if h.cut > 0 && !h.hasRoom() {
		t.Errorf("there is no room in %d bytes of %d", h.size, h.limit)
	}
	for _, f := range taken[9990:] {
		h.drop(f)
	}
	if h.size != 0 || h.cut != 0 || len(h.lists)+len(h.places) != 0 {
		t.Errorf("when all is given up: %d bytes, %d cut, %d lists, %d places", h.size, h.cut, len(h.lists), len(h.places))
	}
}

// TestStoreForgets keeps nothing of objects that are gone, whatever was found of them.
func TestStoreForgets(t *testing.T) {
	t.Parallel()
	kind, other := Kind{Resource: "a", Namespaced: true}, Kind{Resource: "b", Namespaced: true}
	s := newStore(1 << 20)
	s.limit = 100
	put := func(i, version int) {
		k := kind
		if i%2 == 1 {
			k = other
		}
		id := identity{Namespace: fmt.Sprint("n", i%3), Name: fmt.Sprint(i), ResourceVersion: fmt.Sprint(version)}
		s.put(item{kind: k, id: id}, nil, 0, breaks("a", fmt.Sprint(i, version)))
	}
	for version := range 3 {
		for i := range 110 {
			put(i, version)
		}
	}
	if s.size != 100 || s.unkept[kind]+s.unkept[other] != 30 {
		t.Errorf("%d objects, and no room for %v", s.size, s.unkept)
	}
	if got := len(s.found.lists); got != 100 {
		t.Errorf("what was found of 100 objects are %d lists", got)
	}
	for i := 0; i < 110; i += 4 {
		s.remove(kind, identity{Namespace: fmt.Sprint("n", i%3), Name: fmt.Sprint(i)})
	}
	s.forget(kind)
	s.forget(other)
	s.takeChanged()
	if diff := cmp.Diff(0, s.size+len(s.spaces)+len(s.unkept)+len(s.found.lists)+len(s.found.places)+s.found.size); diff != "" {
		t.Errorf("something is left: %s\n%+v", diff, s)
	}
}

// TestShares tells of all namespaces anew where the room is shared by so many more that
// each report has less, and of no others where it has not.
func TestShares(t *testing.T) {
	t.Parallel()
	s := newStore(1 << 20)
	put := func(namespace int) {
		id := identity{Namespace: fmt.Sprint(namespace), Name: "a", ResourceVersion: "1"}
		s.put(item{kind: Kind{Resource: "a", Namespaced: true}, id: id}, nil, 0, breaks("a", "b"))
	}
	for i, step := range []struct{ from, to, want int }{{0, 2, 2}, {2, 3, 1}, {3, 10, 10}, {10, 200, 200}, {200, 210, 10}} {
		for n := step.from; n < step.to; n++ {
			put(n)
		}
		if got := len(s.takeChanged()); got != step.want {
			t.Errorf("step %d: %d namespaces are told of, want %d", i, got, step.want)
		}
	}
}
