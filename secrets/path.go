package secrets

import (
	"strconv"
	"strings"
)

// pathReach bounds how far back the parents of a name are looked for.
const pathReach = 8 << 10

// path returns the name at i with its parents: of YAML by indentation, of INI
// and TOML its section.
func (l *leaf) path(i int, name string) string {
	for _, s := range l.spans {
		if s.start < i+len(name) && s.end > i {
			return Redacted
		}
	}
	before := l.cut(i-pathReach, i)
	l.w.left -= 64
	line := strings.LastIndexByte(before, '\n') + 1
	indent, path := indentOf(before[line:]+"x"), safe(name)
	before = before[:max(line-1, 0)]
	for n := 0; before != "" && n < 400 && len(path) < 2*nameBytes; n++ {
		at := strings.LastIndexByte(before, '\n') + 1
		text := strings.TrimSpace(before[at:])
		switch in := indentOf(before[at:]); {
		case text == "" || text[0] == '#':
		case text[0] == '[' && text[len(text)-1] == ']' && in <= indent:
			return safe(strings.Trim(text, "[] ")) + "." + path
		case in < indent && (strings.HasSuffix(text, ":") || strings.HasSuffix(text, "{")):
			if parent := strings.Trim(text, "-:{\"' "); parent != "" {
				path = safe(parent) + "." + path
			}
			indent = in
		}
		before = before[:max(at-1, 0)]
	}
	return path
}

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " \t-")) }

// safe returns name, or what stands for it where it looks like a value.
func safe(name string) string {
	if len(name) > nameBytes || random(name) {
		return Redacted
	}
	for i := range len(name) {
		if !isWord(name[i]) && strings.IndexByte("-./ ", name[i]) < 0 {
			return Redacted
		}
	}
	return name
}

// keys gives the names under which they are to what was found without one.
func (l *leaf) keys() {
	for n := range l.spans {
		s := &l.spans[n]
		if s.key != "" {
			continue
		}
		for i := s.start - 1; i >= 0 && s.start-i < nameBytes && l.text[i] != '\n'; i-- {
			if c := l.text[i]; c != '=' && (c != ':' || i+1 >= len(l.text) || strings.IndexByte(" \"", l.text[i+1]) < 0) {
				continue
			}
			if p, ok := l.key(i); ok {
				s.key = l.path(p.keyStart, l.text[p.keyStart:p.keyEnd])
			}
			break
		}
	}
}

// inside writes a path inside of a text, and the name that follows it.
func inside(path []element, name string) string {
	var b strings.Builder
	for _, at := range path {
		switch {
		case at.index >= 0:
			b.WriteString("[" + strconv.Itoa(at.index) + "]")
		case b.Len() == 0:
			b.WriteString(at.key)
		default:
			b.WriteString("." + at.key)
		}
	}
	if name != "" {
		b.WriteString("." + name)
	}
	return b.String()
}
