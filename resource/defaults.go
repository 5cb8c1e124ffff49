package resource

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	kjson "sigs.k8s.io/json"
)

// A Warning tells of a field that a built-in kind does not have, or of a kind that a
// built-in API does not have, such as one that is misspelt. The API server refuses
// it, or drops the field if the client asked for that.
type Warning struct {
	File  string
	Line  int    // of the field
	Field string // such as spec.containers[0].livenessprobe; "" for a kind
	Kind  string // such as "Deploymnet of apps/v1"; "" for a field
}

// Problem returns what is wrong, without the file.
func (w Warning) Problem() string {
	if w.Field == "" {
		return "unknown kind " + w.Kind
	}
	return fmt.Sprintf("unknown field %q", w.Field)
}

// String returns "file:line: unknown field ...".
func (w Warning) String() string {
	return (&Error{File: w.File, Line: w.Line, Err: errors.New(w.Problem())}).Error()
}

// Default returns the object as an API server 1.37 with its default feature gates
// hands it to admission webhooks, before any of them changed it: read into the
// type of its kind, which drops nulls and unknown fields and writes quantities
// in their canonical form, and with defaults set. What only a cluster knows is
// left out: admission plug-ins such as LimitRanger, and what the registry sets
// when it stores an object (pod-level requests, a Job's selector, cluster IPs).
//
// Lines stay those of the file; a default stands on the line of the nearest
// ancestor that the file has. Kinds that are not built in are returned as they
// are. It is an error if the object does not fit its kind, as it is to the API
// server; the object is then returned as it was.
func Default(o Object) (Object, []Warning, error) {
	gvk := schema.FromAPIVersionAndKind(o.APIVersion, o.Kind)
	if !scheme.Scheme.Recognizes(gvk) {
		return o, o.unknownKind(gvk), nil
	}
	typed, err := scheme.Scheme.New(gvk)
	if err != nil {
		return o, nil, o.errorf(o.Line, "read as %s: %w", o.Kind, err)
	}
	unknown, err := kjson.UnmarshalStrict(o.JSON, typed)
	if err != nil {
		return o, nil, o.misfit(err)
	}
	setDefaults(typed)
	data, err := json.Marshal(typed)
	if err != nil {
		return o, nil, o.errorf(o.Line, "write as %s: %w", o.Kind, err)
	}
	out := o
	out.JSON = data
	return out, o.warnings(unknown), nil
}

// unknownKind returns the warning that an API which is built in has no such kind.
func (o Object) unknownKind(gvk schema.GroupVersionKind) []Warning {
	if !scheme.Scheme.IsVersionRegistered(gvk.GroupVersion()) {
		return nil
	}
	return []Warning{{File: o.File, Line: o.Line, Kind: o.Kind + " of " + o.APIVersion}}
}

func (o Object) errorf(line int, format string, args ...any) *Error {
	return o.errorAt(place{line: line}, format, args...)
}

func (o Object) errorAt(at place, format string, args ...any) *Error {
	return &Error{File: o.fileAt(at), Line: at.line, Err: fmt.Errorf(format, args...)}
}

func (o Object) warnings(unknown []error) []Warning {
	var out []Warning
	for _, err := range unknown {
		var field kjson.FieldError
		if !errors.As(err, &field) {
			continue
		}
		w := Warning{File: o.File, Line: o.Line, Field: field.FieldPath()}
		if o.fields != nil {
			at, _ := o.fields.locate(w.Field, "", o.place())
			w.File, w.Line = o.fileAt(at), at.line
		}
		out = append(out, w)
	}
	return out
}

// misfit rewrites an error of decoding an object as its kind so that it repeats no
// value, and finds the field's line.
func (o Object) misfit(err error) *Error {
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong) && wrong.Field != "":
		got := strings.Fields(wrong.Value + " ?")[0]
		field, at := o.wrongField(wrong.Field, got)
		return o.errorAt(at, "%s is %s, not %s as in %s", field, article(got), typeName(wrong.Type), o.Kind)
	case errors.Is(err, resource.ErrFormatWrong), errors.Is(err, resource.ErrNumeric), errors.Is(err, resource.ErrSuffix):
		return o.errorf(o.Line, "has a quantity that Kubernetes cannot read")
	}
	return o.errorf(o.Line, "does not fit %s %s", o.APIVersion, o.Kind)
}

// wrongField returns the path and place of the field of which a decoder tells. The
// decoder's path may have the names of Go structs in it, as in
// spec.volumes.VolumeSource.fc.lun.
func (o Object) wrongField(field, got string) (string, place) {
	if o.fields == nil {
		return field, o.place()
	}
	at, found := o.fields.locate(field, got, o.place())
	if found {
		return field, at
	}
	steps := slices.DeleteFunc(strings.Split(field, "."), func(step string) bool {
		return step != "" && step[0] >= 'A' && step[0] <= 'Z'
	})
	field = strings.Join(steps, ".")
	at, _ = o.fields.locate(field, got, o.place())
	return field, at
}

func article(jsonKind string) string {
	switch jsonKind {
	case "object", "array":
		return "an " + jsonKind
	case "bool":
		return "a boolean"
	}
	return "a " + jsonKind
}

// typeName says in words what JSON a Go type takes.
func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return typeName(t.Elem())
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "a boolean"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Map, reflect.Struct:
		return "an object"
	case reflect.Float32, reflect.Float64:
		return "a number"
	}
	return fmt.Sprintf("an integer of %d bits", t.Bits())
}

// locate returns the place of the field that a decoder calls path, such as
// spec.containers[0].env.value, and whether there is such a field. Decoders do
// not escape keys, and leave out indexes where they tell of a wrong type: then the
// first value of the wrong JSON kind is meant. If there is none, it is the place
// of the nearest ancestor, or at.
func (n *node) locate(path, wrong string, at place) (place, bool) {
	path = strings.TrimPrefix(path, ".")
	if path == "" {
		return at, wrong == "" || n.jsonKind() == wrong
	}
	best := at
	for i, e := range n.kids {
		rest, ok := path, n.kind == listNode
		switch {
		case ok && path[0] == '[':
			rest, ok = strings.CutPrefix(path, fmt.Sprintf("[%d]", i))
		case !ok:
			rest, ok = strings.CutPrefix(path, e.key)
			ok = ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
		}
		if !ok {
			continue
		}
		inner, found := e.locate(rest, wrong, e.place())
		if found {
			return inner, true
		}
		if n.kind == objectNode {
			best = inner
		}
	}
	return best, false
}

// jsonKind returns what decoders call n.
func (n *node) jsonKind() string {
	switch {
	case n.kind == objectNode:
		return "object"
	case n.kind == listNode:
		return "array"
	case n.kind == stringNode:
		return "string"
	case n.text == "true", n.text == "false":
		return "bool"
	case n.text == "null":
		return "null"
	}
	return "number"
}
