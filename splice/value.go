package splice

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Values are JSON as any, with json.Number, []any, and objects that keep the
// order of their fields.
type object []member

type member struct {
	key   string
	value any
}

// get returns the value at key, and whether there is one.
func (o object) get(key string) (any, bool) {
	for _, m := range o {
		if m.key == key {
			return m.value, true
		}
	}
	return nil, false
}

// decode reads one JSON value.
func decode(data []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	v, err := decodeNext(dec)
	if err != nil {
		return nil, errors.New("is no JSON") // the decoder's own words may quote a value
	}
	return v, nil
}

func decodeNext(dec *json.Decoder) (any, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		o := object{}
		for dec.More() {
			key, err := dec.Token()
			if err != nil {
				return nil, err
			}
			v, err := decodeNext(dec)
			if err != nil {
				return nil, err
			}
			o = append(o, member{fmt.Sprint(key), v})
		}
		_, err = dec.Token()
		return o, err
	case json.Delim('['):
		list := []any{}
		for dec.More() {
			v, err := decodeNext(dec)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = dec.Token()
		return list, err
	}
	return token, nil
}

// Equal reports whether two texts are the same JSON value, in whatever order and
// with whatever escapes.
func Equal(a, b []byte) bool {
	x, errA := decode(a)
	y, errB := decode(b)
	return errA == nil && errB == nil && equal(x, y)
}

// equal reports whether two values are the same JSON, in whatever order.
func equal(a, b any) bool {
	switch a := a.(type) {
	case object:
		b, ok := b.(object)
		return ok && len(a) == len(b) && sameFields(a, b)
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !equal(a[i], b[i]) {
				return false
			}
		}
		return true
	case json.Number:
		b, ok := b.(json.Number)
		return ok && sameNumber(a, b)
	}
	if isContainer(b) {
		return false
	}
	return a == b
}

// sameFields compares objects of equal size. Many fields are looked up in a map.
func sameFields(a, b object) bool {
	const few = 16
	if len(a) <= few {
		for _, m := range a {
			if v, ok := b.get(m.key); !ok || !equal(m.value, v) {
				return false
			}
		}
		return true
	}
	fields := make(map[string]any, len(b))
	for _, m := range b {
		fields[m.key] = m.value
	}
	for _, m := range a {
		if v, ok := fields[m.key]; !ok || !equal(m.value, v) {
			return false
		}
	}
	return true
}

// sameNumber compares numbers as kubectl and the API server have them: integers of
// 64 bits, or floating-point numbers.
func sameNumber(a, b json.Number) bool {
	if a == b {
		return true
	}
	i, errA := strconv.ParseInt(a.String(), 10, 64)
	j, errB := strconv.ParseInt(b.String(), 10, 64)
	if errA == nil && errB == nil {
		return i == j
	}
	x, errA := a.Float64()
	y, errB := b.Float64()
	return errA == nil && errB == nil && x == y
}

func isContainer(v any) bool {
	switch v.(type) {
	case object, []any:
		return true
	}
	return false
}

// isEmpty reports whether v is written in place: a scalar or an empty container.
func isEmpty(v any) bool {
	switch v := v.(type) {
	case object:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return true
}

// encode returns v as JSON with the text given after colons and commas.
func encode(v any, colon, comma string) string {
	var b strings.Builder
	encodeTo(&b, v, colon, comma)
	return b.String()
}

func encodeTo(b *strings.Builder, v any, colon, comma string) {
	switch v := v.(type) {
	case object:
		b.WriteString("{")
		for i, m := range v {
			if i > 0 {
				b.WriteString(comma)
			}
			b.WriteString(quoted(m.key) + colon)
			encodeTo(b, m.value, colon, comma)
		}
		b.WriteString("}")
	case []any:
		b.WriteString("[")
		for i, item := range v {
			if i > 0 {
				b.WriteString(comma)
			}
			encodeTo(b, item, colon, comma)
		}
		b.WriteString("]")
	case string:
		b.WriteString(quoted(v))
	default:
		b.WriteString(literal(v))
	}
}

// literal returns a number, a boolean or null.
func literal(v any) string {
	if v == nil {
		return "null"
	}
	return fmt.Sprint(v)
}

// quoted returns s in double quotes, with escapes that JSON and YAML both know.
func quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"', r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case isRaw(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// isRaw reports whether a character may stand in a file as it is: neither a
// control character, nor a line break, nor a byte order mark.
func isRaw(r rune) bool {
	switch r {
	case 0x2028, 0x2029, 0xfeff, 0xfffe, 0xffff:
		return false
	}
	return r >= ' ' && r < 0x7f || r >= 0xa0
}
