package resource

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

const (
	// maxPart is how many bytes of a plan are read into memory at once: as many as
	// of any other file, since what they become may be fifty times as large.
	maxPart = MaxFile

	// maxResource is how many bytes a resource may have, before and after, or a
	// variable. A manifest in one, which is the largest there is, has 1.5 MB.
	maxResource = 8 << 20

	// maxMembers is how many variables a plan may have.
	maxMembers = 10_000
)

// A member is a part of a JSON text, which is known to be valid, and the line it begins on.
type member struct {
	line int
	data []byte // nil where there is none
}

// members returns those of an object, without reading what is in them, so that what
// is of no use takes no memory. It is an error if one is there twice, or nests too
// deep. There are none in what is absent or null.
func (m member) members() (map[string]member, error) {
	p := jsonParser{data: m.data, line: int32(m.line)}
	members := map[string]member{}
	switch {
	case m.data == nil || string(m.data) == "null":
		return members, nil
	case p.peek() != '{':
		return nil, at(m.line, errPlanShape)
	}
	p.pos++
	for p.peek() != '}' {
		line := int(p.line)
		key := p.string()
		p.peek()
		p.pos++ // the colon
		m, err := p.skip()
		if err != nil {
			return nil, err
		}
		if _, twice := members[key]; twice {
			return nil, duplicate(key, line)
		}
		if len(members) == maxMembers {
			return nil, at(line, errPlanParts)
		}
		members[key] = m
		p.comma()
	}
	return members, nil
}

// at returns what is further in, nothing if that is not there.
func (m member) at(path ...string) (member, error) {
	for _, key := range path {
		parts, err := m.members()
		if err != nil {
			return member{}, err
		}
		m = parts[key]
	}
	return m, nil
}

// items returns the items of a list; there are none in what is absent or null.
func (m member) items() ([]member, error) {
	p := jsonParser{data: m.data, line: int32(m.line)}
	switch {
	case m.data == nil || string(m.data) == "null":
		return nil, nil
	case p.peek() != '[':
		return nil, at(m.line, errPlanShape)
	}
	p.pos++
	var items []member
	for p.peek() != ']' {
		item, err := p.skip()
		if err != nil {
			return nil, err
		}
		if len(items) == maxPlanned {
			return nil, at(item.line, errPlanMany)
		}
		items = append(items, item)
		p.comma()
	}
	return items, nil
}

// skip passes over a value and returns it.
func (p *jsonParser) skip() (member, error) {
	p.peek()
	start, line := p.pos, int(p.line)
	for depth := 0; ; {
		switch p.peek() {
		case '{', '[':
			depth++
			p.pos++
		case '}', ']':
			depth--
			p.pos++
		case ',', ':':
			p.pos++
		case '"':
			p.skipString()
		default:
			p.skipLiteral()
		}
		if depth > maxPlanDepth {
			return member{}, at(int(p.line), fmt.Errorf("is a Terraform plan that nests deeper than %d levels", maxPlanDepth))
		}
		if depth == 0 {
			return member{line, p.data[start:p.pos]}, nil
		}
	}
}

// skipString passes over the string that begins here.
func (p *jsonParser) skipString() {
	for p.pos++; p.data[p.pos] != '"'; p.pos++ {
		if p.data[p.pos] == '\\' {
			p.pos++
		}
	}
	p.pos++
}

// skipLiteral passes over the number, boolean or null that begins here.
func (p *jsonParser) skipLiteral() {
	for p.pos < len(p.data) && bytes.IndexByte([]byte(" \t\r\n,]}"), p.data[p.pos]) < 0 {
		p.pos++
	}
}

// unique passes over a value, of which it is known that it does not nest too deep,
// and returns an error if a key is there twice in one object.
func (p *jsonParser) unique() error {
	switch p.peek() {
	case '{':
		return p.uniqueKeys()
	case '[':
		p.pos++
		for p.peek() != ']' {
			if err := p.unique(); err != nil {
				return err
			}
			p.comma()
		}
		p.pos++
	case '"':
		p.skipString()
	default:
		p.skipLiteral()
	}
	return nil
}

func (p *jsonParser) uniqueKeys() error {
	var fields fieldSet
	p.pos++
	for p.peek() != '}' {
		line, key := p.line, p.string()
		if !fields.put(edge{key: key}, true) {
			return duplicate(key, int(line))
		}
		p.peek()
		p.pos++ // the colon
		if err := p.unique(); err != nil {
			return err
		}
		p.comma()
	}
	p.pos++
	return nil
}

var (
	errPlanPart  = fmt.Errorf("is a Terraform plan of which one part is larger than %d MiB", maxPart>>20)
	errPlanBig   = fmt.Errorf("is a Terraform plan with a resource or variable larger than %d MiB", maxResource>>20)
	errPlanParts = fmt.Errorf("is a Terraform plan with more than %d members of one object", maxMembers)
)

var errPlanShape = errors.New("is no Terraform plan as it should be: a part of it is of another type than Terraform writes")

// decodeSmall reads a member that is a resource or a variable.
func (m member) decodeSmall(v any) error {
	if len(m.data) > maxResource {
		return at(m.line, errPlanBig)
	}
	return m.decode(v)
}

// decode reads the member into v, and leaves v as it is where there is none. Numbers
// stay as they are written. It is an error if a key is there twice, since others
// may read the other one.
func (m member) decode(v any) error {
	if m.data == nil {
		return nil
	}
	if len(m.data) > maxPart {
		return at(m.line, errPlanPart)
	}
	p := jsonParser{data: m.data, line: int32(m.line)}
	if err := p.unique(); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(m.data))
	dec.UseNumber()
	if err := dec.Decode(v); err != nil {
		return at(m.line, errPlanShape) // what encoding/json says may repeat a value
	}
	return nil
}
