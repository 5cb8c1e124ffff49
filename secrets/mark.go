package secrets

import (
	"slices"
	"strconv"
	"strings"
)

// markPrefix begins a mark: what stands in the place of a text that was redacted.
//
// A mark has a number, the same for the same text of one request, so that a policy
// that compares two values finds them equal or not as before. After that come the
// classes and rules of what the scanner found in the text. It finds them again in
// the mark: a request that was redacted is judged as it was before.
const markPrefix = "lintel:redacted:"

const (
	// maxMarked is how many rules one mark names: as many as are noted of one text.
	maxMarked = spansMax
	// maxRule is longer than the name of any rule.
	maxRule = 64
)

// newMark returns the mark with a number and the rules of spans.
func newMark(number int, spans []span) string {
	var rules []string
	for _, s := range spans {
		if rule := string(s.class) + "/" + s.rule; !slices.Contains(rules, rule) && len(rules) < maxMarked {
			rules = append(rules, rule)
		}
	}
	slices.Sort(rules)
	text := markPrefix + strconv.Itoa(number)
	if len(rules) > 0 {
		text += ":" + strings.Join(rules, ",")
	}
	return text
}

// Found reports whether text is a mark in the place of something that the scanner
// found, and not of what was only taken out to be safe.
func Found(text string) bool {
	spans, _ := marked(text)
	return len(spans) > 0
}

// marked returns what was found in the text that a mark stands for. It reports
// false for what is no mark. Anybody can write one, so it is read with suspicion:
// all that it can do is to accuse itself.
func marked(text string) ([]span, bool) {
	rest, ok := strings.CutPrefix(text, markPrefix)
	if !ok {
		return nil, false
	}
	number, list, hasRules := strings.Cut(rest, ":")
	if n, err := strconv.Atoi(number); err != nil || n <= 0 {
		return nil, false
	}
	if !hasRules {
		return nil, true
	}
	var spans []span
	for item := range strings.SplitSeq(list, ",") {
		class, rule, _ := strings.Cut(item, "/")
		if len(spans) == maxMarked || !isClass(Class(class)) || !isRule(rule) {
			return nil, false
		}
		spans = append(spans, span{rule: rule, class: Class(class)})
	}
	return spans, true
}

func isClass(c Class) bool {
	return slices.Contains([]Class{ClassToken, ClassName, ClassKey, ClassURL, ClassJWT, ClassLarge}, c)
}

func isRule(rule string) bool {
	for i := range len(rule) {
		if c := rule[i]; !isLower(c) && !isDigit(c) && c != '-' {
			return false
		}
	}
	return rule != "" && len(rule) <= maxRule
}
