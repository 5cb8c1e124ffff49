package splice

import "strings"

// add puts a field at the end of a mapping.
func (p *plan) add(n *node, above slot, key string, v any) error {
	switch {
	case n.flow && len(n.kids) == 0 && above.in != nil:
		return p.set(above, object{{key, v}})
	case n.flow:
		return p.addFlow(n, func(prefix, unit string) string {
			return p.flowKey(n, key) + p.flowValue(v, prefix, unit)
		})
	case !p.endsLine(n.end):
		return unusual(n.end, "something follows it on its line")
	}
	p.lines(n.end, strings.Repeat(" ", n.col)+p.style.field(key, v, n.col))
	return nil
}

// flowKey returns a key with its colon, in quotes if those beside it have some.
func (p *plan) flowKey(n *node, key string) string {
	if p.style.json {
		return quoted(key) + p.style.colon
	}
	if len(n.keys) > 0 && p.text[n.keys[0].body] == '"' {
		return quoted(key) + ": "
	}
	return p.style.scalar(key) + ": "
}

// appendItem puts an item at the end of a list.
func (p *plan) appendItem(n *node, above slot, v any) error {
	switch {
	case n.flow && len(n.kids) == 0 && above.in != nil:
		return p.set(above, []any{v})
	case n.flow:
		return p.addFlow(n, func(prefix, unit string) string { return p.flowValue(v, prefix, unit) })
	case !p.endsLine(n.end):
		return unusual(n.end, "something follows it on its line")
	}
	p.lines(n.end, strings.Repeat(" ", n.col)+p.style.item(v, n.col))
	return nil
}

// insertItem puts an item before another.
func (p *plan) insertItem(n *node, i int, v any) error {
	if n.flow {
		return p.insertFlow(n, i, v)
	}
	if !p.beginsLine(n.at[i]) {
		return unusual(n.at[i], "it does not begin its line")
	}
	at := p.comments(n.at[i], n.col)
	p.edit(at, at, strings.Repeat(" ", n.col)+p.style.item(v, n.col)+p.style.eol)
	return nil
}

func (p *plan) insertFlow(n *node, i int, v any) error {
	at := n.kids[i].start
	if p.beginsFlowLine(at) {
		prefix, unit := p.flowIndent(n, at)
		p.edit(at, at, p.flowValue(v, prefix, unit)+","+p.style.eol+prefix)
		return nil
	}
	p.edit(at, at, p.flowValue(v, "", "")+p.comma())
	return nil
}

// comments returns where the comments begin that stand directly above a line, in the
// same column, and so belong to it.
func (p *plan) comments(at, col int) int {
	start := lineStart(p.text, at)
	for start > 0 {
		above := lineStart(p.text, start-1)
		line := p.text[above:start]
		if len(line) <= col || strings.Trim(line[:col], " ") != "" || line[col] != '#' {
			break
		}
		start = above
	}
	return start
}

// addFlow puts something at the end of a container in brackets: on a line of its
// own if what is there is, else on the same line. A comma that the last one has
// already stays behind what is added.
func (p *plan) addFlow(n *node, text func(prefix, unit string) string) error {
	if p.text[n.body] != '{' && p.text[n.body] != '[' {
		return unusual(n.start, "it has no brackets")
	}
	if len(n.kids) == 0 {
		if p.hasComment(n.body, n.end) {
			return unusual(n.start, "there is a comment in it")
		}
		p.edit(n.body+1, n.end-1, text("", ""))
		return nil
	}
	last := n.kids[len(n.kids)-1]
	first := n.kids[len(n.kids)-1].start
	if n.kind == mapping {
		first = n.keys[len(n.keys)-1].start
	}
	if !p.beginsFlowLine(first) {
		p.edit(last.end, last.end, p.comma()+text("", ""))
		return nil
	}
	prefix, unit := p.flowIndent(n, first)
	comma := last.end
	for comma < n.end && strings.ContainsRune(" \t\r\n", rune(p.text[comma])) {
		comma++
	}
	trailing := ""
	if p.text[comma] == ',' {
		trailing = ","
	} else {
		p.edit(last.end, last.end, ",")
		comma = last.end
	}
	if end := lineEnd(p.text, comma); end < n.end && p.endsLine(comma+len(trailing)) {
		p.edit(end, end, prefix+text(prefix, unit)+trailing+p.style.eol)
		return nil
	}
	comma += len(trailing)
	p.edit(comma, comma, p.style.eol+prefix+text(prefix, unit)+trailing)
	return nil
}

// comma returns what is between items on one line.
func (p *plan) comma() string {
	if p.style.json {
		return p.style.comma
	}
	return ", "
}

// beginsFlowLine reports whether only white space is before at on its line, and
// there is a line before it.
func (p *plan) beginsFlowLine(at int) bool {
	return strings.HasSuffix(strings.TrimRight(p.text[:at], " \t"), "\n")
}

// flowIndent returns the indentation of the line of something in a container, and by
// how much it is deeper than the container's.
func (p *plan) flowIndent(n *node, at int) (prefix, unit string) {
	prefix = p.text[lineStart(p.text, at):at]
	closing := p.text[lineStart(p.text, n.end-1) : n.end-1]
	outer := closing[:len(closing)-len(strings.TrimLeft(closing, " \t"))]
	unit, ok := strings.CutPrefix(prefix, outer)
	if !ok || unit == "" {
		unit = "  "
	}
	return prefix, unit
}

// flowValue returns a value inside of brackets. In JSON it has lines of its own, with
// the prefix and unit given, where those beside it have.
func (p *plan) flowValue(v any, prefix, unit string) string {
	if !p.style.json || unit == "" || isEmpty(v) {
		return p.style.inline(v)
	}
	var b strings.Builder
	p.spread(&b, v, prefix, unit)
	return b.String()
}

func (p *plan) spread(b *strings.Builder, v any, prefix, unit string) {
	if isEmpty(v) {
		b.WriteString(p.style.inline(v))
		return
	}
	inner := p.style.eol + prefix + unit
	ends := "{}"
	switch v := v.(type) {
	case object:
		for i, m := range v {
			b.WriteString([]string{"{", ","}[min(i, 1)] + inner + quoted(m.key) + p.style.colon)
			p.spread(b, m.value, prefix+unit, unit)
		}
	case []any:
		ends = "[]"
		for i, item := range v {
			b.WriteString([]string{"[", ","}[min(i, 1)] + inner)
			p.spread(b, item, prefix+unit, unit)
		}
	}
	b.WriteString(p.style.eol + prefix + ends[1:])
}
