package secrets

import (
	"strings"
	"unicode"
)

// harmlessName says whether a name that has a provider in it is that of something
// else than a token: it ends in a word for what is no secret.
func harmlessName(name string) bool {
	words := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if len(words) == 0 {
		return false
	}
	last := words[len(words)-1]
	if i := strings.LastIndexFunc(last, unicode.IsUpper); i > 0 && unicode.IsLower(rune(last[i-1])) {
		last = last[i:]
	}
	switch strings.ToLower(last) {
	case "id", "ids", "url", "uri", "host", "hostname", "endpoint", "domain", "site", "region", "zone", "port", // where it is
		"name", "image", "tag", "version", "path", "file", "dir", "ref", "secretname", "namespace", "label", "class", "type", // what it is called
		"sha", "sha1", "sha256", "commit", "digest", "checksum", "hash", "revision", "fingerprint", // what it was made of
		"project", "org", "organization", "account", "user", "username", "email", "channel", "bucket", "app", "public", // whose it is
		"enabled", "timeout", "interval": // how it behaves
		return true
	}
	return false
}
