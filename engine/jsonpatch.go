package engine

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// An operation is one of an RFC 6902 patch.
type operation struct {
	Op    string          `json:"op"`
	Path  string          `json:"path"`
	Value json.RawMessage `json:"value,omitempty"`
}

// encodePatch returns the RFC 6902 patch that makes b of a, nil if they are equal.
// It is made by comparing the two, so no operation of it can be left out.
func encodePatch(a, b *ast.Term) json.RawMessage {
	ops := difference(nil, "", a, b)
	if len(ops) == 0 {
		return nil
	}
	data, err := json.Marshal(ops)
	if err != nil {
		return nil // the values were decoded from JSON
	}
	return data
}

// difference appends to ops what makes b of a, both of which are at path.
func difference(ops []operation, path string, a, b *ast.Term) []operation {
	if a == b {
		return ops
	}
	objectA, isObjectA := valueOf[ast.Object](a)
	objectB, isObjectB := valueOf[ast.Object](b)
	if isObjectA && isObjectB {
		return objectDifference(ops, path, objectA, objectB)
	}
	listA, isListA := valueOf[*ast.Array](a)
	listB, isListB := valueOf[*ast.Array](b)
	if isListA && isListB {
		return listDifference(ops, path, listA, listB)
	}
	if sameTerm(a, b) {
		return ops
	}
	return append(ops, withValue("replace", path, b))
}

func objectDifference(ops []operation, path string, a, b ast.Object) []operation {
	a.Foreach(func(key, value *ast.Term) {
		if b.Get(key) == nil {
			ops = append(ops, operation{Op: "remove", Path: path + "/" + pointerStep(key)})
		}
	})
	b.Foreach(func(key, value *ast.Term) {
		below := path + "/" + pointerStep(key)
		if before := a.Get(key); before != nil {
			ops = difference(ops, below, before, value)
			return
		}
		ops = append(ops, withValue("add", below, value))
	})
	return ops
}

// listDifference leaves alone what two lists begin and end with alike. What is
// between is changed item by item; then the longer list's rest is removed from
// its end, or added.
func listDifference(ops []operation, path string, a, b *ast.Array) []operation {
	start := 0
	for start < min(a.Len(), b.Len()) && sameTerm(a.Elem(start), b.Elem(start)) {
		start++
	}
	endA, endB := a.Len(), b.Len()
	for endA > start && endB > start && sameTerm(a.Elem(endA-1), b.Elem(endB-1)) {
		endA, endB = endA-1, endB-1
	}
	common := min(endA, endB)
	for i := start; i < common; i++ {
		ops = difference(ops, path+"/"+strconv.Itoa(i), a.Elem(i), b.Elem(i))
	}
	for i := endA - 1; i >= common; i-- {
		ops = append(ops, operation{Op: "remove", Path: path + "/" + strconv.Itoa(i)})
	}
	for i := common; i < endB; i++ {
		ops = append(ops, withValue("add", path+"/"+strconv.Itoa(i), b.Elem(i)))
	}
	return ops
}

func withValue(op, path string, value *ast.Term) operation {
	data, err := encode(value.Value)
	if err != nil {
		data = json.RawMessage("null") // the value was decoded from JSON
	}
	return operation{Op: op, Path: path, Value: data}
}

// pointerStep escapes a key as RFC 6901 says.
func pointerStep(key *ast.Term) string {
	s, _ := key.Value.(ast.String)
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(string(s))
}
