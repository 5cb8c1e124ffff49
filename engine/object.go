package engine

import (
	"errors"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
)

// An Object is one decoded object, for an inventory or as the namespace of a
// [Request]. It never changes.
type Object struct {
	term    *ast.Term
	managed string // its managedFields, as JSON
}

// DecodeObject reads one object from JSON. The data of a Secret is left out.
func DecodeObject(data []byte) (*Object, error) {
	d := newDecoder(string(data))
	term, err := d.document(manifest)
	if err != nil {
		return nil, fmt.Errorf("decode object: %w", err)
	}
	if _, ok := term.Value.(ast.Object); !ok {
		return nil, errors.New("decode object: not a JSON object")
	}
	return &Object{term: withoutSecretData(term), managed: d.managed}, nil
}

// Ref names the object.
func (o *Object) Ref() ObjectRef {
	name, _ := textAt(o.term, "metadata", "name")
	namespace, _ := textAt(o.term, "metadata", "namespace")
	apiVersion, _ := textAt(o.term, "apiVersion")
	kind, _ := textAt(o.term, "kind")
	return ObjectRef{APIVersion: apiVersion, Kind: kind, Namespace: namespace, Name: name}
}

// Labels returns the labels of the object. The caller may change them.
func (o *Object) Labels() map[string]string { return labelsOf(o.term) }

// child returns the value of key in t, nil where t is no object or lacks it.
func child(t *ast.Term, key string) *ast.Term {
	if t == nil {
		return nil
	}
	obj, ok := t.Value.(ast.Object)
	if !ok {
		return nil
	}
	k, ok := knownTerms[key]
	if !ok {
		k = ast.StringTerm(key)
	}
	return obj.Get(k)
}

// at returns the value at keys below t, nil where there is none.
func at(t *ast.Term, keys ...string) *ast.Term {
	for _, key := range keys {
		t = child(t, key)
	}
	return t
}

// textAt returns the string at keys below t.
func textAt(t *ast.Term, keys ...string) (string, bool) {
	t = at(t, keys...)
	if t == nil {
		return "", false
	}
	s, ok := t.Value.(ast.String)
	return string(s), ok
}

// isPresent reports whether t is there and not null.
func isPresent(t *ast.Term) bool {
	return t != nil && ast.InternedNullTerm.Value.Compare(t.Value) != 0
}

// labelsOf returns the labels of the object t.
func labelsOf(t *ast.Term) map[string]string {
	labels := map[string]string{}
	if obj, ok := valueOf[ast.Object](at(t, "metadata", "labels")); ok {
		obj.Foreach(func(k, v *ast.Term) {
			key, isKey := k.Value.(ast.String)
			value, isText := v.Value.(ast.String)
			if isKey && isText {
				labels[string(key)] = string(value)
			}
		})
	}
	return labels
}

// valueOf returns the value of t as a V.
func valueOf[V ast.Value](t *ast.Term) (V, bool) {
	var none V
	if t == nil {
		return none, false
	}
	v, ok := t.Value.(V)
	return v, ok
}

// lastApplied is where kubectl keeps a copy of the whole object.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// withoutSecretData returns t, and a Secret without its data and the copy of it
// that kubectl keeps in an annotation: no policy can repeat what it never sees.
func withoutSecretData(t *ast.Term) *ast.Term {
	kind, _ := textAt(t, "kind")
	apiVersion, _ := textAt(t, "apiVersion")
	if kind != "Secret" || apiVersion != "v1" {
		return t
	}
	t = without(t, "data", "stringData")
	meta := child(t, "metadata")
	if annotations := child(meta, "annotations"); child(annotations, lastApplied) != nil {
		meta = with(meta, "annotations", without(annotations, lastApplied))
		t = with(t, "metadata", meta)
	}
	return t
}

// with returns the object t with key set to value.
func with(t *ast.Term, key string, value *ast.Term) *ast.Term {
	members := membersExcept(t, key)
	return ast.ObjectTerm(append(members, [2]*ast.Term{ast.StringTerm(key), value})...)
}

// without returns the object t without keys.
func without(t *ast.Term, keys ...string) *ast.Term {
	return ast.ObjectTerm(membersExcept(t, keys...)...)
}

// membersExcept returns the members of the object t but those named keys. What
// is no object has none.
func membersExcept(t *ast.Term, keys ...string) [][2]*ast.Term {
	obj, ok := valueOf[ast.Object](t)
	if !ok {
		return nil
	}
	members := make([][2]*ast.Term, 0, obj.Len()+1)
	obj.Foreach(func(k, v *ast.Term) {
		for _, key := range keys {
			if k.Value.Compare(ast.String(key)) == 0 {
				return
			}
		}
		members = append(members, [2]*ast.Term{k, v})
	})
	return members
}

// MarshalJSON returns the object as policies see it.
func (o *Object) MarshalJSON() ([]byte, error) { return encode(o.term.Value) }
