package splice_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"

	"github.com/lintel-policy/lintel/resource"
	"github.com/lintel-policy/lintel/splice"
)

// head and tail make objects of what the cases write.
const head = "apiVersion: v1\nkind: ConfigMap\n"

// changed returns file with the patch, as JSON, made to each of its objects.
func changed(t *testing.T, file, patch string) (string, error) {
	t.Helper()
	read := resource.Read(strings.NewReader(file), "f")
	if len(read.Errors) > 0 {
		t.Fatalf("read what is to be changed: %v", read.Errors[0])
	}
	var ops []splice.Operation
	if err := json.Unmarshal([]byte(patch), &ops); err != nil {
		t.Fatal(err)
	}
	var changes []splice.Change
	for _, o := range read.Objects {
		changes = append(changes, splice.Change{Line: o.Line, Object: o.JSON, Patch: ops})
	}
	out, errs := splice.Apply([]byte(file), changes)
	if err := errors.Join(errs...); err != nil {
		return string(out), err
	}
	after := resource.Read(bytes.NewReader(out), "f")
	if len(after.Errors) > 0 {
		t.Fatalf("read what was made: %v\n%s", after.Errors[0], out)
	}
	for i, o := range read.Objects {
		if diff := cmp.Diff(jsonOf(t, patchedBy(t, o.JSON, patch)), jsonOf(t, after.Objects[i].JSON)); diff != "" {
			t.Errorf("object %d: -want, +got:\n%s", i, diff)
		}
	}
	return string(out), nil
}

func patchedBy(t *testing.T, object []byte, patch string) []byte {
	t.Helper()
	p, err := jsonpatch.DecodePatch([]byte(patch))
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Apply(object)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func jsonOf(t *testing.T, data []byte) any {
	t.Helper()
	var v any
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestApply(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		file   string
		patch  string
		want   string // after head, as file
	}{
		"AddKey": {
			reason: "A key goes to the end of its block, in front of the comment on what follows.",
			file:   "metadata:\n  labels:\n    a: b # why\n\n  # the name\n  name: x\n",
			patch:  `[{"op": "add", "path": "/metadata/labels/team", "value": "shop"}]`,
			want:   "metadata:\n  labels:\n    a: b # why\n    team: shop\n\n  # the name\n  name: x\n",
		},
		"AddAtEnd": {
			reason: "A file without a line break at its end has none afterwards.",
			file:   "metadata:\n  labels:\n    a: b",
			patch:  `[{"op": "add", "path": "/metadata/labels/team", "value": "shop"}]`,
			want:   "metadata:\n  labels:\n    a: b\n    team: shop",
		},
		"AddAfterEndMark": {
			reason: "The mark of a document's end stays behind what is added.",
			file:   "metadata:\n  name: b\n# bye\n...\n",
			patch:  `[{"op": "add", "path": "/metadata/labels", "value": {"team": "shop"}}]`,
			want:   "metadata:\n  name: b\n  labels:\n    team: shop\n# bye\n...\n",
		},
		"IndentOfFour": {
			reason: "What is added is indented as the file is.",
			file:   "metadata:\n    name: x\n",
			patch:  `[{"op": "add", "path": "/metadata/labels", "value": {"team": "shop"}}]`,
			want:   "metadata:\n    name: x\n    labels:\n        team: shop\n",
		},
		"DashesIndented": {
			reason: "Lists are indented as those beside them.",
			file:   "metadata:\n  finalizers:\n    - a\n  name: x\n",
			patch:  `[{"op": "add", "path": "/metadata/list", "value": [{"b": [1], "name": "x"}, []]}]`,
			want:   "metadata:\n  finalizers:\n    - a\n  name: x\n  list:\n    - name: x\n      b:\n        - 1\n    - []\n",
		},
		"DashesNotIndented": {
			reason: "Lists are indented as those beside them.",
			file:   "metadata:\n  finalizers:\n  - a # it\n  name: x\n",
			patch:  `[{"op": "add", "path": "/metadata/finalizers/-", "value": {"b": [1], "c": {"d": null}}}]`,
			want:   "metadata:\n  finalizers:\n  - a # it\n  - b:\n    - 1\n    c:\n      d: null\n  name: x\n",
		},
		"InsertItem": {
			reason: "A comment above an item stays with it.",
			file:   "metadata:\n  finalizers:\n  # one\n  - a\n  # two\n  - b\n",
			patch:  `[{"op": "add", "path": "/metadata/finalizers/1", "value": "k"}, {"op": "add", "path": "/metadata/finalizers/0", "value": "m"}]`,
			want:   "metadata:\n  finalizers:\n  - m\n  # one\n  - a\n  - k\n  # two\n  - b\n",
		},
		"FillNull": {
			reason: "A key with nothing behind it is filled below it, and keeps its comment.",
			file:   "metadata:\n  labels: # none\n  annotations: ~ # none\n  name: x\n",
			patch:  `[{"op": "replace", "path": "/metadata/labels", "value": {"a": "b"}}, {"op": "replace", "path": "/metadata/annotations", "value": {"a": "b"}}]`,
			want:   "metadata:\n  labels: # none\n    a: b\n  annotations: # none\n    a: b\n  name: x\n",
		},
		"FillEmpty": {
			reason: "Empty brackets become lines.",
			file:   "metadata:\n  labels: {} # none\n  finalizers: []\n  name: x\n",
			patch:  `[{"op": "add", "path": "/metadata/labels/a", "value": "b"}, {"op": "add", "path": "/metadata/finalizers/-", "value": "b"}]`,
			want:   "metadata:\n  labels: # none\n    a: b\n  finalizers:\n  - b\n  name: x\n",
		},
		"Flow": {
			reason: "What stands in brackets is added in brackets.",
			file:   "metadata: {name: x, labels: {\"a\": 'it''s'}, finalizers: [a, b,], e: {}}\n",
			patch: `[{"op": "add", "path": "/metadata/labels/c d", "value": "{}"}, {"op": "add", "path": "/metadata/finalizers/-", "value": "on"},
				{"op": "add", "path": "/metadata/finalizers/0", "value": "z"}, {"op": "add", "path": "/metadata/e/f", "value": {"g": [1, "h"]}}, {"op": "replace", "path": "/metadata/name", "value": "y z"}]`,
			want: "metadata: {name: y z, labels: {\"a\": 'it''s', \"c d\": \"{}\"}, finalizers: [z, a, b, \"on\",], e: {f: {g: [1, h]}}}\n",
		},
		"FlowLines": {
			reason: "Brackets over several lines get another line, behind comments.",
			file:   "metadata: {\n  name: x, # n\n  labels: {a: b} # l\n  }\nx: [\n\ta,\n\tb,\n]\n",
			patch:  `[{"op": "add", "path": "/metadata/uid", "value": "u"}, {"op": "add", "path": "/x/-", "value": "c"}]`,
			want:   "metadata: {\n  name: x, # n\n  labels: {a: b}, # l\n  uid: u\n  }\nx: [\n\ta,\n\tb,\n\tc,\n]\n",
		},
		"Quotes": {
			reason: "What would be read as something else is quoted.",
			file:   "data:\n  a: b\n",
			patch: `[{"op": "add", "path": "/data/true", "value": "true"}, {"op": "add", "path": "/data/1", "value": "1"}, {"op": "add", "path": "/data/c", "value": "null"},
				{"op": "add", "path": "/data/d", "value": "a: b"}, {"op": "add", "path": "/data/e", "value": "a #b"}, {"op": "add", "path": "/data/f", "value": ""},
				{"op": "add", "path": "/data/g", "value": "1:30"}, {"op": "add", "path": "/data/h", "value": "nginx:1.29"}, {"op": "add", "path": "/data/i", "value": "a\nb\u0007\u0085\u2028é\"\\"},
				{"op": "add", "path": "/data/example.com~1x", "value": "0x1f"}, {"op": "add", "path": "/data/j", "value": "2001-01-01"}, {"op": "add", "path": "/data/k", "value": "100m"},
				{"op": "add", "path": "/data/l", "value": " a"}, {"op": "add", "path": "/data/m", "value": "---"}, {"op": "add", "path": "/data/n", "value": "*x"}, {"op": "add", "path": "/data/o", "value": "é"}]`,
			want: "data:\n  a: b\n  \"true\": \"true\"\n  \"1\": \"1\"\n  c: \"null\"\n  d: \"a: b\"\n  e: \"a #b\"\n  f: \"\"\n  g: \"1:30\"\n  h: nginx:1.29\n  i: \"a\\nb\\u0007\\u0085\\u2028é\\\"\\\\\"\n" +
				"  example.com/x: \"0x1f\"\n  j: \"2001-01-01\"\n  k: 100m\n  l: \" a\"\n  m: \"---\"\n  \"n\": \"*x\"\n  o: \"é\"\n",
		},
		"ReplaceScalars": {
			reason: "A value is replaced in its quotes, and its comment stays.",
			file:   "data:\n  a: \"x\" # a\n  b: 'x'\n  c: x # c\n  d: long\n    words # d\n  e: !!str 5\n  f: \"l\n    m\"\n  g:\n",
			patch: `[{"op": "replace", "path": "/data/a", "value": "1"}, {"op": "replace", "path": "/data/b", "value": "it's"}, {"op": "replace", "path": "/data/c", "value": 5},
				{"op": "replace", "path": "/data/d", "value": "w"}, {"op": "replace", "path": "/data/e", "value": "w"}, {"op": "replace", "path": "/data/f", "value": "w"}, {"op": "replace", "path": "/data/g", "value": {}}]`,
			want: "data:\n  a: \"1\" # a\n  b: 'it''s'\n  c: 5 # c\n  d: w # d\n  e: w\n  f: \"w\"\n  g: {}\n",
		},
		"Literals": {
			reason: "A literal ends where its indentation does, or with the empty lines that it keeps.",
			file:   "data:\n  a: | # a\n    x\n\n      y\n\n  # b\n  b: >2-\n      x\n    y\n  c: |+\n    x\n\n\nmetadata:\n  name: x\n",
			patch: `[{"op": "replace", "path": "/data/a", "value": "w"}, {"op": "add", "path": "/data/d", "value": "w"},
				{"op": "replace", "path": "/data/b", "value": {"z": "w"}}]`,
			want: "data:\n  a: w # a\n\n  # b\n  b:\n    z: w\n  c: |+\n    x\n\n\n  d: w\nmetadata:\n  name: x\n",
		},
		"AddAfterLiteral": {
			reason: "A literal at the end of a block does not swallow what is added.",
			file:   "data:\n  b: |\n    x\n\n\n# m\nmetadata:\n  name: >-\n   x\n   y",
			patch:  `[{"op": "add", "path": "/data/d", "value": "w"}, {"op": "add", "path": "/metadata/d", "value": "w"}]`,
			want:   "data:\n  b: |\n    x\n  d: w\n\n\n# m\nmetadata:\n  name: >-\n   x\n   y\n  d: w",
		},
		"Remove": {
			reason: "A field goes with its comments, what is beside it stays.",
			file:   "data:\n  # of all\n\n  # of a\n  a: b # of a, too\n  # of c\n  c: d\n  e:\n  - f # of f\n  - g: h\n    i: j\n  - k: l\n  # the end\n",
			patch:  `[{"op": "remove", "path": "/data/a"}, {"op": "remove", "path": "/data/e/1/g"}, {"op": "remove", "path": "/data/e/2/k"}, {"op": "remove", "path": "/data/e/0"}]`,
			want:   "data:\n  # of all\n\n  # of c\n  c: d\n  e:\n  - i: j\n  - {}\n  # the end\n",
		},
		"RemoveFlow": {
			reason: "A comma goes with what is taken out.",
			file:   "data: {a: b, c: {d: e}, f: [g, h, i]}\n",
			patch:  `[{"op": "remove", "path": "/data/a"}, {"op": "remove", "path": "/data/c/d"}, {"op": "remove", "path": "/data/f/2"}, {"op": "remove", "path": "/data/f/0"}]`,
			want:   "data: {c: {}, f: [h]}\n",
		},
		"RemoveLast": {
			reason: "A container of which nothing is left stays, as it does in the object.",
			file:   "data: # d\n  # a\n  a: b\nmetadata:\n  name: x\n  finalizers:\n  - a\n",
			patch:  `[{"op": "remove", "path": "/data/a"}, {"op": "remove", "path": "/metadata/finalizers/0"}]`,
			want:   "data: {} # d\nmetadata:\n  name: x\n  finalizers: []\n",
		},
		"ReplaceContainers": {
			reason: "Lines are replaced by what fits behind the key, and the other way around.",
			file:   "data:\n  a: # a\n    b: c\n  d: e # d\n  f:\n  - g\n  h: [i]\n  j: {k: l} # j\n",
			patch: `[{"op": "replace", "path": "/data/a", "value": "x"}, {"op": "replace", "path": "/data/d", "value": {"x": "w"}}, {"op": "replace", "path": "/data/f", "value": {"x": "w"}},
				{"op": "replace", "path": "/data/h", "value": {"x": "w"}}, {"op": "replace", "path": "/data/j", "value": [1]}]`,
			want: "data:\n  a: x # a\n  d: # d\n    x: w\n  f:\n    x: w\n  h:\n    x: w\n  j: # j\n  - 1\n",
		},
		"Items": {
			reason: "Items are replaced behind their dashes.",
			file:   "data:\n- a # a\n-\n- b: c\n  d: e # d\n- - f\n-   g\n- |\n  h\n",
			patch: `[{"op": "replace", "path": "/data/0", "value": {"x": "w", "z": [1]}}, {"op": "replace", "path": "/data/1", "value": "x"}, {"op": "replace", "path": "/data/2", "value": "x"},
				{"op": "replace", "path": "/data/3/0", "value": "x"}, {"op": "replace", "path": "/data/4", "value": "x"}, {"op": "replace", "path": "/data/5", "value": [1, 2]}, {"op": "add", "path": "/data/3/-", "value": [[1], {"x": "w"}]}]`,
			want: "data:\n- x: w\n  z:\n  - 1 # a\n- x\n- x # d\n- - x\n  - - - 1\n    - x: w\n-   x\n- - 1\n  - 2\n",
		},
		"Keys": {
			reason: "Keys are found in quotes, with anchors and tags, and with spaces before the colon.",
			file:   "data:\n  \"a b\" : {\"c\": d}\n  'e': 1\n  &f f: 1\n  !!str g: 1\n",
			patch: `[{"op": "add", "path": "/data/a b/x", "value": 1}, {"op": "replace", "path": "/data/e", "value": 2}, {"op": "replace", "path": "/data/f", "value": [2]},
				{"op": "replace", "path": "/data/g", "value": {"x": null}}]`,
			want: "data:\n  \"a b\" : {\"c\": d, \"x\": 1}\n  'e': 2\n  &f f:\n  - 2\n  !!str g:\n    x: null\n",
		},
		"WordsAsKeys": {
			reason: "A key is what kubectl makes of it.",
			file:   "data:\n  on: 1\n  0x1: 1\n  \"yes\": 1\n",
			patch:  `[{"op": "replace", "path": "/data/true", "value": 2}, {"op": "replace", "path": "/data/1", "value": 2}, {"op": "replace", "path": "/data/yes", "value": 2}]`,
			want:   "data:\n  on: 2\n  0x1: 2\n  \"yes\": 2\n",
		},
		"AliasAsKey": {
			reason: "A key may be an alias.",
			file:   "x: &x a\ndata:\n  *x : 1\n",
			patch:  `[{"op": "replace", "path": "/data/a", "value": 2}]`,
			want:   "x: &x a\ndata:\n  *x : 2\n",
		},
		"Merge": {
			reason: "What is merged in can be overridden, and what is beside it changed.",
			file:   "base: &base\n  a: 1\ndata:\n  <<: *base\n  b: 2\nother: *base\nunused: &u {a: b}\n",
			patch: `[{"op": "replace", "path": "/data/a", "value": 2}, {"op": "add", "path": "/data/c", "value": 3}, {"op": "replace", "path": "/other", "value": 4},
				{"op": "add", "path": "/unused/c", "value": 3}]`,
			want: "base: &base\n  a: 1\ndata:\n  <<: *base\n  b: 2\n  a: 2\n  c: 3\nother: 4\nunused: &u {a: b, c: 3}\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			for what, convert := range map[string]func(string) string{
				"LF":   func(s string) string { return s },
				"CRLF": func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") },
				"BOM":  func(s string) string { return "\ufeff" + s },
			} {
				got, err := changed(t, convert(head+tc.file), tc.patch)
				if err != nil {
					t.Errorf("%s: %s\nApply(...): %v", what, tc.reason, err)
					continue
				}
				if diff := cmp.Diff(convert(head+tc.want), got); diff != "" {
					t.Errorf("%s: %s\nApply(...): -want, +got:\n%s", what, tc.reason, diff)
				}
			}
		})
	}
}
