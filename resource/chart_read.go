package resource

import (
	"bytes"
	"errors"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// documentStart is where helm cuts a rendered template into documents.
var documentStart = regexp.MustCompile(`(?m)^---[ \t]*`)

// errLibrary reports a chart that was named and renders nothing by itself.
var errLibrary = errors.New("is a library chart, which has no objects of its own: name a chart that uses it")

// errNothing reports a chart that was named and renders nothing.
var errNothing = errors.New("renders no Kubernetes object with these values")

// read visits what each file of a chart that was rendered holds.
func (s chartSource) read(answer *chartAnswer, visit func(Result) error) error {
	switch {
	case answer.Fault != nil:
		return visit(Result{Errors: []*Error{s.failed(answer.Fault)}})
	case answer.Library && s.named:
		return visit(Result{Errors: []*Error{{File: s.path, Err: errLibrary}}})
	case answer.Library:
		return visit(Result{Skipped: 1})
	}
	all := encoder{budget: maxExpanded}
	found := false
	for _, t := range answer.Texts {
		r := reader{file: s.shown(t.Place), strict: true, encoder: all}
		s.text(&r, t)
		all = r.encoder
		found = found || len(r.Objects)+len(r.Errors)+r.Skipped > 0
		if err := visit(r.Result); err != nil {
			return err
		}
	}
	if s.named && !found {
		return visit(Result{Errors: []*Error{{File: s.path, Err: errNothing}}})
	}
	return nil
}

func (s chartSource) failed(f *chartFault) *Error {
	file := f.File
	if file == "" {
		file = s.shown(f.Place)
	}
	return &Error{File: file, Line: f.Line, Err: errors.New(f.Message)}
}

// text reads the objects of one rendered template, or of a file in crds/.
func (s chartSource) text(r *reader, t chartText) {
	if t.Plain {
		r.stream(t.Text)
	} else {
		for _, d := range documents(t.Text) {
			s.document(r, d, t.Lines)
		}
	}
	inArchive := s.sep == ":" || strings.Contains(t.Place, ".tgz:")
	if t.Plain && !inArchive {
		return // it stands in the file as it is
	}
	for i := range r.Objects {
		r.Objects[i].Rendered = "chart " + s.path
	}
}

// A renderedDocument is one document of a rendered template.
type renderedDocument struct {
	text  []byte
	above int // lines before it
}

// documents cuts a rendered template as helm does: "---" ends a document whatever
// follows it, and white space at the beginning of one is dropped.
func documents(text []byte) []renderedDocument {
	var out []renderedDocument
	start, above := 0, 0
	cut := func(end, next int) {
		doc := text[start:end]
		kept := bytes.TrimLeftFunc(doc, unicode.IsSpace)
		if len(kept) > 0 {
			out = append(out, renderedDocument{kept, above + bytes.Count(doc[:len(doc)-len(kept)], []byte("\n"))})
		}
		above += bytes.Count(text[start:next], []byte("\n"))
		start = next
	}
	for _, at := range documentStart.FindAllIndex(text, -1) {
		cut(at[0], at[1])
	}
	cut(len(text), len(text))
	return out
}

// document reads a document whose lines come from the lines given of the template.
// Objects that helm install does not create are skipped.
func (s chartSource) document(r *reader, d renderedDocument, lines []int32) {
	objects, errs := len(r.Objects), len(r.Errors)
	r.stream(d.text)
	lines = lines[min(d.above, len(lines)):]
	for _, e := range r.Errors[errs:] {
		e.Line = int(lineIn(lines, int32(e.Line)))
	}
	seen := map[*node]*node{}
	for i := objects; i < len(r.Objects); i++ {
		o := &r.Objects[i]
		o.fields = o.fields.moved(lines, seen)
		o.Line = int(o.fields.line)
	}
	kept := slices.DeleteFunc(r.Objects[objects:], func(o Object) bool { return o.notInstalled() })
	r.Skipped += len(r.Objects) - objects - len(kept)
	r.Objects = r.Objects[:objects+len(kept)]
}

// lineIn returns the line of a template that a line of its text comes from.
func lineIn(lines []int32, line int32) int32 {
	if line < 1 || int(line) > len(lines) {
		return 0
	}
	return lines[line-1]
}

// moved returns n with the lines that its own come from.
func (n *node) moved(lines []int32, seen map[*node]*node) *node {
	if out := seen[n]; out != nil {
		return out
	}
	out := &node{kind: n.kind, line: lineIn(lines, n.line), text: n.text, kids: make([]edge, len(n.kids))}
	seen[n] = out
	for i, e := range n.kids {
		out.kids[i] = edge{key: e.key, line: lineIn(lines, e.line), node: e.moved(lines, seen)}
	}
	return out
}

// hooks are the events at which helm creates an object, but for tests.
var hooks = []string{ //nolint:gochecknoglobals // never changed
	"pre-install", "post-install", "pre-delete", "post-delete",
	"pre-upgrade", "post-upgrade", "pre-rollback", "post-rollback",
}

// argoHook is the annotation by which Argo CD has hooks. Where it is, Argo CD pays no
// heed to that of helm.
const argoHook = "argocd.argoproj.io/hook"

// notInstalled reports whether helm creates the object only when somebody asks for
// tests, or never, as with a hook that it does not know. Those that Argo CD creates
// all the same, crd-install among them, are not of that kind.
func (o *Object) notInstalled() bool {
	meta := o.fields.child("metadata")
	if meta == nil {
		return false
	}
	annotations := meta.child("annotations")
	if annotations == nil {
		return false
	}
	text, ok := annotations.stringAt("helm.sh/hook")
	if !ok || annotations.child(argoHook) != nil {
		return false
	}
	installed := false
	for event := range strings.SplitSeq(text, ",") {
		event = strings.ToLower(strings.TrimSpace(event))
		switch {
		case slices.Contains(hooks, event) || event == "crd-install":
			installed = true
		case event != "test" && event != "test-success":
			return true
		}
	}
	return !installed
}
