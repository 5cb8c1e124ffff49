package secrets

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// ErrTooLarge reports what cannot be redacted because it cannot be scanned whole.
var ErrTooLarge = errors.New("too large to be scanned for credentials")

const (
	// minKnown is how many bytes a value has at least that is taken out wherever it
	// stands. Shorter ones are met by chance.
	minKnown = 6
	// maxKnown is how many such values one request may have.
	maxKnown = 10_000
)

// Redact returns copies of roots, which belong together, without their
// credentials. They are values as encoding/json decodes them.
//
// A text in which Scan would find something is replaced whole, and so is one that
// Scan passes over, such as the status, and one under a name that says secret,
// whatever it is. Values that were found and are more than plain words are taken out
// wherever else they stand. All else stays, and each text stays a text.
func (s *Scanner) Redact(roots ...any) ([]any, error) {
	r := &redaction{s: s, numbers: map[string]int{}, known: map[string]bool{}, keys: map[string][]span{}}
	for _, root := range roots {
		r.places = append(r.places, map[string]*redacted{})
		w := newWalk(s, Of(root))
		w.redaction = r
		w.visit(w.root, context{})
		if w.left < 0 || w.deep || len(r.known) > maxKnown {
			return nil, ErrTooLarge
		}
	}
	r.replacer = r.newReplacer()
	copies := make([]any, len(roots))
	for i, root := range roots {
		r.at = r.places[i]
		copies[i] = r.apply(root, nil, "")
	}
	return copies, nil
}

// A redaction is what is to be taken out of some values.
type redaction struct {
	s        *Scanner
	numbers  map[string]int         // of texts that are replaced
	known    map[string]bool        // values to take out wherever they stand
	keys     map[string][]span      // keys that are secrets themselves
	places   []map[string]*redacted // by root and path
	at       map[string]*redacted   // those of the root that is copied
	replacer *strings.Replacer
}

// A redacted is a text that is replaced.
type redacted struct{ spans []span }

// number is that of a text, the same for the same text.
func (r *redaction) number(text string) int {
	n, ok := r.numbers[text]
	if !ok {
		n = len(r.numbers) + 1
		r.numbers[text] = n
	}
	return n
}

// note takes down what a walk has found where it is, in a text or, where that is
// empty, in all that stands there.
func (r *redaction) note(w *walk, s span, text string) {
	if text == "" || s.end <= s.start {
		r.learn(w.standing(), s.class)
	} else {
		r.learn(text[s.start:s.end], s.class)
	}
	if w.outer != nil {
		if w.still() {
			return
		}
		w = w.outer
	}
	at := r.place(w)
	at.spans = append(at.spans, s)
}

// named takes down a text under a name that says secret, even if none was found.
func (r *redaction) named(w *walk, name string) {
	if w.outer == nil && r.s.names.strength(name) >= strong {
		r.place(w)
	}
}

// place returns what is replaced where a walk is.
func (r *redaction) place(w *walk) *redacted {
	var path []byte
	for _, at := range w.path {
		path = step(path, at)
	}
	places := r.places[len(r.places)-1]
	at, ok := places[string(path)]
	if !ok {
		at = &redacted{}
		places[string(path)] = at
	}
	return at
}

// noteKey takes down a key that is a secret itself.
func (r *redaction) noteKey(key string, spans []span) {
	for _, s := range spans {
		r.learn(key[min(s.start, len(key)):min(max(s.start, s.end), len(key))], s.class)
	}
	r.keys[key] = slices.Clone(spans)
}

// learn makes a value known. Plain words are not, since they are the names of much
// else: a database is called as its password is.
func (r *redaction) learn(value string, class Class) {
	value = strings.TrimSpace(value)
	if _, pass, ok := strings.Cut(value, ":"); ok && class == ClassURL {
		r.learn(pass, ClassName)
	}
	if len(value) >= minKnown && !wordsOnly(value) {
		r.known[value] = true
	}
}

// newReplacer replaces the values that are known, the longest first.
func (r *redaction) newReplacer() *strings.Replacer {
	values := make([]string, 0, len(r.known))
	for value := range r.known {
		values = append(values, value)
	}
	slices.SortFunc(values, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	pairs := make([]string, 0, 2*len(values))
	for _, value := range values {
		pairs = append(pairs, value, newMark(r.number(value), nil))
	}
	return strings.NewReplacer(pairs...)
}

// apply copies a value under a name, which is at path, without what is redacted.
func (r *redaction) apply(v any, path []byte, name string) any {
	switch v := v.(type) {
	case string:
		return r.text(v, path)
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = r.apply(item, step(path, element{index: i}), name)
		}
		return list
	case map[string]any:
		return r.entries(v, path)
	case json.Number, float64, int64:
		if r.s.names.strength(name) == password {
			return json.Number("0")
		}
	}
	return v
}

func (r *redaction) text(text string, path []byte) string {
	if at, ok := r.at[string(path)]; ok {
		return newMark(r.number(text), at.spans)
	}
	return r.replacer.Replace(text)
}

func (r *redaction) entries(m map[string]any, path []byte) map[string]any {
	isSecret := m["kind"] == "Secret"
	entries := make(map[string]any, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) { // so that numbers do not depend on chance
		value := r.apply(m[key], step(path, element{key: key, index: -1}), key)
		if isSecret && (key == "data" || key == "stringData") {
			value = r.blank(value)
		}
		if spans, ok := r.keys[key]; ok {
			key = newMark(r.number(key), spans)
		}
		entries[r.replacer.Replace(key)] = value
	}
	return entries
}

// blank replaces all texts of the data of a Secret that is part of something.
func (r *redaction) blank(v any) any {
	switch v := v.(type) {
	case string:
		if _, ok := marked(v); !ok {
			return newMark(r.number(v), nil)
		}
	case []any:
		for i := range v {
			v[i] = r.blank(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = r.blank(v[key])
		}
	}
	return v
}

// step appends an element to a path, so that no two paths are written alike.
func step(path []byte, at element) []byte {
	if at.index >= 0 {
		return append(strconv.AppendInt(append(path, '#'), int64(at.index), 10), ',')
	}
	path = strconv.AppendInt(append(path, '.'), int64(len(at.key)), 10)
	return append(append(path, ':'), at.key...)
}
