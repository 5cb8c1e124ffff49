package audit

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/report"
)

// A Finding is what is known of one object.
type Finding struct {
	Ref engine.ObjectRef
	// Asked is how many policies judged it.
	Asked int
	// Violations are the worst, at least one of each policy, and Left is how many more
	// there are: an object can have tens of thousands.
	Violations []report.Violation
	Left       int
	// Errors are the policies that could not decide.
	Errors  []*engine.PolicyError
	Excused []engine.Excuse
	// Err says why it could not be judged at all; nil if it was.
	Err error
	// Since is when this was found first.
	Since time.Time
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

func newStore() store { return store{spaces: map[string]*space{}} }

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

// put keeps what was found of an object.
func (s *store) put(it item, ns *engine.Object, o report.Object, now time.Time) {
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
	e := entry{version: it.id.ResourceVersion, pass: it.pass, asked: len(o.Asked)}
	if len(o.Violations)+len(o.Errors)+len(o.Excused) > 0 || o.Err != nil {
		e.found = &Finding{Ref: o.Ref, Asked: len(o.Asked), Errors: o.Errors, Excused: o.Excused, Err: o.Err, Since: now}
		e.found.Violations, e.found.Left = worst(o.Violations)
	}
	if before.asked == e.asked && isSame(before.found, e.found) {
		e.found = before.found // so that Since stays
	} else {
		sp.changed = true
	}
	*before = e
}

// maxKept is how many violations are kept of an object, as a rule. A report has room for
// some five hundred results.
const maxKept = 100

// worst returns the violations of an object that are kept, with texts as long as a report
// shows them, and how many are not. They are sorted, the worst first.
func worst(all []report.Violation) (kept []report.Violation, left int) {
	type judged struct {
		policy      string
		enforcement v1alpha1.Enforcement
	}
	known := map[judged]bool{}
	for i, v := range all {
		of := judged{v.Policy, v.Enforcement}
		if i < maxKept || !known[of] {
			v.Message, v.Subject, v.Fix, v.Path = shortened(v.Message, maxText), shortened(v.Subject, maxName), shortened(v.Fix, maxText), slices.Clone(v.Path)
			for k, step := range v.Path {
				if name, ok := step.(string); ok {
					v.Path[k] = shortened(name, maxName)
				}
			}
			kept = append(kept, v)
		}
		known[of] = true
	}
	return kept, len(all) - len(kept)
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
	sp := s.spaces[id.Namespace]
	if sp == nil || sp.objects[place{kind, id.Name}] == nil {
		return
	}
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
func (s *store) forget(kind Kind) { s.keep(kind, nil) }

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

// takeChanged returns what has changed since it was last called. A namespace in which
// nothing is left is forgotten with that.
func (s *store) takeChanged() []Space {
	var changed []Space
	spaces := s.withFindings()
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
