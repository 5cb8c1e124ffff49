package splice

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// An Operation is one of an RFC 6902 patch.
type Operation struct {
	Op    string          `json:"op"` // add, remove or replace
	Path  string          `json:"path"`
	Value json.RawMessage `json:"value,omitempty"`
}

// ErrDefaulted reports a patch of a list that the file does not have: it is there
// only because the API server adds it.
var ErrDefaulted = errors.New("is a list that the API server adds, or changes, by itself")

// Diff returns the patch of source that has the effect on it which was had on
// defaulted, the same object with what the API server adds and leaves out, when
// patched was made of it. Nothing that the API server adds is in the patch.
//
// Items of lists are told apart by their names where they have some, so that an
// item that was put in between changes no other.
func Diff(source, defaulted, patched []byte) ([]Operation, error) {
	var values [3]any
	for i, data := range [][]byte{source, defaulted, patched} {
		v, err := decode(data)
		if err != nil {
			return nil, fmt.Errorf("compare objects: %w", err)
		}
		values[i] = v
	}
	m := merger{}
	wanted := m.merge("", values[0], values[1], values[2])
	if m.err != nil {
		return nil, m.err
	}
	return difference(nil, "", values[0], wanted), nil
}

// A merger makes of a source what patching made of it with defaults.
type merger struct{ err error }

// merge returns what is to become of s, which is before with defaults, if before
// became after. A missing value is nil.
func (m *merger) merge(path string, s, before, after any) any {
	if equal(before, after) {
		return s
	}
	switch after := after.(type) {
	case object:
		source, isObject := s.(object)
		if before, ok := before.(object); ok && (isObject || s == nil && isSubset(before, after)) {
			return m.object(path, source, before, after)
		}
	case []any:
		source, isList := s.([]any)
		if before, ok := before.([]any); ok && (isList || s == nil) {
			return m.list(path, source, before, after)
		}
	}
	return after
}

// isSubset reports whether b has all keys of a. What lacks some of a default is
// written in full: they would be set again.
func isSubset(a, b object) bool {
	for _, f := range a {
		if _, ok := b.get(f.key); !ok {
			return false
		}
	}
	return true
}

func (m *merger) object(path string, s, before, after object) object {
	out := object{}
	for _, f := range s {
		was, had := before.get(f.key)
		now, has := after.get(f.key)
		switch {
		case !had && !has: // what the API server does not know
			out = append(out, f)
		case has:
			out = append(out, member{f.key, m.merge(path+"/"+escape(f.key), f.value, was, now)})
		}
	}
	for _, f := range after {
		if _, there := s.get(f.key); there {
			continue
		}
		was, had := before.get(f.key)
		if had && equal(was, f.value) {
			continue // a default
		}
		out = append(out, member{f.key, m.merge(path+"/"+escape(f.key), nil, was, f.value)})
	}
	return out
}

func (m *merger) list(path string, s, before, after []any) []any {
	if len(s) != len(before) {
		m.err = fmt.Errorf("%s %w", path, ErrDefaulted)
		return s
	}
	from := make([]int, len(after)) // the item that each was before, -1 if none
	for i := range from {
		from[i] = -1
	}
	for _, p := range align(before, after) {
		from[p[1]] = p[0]
	}
	out := make([]any, len(after))
	for j, item := range after {
		if i := from[j]; i >= 0 {
			item = m.merge(path+"/"+strconv.Itoa(i), s[i], before[i], item)
		}
		out[j] = item
	}
	return out
}

// difference appends to ops what makes b of a, both of which are at path.
func difference(ops []Operation, path string, a, b any) []Operation {
	if equal(a, b) {
		return ops
	}
	switch b := b.(type) {
	case object:
		if a, ok := a.(object); ok {
			return objectDifference(ops, path, a, b)
		}
	case []any:
		if a, ok := a.([]any); ok {
			return listDifference(ops, path, a, b)
		}
	}
	return append(ops, withValue("replace", path, b))
}

func objectDifference(ops []Operation, path string, a, b object) []Operation {
	for _, f := range a {
		if _, ok := b.get(f.key); !ok {
			ops = append(ops, Operation{Op: "remove", Path: path + "/" + escape(f.key)})
		}
	}
	for _, f := range slices.SortedFunc(slices.Values(b), func(x, y member) int { return strings.Compare(x.key, y.key) }) {
		below := path + "/" + escape(f.key)
		if was, ok := a.get(f.key); ok {
			ops = difference(ops, below, was, f.value)
		} else {
			ops = append(ops, withValue("add", below, f.value))
		}
	}
	return ops
}

// listDifference changes items first, and then removes and adds from the end to the
// beginning, so that no index is shifted before it is used.
func listDifference(ops []Operation, path string, a, b []any) []Operation {
	pairs := align(a, b)
	for _, p := range pairs {
		ops = difference(ops, path+"/"+strconv.Itoa(p[0]), a[p[0]], b[p[1]])
	}
	endA, endB := len(a), len(b)
	for k := len(pairs) - 1; k >= -1; k-- {
		startA, startB := 0, 0
		if k >= 0 {
			startA, startB = pairs[k][0]+1, pairs[k][1]+1
		}
		for i := endA - 1; i >= startA; i-- {
			ops = append(ops, Operation{Op: "remove", Path: path + "/" + strconv.Itoa(i)})
		}
		for j := startB; j < endB; j++ {
			ops = append(ops, withValue("add", path+"/"+strconv.Itoa(startA+j-startB), b[j]))
		}
		endA, endB = startA-1, startB-1
	}
	return ops
}

// withValue returns an operation with a value. The order of its fields is that of
// their names: whoever patched had none in mind.
func withValue(op, path string, v any) Operation {
	return Operation{Op: op, Path: path, Value: json.RawMessage(encode(sorted(v), ":", ","))}
}

func sorted(v any) any {
	switch v := v.(type) {
	case object:
		out := make(object, len(v))
		for i, m := range v {
			out[i] = member{m.key, sorted(m.value)}
		}
		slices.SortFunc(out, func(a, b member) int { return strings.Compare(a.key, b.key) })
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = sorted(v[i])
		}
		return out
	}
	return v
}

// maxAligned bounds the table that aligning two lists takes.
const maxAligned = 1 << 20

// align returns which items of a and b are the same one, as pairs of indexes in
// ascending order: equal ones, those of one name, and between those, where as
// many are left on both sides, one after the other.
func align(a, b []any) [][2]int {
	var pairs [][2]int
	start := 0
	for start < min(len(a), len(b)) && isSame(a[start], b[start]) {
		pairs = append(pairs, [2]int{start, start})
		start++
	}
	end := 0
	for end < min(len(a), len(b))-start && isSame(a[len(a)-1-end], b[len(b)-1-end]) {
		end++
	}
	midA, midB := a[start:len(a)-end], b[start:len(b)-end]
	if len(midA)*len(midB) <= maxAligned {
		for _, p := range common(midA, midB) {
			pairs = append(pairs, [2]int{start + p[0], start + p[1]})
		}
	}
	for k := end; k > 0; k-- {
		pairs = append(pairs, [2]int{len(a) - k, len(b) - k})
	}
	return fill(pairs, len(a), len(b))
}

// fill pairs what is left between pairs where it is as many on both sides.
func fill(pairs [][2]int, lenA, lenB int) [][2]int {
	var out [][2]int
	nextA, nextB := 0, 0
	for _, p := range append(pairs, [2]int{lenA, lenB}) {
		if p[0]-nextA == p[1]-nextB {
			for ; nextA < p[0]; nextA, nextB = nextA+1, nextB+1 {
				out = append(out, [2]int{nextA, nextB})
			}
		}
		if p[0] < lenA {
			out = append(out, p)
		}
		nextA, nextB = p[0]+1, p[1]+1
	}
	return out
}

// common returns a longest common subsequence.
func common(a, b []any) [][2]int {
	width := len(b) + 1
	length := make([]int32, (len(a)+1)*width)
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if isSame(a[i], b[j]) {
				length[i*width+j] = length[(i+1)*width+j+1] + 1
			} else {
				length[i*width+j] = max(length[(i+1)*width+j], length[i*width+j+1])
			}
		}
	}
	var pairs [][2]int
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case isSame(a[i], b[j]):
			pairs = append(pairs, [2]int{i, j})
			i, j = i+1, j+1
		case length[(i+1)*width+j] >= length[i*width+j+1]:
			i++
		default:
			j++
		}
	}
	return pairs
}

// isSame reports whether two items are the same one: equal, or of one name.
func isSame(a, b any) bool {
	objectA, okA := a.(object)
	objectB, okB := b.(object)
	if okA && okB {
		nameA, hasA := objectA.get("name")
		nameB, hasB := objectB.get("name")
		if hasA && hasB {
			return equal(nameA, nameB)
		}
	}
	return equal(a, b)
}

var escaper = strings.NewReplacer("~", "~0", "/", "~1") //nolint:gochecknoglobals // never changed

// escape returns a key as a step of a JSON pointer.
func escape(key string) string { return escaper.Replace(key) }

var unescaper = strings.NewReplacer("~1", "/", "~0", "~") //nolint:gochecknoglobals // never changed

// Steps returns the keys of a JSON pointer.
func Steps(pointer string) []string {
	if pointer == "" {
		return nil
	}
	path := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for i := range path {
		path[i] = unescaper.Replace(path[i])
	}
	return path
}
