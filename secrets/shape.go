package secrets

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
)

// A shape is a pattern taken apart, so that most hits of its keyword are turned
// down without running it.
type shape struct {
	pattern  string
	words    []string // the keywords to try it at
	anchored bool     // a match begins lead bytes before a keyword
	lead     int
	boundary bool      // a word has to begin there
	named    bool      // the token follows a name and an operator
	least    int       // bytes of the shortest match
	reach    int       // bytes of the longest match, within maxReach, and one more to see what comes next
	first    []byteSet // what the first bytes of a match can be
	value    []byteSet // the same of what follows the operator
}

// maxFirst is how many bytes of a pattern are known one by one: with a dozen, a
// keyword alone or one in a word is nearly always turned down.
const maxFirst = 16

// shapesOf takes a pattern apart, into one shape for each of its alternatives.
func shapesOf(pattern string, words []string) ([]shape, error) {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, err
	}
	parts := []*syntax.Regexp{tree}
	if tree.Op == syntax.OpAlternate {
		parts = tree.Sub
	}
	shapes := []shape{}
	for _, part := range parts {
		shapes = append(shapes, shapeOf(part, words))
	}
	return shapes, nil
}

func shapeOf(tree *syntax.Regexp, words []string) shape {
	s := shape{words: words, named: strings.Contains(tree.String(), `\|\|`)}
	s.boundary = tree.Op == syntax.OpConcat && tree.Sub[0].Op == syntax.OpWordBoundary
	trimmed := fromName(tree)
	// The keyword of some is in the value; the name is as good, and comes first.
	if names, _ := heads(trimmed); s.named && !begins(names, words) && !slices.ContainsFunc(names, isShort) {
		s.words = names
	}
	if s.lead, s.anchored = leadBytes(trimmed, s.words); s.anchored {
		tree = trimmed
		s.first, _ = firstBytes(tree)
	}
	s.boundary = s.boundary && s.anchored
	if s.named {
		s.value = valueBytes(tree)
	}
	var longest int
	s.least, longest = lengths(tree)
	s.reach = min(longest, maxReach) + 1
	if s.pattern = tree.String(); s.anchored {
		s.pattern = `\A(?:` + s.pattern + `)`
	}
	return s
}

// fromName returns a pattern without what its matches may begin with: that says how
// far back a match goes, and not whether there is one.
func fromName(tree *syntax.Regexp) *syntax.Regexp {
	if tree.Op != syntax.OpConcat {
		return tree
	}
	trimmed := *tree
	for len(trimmed.Sub) > 1 && isOptional(trimmed.Sub[0]) {
		trimmed.Sub = trimmed.Sub[1:]
	}
	return &trimmed
}

func isOptional(node *syntax.Regexp) bool {
	switch node.Op {
	case syntax.OpWordBoundary, syntax.OpStar, syntax.OpQuest:
		return true
	case syntax.OpRepeat:
		return node.Min == 0
	}
	return false
}

// leadBytes returns how many bytes of each match come before one of words, if that is
// the same for all matches.
func leadBytes(node *syntax.Regexp, words []string) (n int, ok bool) {
	if found, _ := heads(node); begins(found, words) {
		return 0, true
	}
	switch node.Op {
	case syntax.OpCapture:
		return leadBytes(node.Sub[0], words)
	case syntax.OpLiteral:
		for _, word := range words {
			if i := strings.Index(strings.ToLower(string(node.Rune)), word); i > 0 {
				return i, true
			}
		}
	case syntax.OpConcat:
		for i := range node.Sub {
			rest := *node
			rest.Sub = node.Sub[i:]
			if found, _ := heads(&rest); begins(found, words) {
				return n, true
			}
			if more, ok := leadBytes(node.Sub[i], words); ok {
				return n + more, true
			}
			least, most := lengths(node.Sub[i])
			if least != most {
				return 0, false
			}
			n += least
		}
	}
	return 0, false
}

// valueBytes returns what the first bytes of the last group can be: it is what
// the name is given.
func valueBytes(tree *syntax.Regexp) (sets []byteSet) {
	for _, sub := range tree.Sub {
		if sub.Op == syntax.OpCapture {
			sets, _ = firstBytes(sub)
		}
	}
	return sets
}

func isShort(name string) bool { return len(name) < 3 }

// begins says whether each of heads begins with one of words.
func begins(heads, words []string) bool {
	for _, head := range heads {
		if !slices.ContainsFunc(words, func(word string) bool { return strings.HasPrefix(head, word) }) {
			return false
		}
	}
	return true
}

// maxHeads bounds the beginnings of a pattern that are told apart.
const maxHeads = 64

// heads returns how matches of node can begin, in lower case, and whether these
// are all of each match.
func heads(node *syntax.Regexp) (found []string, whole bool) {
	switch node.Op {
	case syntax.OpLiteral:
		return []string{strings.ToLower(string(node.Rune))}, true
	case syntax.OpCapture:
		return heads(node.Sub[0])
	case syntax.OpCharClass:
		return headsOfClass(node)
	case syntax.OpEmptyMatch:
		return []string{""}, true
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return []string{"."}, true // which is what it stands for, in all that have it before the keyword ends
	case syntax.OpPlus:
		found, _ = heads(node.Sub[0])
		return found, false
	case syntax.OpRepeat:
		if node.Min > 0 {
			found, whole = heads(node.Sub[0])
			return found, whole && node.Min == 1 && node.Max == 1
		}
	case syntax.OpQuest:
		found, whole = heads(node.Sub[0])
		return append(found, ""), whole
	case syntax.OpAlternate:
		whole = true
		for _, sub := range node.Sub {
			more, all := heads(sub)
			found, whole = append(found, more...), whole && all
		}
		return found, whole
	case syntax.OpConcat:
		return headsOfConcat(node)
	}
	return []string{""}, false
}

func headsOfClass(node *syntax.Regexp) (found []string, whole bool) {
	for i := 0; i < len(node.Rune); i += 2 {
		for r := node.Rune[i]; r <= node.Rune[i+1]; r++ {
			if len(found) > 8 {
				return []string{""}, false
			}
			found = append(found, string(unicode.ToLower(r)))
		}
	}
	return found, true
}

func headsOfConcat(node *syntax.Regexp) (found []string, whole bool) {
	found, whole = []string{""}, true
	for _, sub := range node.Sub {
		more, all := heads(sub)
		if len(found)*len(more) > maxHeads {
			return found, false
		}
		longer := []string{}
		for _, head := range found {
			for _, tail := range more {
				longer = append(longer, head+tail)
			}
		}
		if found = longer; !all {
			return found, false
		}
	}
	return found, whole
}

// lengths returns the bytes of the shortest and the longest match of node; for
// one without an end, more than maxReach.
func lengths(node *syntax.Regexp) (least, most int) {
	switch node.Op {
	case syntax.OpLiteral:
		return len(node.Rune), len(string(node.Rune))
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1, 1
	case syntax.OpCapture:
		return lengths(node.Sub[0])
	case syntax.OpQuest:
		_, most = lengths(node.Sub[0])
		return 0, most
	case syntax.OpStar:
		return 0, maxReach + 1
	case syntax.OpPlus:
		least, _ = lengths(node.Sub[0])
		return least, maxReach + 1
	case syntax.OpRepeat:
		least, most = lengths(node.Sub[0])
		if node.Max < 0 {
			return least * node.Min, maxReach + 1
		}
		return least * node.Min, most * node.Max
	case syntax.OpConcat:
		for _, sub := range node.Sub {
			low, high := lengths(sub)
			least, most = least+low, most+high
		}
		return least, most
	case syntax.OpAlternate:
		for i, sub := range node.Sub {
			low, high := lengths(sub)
			if least, most = min(least, low), max(most, high); i == 0 {
				least = low
			}
		}
		return least, most
	}
	return 0, 0
}
