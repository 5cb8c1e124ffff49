package engine

import (
	"cmp"
	"strconv"
	"strings"
)

// A Path leads from an object to one of its fields: strings are keys, ints are
// indexes.
type Path []any

// String returns the path as people write it, such as
// spec.template.spec.containers[0] or metadata.annotations["example.com/x"].
func (p Path) String() string {
	var b strings.Builder
	for _, step := range p {
		switch s := step.(type) {
		case int:
			b.WriteString("[" + strconv.Itoa(s) + "]")
		case string:
			switch {
			case !isIdentifier(s):
				b.WriteString("[" + strconv.Quote(s) + "]")
			case b.Len() > 0:
				b.WriteString("." + s)
			default:
				b.WriteString(s)
			}
		}
	}
	return b.String()
}

// Compare orders paths step by step, indexes as numbers and before keys.
func (p Path) Compare(other Path) int {
	for i := range min(len(p), len(other)) {
		if c := compareSteps(p[i], other[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(p), len(other))
}

func compareSteps(a, b any) int {
	ai, aIsInt := a.(int)
	bi, bIsInt := b.(int)
	switch {
	case aIsInt && bIsInt:
		return cmp.Compare(ai, bi)
	case aIsInt:
		return -1
	case bIsInt:
		return 1
	}
	return cmp.Compare(a.(string), b.(string)) //nolint:errcheck // steps are strings where they are no numbers
}

// isIdentifier reports whether s is [A-Za-z_][A-Za-z0-9_-]* and so needs no quotes.
func isIdentifier(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
		case i > 0 && (c >= '0' && c <= '9' || c == '-'):
		default:
			return false
		}
	}
	return s != ""
}
