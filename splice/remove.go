package splice

// remove takes out a field or an item of a container that has others. Comments go
// with it that are on its lines, or directly above it in its column.
func (p *plan) remove(n *node, i int) error {
	if n.kids[i].hasShared() || n.kind == mapping && n.keys[i].hasShared() {
		return &placed{n.kids[i].start, ErrShared}
	}
	if n.flow {
		return p.removeFlow(n, i)
	}
	start, end := p.extent(n, i)
	if !p.endsLine(end) {
		return unusual(end, "something follows it on its line")
	}
	if p.beginsLine(start) {
		p.edit(p.comments(start, n.col), lineEnd(p.text, end), "")
		return nil
	}
	if i > 0 || p.hasComment(lineEnd(p.text, end), n.begin(1)) {
		return unusual(start, "it does not begin its line")
	}
	p.edit(start, n.begin(1), "")
	return nil
}

// extent returns where a field or an item begins and ends.
func (p *plan) extent(n *node, i int) (start, end int) {
	start, end = n.begin(i), n.kids[i].end
	if n.kind == mapping && n.keys[i].end > end {
		end = n.keys[i].end
	}
	return start, end
}

// begin returns where a field with its key, or an item with its dash, begins.
func (n *node) begin(i int) int {
	switch {
	case n.kind == mapping:
		return n.keys[i].start
	case n.flow:
		return n.kids[i].start
	}
	return n.at[i]
}

// removeFlow takes out something in brackets, with the comma before or after it.
func (p *plan) removeFlow(n *node, i int) error {
	start, end := p.extent(n, i)
	from, to := start, end
	if i+1 < len(n.kids) {
		to = n.begin(i + 1)
	} else {
		_, from = p.extent(n, i-1)
	}
	if p.hasComment(from, start) || p.hasComment(end, to) {
		return unusual(start, "there is a comment beside it")
	}
	p.edit(from, to, "")
	return nil
}
