package secrets

import (
	"encoding/base64"
	"strings"
)

const (
	// jwtHead bounds a header: those with a certificate are longer, and are found by their start.
	jwtHead = 1024
	// jwtLength bounds a token: servers take no longer headers.
	jwtLength = 16 << 10
)

// webToken finds a JSON Web Token at i. Its header must decode to one.
func (l *leaf) webToken(i int) {
	if i > 0 && (isURL64(l.text[i-1]) || l.text[i-1] == '.') {
		return
	}
	head := l.cut(i, i+jwtHead)
	dot := strings.IndexByte(head, '.')
	l.w.left -= 16 + max(dot, 0)
	if dot < 16 || !webHeader(head[:dot]) {
		return
	}
	end := i + dot + 1
	for limit := min(len(l.text), i+jwtLength); end < limit && (isURL64(l.text[end]) || l.text[end] == '.'); {
		end++
	}
	l.w.left -= end - i
	payload, rest, ok := strings.Cut(l.text[i+dot+1:end], ".")
	if ok && len(payload) >= 2 && len(rest) >= 16 {
		l.add(ClassJWT, "json-web-token", "", i, end)
	}
}

// webHeader reports whether head is the base64 of a JWT's header.
func webHeader(head string) bool {
	var out [jwtHead]byte
	n, err := base64.RawURLEncoding.Decode(out[:], []byte(head))
	if err != nil {
		return false
	}
	header := string(out[:n])
	return strings.HasPrefix(header, "{\"") && (strings.Contains(header, `"alg"`) || strings.Contains(header, `"enc"`))
}

func isURL64(c byte) bool { return isWord(c) || c == '-' }
