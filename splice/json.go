package splice

import (
	"encoding/json"
	"strings"
)

// jsonTree returns the places of text, which is one JSON value.
func jsonTree(text string) *node {
	p := jsonParser{text: text, line: 1}
	return p.value()
}

// A jsonParser walks over JSON that is known to be valid.
type jsonParser struct {
	text string
	at   int
	line int
}

// peek skips white space and returns the byte after it.
func (p *jsonParser) peek() byte {
	for ; p.at < len(p.text); p.at++ {
		switch p.text[p.at] {
		case '\n':
			p.line++
		case ' ', '\t', '\r':
		default:
			return p.text[p.at]
		}
	}
	return 0
}

func (p *jsonParser) value() *node {
	first := p.peek()
	n := &node{flow: true, start: p.at, body: p.at, line: p.line}
	switch first {
	case '{':
		n.kind = mapping
		p.container(n, '}')
	case '[':
		n.kind = sequence
		p.container(n, ']')
	case '"':
		p.at = endOfDouble(p.text, p.at)
	default:
		for p.at < len(p.text) && !strings.ContainsRune(" \t\r\n,]}", rune(p.text[p.at])) {
			p.at++
		}
	}
	n.end = p.at
	return n
}

func (p *jsonParser) container(n *node, end byte) {
	p.at++
	for p.peek() != end && p.at < len(p.text) {
		if n.kind == mapping {
			key := p.value()
			_ = json.Unmarshal([]byte(p.text[key.start:key.end]), &key.text) // valid, or it had not come here
			n.keys = append(n.keys, key)
			p.peek()
			p.at++ // the colon
		}
		n.kids = append(n.kids, p.value())
		if p.peek() == ',' {
			p.at++
		}
	}
	p.at++
}
