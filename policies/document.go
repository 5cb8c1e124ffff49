package policies

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	kjson "sigs.k8s.io/json"

	"github.com/lintel-policy/lintel/api/v1alpha1"
)

// A document is one document of a file, a JSON object.
type document struct {
	file string
	line int        // of its first key
	json []byte     // what it says, as the API server would get it
	tree *yaml.Node // the same with lines, nil if they could not be told
	base int        // how many lines of the file are before the tree's first
	err  error      // why it cannot be read
}

// kind returns the kind of a document of Lintel's, "" for one that has nothing of
// a Kubernetes object, and an error for all others.
func (d document) kind() (string, error) {
	if d.err != nil {
		return "", d.err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(d.json, &fields); err != nil {
		return "", fmt.Errorf("%s: read JSON: %w", d.place(""), err)
	}
	apiVersion, kind := text(fields["apiVersion"]), text(fields["kind"])
	group, _, _ := strings.Cut(apiVersion, "/")
	own := v1alpha1.GroupVersion
	switch {
	case !isLikeObject(fields):
		return "", nil
	case apiVersion == "" || kind == "":
		return "", d.errorf("", "apiVersion or kind is missing: a Policy or PolicyException has both")
	case group != own.Group:
		return "", d.errorf("kind", "%s %s has no place among policies: only Policy and PolicyException of %s do", apiVersion, kind, own)
	case apiVersion != own.String():
		return "", d.errorf("apiVersion", "apiVersion is %q, but only %q is known", apiVersion, own)
	case kind != "Policy" && kind != "PolicyException":
		return "", d.errorf("kind", "kind is %q, but %s has only Policy and PolicyException", kind, own)
	}
	return kind, nil
}

// isLikeObject reports whether a document means to be a Kubernetes object, even
// where it misspells that.
func isLikeObject(fields map[string]json.RawMessage) bool {
	for name := range fields {
		if slices.Contains([]string{"apiversion", "kind", "metadata", "spec"}, strings.ToLower(name)) {
			return true
		}
	}
	return false
}

// text returns the string that raw is, "" if it is none.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// fieldError is where the strict decoder says which field it is about.
var fieldError = regexp.MustCompile(`^(unknown|duplicate) field "(.*)"$`)

// decode decodes the document as the API server would with strict validation. The
// error joins one for each unknown or repeated field, with its line.
func (d document) decode(into any) error {
	strict, err := kjson.UnmarshalStrict(d.json, into)
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrongType):
		return d.errorf(wrongType.Field, "%s is %s, but has to be %s", wrongType.Field, wrongType.Value, jsonType(wrongType.Type.Kind()))
	case err != nil:
		return d.errorf("", "read %T: %w", into, err)
	}
	var errs []error
	for _, err := range strict {
		field := ""
		if m := fieldError.FindStringSubmatch(err.Error()); m != nil {
			field = m[2]
		}
		errs = append(errs, d.errorf(field, "%w", err))
	}
	return errors.Join(errs...)
}

// errorf returns an error about a field, with file and line.
func (d document) errorf(field, format string, args ...any) error {
	return fmt.Errorf("%s: %w", d.place(field), fmt.Errorf(format, args...))
}

// place returns the file and the line of a field such as spec.stages[0].from, or of
// its nearest parent that is there. The field "" is the document itself.
func (d document) place(field string) string {
	line := d.line
	n := d.tree
	for n != nil && field != "" {
		var step string
		step, field = cutStep(field)
		next, at := child(n, step)
		if n = next; n != nil {
			line = d.base + at
		}
	}
	return fmt.Sprintf("%s:%d", d.file, line)
}

// fieldStep is one step of the way to a field: a name or an index.
var fieldStep = regexp.MustCompile(`^(?:\.?([^.\[]+)|\[(\d+)\])`)

// cutStep returns the first step of field and what follows it.
func cutStep(field string) (step, rest string) {
	m := fieldStep.FindStringSubmatch(field)
	if m == nil {
		return field, ""
	}
	return m[1] + m[2], field[len(m[0]):]
}

// child returns what a step leads to and its line in the tree, nil if nothing is there.
func child(n *yaml.Node, step string) (*yaml.Node, int) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == step {
				return n.Content[i+1], n.Content[i].Line
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(step); err == nil && i < len(n.Content) {
			return n.Content[i], n.Content[i].Line
		}
	}
	return nil, 0
}

// jsonType returns what JSON calls values of a kind.
func jsonType(k reflect.Kind) string {
	switch k {
	case reflect.String, reflect.Bool:
		return k.String()
	case reflect.Slice, reflect.Array:
		return "list"
	case reflect.Struct, reflect.Map, reflect.Pointer:
		return "object"
	}
	return "number"
}
