package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
)

// maxDepth is how deeply JSON may be nested. It is the limit of the decoder that
// the API server uses (sigs.k8s.io/json), so nothing that can be stored is deeper.
const maxDepth = 10_000

// errDepth reports JSON that is nested more deeply than maxDepth.
var errDepth = errors.New("nested more than " + strconv.Itoa(maxDepth) + " levels deep")

// A place says where in a manifest the decoder is, since one field of it, the
// managedFields of the object itself, is set aside and not decoded.
type place int

const (
	plain    place = iota // nothing is set aside
	manifest              // the object itself
	metadata              // its metadata
)

// A decoder turns JSON into terms in one pass. It accepts what encoding/json
// accepts, keeps numbers as they are written, takes keys as they are spelt, and
// lets the last of several equal keys win, all of which the API server does too.
type decoder struct {
	src     string // the JSON; strings without escapes are parts of it
	pos     int
	depth   int
	terms   []ast.Term     // what is left of the block that terms are taken from
	pairs   [][2]*ast.Term // a stack of the members of the objects being read
	items   []*ast.Term    // a stack of the items of the arrays being read
	managed string         // the managedFields that were last set aside

	headOnly bool // objects are passed over
	head     int  // how many bytes of the head were read
}

// newDecoder returns a decoder of src.
func newDecoder(src string) *decoder { return &decoder{src: src} }

// document reads the one value that src holds.
func (d *decoder) document(s place) (*ast.Term, error) {
	term, err := d.value(s)
	if err != nil {
		return nil, err
	}
	if c := d.next(); c != 0 || d.pos < len(d.src) {
		return nil, d.malformed("unexpected data after the value")
	}
	return term, nil
}

// next skips white space and returns the byte that follows, 0 at the end.
func (d *decoder) next() byte {
	for d.pos < len(d.src) {
		switch c := d.src[d.pos]; c {
		case ' ', '\t', '\n', '\r':
			d.pos++
		default:
			return c
		}
	}
	return 0
}

// malformed returns an error that names the offset and nothing of what stands there.
func (d *decoder) malformed(what string) error {
	return d.fail(errors.New(what))
}

func (d *decoder) fail(err error) error {
	return fmt.Errorf("offset %d: %w", d.pos, err)
}

// term returns a new term that holds v.
func (d *decoder) term(v ast.Value) *ast.Term {
	if len(d.terms) == 0 {
		// A term is needed for about every 24 bytes of a compact manifest.
		d.terms = make([]ast.Term, min(max(len(d.src)/24, 16), 512))
	}
	t := &d.terms[0]
	d.terms = d.terms[1:]
	t.Value = v
	return t
}

func (d *decoder) value(s place) (*ast.Term, error) {
	switch c := d.next(); {
	case c == '{':
		return d.object(s)
	case c == '[':
		return d.array()
	case c == '"':
		text, err := d.text()
		if err != nil {
			return nil, err
		}
		return d.textTerm(text), nil
	case c == '-' || c >= '0' && c <= '9':
		return d.number()
	default:
		return d.literal()
	}
}

func (d *decoder) enter() error {
	if d.depth++; d.depth > maxDepth {
		return d.fail(errDepth)
	}
	d.pos++
	return nil
}

func (d *decoder) object(s place) (*ast.Term, error) {
	if err := d.enter(); err != nil {
		return nil, err
	}
	first := len(d.pairs)
	for n := 0; ; n++ {
		key, more, err := d.member(n)
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		if s == metadata && key == "managedFields" {
			start := d.pos
			if err := d.skip(); err != nil {
				return nil, err
			}
			d.managed = d.src[start:d.pos]
			continue
		}
		value, err := d.value(s.below(key))
		if err != nil {
			return nil, err
		}
		d.pairs = append(d.pairs, [2]*ast.Term{d.textTerm(key), value})
	}
	t := d.term(ast.NewObject(lastOfEach(d.pairs[first:])...))
	d.pairs = d.pairs[:first]
	return t, nil
}

// below returns the place of the value of key in s.
func (s place) below(key string) place {
	if s == manifest && key == "metadata" {
		return metadata
	}
	return plain
}

// member reads the name of the next member of an object that n members of were
// read, up to its value. It reports false, and passes the brace, at the end.
func (d *decoder) member(n int) (key string, more bool, err error) {
	if more, err := d.more(n, '}'); !more || err != nil {
		return "", false, err
	}
	if d.next() != '"' {
		return "", false, d.malformed("expected the name of a member")
	}
	if key, err = d.text(); err != nil {
		return "", false, err
	}
	if d.next() != ':' {
		return "", false, d.malformed("expected a colon")
	}
	d.pos++
	d.next()
	return key, true, nil
}

// more reports whether an object or array has another value after the n that
// were read. It passes the comma before it, or the bracket at the end.
func (d *decoder) more(n int, end byte) (bool, error) {
	switch c := d.next(); {
	case c == end:
		d.depth--
		d.pos++
		return false, nil
	case n == 0:
		return true, nil
	case c == ',':
		d.pos++
		return true, nil
	}
	return false, d.malformed("expected a comma or the end of what was begun")
}

func (d *decoder) array() (*ast.Term, error) {
	if err := d.enter(); err != nil {
		return nil, err
	}
	first := len(d.items)
	for n := 0; ; n++ {
		more, err := d.more(n, ']')
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		item, err := d.value(plain)
		if err != nil {
			return nil, err
		}
		d.items = append(d.items, item)
	}
	t := d.term(ast.NewArray(slices.Clone(d.items[first:])...))
	d.items = d.items[:first]
	return t, nil
}

// skip passes one value without keeping it. What it passes is checked like the rest.
func (d *decoder) skip() error {
	switch c := d.next(); {
	case c == '{', c == '[':
		return d.skipNested(c)
	case c == '"':
		_, err := d.text()
		return err
	case c == '-' || c >= '0' && c <= '9':
		_, err := d.digits()
		return err
	default:
		_, err := d.literal()
		return err
	}
}

func (d *decoder) skipNested(begin byte) error {
	if err := d.enter(); err != nil {
		return err
	}
	for n := 0; ; n++ {
		var more bool
		var err error
		if begin == '{' {
			_, more, err = d.member(n)
		} else {
			more, err = d.more(n, ']')
		}
		if !more || err != nil {
			return err
		}
		if err := d.skip(); err != nil {
			return err
		}
	}
}

// text reads a string. One with escapes or broken UTF-8 is left to encoding/json,
// which repairs it the way the API server does.
func (d *decoder) text() (string, error) {
	start := d.pos + 1
	simple := true
	for i := start; i < len(d.src); i++ {
		switch c := d.src[i]; {
		case c == '"':
			d.pos = i + 1
			s := d.src[start:i]
			if simple || utf8.ValidString(s) && !hasBackslash(s) {
				return s, nil
			}
			return d.unquote(d.src[start-1 : i+1])
		case c == '\\':
			simple = false
			i++
		case c < ' ':
			d.pos = i
			return "", d.malformed("control character in a string")
		case c >= utf8.RuneSelf:
			simple = false
		}
	}
	d.pos = len(d.src)
	return "", d.malformed("unterminated string")
}

func hasBackslash(s string) bool {
	for i := range len(s) {
		if s[i] == '\\' {
			return true
		}
	}
	return false
}

func (d *decoder) unquote(quoted string) (string, error) {
	var s string
	if err := json.Unmarshal([]byte(quoted), &s); err != nil {
		return "", d.malformed("invalid escape in a string") // the cause quotes the text
	}
	return s, nil
}

// textTerm returns the term of a string, a shared one where it is well known.
func (d *decoder) textTerm(text string) *ast.Term {
	if len(text) <= maxKnown {
		if t, ok := knownTerms[text]; ok {
			return t
		}
	}
	return d.term(ast.String(text))
}

func (d *decoder) number() (*ast.Term, error) {
	text, err := d.digits()
	if err != nil {
		return nil, err
	}
	if len(text) == 1 {
		return ast.InternedTerm(int(text[0] - '0')), nil
	}
	return d.term(ast.Number(text)), nil
}

// digits reads a number as JSON writes it. One that no float64 can hold is an
// error, as it is in the API server.
func (d *decoder) digits() (string, error) {
	start := d.pos
	if d.peek() == '-' {
		d.pos++
	}
	whole := d.run()
	if whole == 0 || whole > 1 && d.src[d.pos-whole] == '0' {
		return "", d.malformed("invalid number")
	}
	if d.peek() == '.' {
		d.pos++
		if d.run() == 0 {
			return "", d.malformed("invalid number")
		}
	}
	exponent := false
	if c := d.peek(); c == 'e' || c == 'E' {
		exponent = true
		d.pos++
		if c := d.peek(); c == '+' || c == '-' {
			d.pos++
		}
		if d.run() == 0 {
			return "", d.malformed("invalid number")
		}
	}
	text := d.src[start:d.pos]
	if exponent || len(text) > 300 { // shorter ones are in the range of float64
		if _, err := strconv.ParseFloat(text, 64); err != nil {
			return "", d.malformed("number out of range")
		}
	}
	return text, nil
}

// peek returns the byte at the position, 0 at the end.
func (d *decoder) peek() byte {
	if d.pos < len(d.src) {
		return d.src[d.pos]
	}
	return 0
}

// run passes decimal digits and returns how many.
func (d *decoder) run() int {
	start := d.pos
	for c := d.peek(); c >= '0' && c <= '9'; c = d.peek() {
		d.pos++
	}
	return d.pos - start
}

func (d *decoder) literal() (*ast.Term, error) {
	for _, l := range literals {
		if rest := d.src[d.pos:]; len(rest) >= len(l.text) && rest[:len(l.text)] == l.text {
			d.pos += len(l.text)
			return l.term, nil
		}
	}
	return nil, d.malformed("expected a value")
}

// lastOfEach drops every member whose name comes again later.
func lastOfEach(members [][2]*ast.Term) [][2]*ast.Term {
	if !hasRepeats(members) {
		return members
	}
	last := make(map[ast.Value]int, len(members))
	for i, m := range members {
		last[m[0].Value] = i
	}
	kept := members[:0]
	for i, m := range members {
		if last[m[0].Value] == i {
			kept = append(kept, m)
		}
	}
	return kept
}

// hasRepeats reports whether two members have the same name. Most objects have
// few members, for which comparing each with each is the fastest way.
func hasRepeats(members [][2]*ast.Term) bool {
	if len(members) > 12 {
		seen := make(map[ast.Value]struct{}, len(members))
		for _, m := range members {
			seen[m[0].Value] = struct{}{}
		}
		return len(seen) < len(members)
	}
	for i := range members {
		for j := range i {
			a, b := members[i][0], members[j][0]
			if a == b || a.Value.(ast.String) == b.Value.(ast.String) { //nolint:errcheck // keys are strings
				return true
			}
		}
	}
	return false
}
