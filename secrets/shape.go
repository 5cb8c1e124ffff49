package secrets

import (
	"regexp/syntax"
	"strings"
	"unicode"
)

// A shape is a pattern taken apart, so that most hits of its keyword are turned
// down without running it.
type shape struct {
	pattern  string
	anchored bool // the pattern begins with the keyword
	boundary bool // a word has to begin there
	named    bool // the token follows a name and an operator
	least    int  // bytes of the shortest match
	reach    int  // bytes of the longest match, within maxReach
	first    []byteSet
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
	s := shape{named: strings.Contains(tree.String(), `\|\|`)}
	if tree.Op == syntax.OpConcat {
		rest := tree.Sub
		for len(rest) > 1 && optional(rest[0]) {
			s.boundary = s.boundary || rest[0].Op == syntax.OpWordBoundary
			rest = rest[1:]
		}
		trimmed := *tree
		trimmed.Sub = rest
		if begins(&trimmed, words) {
			tree, s.anchored = &trimmed, true
		}
	}
	s.boundary = s.boundary && s.anchored
	s.pattern = tree.String()
	var longest int
	s.least, longest = lengths(tree)
	// One byte more, for a pattern to see what comes after its match.
	s.reach = min(longest, maxReach) + 1
	if s.anchored {
		s.pattern = `\A(?:` + s.pattern + `)`
		s.first, _ = firstBytes(tree)
	}
	return s
}

// optional says whether a pattern may begin after node: what only says how far
// back a match goes does not say whether there is one.
func optional(node *syntax.Regexp) bool {
	switch node.Op {
	case syntax.OpWordBoundary, syntax.OpStar:
		return true
	case syntax.OpRepeat:
		return node.Min == 0
	}
	return false
}

// begins says whether each match of node begins with one of words.
func begins(node *syntax.Regexp, words []string) bool {
	heads, _ := heads(node)
	for _, head := range heads {
		known := false
		for _, word := range words {
			known = known || strings.HasPrefix(head, word)
		}
		if !known {
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
