package resource

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Tags as go.yaml.in/yaml/v3 shortens them.
const (
	strTag       = "!!str"
	boolTag      = "!!bool"
	intTag       = "!!int"
	floatTag     = "!!float"
	nullTag      = "!!null"
	timestampTag = "!!timestamp"
	binaryTag    = "!!binary"
	mergeTag     = "!!merge"
)

// resolve returns what a scalar means in YAML 1.1 as go.yaml.in/yaml/v2 reads
// it, which is what kubectl uses: nil, a bool, an int64, a uint64, a float64 or
// a string. The tag is the one that the file gives, "" if none. Of quoted
// scalars only those with a tag come here.
func resolve(tag, in string) (any, error) {
	switch tag {
	case binaryTag:
		data, err := base64.StdEncoding.DecodeString(in)
		if err != nil {
			return nil, errors.New("value tagged !!binary is no base64")
		}
		return string(data), nil
	case timestampTag:
		if !isTimestamp(in) {
			return nil, misfit(tag)
		}
		return in, nil
	case "", boolTag, intTag, floatTag, nullTag:
		v := guess(in)
		if tag == "" || tag == tagOf(v) {
			return v, nil
		}
		if i, ok := v.(int64); ok && tag == floatTag {
			return float64(i), nil
		}
		return nil, misfit(tag)
	}
	return in, nil // !!str, and tags that nobody knows
}

func misfit(tag string) error { return fmt.Errorf("value does not fit its tag %s", tag) }

func tagOf(v any) string {
	switch v.(type) {
	case nil:
		return nullTag
	case bool:
		return boolTag
	case int64, uint64:
		return intTag
	case float64:
		return floatTag
	}
	return strTag
}

// guess resolves a plain scalar. A first letter that begins none of YAML's words
// and numbers settles most of them.
func guess(in string) any {
	if in == "" {
		return nil
	}
	switch c := in[0]; {
	case strings.IndexByte("yYnNtTfFoO~", c) >= 0:
		return word(in)
	case c == '.':
		if f, ok := special(in); ok {
			return f
		}
		if f, err := strconv.ParseFloat(in, 64); err == nil {
			return f
		}
	case c == '+', c == '-', c >= '0' && c <= '9':
		if f, ok := special(in); ok {
			return f
		}
		return number(in)
	}
	return in
}

// word resolves booleans and null, of which YAML 1.1 has many.
func word(in string) any {
	switch in {
	case "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON":
		return true
	case "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF":
		return false
	case "~", "null", "Null", "NULL":
		return nil
	}
	return in
}

func special(in string) (float64, bool) {
	switch in {
	case ".nan", ".NaN", ".NAN":
		return math.NaN(), true
	case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF":
		return math.Inf(1), true
	case "-.inf", "-.Inf", "-.INF":
		return math.Inf(-1), true
	}
	return 0, false
}

// number resolves what begins like a number. Underscores do not count; a
// leading 0 makes an octal number; dates and what does not parse are strings.
func number(in string) any {
	if isTimestamp(in) {
		return in
	}
	plain := strings.ReplaceAll(in, "_", "")
	if i, err := strconv.ParseInt(plain, 0, 64); err == nil {
		return i
	}
	if u, err := strconv.ParseUint(plain, 0, 64); err == nil {
		return u
	}
	if isDecimal(plain) {
		if f, err := strconv.ParseFloat(plain, 64); err == nil {
			return f
		}
	}
	if rest, ok := strings.CutPrefix(plain, "0b"); ok {
		return binary(in, rest)
	}
	if rest, ok := strings.CutPrefix(plain, "-0b"); ok {
		if i, err := strconv.ParseInt("-"+rest, 2, 64); err == nil {
			return i
		}
	}
	return in
}

// binary resolves digits after 0b that strconv did not take with their prefix,
// such as 0b+1.
func binary(in, digits string) any {
	if i, err := strconv.ParseInt(digits, 2, 64); err == nil {
		return i
	}
	if u, err := strconv.ParseUint(digits, 2, 64); err == nil {
		return u
	}
	return in
}

// isDecimal reports whether s matches
//
//	^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$
func isDecimal(s string) bool {
	s = cutSign(s)
	whole := cutDigits(s)
	rest, point := strings.CutPrefix(whole, ".")
	fraction := cutDigits(rest)
	if len(whole) == len(s) && (!point || len(fraction) == len(rest)) {
		return false
	}
	if fraction == "" {
		return true
	}
	if fraction[0] != 'e' && fraction[0] != 'E' {
		return false
	}
	exponent := cutSign(fraction[1:])
	return exponent != "" && cutDigits(exponent) == ""
}

func cutSign(s string) string {
	if s != "" && (s[0] == '-' || s[0] == '+') {
		return s[1:]
	}
	return s
}

func cutDigits(s string) string { return strings.TrimLeft(s, "0123456789") }

// isTimestamp reports whether s is a date or time as YAML writes it.
func isTimestamp(s string) bool {
	if len(s) < 5 || s[4] != '-' || cutDigits(s[:4]) != "" {
		return false
	}
	for _, layout := range []string{
		"2006-1-2T15:4:5.999999999Z07:00", "2006-1-2t15:4:5.999999999Z07:00",
		"2006-1-2 15:4:5.999999999", "2006-1-2",
	} {
		if _, err := time.Parse(layout, s); err == nil {
			return true
		}
	}
	return false
}

// keyOf returns the JSON key that a scalar makes as a key.
func keyOf(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		return floatKey(v), nil
	}
	return "", errors.New("null and numbers beyond 64 bits cannot be keys")
}

// floatKey writes a number as sigs.k8s.io/yaml writes keys.
func floatKey(f float64) string {
	switch {
	case math.IsNaN(f):
		return ".nan"
	case math.IsInf(f, 1):
		return ".inf"
	case math.IsInf(f, -1):
		return "-.inf"
	}
	return strconv.FormatFloat(f, 'g', -1, 32)
}

// scalarNode returns the node of a resolved scalar. Integers beyond 64 bits
// lose digits here as they do in kubectl.
func scalarNode(v any, line int32) (*node, error) {
	n := &node{kind: literalNode, line: line}
	switch v := v.(type) {
	case nil:
		n.text = "null"
	case bool:
		n.text = strconv.FormatBool(v)
	case int64:
		n.text = strconv.FormatInt(v, 10)
	case uint64:
		return floatNode(n, float64(v))
	case float64:
		return floatNode(n, v)
	case string:
		n.kind, n.text = stringNode, v
	}
	return n, nil
}

var errNoNumber = errors.New("infinity and NaN are no numbers in JSON")

func floatNode(n *node, f float64) (*node, error) {
	text, err := json.Marshal(f)
	if err != nil {
		return nil, errNoNumber
	}
	n.text = string(text)
	if n.text == "-0" { // an integer to the decoder that reads it next
		n.text = "0"
	}
	return n, nil
}
