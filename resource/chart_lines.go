package resource

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template/parse"
	"unicode"

	"helm.sh/helm/v4/pkg/chart/common"
)

// addLines finds out from which line of its template each line of a text comes.
// The chart is rendered once more, with marks in the templates that say on which
// line they stand. Marks are in no text that a template's functions could see,
// unless a chart includes a file of templates by its name; so what is rendered
// with marks tells lines and nothing else.
func (j *chartJob) addLines(texts []chartText) {
	m := newMarker()
	for i := range texts {
		texts[i].Lines = make([]int32, 1+bytes.Count(texts[i].Text, []byte("\n")))
	}
	j.markSome(m, texts)
}

// markSome marks the templates of texts. If the chart cannot be rendered so, each
// half of them is tried alone.
func (j *chartJob) markSome(m *marker, texts []chartText) {
	if len(texts) == 0 {
		return
	}
	if rendered, ok := j.renderMarked(m, texts); ok {
		for _, t := range texts {
			plain, lines := m.strip(rendered[t.name])
			align(t.Lines, lines, string(t.Text), plain)
		}
		return
	}
	if len(texts) > 1 {
		j.markSome(m, texts[:len(texts)/2])
		j.markSome(m, texts[len(texts)/2:])
	}
}

// renderMarked renders the chart from its files, since templates may have changed
// the values.
func (j *chartJob) renderMarked(m *marker, texts []chartText) (map[string]string, bool) {
	c, fault := j.prepare()
	if fault != nil {
		return nil, false
	}
	templates := c.templates()
	marked := map[*common.File]bool{} // charts under two names have the same
	for _, t := range texts {
		f := templates[t.name]
		if f == nil || marked[f] || strings.HasPrefix(path.Base(f.Name), "_") {
			continue
		}
		marked[f] = true
		f.Data = []byte(m.mark(string(f.Data)))
	}
	rendered, err := c.render()
	return rendered, err == nil
}

// A marker puts marks into templates, which nobody can guess.
type marker struct {
	nonce string
	found *regexp.Regexp
}

func newMarker() *marker {
	var random [8]byte
	rand.Read(random[:])
	nonce := hex.EncodeToString(random[:])
	return &marker{nonce: nonce, found: regexp.MustCompile("\ue000" + nonce + ":([0-9]+)\ue001")}
}

func (m *marker) at(line int) string { return fmt.Sprintf("\ue000%s:%d\ue001", m.nonce, line) }

// An insertion is text to be put before a position in a template.
type insertion struct {
	pos  int
	text string
}

// mark returns a template with a mark before each of its own lines of text, and
// before each action, which may yield lines. Texts of templates that are defined
// in it are left alone: what is included stands where it is included.
func (m *marker) mark(text string) string {
	t := parse.New("")
	t.Mode = parse.SkipFuncCheck
	if _, err := t.Parse(text, "", "", map[string]*parse.Tree{}); err != nil || t.Root == nil {
		return text
	}
	found := &insertions{text: text, m: m}
	for i := range len(text) {
		if text[i] == '\n' {
			found.ends = append(found.ends, i)
		}
	}
	found.list(t.Root)
	slices.SortStableFunc(found.all, func(a, b insertion) int { return a.pos - b.pos })
	var b strings.Builder
	last := 0
	for _, in := range found.all {
		b.WriteString(text[last:in.pos])
		b.WriteString(in.text)
		last = in.pos
	}
	b.WriteString(text[last:])
	return b.String()
}

// insertions are the marks that a template gets.
type insertions struct {
	text string
	ends []int // positions of the line ends in text
	m    *marker
	all  []insertion
}

func (s *insertions) list(l *parse.ListNode) {
	if l == nil {
		return
	}
	for _, n := range l.Nodes {
		switch n := n.(type) {
		case *parse.TextNode:
			s.textNode(n)
		case *parse.ActionNode:
			if len(n.Pipe.Decl) == 0 {
				s.action(int(n.Pos))
			}
		case *parse.TemplateNode:
			s.action(int(n.Pos))
		case *parse.IfNode:
			s.list(n.List)
			s.list(n.ElseList)
		case *parse.RangeNode:
			s.list(n.List)
			s.list(n.ElseList)
		case *parse.WithNode:
			s.list(n.List)
			s.list(n.ElseList)
		}
	}
}

// line returns the line of a position.
func (s *insertions) line(pos int) int {
	before, _ := slices.BinarySearch(s.ends, pos)
	return 1 + before
}

// textNode puts a mark at the beginning of a text and of each line in it. The text
// is what is left of it after white space was trimmed, so that a mark is never
// between an action and the white space that it trims.
func (s *insertions) textNode(n *parse.TextNode) {
	pos := int(n.Pos)
	if !strings.HasPrefix(s.text[pos:], string(n.Text)) {
		return
	}
	line := s.line(pos)
	s.all = append(s.all, insertion{pos, s.m.at(line)})
	for i, c := range n.Text {
		if c == '\n' {
			line++
			s.all = append(s.all, insertion{pos + i + 1, s.m.at(line)})
		}
	}
}

// action puts an action before that in which pos is. It trims the text before it if
// that action does.
func (s *insertions) action(pos int) {
	open := strings.LastIndex(s.text[:pos], "{{")
	if open < 0 {
		return
	}
	delim := "{{"
	if strings.HasPrefix(s.text[open:], "{{-") && unicode.IsSpace(rune(s.text[open+3])) {
		delim = "{{- "
	}
	s.all = append(s.all, insertion{open, delim + strconv.Quote(s.m.at(s.line(open))) + "}}"})
}

// strip returns a text without marks, and the line of each of its lines: that of the
// last mark before its first visible character.
func (m *marker) strip(text string) (plain string, lines []int32) {
	var b strings.Builder
	var at, line int32
	take := func(s string) {
		b.WriteString(s)
		for _, c := range s {
			switch {
			case c == '\n':
				lines = append(lines, cmp.Or(line, at))
				line = 0
			case line == 0 && !unicode.IsSpace(c):
				line = at
			}
		}
	}
	last := 0
	for _, found := range m.found.FindAllStringSubmatchIndex(text, -1) {
		take(text[last:found[0]])
		n, _ := strconv.Atoi(text[found[2]:found[3]])
		at, last = int32(n), found[1] //nolint:gosec // a line that was marked is one of the file
	}
	take(text[last:] + "\n")
	plain = b.String()
	return plain[:len(plain)-1], lines
}

// align sets lines, which are those of text, from those of the marked text. The two
// differ where a chart makes random values or reads the clock: where they have as many
// lines, these are the same ones; else those at the beginning and at the end are.
func align(lines, marked []int32, text, markedText string) {
	if len(lines) == len(marked) {
		copy(lines, marked)
		return
	}
	a, b := strings.Split(text, "\n"), strings.Split(markedText, "\n")
	n := min(len(a), len(b))
	head, tail := 0, 0
	for head < n && a[head] == b[head] {
		head++
	}
	for tail < n-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	copy(lines, marked[:head])
	copy(lines[len(lines)-tail:], marked[len(marked)-tail:])
	for i := max(head, 1); i < len(lines)-tail; i++ {
		lines[i] = lines[i-1]
	}
}
