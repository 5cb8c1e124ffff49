package secrets

import "strings"

// A mark is a byte at which there may be a secret: one pass over the text looks
// at these alone, instead of one pass for each format.
type mark byte

const (
	markNone  mark = iota
	markPair       // name=value, name: value, <name>value, scheme://
	markDash       // --option, -----BEGIN
	markBlank      // mysql -p, password x
	markStart      // words that formats start with
)

// marks returns the mark of each byte.
func marks() (m [256]mark) {
	for kind, bytes := range map[mark]string{markPair: "=:>", markDash: "-", markBlank: " ", markStart: "JBPA@"} {
		for i := range len(bytes) {
			m[bytes[i]] = kind
		}
	}
	return m
}

// places finds what is secret by the place where it is in the text.
func (l *leaf) places(c context) {
	t, lines := l.text, strings.IndexByte(l.text, '\n') >= 0
	kinds := &l.w.s.marks
	for i := 0; i < len(t); i++ {
		kind := kinds[t[i]]
		if kind == markNone {
			continue
		}
		if l.full() || l.w.left < 0 {
			return
		}
		switch kind {
		case markPair:
			if i+1 < len(t) && t[i+1] == t[i] && t[i] != '>' { // an operator
				for i+1 < len(t) && t[i+1] == t[i] {
					i++
				}
				continue
			}
			i = l.pair(i, lines, c)
		case markDash:
			i = l.dashes(i)
		case markBlank:
			l.blank(i)
		default:
			l.start(i)
		}
	}
}

// dashes looks at a run of dashes, and returns its end.
func (l *leaf) dashes(i int) int {
	end := i + 1
	for end < len(l.text) && l.text[end] == '-' {
		end++
	}
	switch {
	case end-i == 2 && (i == 0 || isSpace(l.text[i-1]) || strings.IndexByte("\"'`[(", l.text[i-1]) >= 0):
		l.flag(i)
	case end-i >= 5 && strings.HasPrefix(l.text[end:], "BEGIN "):
		l.privateKey(end-5, end)
	}
	return end - 1
}

// blank looks at what is before and after a space.
func (l *leaf) blank(i int) {
	t := l.text
	if i+2 < len(t) && t[i+1] == '-' && strings.IndexByte("puawP-", t[i+2]) >= 0 && i >= l.command {
		l.commandAt(i)
	}
	if i < 8 {
		return
	}
	switch t[i-1] {
	case 'd':
		if strings.HasSuffix(t[:i], "password") {
			l.netrc(i + 1)
		}
	case 's':
		if strings.HasSuffix(t[:i], "requirepass") {
			l.directive(i-len("requirepass"), i+1)
		}
	case 'h':
		if strings.HasSuffix(t[:i], "masterauth") {
			l.directive(i-len("masterauth"), i+1)
		}
	}
}

// start looks at a word that a format starts with.
func (l *leaf) start(i int) {
	rest := l.text[i:]
	switch {
	case rest[0] == 'J' && i >= 2 && l.text[i-2:i] == "ey":
		l.webToken(i - 2)
	case strings.HasPrefix(rest, "Basic "):
		l.basic(i)
	case strings.HasPrefix(rest, "Bearer "):
		l.bearer(i)
	case strings.HasPrefix(rest, "BY '") && strings.HasSuffix(l.text[:i], "IDENTIFIED "):
		from, end := l.shellWord(i+len("BY "), min(len(l.text), i+passLength))
		l.literal("password", i, from, end, true)
	case strings.HasPrefix(rest, "PASSWORD '"):
		from, end := l.shellWord(i+len("PASSWORD "), min(len(l.text), i+passLength))
		l.literal("password", i, from, end, true)
	case strings.HasPrefix(rest, "@tcp("):
		l.goDSN(i)
	case strings.HasPrefix(rest, "PuTTY-User-Key-File-"):
		l.puttyKey(i)
	case strings.HasPrefix(rest, "AGE-SECRET-KEY-1"):
		l.ageKey(i)
	}
}
