package splice

import (
	"encoding/json"
	"slices"
	"strconv"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
)

// patched returns an object with a patch applied.
func patched(object []byte, ops []Operation) ([]byte, error) {
	data, err := json.Marshal(ops)
	if err != nil {
		return nil, err
	}
	p, err := jsonpatch.DecodePatch(data)
	if err != nil {
		return nil, err
	}
	return p.Apply(object)
}

// A place is where an object stands in a document.
type place struct {
	path  []string
	node  *node
	value any
	taken bool
}

// objectsOf appends the objects of n to places: itself, or the items of a list and
// of lists in it.
func objectsOf(places []place, n *node, value any, path []string) []place {
	o, isObject := value.(object)
	if !isObject || n.kind != mapping {
		return places
	}
	items, _ := o.get("items")
	list, isList := items.([]any)
	if !isList {
		return append(places, place{path: path, node: n, value: value})
	}
	i := n.find("items")
	if i < 0 || n.kids[i].kind != sequence || len(n.kids[i].kids) != len(list) {
		return places
	}
	for k, kid := range n.kids[i].kids {
		places = objectsOf(places, kid, list[k], append(slices.Clone(path), "items", strconv.Itoa(k)))
	}
	return places
}

// isObject reports whether what a document has is the object that is looked for.
// Items of typed lists do not say what they are.
func isObject(have, want any) bool {
	if equal(have, want) {
		return true
	}
	h, isObject := have.(object)
	w, alike := want.(object)
	return isObject && alike && isUntyped(h) && equal(h, untyped(w))
}

// isUntyped reports whether o says neither its kind nor its version.
func isUntyped(o object) bool {
	_, kind := o.get("kind")
	_, version := o.get("apiVersion")
	return !kind && !version
}

func untyped(o object) object {
	return slices.DeleteFunc(slices.Clone(o), func(m member) bool { return m.key == "kind" || m.key == "apiVersion" })
}

// put returns v with the part at path replaced by the object. It keeps what the
// object of a typed list does not say.
func put(v any, path []string, o any) any {
	if len(path) == 0 {
		have, _ := v.(object)
		if want, ok := o.(object); ok && isUntyped(have) {
			return untyped(want)
		}
		return o
	}
	switch v := v.(type) {
	case object:
		out := slices.Clone(v)
		for i := range out {
			if out[i].key == path[0] {
				out[i].value = put(out[i].value, path[1:], o)
			}
		}
		return out
	case []any:
		out := slices.Clone(v)
		if i, err := strconv.Atoi(path[0]); err == nil && i < len(out) {
			out[i] = put(out[i], path[1:], o)
		}
		return out
	}
	return v
}
