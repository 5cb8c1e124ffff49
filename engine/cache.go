package engine

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// A ruleCache keeps the values of rules while one query is evaluated. It does
// what OPA's own does, without a map for each step of each reference, and it
// keeps what the library's rules yield, which depends on input.review alone, in a
// frame that all queries of an evaluation share.
type ruleCache struct {
	shared *frame
	own    frame
	pushed []*frame // by `with`, in which the input may be another
}

var _ topdown.VirtualCache = (*ruleCache)(nil)

// maxFew is how many values are searched one after another.
const maxFew = 16

// A frame has the values of rules: few in a list, many by their hash.
type frame struct {
	few  []ruleValue
	many map[int][]ruleValue
}

// A ruleValue is the value of a rule, nil where the rule is undefined.
type ruleValue struct {
	hash  int
	ref   ast.Ref
	value *ast.Term
}

func newRuleCache(shared *frame) *ruleCache { return &ruleCache{shared: shared} }

// libraryRef is the package of the shared library.
var libraryRef = ast.MustParseRef("data.lintel.workload") //nolint:gochecknoglobals // never changed

// frameFor returns the frame of ref. Nothing is shared below a `with`.
func (c *ruleCache) frameFor(ref ast.Ref) *frame {
	switch {
	case len(c.pushed) > 0:
		return c.pushed[len(c.pushed)-1]
	case len(ref) > len(libraryRef) && ref[:len(libraryRef)].Equal(libraryRef):
		return c.shared
	}
	return &c.own
}

// Get returns the value of ref, or that it is known to be undefined.
func (c *ruleCache) Get(ref ast.Ref) (*ast.Term, bool) {
	if v := c.frameFor(ref).find(ref, hashOf(ref)); v != nil {
		return v.value, v.value == nil
	}
	return nil, false
}

// Put keeps the value of ref, nil if it is undefined.
func (c *ruleCache) Put(ref ast.Ref, value *ast.Term) {
	frame, hash := c.frameFor(ref), hashOf(ref)
	if v := frame.find(ref, hash); v != nil {
		v.value = value
		return
	}
	frame.add(ruleValue{hash, slices.Clone(ref), value}) // OPA uses the slice again
}

// find returns what the frame has of ref, nil if nothing.
func (f *frame) find(ref ast.Ref, hash int) *ruleValue {
	values := f.few
	if f.many != nil {
		values = f.many[hash]
	}
	for i := range values {
		if values[i].hash == hash && equalRefs(values[i].ref, ref) {
			return &values[i]
		}
	}
	return nil
}

func (f *frame) add(v ruleValue) {
	if f.many == nil && len(f.few) < maxFew {
		f.few = append(f.few, v)
		return
	}
	if f.many == nil {
		f.many = make(map[int][]ruleValue, 2*maxFew)
		for _, v := range f.few {
			f.many[v.hash] = append(f.many[v.hash], v)
		}
		f.few = nil
	}
	f.many[v.hash] = append(f.many[v.hash], v)
}

// Push begins a frame.
func (c *ruleCache) Push() { c.pushed = append(c.pushed, &frame{}) }

// Pop ends the frame that began last.
func (c *ruleCache) Pop() { c.pushed = c.pushed[:len(c.pushed)-1] }

// Keys returns the references that the current frame has values of.
func (c *ruleCache) Keys() []ast.Ref {
	frame := &c.own
	if len(c.pushed) > 0 {
		frame = c.pushed[len(c.pushed)-1]
	}
	values := slices.Clone(frame.few)
	for _, more := range frame.many {
		values = append(values, more...)
	}
	var keys []ast.Ref
	for _, v := range values {
		if v.value != nil {
			keys = append(keys, v.ref)
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
