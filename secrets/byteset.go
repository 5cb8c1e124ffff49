package secrets

import "regexp/syntax"

// A byteSet is a set of bytes.
type byteSet [4]uint64

func (s *byteSet) add(b byte)      { s[b>>6] |= 1 << (b & 63) }
func (s *byteSet) has(b byte) bool { return s[b>>6]&(1<<(b&63)) != 0 }

// fits says whether the pattern may match text at start.
func (s *shape) fits(text string, start int) bool {
	if len(text)-start < s.least || !s.boundaryAt(text, start) {
		return false
	}
	return fitBytes(s.first, text[start:]) && (!s.named || s.assigns(text[start:min(len(text), start+s.reach)]))
}

// fitBytes says whether text begins with bytes of sets.
func fitBytes(sets []byteSet, text string) bool {
	if len(text) < len(sets) {
		return false
	}
	for i := range sets {
		if !sets[i].has(text[i]) {
			return false
		}
	}
	return true
}

func (s *shape) boundaryAt(text string, start int) bool {
	return !s.boundary || start == 0 || !isWordByte(text[start-1])
}

// assigns says whether text goes on from a name to an operator of the kinds that
// patterns with names allow for, and from there to the beginning of a token.
func (s *shape) assigns(text string) bool {
	i := 0
	for ; i < len(text) && !isOperator(text[i]); i++ {
		if b := text[i]; !isWordByte(b) && !isFiller(b) && b != '.' && b != '-' {
			return false
		}
	}
	for ; i < len(text) && (isOperator(text[i]) || isFiller(text[i])); i++ {
	}
	return fitBytes(s.value, text[i:])
}

func isOperator(b byte) bool {
	return b == '=' || b == '>' || b == ':' || b == '|' || b == '?' || b == ','
}

// isFiller says whether a byte may stand between a name, an operator and a value.
func isFiller(b byte) bool {
	return b == '\'' || b == '"' || b == '`' || b == ' ' || '\t' <= b && b <= '\r'
}

func isWordByte(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '_'
}

// firstBytes returns the bytes that each of the first places of a match of node
// can have, as far as they are in all matches, and whether these are all of each
// match.
func firstBytes(node *syntax.Regexp) (sets []byteSet, whole bool) {
	switch node.Op {
	case syntax.OpLiteral:
		for _, r := range node.Rune {
			sets = append(sets, literalSet(r, node.Flags&syntax.FoldCase != 0))
		}
		return cutSets(sets, true)
	case syntax.OpCharClass:
		return []byteSet{classSet(node)}, true
	case syntax.OpCapture:
		return firstBytes(node.Sub[0])
	case syntax.OpPlus:
		sets, _ = firstBytes(node.Sub[0])
		return sets, false
	case syntax.OpRepeat:
		for range min(node.Min, maxFirst) {
			more, all := firstBytes(node.Sub[0])
			if sets = append(sets, more...); !all {
				return cutSets(sets, false)
			}
		}
		return cutSets(sets, node.Min == node.Max)
	case syntax.OpConcat:
		for _, sub := range node.Sub {
			more, all := firstBytes(sub)
			if sets = append(sets, more...); !all {
				return cutSets(sets, false)
			}
		}
		return cutSets(sets, true)
	case syntax.OpAlternate:
		return firstOfAny(node)
	}
	return nil, false
}

func firstOfAny(node *syntax.Regexp) (sets []byteSet, whole bool) {
	sets, whole = firstBytes(node.Sub[0])
	for _, sub := range node.Sub[1:] {
		more, all := firstBytes(sub)
		whole = whole && all && len(more) == len(sets)
		sets = sets[:min(len(sets), len(more))]
		for i := range sets {
			for j := range sets[i] {
				sets[i][j] |= more[i][j]
			}
		}
	}
	return sets, whole
}

func cutSets(sets []byteSet, whole bool) ([]byteSet, bool) {
	if len(sets) > maxFirst {
		return sets[:maxFirst], false
	}
	return sets, whole
}

func literalSet(r rune, fold bool) (set byteSet) {
	set.add(byte(r))
	if fold && (isWordByte(byte(r)) && r > '9' && r != '_') {
		set.add(byte(r) ^ 0x20)
	}
	return set
}

// classSet returns the bytes of a class. Runes of more than a byte are left out:
// they get into classes by folding, and no token has one.
func classSet(node *syntax.Regexp) (set byteSet) {
	for i := 0; i < len(node.Rune); i += 2 {
		for r := node.Rune[i]; r <= min(node.Rune[i+1], 127); r++ {
			set.add(byte(r))
		}
	}
	return set
}
