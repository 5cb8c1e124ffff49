package plan

import (
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A document is a place in [Data] that has not been read yet: a plan goes down from
// data step by step, and only what it comes to is worth reading. It is in variables
// alone, and never a part of a value.
type document struct {
	ast.Value // none: a document is no value
	data      Data
	path      []string
}

// rootOf returns data as a whole.
func rootOf(data Data) *ast.Term { return &ast.Term{Value: &document{data: data}} }

func isRoot(t *ast.Term) bool {
	if t == nil {
		return false
	}
	d, ok := t.Value.(*document)
	return ok && len(d.path) == 0
}

// below returns the document under a key, nil if there can be none.
func (d *document) below(key *ast.Term) *ast.Term {
	var step string
	switch k := key.Value.(type) {
	case ast.String:
		step = string(k)
	case ast.Number:
		step = string(k)
	default:
		return nil
	}
	return &ast.Term{Value: &document{data: d.data, path: append(d.path[:len(d.path):len(d.path)], step)}}
}

// keyOf returns a text that no other path has: a step may have any character in it.
func keyOf(path []string) string {
	var b strings.Builder
	for _, step := range path {
		b.WriteString(strconv.Itoa(len(step)))
		b.WriteByte(':')
		b.WriteString(step)
	}
	return b.String()
}

// forced returns the value of t, which may be a document; nil if it is undefined.
func (s *state) forced(t *ast.Term) *ast.Term {
	d, ok := t.Value.(*document)
	if !ok {
		return t
	}
	key := keyOf(d.path)
	if v, ok := s.documents[key]; ok {
		return v
	}
	var value *ast.Term
	if d.data != nil {
		if v := d.data.Read(d.path); v != nil {
			value = ast.NewTerm(v)
		}
	}
	if value == nil && len(d.path) == 0 {
		value = ast.ObjectTerm()
	}
	if s.documents == nil {
		s.documents = map[string]*ast.Term{}
	}
	s.documents[key] = value
	return value
}
