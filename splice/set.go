package splice

import "strings"

// set puts a value in the place of another.
func (p *plan) set(at slot, v any) error {
	old := at.in.kids[at.i]
	if old.hasShared() {
		return &placed{old.start, ErrShared}
	}
	isBlock := !old.flow && (old.kind == mapping || old.kind == sequence)
	switch {
	case at.in.flow:
		return p.setFlow(at, old, v)
	case at.in.kind == sequence:
		return p.setItem(at, old, v)
	case isBlock:
		return p.setBlock(at, old, v)
	case old.literal:
		return p.setLiteral(at, old, v)
	case isEmpty(v):
		return p.setInline(at, old, v)
	}
	return p.setLines(at, old, v)
}

// setFlow replaces a value inside of brackets.
func (p *plan) setFlow(at slot, old *node, v any) error {
	if old.kind != scalar && p.hasComment(old.start, old.end) {
		return unusual(old.start, "there is a comment in it")
	}
	prefix, unit := "", ""
	begin := old.start
	if at.in.kind == mapping {
		begin = at.in.keys[at.i].start
	}
	if p.beginsFlowLine(begin) {
		prefix, unit = p.flowIndent(at.in, begin)
	}
	text := p.flowValue(v, prefix, unit)
	if old.isAbsent() {
		if old.start == 0 || p.text[old.start-1] != ':' {
			return unusual(old.start, "its colon is not found")
		}
		text = " " + text
	}
	p.edit(old.start, old.end, p.like(old, v, text))
	return nil
}

// like returns the text of v in the quotes of the value before it.
func (p *plan) like(old *node, v any, text string) string {
	s, isString := v.(string)
	if !isString || p.style.json || old.kind != scalar || old.isAbsent() || strings.ContainsFunc(s, func(r rune) bool { return !isRaw(r) }) {
		return text
	}
	switch p.text[old.body] {
	case '"':
		return quoted(s)
	case '\'':
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return text
}

// setItem replaces an item of a list, behind its dash.
func (p *plan) setItem(at slot, old *node, v any) error {
	if old.kind != scalar && p.hasComment(old.start, old.end) {
		return unusual(old.start, "there is a comment in it")
	}
	if old.literal && !p.isBare(old) {
		return unusual(old.start, "there is a comment in it")
	}
	dash := at.in.at[at.i]
	text := strings.TrimPrefix(p.style.item(v, at.in.col), "-")
	if isEmpty(v) {
		text = " " + p.like(old, v, text[1:])
	}
	from := dash + 1
	if old.start > from && lineStart(p.text, old.start) == lineStart(p.text, dash) {
		from, text = old.start, text[1:]
		if !isEmpty(v) && old.start-dash != 2 {
			from, text = dash+1, " "+text
		}
	} else if p.hasComment(from, old.start) {
		return unusual(old.start, "there is a comment before it")
	}
	p.edit(from, old.end, text)
	return nil
}

// isBare reports whether a literal has no comment on its first line.
func (p *plan) isBare(old *node) bool {
	return !strings.Contains(p.text[old.body:lineEnd(p.text, old.body)], "#")
}

// setInline replaces what stands behind a key by what fits there.
func (p *plan) setInline(at slot, old *node, v any) error {
	if old.kind != scalar && p.hasComment(old.start, old.end) {
		return unusual(old.start, "there is a comment in it")
	}
	text := p.like(old, v, p.style.inline(v))
	if old.isAbsent() {
		colon, err := p.colon(at.in.keys[at.i])
		if err != nil {
			return err
		}
		if old.end > colon && p.hasComment(colon, old.end) {
			return unusual(old.start, "there is a comment before it")
		}
		p.edit(colon, max(colon, old.end), " "+text)
		return nil
	}
	p.edit(old.start, old.end, text)
	return nil
}

// setLines replaces what stands behind a key by lines below it. A comment behind
// the old value stays.
func (p *plan) setLines(at slot, old *node, v any) error {
	colon, err := p.colon(at.in.keys[at.i])
	if err != nil {
		return err
	}
	end := max(colon, old.end)
	if !p.endsLine(end) {
		return unusual(old.start, "something follows it on its line")
	}
	if p.hasComment(colon, old.start) || old.kind != scalar && p.hasComment(old.start, old.end) {
		return unusual(old.start, "there is a comment in it")
	}
	p.edit(colon, end, "")
	p.lines(end, strings.TrimPrefix(p.style.after(v, at.in.col), p.style.eol))
	return nil
}

// setLiteral replaces a literal and keeps the comment on its first line.
func (p *plan) setLiteral(at slot, old *node, v any) error {
	colon, err := p.colon(at.in.keys[at.i])
	if err != nil {
		return err
	}
	if p.hasComment(colon, old.body) {
		return unusual(old.start, "there is a comment before it")
	}
	header := lineEnd(p.text, old.body)
	indicator := old.body + len(strings.TrimRight(p.text[old.body:header], "\r\n"))
	if i := strings.IndexByte(p.text[old.body:indicator], ' '); i >= 0 {
		indicator = old.body + i
	}
	after := p.style.after(v, at.in.col)
	below := ""
	if !isEmpty(v) {
		below = strings.TrimPrefix(after, p.style.eol) + p.style.eol
		after = ""
	}
	p.edit(colon, indicator, after)
	p.edit(header, max(header, min(lineEnd(p.text, old.end), len(p.text))), below)
	return nil
}

// setBlock replaces the lines of a container. A comment behind its key stays, and
// comments between the lines go with it only when they are removed.
func (p *plan) setBlock(at slot, old *node, v any) error {
	colon, err := p.colon(at.in.keys[at.i])
	if err != nil {
		return err
	}
	from, to := lineStart(p.text, old.body), lineEnd(p.text, old.end)
	if from <= colon || !p.beginsLine(old.body) || old.start != old.body {
		return unusual(old.start, "it does not begin its line")
	}
	if !isEmpty(v) && p.hasComment(from, to) {
		return unusual(old.start, "there is a comment in it")
	}
	if isEmpty(v) {
		p.edit(colon, colon, " "+p.style.inline(v))
		p.edit(p.comments(from, old.col), to, "")
		return nil
	}
	p.edit(from, to, strings.TrimPrefix(p.style.after(v, at.in.col), p.style.eol)+p.style.eol)
	return nil
}
