package secrets

import (
	"strings"
)

const (
	// keyHead bounds what is read between BEGIN and PRIVATE KEY.
	keyHead = 48
	// keyBody bounds what is read of a key to see that there is one: headers of
	// encrypted and PGP keys come first.
	keyBody = 512
	// keyLength bounds a key: one of 16,384 bits has 12,700 bytes.
	keyLength = 16 << 10
	// keyRun is how many characters of base64 in a row are a key and no words.
	// The shortest line of a real one is longer than this.
	keyRun = 16
)

// privateKey finds a private key, however short, whose armor is at start and says
// BEGIN at i.
func (l *leaf) privateKey(start, i int) {
	head := l.cut(i, i+keyHead)
	at := strings.Index(head, "PRIVATE KEY")
	if at < 0 || strings.IndexByte(head[:at], '\n') >= 0 {
		return
	}
	body := i + at + len("PRIVATE KEY")
	l.w.left -= keyBody
	if !hasKeyBody(l.cut(body, body+keyBody)) {
		return
	}
	end := min(len(l.text), body+keyLength)
	if at := strings.Index(l.text[body:end], "-----END"); at >= 0 {
		end = body + at
	}
	l.w.left -= end - body
	l.add(ClassKey, "private-key", "", start, end)
}

func (l *leaf) puttyKey(i int) {
	l.w.left -= 1024
	if strings.Contains(l.cut(i, i+4096), "Private-Lines:") {
		l.add(ClassKey, "putty-private-key", "", i, min(i+4096, len(l.text)))
	}
}

func (l *leaf) ageKey(i int) {
	end := i + len("AGE-SECRET-KEY-1")
	for end < len(l.text) && end-i < nameBytes && isAlnum(l.text[end]) {
		end++
	}
	if end-i >= 70 && !same(l.text[i+16:end]) {
		l.add(ClassKey, "age-secret-key", "", i, end)
	}
}

// hasKeyBody reports whether base64 follows, not a placeholder: 16 characters in
// a row, of more than one kind. Line ends may be written as \n.
func hasKeyBody(body string) bool {
	if at := strings.Index(body, "-----END"); at >= 0 {
		body = body[:at]
	}
	run := 0
	for i := 0; i < len(body); i++ {
		c := body[i]
		switch {
		case isAlnum(c) || c == '+' || c == '/':
			run++
			if run >= keyRun && !same(body[i+1-run:i+1]) && entropy(body[i+1-run:i+1]) > 2.2 {
				return true
			}
		case c == '\\' && i+1 < len(body) && (body[i+1] == 'n' || body[i+1] == 'r'):
			i++
			run = 0
		default:
			run = 0
		}
	}
	return false
}
