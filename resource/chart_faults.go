package resource

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"text/template/parse"
)

var (
	// chartPlace matches places in messages of text/template and of helm.
	chartPlace = regexp.MustCompile(`([^\s:()<>"]+):([0-9]+)(?::[0-9]+)?`)

	// authorsError is what helm makes of fail and required.
	authorsError = regexp.MustCompile(`(?s)^execution error at \(([^()]*)\): (.*)$`)

	// parseError is what helm makes of a template that is none.
	parseError = regexp.MustCompile(`(?s)^parse error at \([^()]*\): (.*)$`)

	// knownProblem matches the messages that say what is wrong and hold no value.
	// All others may: a function that cannot read a value likes to quote it.
	knownProblem = regexp.MustCompile(`nil pointer evaluating [\w{}.*\[\] ]+` +
		`|can't evaluate field \w+ in type [\w{}.*\[\] ]+` +
		`|map has no entry for key "[\w.-]*"` +
		`|wrong type for value; expected [\w{}.*\[\]]+; got [\w{}.*\[\]]+` +
		`|wrong number of args for \w+: want [a-z ]*[0-9]+ got [0-9]+` +
		`|no template "[\w./-]*" associated with template "[\w./-]*"` +
		`|template "[\w./-]*" not defined` +
		`|rendering template has a nested reference name: [\w./-]+` +
		`|exceeded maximum template depth` +
		`|(incompatible types for|invalid type for|missing argument for) comparison` +
		`|index of (untyped nil|nil pointer)` +
		`|(cannot|can't) (index|slice) \w+( with| of)? type [\w{}.*\[\]]+` +
		`|index out of range` +
		`|range can't iterate over` +
		`|can't give argument to non-function [\w.$]+` +
		`|nil is not a command` +
		`|runtime error: (index out of range|invalid memory address or nil pointer dereference|makeslice: len out of range|slice bounds out of range|integer divide by zero)` +
		`|strings: (negative Repeat count|Repeat output length overflow)` +
		`|error calling \w+`)

	// missingTemplate matches the one among them that may have a value in it.
	missingTemplate = regexp.MustCompile(`no template "([\w./-]+)"`)

	// plainExpression matches one of names alone.
	plainExpression = regexp.MustCompile(`at <([\w.$()| -]+)>`)
)

// explain says why the chart could not be rendered. It repeats nothing that may come
// from the values.
func (c *preparedChart) explain(err error) *chartFault {
	text := err.Error()
	out := &chartFault{}
	first, last := c.locate(text)
	switch {
	case authorsError.MatchString(text):
		message := authorsError.FindStringSubmatch(text)[2]
		out.Message = "render: the chart says: " + c.authorsWords(message)
		last = first // the text after it is the author's
	case parseError.MatchString(text):
		message, _, _ := strings.Cut(parseError.FindStringSubmatch(text)[1], " started at ")
		out.Message = "read template: " + message
		first = last // where what is not closed begins
	default:
		out.Message = "render: " + missingTemplate.ReplaceAllStringFunc(problem(text), func(found string) string {
			name := missingTemplate.FindStringSubmatch(found)[1]
			return `no template "` + c.authorsWords(name) + `"` // include takes a name from values, too
		})
	}
	out.Place, out.Line = last.place, last.line
	if first != last {
		out.Message += fmt.Sprintf(" (included on line %d of %s)", first.line, first.place)
	}
	return out
}

// problem returns the innermost of the known messages. What is within tpl is made of
// values.
func problem(text string) string {
	const tpl = "error calling tpl"
	if i := strings.Index(text, tpl); i >= 0 {
		text = text[:i+len(tpl)]
	}
	found := knownProblem.FindAllString(text, -1)
	if len(found) == 0 {
		return "the template cannot be executed (helm says more, in which there may be values)"
	}
	message := strings.TrimSpace(found[len(found)-1])
	switch {
	case strings.HasPrefix(message, "error calling "):
		message += " (helm says more, in which there may be values)"
	case strings.HasPrefix(message, "range can't"):
		message = "range cannot iterate over that value"
	}
	if at := plainExpression.FindAllStringSubmatch(text, -1); len(at) > 0 {
		message += " at " + at[len(at)-1][1]
	}
	return message
}

// A chartLine is a line of a file in a chart.
type chartLine struct {
	place string
	line  int
}

// locate returns the first and the last line of a template that a message names.
func (c *preparedChart) locate(text string) (first, last chartLine) {
	templates := c.templates()
	for _, found := range chartPlace.FindAllStringSubmatch(text, -1) {
		f := templates[found[1]]
		if f == nil {
			continue
		}
		line, _ := strconv.Atoi(found[2])
		last = chartLine{c.places[f], line}
		if first.place == "" {
			first = last
		}
	}
	return first, last
}

// authorsWords returns a message of fail or required with only those words that the
// templates have in their own text. The others come from values.
func (c *preparedChart) authorsWords(message string) string {
	known := map[string]bool{}
	for _, f := range c.templates() {
		trees := map[string]*parse.Tree{}
		t := parse.New("")
		t.Mode = parse.SkipFuncCheck
		if _, err := t.Parse(string(f.Data), "", "", trees); err != nil {
			continue
		}
		for _, tree := range trees {
			collectWords(tree.Root, known)
		}
		if t.Root != nil {
			collectWords(t.Root, known)
		}
	}
	words := strings.Fields(message)
	for i, word := range words {
		if bare := bareWord(word); bare != "" && !known[bare] {
			words[i] = "…"
		}
	}
	return strings.Join(words, " ")
}

// bareWord returns a word without the punctuation around it.
func bareWord(word string) string { return strings.Trim(word, ".,:;!?\"'`()[]{}<>=") }

// collectWords adds the words of the strings and texts below n.
func collectWords(n parse.Node, to map[string]bool) {
	add := func(text string) {
		for word := range strings.FieldsSeq(text) {
			to[bareWord(word)] = true
		}
	}
	branch := func(b *parse.BranchNode) {
		collectWords(b.Pipe, to)
		collectWords(b.List, to)
		if b.ElseList != nil {
			collectWords(b.ElseList, to)
		}
	}
	switch n := n.(type) {
	case *parse.ListNode:
		for _, inner := range n.Nodes {
			collectWords(inner, to)
		}
	case *parse.TextNode:
		add(string(n.Text))
	case *parse.StringNode:
		add(n.Text)
	case *parse.ActionNode:
		collectWords(n.Pipe, to)
	case *parse.IfNode:
		branch(&n.BranchNode)
	case *parse.RangeNode:
		branch(&n.BranchNode)
	case *parse.WithNode:
		branch(&n.BranchNode)
	case *parse.TemplateNode:
		if n.Pipe != nil {
			collectWords(n.Pipe, to)
		}
	case *parse.PipeNode:
		for _, cmd := range n.Cmds {
			for _, arg := range cmd.Args {
				collectWords(arg, to)
			}
		}
	}
}
