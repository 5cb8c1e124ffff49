package splice

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// scalar finds where a scalar ends.
func (b *builder) scalar(n *node, y *yaml.Node, parent int) error {
	if n.body >= len(b.text) {
		n.end = n.body
		return nil
	}
	switch {
	case y.Style&yaml.DoubleQuotedStyle != 0 && b.text[n.body] == '"':
		n.end = endOfDouble(b.text, n.body)
	case y.Style&yaml.SingleQuotedStyle != 0 && b.text[n.body] == '\'':
		n.end = endOfSingle(b.text, n.body)
	case y.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		n.literal = true
		n.end = endOfLiteral(b.text, n.body, parent)
	default:
		n.end = endOfPlain(b.text, n.body, y.Value)
	}
	if n.end < 0 {
		return unusual(n.start, "its end is not found")
	}
	return nil
}

func endOfDouble(text string, at int) int {
	for i := at + 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

func endOfSingle(text string, at int) int {
	for i := at + 1; i < len(text); i++ {
		if text[i] != '\'' {
			continue
		}
		if i+1 == len(text) || text[i+1] != '\'' {
			return i + 1
		}
		i++
	}
	return -1
}

// endOfPlain follows the words of a value, between which the text may have other
// white space than the value.
func endOfPlain(text string, at int, value string) int {
	isSpace := func(r rune) bool { return r == ' ' || r == '\t' || r == '\n' }
	end := at
	for word := range strings.FieldsFuncSeq(value, isSpace) {
		for at < len(text) && (isSpace(rune(text[at])) || text[at] == '\r') {
			at++
		}
		if !strings.HasPrefix(text[at:], word) {
			return -1
		}
		at += len(word)
		end = at
	}
	return end
}

// endOfLiteral returns where the last line of a scalar in the style of | or > ends,
// without its break. Empty lines after it are part of it if it keeps them.
func endOfLiteral(text string, at, parent int) int {
	header := strings.TrimRight(text[at:lineEnd(text, at)], "\r\n")
	keeps, indent := readHeader(header, parent)
	end := at + len(header)
	for i := lineEnd(text, at); i < len(text); {
		next := lineEnd(text, i)
		line := strings.TrimRight(text[i:next], "\r\n")
		width := len(line) - len(strings.TrimLeft(line, " "))
		isBlank := width == len(line) && (indent < 0 || width <= indent)
		if !isBlank {
			if indent < 0 {
				indent = width
			}
			if width <= parent || width < indent {
				break
			}
		}
		if !isBlank || keeps {
			end = i + len(line)
		}
		i = next
	}
	return end
}

// readHeader reads the line that begins a literal: whether it keeps empty lines at
// its end, and how far it is indented, -1 if that is not said.
func readHeader(header string, parent int) (keeps bool, indent int) {
	indent = -1
	for _, c := range header[1:] {
		switch {
		case c == '+':
			keeps = true
		case c >= '1' && c <= '9':
			indent = max(parent, 0) + int(c-'0')
		case c != '-':
			return keeps, indent
		}
	}
	return keeps, indent
}
