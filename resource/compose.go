package resource

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A composer makes nodes of the nodes that the YAML parser found in one document.
type composer struct {
	doc  []byte
	line int  // of the document's first line in the file
	bang bool // whether doc may have the tag "!"

	ops, aliased int // values read, and those of them that aliases stand for
	depth        int // of aliases that are being read
	anchored     map[*yaml.Node]*anchor

	lines [][]byte // of doc, made when needed
	split int      // the line of doc that runes are of
	runes []rune
}

// An anchor is what an alias stands for. It is read once, however many aliases it has.
type anchor struct {
	node *node // nil while it is being read
	ops  int   // values in it, those of its aliases included
}

var (
	errAliases = errors.New("read YAML: document contains excessive aliasing")
	errCycle   = errors.New("read YAML: an anchor contains itself")
	errMerge   = errors.New("read YAML: what is merged with << must be an object or a list of objects")
	errKey     = errors.New("read YAML: objects and lists cannot be keys")
)

// compose returns the node of n.
func (c *composer) compose(n *yaml.Node) (*node, error) {
	if err := c.count(n, 1); err != nil {
		return nil, err
	}
	if n.Anchor == "" {
		return c.value(n)
	}
	if c.anchored == nil {
		c.anchored = make(map[*yaml.Node]*anchor)
	}
	a := &anchor{}
	c.anchored[n] = a
	before := c.ops - 1
	v, err := c.value(n)
	a.node, a.ops = v, c.ops-before
	return v, err
}

func (c *composer) value(n *yaml.Node) (*node, error) {
	switch n.Kind {
	case yaml.AliasNode:
		return c.alias(n)
	case yaml.MappingNode:
		return c.mapping(n)
	case yaml.SequenceNode:
		return c.sequence(n)
	}
	v, err := c.scalar(n)
	if err != nil {
		return nil, c.at(n, err)
	}
	out, err := scalarNode(v, c.lineOf(n))
	if err != nil {
		return nil, c.at(n, err)
	}
	return out, nil
}

// count adds values read, and refuses a document that is mostly aliases by the
// rule of yaml/v2: at most 99 % of 400,000 values, falling to 10 % of 4,000,000.
func (c *composer) count(n *yaml.Node, ops int) error {
	const low, high = 400_000, 4_000_000
	c.ops += ops
	if c.depth > 0 {
		c.aliased += ops
	}
	allowed := 0.99 - 0.89*float64(min(max(c.ops, low), high)-low)/(high-low)
	if c.aliased > 100 && c.ops > 1000 && float64(c.aliased)/float64(c.ops) > allowed {
		return c.at(n, errAliases)
	}
	return nil
}

func (c *composer) alias(n *yaml.Node) (*node, error) {
	a := c.anchored[n.Alias]
	if a == nil || a.node == nil {
		return nil, c.at(n, errCycle)
	}
	c.depth++
	defer func() { c.depth-- }()
	return a.node, c.count(n, a.ops)
}

func (c *composer) sequence(n *yaml.Node) (*node, error) {
	out := &node{kind: listNode, line: c.lineOf(n), kids: make([]edge, len(n.Content))}
	for i, item := range n.Content {
		v, err := c.compose(item)
		if err != nil {
			return nil, err
		}
		out.kids[i] = edge{line: c.lineOf(item), node: v}
	}
	return out, nil
}

func (c *composer) mapping(n *yaml.Node) (*node, error) {
	fields := fieldSet{edges: make([]edge, 0, len(n.Content)/2)}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if isMerge(k) {
			if err := c.merge(&fields, v); err != nil {
				return nil, err
			}
			continue
		}
		key, err := c.key(k)
		if err != nil {
			return nil, err
		}
		value, err := c.compose(v)
		if err != nil {
			return nil, err
		}
		if !fields.put(edge{key, c.lineOf(k), value}, true) {
			return nil, duplicate(key, int(c.lineOf(k)))
		}
	}
	return &node{kind: objectNode, line: c.lineOf(n), kids: fields.edges}, nil
}

// merge puts the fields of an object, or of a list of objects of which the first
// wins, among those of another.
func (c *composer) merge(fields *fieldSet, n *yaml.Node) error {
	sources := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		sources = n.Content
	}
	for i := len(sources) - 1; i >= 0; i-- {
		if kindOf(sources[i]) != yaml.MappingNode {
			return c.at(n, errMerge)
		}
		v, err := c.compose(sources[i])
		if err != nil {
			return err
		}
		for _, e := range v.kids {
			fields.put(e, false)
		}
	}
	return nil
}

// kindOf returns the kind of what n is or stands for.
func kindOf(n *yaml.Node) yaml.Kind {
	if n.Kind == yaml.AliasNode {
		return n.Alias.Kind
	}
	return n.Kind
}

// isMerge reports whether a key is YAML's "<<", not the string "<<".
func isMerge(k *yaml.Node) bool {
	return k.Kind == yaml.ScalarNode && k.Value == "<<" && k.Tag == mergeTag
}

// key returns the JSON key that k makes.
func (c *composer) key(k *yaml.Node) (string, error) {
	if kindOf(k) != yaml.ScalarNode {
		return "", c.at(k, errKey)
	}
	if _, err := c.compose(k); err != nil && !errors.Is(err, errNoNumber) {
		return "", err
	}
	if k.Kind == yaml.AliasNode {
		k = k.Alias
	}
	v, err := c.scalar(k)
	if err != nil {
		return "", c.at(k, err)
	}
	key, err := keyOf(v)
	if err != nil {
		return "", c.at(k, err)
	}
	return key, nil
}

// scalar returns what a scalar means: see resolve.
func (c *composer) scalar(n *yaml.Node) (any, error) {
	const quoted = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	switch {
	case n.Style&yaml.TaggedStyle != 0:
		return resolve(n.Tag, n.Value)
	case n.Style&quoted != 0, c.bang && c.hasBang(n):
		return n.Value, nil
	}
	return guess(n.Value), nil
}

// hasBang reports whether n has the tag "!", which makes a string of it. The
// parser says only where n begins, which is at its tag or anchor.
func (c *composer) hasBang(n *yaml.Node) bool {
	if c.lines == nil {
		c.lines = bytes.Split(c.doc, []byte("\n"))
	}
	if n.Line < 1 || n.Line > len(c.lines) {
		return false
	}
	if c.split != n.Line {
		c.split, c.runes = n.Line, []rune(string(c.lines[n.Line-1]))
	}
	if n.Column < 1 || n.Column > len(c.runes) {
		return false
	}
	text := c.runes[n.Column-1:]
	if text[0] == '&' {
		for len(text) > 0 && !isBlank(text[0]) {
			text = text[1:]
		}
		for len(text) > 0 && isBlank(text[0]) {
			text = text[1:]
		}
	}
	return len(text) > 0 && text[0] == '!' && (len(text) == 1 || isBlank(text[1]) || strings.ContainsRune(",]}", text[1]))
}

func isBlank(r rune) bool { return r == ' ' || r == '\t' || r == '\r' }

// lineOf returns the line of n in the file.
func (c *composer) lineOf(n *yaml.Node) int32 { return int32(c.line + n.Line - 1) }

func (c *composer) at(n *yaml.Node, err error) error {
	return at(int(c.lineOf(n)), fmt.Errorf("%w", err))
}
