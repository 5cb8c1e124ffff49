package engine

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// A ruleCache keeps the values of rules while one query is evaluated. It does
// what OPA's own does with one map where that has one for each step of each
// reference, and it keeps what the library's rules yield, which depends on
// input.review alone, in a frame that all queries of an evaluation share.
type ruleCache struct {
	shared frame
	frames []frame // of the query itself; those above the first were pushed by `with`
}

// A frame has the values of rules by the hash of their reference.
type frame map[int][]ruleValue

// A ruleValue is the value of a rule, nil where the rule is undefined.
type ruleValue struct {
	ref   ast.Ref
	value *ast.Term
}

var _ topdown.VirtualCache = (*ruleCache)(nil)

func newFrame() frame { return frame{} }

func newRuleCache(shared frame) *ruleCache {
	return &ruleCache{shared: shared, frames: []frame{newFrame()}}
}

// libraryRef is the package of the shared library.
var libraryRef = ast.MustParseRef("data.lintel.workload")

// frameFor returns the frame of ref. Below a `with` the input may be another, so
// nothing is shared there.
func (c *ruleCache) frameFor(ref ast.Ref) frame {
	if len(c.frames) == 1 && len(ref) > len(libraryRef) && ref[:len(libraryRef)].Equal(libraryRef) {
		return c.shared
	}
	return c.frames[len(c.frames)-1]
}

// Get returns the value of ref, or that it is known to be undefined.
func (c *ruleCache) Get(ref ast.Ref) (*ast.Term, bool) {
	for _, v := range c.frameFor(ref)[hashOf(ref)] {
		if equalRefs(v.ref, ref) {
			return v.value, v.value == nil
		}
	}
	return nil, false
}

// Put keeps the value of ref, nil if it is undefined.
func (c *ruleCache) Put(ref ast.Ref, value *ast.Term) {
	frame, hash := c.frameFor(ref), hashOf(ref)
	for i, v := range frame[hash] {
		if equalRefs(v.ref, ref) {
			frame[hash][i].value = value
			return
		}
	}
	frame[hash] = append(frame[hash], ruleValue{slices.Clone(ref), value}) // OPA uses the slice again
}

// Push begins a frame.
func (c *ruleCache) Push() { c.frames = append(c.frames, newFrame()) }

// Pop ends the frame that began last.
func (c *ruleCache) Pop() { c.frames = c.frames[:len(c.frames)-1] }

// Keys returns the references that the current frame has values of.
func (c *ruleCache) Keys() []ast.Ref {
	var keys []ast.Ref
	for _, values := range c.frames[len(c.frames)-1] {
		for _, v := range values {
			if v.value != nil {
				keys = append(keys, v.ref)
			}
		}
	}
	return keys
}

func hashOf(ref ast.Ref) int {
	hash := len(ref)
	for _, step := range ref {
		hash = hash*31 + step.Value.Hash()
	}
	return hash
}

// equalRefs compares from the end, where references differ.
func equalRefs(a, b ast.Ref) bool {
	if len(a) != len(b) {
		return false
	}
	for i := len(a) - 1; i >= 0; i-- {
		if a[i] != b[i] && !a[i].Equal(b[i]) {
			return false
		}
	}
	return true
}
