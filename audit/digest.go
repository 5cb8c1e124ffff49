package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/lintel-policy/lintel/report"
)

// A digest is the same for what is the same, and for nothing else.
type digest [sha256.Size]byte

// A text collects what a digest is of.
type text []byte

func (t *text) add(parts ...string) {
	for _, part := range parts {
		*t = append(binary.AppendUvarint(*t, uint64(len(part))), part...)
	}
}

func (t *text) addBool(b bool) {
	if b {
		*t = append(*t, 1)
	} else {
		*t = append(*t, 0)
	}
}

func (t text) digest() digest { return sha256.Sum256(t) }

// digestOf returns the digest of violations, and about how many bytes they have.
func digestOf(violations []report.Violation) (digest, int) {
	var t text
	for i := range violations {
		v := &violations[i]
		t.add(v.Policy, string(v.Enforcement), string(v.Severity), v.Message, v.Path.String(), v.Subject, v.Fix, string(v.Details))
		t.addBool(v.Existing)
		t.addBool(v.Controlled)
		t = binary.AppendVarint(t, v.DeniedFrom.UnixNano())
	}
	return t.digest(), len(t)
}

// A sharer has what objects have in common, once: most of what is found of one is found
// of many.
type sharer struct {
	violations map[digest][]report.Violation
	patches    map[digest][]report.Patch
	lists      map[digest][]string
	texts      map[string]string
}

func newSharer() sharer {
	return sharer{map[digest][]report.Violation{}, map[digest][]report.Patch{}, map[digest][]string{}, map[string]string{}}
}

// take has an object use what there is already.
func (s *sharer) take(o *report.Object) {
	r := &o.Ref
	r.APIVersion, r.Kind, r.Namespace = s.text(r.APIVersion), s.text(r.Kind), s.text(r.Namespace)
	key, _ := digestOf(o.Violations)
	o.Violations = once(s.violations, key, o.Violations)
	o.Asked, o.Labels, o.Notes = s.list(o.Asked), s.list(o.Labels), s.list(o.Notes)
	var t text
	for _, p := range o.Patches {
		t.add(string(p.Mode), string(p.JSON))
		t = binary.AppendUvarint(t, uint64(len(p.Policies)))
		t.add(p.Policies...)
	}
	o.Patches = once(s.patches, t.digest(), o.Patches)
}

func (s *sharer) text(text string) string {
	if known, ok := s.texts[text]; ok {
		return known
	}
	s.texts[text] = text
	return text
}

func (s *sharer) list(list []string) []string {
	var t text
	t.add(list...)
	return once(s.lists, t.digest(), list)
}

// once returns the list that was there first, if one was.
func once[E any](known map[digest][]E, key digest, list []E) []E {
	if len(list) == 0 {
		return list
	}
	if have, ok := known[key]; ok {
		return have
	}
	known[key] = slices.Clip(list)
	return known[key]
}
