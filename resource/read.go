package resource

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of one file or stream. An API server takes 3 MiB for one object, and the
// largest bundles in use are about 5 MiB.
const (
	// MaxFile is how many bytes it may have.
	MaxFile = 16 << 20

	// maxDocument is how many bytes one YAML document may have, which need not be
	// one object: it may be a List. YAML can take 150 times its size while it is
	// parsed, so that more would be a way to use up memory.
	maxDocument = 8 << 20

	// maxDocuments is how many documents there may be; with what surrounds it,
	// the shortest object has 100 bytes.
	maxDocuments = 100_000

	// maxErrors is how many errors are told of.
	maxErrors = 100
)

// A Result is what was read: objects in the order of the files and of their
// places in them, and what could not be read.
type Result struct {
	Objects []Object
	Errors  []*Error
	// Skipped counts documents in folders that are no Kubernetes objects, objects
	// that no installation of their chart creates, and library charts.
	Skipped int
}

// Read reads the objects of a stream, which must hold at least one and nothing
// else. The file is the name that objects and errors carry.
func Read(r io.Reader, file string) Result {
	rd := reader{file: file, strict: true}
	rd.read(r)
	return rd.Result
}

// A reader reads one file or stream.
type reader struct {
	file      string
	strict    bool // whether a document that is no Kubernetes object is an error
	planned   bool // whether it is a Terraform plan, which may be one of nothing
	asHelm    bool // whether helm may read it otherwise, and tell what is wrong with it
	encoder   encoder
	documents int // met so far
	Result
}

func (r *reader) read(src io.Reader) {
	in := bufio.NewReader(src)
	head, _ := in.Peek(planHead) // what is wrong is found again below
	limit := limitOf(head)
	data, err := io.ReadAll(io.LimitReader(in, int64(limit)+1))
	switch {
	case err != nil:
		r.fail(fmt.Errorf("read: %w", cause(err)))
		return
	case len(data) > MaxPlan:
		r.fail(errPlanLarge)
		return
	case len(data) > limit:
		r.fail(errTooLarge)
		return
	}
	r.encoder.budget = maxExpanded
	r.asHelm = r.asHelm && (bytes.Contains(data, []byte("{{")) || filepath.Base(r.file) == "values.yaml")
	r.stream(data)
	if r.strict && len(r.Objects) == 0 && len(r.Errors) == 0 && !r.planned {
		r.fail(ErrNoObjects)
	}
}

var (
	errTooMany  = fmt.Errorf("has more than %d errors: the others are not shown", maxErrors)
	errEndless  = fmt.Errorf("has more than %d documents: the others are not read", maxDocuments)
	errDocument = fmt.Errorf("is larger than %d MiB in one YAML document: split it, or write it as JSON", maxDocument>>20)
	errTooLarge = fmt.Errorf("is larger than %d MiB", MaxFile>>20)
	errUTF16    = errors.New("is UTF-16: save it as UTF-8")
)

// fail records an error, unless there are too many of them already.
func (r *reader) fail(err error) {
	if len(r.Errors) > maxErrors {
		return
	}
	if len(r.Errors) == maxErrors {
		err = errTooMany
	}
	r.Errors = append(r.Errors, locate(err, r.file))
}

// stream reads what kubectl reads: JSON values one after the other if the
// first character is a brace, else YAML documents. JSON of which at most one
// value can be read is YAML from there on.
func (r *reader) stream(data []byte) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		r.fail(errUTF16)
		return
	}
	if !utf8.Valid(data) {
		data = []byte(string([]rune(string(data)))) // each bad byte becomes U+FFFD, as in kubectl
	}
	if !startsWithBrace(data) {
		r.yaml(data, 1, nil)
		return
	}
	if r.terraform(data) {
		return
	}
	read, count, err := r.values(data)
	switch {
	case err == nil:
	case count > 1:
		r.fail(err)
	default:
		rest := skipLine(data[read:])
		r.yaml(rest, 1+bytes.Count(data[:len(data)-len(rest)], []byte("\n")), err)
	}
}

// startsWithBrace reports whether kubectl would try JSON. It looks at the
// first 4096 bytes.
func startsWithBrace(data []byte) bool {
	head := data[:min(len(data), 4096)]
	return bytes.HasPrefix(bytes.TrimLeftFunc(head, unicode.IsSpace), []byte("{"))
}

// values reads JSON values and returns how many bytes and values there were
// before the first that could not be read.
func (r *reader) values(data []byte) (read int64, count int, err error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	line, counted := 1, int64(0)
	for {
		var raw json.RawMessage
		if err := dec.Decode(&raw); errors.Is(err, io.EOF) {
			return read, count, nil
		} else if err != nil {
			return read, count, jsonError(err, data)
		}
		read = dec.InputOffset()
		count++
		start := read - int64(len(raw))
		line += bytes.Count(data[counted:start], []byte("\n"))
		counted = start
		p := jsonParser{data: raw, line: int32(line)}
		n, err := p.value()
		if !r.document(n, err) {
			return read, count, nil
		}
	}
}

// skipLine drops white space up to the end of the first line.
func skipLine(data []byte) []byte {
	for len(data) > 0 {
		c, n := utf8.DecodeRune(data)
		if !unicode.IsSpace(c) {
			break
		}
		data = data[n:]
		if c == '\n' {
			break
		}
	}
	return data
}

// yaml reads YAML documents from the line given on. If the first of them
// cannot be read, the reason is why it could not be read as JSON, if there is one.
func (r *reader) yaml(data []byte, line int, reason error) {
	s := splitter{rest: data, line: line}
	for {
		doc, start, err := s.next()
		if errors.Is(err, io.EOF) {
			return
		}
		var n *node
		if err == nil && len(doc) > maxDocument {
			err = at(start, errDocument)
		} else if err == nil {
			n, err = parseYAML(doc, start)
		}
		if reason != nil && err != nil && !errors.Is(err, ErrTrailing) && !errors.Is(err, ErrDuplicateKey) {
			err = reason
		}
		reason = nil
		if !r.document(n, err) {
			return
		}
	}
}

// document takes one document, or the error that it could not be read for. It
// reports whether to go on.
func (r *reader) document(n *node, err error) bool {
	if r.documents++; r.documents > maxDocuments {
		r.fail(errEndless)
		return false
	}
	switch {
	case err != nil && r.asHelm && !errors.Is(err, ErrTrailing) && !errors.Is(err, ErrDuplicateKey):
		r.Skipped++ // as kubectl could not read it either
	case err != nil:
		r.fail(err)
	case n.isNull():
	case !n.isKubernetes():
		r.skip(int(n.line), ErrNotKubernetes)
	default:
		r.object(n)
	}
	return true
}

// skip passes over a document that is no Kubernetes object.
func (r *reader) skip(line int, err error) {
	if r.strict {
		r.fail(at(line, err))
		return
	}
	r.Skipped++
}

// object takes an object, or all objects of a list. As to kubectl, every object
// with items is a list. To Argo CD and Flux one whose items are null is none, and to
// the API server one of another kind than a list never is, so that it is taken by
// itself as well: no word in an object shall keep it from being judged.
func (r *reader) object(n *node) {
	items := n.child("items")
	if items == nil {
		r.single(n)
		return
	}
	kind, _ := n.stringAt("kind")
	apiVersion, _ := n.stringAt("apiVersion")
	if !strings.HasSuffix(kind, "List") {
		r.single(n)
	}
	r.items(items, itemKind(kind), apiVersion)
}

// single takes one object that is no list.
func (r *reader) single(n *node) {
	data, err := r.encoder.encode(n)
	if err != nil {
		r.fail(err)
		return
	}
	o := identify(n, r.file)
	o.JSON, o.fields = data, n
	r.Objects = append(r.Objects, o)
}

// items takes the items of a list. Those of a typed list, which do not say what
// they are, are of the kind and version given.
func (r *reader) items(items *edge, kind, apiVersion string) {
	if items.isNull() {
		return
	}
	if items.kind != listNode {
		r.fail(at(int(items.line), errors.New("items is no list")))
		return
	}
	for _, e := range items.kids {
		r.item(e, kind, apiVersion)
	}
}

// item takes an item of a list, which may be a list itself. kubectl gives up on
// those; none of their objects shall go unjudged.
func (r *reader) item(e edge, kind, apiVersion string) {
	n := e.node
	if kind != "" && n.kind == objectNode && n.child("kind") == nil && n.child("apiVersion") == nil {
		n = n.typed(kind, apiVersion)
	}
	inner := n.child("items")
	switch {
	case !n.isKubernetes():
		r.fail(at(int(e.line), fmt.Errorf("item of a list %w", ErrNotKubernetes)))
	case inner != nil && inner.kind == listNode:
		r.object(n)
	default:
		r.single(n)
	}
}

// typed returns n with a kind and an apiVersion.
func (n *node) typed(kind, apiVersion string) *node {
	out := &node{kind: n.kind, line: n.line}
	out.kids = append(out.kids,
		edge{"apiVersion", n.line, &node{kind: stringNode, line: n.line, text: apiVersion}},
		edge{"kind", n.line, &node{kind: stringNode, line: n.line, text: kind}})
	out.kids = append(out.kids, n.kids...)
	return out
}
