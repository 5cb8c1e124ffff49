package resource_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/lintel-policy/lintel/resource"
)

// seen is what a test expects of one object.
type seen struct {
	Kind, Name string
	Line       int
}

func objects(r resource.Result) []seen {
	var out []seen
	for _, o := range r.Objects {
		out = append(out, seen{o.Kind, o.Name, o.Line})
	}
	return out
}

func texts(r resource.Result) []string {
	var out []string
	for _, e := range r.Errors {
		out = append(out, e.Error())
	}
	return out
}

func TestRead(t *testing.T) {
	pod := func(name string) string { return "apiVersion: v1\nkind: Pod\nmetadata: {name: " + name + "}\n" }
	js := func(name string) string {
		return `{"apiVersion": "v1", "kind": "Pod",` + "\n" + ` "metadata": {"name": "` + name + `"}}`
	}
	const separator = `read YAML: a line that begins with "---" separates documents; only a comment may follow on it`
	cases := map[string]struct {
		reason string
		in     string
		want   []seen
		errs   []string
	}{
		"Documents": {
			reason: "Each document is an object, with the line it begins on.",
			in:     pod("a") + "---\n" + pod("b") + "--- # more\n\n# a comment\n" + pod("c"),
			want:   []seen{{"Pod", "a", 1}, {"Pod", "b", 5}, {"Pod", "c", 11}},
		},
		"EmptyDocuments": {
			reason: "Empty documents and those of comments are nothing, not errors.",
			in:     "---\n---\n# nothing\n---\nnull\n---\n" + pod("a") + "...\n---\n---\n",
			want:   []seen{{"Pod", "a", 7}},
		},
		"SeparatorInString": {
			reason: "An indented --- belongs to the string it is in.",
			in:     "apiVersion: v1\nkind: ConfigMap\ndata:\n  a: |\n    x\n    ---\n    y\n---\n" + pod("b"),
			want:   []seen{{"ConfigMap", "", 1}, {"Pod", "b", 9}},
		},
		"Directive": {
			reason: "kubectl cuts the directive off its document and refuses it; the object behind it is read.",
			in:     "%YAML 1.1\n---\n" + pod("a"),
			want:   []seen{{"Pod", "a", 3}},
			errs:   []string{"f:2: read YAML: did not find expected <document start>"},
		},
		"ByteOrderMark": {
			reason: "A mark at the start does not count.",
			in:     "\xef\xbb\xbf" + pod("a"),
			want:   []seen{{"Pod", "a", 1}},
		},
		"UTF16": {
			reason: "UTF-16 is refused in words that say what to do.",
			in:     "\xff\xfea\x00",
			errs:   []string{"f: is UTF-16: save it as UTF-8"},
		},
		"CarriageReturns": {
			reason: "Lines may end as on Windows.",
			in:     strings.ReplaceAll(pod("a")+"---\n"+pod("b"), "\n", "\r\n"),
			want:   []seen{{"Pod", "a", 1}, {"Pod", "b", 5}},
		},
		"JSON": {
			reason: "JSON values may follow each other without anything between.",
			in:     "\n" + js("a") + js("b") + "\n\n" + js("c") + "\n",
			want:   []seen{{"Pod", "a", 2}, {"Pod", "b", 3}, {"Pod", "c", 6}},
		},
		"JSONThenYAML": {
			reason: "After one JSON value, YAML documents may follow.",
			in:     js("a") + "\n---\n" + pod("b"),
			want:   []seen{{"Pod", "a", 1}, {"Pod", "b", 4}},
		},
		"JSONBroken": {
			reason: "Broken JSON is told of as JSON, on the line of the mistake.",
			in:     "{\"apiVersion\": \"v1\",\n \"kind\" \"hunter2\"}\n",
			errs:   []string{"f:2: read JSON: syntax error"},
		},
		"JSONArray": {
			reason: "kubectl does not take an array.",
			in:     "[" + js("a") + "]",
			errs:   []string{"f:1: is no Kubernetes object: apiVersion or kind is missing"},
		},
		"List": {
			reason: "Each item of a list, and of a list in it, is an object with a line of its own.",
			in: "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: a}\n" +
				"- apiVersion: v1\n  kind: List\n  items:\n  - apiVersion: v1\n    kind: Pod\n    metadata: {name: b}\n- apiVersion: v1\n  kind: Pod\n",
			want: []seen{{"Pod", "a", 4}, {"Pod", "b", 10}, {"Pod", "", 13}},
		},
		"TypedList": {
			reason: "Items of a typed list need not say what they are.",
			in:     "apiVersion: apps/v1\nkind: DeploymentList\nitems:\n- metadata: {name: a}\n- apiVersion: v1\n  kind: Pod\n",
			want:   []seen{{"Deployment", "a", 4}, {"Pod", "", 5}},
		},
		"BadItem": {
			reason: "A bad item does not hide the good ones.",
			in:     "apiVersion: v1\nkind: List\nitems:\n- kind: Pod\n- 7\n- apiVersion: v1\n  kind: Pod\n",
			want:   []seen{{"Pod", "", 6}},
			errs: []string{
				"f:4: item of a list is no Kubernetes object: apiVersion or kind is missing",
				"f:5: item of a list is no Kubernetes object: apiVersion or kind is missing",
			},
		},
		"ItemsOfNone": {
			reason: "An object is judged although it has items: Argo CD and the API server take it for what its kind says.",
			in: "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nitems: null\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: b}\nitems: []\n" +
				"---\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: c}\n  items: [{apiVersion: v1, kind: Secret, metadata: {name: d}}]\n",
			want: []seen{{"Pod", "a", 1}, {"Pod", "b", 6}, {"Pod", "c", 14}, {"Secret", "d", 17}},
		},
		"NoList": {
			reason: "items that are no list are an error.",
			in:     "apiVersion: v1\nkind: List\nitems: hunter2\n",
			errs:   []string{"f:3: items is no list"},
		},
		"OneBad": {
			reason: "A document that cannot be read is one error, and the others are read.",
			in:     pod("a") + "---\na: b: hunter2\n---\n" + pod("c"),
			want:   []seen{{"Pod", "a", 1}, {"Pod", "c", 7}},
			errs:   []string{"f:5: read YAML: mapping values are not allowed in this context"},
		},
		"LineOfMistake": {
			reason: "The line is the one on which the parser stopped, not that on which the object began.",
			in:     pod("a") + "spec:\n  a: 1\n b: 2\n",
			errs:   []string{"f:6: read YAML: did not find expected key"},
		},
		"InlineDocument": {
			reason: "What stands behind --- is refused, as kubectl does it; the document before it is read.",
			in:     pod("a") + "--- {a: b}\n",
			want:   []seen{{"Pod", "a", 1}},
			errs:   []string{"f:4: " + separator},
		},
		"Trailing": {
			reason: "kubectl would ignore what follows the end of a document.",
			in:     pod("a") + "...\n" + pod("b"),
			errs:   []string{"f:7: " + resource.ErrTrailing.Error()},
		},
		"DuplicateKey": {
			reason: "A key that is there twice is named, with the line of the second.",
			in:     pod("a") + "spec:\n  hostPID: true\n  hostPID: false\n",
			errs:   []string{`f:6: key "hostPID" is there twice in one object`},
		},
		"DuplicateKeyJSON": {
			reason: "In JSON too.",
			in:     "{\"apiVersion\": \"v1\", \"kind\": \"Pod\",\n\"a\": 1,\n\"\\u0061\": 2}",
			errs:   []string{`f:3: key "a" is there twice in one object`},
		},
		"KeysThatBecomeEqual": {
			reason: "Keys are compared as they are in JSON, where all are strings.",
			in:     pod("a") + "data: {1: a, '1': b}\n",
			errs:   []string{`f:4: key "1" is there twice in one object`},
		},
		"OtherCase": {
			reason: "Keys that differ in case are two keys.",
			in:     pod("a") + "Kind: x\n",
			want:   []seen{{"Pod", "a", 1}},
		},
		"UnknownAnchor": {
			reason: "The name of an alias may be a password with a star in front.",
			in:     pod("a") + "password: *hunter2\n",
			errs:   []string{"f:1: read YAML: alias to an anchor that is not there"},
		},
		"WrongTag": {
			reason: "The value that does not fit its tag is not shown.",
			in:     pod("a") + "\npassword: !!int hunter2\n",
			errs:   []string{"f:5: value does not fit its tag !!int"},
		},
		"Cycle": {
			reason: "An anchor cannot contain itself.",
			in:     pod("a") + "a: &a [*a]\n",
			errs:   []string{"f:4: read YAML: an anchor contains itself"},
		},
		"Infinity": {
			reason: "JSON has no infinity.",
			in:     pod("a") + "a: [1, .inf]\n",
			errs:   []string{"f:4: infinity and NaN are no numbers in JSON"},
		},
		"Control": {
			reason: "A control character is found by its line.",
			in:     pod("a") + "a: b\x07\n",
			errs:   []string{"f:4: read YAML: control characters are not allowed"},
		},
		"Nothing": {
			reason: "A file that was named must hold something.",
			in:     "# nothing\n",
			errs:   []string{"f: holds no Kubernetes object"},
		},
		"NoKubernetes": {
			reason: "What is no Kubernetes object is an error in a file that was named.",
			in:     pod("a") + "---\n\nname: ci\non: push\n",
			want:   []seen{{"Pod", "a", 1}},
			errs:   []string{"f:6: is no Kubernetes object: apiVersion or kind is missing"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := resource.Read(strings.NewReader(tc.in), "f")
			if diff := cmp.Diff(tc.want, objects(got)); diff != "" {
				t.Errorf("%s\nRead(...) objects: -want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.errs, texts(got)); diff != "" {
				t.Errorf("%s\nRead(...) errors: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestValues(t *testing.T) {
	cases := map[string]struct{ reason, in, want string }{
		"Booleans":    {"YAML 1.1 has many.", "[on, No, y, OFF, 'on', TRUE, oN]", `[true,false,true,false,"on",true,"oN"]`},
		"Integers":    {"Octal, hexadecimal, binary, underscores.", "[014, 0x1F, 0b11, 1_000, +1, -0]", `[12,31,3,1000,1,0]`},
		"Sexagesimal": {"kubectl's library leaves these alone.", "[190:20:30, 1:30]", `["190:20:30","1:30"]`},
		"Floats":      {"A whole float becomes an integer.", "[1.0, 1e3, .5, 5., 1e400]", `[1,1000,0.5,5,"1e400"]`},
		"BigIntegers": {
			"64 bits keep their digits, more become floats.",
			"[9007199254740993, 9223372036854775807, 9223372036854775808]", "[9007199254740993,9223372036854775807,9223372036854776000]",
		},
		"Null":    {"Null in all its spellings stays.", "[~, null, '', ]", `[null,null,""]`},
		"Dates":   {"Dates are strings.", "[2001-01-01, 2001-12-14t21:59:43.10-05:00]", `["2001-01-01","2001-12-14t21:59:43.10-05:00"]`},
		"Tags":    {"Tags decide.", "[!!str 1, !!float 3, !!binary aGk=, ! 4, !Ref 5]", `["1",3,"hi","4","5"]`},
		"Keys":    {"Keys become strings.", "{1: a, 1.5: b, on: c, 0x10: d}", `{"1":"a","1.5":"b","true":"c","16":"d"}`},
		"Strings": {"Strings are escaped for JSON.", `"a\"\\\n\t\e\u2028é"`, `"a\"\\\n\t\u001b` + "\u2028é\""},
		"Merge": {
			"What comes later wins, as in kubectl's library, the first of a list too.",
			"{x: &a {b: 1, c: 2}, w: &d {c: 9, e: 9}, z: {b: 0, <<: [*a, *d], c: 3}}",
			`{"x":{"b":1,"c":2},"w":{"c":9,"e":9},"z":{"b":1,"c":3,"e":9}}`,
		},
		"Case": {"No key is folded.", "{containers: 1, Containers: 2}", `{"containers":1,"Containers":2}`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := resource.Read(strings.NewReader("apiVersion: v1\nkind: X\nv: "+tc.in+"\n"), "f")
			if len(got.Objects) != 1 {
				t.Fatalf("%s\nRead(...): %v", tc.reason, texts(got))
			}
			want := `{"apiVersion":"v1","kind":"X","v":` + tc.want + `}`
			if diff := cmp.Diff(want, string(got.Objects[0].JSON)); diff != "" {
				t.Errorf("%s\nRead(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestLineOf(t *testing.T) {
	const in = `# a comment
apiVersion: v1
kind: Pod
spec:
  shared: &shared
    name: X
    value: y
  containers:
  - name: web
    env:
      - *shared
      -
        <<: *shared
        value: z
  # more
  - {name: b,
     image: c}
  "a.b/c": "two
    lines"
  last: |
    x
`
	got := resource.Read(strings.NewReader(in), "f")
	if len(got.Objects) != 1 {
		t.Fatalf("Read(...): %v", texts(got))
	}
	cases := map[string]struct {
		reason string
		path   []any
		want   int
	}{
		"Root":      {"The object begins after the comment.", nil, 2},
		"Field":     {"A field stands where its key does.", []any{"spec"}, 4},
		"List":      {"A list does too.", []any{"spec", "containers"}, 8},
		"Item":      {"An item stands where it begins.", []any{"spec", "containers", 0}, 9},
		"Missing":   {"What is missing has the line of the nearest ancestor.", []any{"spec", "containers", 0, "livenessProbe", "exec"}, 9},
		"Beyond":    {"An index too many has the line of the list.", []any{"spec", "containers", 7}, 8},
		"WrongStep": {"A key is no index.", []any{"spec", "containers", "0"}, 8},
		"Negative":  {"Nor is there an item before the first.", []any{"spec", "containers", -1}, 8},
		"Alias":     {"An alias stands where it is used.", []any{"spec", "containers", 0, "env", 0}, 11},
		"InAlias":   {"What is in it stands where it is written.", []any{"spec", "containers", 0, "env", 0, "value"}, 7},
		"Merged":    {"A merged field stands where it is written.", []any{"spec", "containers", 0, "env", 1, "name"}, 6},
		"Replaced":  {"One that replaces it has its own line.", []any{"spec", "containers", 0, "env", 1, "value"}, 14},
		"Flow":      {"Flow style has lines too.", []any{"spec", "containers", 1, "image"}, 17},
		"Quoted":    {"Keys are compared as they are.", []any{"spec", "a.b/c"}, 18},
		"Last":      {"A block string stands where its key does.", []any{"spec", "last"}, 20},
		"BadStep":   {"Other types are no steps.", []any{"spec", 1.5}, 4},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if line := got.Objects[0].LineOf(tc.path); line != tc.want {
				t.Errorf("%s\nLineOf(%v): want %d, got %d", tc.reason, tc.path, tc.want, line)
			}
		})
	}
}

func TestLineOfJSON(t *testing.T) {
	const in = "{\"apiVersion\": \"v1\", \"kind\": \"Pod\"}\n\n{\n\"apiVersion\": \"v1\", \"kind\": \"Pod\",\n\"spec\":\n [1,\n  {\"a\\n\": \"\\\"\",\n   \"é\": 1}]}"
	got := resource.Read(strings.NewReader(in), "f")
	if len(got.Objects) != 2 {
		t.Fatalf("Read(...): %v", texts(got))
	}
	for want, path := range map[int][]any{3: nil, 4: {"kind"}, 5: {"spec"}, 6: {"spec", 0}, 7: {"spec", 1, "a\n"}, 8: {"spec", 1, "é"}} {
		if line := got.Objects[1].LineOf(path); line != want {
			t.Errorf("LineOf(%v): want %d, got %d", path, want, line)
		}
	}
}

func TestNew(t *testing.T) {
	o, err := resource.New([]byte(`{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "b"}}`), "main.tf", 7)
	if err != nil {
		t.Fatalf("New(...): %v", err)
	}
	if got := fmt.Sprintf("%s %s/%s %s:%d %d", o.Kind, o.Namespace, o.Name, o.File, o.Line, o.LineOf([]any{"metadata"})); got != "Pod b/a main.tf:7 7" {
		t.Errorf("New(...): got %s", got)
	}
	for in, want := range map[string]string{
		`{"kind": "Pod"}`: "main.tf:7: is no Kubernetes object: apiVersion or kind is missing",
		`{"kind": }`:      "main.tf:7: read JSON: syntax error",
		``:                "main.tf:7: read JSON: syntax error",
	} {
		if _, err := resource.New([]byte(in), "main.tf", 7); err == nil || err.Error() != want {
			t.Errorf("New(%s): want error %q, got %v", in, want, err)
		}
	}
}

// hostile is input that would take for ever, or all memory, in a reader without limits.
func hostile() map[string]struct{ reason, in, want string } {
	object := "apiVersion: v1\nkind: X\na: "
	bomb := func(levels, width int) string {
		var b strings.Builder
		b.WriteString("apiVersion: v1\nkind: X\na0: &a0 [lol,lol,lol]\n")
		for i := 1; i < levels; i++ {
			alias := fmt.Sprintf("*a%d,", i-1)
			fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(alias, width), ","))
		}
		return b.String()
	}
	tower := func(anchors, depth int) string {
		var b strings.Builder
		b.WriteString("apiVersion: v1\nkind: X\na0: &a0 x\n")
		for i := 1; i < anchors; i++ {
			fmt.Fprintf(&b, "a%d: &a%d %s*a%d%s\n", i, i, strings.Repeat("[", depth), i-1, strings.Repeat("]", depth))
		}
		return b.String()
	}
	return map[string]struct{ reason, in, want string }{
		"Laughs":      {"Aliases of aliases.", bomb(12, 10), "excessive aliasing"},
		"LongAliases": {"Few aliases of much text.", object + "&x " + strings.Repeat("y", 1<<20) + "\nb: [" + strings.Repeat("*x,", 500) + "]\n", "once its aliases are expanded"},
		"Tower":       {"Depth through aliases.", tower(6, 4000), "nests deeper"},
		"DeepFlow":    {"Nesting in flow style.", object + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000), "exceeded max depth"},
		"DeepBlock":   {"Nesting in block style.", object + "\n  " + strings.Repeat("- ", 100_000) + "x\n", "exceeded max depth"},
		"DeepJSON":    {"Nesting in JSON.", `{"apiVersion":"v1","kind":"X","a":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "}", "exceeded max depth"},
		"LargeYAML":   {"A document that would take too much memory.", object + strings.Repeat("x", 8<<20), "f:1: is larger than 8 MiB in one YAML document"},
		"Documents":   {"Documents without end.", strings.Repeat("---\n", 200_010), "has more than 100000 documents"},
		"Values":      {"JSON without end.", "{\"apiVersion\":\"v1\",\"kind\":\"X\"}" + strings.Repeat("null ", 100_001), "has more than 100000 documents"},
		"Large":       {"More than the limit.", object + strings.Repeat("x", resource.MaxFile), "is larger than 16 MiB"},
	}
}

func TestHostile(t *testing.T) {
	for name, tc := range hostile() {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			got := resource.Read(strings.NewReader(tc.in), "f")
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("%s\nRead(...) took %v", tc.reason, took)
			}
			if len(got.Errors) != 1 || !strings.Contains(got.Errors[0].Error(), tc.want) {
				t.Errorf("%s\nRead(...): want an error with %q, got %v", tc.reason, tc.want, texts(got))
			}
		})
	}
}

func TestManyErrors(t *testing.T) {
	got := resource.Read(strings.NewReader(strings.Repeat("a: b: c\n---\n", 500)+"apiVersion: v1\nkind: X\n"), "f")
	if len(got.Errors) != 101 || got.Errors[100].Error() != "f: has more than 100 errors: the others are not shown" {
		t.Errorf("Read(...): got %d errors, the last is %v", len(got.Errors), got.Errors[len(got.Errors)-1])
	}
	if len(got.Objects) != 1 {
		t.Errorf("Read(...): the object behind the errors is not read")
	}
}

func TestErrorText(t *testing.T) {
	long := strings.Repeat("k", 1000)
	got := resource.Read(strings.NewReader("apiVersion: v1\nkind: X\n"+long+": 1\n"+long+": 2\n"), "a\x1b[31m\u202eb\xff.yaml")
	if len(got.Errors) != 1 || !errors.Is(got.Errors[0], resource.ErrDuplicateKey) {
		t.Fatalf("Read(...): %v", texts(got))
	}
	text := got.Errors[0].Error()
	if want := `a\x1b[31m\u202eb\xff.yaml:4: key "kkk`; !strings.HasPrefix(text, want) {
		t.Errorf("control characters are escaped: want %q..., got %q", want, text)
	}
	if len(text) > 300 {
		t.Errorf("an error of a long key has %d bytes", len(text))
	}
}

// TestNoValueInErrors breaks a document that is full of one secret in every place,
// and looks for the secret in the errors.
func TestNoValueInErrors(t *testing.T) {
	const doc = "apiVersion: v1\nkind: Pod\na: &x hunter2\nb: \"hunter2\"\nc: [hunter2, {d: *x}]\ne: !!int 1\nf: |\n  hunter2\n"
	for i := range len(doc) {
		for _, s := range []string{"", "\t", ":", "*", "&", "!!int ", "{", "\"", "%", "\n- ", "@", "\x00", "? ", "<<: ", "\\x"} {
			in := doc[:i] + s + doc[i+1:]
			for _, e := range resource.Read(strings.NewReader(in), "f").Errors {
				text := e.Error()
				if strings.Contains(text, "unter") && !errors.Is(e, resource.ErrDuplicateKey) {
					t.Fatalf("Read(%q): %s", in, text)
				}
				if e.Line < 0 || e.Line > strings.Count(in, "\n")+2 {
					t.Fatalf("Read(%q): line %d", in, e.Line)
				}
			}
		}
	}
}

func BenchmarkRead(b *testing.B) {
	doc := deployment(b)
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		if got := resource.Read(strings.NewReader(doc), "f"); len(got.Errors) > 0 {
			b.Fatal(texts(got))
		}
	}
}

// BenchmarkParse is the parse that reading cannot do without, to compare with.
func BenchmarkParse(b *testing.B) {
	doc := []byte(deployment(b))
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		var n yaml.Node
		if err := yaml.Unmarshal(doc, &n); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkKubectl is what kubectl does for the same object, without lines.
func BenchmarkKubectl(b *testing.B) {
	doc := []byte(deployment(b))
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		if _, err := kubectl(doc); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadJSON(b *testing.B) {
	doc := string(resource.Read(strings.NewReader(deployment(b)), "f").Objects[0].JSON)
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		if got := resource.Read(strings.NewReader(doc), "f"); len(got.Errors) > 0 {
			b.Fatal(texts(got))
		}
	}
}

func deployment(tb testing.TB) string {
	tb.Helper()
	data, err := os.ReadFile("testdata/deployment.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	if json.Valid(data) {
		tb.Fatal("the benchmark wants YAML")
	}
	return string(data)
}
