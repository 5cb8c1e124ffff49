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
	return harmlessEnds[strings.ToLower(last)]
}

var harmlessEnds = map[string]bool{
	"id": true, "ids": true, "url": true, "uri": true, "host": true, "hostname": true, "endpoint": true, "domain": true, "site": true, "region": true, "zone": true,
	"name": true, "image": true, "tag": true, "version": true, "path": true, "file": true, "dir": true, "ref": true, "secretname": true, "namespace": true,
	"sha": true, "sha1": true, "sha256": true, "commit": true, "digest": true, "checksum": true, "hash": true, "revision": true, "fingerprint": true,
	"project": true, "org": true, "organization": true, "account": true, "user": true, "username": true, "email": true, "channel": true, "bucket": true, "app": true,
	"enabled": true, "timeout": true, "interval": true, "port": true, "public": true, "class": true, "type": true, "label": true,
}
