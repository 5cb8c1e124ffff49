package secrets

import (
	"strconv"
	"strings"
)

// What the tests of tokens need of the inside: rules have no other door.

type Tokens struct{ *tokens }

// A Format is a format of tokens as the table has it.
type Format struct {
	ID, Pattern, Source string
	Keywords            []string
	Group               int
}

type Shape struct {
	ID, Pattern     string
	Anchored, Named bool
}

func NewTokens() (Tokens, error) {
	t, err := newTokens()
	return Tokens{t}, err
}

func (t Tokens) Find(key, text string, emit func(rule string, start, end int)) {
	t.find(key, text, emit)
}

// CompileAll compiles each pattern, and returns how many there are.
func (t Tokens) CompileAll() int {
	for _, r := range t.rules {
		r.compiled()
	}
	return len(t.rules)
}

func (t Tokens) Shapes() (shapes []Shape) {
	for _, r := range t.rules {
		shapes = append(shapes, Shape{r.id, r.shape.pattern, r.shape.anchored, r.shape.named})
	}
	return shapes
}

func GitleaksFormats() ([]Format, error) {
	formats, err := gitleaksFormats()
	return exported(formats), err
}

func OurFormats() []Format { return exported(ourFormats()) }

func exported(formats []tokenFormat) (all []Format) {
	for _, f := range formats {
		all = append(all, Format{f.id, f.pattern, f.source, f.keywords, f.group})
	}
	return all
}

// WithCRC ends a token of GitHub's kind in its checksum.
func WithCRC(token string) string {
	for i := range token {
		if token[i] == '_' {
			return token + inBase62(crcOf(token[i+1:]))
		}
	}
	return token
}

// CRC36 returns what ends a token of GitLab's kind.
func CRC36(token string) string {
	sum := strconv.FormatUint(uint64(crcOf(token)), 36)
	return strings.Repeat("0", 7-len(sum)) + sum
}

// Words returns a function that calls yield for each of words in a text.
func Words(words ...string) func(text string, yield func(number, start, end int) bool) {
	k := &keywords{}
	for i, word := range words {
		k.add(word, i)
	}
	k.build()
	return k.each
}
