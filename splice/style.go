package splice

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// A style is how an object is written, which what is added to it follows.
type style struct {
	json   bool   // the file is JSON
	step   int    // how far the values of keys are indented
	dashes int    // how far the dashes of a list are, below its key
	single bool   // strings have single quotes where they need some
	eol    string // ends lines
	colon  string // follows keys in JSON
	comma  string // follows items in JSON
}

// styleOf returns the style of the object at n.
func styleOf(text string, n *node, isJSON bool) style {
	c := counts{steps: map[int]int{}, dashes: map[int]int{}}
	c.count(n)
	s := style{json: isJSON, step: most(c.steps, 2), dashes: most(c.dashes, 0), single: c.single > c.double, eol: "\n", colon: ": ", comma: ", "}
	if i := strings.IndexByte(text, '\n'); i > 0 && text[i-1] == '\r' {
		s.eol = "\r\n"
	}
	if isJSON && len(n.keys) > 0 {
		if strings.HasPrefix(text[n.keys[0].end:], ":") && n.keys[0].end+1 == n.kids[0].start {
			s.colon = ":"
		}
		if len(n.keys) > 1 && n.keys[1].start == n.kids[0].end+1 {
			s.comma = ","
		}
	}
	return s
}

// counts are how often something is written in one way.
type counts struct {
	steps, dashes  map[int]int
	single, double int
}

func (c *counts) count(n *node) {
	for i, kid := range n.kids {
		if n.kind == mapping && !n.flow && !kid.flow {
			switch kid.kind {
			case mapping:
				c.steps[kid.col-n.col]++
			case sequence:
				c.dashes[kid.col-n.col]++
			default:
			}
		}
		if n.kind == mapping {
			c.count(n.keys[i])
		}
		c.count(kid)
	}
	switch {
	case n.style&yaml.SingleQuotedStyle != 0:
		c.single++
	case n.style&yaml.DoubleQuotedStyle != 0:
		c.double++
	}
}

// most returns what is there most often, the smaller one of two that are equally
// frequent, and otherwise what is usual.
func most(seen map[int]int, usual int) int {
	best, times := usual, 0
	for v, n := range seen {
		if v >= 0 && (n > times || n == times && v < best) {
			best, times = v, n
		}
	}
	return best
}

// inline returns a value without line breaks.
func (s style) inline(v any) string {
	if s.json {
		return encode(v, s.colon, s.comma)
	}
	var b strings.Builder
	s.flow(&b, v)
	return b.String()
}

func (s style) flow(b *strings.Builder, v any) {
	switch v := v.(type) {
	case object:
		b.WriteString("{")
		for i, m := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(s.scalar(m.key) + ": ")
			s.flow(b, m.value)
		}
		b.WriteString("}")
	case []any:
		b.WriteString("[")
		for i, item := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			s.flow(b, item)
		}
		b.WriteString("]")
	default:
		b.WriteString(s.scalar(v))
	}
}

// scalar returns a scalar, in quotes where it needs some.
func (s style) scalar(v any) string {
	text, isString := v.(string)
	switch {
	case !isString:
		return literal(v)
	case !s.json && isPlain(text):
		return text
	case !s.json && s.single && !strings.ContainsFunc(text, func(r rune) bool { return !isRaw(r) }):
		return "'" + strings.ReplaceAll(text, "'", "''") + "'"
	}
	return quoted(text)
}

// isPlain reports whether a string needs no quotes, wherever it stands. Most
// strings that would not need any elsewhere get some.
func isPlain(s string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	if s == "" || len(s) > 256 || strings.Trim(s, letters+"0123456789_./-+@=:$%^()<>~;*! ") != "" {
		return false
	}
	if !strings.ContainsAny(s[:1], letters+"0123456789_/.") || !strings.ContainsAny(s[len(s)-1:], letters+"0123456789_/%)") {
		return false
	}
	if strings.Contains(s, ": ") || strings.Contains(s, "  ") {
		return false
	}
	if strings.ContainsAny(s, "0123456789") && strings.Trim(s, "0123456789+-_.:abcdefxoABCDEF ") == "" {
		return false // a number to some reader, a sexagesimal one perhaps
	}
	return isString(s)
}

// isString reports whether both YAML 1.1 and 1.2 read s as the string that it is.
func isString(s string) bool {
	switch strings.ToLower(s) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", "=", "<<":
		return false
	}
	data, err := toJSON(s)
	if err != nil || string(data) != quoted(s) {
		return false
	}
	var n yaml.Node
	err = yaml.Unmarshal([]byte(s), &n)
	return err == nil && len(n.Content) == 1 && n.Content[0].Tag == "!!str" && n.Content[0].Value == s
}

// field returns the lines of a field in column col, without the indentation of the
// first and the break of the last.
func (s style) field(key string, v any, col int) string {
	return s.scalar(key) + ":" + s.after(v, col)
}

// after returns what follows the colon of a key in column col.
func (s style) after(v any, col int) string {
	if isEmpty(v) {
		return " " + s.inline(v)
	}
	if _, isList := v.([]any); isList {
		return s.eol + s.indented(v, col+s.dashes)
	}
	return s.eol + s.indented(v, col+s.step)
}

// indented returns the lines of a container that is not empty, in column col.
func (s style) indented(v any, col int) string {
	return strings.Repeat(" ", col) + s.block(v, col)
}

// block is indented without the indentation of the first line.
func (s style) block(v any, col int) string {
	var lines []string
	switch v := v.(type) {
	case object:
		for _, m := range v {
			lines = append(lines, s.field(m.key, m.value, col))
		}
	case []any:
		for _, item := range v {
			lines = append(lines, s.item(item, col))
		}
	}
	return strings.Join(lines, s.eol+strings.Repeat(" ", col))
}

// item returns the lines of an item whose dash is in column col, without the
// indentation of the first.
func (s style) item(v any, col int) string {
	if isEmpty(v) {
		return "- " + s.inline(v)
	}
	return "- " + s.block(named(v), col+2)
}

// named returns v with the field that people look for first at the front.
func named(v any) any {
	o, _ := v.(object)
	name, ok := o.get("name")
	if !ok {
		return v
	}
	out := object{{"name", name}}
	for _, m := range o {
		if m.key != "name" {
			out = append(out, m)
		}
	}
	return out
}
