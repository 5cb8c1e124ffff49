package secrets

import "strings"

// A strength is how much a name says that its value is a secret.
type strength int

const (
	neutral  strength = iota
	medium            // a secret if it looks random, such as CACHE_KEY or auth
	strong            // a secret, or the name of one: secret, token, apiKey
	password          // a secret even if it is a plain word
)

// A role is what one word of a name does to the name's strength. Words are whole
// tokens of the name: "monkey" has no "key" in it.
type role int

const (
	roleNone     role = iota
	rolePassword      // says password
	roleSecret        // says secret
	roleToken         // the same, and a key of it is the name of one
	roleKey           // says secret after a word of roleKind, else is medium
	roleMedium        // says secret if the value looks random
	roleKind          // what makes a key a secret one
	roleOther         // what makes a key something to look up by
	roleAfter         // after a word that says secret: about the secret, not the secret
	roleAny           // anywhere: not a secret
	roleLast          // says password as the last word
)

// names tells how strong names are.
type names struct {
	roles map[string]role
	lower [256]byte // of letters and digits; 0 for what separates words
}

func newNames() *names {
	n := &names{roles: make(map[string]role, 512)}
	for _, group := range [...]struct {
		role role
		list string
	}{
		{rolePassword, "password passwords passwd pwd passphrase passcode passwort psk pw userpass requirepass masterauth storepass keypass rootpw bindpw"},
		{roleSecret, `secret secrets apikey apikeys apitoken authtoken accesstoken secretkey accesskey
			privatekey authkey masterkey encryptionkey signingkey clientsecret sharedkey`},
		{roleToken, "token tokens credential credentials cred creds bearer"},
		{roleKey, "key keys"},
		{roleMedium, "auth authorization signature salt seed pepper pin cookie session hmac dsn otp totp"},
		{roleKind, `api access private encryption encrypt decryption signing sign account master client shared storage cipher crypt
			crypto jwt aes des subscription consumer webhook license licence deploy integration ingest ingestion admin sharedaccess app application
			django flask rails`},
		{roleOther, "primary foreign partition sort group routing topology sticky idempotency registry map object cache row column hash index sorting"},
		{roleAfter, `file files path paths name names ref refs url uri urls uris endpoint endpoints ttl seconds minutes hours days expiry expires
			expiration expire timeout duration age lifetime interval type types policy policies enabled disabled length len
			size id ids version versions algorithm alg algo provider providers store stores manager header headers prefix suffix format mode method
			methods regex regexp pattern validator validation rule rules rotation rotate count limit limits quota usage arn arns field fields label labels
			attribute attr property properties param parameter host hostname port server service class template hashed hashing encoder encoding
			strength complexity history reset change changed updated created required requirements optional hint help title description desc
			message msg error errors failed failure reminder visible grant scope scopes audience issuer claim claims location dir
			directory mount volume namespace annotations annotation selector backend engine source from sources reviewer review request requests validity bucket
			position plugin binding reader writer sync operator controller injector env var variable variables mapping list kind
			username user users principal owner email domain realm last next previous used generator generation generate bits charset chars
			char characters alphabet per rate window bytes status state stdin prompt command cmd script exec helper callback handler middleware
			serviceaccount reload reloader audiences filename region clock skew leeway lookup digest sha sha1 sha256 sha512 md5 fingerprint thumbprint counter cert crt certificate strategy`},
		{roleAny, `public publishable site sitekey pub checksum csrf xsrf inject existing max min num total use enable disable has show hide require requires validate skip
			forgot confirm pad bos eos unk cls sep special allow allowed disallow placeholder i18n pull`},
		{roleLast, "pass pword"},
	} {
		for _, word := range strings.Fields(group.list) {
			n.roles[word] = group.role
		}
	}
	for c := range n.lower {
		if isAlnum(byte(c)) {
			n.lower[c] = lower(byte(c))
		}
	}
	return n
}

// nameBytes bounds a name: of a longer one its end counts, where the noun is.
const nameBytes = 96

// strength returns how strong name is, case and style of writing aside.
func (n *names) strength(name string) strength {
	if len(name) > nameBytes {
		name = name[len(name)-nameBytes:]
	}
	var buf [2 * nameBytes]byte
	words := n.split(buf[:0], name)
	own := strings.LastIndexByte(name, '/') // a domain before it says whose, not what
	var before role
	result, bad := neutral, false
	for start, seen := 0, 0; start < len(words); {
		end := start
		for words[end] != ' ' {
			end++
		}
		word := words[start:end]
		r, last := n.roles[string(word)], end+1 == len(words)
		if r == roleNone {
			r = n.joined(word)
		}
		seen += len(word)
		if r == roleAny {
			bad = true
		}
		if own < 0 || seen > own-separators(name[:own]) {
			result = next(result, r, before, last)
		}
		before, start = r, end+1
	}
	if bad {
		return neutral
	}
	return result
}

// separators counts the bytes of name that are no letters or digits.
func separators(name string) int {
	count := 0
	for i := range len(name) {
		if !isAlnum(name[i]) {
			count++
		}
	}
	return count
}

// next returns the strength of a name that had one before a word of role r.
func next(s strength, r, before role, last bool) strength {
	switch r {
	case rolePassword:
		return password
	case roleSecret:
		if before == rolePassword && last { // the Secret that has it
			return neutral
		}
		return max(s, strong)
	case roleToken:
		return max(s, strong)
	case roleLast:
		if last {
			return password
		}
	case roleKey:
		switch {
		case before == roleKind || before == roleSecret || before == roleMedium:
			return strong
		case before == roleToken:
			return medium
		case s == password: // it says under which key a password is
			return neutral
		case before == roleOther || before == roleNone && !last:
			return s
		}
		return max(s, medium)
	case roleOther:
		if s > medium { // such as a hash of a password
			return neutral
		}
	case roleMedium:
		return max(s, medium)
	case roleAfter:
		return neutral
	}
	return s
}

// joined returns the role of a word that others are written together with.
func (n *names) joined(word []byte) role {
	if len(word) < 8 {
		return roleNone
	}
	switch word[len(word)-1] {
	case 'd', 'e':
		if ends(word, "password") || ends(word, "passwd") || ends(word, "passphrase") {
			return rolePassword
		}
	case 'y':
		if ends(word, "apikey") || ends(word, "secretkey") || ends(word, "accesskey") {
			return roleSecret
		}
	case 't':
		if ends(word, "clientsecret") {
			return roleSecret
		}
	case 'n':
		if ends(word, "accesstoken") || ends(word, "authtoken") || ends(word, "apitoken") || ends(word, "bottoken") {
			return roleSecret
		}
	}
	return roleNone
}

func ends(word []byte, end string) bool {
	return len(word) >= len(end) && string(word[len(word)-len(end):]) == end
}

// split appends the words of name to buf in lower case, each with a space after it.
func (n *names) split(buf []byte, name string) []byte {
	open := false // whether a word is
	for i := range len(name) {
		c := n.lower[name[i]]
		switch {
		case c == 0:
			if open {
				buf, open = append(buf, ' '), false
			}
			continue
		case c != name[i] && open && wordStarts(name, i):
			buf = append(buf, ' ')
		}
		buf, open = append(buf, c), true
	}
	if open {
		buf = append(buf, ' ')
	}
	return buf
}

// wordStarts reports whether the capital at i starts a word: apiKey, APIKey.
func wordStarts(name string, i int) bool {
	return !isUpper(name[i-1]) || i+1 < len(name) && isLower(name[i+1])
}

func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }
func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isAlnum(c byte) bool { return isUpper(c) || isLower(c) || isDigit(c) }
func isWord(c byte) bool  { return isAlnum(c) || c == '_' }
func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func lower(c byte) byte {
	if isUpper(c) {
		return c + 'a' - 'A'
	}
	return c
}
