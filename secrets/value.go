package secrets

import (
	"bytes"
	"math"
	"strings"
)

// words are values that are no secrets.
type words struct {
	plain       map[string]bool // what a setting may be, in lower case
	placeholder map[string]bool // words that stand for a value yet to be put in
	prose       map[string]bool // words of what is shown to people
}

func newWords() *words {
	set := func(list string) map[string]bool {
		m := map[string]bool{}
		for _, word := range strings.Fields(list) {
			m[word] = true
		}
		return m
	}
	return &words{
		plain: set(`true false yes no on off null nil none undefined enabled disabled required optional auto default string str text bytes any object
			integer int number boolean bool basic bearer plain plaintext opaque jwt oauth oauth2 oidc ldap saml env environment file stdin secretmanager
			secretsmanager vault prompt ask generate generated random inherit include omit same-origin empty unset never always required! ~ external internal
			static dynamic cookie header query`),
		placeholder: set(`changeme changeit example placeholder redacted masked hidden sanitized todo tbd fixme dummy fake sample replace replaceme removed
			insert fill fillme yourpassword yoursecret yourtoken yourkey yourapikey mypasswordhere xxx notreal invalid overridden overwritten redact`),
		prose: set(`enter your the please must forgot new confirm is are field cannot should not a an of for to incorrect wrong repeat choose missing`),
	}
}

// A literal is a value to be judged, and what is known of its place.
type literal struct {
	name     string
	value    string
	strength strength
	env      bool // a plain word here is a value, not the name of an object
	code     bool // unquoted, so it may be an identifier of a program
}

// secret reports whether the value is itself the secret that its name promises.
func (s *words) secret(l literal) bool {
	v := strings.TrimSpace(l.value)
	if len(v) > 4096 {
		return false // longer ones are documents, whose text is scanned
	}
	if inner, ok := fallback(v); ok {
		v, l.value = inner, inner
	}
	if l.strength == medium {
		v = afterScheme(v)
	}
	if l.strength == neutral || len(v) < 3 || s.template(v) || reference(v) || s.setting(v, l) || s.standsFor(v) || hashed(v) || s.shown(v, l) {
		return false
	}
	switch l.strength {
	case password:
		return true
	case medium:
		return random(v)
	}
	return len(v) >= 4 && !named(v, l)
}

// fallback returns the literal x of ${NAME:-x} and ${NAME:x}: it is used where nobody sets NAME.
func fallback(v string) (string, bool) {
	if !strings.HasPrefix(v, "${") || !strings.HasSuffix(v, "}") {
		return "", false
	}
	name, rest, ok := strings.Cut(v[2:len(v)-1], ":")
	if !ok || !identifier(name) && !dotted(name) {
		return "", false
	}
	return strings.TrimLeft(rest, "-="), !strings.HasPrefix(rest, "?") && !strings.HasPrefix(rest, "+")
}

// afterScheme returns what follows the scheme of an Authorization header.
func afterScheme(v string) string {
	if scheme, rest, ok := strings.Cut(v, " "); ok {
		switch strings.ToLower(scheme) {
		case "bearer", "basic", "token", "apikey":
			return strings.TrimSpace(rest)
		}
	}
	return v
}

// template reports whether something puts the value in later.
func (s *words) template(v string) bool {
	for _, mark := range [...]string{"${", "$(", "{{", "}}", "<%", "#{", "$$", "...", "…", "%("} {
		if strings.Contains(v, mark) {
			return true
		}
	}
	if v = strings.TrimRight(v, ";,"); v == "" || strings.HasPrefix(v, "$__") {
		return true
	}
	first, last := v[0], v[len(v)-1]
	switch {
	case first == '<' && last == '>', first == '%' && last == '%', first == '[' && last == ']', first == '{' && last == '}', first == '@' && last == '@', first == '_' && strings.HasPrefix(v, "__") && strings.HasSuffix(v, "__"):
		return true
	case first == '$':
		return variable(v[1:])
	}
	return false
}

// variable reports whether v, after a "$", may be the name of a variable.
func variable(v string) bool {
	if v == "" || !isAlnum(v[0]) && v[0] != '_' || isDigit(v[0]) {
		return false
	}
	for i := range len(v) {
		if !isWord(v[i]) && strings.IndexByte(".:-", v[i]) < 0 {
			return false
		}
	}
	return true
}

// reference reports whether the value says where the secret is: a path, a URL, the ARN of a store.
func reference(v string) bool {
	for _, prefix := range [...]string{
		"vault:", "ref+", "op://", "arn:", "projects/", "ENC[", "{cipher}", "file:", "env:", "secret:", "secrets:", "secretref:", "secretkeyref:", "gcp:", "awssm:", "ssm:", "bao:",
		"@Microsoft.KeyVault(", "!", "{{", "AQICAH", "ansible-vault", "$ANSIBLE_VAULT", "k8s:", "kubernetes:", "configmap:", "-----BEGIN PUBLIC", "-----BEGIN CERTIFICATE",
		"-----BEGIN RSA PUBLIC", "ssh-", "ecdsa-sha2", "age1", "sha256:", "sha512:", "sha384:", "sha1:", "sha256-", "sha384-", "sha512-", "data:", "process.env", "os.environ", "cm://", "secret/data/",
	} {
		if strings.HasPrefix(v, prefix) && len(v) > len(prefix)+1 {
			return prefix != "!" || strings.IndexByte(v, ' ') > 0
		}
	}
	return strings.Contains(v, "://") || filePath(v) || uuid(v)
}

// filePath reports whether v is a path of files. Base64 may have slashes too.
func filePath(v string) bool {
	switch {
	case strings.HasPrefix(v, "./"), strings.HasPrefix(v, "../"), strings.HasPrefix(v, "~/"), strings.HasPrefix(v, "%%/"):
		return true
	case len(v) > 3 && v[1] == ':' && v[2] == '\\':
		return true
	case strings.IndexByte(v, '/') < 0 || strings.ContainsAny(v, "+=!@#^&() "):
		return false
	}
	for part := range strings.SplitSeq(v, "/") {
		if len(part) >= 16 && random(part) && !digestLength(part) && !uuid(part) {
			return false
		}
	}
	return v[0] == '/' || wordsOnly(v)
}

// setting reports whether v is a flag, a number, a duration, a version or a time.
func (s *words) setting(v string, l literal) bool {
	if len(v) <= 20 && s.plain[strings.ToLower(v)] {
		return true
	}
	if tail := len(l.name) - len(v); !l.env && tail >= 0 && isUpper(v[0]) && strings.EqualFold(v, l.name[tail:]) {
		return true // a label, such as "Password"
	}
	digits, others := 0, 0
	for i := range len(v) {
		switch {
		case isDigit(v[i]):
			digits++
		case strings.IndexByte(".:-+_/TZ ,", v[i]) < 0:
			others++
		}
	}
	switch {
	case digits == len(v):
		return l.strength != password && digits < 10 || digits < 4
	case others == 0 && digits > 0: // an address, a date, a version
		return true
	}
	return isDigit(v[0]) && quantity(v)
}

// quantity reports whether v is a number with a unit, or several: 1h30m, 500Mi.
func quantity(v string) bool {
	for i := 0; i < len(v); {
		start := i
		for i < len(v) && (isDigit(v[i]) || v[i] == '.') {
			i++
		}
		unit := i
		for i < len(v) && !isDigit(v[i]) {
			i++
		}
		if start == unit {
			return false
		}
		switch strings.TrimSpace(v[unit:i]) {
		case "ns", "us", "ms", "s", "m", "h", "d", "w", "y", "sec", "min", "hours", "days", "k", "M", "G", "Ki", "Mi", "Gi", "Ti", "KB", "MB", "GB", "B", "":
		default:
			return false
		}
	}
	return true
}

// standsFor reports whether v is there to be replaced.
func (s *words) standsFor(v string) bool {
	if same(v) {
		return true
	}
	var buf [64]byte
	low := buf[:0]
	for i := range min(len(v), len(buf)) {
		low = append(low, lower(v[i]))
	}
	for _, mark := range [...]string{"changeme", "change_me", "change-me", "change me", "change_this", "change-this", "changethis", "replace_", "replace-", "replaceme", "replace me", "your-", "your_", "your ", "example", "xxxx", "****", "••", "placeholder", "redacted", "-here", "_here", "-goes-", "insert-", "insert_", "put-your", "dummy", "todo"} {
		if bytes.Contains(low, []byte(mark)) {
			return true
		}
	}
	return s.placeholder[string(low)]
}

// same reports whether v is one character again and again.
func same(v string) bool {
	return len(v) > 0 && strings.Count(v, v[:1]) == len(v)
}

// hashed reports whether v is what a password is checked by.
func hashed(v string) bool {
	if v[0] == '$' && strings.Count(v, "$") >= 3 {
		return true
	}
	for _, prefix := range [...]string{"$2a$", "$2b$", "$2y$", "{SSHA", "{SHA", "{bcrypt}", "{MD5}", "{CRYPT}", "{PBKDF2", "pbkdf2", "scrypt:", "SCRAM-SHA", "bcrypt"} {
		if strings.HasPrefix(v, prefix) {
			return true
		}
	}
	return len(v) == 35 && strings.HasPrefix(v, "md5") && hex(v[3:])
}

// shown reports whether v is a text for people.
func (s *words) shown(v string, l literal) bool {
	if !strings.ContainsAny(v, "0123456789") && strings.ContainsFunc(v, func(r rune) bool { return r >= 0x80 }) {
		return true
	}
	spaces := strings.Count(v, " ")
	if spaces == 0 {
		return false
	}
	if spaces >= 2 {
		return true
	}
	first, second, _ := strings.Cut(v, " ")
	if strings.Contains(v, "\t") || s.prose[strings.ToLower(first)] || s.prose[strings.ToLower(second)] {
		return true
	}
	letters := strings.IndexFunc(v, func(r rune) bool {
		return r < 0x80 && !isUpper(byte(r)) && !isLower(byte(r)) && r != ' ' && r != '.' && r != ':' && r != '?'
	}) < 0
	return letters && (isUpper(v[0]) || !l.env && l.strength != password)
}

// named reports whether v is the name of something, such as of a Secret, of a key in one, or of a variable.
func named(v string, l literal) bool {
	if upperName(v) {
		return true
	}
	if l.env {
		return strings.HasSuffix(v, "-secret") || strings.HasSuffix(v, "-secrets") || strings.HasSuffix(v, "-credentials") || strings.HasSuffix(v, "-tls")
	}
	return wordsOnly(v) || l.code && dotted(v)
}

// upperName reports whether v is written as the name of a variable: DB_PASSWORD.
func upperName(v string) bool {
	under := false
	for i := range len(v) {
		switch {
		case v[i] == '_':
			under = true
		case !isUpper(v[i]) && !isDigit(v[i]):
			return false
		}
	}
	return under && isUpper(v[0])
}

// wordsOnly reports whether v is lower-case words, with separators and short numbers between.
func wordsOnly(v string) bool {
	digits, letters, camel := 0, 0, 0
	for i := range len(v) {
		c := v[i]
		switch {
		case digits > 0 && (isLower(c) || isUpper(c)):
			return false
		case isLower(c):
			letters++
		case isUpper(c) && (i == 0 || isLower(v[i-1])):
			letters, camel = letters+1, camel+1
		case isDigit(c):
			digits++
			if i == 0 || digits > 4 || digits == 1 && letters > 0 && i+1 < len(v) && isAlnum(v[i+1]) && !isDigit(v[i+1]) {
				return false
			}
		case strings.IndexByte("-._/", c) >= 0:
			digits, letters = 0, 0
		default:
			return false
		}
	}
	return camel < 4 && (digits == 0 || strings.ContainsAny(v, "-._/"))
}

func identifier(v string) bool {
	if v == "" || isDigit(v[0]) {
		return false
	}
	for i := range len(v) {
		if !isWord(v[i]) {
			return false
		}
	}
	return true
}

// dotted reports whether v is identifiers with dots between, maybe called or indexed.
func dotted(v string) bool {
	v, _, _ = strings.Cut(v, "(")
	v, _, _ = strings.Cut(v, "[")
	for part := range strings.SplitSeq(v, ".") {
		if !identifier(part) {
			return false
		}
	}
	return strings.IndexByte(v, '.') > 0
}

func uuid(v string) bool {
	if len(v) != 36 {
		return false
	}
	for i := range len(v) {
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (v[i] == '-') || !dash && !hexDigit(v[i]) {
			return false
		}
	}
	return true
}

func hexDigit(c byte) bool { return isDigit(c) || 'a' <= lower(c) && lower(c) <= 'f' }

func hex(v string) bool {
	for i := range len(v) {
		if !hexDigit(v[i]) {
			return false
		}
	}
	return len(v) > 0
}

// digestLength reports whether v is as long as the hex of a hash or commit.
func digestLength(v string) bool {
	switch len(v) {
	case 32, 40, 56, 64, 96, 128:
		return hex(v)
	}
	return false
}

// random reports whether v looks made by a generator: long, of digits and letters,
// and of as much entropy as text of words does not have.
func random(v string) bool {
	if len(v) < 16 || strings.IndexByte(v, ' ') >= 0 {
		return false
	}
	digits, letters := 0, 0
	for i := range len(v) {
		switch c := v[i]; {
		case isDigit(c):
			digits++
		case isUpper(c), isLower(c):
			letters++
		case strings.IndexByte("+/=_-.~!@#^&*", c) < 0:
			return false
		}
	}
	if digits < 2 || letters < 2 || wordsOnly(v) {
		return false
	}
	if hex(v) {
		return entropy(v) >= 3
	}
	return entropy(v) >= min(4, math.Log2(float64(len(v)))-0.7)
}

// entropy returns the bits of a byte of v.
func entropy(v string) float64 {
	var counts [256]int
	for i := range len(v) {
		counts[v[i]]++
	}
	bits := 0.0
	for _, n := range counts {
		if n > 0 {
			p := float64(n) / float64(len(v))
			bits -= p * math.Log2(p)
		}
	}
	return bits
}
