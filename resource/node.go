package resource

import (
	"fmt"
	"unicode/utf8"
)

// Limits of one document, in the figures of those who read it next.
const (
	// maxDepth is how deep values may nest: the limit of the JSON decoder that
	// both kubectl and the API server use.
	maxDepth = 10_000

	// maxExpanded is how many bytes of JSON one file may become. A YAML alias
	// repeats what may be megabytes; honest files grow by less than four times.
	maxExpanded = 4 * MaxFile
)

// A node is a value as it is in JSON, with the lines of its parts. Nodes are
// shared where YAML has aliases, and never change once they are made.
type node struct {
	kind nodeKind
	file uint16 // of the object's files: see Object.files
	line int32  // of the value's first character
	text string // a string's value; the JSON of a number, boolean or null
	kids []edge // of an object or list
}

type nodeKind uint8

const (
	objectNode nodeKind = iota
	listNode
	stringNode
	literalNode
)

// An edge leads to a field of an object or an item of a list.
type edge struct {
	key  string // "" in a list
	line int32  // of the key, or of the item
	*node
}

// child returns the field (step is a string) or item (an int), nil if n has none.
func (n *node) child(step any) *edge {
	switch step := step.(type) {
	case string:
		if n.kind != objectNode {
			return nil
		}
		for i := range n.kids {
			if n.kids[i].key == step {
				return &n.kids[i]
			}
		}
	case int:
		if n.kind == listNode && step >= 0 && step < len(n.kids) {
			return &n.kids[step]
		}
	}
	return nil
}

// stringAt returns the string at a key of n.
func (n *node) stringAt(key string) (string, bool) {
	e := n.child(key)
	if e == nil || e.kind != stringNode {
		return "", false
	}
	return e.text, true
}

// isNull reports whether n is nothing at all, or null.
func (n *node) isNull() bool {
	return n == nil || n.kind == literalNode && n.text == "null"
}

// An encoder writes nodes as JSON until its budget is spent.
type encoder struct {
	budget int // bytes that may still be written
}

// encode returns n as JSON.
func (e *encoder) encode(n *node) ([]byte, error) {
	out, err := e.append(make([]byte, 0, 512), n, 0)
	if err != nil {
		return nil, err
	}
	e.budget -= len(out)
	return out, nil
}

func (e *encoder) append(dst []byte, n *node, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, at(int(n.line), fmt.Errorf("nests deeper than %d levels", maxDepth))
	}
	switch n.kind {
	case objectNode:
		return e.appendKids(append(dst, '{'), n, depth, '}')
	case listNode:
		return e.appendKids(append(dst, '['), n, depth, ']')
	case stringNode:
		return appendString(dst, n.text), nil
	default:
		return append(dst, n.text...), nil
	}
}

func (e *encoder) appendKids(dst []byte, n *node, depth int, end byte) ([]byte, error) {
	for i, kid := range n.kids {
		if i > 0 {
			dst = append(dst, ',')
		}
		if n.kind == objectNode {
			dst = append(appendString(dst, kid.key), ':')
		}
		var err error
		if dst, err = e.append(dst, kid.node, depth+1); err != nil {
			return nil, err
		}
		if len(dst) > e.budget {
			return nil, at(int(n.line), fmt.Errorf("is more than %d bytes of JSON once its aliases are expanded", maxExpanded))
		}
	}
	return append(dst, end), nil
}

// appendString appends s as a JSON string. As in encoding/json, what is not
// UTF-8 becomes U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		size := 1
		var replaced string
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
			replaced = "\ufffd"
		} else {
			replaced = escapeByte(c)
		}
		dst = append(append(dst, s[start:i]...), replaced...)
		i += size
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}

// escapeByte returns the JSON escape of a quote, a backslash or a control character.
func escapeByte(c byte) string {
	switch c {
	case '"', '\\':
		return string([]byte{'\\', c})
	case '\n':
		return `\n`
	case '\r':
		return `\r`
	case '\t':
		return `\t`
	}
	return fmt.Sprintf(`\u%04x`, c)
}

// A fieldSet collects the fields of one object and finds keys that come twice.
type fieldSet struct {
	edges    []edge
	explicit []bool         // whether the field is the object's own, not merged into it
	index    map[string]int // made once there are more than a few
}

// put adds a field. What is merged replaces what is there, and is replaced by
// what comes later, as kubectl's YAML library does it; it reports false if the
// object itself has the key twice.
func (f *fieldSet) put(e edge, explicit bool) bool {
	i := f.find(e.key)
	if i < 0 {
		f.edges = append(f.edges, e)
		f.explicit = append(f.explicit, explicit)
		if f.index != nil {
			f.index[e.key] = len(f.edges) - 1
		}
		return true
	}
	if explicit && f.explicit[i] {
		return false
	}
	f.edges[i] = e
	f.explicit[i] = f.explicit[i] || explicit
	return true
}

// find returns the position of key, -1 if it is new. Up to sixteen keys,
// comparing them all is faster than a map.
func (f *fieldSet) find(key string) int {
	if f.index == nil {
		for i := range f.edges {
			if f.edges[i].key == key {
				return i
			}
		}
		if len(f.edges) >= 16 {
			f.index = make(map[string]int, 2*len(f.edges))
			for i := range f.edges {
				f.index[f.edges[i].key] = i
			}
		}
		return -1
	}
	if i, ok := f.index[key]; ok {
		return i
	}
	return -1
}
