package splice

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

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

// lineOf returns the number of the line that i is on, from 1.
func lineOf(text string, i int) int { return 1 + strings.Count(text[:i], "\n") }
