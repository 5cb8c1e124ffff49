package resource_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	k8sjson "k8s.io/apimachinery/pkg/util/json"
	k8syaml "k8s.io/apimachinery/pkg/util/yaml"

	"github.com/lintel-policy/lintel/resource"
)

// kubectl reads a stream with the parts of which kubectl's resource builder is
// made: k8s.io/cli-runtime/pkg/resource StreamVisitor and FlattenListVisitor. It
// returns the objects before the first error, as kubectl would send them, and those
// that have items though their kind is no list, which it would not.
func kubectl(data []byte) (objects []any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("kubectl crashes")
		}
	}()
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	d := k8syaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	for {
		var ext runtime.RawExtension
		if err := d.Decode(&ext); errors.Is(err, io.EOF) {
			return objects, nil
		} else if err != nil {
			return objects, err
		}
		raw := bytes.TrimSpace(ext.Raw)
		if len(raw) == 0 || string(raw) == "null" {
			continue
		}
		obj, _, err := unstructured.UnstructuredJSONScheme.Decode(raw, nil, nil)
		if err != nil {
			return objects, err
		}
		for queue := []runtime.Object{obj}; len(queue) > 0; queue = queue[1:] {
			if !meta.IsListType(queue[0]) {
				if u := queue[0].(*unstructured.Unstructured); u.GetAPIVersion() == "" || u.GetKind() == "" {
					return objects, errors.New("no match for kind")
				}
				objects = append(objects, sent(queue[0]))
				continue
			}
			items, err := listItems(queue[0])
			if err != nil {
				return objects, err
			}
			if strings.HasSuffix(queue[0].GetObjectKind().GroupVersionKind().Kind, "List") {
				queue = append(queue, items...)
				continue
			}
			if _, top := queue[0].(*unstructured.UnstructuredList); top {
				objects = append(objects, decoded(raw)) // as it is, for others than kubectl
			} else {
				objects = append(objects, sent(queue[0]))
			}
			queue = append(queue, items...)
		}
	}
}

// listItems returns the items of a list. On a list in a list kubectl gives up;
// its items are read here all the same, so that none goes unjudged.
func listItems(list runtime.Object) (items []runtime.Object, err error) {
	if inner, ok := list.(*unstructured.Unstructured); ok {
		err = inner.EachListItem(func(o runtime.Object) error {
			items = append(items, o)
			return nil
		})
		return items, err
	}
	return meta.ExtractList(list)
}

// sent returns an object as the API server would decode what kubectl encodes.
func sent(obj runtime.Object) any {
	data, err := runtime.Encode(unstructured.UnstructuredJSONScheme, obj)
	if err != nil {
		panic(err)
	}
	return decoded(data)
}

func decoded(data []byte) any {
	var v any
	if err := k8sjson.Unmarshal(data, &v); err != nil {
		panic(err)
	}
	return v
}

// diffKubectl describes how reading data differs from what kubectl does, "" if
// it does not.
func diffKubectl(data []byte) string {
	want, refused := kubectl(data)
	res := resource.Read(bytes.NewReader(data), "f")
	if refused != nil {
		if len(res.Errors) == 0 {
			return "kubectl refuses this: " + refused.Error()
		}
		return ""
	}
	if len(res.Errors) > 0 {
		if why := stricter(res.Errors, len(want)); why != "" {
			return why
		}
		return ""
	}
	got := make([]any, len(res.Objects))
	for i, o := range res.Objects {
		got[i] = decoded(o.JSON)
	}
	if len(want) == 0 {
		want = []any{}
	}
	return cmp.Diff(byContent(want), byContent(got))
}

// byContent sorts objects, since kubectl sends nested lists after flat items.
func byContent(objects []any) []string {
	out := make([]string, len(objects))
	for i, o := range objects {
		data, err := json.Marshal(o)
		if err != nil {
			panic(err)
		}
		out[i] = string(data)
	}
	slices.Sort(out)
	return out
}

// stricter returns what is wrong with an error that kubectl does not have.
func stricter(errs []*resource.Error, objects int) string {
	for _, e := range errs {
		switch {
		case errors.Is(e, resource.ErrDuplicateKey), errors.Is(e, resource.ErrTrailing), errors.Is(e, resource.ErrNotKubernetes):
		case errors.Is(e, resource.ErrNoObjects) && objects == 0:
		default:
			return "kubectl accepts this: " + e.Error()
		}
	}
	return ""
}

var seeds = []string{
	"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n",
	"apiVersion: v1\nkind: Pod\n---\napiVersion: v1\nkind: Service\n",
	"--- # first\napiVersion: v1\nkind: Pod\n...\n---\n# nothing\n---\n\n",
	"apiVersion: v1\nkind: ConfigMap\ndata:\n  a: |\n    ---\n    x: y\n",
	"%YAML 1.1\n---\napiVersion: v1\nkind: Pod\n",
	"apiVersion: v1\r\nkind: Pod\r\nspec: \"a\r\n  b\"\r\n",
	"apiVersion: v1\nkind: Pod\nspec: \"a\r\r\n  b\"\r\n",
	"\xef\xbb\xbfapiVersion: v1\nkind: Pod\n",
	"apiVersion: v1\nkind: Pod\nx: &a {b: 1, c: 2}\ny: *a\nz:\n  b: 0\n  <<: *a\n  c: 3\n",
	"apiVersion: v1\nkind: Pod\nx: &a {b: 1}\nz:\n  <<: [*a, {b: 2, d: 3}]\n",
	"apiVersion: v1\nkind: Pod\nx: &a [*a]\n",
	"apiVersion: v1\nkind: X\nv: [on, No, y, 014, 0o14, 0x1F, 0b11, 1_000, 190:20:30, 1.0, 1e3, .5, 5., +1, -0, ~, null, 2001-01-01, .inf]\n",
	"apiVersion: v1\nkind: X\nv: [9007199254740993, 9223372036854775807, 9223372036854775808, 18446744073709551615, 18446744073709551616, 1e400, -1e21]\n",
	"apiVersion: v1\nkind: X\nv: {1: a, 1.5: b, true: c, on: d, 0x10: e}\n",
	"apiVersion: v1\nkind: X\nv: [!!str 1, !!int \"2\", !!float 3, !!bool yes, !!binary aGk=, ! 4, !Ref 5, &q ! 6, !!timestamp 2001-01-01]\n",
	"apiVersion: v1\nkind: X\n? a\n: b\n? [c]\n: d\n",
	"apiVersion: v1\nkind: X\na: 1\na: 2\n",
	"apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n- apiVersion: v1\n  kind: List\n  items:\n  - {apiVersion: v1, kind: Service}\n",
	"apiVersion: v1\nkind: PodList\nitems: [{metadata: {name: a}}, {apiVersion: v1, kind: Pod}]\n",
	"apiVersion: v1\nkind: PodList\nitems: null\n",
	"apiVersion: v1\nkind: PodList\nitems: {}\n",
	`{"apiVersion":"v1","kind":"Pod","n":1.0,"m":9007199254740993,"s":"\ud83d\ude00\u003c"}` + "\n" + `{"apiVersion":"v1","kind":"Service"}`,
	`{"apiVersion":"v1","kind":"Pod"}` + "\n---\n" + `{"apiVersion":"v1","kind":"Service"}`,
	`{"apiVersion":"v1","kind":"Pod"} {"apiVersion":"v1","kind":"Pod"}` + "\n---\nkind: a\n",
	`{"apiVersion":"v1","kind":"Pod",}`,
	`{apiVersion: v1, kind: Pod}`,
	`[{"apiVersion":"v1","kind":"Pod"}]`,
	"apiVersion: v1\nkind: Pod\n--- {a: b}\nc: d\n",
	"apiVersion: v1\nkind: Pod\n...\nmore: x\n",
	"apiVersion: v1\nkind: X\nk: a#b\nl: 'it''s'\nm: >-\n  x\n  y\n\n  z\nn: \"\\x41\\u00e9\\N\\_\"\n",
	"apiVersion: v1\nkind: X\na: # c\n  # d\n  - b # e\n\n  # f\n  - c\n# g\n",
	"apiVersion: v1\nkind: X\na: [1, # c\n 2 # d\n] # e\n",
}

// FuzzRead holds the reader to kubectl: the same objects with the same values,
// an error where kubectl has one, and none where kubectl has none but for the
// documented exceptions.
func FuzzRead(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 || !utf8.Valid(data) {
			t.Skip()
		}
		if diff := diffKubectl(data); diff != "" {
			t.Errorf("Read(%q): -kubectl, +got:\n%s", data, diff)
		}
	})
}

// FuzzDocument is FuzzRead for what is inside one object.
func FuzzDocument(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 || !utf8.Valid(data) {
			t.Skip()
		}
		object := append([]byte("apiVersion: v1\nkind: X\nbody:\n  "), bytes.ReplaceAll(data, []byte("\n"), []byte("\n  "))...)
		if diff := diffKubectl(object); diff != "" {
			t.Errorf("Read(%q): -kubectl, +got:\n%s", object, diff)
		}
	})
}

// FuzzBytes reads anything at all: every object is JSON that says what the object
// says, errors are single short lines, and defaults can be asked for.
func FuzzBytes(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Add([]byte("apiVersion: v1\nkind: Pod\nspec: {containers: [{image: \xff}]}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		res := resource.Read(bytes.NewReader(data), "f")
		for _, o := range res.Objects {
			got, ok := decoded(o.JSON).(map[string]any)
			if !ok || got["kind"] != o.Kind || got["apiVersion"] != o.APIVersion {
				t.Errorf("Read(%q): %s %s is %s", data, o.APIVersion, o.Kind, o.JSON)
			}
			lines := bytes.Count(data, []byte("\n")) + bytes.Count(data, []byte("\r")) + 1
			if o.Line < 1 || o.Line > lines+bytes.Count(data, []byte("\xc2\x85"))+bytes.Count(data, []byte("\xe2\x80")) {
				t.Errorf("Read(%q): an object on line %d", data, o.Line)
			}
			if d, _, err := resource.Default(o); err == nil && !json.Valid(d.JSON) {
				t.Errorf("Default(%s): %s", o.JSON, d.JSON)
			}
		}
		for _, e := range res.Errors {
			if text := e.Error(); len(text) > 1200 || strings.ContainsAny(text, "\n\r\x1b") {
				t.Errorf("Read(%q): error %q", data, text)
			}
		}
	})
}
