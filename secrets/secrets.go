// Package secrets finds credentials that are written in plain text in an object:
// tokens of known providers, literal values under names that say secret, private
// keys, credentials in URLs and connection strings.
//
// It is a pure function of the object. What it finds it says by place and kind;
// no value, part or hash of one leaves the package. Work and memory are bounded
// by a budget of bytes, and an object beyond it is a finding, never silence.
//
// [Scanner.Redact] takes them out of an object, and more than it finds, to be safe.
package secrets

import (
	"slices"
	"strings"
)

// A Node is a value of an object: one of text, list, map, or anything else.
type Node interface {
	// Text returns the text of a string, and false if this is none.
	Text() (string, bool)
	// Items calls yield for each item; it returns false if this is no list.
	Items(yield func(i int, item Node) bool) bool
	// Entries calls yield for each entry, in any order; it returns false if this is no map.
	Entries(yield func(key string, value Node) bool) bool
}

// A Class is a kind of finding.
type Class string

// The classes of findings.
const (
	ClassToken Class = "token" // a token in a provider's format
	ClassName  Class = "name"  // a literal value under a name that says secret
	ClassKey   Class = "key"   // a private key
	ClassURL   Class = "url"   // credentials in a URL, connection string, header or command line
	ClassJWT   Class = "jwt"   // a JSON Web Token
	ClassLarge Class = "large" // the object is too large or too deep to scan
	ClassMore  Class = "more"  // there are more findings than are listed
)

// A Finding says where a secret is and of what kind, and nothing of its value.
type Finding struct {
	Path  []any  // keys (string) and indexes (int) to the string that holds it
	Key   string // inside of text: the name or path in that text under which it is, "" if none; never a secret itself
	Line  int    // line inside of the text, from 1; 0 if the text has just one
	Rule  string // such as "github-pat", "password-name", "url-password"
	Class Class
}

// Redacted stands in a path or key for a name that is itself a secret.
const Redacted = "<key redacted>"

// Config configures a [Scanner].
type Config struct {
	Budget int // bytes that may be read for one object, those read twice counted twice; if zero, 4 MiB
	Limit  int // findings listed for one object; if zero, 20
}

// A Scanner finds secrets in objects. It is safe for concurrent use.
type Scanner struct {
	budget, limit int
	names         *names
	words         *words
	marks         [256]mark
	programs      []program
	tokens        *tokens
}

// New returns a Scanner for cfg.
func New(cfg Config) (*Scanner, error) {
	known, err := newTokens()
	if err != nil {
		return nil, err
	}
	s := &Scanner{budget: cfg.Budget, limit: cfg.Limit, names: newNames(), words: newWords(), marks: marks(), programs: programs(), tokens: known}
	if s.budget <= 0 {
		s.budget = 4 << 20
	}
	if s.limit <= 0 {
		s.limit = 20
	}
	return s, nil
}

// Scan returns what is found in root, sorted by path and place.
//
// An object that is too large or too deep has one finding of [ClassLarge] and no
// other, since which others are met first depends on the order of maps.
func (s *Scanner) Scan(root Node) []Finding {
	w := newWalk(s, root)
	w.visit(root, context{})
	if w.left < 0 || w.deep {
		return []Finding{{Path: []any{}, Rule: "too-large-to-scan", Class: ClassLarge}}
	}
	if w.more {
		w.found = append(w.found, Finding{Path: []any{}, Rule: "more-findings", Class: ClassMore})
	}
	return w.found
}

// keep adds a finding, and drops the last by order where there are too many: so
// what is listed does not depend on the order in which maps are read.
func (w *walk) keep(f Finding) {
	at, same := slices.BinarySearchFunc(w.found, f, compare)
	if same {
		return
	}
	if at >= w.s.limit {
		w.more = true
		return
	}
	w.found = slices.Insert(w.found, at, f)
	if len(w.found) > w.s.limit {
		w.found, w.more = w.found[:w.s.limit], true
	}
}

func compare(a, b Finding) int {
	if c := slices.CompareFunc(a.Path, b.Path, compareElement); c != 0 {
		return c
	}
	if a.Line != b.Line {
		return a.Line - b.Line
	}
	if c := strings.Compare(a.Key, b.Key); c != 0 {
		return c
	}
	return strings.Compare(a.Rule, b.Rule)
}

func compareElement(a, b any) int {
	i, aIndex := a.(int)
	j, bIndex := b.(int)
	switch {
	case aIndex && bIndex:
		return i - j
	case aIndex:
		return -1
	case bIndex:
		return 1
	}
	s, _ := a.(string)
	t, _ := b.(string)
	return strings.Compare(s, t)
}
