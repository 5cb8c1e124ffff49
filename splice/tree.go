package splice

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

type kind uint8

const (
	scalar kind = iota
	mapping
	sequence
	alias
)

// A node is a value and where it stands in the text.
type node struct {
	kind kind
	flow bool   // with braces or brackets, or inside of them
	text string // of a key
	line int    // from 1

	start int // of its anchor and tag, if it has them
	body  int // of the value itself
	end   int
	col   int // of the keys or dashes of a container that is not flow

	keys []*node // of a mapping
	kids []*node // values or items; one for each key
	at   []int   // of the dashes of a sequence that is not flow

	merges  bool // a mapping with the key <<
	shared  bool // aliases refer to it
	style   yaml.Style
	literal bool // a scalar in the style of | or >
}

// isAbsent reports whether n is a null that is not written.
func (n *node) isAbsent() bool { return n.kind == scalar && n.body == n.end }

// find returns the position of a key, -1 if the mapping does not have it.
func (n *node) find(key string) int {
	for i, k := range n.keys {
		if k.text == key {
			return i
		}
	}
	return -1
}

// hasShared reports whether something in n is referred to by aliases.
func (n *node) hasShared() bool {
	if n.shared {
		return true
	}
	for i, kid := range n.kids {
		if kid.hasShared() || n.kind == mapping && n.keys[i].hasShared() {
			return true
		}
	}
	return false
}

// A placed error is about an offset of the text.
type placed struct {
	at  int
	err error
}

func (p *placed) Error() string { return p.err.Error() }

// unusual reports text that is not understood well enough to be cut.
func unusual(at int, why string) error {
	return &placed{at, fmt.Errorf("%w: %s", ErrUnusual, why)}
}

// yamlTree returns the places of a YAML document, nil if there is nothing in it.
func yamlTree(text string) (*node, error) {
	root, err := parseYAML(text)
	if err != nil || root.Kind != yaml.DocumentNode || len(root.Content) == 0 {
		return nil, err
	}
	b := builder{text: text, lines: []int{0}, shared: map[*yaml.Node]bool{}}
	for i := range len(text) {
		if text[i] == '\n' {
			b.lines = append(b.lines, i+1)
		}
	}
	b.refer(root)
	n, err := b.build(root.Content[0], -1)
	if err != nil {
		return nil, err
	}
	if n.end > len(text) {
		return nil, unusual(len(text)-1, "its end is not found")
	}
	return n, nil
}

func parseYAML(text string) (root *yaml.Node, err error) {
	defer func() {
		if recover() != nil {
			root, err = nil, errParser
		}
	}()
	root = new(yaml.Node)
	err = yaml.NewDecoder(strings.NewReader(text)).Decode(root)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errParser
	}
	return root, nil
}

var errParser = errors.New("the parser that tells places does not take the document")

// A builder finds out where the nodes of the parser end, which it does not tell.
type builder struct {
	text   string
	lines  []int // where they begin
	shared map[*yaml.Node]bool
	row    int // the line of which the offset was asked last,
	col    int // the column there, in characters,
	offset int // and where that is
}

// refer collects what aliases refer to.
func (b *builder) refer(n *yaml.Node) {
	if n.Kind == yaml.AliasNode {
		b.shared[n.Alias] = true
		return
	}
	for _, c := range n.Content {
		b.refer(c)
	}
}

// place returns the offset of a line and a column, which the parser counts from 1
// and in characters.
func (b *builder) place(line, column int) int {
	if line < 1 || line > len(b.lines) {
		return len(b.text)
	}
	if b.row != line || b.col > column {
		b.row, b.col, b.offset = line, 1, b.lines[line-1]
	}
	for ; b.col < column && b.offset < len(b.text); b.col++ {
		b.offset++
		for b.offset < len(b.text) && b.text[b.offset]&0xc0 == 0x80 {
			b.offset++
		}
	}
	return b.offset
}

// build returns the place of a node in a container whose keys or dashes are in the
// column given, -1 at the top.
func (b *builder) build(y *yaml.Node, parent int) (*node, error) {
	n := &node{start: b.place(y.Line, y.Column), line: y.Line, shared: b.shared[y], style: y.Style}
	n.body = n.start
	switch y.Kind {
	case yaml.AliasNode:
		n.kind, n.end = alias, n.start+1+len(y.Value)
		return n, nil
	case yaml.MappingNode:
		n.kind = mapping
	case yaml.SequenceNode:
		n.kind = sequence
	case yaml.ScalarNode:
		n.body, n.end = b.skipProperties(n.start, y)
		return n, b.scalar(n, y, parent)
	default:
		return nil, unusual(n.start, "what is there is neither a value nor an alias")
	}
	n.flow = y.Style&yaml.FlowStyle != 0
	if n.flow {
		n.body, _ = b.skipProperties(n.start, y)
		return n, b.flow(n, y)
	}
	if y.Kind == yaml.MappingNode && len(y.Content) > 0 {
		n.body = b.place(y.Content[0].Line, y.Content[0].Column)
	} else {
		n.body, _ = b.skipProperties(n.start, y)
	}
	return n, b.block(n, y)
}

// keyOf returns what a scalar is as a key: on is the key "true", and 0x1 is "1".
func keyOf(y *yaml.Node) string {
	if y.Kind == yaml.AliasNode {
		y = y.Alias
	}
	if y.Style != 0 || y.Value == "" || len(y.Value) > 64 {
		return y.Value
	}
	switch strings.ToLower(y.Value) {
	case "y", "n", "yes", "no", "on", "off", "true", "false":
	default:
		if !strings.ContainsAny(y.Value[:1], "+-.0123456789") {
			return y.Value
		}
	}
	data, err := toJSON(y.Value + ": 0\n")
	if err != nil {
		return y.Value
	}
	if o, err := decode(data); err == nil {
		if o, ok := o.(object); ok && len(o) == 1 {
			return o[0].key
		}
	}
	return y.Value
}

// block finds the kids of a container that is not flow. Its first key or dash is
// where its body begins.
func (b *builder) block(n *node, y *yaml.Node) error {
	n.col = n.body - lineStart(b.text, n.body)
	for i, c := range y.Content {
		kid, err := b.build(c, n.col)
		if err != nil {
			return err
		}
		switch {
		case n.kind == sequence:
			dash := b.dash(kid.start, n.col)
			if dash < 0 {
				return unusual(kid.start, "its dash is not found")
			}
			n.at, n.kids = append(n.at, dash), append(n.kids, kid)
		case i%2 == 0:
			kid.text = keyOf(c)
			n.keys = append(n.keys, kid)
			n.merges = n.merges || isMerge(c)
		default:
			n.kids = append(n.kids, kid)
		}
		n.end = kid.end
	}
	if len(n.kids) == 0 {
		return unusual(n.start, "it has no braces and nothing in it")
	}
	return nil
}

// dash returns the offset of the dash of an item, in the column given, on its line
// or a line before it.
func (b *builder) dash(item, col int) int {
	for at := lineStart(b.text, item); ; at = lineStart(b.text, at-1) {
		i := at + col
		if i < item && b.text[i] == '-' && strings.TrimRight(b.text[at:i], " -") == "" {
			return i
		}
		if at == 0 {
			return -1
		}
	}
}

func isMerge(k *yaml.Node) bool {
	return k.Kind == yaml.ScalarNode && k.Value == "<<" && k.Tag == "!!merge"
}

// flow finds the kids of a container in brackets, and the bracket that ends it.
func (b *builder) flow(n *node, y *yaml.Node) error {
	at := n.body + 1
	for i, c := range y.Content {
		kid, err := b.build(c, -1)
		if err != nil {
			return err
		}
		kid.flow = true
		if n.kind == mapping && i%2 == 0 {
			kid.text = keyOf(c)
			n.keys = append(n.keys, kid)
			n.merges = n.merges || isMerge(c)
		} else {
			n.kids = append(n.kids, kid)
		}
		at = kid.end
	}
	want := byte('}')
	switch {
	case n.kind == sequence:
		want = ']'
	case n.body >= len(b.text) || b.text[n.body] != '{': // [a: b]
		n.end = at
		return nil
	}
	at = skipBetween(b.text, at)
	if at >= len(b.text) || b.text[at] != want {
		return unusual(n.start, "its end is not found")
	}
	n.end = at + 1
	return nil
}

// skipBetween passes over white space, comments, commas and the colon of a key
// without a value.
func skipBetween(text string, at int) int {
	for at < len(text) {
		switch text[at] {
		case ' ', '\t', '\r', '\n', ',', ':':
			at++
		case '#':
			at = lineEnd(text, at)
		default:
			return at
		}
	}
	return at
}

// skipProperties returns where a value begins after its anchor and tag, and where
// these end, which is the same for a value that is not written.
func (b *builder) skipProperties(at int, y *yaml.Node) (body, end int) {
	body, end = at, at
	for body < len(b.text) && (b.text[body] == '&' || b.text[body] == '!') {
		for body < len(b.text) && !strings.ContainsRune(" \t\r\n", rune(b.text[body])) && (!strings.ContainsRune(",]}", rune(b.text[body]))) {
			body++
		}
		end = body
		for body < len(b.text) && strings.ContainsRune(" \t\r\n#", rune(b.text[body])) {
			if b.text[body] == '#' {
				body = lineEnd(b.text, body)
			} else {
				body++
			}
		}
	}
	if y.Kind == yaml.ScalarNode && y.Value == "" && y.Style&^yaml.TaggedStyle == 0 {
		return end, end
	}
	return body, end
}
