package secrets_test

import (
	"math/rand/v2"
	"regexp/syntax"
	"strings"
)

// sample returns a text that pattern matches, made by chance. What may be left
// out is, and words boundaries are taken to hold.
func sample(pattern string, chance *rand.Rand) string {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return ""
	}
	var b strings.Builder
	grow(&b, tree, chance)
	return b.String()
}

func grow(b *strings.Builder, node *syntax.Regexp, chance *rand.Rand) {
	switch node.Op {
	case syntax.OpLiteral:
		b.WriteString(string(node.Rune))
	case syntax.OpCharClass:
		b.WriteRune(fromClass(node, chance))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('.')
	case syntax.OpCapture:
		grow(b, node.Sub[0], chance)
	case syntax.OpPlus:
		for range 20 {
			grow(b, node.Sub[0], chance)
		}
	case syntax.OpRepeat:
		for range node.Min {
			grow(b, node.Sub[0], chance)
		}
	case syntax.OpConcat:
		for _, sub := range node.Sub {
			grow(b, sub, chance)
		}
	case syntax.OpAlternate:
		grow(b, node.Sub[chance.IntN(len(node.Sub))], chance)
	}
}

// fromClass returns a printable ASCII character of a class.
func fromClass(node *syntax.Regexp, chance *rand.Rand) rune {
	all := []rune{}
	for i := 0; i < len(node.Rune); i += 2 {
		for r := max(node.Rune[i], ' '); r <= min(node.Rune[i+1], '~'); r++ {
			all = append(all, r)
		}
	}
	if len(all) == 0 {
		return node.Rune[0]
	}
	return all[chance.IntN(len(all))]
}
