package secrets

import (
	"strings"
)

// spansMax bounds what is noted of one text. It is more than is listed of an
// object, so that a text with more of them is known to have more.
const spansMax = 40

// A span is a part of a text that is a secret.
type span struct {
	start, end int
	rule       string
	class      Class
	key        string
}

// A leaf is a text that is being scanned.
type leaf struct {
	w       *walk
	text    string
	spans   []span
	name    pair // the last {"name": …}
	command int  // where the command ends that was looked at last
}

// rank orders classes where two find the same bytes: the more exact one wins.
func rank(c Class) int {
	switch c {
	case ClassToken:
		return 4
	case ClassKey:
		return 3
	case ClassJWT:
		return 2
	case ClassURL:
		return 1
	}
	return 0
}

// full reports whether nothing more is to be noted.
func (l *leaf) full() bool { return len(l.spans) >= spansMax }

// add notes a secret, once for the same bytes.
func (l *leaf) add(class Class, rule, key string, start, end int) {
	for i := range l.spans {
		s := &l.spans[i]
		if start >= s.end || end <= s.start {
			continue
		}
		if s.key == "" {
			s.key = key
		}
		if rank(class) > rank(s.class) {
			s.start, s.end, s.rule, s.class = start, end, rule, class
		}
		return
	}
	if l.full() {
		l.w.more = true
		return
	}
	l.spans = append(l.spans, span{start, end, rule, class, key})
}

// scan scans the text, whose name in the object has a strength.
func (l *leaf) scan(name string, c context) {
	if len(l.text) < 3 {
		return
	}
	l.known(name)
	if strong := l.w.s.names.strength(name); strong != neutral && strings.IndexByte(strings.TrimSpace(l.text), '\n') < 0 {
		if l.w.s.words.secret(literal{name: name, value: l.text, strength: strong, env: c.env}) {
			l.add(ClassName, ruleOf(strong), "", 0, len(l.text))
		}
	}
	if len(l.text) < 6 {
		return
	}
	if strings.Contains(name, "pgpass") || strings.Contains(l.text, ":5432:") {
		l.pgpass()
	}
	l.places(c)
	l.keys()
}

// ruleOf returns the rule of a literal value.
func ruleOf(s strength) string {
	switch s {
	case password:
		return "password-name"
	case strong:
		return "secret-name"
	}
	return "random-value"
}

// scanKey scans the text as a key of the object: under no name.
func (l *leaf) scanKey() {
	l.known("")
	l.places(context{})
}

// known finds tokens of providers in a text that has a name.
func (l *leaf) known(name string) {
	if len(l.text) < minToken {
		return
	}
	l.w.s.tokens.find(name, l.text, func(rule string, start, end int) {
		class := ClassToken
		if rule == tooLarge {
			class = ClassLarge
		}
		l.add(class, rule, "", start, end)
	})
}

// minToken is shorter than any token, in bytes.
const minToken = 12

// cut returns the text from i to j, as far as there is any.
func (l *leaf) cut(i, j int) string { return l.text[max(i, 0):min(j, len(l.text))] }
