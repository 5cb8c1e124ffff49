package secrets

import "strings"

const (
	// valueLength bounds a value in a text: longer ones are no passwords, and
	// what has a format is found without its name.
	valueLength = 512
	// blanks bounds the spaces around a separator, as of aligned columns.
	blanks = 40
	// nameReach is how far after a name its value may be: {"name": …, "value": …}.
	nameReach = 256
)

// A pair is a name and its value in a text. It is found by what separates the
// two, so that one reader takes properties, dotenv, YAML, JSON, INI, TOML, XML,
// shell and connection strings, and any of them inside of another.
type pair struct {
	keyStart, keyEnd int
	start, end       int
	sep              byte
	quoted           bool // the value is in quotes
	keyQuoted        bool
	first            bool // the name is the first of its line
	env              bool // a plain word is a value here
}

// pair judges the value after the separator at i by its name, and returns where
// to go on.
func (l *leaf) pair(i int, lines bool, c context) int {
	if l.text[i] == ':' && strings.HasPrefix(l.text[i:], "://") {
		l.url(i)
		return i + 2
	}
	if l.text[i] == '>' && l.name.end > 0 && l.name.end == i-1 { // <entry key="password">
		p := pair{keyStart: l.name.start, keyEnd: l.name.end, sep: '>', env: true}
		key := l.text[l.name.start:l.name.end]
		if s := l.w.s.names.strength(key); s != neutral && l.value(&p, i, lines) {
			l.judge(key, s, p, c)
		}
		return i
	}
	p, ok := l.key(i)
	if !ok {
		return i
	}
	key := l.text[p.keyStart:p.keyEnd]
	if isNameKey(key) && l.value(&p, i, lines) {
		l.name = p
		return max(i, p.start-1)
	}
	named := isValueKey(key) && l.names(l.name, p)
	if named {
		key, p.env = l.text[l.name.start:l.name.end], true
	}
	if s := l.w.s.names.strength(key); s != neutral && l.value(&p, i, lines) {
		l.judge(key, s, p, c)
	}
	return i
}

func isNameKey(key string) bool {
	return len(key) <= 4 && (strings.EqualFold(key, "name") || strings.EqualFold(key, "key"))
}

func isValueKey(key string) bool { return len(key) == 5 && strings.EqualFold(key, "value") }

// names reports whether the name belongs to the value: they are in the same map.
func (l *leaf) names(name, value pair) bool {
	if name.end == 0 || value.keyStart-name.end > nameReach || value.keyStart < name.end {
		return false
	}
	between := l.text[name.end:value.keyStart]
	return strings.IndexByte(between, '}') < 0 && !strings.Contains(between, "- ") && !strings.Contains(between, "/>")
}

// judge notes the value of a pair if it is a secret.
func (l *leaf) judge(key string, s strength, p pair, c context) {
	value := l.text[p.start:p.end]
	if s != password && !p.quoted && p.sep == ':' && isNumber(value) || p.keyQuoted && !p.quoted && isNumber(value) {
		return
	}
	if p.sep == ':' && !p.quoted && isNumber(value) && len(value) < 6 {
		return
	}
	env := p.env || c.env || p.sep == '=' && isEnvName(key)
	code := !p.quoted && !isEnvName(key)
	if strings.EqualFold(key, "auth") || strings.EqualFold(key, "_auth") {
		if l.w.s.words.basicAuth(value) {
			l.add(ClassURL, "docker-auth", l.path(p.keyStart, key), p.start, p.end)
			return
		}
	}
	l.w.left -= len(value)
	if p.called(l.text) && !random(value) {
		return
	}
	if l.w.s.words.secret(literal{name: key, value: value, strength: s, env: env, code: code}) {
		l.add(ClassName, ruleOf(s), l.path(p.keyStart, key), p.start, p.end)
	}
}

// called reports whether an unquoted value is an expression of a program: f(x), x.y, [0].
func (p pair) called(text string) bool {
	if p.quoted {
		return false
	}
	v := text[p.start:p.end]
	return dotted(v) || p.end < len(text) && (text[p.end] == ')' || text[p.end] == '(') && identifier(v) || strings.IndexByte(v, '(') > 0 && (strings.HasSuffix(v, ")") || strings.HasSuffix(v, "("))
}

func isNumber(v string) bool {
	return v != "" && strings.Trim(v, "0123456789.-+") == ""
}

// isEnvName reports whether name is written as those of variables are.
func isEnvName(name string) bool {
	for i := range len(name) {
		if !isUpper(name[i]) && !isDigit(name[i]) && name[i] != '_' {
			return false
		}
	}
	return true
}

// literal notes the value from start to end under a name from keyStart on.
func (l *leaf) literal(name string, keyStart, start, end int, env bool) {
	s := l.w.s.names.strength(name)
	l.w.left -= end - start
	if l.w.s.words.secret(literal{name: name, value: l.text[start:end], strength: s, env: env}) {
		l.add(ClassName, ruleOf(s), l.path(keyStart, strings.TrimSpace(name)), start, end)
	}
}

// key finds the name before the separator at i.
func (l *leaf) key(i int) (pair, bool) {
	t, end := l.text, i
	p := pair{sep: t[i]}
	switch p.sep {
	case '=':
		if i > 0 && strings.IndexByte("!<>=~+?", t[i-1]) >= 0 || i+1 < len(t) && (t[i+1] == '=' || t[i+1] == '~') {
			return p, false
		}
		if i > 0 && t[i-1] == ':' {
			end--
		}
	case ':':
		if i+1 < len(t) && (t[i+1] == ':' || t[i+1] == '/' || t[i+1] == '=') {
			return p, false
		}
	}
	for end > 0 && i-end < blanks && (t[end-1] == ' ' || t[end-1] == '\t') && p.sep != '>' {
		end--
	}
	if end > 0 && t[end-1] == ']' { // as in data["password"]
		end--
	}
	if end > 0 && (t[end-1] == '"' || t[end-1] == '\'') && p.sep != '>' {
		p.keyQuoted = true
		end--
		for end > 0 && t[end-1] == '\\' && i-end < blanks {
			end--
		}
	}
	p.keyEnd, p.keyStart = end, end
	for p.keyStart > 0 && end-p.keyStart < nameBytes && (isWord(t[p.keyStart-1]) || t[p.keyStart-1] == '.' || t[p.keyStart-1] == '-' || p.keyQuoted && t[p.keyStart-1] == '/') {
		p.keyStart--
	}
	if p.sep == '>' && (p.keyStart == 0 || t[p.keyStart-1] != '<') {
		return p, false
	}
	if strings.HasSuffix(t[:p.keyStart], "${") { // ${NAME:-x} is one value
		return p, false
	}
	return p, end-p.keyStart >= 2
}

// value finds the value after the separator at i.
func (l *leaf) value(p *pair, i int, lines bool) bool {
	t := l.text
	start := i + 1
	if p.sep == '=' && start < len(t) && t[start] == '>' {
		start++
	}
	for start < len(t) && start-i < blanks && (t[start] == ' ' || t[start] == '\t') {
		start++
	}
	if start >= len(t) {
		return false
	}
	p.first = l.isFirst(p.keyStart) && (lines || p.sep == ':')
	switch {
	case p.sep == '>':
		p.start, p.end = start, l.until(start, "<")
		p.quoted = true
		return p.end < len(t) && p.end > start
	case t[start] == '"' || t[start] == '\'':
		p.quoted = true
		return l.quoted(p, start+1, t[start:start+1])
	case t[start] == '\\' && start+1 < len(t) && (t[start+1] == '"' || t[start+1] == '\\'):
		p.quoted = true
		return l.escaped(p, start)
	case t[start] == '\n':
		return false
	case l.commented(p.keyStart):
		return false
	}
	l.plain(p, start)
	if p.sep == ':' && !p.first && !p.keyQuoted && !l.inFlow(p.keyStart) && !l.inQuotes(p) {
		return false
	}
	return p.end > p.start
}

// plain finds the end of a value without quotes.
func (l *leaf) plain(p *pair, start int) {
	t := l.text
	p.start = start
	if !p.first && strings.HasPrefix(t[p.keyEnd:start], "= ") { // a= b=c: nothing is assigned
		p.end = start
		return
	}
	alone := p.keyStart == 0 && strings.IndexByte(t[start:], '=') < 0 // all of the text is one pair
	if !p.first && !alone || l.exported(p.keyStart) || p.keyQuoted && p.sep == ':' {
		stops := " \t\r\n\"'&;,|<>)}`\\"
		if strings.HasPrefix(t[start:], "$") || strings.HasPrefix(t[start:], "{{") || t[start] == '<' {
			stops = "\r\n"
		}
		p.end = l.until(start, stops)
		return
	}
	p.end = l.until(start, "\r\n")
	if block := strings.TrimRight(t[start:p.end], "-+ "); p.sep == ':' && (block == "|" || block == ">") { // YAML's block
		p.start = min(p.end+1, len(t))
		for p.start < len(t) && (t[p.start] == ' ' || t[p.start] == '\n') && p.start-p.end < blanks {
			p.start++
		}
		p.end = l.until(p.start, "\r\n")
		return
	}
	if note := strings.Index(t[p.start:p.end], " #"); note >= 0 {
		p.end = p.start + note
	}
	if p.sep == '=' && strings.Count(t[p.start:p.end], " ") == 1 { // FOO=bar command
		if word, rest, _ := strings.Cut(t[p.start:p.end], " "); strings.HasPrefix(rest, "./") || strings.HasPrefix(rest, "/") || strings.HasPrefix(rest, "-") {
			p.end = p.start + len(word)
		}
	}
	for p.end > p.start && strings.IndexByte(" \t,;", t[p.end-1]) >= 0 {
		p.end--
	}
}

// until returns the place of the first of stops from start on, within bounds.
func (l *leaf) until(start int, stops string) int {
	limit := min(len(l.text), start+valueLength)
	if i := strings.IndexAny(l.text[start:limit], stops); i >= 0 {
		limit = start + i
	}
	l.w.left -= limit - start
	return limit
}

// quoted finds the end of a value that starts after a quote.
func (l *leaf) quoted(p *pair, start int, quote string) bool {
	limit := min(len(l.text), start+valueLength)
	defer func() { l.w.left -= p.end - p.start }()
	p.start = start
	for end := start; end < limit; end++ {
		switch {
		case l.text[end] == quote[0]:
			p.end = end
			return end > start
		case l.text[end] == '\\':
			end++
		}
	}
	p.end = limit
	return false
}

// escaped finds the value between \" and \", or the same with more backslashes.
func (l *leaf) escaped(p *pair, start int) bool {
	end := start
	for end < len(l.text) && l.text[end] == '\\' && end-start < 8 {
		end++
	}
	if end >= len(l.text) || l.text[end] != '"' {
		return false
	}
	quote := l.text[start : end+1]
	p.start = end + 1
	limit := min(len(l.text), p.start+valueLength)
	i := strings.Index(l.text[p.start:limit], quote)
	l.w.left -= limit - p.start
	p.end = p.start + max(i, 0)
	return i > 0
}

// isFirst reports whether the name at i is the first of its line.
func (l *leaf) isFirst(i int) bool {
	from := i
	for i > 0 && from-i < 2*nameBytes && strings.IndexByte(" \t-\"'", l.text[i-1]) >= 0 {
		i--
	}
	l.w.left -= from - i
	return i == 0 || l.text[i-1] == '\n' || l.exported(from)
}

// exported reports whether the name at i is given to other programs: export NAME=.
func (l *leaf) exported(i int) bool {
	before := l.cut(i-10, i)
	return strings.HasSuffix(before, "export ") || strings.HasSuffix(before, "set ") || strings.HasSuffix(before, "ENV ") || strings.HasSuffix(before, "local ") || strings.HasSuffix(before, "readonly ")
}

// inFlow reports whether the name at i is in a flow map: {password: x}.
func (l *leaf) inFlow(i int) bool {
	before := strings.TrimRight(l.cut(i-4, i), " ")
	return strings.HasSuffix(before, "{") || strings.HasSuffix(before, ",")
}

// inQuotes reports whether a pair is all that is in quotes: 'X-Api-Key: x'.
func (l *leaf) inQuotes(p *pair) bool {
	return p.keyStart > 0 && p.end < len(l.text) && l.text[p.end] == l.text[p.keyStart-1] && strings.IndexByte("\"'", l.text[p.end]) >= 0
}

// commented reports whether the line of i is a comment. What is commented out is
// mostly an example.
func (l *leaf) commented(i int) bool {
	before := l.cut(i-nameReach, i)
	l.w.left -= 16
	line := strings.TrimLeft(before[strings.LastIndexByte(before, '\n')+1:], " \t")
	return strings.HasPrefix(line, "#") || strings.HasPrefix(line, "//") && !strings.HasPrefix(line, "//registry") || strings.HasPrefix(line, ";")
}
