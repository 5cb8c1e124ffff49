package audit

import (
	"maps"
	"slices"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/report"
)

// A Finding is what is known of one object.
type Finding struct {
	Ref engine.ObjectRef
	// Violations are the worst, at least one of each policy, and Left is how many more
	// there are: an object can have tens of thousands.
	Violations []report.Violation
	Left       int
	left       map[series]int // which, without the namespace; nil if there are none
	// Errors are the policies that could not decide.
	Errors  []*engine.PolicyError
	Excused []engine.Excuse
	// Err says why it could not be judged at all; nil if it was.
	Err error
	// Since is when this was found first.
	Since time.Time
	// UID is the object's, and Owner the controller that it says it belongs to; nil
	// without one.
	UID   types.UID
	Owner *metav1.OwnerReference
	// Times are when it was made and changed, as far as the API server keeps that.
	Times []time.Time
	// Opened is the last time that the gate was open in which it was made or changed;
	// none if it was not.
	Opened Window
}

// newFinding returns what there is to tell of an object, nil if there is nothing.
func newFinding(o *report.Object, object []byte, now time.Time) *Finding {
	if len(o.Violations)+len(o.Errors)+len(o.Excused) == 0 && o.Err == nil {
		return nil
	}
	s := stampsOf(object)
	f := &Finding{
		Ref: o.Ref, Errors: o.Errors, Excused: o.Excused, Err: o.Err, Since: now,
		UID: s.uid, Owner: s.owner, Times: s.times,
	}
	f.Violations, f.left = worst(o.Violations)
	for _, n := range f.left {
		f.Left += n
	}
	return f
}

// A Space is what is known of a namespace.
type Space struct {
	// Namespace is "" for what is in none.
	Namespace string
	// Objects is how many are known, and Asked how often a policy judged one.
	Objects, Asked int
	// Spaces is in how many namespaces there are findings, this one included.
	Spaces int
	// Findings are of the objects of which there is something to tell, by kind and name.
	Findings []Finding
}

// A key tells objects of a kind apart.
type key struct{ namespace, name string }

func (id identity) key() key { return key{id.Namespace, id.Name} }

// seen are the objects of a kind that a list has.
type seen map[key]bool

// A store has what is known of objects, by namespace. What is found of most is nothing,
// which takes little room.
type store struct {
	spaces map[string]*space
	size   int // of all
	limit  int // of size
	found  hoard
	told   int            // in how many namespaces there were findings when that was last told
	unkept map[Kind]int   // objects that came when there was no more room
	counts map[series]int // of violations; none is 0
	errors int            // of policies that could not decide, and of objects that could not be judged
}

// A space is one namespace; that of the name "" has what is in none.
type space struct {
	objects map[place]*entry
	// namespace is the Namespace that its objects were judged by, the oldest if by several.
	namespace *engine.Object
	changed   bool // since it was last published
}

// A place is where an entry is found in its space.
type place struct {
	kind Kind
	name string
}

// An entry is what is known of an object in one version.
type entry struct {
	version string
	pass    int // of the follower; 0 if it is to be judged anew
	asked   int
	found   *Finding // nil if there is nothing to tell
}

// newStore returns a store that takes about so many bytes at most.
func newStore(memory int) store {
	return store{
		spaces: map[string]*space{}, limit: memory / 4 * 3 / perKnown, found: newHoard(memory / 4), unkept: map[Kind]int{}, counts: map[series]int{},
	}
}

// allUnkept is how many objects there was no room for.
func (s *store) allUnkept() int {
	n := 0
	for _, of := range s.unkept {
		n += of
	}
	return n
}

// hasRoom reports whether something was left out for which there is room now.
func (s *store) hasRoom() bool {
	return s.found.hasRoom() || s.allUnkept() > 0 && s.size < s.limit/4*3
}

// refresh reports whether an object is known in that version, as judged in that pass.
func (s *store) refresh(it item) bool {
	e, version := s.find(it.kind, it.id), it.id.ResourceVersion
	return e != nil && version != "" && (e.version == version && e.pass == it.pass || isNewer(e.version, version))
}

// isNewer reports whether a version of an object is newer than another. Versions are
// numbers that grow
// (https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions).
func isNewer(a, b string) bool {
	x, errX := strconv.ParseUint(a, 10, 64)
	y, errY := strconv.ParseUint(b, 10, 64)
	return errX == nil && errY == nil && x > y
}

func (s *store) find(kind Kind, id identity) *entry {
	if sp := s.spaces[id.Namespace]; sp != nil {
		return sp.objects[place{kind, id.Name}]
	}
	return nil
}

// put keeps what was found of an object, about which so many policies were asked, unless
// there is no more room for it.
func (s *store) put(it item, ns *engine.Object, asked int, found *Finding) {
	if s.size >= s.limit && s.find(it.kind, it.id) == nil {
		s.unkept[it.kind]++
		return
	}
	sp := s.spaces[it.id.Namespace]
	if sp == nil {
		sp = &space{objects: map[place]*entry{}, namespace: ns, changed: true}
		s.spaces[it.id.Namespace] = sp
	}
	at := place{it.kind, it.id.Name}
	before := sp.objects[at]
	if before == nil {
		before = &entry{}
		sp.objects[at] = before
		s.size++
	}
	if ns == nil {
		sp.namespace = nil // so that all is judged anew once it is known
	}
	s.found.take(found)
	s.found.drop(before.found)
	same := isSame(before.found, found)
	if !same || before.asked != asked || found != nil && found.Opened != before.found.Opened {
		sp.changed = true
	}
	if same && found != nil {
		found.Since = before.found.Since
	}
	s.count(before.found, -1)
	s.count(found, 1)
	*before = entry{version: it.id.ResourceVersion, pass: it.pass, asked: asked, found: found}
}

// maxKept is how many violations are kept of an object, as a rule. A report has room for
// some five hundred results.
const maxKept = 100

// worst returns the violations of an object that are kept, with texts as long as a report
// shows them, and counts those that are not. They are sorted, the worst first.
func worst(all []report.Violation) (kept []report.Violation, left map[series]int) {
	known := map[series]bool{}
	for i, v := range all {
		of := series{policy: v.Policy, enforcement: v.Enforcement, severity: v.Severity}
		if i < maxKept || !known[of] {
			v.Message, v.Subject, v.Fix, v.Path = shortened(v.Message, maxText), shortened(v.Subject, maxName), shortened(v.Fix, maxText), slices.Clone(v.Path)
			for k, step := range v.Path {
				if name, ok := step.(string); ok {
					v.Path[k] = shortened(name, maxName)
				}
			}
			kept = append(kept, v)
		} else {
			if left == nil {
				left = map[series]int{} // hardly any object has so many
			}
			left[of]++
		}
		known[of] = true
	}
	return kept, left
}

// isSame reports whether the same was found, whenever.
func isSame(a, b *Finding) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Left == b.Left && slices.EqualFunc(a.Violations, b.Violations, isSameViolation) && slices.Equal(a.Excused, b.Excused) &&
		slices.EqualFunc(a.Errors, b.Errors, func(x, y *engine.PolicyError) bool { return x.Error() == y.Error() && x.OnError == y.OnError }) &&
		(a.Err == nil) == (b.Err == nil) && (a.Err == nil || a.Err.Error() == b.Err.Error())
}

func isSameViolation(a, b report.Violation) bool {
	return a.Policy == b.Policy && a.Enforcement == b.Enforcement && a.Severity == b.Severity && a.Message == b.Message &&
		a.Subject == b.Subject && a.Path.Compare(b.Path) == 0
}

// remove forgets an object.
func (s *store) remove(kind Kind, id identity) {
	sp, e := s.spaces[id.Namespace], s.find(kind, id)
	if e == nil {
		return
	}
	s.found.drop(e.found)
	s.count(e.found, -1)
	delete(sp.objects, place{kind, id.Name})
	sp.changed = true
	s.size--
}

// keep forgets the objects of a kind that are not seen.
func (s *store) keep(kind Kind, seen seen) {
	for name, sp := range s.spaces {
		for at := range sp.objects {
			if at.kind == kind && !seen[key{name, at.name}] {
				s.remove(kind, identity{Namespace: name, Name: at.name})
			}
		}
	}
}

// forget forgets a kind.
func (s *store) forget(kind Kind) {
	s.keep(kind, nil)
	delete(s.unkept, kind)
}

// outdate has the objects of a kind in a namespace judged anew.
func (s *store) outdate(kind Kind, namespace string) {
	if sp := s.spaces[namespace]; sp != nil {
		for at, e := range sp.objects {
			if at.kind == kind {
				e.pass = 0
			}
		}
	}
}

// isOutdated reports whether the objects of a namespace were judged by another
// Namespace than ns, which is taken to be put right by that. One that is not known now is
// no other: it may be gone, or the API server may.
func (s *store) isOutdated(namespace string, ns *engine.Object) bool {
	sp := s.spaces[namespace]
	if sp == nil || ns == nil || sp.namespace == ns {
		return false
	}
	sp.namespace = ns
	return true
}

func (s *store) names() []string { return slices.Sorted(maps.Keys(s.spaces)) }

// mark has a namespace published once more.
func (s *store) mark(namespace string) {
	if s.spaces[namespace] == nil {
		s.spaces[namespace] = &space{objects: map[place]*entry{}}
	}
	s.spaces[namespace].changed = true
}

// takeChanged returns what has changed since it was last called, which is all where
// reports may be of another size now. A namespace in which nothing is left is forgotten
// with that.
func (s *store) takeChanged() []Space {
	var changed []Space
	spaces := s.withFindings()
	if reportLimit(spaces) != reportLimit(s.told) {
		for _, sp := range s.spaces {
			sp.changed = true
		}
	}
	s.told = spaces
	for _, name := range s.names() {
		if sp := s.spaces[name]; sp.changed {
			sp.changed = false
			known := s.space(name)
			known.Spaces = spaces
			changed = append(changed, known)
			if len(sp.objects) == 0 {
				delete(s.spaces, name)
			}
		}
	}
	return changed
}

// space returns what is known of a namespace.
func (s *store) space(namespace string) Space {
	known := Space{Namespace: namespace}
	sp := s.spaces[namespace]
	if sp == nil {
		return known
	}
	known.Objects = len(sp.objects)
	for _, e := range sp.objects {
		known.Asked += e.asked
		if e.found != nil {
			known.Findings = append(known.Findings, *e.found)
		}
	}
	slices.SortFunc(known.Findings, func(a, b Finding) int { return compareRefs(a.Ref, b.Ref) })
	return known
}

// withFindings returns in how many namespaces there are findings.
func (s *store) withFindings() int {
	n := 0
	for _, sp := range s.spaces {
		for _, e := range sp.objects {
			if e.found != nil {
				n++
				break
			}
		}
	}
	return n
}
