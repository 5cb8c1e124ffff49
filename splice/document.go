package splice

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	k8syaml "sigs.k8s.io/yaml"
)

// A document is one YAML document or JSON value of a file.
type document struct {
	text   string // that of YAML ends in a line break, as kubectl reads it
	cut    int    // how many bytes of text the file does not have
	start  int    // of text in the file
	line   int    // of the first line of text in the file
	isJSON bool
	budget *int // bytes that may still be parsed
}

// split cuts a file where package resource does: JSON values one after the other if
// all of it is JSON, else YAML documents, between lines that begin with "---".
func split(file string) ([]document, error) {
	start := len(file) - len(strings.TrimPrefix(file, "\ufeff"))
	if docs, ok := splitJSON(file, start); ok {
		return docs, nil
	}
	if hasOddBreaks(file) {
		return nil, errBreaks
	}
	var docs []document
	from, line, at := start, 1, start
	begin := line
	for at < len(file) {
		end := lineEnd(file, at)
		if strings.HasPrefix(file[at:end], "---") && at > from {
			docs = append(docs, document{text: file[from:at], start: from, line: begin})
			from, begin = end, line+1
		}
		at = end
		line++
	}
	last := document{text: file[from:], start: from, line: begin}
	if !strings.HasSuffix(last.text, "\n") {
		eol := "\n"
		if strings.Contains(last.text, "\r\n") {
			eol = "\r\n"
		}
		last.text, last.cut = last.text+eol, len(eol)
	}
	return append(docs, last), nil
}

// splitJSON cuts a file of JSON values, and reports whether it is one.
func splitJSON(file string, start int) ([]document, bool) {
	rest := file[start:]
	if !strings.HasPrefix(strings.TrimLeft(rest, " \t\r\n"), "{") {
		return nil, false
	}
	var docs []document
	dec := json.NewDecoder(strings.NewReader(rest))
	line, counted := 1, 0
	for {
		var raw json.RawMessage
		if err := dec.Decode(&raw); errors.Is(err, io.EOF) {
			return docs, len(docs) > 0
		} else if err != nil {
			return nil, false
		}
		at := int(dec.InputOffset()) - len(raw)
		line += strings.Count(rest[counted:at], "\n")
		counted = at
		docs = append(docs, document{text: string(raw), start: start + at, line: line, isJSON: true})
	}
}

// hasOddBreaks reports whether there are line breaks that the YAML parser counts
// and nobody else does.
func hasOddBreaks(s string) bool {
	return strings.Count(s, "\r") != strings.Count(s, "\r\n") || strings.ContainsAny(s, "\u0085\u2028\u2029")
}

// lineEnd returns where the line of s that i is on ends, its break included.
func lineEnd(s string, i int) int {
	if n := strings.IndexByte(s[i:], '\n'); n >= 0 {
		return i + n + 1
	}
	return len(s)
}

// lineStart returns where the line of s that i is on begins.
func lineStart(s string, i int) int { return strings.LastIndexByte(s[:i], '\n') + 1 }

// json returns the document as JSON.
func (d *document) json(text string) ([]byte, error) {
	*d.budget -= len(text)
	if *d.budget < 0 {
		return nil, ErrTooMuch
	}
	if d.isJSON {
		if !json.Valid([]byte(text)) {
			return nil, ErrMismatch
		}
		return []byte(text), nil
	}
	return toJSON(text)
}

// toJSON converts YAML as kubectl does, but for a key that is there twice, which is an
// error. To the library, a key that overrides what is merged in is one, too, so it is not
// asked where there may be such. It panics on some input that it did not expect.
func toJSON(text string) (out []byte, err error) {
	defer func() {
		if recover() != nil {
			out, err = nil, ErrMismatch
		}
	}()
	if strings.Contains(text, "<<") {
		out, err = k8syaml.YAMLToJSON([]byte(text))
	} else {
		out, err = k8syaml.YAMLToJSONStrict([]byte(text))
	}
	if err != nil {
		return nil, ErrMismatch // the library's own words may quote a value
	}
	return out, nil
}

// tree returns the document as a tree of places.
func (d *document) tree(text string) (*node, error) {
	*d.budget -= len(text)
	if *d.budget < 0 {
		return nil, ErrTooMuch
	}
	if d.isJSON {
		return jsonTree(text), nil
	}
	return yamlTree(text)
}

// apply returns the text of the document with those changes of jobs made that are
// of objects in it and can be made. What goes wrong in doing so leaves it as it was.
func (d *document) apply(jobs []*job) (text string) {
	defer func() {
		if recover() != nil {
			text = d.refuse(jobs, unusual(0, "it is not understood"))
		}
		if d.cut > 0 {
			text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
		}
	}()
	mine, before, err := d.find(jobs)
	if err != nil {
		return d.refuse(mine, err)
	}
	out, ok := d.together(mine, before)
	if ok {
		return out
	}
	if len(mine) > 1 {
		for _, j := range mine { // one of them spoils the text for all
			if j.err == nil {
				d.alone(j, before)
			}
		}
		if out, ok = d.together(mine, before); ok {
			return out
		}
	}
	return d.refuse(mine, ErrMismatch)
}

// refuse refuses all changes and returns the text as it was.
func (d *document) refuse(jobs []*job, err error) string {
	for _, j := range jobs {
		if j.err == nil {
			j.refuse(j.Line, err)
		}
	}
	return d.text
}

// alone finds out whether a change can be made by itself.
func (d *document) alone(j *job, before any) {
	if _, ok := d.together([]*job{j}, before); !ok && j.err == nil {
		j.refuse(j.Line, ErrMismatch)
	}
}

// find returns the jobs whose objects are in the document, and the document as JSON.
func (d *document) find(jobs []*job) ([]*job, any, error) {
	root, err := d.tree(d.text)
	if err != nil {
		return jobs, nil, err
	}
	if root == nil {
		return nil, nil, nil
	}
	data, err := d.json(d.text)
	if err != nil {
		return jobs, nil, err
	}
	doc, err := decode(data)
	if err != nil {
		return jobs, nil, err
	}
	places := objectsOf(nil, root, doc, nil)
	var mine []*job
	for _, j := range jobs {
		want, err := decode(j.Object)
		if err != nil {
			j.refuse(j.Line, err)
			continue
		}
		for i := range places {
			p := &places[i]
			if !p.taken && d.line+p.node.line-1 == j.Line && isObject(p.value, want) {
				p.taken, j.found, j.path = true, true, p.path
				mine = append(mine, j)
				break
			}
		}
	}
	return d.expect(mine), doc, nil
}

// expect sets what becomes of each object, and returns the jobs of which that can
// be said.
func (d *document) expect(jobs []*job) []*job {
	return slices.DeleteFunc(jobs, func(j *job) bool {
		data, err := patched(j.Object, j.Patch)
		if err == nil {
			j.want, err = decode(data)
		}
		if err != nil {
			j.refuse(j.Line, errors.New("the patch does not fit the object"))
		}
		return err != nil
	})
}

func patched(object []byte, ops []Operation) ([]byte, error) {
	data, err := json.Marshal(ops)
	if err != nil {
		return nil, err
	}
	p, err := jsonpatch.DecodePatch(data)
	if err != nil {
		return nil, err
	}
	return p.Apply(object)
}

// A place is where an object stands in a document.
type place struct {
	path  []string
	node  *node
	value any
	taken bool
}

// objectsOf appends the objects of n to places: itself, or the items of a list and
// of lists in it.
func objectsOf(places []place, n *node, value any, path []string) []place {
	o, isObject := value.(object)
	if !isObject || n.kind != mapping {
		return places
	}
	items, _ := o.get("items")
	list, isList := items.([]any)
	if !isList {
		return append(places, place{path: path, node: n, value: value})
	}
	i := n.find("items")
	if i < 0 || n.kids[i].kind != sequence || len(n.kids[i].kids) != len(list) {
		return places
	}
	for k, kid := range n.kids[i].kids {
		places = objectsOf(places, kid, list[k], append(slices.Clone(path), "items", strconv.Itoa(k)))
	}
	return places
}

// isObject reports whether what a document has is the object that is looked for.
// Items of typed lists do not say what they are.
func isObject(have, want any) bool {
	if equal(have, want) {
		return true
	}
	h, isObject := have.(object)
	w, alike := want.(object)
	return isObject && alike && isUntyped(h) && equal(h, untyped(w))
}

// isUntyped reports whether o says neither its kind nor its version.
func isUntyped(o object) bool {
	_, kind := o.get("kind")
	_, version := o.get("apiVersion")
	return !kind && !version
}

func untyped(o object) object {
	return slices.DeleteFunc(slices.Clone(o), func(m member) bool { return m.key == "kind" || m.key == "apiVersion" })
}

// together returns the text with the changes of all jobs that have no error, and
// whether it reads as it should. Jobs that turn out not to be possible get an error.
func (d *document) together(jobs []*job, before any) (string, bool) {
	for {
		var active []*job
		for _, j := range jobs {
			j.next = 0
			if j.err == nil {
				active = append(active, j)
			}
		}
		text, refused := d.passes(active)
		if refused {
			continue
		}
		return text, d.verify(text, before, active)
	}
}

// passes makes one operation of each job, parses the text again, and so on. It
// reports whether a job was refused, so that the text is of no use.
func (d *document) passes(jobs []*job) (string, bool) {
	text := d.text
	for {
		root, err := d.tree(text)
		if err != nil {
			for _, j := range jobs {
				j.refuse(j.Line, err)
			}
			return text, len(jobs) > 0
		}
		var groups []group
		refused := false
		for _, j := range jobs {
			if j.next == len(j.Patch) {
				continue
			}
			edits, err := planOf(text, root, d.isJSON, j)
			if err == nil && !inOrder(edits) {
				err = ErrMismatch
			}
			if err != nil {
				j.refuse(d.located(text, err, j))
				refused = true
				continue
			}
			groups = append(groups, group{j, edits})
		}
		all := join(groups)
		if refused || len(all) == 0 {
			return text, refused
		}
		text = perform(text, all)
	}
}

// located returns the line of the file that an error of planning is about. Lines
// are those of the text in which earlier operations are made; where those have
// shifted them, it is the object's.
func (d *document) located(text string, err error, j *job) (int, error) {
	var p *placed
	if errors.As(err, &p) {
		if text == d.text {
			return d.line + lineOf(text, p.at) - 1, p.err
		}
		return j.Line, p.err
	}
	return j.Line, err
}

// verify reports whether the text says what the jobs want and nothing else. Jobs whose
// own object is not what it should be get an error.
func (d *document) verify(text string, before any, jobs []*job) bool {
	data, err := d.json(text)
	if err != nil {
		return false
	}
	after, err := decode(data)
	if err != nil {
		return false
	}
	for _, j := range jobs {
		before = put(before, j.path, j.want)
	}
	return equal(before, after)
}

// put returns v with the part at path replaced by the object. It keeps what the
// object of a typed list does not say.
func put(v any, path []string, o any) any {
	if len(path) == 0 {
		have, _ := v.(object)
		if want, ok := o.(object); ok && isUntyped(have) {
			return untyped(want)
		}
		return o
	}
	switch v := v.(type) {
	case object:
		out := slices.Clone(v)
		for i := range out {
			if out[i].key == path[0] {
				out[i].value = put(out[i].value, path[1:], o)
			}
		}
		return out
	case []any:
		out := slices.Clone(v)
		if i, err := strconv.Atoi(path[0]); err == nil && i < len(out) {
			out[i] = put(out[i], path[1:], o)
		}
		return out
	}
	return v
}

// lineOf returns the number of the line that i is on, from 1.
func lineOf(text string, i int) int { return 1 + strings.Count(text[:i], "\n") }

// An edit puts text in the place of what is between two offsets.
type edit struct {
	from, to int
	text     string
}

// A group are the edits that one operation of a job takes.
type group struct {
	job   *job
	edits []edit
}

// inOrder sorts edits, and reports whether there are some and none overlaps another.
func inOrder(edits []edit) bool {
	slices.SortStableFunc(edits, func(a, b edit) int { return cmp.Compare(a.from, b.from) })
	end := 0
	for _, e := range edits {
		if e.from < end || e.to < e.from {
			return false
		}
		end = e.to
	}
	return len(edits) > 0
}

// join returns the edits of groups in the order of their places, and moves the jobs
// on that they are of. Of two groups that touch, the second has to wait.
func join(groups []group) []edit {
	slices.SortStableFunc(groups, func(a, b group) int { return cmp.Compare(a.edits[0].from, b.edits[0].from) })
	var all []edit
	end := -1
	for _, g := range groups {
		if g.edits[0].from <= end {
			continue
		}
		all = append(all, g.edits...)
		for _, e := range g.edits {
			end = max(end, e.to)
		}
		g.job.next++
	}
	return all
}

// perform returns text with the edits made.
func perform(text string, edits []edit) string {
	var b bytes.Buffer
	copied := 0
	for _, e := range edits {
		b.WriteString(text[copied:e.from])
		b.WriteString(e.text)
		copied = e.to
	}
	b.WriteString(text[copied:])
	return b.String()
}
