package secrets

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

const (
	// userLength and passLength bound the credentials of a URL.
	userLength = 128
	passLength = 512
	// netrcLength bounds what is before the password in an entry of a netrc file.
	netrcLength = 256
	// lineLength bounds a command or line that is looked into.
	lineLength = 1024
)

// url finds scheme://user:password@host, at its "://".
func (l *leaf) url(i int) {
	start := i
	for start > 0 && i-start < 24 && (isAlnum(l.text[start-1]) || strings.IndexByte("+-.", l.text[start-1]) >= 0) {
		start--
	}
	rest := l.cut(i+3, i+3+userLength+passLength)
	end := strings.IndexAny(rest, "/?# \t\r\n\"'<>`,;|\\")
	l.w.left -= 16
	if start == i || end == 0 {
		return
	}
	if end < 0 {
		end = len(rest)
	}
	at := strings.LastIndexByte(rest[:end], '@')
	if at < 0 { // passwords with such a character in them are wrong, and met
		at = l.unescaped(rest)
	}
	user, pass, ok := strings.Cut(rest[:max(at, 0)], ":")
	if at < 0 || !ok || !l.w.s.words.credential(user, pass) {
		return
	}
	l.add(ClassURL, "url-password", "", i+3, i+3+at)
}

// unescaped returns the place of "@" in user:pass/word@host, where "?" and "#" may stand
// for the slash, or -1.
func (l *leaf) unescaped(rest string) int {
	end := strings.IndexAny(rest, " \t\r\n\"'<>`,;|\\")
	if end < 0 {
		end = len(rest)
	}
	l.w.left -= end
	at, colon, mark := strings.LastIndexByte(rest[:end], '@'), strings.IndexByte(rest[:end], ':'), strings.IndexAny(rest[:end], "/?#")
	if at < 0 || colon < 0 || mark < 0 || colon+1 == mark || at < mark || colon > mark || mark+1 == at || isPort(rest[colon+1:mark]) {
		return -1
	}
	return at
}

func isPort(v string) bool {
	for i := range len(v) {
		if !isDigit(v[i]) {
			return false
		}
	}
	return len(v) <= 5
}

// credential reports whether user and pass are real ones: not put in later, and not those of documentation.
func (s *words) credential(user, pass string) bool {
	if len(pass) < 2 || strings.ContainsAny(pass, "${}<>*()[]") || strings.ContainsAny(user, "${}<>*") || s.standsFor(pass) || s.standsFor(user) && user != "" || upperName(pass) {
		return false
	}
	for i := range len(pass) {
		if pass[i] == '%' && (i+2 >= len(pass) || !hexDigit(pass[i+1]) || !hexDigit(pass[i+2])) {
			return false
		}
	}
	switch strings.ToLower(pass) {
	case "pass", "password", "passwd", "pwd", "pw", "secret", "mypassword", "token":
		switch strings.ToLower(user) {
		case "user", "username", "usr", "name", "login", "myuser", "someuser", "db_user", "dbuser", "u", "foo", "id":
			return false
		}
		return !isUpper(pass[0])
	}
	return true
}

// goDSN finds user:password@tcp(host), as drivers of Go take it.
func (l *leaf) goDSN(i int) {
	start := i
	for start > 0 && i-start < userLength && strings.IndexByte(" \t\n\r\"'=,/", l.text[start-1]) < 0 {
		start--
	}
	l.w.left -= i - start
	if user, pass, ok := strings.Cut(l.text[start:i], ":"); ok && l.w.s.words.credential(user, pass) {
		l.add(ClassURL, "connection-string", "", start, i)
	}
}

// basic finds "Basic " and the base64 of user:password.
func (l *leaf) basic(i int) {
	start := i + len("Basic ")
	end := l.word(start, lineLength)
	if l.w.s.words.basicAuth(l.text[start:end]) {
		l.add(ClassURL, "basic-auth", "", start, end)
	}
}

// basicAuth reports whether v is the base64 of user:password.
func (s *words) basicAuth(v string) bool {
	if len(v) < 6 || len(v) > lineLength {
		return false
	}
	var buf [lineLength]byte
	n, err := base64.StdEncoding.Decode(buf[:], []byte(v))
	if err != nil {
		if n, err = base64.RawStdEncoding.Decode(buf[:], []byte(v)); err != nil {
			return false
		}
	}
	user, pass, ok := strings.Cut(string(buf[:n]), ":")
	return ok && printable(string(buf[:n])) && s.credential(user, pass)
}

// bearer finds "Bearer " and a token.
func (l *leaf) bearer(i int) {
	start := i + len("Bearer ")
	end := l.word(start, lineLength)
	if v := l.text[start:end]; random(v) && !l.w.s.words.template(v) && !uuid(v) && !l.w.s.words.standsFor(v) {
		l.add(ClassURL, "bearer-token", "", start, end)
	}
}

// word returns the end of the word at i.
func (l *leaf) word(i, limit int) int {
	end := i
	for end < len(l.text) && end-i < limit && !isSpace(l.text[end]) && strings.IndexByte("\"'`,;)\\", l.text[end]) < 0 {
		end++
	}
	l.w.left -= end - i
	return end
}

// netrc finds the password at start, where it is one of a "machine" in a netrc file.
func (l *leaf) netrc(start int) {
	entry := l.cut(start-netrcLength, start)
	l.w.left -= netrcLength / 2
	at := strings.LastIndex(entry, "machine ")
	if at < 0 || !strings.Contains(entry[at:], "login ") {
		return
	}
	end := l.word(start, passLength)
	if l.w.s.words.secret(literal{name: "password", value: l.text[start:end], strength: password, env: true}) {
		l.add(ClassURL, "netrc-password", "", start, end)
	}
}

// pgpass finds lines host:port:database:user:password.
func (l *leaf) pgpass() {
	for start := 0; start < len(l.text) && !l.full(); {
		end := start + lineEnd(l.text[start:])
		line := strings.TrimSpace(l.cut(start, min(end, start+lineLength)))
		l.w.left -= len(line)
		if parts := strings.SplitN(line, ":", 5); len(parts) == 5 && !strings.HasPrefix(line, "#") && (isPort(parts[1]) || parts[1] == "*") && !strings.ContainsAny(line, " \t\"") {
			if l.w.s.words.secret(literal{name: "password", value: parts[4], strength: password, env: true}) {
				at := start + strings.Index(l.text[start:end], line)
				l.add(ClassURL, "pgpass-password", "", at+len(line)-len(parts[4]), at+len(line))
			}
		}
		start = end + 1
	}
}

func lineEnd(s string) int {
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		return i
	}
	return len(s)
}

// printable reports whether v is text.
func printable(v string) bool {
	for i, r := range v {
		if r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f {
			return false
		}
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(v[i:]); size == 1 {
				return false
			}
		}
	}
	return true
}
