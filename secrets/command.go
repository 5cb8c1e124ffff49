package secrets

import "strings"

// A program is a command whose short option takes a password.
type program struct {
	name   string
	option string // such as -p
	apart  bool   // the password may be the next word
	joined bool   // the password may follow in the same word
	pair   bool   // the word is user:password
}

// programs returns the programs that take passwords under options that do not say so.
func programs() []program {
	return []program{
		{"mysql", "-p", false, true, false},
		{"mysqldump", "-p", false, true, false},
		{"mysqladmin", "-p", false, true, false},
		{"mariadb", "-p", false, true, false},
		{"sshpass", "-p", true, true, false},
		{"redis-cli", "-a", true, false, false},
		{"mongo", "-p", true, false, false},
		{"mongosh", "-p", true, false, false},
		{"mongodump", "-p", true, false, false},
		{"ldapsearch", "-w", true, true, false},
		{"ldapadd", "-w", true, true, false},
		{"sqlcmd", "-P", true, true, false},
		{"docker", "-p", true, false, false},
		{"podman", "-p", true, false, false},
		{"skopeo", "-p", true, false, false},
		{"oc", "-p", true, false, false},
		{"az", "-p", true, false, false},
		{"curl", "-u", true, true, true},
		{"curl", "--user", true, false, true},
		{"curl", "--proxy-user", true, false, true},
	}
}

// option returns the part of word, or of what follows flag, that is a password
// by an option of the program, and whether there is one.
func (s *Scanner) option(name, flag, word string) (int, bool) {
	name = base(name)
	for _, p := range s.programs {
		if p.name != name {
			continue
		}
		from := -1
		switch {
		case p.apart && flag == p.option && !strings.HasPrefix(word, "-"):
			from = 0
		case p.joined && len(word) > len(p.option) && strings.HasPrefix(word, p.option) && !strings.HasPrefix(word, "-port") && !strings.HasPrefix(word, "-protocol"):
			from = len(p.option)
		case len(p.option) > 2 && strings.HasPrefix(word, p.option+"="):
			from = len(p.option) + 1
		}
		if from < 0 {
			continue
		}
		if value := word[from:]; p.pair {
			user, pass, ok := strings.Cut(value, ":")
			if ok && s.words.credential(user, pass) {
				return from, true
			}
		} else if name != "docker" && name != "podman" || !strings.ContainsAny(value, ":") { // ports are no passwords
			return from, s.words.secret(literal{name: "password", value: value, strength: password, env: true})
		}
	}
	return 0, false
}

// directive finds the value of a directive that is written with a space.
func (l *leaf) directive(at, start int) {
	if at == 0 || l.text[at-1] == '\n' {
		from, end := l.shellWord(start, min(len(l.text), start+passLength))
		l.literal(l.text[at:start-1], at, from, end, true)
	}
}

// commandAt looks for the program whose option is at i, back to where its command starts.
func (l *leaf) commandAt(i int) {
	start := i
	for start > 0 && i-start < lineLength && start > l.command && strings.IndexByte("|;&(", l.text[start-1]) < 0 && (l.text[start-1] != '\n' || start > 1 && l.text[start-2] == '\\') {
		start--
	}
	l.w.left -= i - start
	l.command = i + 1
	for from := start; from < i; {
		for from < i && strings.IndexByte(" \t\n\"'`[,", l.text[from]) >= 0 {
			from++
		}
		end := from
		for end < i && strings.IndexByte(" \t\n\"'`", l.text[end]) < 0 {
			end++
		}
		if name := base(l.text[from:end]); l.w.s.isProgram(name) {
			l.options(name, end)
			return
		}
		from = end + 1
	}
}

// base returns the last element of a path.
func base(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

func (s *Scanner) isProgram(name string) bool {
	for i := range s.programs {
		if s.programs[i].name == name {
			return true
		}
	}
	return false
}

// options looks at the words of a command that starts before i.
func (l *leaf) options(name string, i int) {
	flag := ""
	defer func() { l.command = max(l.command, i) }()
	for limit := min(len(l.text), i+lineLength); i < limit && !l.full(); {
		for i < limit && (l.text[i] == ' ' || l.text[i] == '\t') {
			i++
		}
		if i < limit && l.text[i] == '\\' && i+1 < limit && l.text[i+1] == '\n' {
			i += 2
			continue
		}
		start, end := l.shellWord(i, limit)
		if end <= start || strings.IndexByte("\n|;&", l.text[start]) >= 0 {
			return
		}
		word := l.text[start:end]
		if from, ok := l.w.s.option(name, flag, word); ok {
			l.add(ClassURL, "command-password", "", start+from, end)
		}
		if flag = word; name == "docker" || name == "podman" {
			flag = l.login(flag, i)
		}
		i = max(end, i+1)
		if i < limit && (l.text[i] == '"' || l.text[i] == '\'') {
			i++
		}
	}
}

// login returns flag where the command before i is a login: -p is a port elsewhere.
func (l *leaf) login(flag string, i int) string {
	if flag == "-p" && !strings.Contains(l.cut(i-200, i), "login") {
		return ""
	}
	return flag
}

// shellWord returns where the word at i starts and ends, its quotes left out.
func (l *leaf) shellWord(i, limit int) (int, int) {
	start := i
	if i < limit && (l.text[i] == '"' || l.text[i] == '\'') {
		if n := strings.IndexByte(l.text[i+1:limit], l.text[i]); n >= 0 {
			l.w.left -= n
			return i + 1, i + 1 + n
		}
	}
	for i < limit && !isSpace(l.text[i]) && strings.IndexByte("\"'`|;&)", l.text[i]) < 0 {
		i++
	}
	l.w.left -= i - start
	if i < limit && i == start && !isSpace(l.text[i]) {
		return start, i + 1
	}
	return start, i
}

// flag finds "--password X" at its dashes; "--password=X" is a pair as others are.
func (l *leaf) flag(at int) {
	end := at + 2
	for end < len(l.text) && end-at < nameBytes && (isWord(l.text[end]) || l.text[end] == '-' || l.text[end] == '.') {
		end++
	}
	if end >= len(l.text) || l.text[end] != ' ' || end == at+2 || l.w.s.names.strength(l.text[at:end]) == neutral {
		return
	}
	start, stop := l.shellWord(end+1, min(len(l.text), end+1+passLength))
	if stop > start && l.text[start] != '-' && !upperOnly(l.text[start:stop]) {
		l.literal(l.text[at:end], at, start, stop, true)
	}
}

// upperOnly reports whether v is written as what is to be put in: --password PASSWORD.
func upperOnly(v string) bool {
	for i := range len(v) {
		if !isUpper(v[i]) && v[i] != '_' {
			return false
		}
	}
	return true
}
