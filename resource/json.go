package resource

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// parseJSON reads one JSON value that begins on the line given. The lines of
// its parts are left out (all are that line) if line is 0.
func parseJSON(data []byte, line int) (*node, error) {
	if !json.Valid(data) {
		return nil, at(line, errors.New("read JSON: syntax error"))
	}
	p := jsonParser{data: data, line: int32(line)}
	return p.value()
}

// A jsonParser walks over JSON that is known to be valid.
type jsonParser struct {
	data []byte
	pos  int
	line int32
}

// peek skips white space and returns the byte after it.
func (p *jsonParser) peek() byte {
	for ; ; p.pos++ {
		switch p.data[p.pos] {
		case '\n':
			p.line++
		case ' ', '\t', '\r':
		default:
			return p.data[p.pos]
		}
	}
}

func (p *jsonParser) value() (*node, error) {
	switch p.peek() {
	case '{':
		return p.object()
	case '[':
		return p.list()
	case '"':
		line := p.line
		return &node{kind: stringNode, line: line, text: p.string()}, nil
	}
	return p.literal()
}

func (p *jsonParser) object() (*node, error) {
	out := &node{kind: objectNode, line: p.line}
	var fields fieldSet
	p.pos++
	for p.peek() != '}' {
		line, key := p.line, p.string()
		p.peek()
		p.pos++ // the colon
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		if !fields.put(edge{key, line, v}, true) {
			return nil, duplicate(key, int(line))
		}
		p.comma()
	}
	p.pos++
	out.kids = fields.edges
	return out, nil
}

func (p *jsonParser) list() (*node, error) {
	out := &node{kind: listNode, line: p.line}
	p.pos++
	for p.peek() != ']' {
		line := p.line
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		out.kids = append(out.kids, edge{line: line, node: v})
		p.comma()
	}
	p.pos++
	return out, nil
}

func (p *jsonParser) comma() {
	if p.peek() == ',' {
		p.pos++
	}
}

// string reads the string that begins here.
func (p *jsonParser) string() string {
	start, plain := p.pos, true
	for p.pos++; p.data[p.pos] != '"'; p.pos++ {
		switch c := p.data[p.pos]; {
		case c == '\\':
			p.pos++
			plain = false
		case c >= 0x80:
			plain = false
		}
	}
	p.pos++
	if plain {
		return string(p.data[start+1 : p.pos-1])
	}
	var s string
	_ = json.Unmarshal(p.data[start:p.pos], &s) // valid, or parseJSON had refused it
	return s
}

// literal reads the number, boolean or null that begins here.
func (p *jsonParser) literal() (*node, error) {
	start := p.pos
	for p.pos < len(p.data) && bytes.IndexByte([]byte(" \t\r\n,]}"), p.data[p.pos]) < 0 {
		p.pos++
	}
	n := &node{kind: literalNode, line: p.line, text: string(p.data[start:p.pos])}
	if c := n.text[0]; c == '-' || c >= '0' && c <= '9' {
		return n, p.number(n)
	}
	return n, nil
}

// number writes a number as it is after kubectl has read it: an integer of 64
// bits as it stands, all else as a floating-point number.
func (p *jsonParser) number(n *node) error {
	if !strings.Contains(n.text, ".") {
		if i, err := strconv.ParseInt(n.text, 10, 64); err == nil {
			n.text = strconv.FormatInt(i, 10)
			return nil
		}
	}
	f, err := strconv.ParseFloat(n.text, 64)
	if err != nil {
		return at(int(n.line), errors.New("read JSON: number out of range"))
	}
	_, err = floatNode(n, f)
	return err
}

// jsonError says where and why JSON could not be read, and quotes nothing.
func jsonError(err error, data []byte) *Error {
	line, offset := 1, int64(len(data))
	text := "syntax error"
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		offset = syntax.Offset
		if strings.HasSuffix(syntax.Error(), "end of JSON input") || strings.Contains(syntax.Error(), "max depth") {
			text = syntax.Error()
		}
	} else if err != nil {
		text = "unexpected end of JSON input"
	}
	offset = min(max(offset-1, 0), int64(len(data)))
	line += bytes.Count(data[:offset], []byte("\n"))
	return at(line, fmt.Errorf("read JSON: %s", text))
}

// on returns n with all its parts on one line.
func (n *node) on(line int32) *node {
	out := &node{kind: n.kind, text: n.text, line: line, kids: make([]edge, len(n.kids))}
	for i, e := range n.kids {
		out.kids[i] = edge{key: e.key, line: line, node: e.on(line)}
	}
	return out
}
