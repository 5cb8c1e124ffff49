package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/resource"
)

const (
	// maxFields is how many fields are taken away from one object: more than people
	// write into a sample.
	maxFields = 500
)

// A subject is an object in which the policy finds something, and how to ask about
// others in its place.
type subject struct {
	object object
	at     Problem // where it stands, without a message
	// input returns the input for an object in its place, false if there cannot be one.
	input func(object) (ast.Value, bool)
	query rego.PreparedEvalQuery
}

// absences returns a problem for each field with which a violation disappears though
// no test and no sample lacks it, and for each without which the policy fails.
func (p *proof) absences(ctx context.Context) []Problem {
	seen := p.seen()
	told := map[string]bool{}
	var problems []Problem
	for _, s := range p.subjects(ctx) {
		for _, found := range p.without(ctx, s, seen) {
			about, _, _ := strings.Cut(found.Message, " it ") // one is told of for each field
			if !told[about] {
				told[about] = true
				problems = append(problems, found)
			}
		}
	}
	return problems
}

// subjects returns the bad samples, and the inputs of tests for rules that no sample
// makes fire.
func (p *proof) subjects(ctx context.Context) []subject {
	var all []subject
	for _, s := range p.samples {
		query, err := p.rego.prepare(ctx, p.rego.pkg+".violation", p.inventoryOf(s))
		if s.err != nil || s.Good || err != nil {
			continue
		}
		all = append(all, subject{object: s.written, at: Problem{File: s.File, Line: s.Line}, query: query, input: func(o object) (ast.Value, bool) {
			complete, ok := s.changed(o)
			if !ok {
				return nil, false
			}
			input, err := p.input(s, complete)
			return input, err == nil
		}})
	}
	query, err := p.rego.prepare(ctx, p.rego.pkg+".violation", nil)
	if err != nil {
		return all
	}
	for _, at := range slices.SortedFunc(maps.Keys(p.watched.fired), comparePlaces) {
		for _, input := range p.watched.fired[at] {
			if s, ok := newSubject(at, input, query); ok && !p.watched.sampled[at] && !p.isPatch(at) {
				all = append(all, s)
			}
		}
	}
	return all
}

func comparePlaces(a, b place) int {
	if c := strings.Compare(a.file, b.file); c != 0 {
		return c
	}
	return a.row - b.row
}

func (p *proof) isPatch(at place) bool {
	return slices.ContainsFunc(p.info.Rules, func(r engine.RuleInfo) bool { return r.Patches && r.File == at.file && r.Row == at.row })
}

// newSubject returns an input of a test as a subject.
func newSubject(at place, input *ast.Term, query rego.PreparedEvalQuery) (subject, bool) {
	if input == nil {
		return subject{}, false
	}
	native, err := ast.JSON(input.Value)
	if err != nil {
		return subject{}, false
	}
	document, _ := native.(object)
	review, _ := document["review"].(object)
	o, ok := review["object"].(object)
	if !ok {
		return subject{}, false
	}
	return subject{object: o, at: Problem{File: at.file, Line: at.row}, query: query, input: func(o object) (ast.Value, bool) {
		changed, outer := maps.Clone(review), maps.Clone(document)
		changed["object"], outer["review"] = o, changed
		value, err := ast.InterfaceToValue(outer)
		return value, err == nil
	}}, true
}

// without takes away one field after the other.
func (p *proof) without(ctx context.Context, s subject, seen []object) []Problem {
	input, ok := s.input(copyOf(s.object))
	if !ok {
		return nil
	}
	before, err := p.ask(ctx, s.query, input)
	if err != nil || len(before) == 0 {
		return nil // a test put something in the place of data
	}
	silencing := make([][][]any, len(before))
	var problems []Problem
	for _, field := range fieldsOf(s.object) {
		o := copyOf(s.object)
		remove(o, field)
		input, ok := s.input(o)
		if !ok || ctx.Err() != nil || isSetAgain(o, field) {
			continue
		}
		after, err := p.ask(ctx, s.query, input)
		if err != nil {
			problems = append(problems, s.problem("without %s it fails: %s", engine.Printable(written(field)), describe(ctx, err, p.cfg.Timeout)))
			continue
		}
		for i, b := range before {
			if isSilenced(b, after) && !takesAway(field, b.path) {
				silencing[i] = append(silencing[i], field)
			}
		}
	}
	for i, b := range before {
		for _, field := range innermost(silencing[i]) {
			if !isLackedBy(field, seen) {
				problems = append(problems, s.problem("without %s it no longer says %q, and no test and no sample lacks that field",
					engine.Printable(written(field)), engine.Printable(b.message)))
			}
		}
	}
	return problems
}

// isSetAgain reports whether the API server sees to a field that was taken away.
func isSetAgain(o object, field []any) bool {
	read, err := resource.New(encode(o), "", 0)
	if err != nil {
		return false
	}
	complete, _, err := resource.Default(read)
	if err != nil {
		return false
	}
	var made object
	return json.Unmarshal(complete.JSON, &made) == nil && has(made, field)
}

func (s subject) problem(format string, args ...any) Problem {
	return Problem{s.at.File, s.at.Line, fmt.Sprintf(format, args...)}
}

// isSilenced reports whether nothing is found any more that is like b: of the same
// message, or at a place on the same way.
func isSilenced(b finding, after []finding) bool {
	return !slices.ContainsFunc(after, func(a finding) bool {
		n := min(len(a.path), len(b.path))
		return a.message == b.message || n > 0 && slices.Equal(a.path[:n], b.path[:n])
	})
}

// takesAway reports whether the very item of a list that path leads through goes with
// a field, so that it is no wonder if nothing is said of it.
func takesAway(field, path []any) bool {
	if len(field) >= len(path) || !slices.Equal(field, path[:len(field)]) {
		return false
	}
	return slices.ContainsFunc(path[len(field):], func(step any) bool { _, is := step.(int); return is })
}

// innermost returns the paths that no other one goes on from: a policy that minds the
// absence of a field minds that of what the field stands in.
func innermost(paths [][]any) [][]any {
	return slices.DeleteFunc(slices.Clone(paths), func(outer []any) bool {
		return slices.ContainsFunc(paths, func(inner []any) bool { return len(inner) > len(outer) && slices.Equal(inner[:len(outer)], outer) })
	})
}

// fieldsOf returns the paths to the fields of an object that the API server does not
// ask for of all objects, nor as the names of list items.
func fieldsOf(o object) [][]any {
	var fields [][]any
	var walk func(v any, path []any)
	walk = func(v any, path []any) {
		switch v := v.(type) {
		case object:
			for _, key := range slices.Sorted(maps.Keys(v)) {
				inner := append(slices.Clone(path), key)
				if len(fields) >= maxFields || isAlwaysThere(inner) {
					continue
				}
				fields = append(fields, inner)
				walk(v[key], inner)
			}
		case []any:
			for i, item := range v {
				walk(item, append(slices.Clone(path), i))
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(o)) {
		if key != "apiVersion" && key != "kind" {
			if key != "metadata" {
				fields = append(fields, []any{key})
			}
			walk(o[key], []any{key})
		}
	}
	return fields
}

// isAlwaysThere reports whether a field is one that the API server sees to: what names
// an object, or an item of a list.
func isAlwaysThere(path []any) bool {
	n := len(path)
	if n == 2 && path[0] == "metadata" {
		return path[1] == "name" || path[1] == "namespace"
	}
	_, inList := path[n-2].(int)
	return inList && path[n-1] == "name"
}

// remove takes a field away.
func remove(o object, path []any) {
	var v any = o
	for _, step := range path[:len(path)-1] {
		switch s := step.(type) {
		case string:
			v = v.(object)[s] //nolint:errcheck // fieldsOf has walked there
		case int:
			v = v.([]any)[s] //nolint:errcheck // fieldsOf has walked there
		}
	}
	delete(v.(object), path[len(path)-1].(string)) //nolint:errcheck // fieldsOf has walked there
}

func copyOf(o object) object {
	var c object
	if json.Unmarshal(encode(o), &c) != nil { // it comes from JSON
		return object{}
	}
	return c
}
