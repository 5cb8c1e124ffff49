package secrets

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"sync"
)

const (
	// tooLarge is the rule of a text that has more hits than are worth trying.
	tooLarge = "too-large"
	// unverified ends the rule of a token whose checksum is wrong. It may be a
	// made-up one, or a live one of a format that has changed.
	unverified = "-unverified"
	// maxRead bounds what the patterns read of one text, in bytes, of which each
	// takes them from ten to a hundred nanoseconds. None of 58,000 files of Go
	// modules and manifests, of up to two megabytes, comes near.
	maxRead = 256 << 10
	// maxReach bounds what one pattern may read before and after its hit. Few
	// tokens are longer; of those, the beginning says enough.
	maxReach = 1024
)

// tokens finds the tokens of providers by their formats, under any name.
//
// A text is read once, for the keywords of all formats. Only where one is met is
// the pattern of its format compiled, the first time, and run on the bytes around
// it, so that what is not there costs nothing.
type tokens struct {
	words *keywords
	rules []*rule // by the numbers that words gives
}

// A rule is a format of tokens, ready to be tried at a hit of a keyword.
type rule struct {
	id       string
	entropy  float64           // bits per byte that a token has more of, or zero
	group    int               // the group of the pattern that is the token; the first that is not empty if zero
	allow    []string          // patterns of values that are no tokens
	checksum func(string) bool // says whether the token's own checksum is right, or nil
	shape    shape

	once    sync.Once
	pattern *regexp.Regexp
	allowed []*regexp.Regexp
}

// newTokens returns the formats of gitleaks and our own.
func newTokens() (*tokens, error) {
	rules, err := gitleaksFormats()
	if err != nil {
		return nil, err
	}
	return tokensOf(append(ourFormats(), rules...))
}

// tokensOf returns formats ready to be looked for. At one keyword, the first goes first.
func tokensOf(formats []tokenFormat) (*tokens, error) {
	t := &tokens{words: &keywords{}}
	for _, f := range formats {
		shapes, err := shapesOf(f.pattern, f.keywords)
		if err != nil {
			return nil, fmt.Errorf("read the pattern of rule %q: %w", f.id, err)
		}
		for _, s := range shapes {
			for _, word := range s.words {
				t.words.add(word, len(t.rules))
			}
			t.rules = append(t.rules, &rule{id: f.id, entropy: f.entropy, group: f.group, allow: f.allow, checksum: f.checksum, shape: s})
		}
	}
	t.words.build()
	return t, nil
}

// An emitter takes what is found: a rule, and where it is in the text.
type emitter func(rule string, start, end int)

// find calls emit for each token in text, with its rule and where it is in text.
//
// Key is the name that text has, or the names of all that holds it, joined by
// dots; it may be empty. Some formats are no more than "forty letters and digits,
// assigned to a name with the provider in it": those are looked for behind names
// in text, and in the whole of text if the provider is named in key.
//
// A rule that ends in "-unverified" says that a checksum is wrong. The rule
// "too-large", with all of text, says that not all of it was judged.
func (t *tokens) find(key, text string, emit emitter) {
	s := &search{tokens: t, text: text, left: maxRead}
	t.words.each(text, func(number, start, _ int) bool { return s.hit(number, start, emit) })
	if key != "" && len(text) <= maxReach {
		s.underKey(key, emit)
	}
	if s.left <= 0 {
		emit(tooLarge, 0, len(text))
	}
}

// A search is one call of find. What it calls is handed on and not kept, so that
// the caller's stays on the stack.
type search struct {
	*tokens
	text  string
	left  int // bytes that patterns may yet read
	until int // where the last token that was emitted ends
}

// hit tries a rule at a keyword, and says whether to go on.
func (s *search) hit(number, start int, emit emitter) bool {
	r := s.rules[number]
	from, to := start-r.shape.lead, start-r.shape.lead+r.shape.reach
	switch {
	case start < s.until, from < 0:
		return true
	case !r.shape.anchored:
		from = max(0, start-r.shape.reach, s.until)
	case !r.shape.fits(s.text, from):
		return true
	}
	s.report(r, s.text, from, to, 0, emit)
	return s.left > 0
}

// underKey tries the rules whose keyword is in the name of text on all of text.
func (s *search) underKey(key string, emit emitter) {
	value := strings.Trim(s.text, " \t\r\n\"'")
	offset := strings.Index(s.text, value)
	s.words.each(key, func(number, start, end int) bool {
		r := s.rules[number]
		switch {
		case s.until > 0:
			return false
		case r.shape.named && r.shape.boundaryAt(key, start) && fitBytes(r.shape.value, value):
			// Patterns allow for twenty bytes between the provider and the operator.
			assigned := key[start:min(len(key), end+20)] + ` = "`
			s.report(r, assigned+value+`"`, 0, len(assigned)+len(value)+1, offset-len(assigned), emit)
		case !r.shape.named && !r.shape.anchored:
			s.report(r, s.text, 0, len(s.text), 0, emit)
		}
		return s.left > 0
	})
}

// report emits what the rule finds in a part of text, moved by shift.
func (s *search) report(r *rule, text string, from, to, shift int, emit emitter) {
	to = min(to, len(text))
	s.left -= to - from
	at := r.compiled().FindStringSubmatchIndex(text[from:to])
	if at == nil {
		return
	}
	start, end := r.token(at)
	start, end = start+from, end+from
	value := text[start:end]
	if !r.accepts(value) || r.shape.named && harmlessName(text[from+at[0]:start]) {
		return
	}
	id := r.id
	if r.checksum != nil && !r.checksum(value) {
		id += unverified
	}
	s.until = end + shift
	emit(id, start+shift, end+shift)
}

// compiled returns the pattern, which a test compiles for every rule: it cannot fail.
func (r *rule) compiled() *regexp.Regexp {
	r.once.Do(func() {
		r.pattern = regexp.MustCompile(r.shape.pattern)
		for _, pattern := range r.allow {
			r.allowed = append(r.allowed, regexp.MustCompile(pattern))
		}
	})
	return r.pattern
}

// token returns where the token is in a match.
func (r *rule) token(at []int) (start, end int) {
	if r.group > 0 {
		return at[2*r.group], at[2*r.group+1]
	}
	for i := 2; i < len(at); i += 2 {
		if at[i] < at[i+1] {
			return at[i], at[i+1]
		}
	}
	return at[0], at[1]
}

// accepts says whether a value of the right shape is a token all the same.
func (r *rule) accepts(value string) bool {
	if r.entropy > 0 && bitsPerByte(value) <= r.entropy {
		return false
	}
	for _, allowed := range r.allowed {
		// All of it: a part that looks so is no reason to let go of the rest.
		if at := allowed.FindStringIndex(value); at != nil && at[1]-at[0] == len(value) {
			return false
		}
	}
	return !madeUp(value) && (!r.shape.named || strings.ContainsAny(value, "0123456789"))
}

// madeUp says whether a value has in it what the tokens of documentation have, and
// random ones never do.
func madeUp(value string) bool {
	value = strings.ToLower(value)
	for _, word := range [...]string{
		"abcdefghijklmnopqrstuvwxyz", "changeme", "example", "placeholder", "redacted", "xxxxxx", "000000000", "your_", "your-", "your.",
	} {
		if strings.Contains(value, word) {
			return true
		}
	}
	return false
}

// bitsPerByte returns the bits that each byte of text is worth by its own distribution.
func bitsPerByte(text string) float64 {
	var counts [256]int
	for i := range len(text) {
		counts[text[i]]++
	}
	bits, all := 0.0, float64(len(text))
	for _, n := range counts {
		if n > 0 {
			bits -= float64(n) / all * math.Log2(float64(n)/all)
		}
	}
	return bits
}
