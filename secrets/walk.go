package secrets

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

const (
	// depthMax bounds nesting. Kubernetes' own types are not deeper than 30.
	depthMax = 512
	// jsonMax bounds an annotation that is decoded: all of an object have 256 KiB,
	// and decoded ones of the worst kind are 40 times as large as their text.
	jsonMax = 128 << 10
	// base64Max bounds a text that is decoded.
	base64Max = 64 << 10
)

// lastApplied is the annotation in which kubectl keeps the object as applied.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// A context is what is known of a value from what it is in.
type context struct {
	name    string // under which it is
	env     bool   // the value of an environment variable
	binary  bool   // base64 of a ConfigMap's binaryData
	program string // of whose options a list is, if it takes passwords by short ones
}

// An element of a path. One is made for each value that is visited, so it is
// not yet the []any of a Finding.
type element struct {
	key   string
	index int // if not in a map; else -1
}

// A walk visits each value of one object.
type walk struct {
	s      *Scanner
	root   Node
	path   []element
	frames []*frame
	depth  int
	left   int  // bytes that may yet be read
	deep   bool // nesting is too deep
	more   bool // there are more findings than are kept
	found  []Finding
	spans  []span

	outer *walk // of the object that has the annotation in which this one's object is

	redaction *redaction // takes what is found, and all is looked at; nil where findings are listed
}

// A frame visits what is in one list or map. Frames are made once for each depth,
// so that an object of many small maps costs no memory for each.
type frame struct {
	w      *walk
	node   Node
	in     context
	last   string // the text before, in a list
	item   func(int, Node) bool
	entry  func(string, Node) bool
	lookup func(string, Node) bool
	want   string
	got    string
	isItem bool // of a list
}

func newWalk(s *Scanner, root Node) *walk {
	return &walk{s: s, root: root, left: s.budget, path: make([]element, 0, 16), spans: make([]span, 0, spansMax)}
}

func (w *walk) frame() *frame {
	if w.depth == len(w.frames) {
		f := &frame{w: w}
		f.item, f.entry, f.lookup = f.visitItem, f.visitEntry, f.match
		w.frames = append(w.frames, f)
	}
	return w.frames[w.depth]
}

// visit scans a value and all in it.
func (w *walk) visit(n Node, in context) {
	w.left -= 4
	if n == nil || w.left < 0 || w.deep {
		return
	}
	if text, ok := n.Text(); ok {
		w.text(text, in)
		if w.redaction != nil {
			w.redaction.named(w, in.name)
		}
		return
	}
	if w.depth >= depthMax {
		w.deep = true
		return
	}
	f := w.frame()
	f.node, f.in, f.last = n, in, ""
	f.isItem = len(w.path) > 0 && w.path[len(w.path)-1].index >= 0
	w.depth++
	if !n.Items(f.item) {
		n.Entries(f.entry)
	}
	w.depth--
}

func (f *frame) visitItem(i int, n Node) bool {
	w, in := f.w, f.in
	w.path = append(w.path, element{index: i})
	text, isText := n.Text()
	if isText && w.option(f, text) {
		f.last = text
		w.path = w.path[:len(w.path)-1]
		return w.left >= 0
	}
	w.visit(n, in)
	w.path = w.path[:len(w.path)-1]
	if isText {
		if f.last = text; i == 0 && f.in.program == "" && w.s.isProgram(base(text)) {
			f.in.program = text
		}
	}
	return w.left >= 0
}

// option reports a text of a list that is the argument of an option before it.
func (w *walk) option(f *frame, text string) bool {
	if len(f.last) > 3 && f.last[0] == '-' && !strings.HasPrefix(text, "-") && !strings.ContainsAny(f.last, "= ") {
		s := w.s.names.strength(f.last)
		if w.s.words.secret(literal{name: f.last, value: text, strength: s, env: true}) {
			w.report(span{rule: ruleOf(s), class: ClassName}, "")
			return true
		}
	}
	if f.in.program != "" {
		if _, ok := w.s.option(f.in.program, f.last, text); ok && !portOption(f) {
			w.report(span{rule: "command-password", class: ClassURL}, "")
			return true
		}
	}
	return false
}

// portOption reports whether -p may be a port, as it is in most commands of docker.
func portOption(f *frame) bool { return f.in.program == "docker" || f.in.program == "podman" }

func (f *frame) visitEntry(key string, n Node) bool {
	w := f.w
	w.left -= len(key)
	if w.skips(key, n) {
		return w.left >= 0
	}
	in := context{name: key, program: f.in.program}
	switch {
	case f.isItem && (key == "value" || key == "defaultValue"):
		in = context{name: f.find("name", "key"), env: f.in.name == "env" || f.in.name == "extraEnv" || f.in.name == "parameters" || f.in.name == "envVars"}
	case key == "value" || key == "stringValue":
		in.name = f.in.name
	case key == "args":
		if in.program = f.firstOf("command"); !w.s.isProgram(base(in.program)) {
			in.program = ""
		}
	case key == "command":
		in.program = ""
	case len(w.path) == 0 && key == "binaryData":
		in.binary = true
	case f.in.binary:
		in.binary = true
	case f.in.name == "env" || f.in.name == "data":
		in.env = f.in.name == "env"
	}
	w.path = append(w.path, element{key: w.safeKey(key), index: -1})
	if key == lastApplied && w.outer == nil {
		w.applied(n, in)
	} else {
		w.visit(n, in)
	}
	w.path = w.path[:len(w.path)-1]
	return w.left >= 0
}

// find returns the text under one of the keys of the frame's map.
func (f *frame) find(keys ...string) string {
	for _, key := range keys {
		f.want, f.got = key, ""
		f.node.Entries(f.lookup)
		if f.got != "" {
			break
		}
	}
	return f.got
}

func (f *frame) match(key string, n Node) bool {
	if key != f.want {
		return true
	}
	f.got, _ = n.Text()
	return false
}

// firstOf returns the first text of the list under key of the frame's map.
func (f *frame) firstOf(key string) string {
	first := ""
	f.node.Entries(func(k string, n Node) bool {
		if k != key {
			return true
		}
		n.Items(func(_ int, item Node) bool {
			first, _ = item.Text()
			return false
		})
		return false
	})
	return first
}

// skips reports whether what is under key is of no interest: written by the
// cluster, a reference, or encrypted.
func (w *walk) skips(key string, n Node) bool {
	if w.redaction != nil {
		return false
	}
	switch key {
	case "managedFields", "uid", "resourceVersion", "creationTimestamp", "generateName", "selfLink", "ownerReferences":
		return len(w.path) == 1 && w.path[0].key == "metadata"
	case "status":
		return len(w.path) == 0
	case "image", "caBundle", "imagePullSecrets", "secretKeyRef", "configMapKeyRef", "secretRef", "configMapRef", "secretKeySelector", "fieldRef", "encryptedData":
		return true
	case "values", "value", "sensitive", "unknown", "tagging": // what is written in a Terraform plan is under configured
		return len(w.path) == 1 && w.path[0].key == "spec" && textOf(w.root, "apiVersion") == "terraform.lintel.dev/v1"
	case "data", "stringData":
		return len(w.path) == 0 && textOf(w.root, "kind") == "Secret"
	}
	return false
}

// textOf returns the text under the key of a map.
func textOf(n Node, key string) string {
	text := ""
	if at := child(n, element{key: key, index: -1}); at != nil {
		text, _ = at.Text()
	}
	return text
}

// child returns what is in n at an element of a path, or nil.
func child(n Node, at element) Node {
	var found Node
	if at.index >= 0 {
		n.Items(func(i int, item Node) bool {
			if i == at.index {
				found = item
			}
			return found == nil
		})
		return found
	}
	n.Entries(func(key string, value Node) bool {
		if key == at.key {
			found = value
		}
		return found == nil
	})
	return found
}

// safeKey returns the key, or what stands for it if it is a secret, which it
// then reports.
func (w *walk) safeKey(key string) string {
	if len(key) < 16 {
		return key
	}
	l := leaf{w: w, text: key, spans: w.spans[:0]}
	if spans, ok := marked(key); ok {
		l.spans = spans
	} else {
		l.scanKey()
	}
	if len(l.spans) == 0 {
		return key
	}
	if w.redaction != nil {
		w.redaction.noteKey(key, l.spans)
		return key
	}
	w.path = append(w.path, element{key: Redacted, index: -1})
	for _, s := range l.spans {
		w.report(span{rule: s.rule, class: s.class}, "")
	}
	w.path = w.path[:len(w.path)-1]
	return Redacted
}

// text scans a text of the object.
func (w *walk) text(text string, in context) {
	w.left -= len(text)
	if w.left < 0 || len(text) < 3 || strings.HasPrefix(text, "ENC[") {
		return
	}
	if spans, ok := marked(text); ok {
		w.reportAll(&leaf{spans: spans})
		return
	}
	if in.binary {
		w.decoded(text, in, len(text))
		return
	}
	l := leaf{w: w, text: text, spans: w.spans[:0]}
	l.scan(in.name, in)
	w.reportAll(&l)
	if len(l.spans) == 0 && len(text) >= 16 {
		w.decoded(text, in, base64Max*4/3)
	}
}

// decoded scans what a text is the base64 of, if it is the base64 of a text.
func (w *walk) decoded(text string, in context, limit int) {
	if len(text) > limit || !isBase64(text) {
		return
	}
	out, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		if out, err = base64.RawStdEncoding.DecodeString(text); err != nil {
			return
		}
	}
	w.left -= len(out)
	inner := string(out)
	if w.left < 0 || !printable(inner) {
		return
	}
	l := leaf{w: w, text: inner, spans: w.spans[:0]}
	l.scan(in.name, context{name: in.name, env: in.env})
	w.reportAll(&l)
}

// isBase64 reports whether all of text is of the alphabet.
func isBase64(text string) bool {
	for i := range len(text) {
		if c := text[i]; !isAlnum(c) && strings.IndexByte("+/=\r\n", c) < 0 {
			return false
		}
	}
	return true
}

// applied scans the object that kubectl last applied, without what the object
// itself still has in the same place.
func (w *walk) applied(n Node, in context) {
	text, ok := n.Text()
	var object any
	if !ok || len(text) > jsonMax || json.Unmarshal([]byte(text), &object) != nil {
		w.visit(n, in)
		return
	}
	inner := newWalk(w.s, Of(object))
	inner.left, inner.outer, inner.redaction = w.left-len(text), w, w.redaction
	inner.visit(inner.root, context{})
	w.left, w.deep, w.more = inner.left, w.deep || inner.deep, w.more || inner.more
}

// still reports whether the object itself has what this walk is at, so that it
// is reported there.
func (w *walk) still() bool {
	now, then := w.outer.root, w.root
	for _, at := range w.path {
		if now, then = child(now, at), child(then, at); now == nil || then == nil {
			return false
		}
	}
	a, ok := now.Text()
	b, same := then.Text()
	return ok && same && a == b
}

// standing returns the text where the walk is.
func (w *walk) standing() string {
	now := w.root
	for _, at := range w.path {
		if now = child(now, at); now == nil {
			return ""
		}
	}
	text, _ := now.Text()
	return text
}

// reportAll reports what was found in a text.
func (w *walk) reportAll(l *leaf) {
	for _, s := range l.spans {
		w.report(s, l.text)
	}
}

// report keeps a finding at the place where the walk is.
func (w *walk) report(s span, text string) {
	if w.redaction != nil {
		w.redaction.note(w, s, text)
		return
	}
	f := Finding{Key: s.key, Rule: s.rule, Class: s.class}
	if text != "" && strings.IndexByte(text, '\n') >= 0 {
		f.Line = 1 + strings.Count(text[:s.start], "\n")
	}
	if w.outer != nil {
		if w.still() {
			return
		}
		f.Key, f.Line = inside(w.path, s.key), 0
		w.outer.keep(w.outer.placed(f))
		return
	}
	w.keep(w.placed(f))
}

// placed returns f with the path of where the walk is.
func (w *walk) placed(f Finding) Finding {
	f.Path = make([]any, len(w.path))
	for i, at := range w.path {
		if f.Path[i] = at.index; at.index < 0 {
			f.Path[i] = at.key
		}
	}
	return f
}
