package splice

import (
	"strconv"
	"strings"
)

// A plan is how one operation becomes edits of a text.
type plan struct {
	text  string
	style style
	edits []edit
}

// A slot is a place in a container. At the top there is none.
type slot struct {
	in *node
	i  int
}

// planOf returns the edits of the operation of j whose turn it is.
func planOf(text string, root *node, isJSON bool, j *job) ([]edit, error) {
	target, above, err := follow(root, j.path)
	if err != nil {
		return nil, err
	}
	p := &plan{text: text, style: styleOf(text, target, isJSON)}
	op := j.Patch[j.next]
	path := Steps(op.Path)
	if len(path) == 0 {
		return nil, unusual(target.start, "the whole object is replaced")
	}
	var v any
	if op.Op != "remove" {
		if v, err = decode(op.Value); err != nil {
			return nil, err
		}
	}
	parent, above, err := followFrom(target, above, path[:len(path)-1])
	if err != nil {
		return nil, err
	}
	err = p.operation(op.Op, slot{parent, 0}, above, path[len(path)-1], v)
	return p.edits, err
}

// follow returns the node at path and the slot that it is in.
func follow(root *node, path []string) (*node, slot, error) {
	return followFrom(root, slot{}, path)
}

func followFrom(n *node, above slot, path []string) (*node, slot, error) {
	for _, step := range path {
		if err := closed(n); err != nil {
			return nil, slot{}, err
		}
		i := n.index(step)
		if i < 0 {
			return nil, slot{}, missing(n)
		}
		above, n = slot{n, i}, n.kids[i]
	}
	return n, above, closed(n)
}

// closed reports that nothing in n can be changed for itself.
func closed(n *node) error {
	if n.kind == alias || n.shared {
		return &placed{n.start, ErrShared}
	}
	return nil
}

// missing returns why a container lacks a key that the object has.
func missing(n *node) error {
	if n.merges {
		return &placed{n.start, ErrShared}
	}
	return unusual(n.start, "a key is not found in it")
}

// index returns the position of a step, -1 if it leads nowhere.
func (n *node) index(step string) int {
	switch n.kind {
	case mapping:
		return n.find(step)
	case sequence:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(n.kids) {
			return i
		}
	default:
	}
	return -1
}

// operation plans an operation on the step of a container, which is itself in the
// slot above.
func (p *plan) operation(op string, at slot, above slot, step string, v any) error {
	n := at.in
	at.i = n.index(step)
	switch {
	case n.kind != mapping && n.kind != sequence:
		return unusual(n.start, "it is no container")
	case op == "remove" && at.i < 0:
		return missing(n)
	case op == "remove" && len(n.kids) == 1:
		return p.empty(n, above)
	case op == "remove":
		return p.remove(n, at.i)
	case n.kind == mapping && at.i < 0:
		return p.add(n, above, step, v)
	case n.kind == mapping, op == "replace" && at.i >= 0:
		return p.set(at, v)
	case at.i < 0 && step != "-" && step != strconv.Itoa(len(n.kids)):
		return unusual(n.start, "an item is not found in it")
	case at.i < 0:
		return p.appendItem(n, above, v)
	}
	return p.insertItem(n, at.i, v)
}

func (p *plan) edit(from, to int, text string) {
	p.edits = append(p.edits, edit{from, to, text})
}

// empty removes the only thing that is in a container.
func (p *plan) empty(n *node, above slot) error {
	if n.hasShared() {
		return &placed{n.start, ErrShared}
	}
	if above.in == nil {
		return unusual(n.start, "nothing is left of the object")
	}
	if n.kind == mapping {
		return p.set(above, object{})
	}
	return p.set(above, []any{})
}

// endsLine reports whether only white space or a comment follows on the line.
func (p *plan) endsLine(at int) bool {
	rest := strings.TrimLeft(p.text[at:lineEnd(p.text, at)], " \t\r\n")
	return rest == "" || rest[0] == '#'
}

// beginsLine reports whether only spaces are before at on its line.
func (p *plan) beginsLine(at int) bool {
	before := strings.TrimRight(p.text[:at], " ")
	return before == "" || strings.HasSuffix(before, "\n")
}

// lines adds lines after the one that at is on. They come without a break at their end.
func (p *plan) lines(at int, text string) {
	end := lineEnd(p.text, at)
	if strings.HasSuffix(p.text[:end], "\n") {
		p.edit(end, end, text+p.style.eol)
	} else {
		p.edit(end, end, p.style.eol+text)
	}
}

// hasComment reports whether there may be a comment in a part of the text.
func (p *plan) hasComment(from, to int) bool {
	for i := from; i < to; i++ {
		if p.text[i] == '#' && (i == 0 || strings.ContainsRune(" \t\n", rune(p.text[i-1]))) {
			return true
		}
	}
	return false
}

// colon returns where the colon after a key ends.
func (p *plan) colon(key *node) (int, error) {
	at := key.end
	for at < len(p.text) && (p.text[at] == ' ' || p.text[at] == '\t') {
		at++
	}
	if at >= len(p.text) || p.text[at] != ':' || key.kind == alias {
		return 0, unusual(key.start, "its colon is not found")
	}
	return at + 1, nil
}
