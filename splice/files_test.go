package splice_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/resource"
	"github.com/lintel-policy/lintel/splice"
)

// TestApplyToFiles is about files as a whole: JSON, lists, several documents.
func TestApplyToFiles(t *testing.T) {
	t.Parallel()
	const label = `[{"op": "add", "path": "/metadata/labels", "value": {"team": "shop", "x": []}}]`
	for name, tc := range map[string]struct {
		reason            string
		file, patch, want string
	}{
		"JSONLines": {
			reason: "JSON over several lines gets more of them, indented alike.",
			file:   "{\n\t\"kind\": \"Pod\",\n\t\"apiVersion\": \"v1\",\n\t\"metadata\": {\n\t\t\"name\": \"\\ud83d\\ude00\\/\"\n\t}\n}\n",
			patch:  label,
			want:   "{\n\t\"kind\": \"Pod\",\n\t\"apiVersion\": \"v1\",\n\t\"metadata\": {\n\t\t\"name\": \"\\ud83d\\ude00\\/\",\n\t\t\"labels\": {\n\t\t\t\"team\": \"shop\",\n\t\t\t\"x\": []\n\t\t}\n\t}\n}\n",
		},
		"JSONInOneLine": {
			reason: "JSON in one line stays in it, with spaces where it has some.",
			file:   `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"x"}}`,
			patch:  label,
			want:   `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"x","labels":{"team":"shop","x":[]}}}`,
		},
		"JSONWithSpaces": {
			reason: "JSON in one line stays in it, with spaces where it has some.",
			file:   `{"kind": "Pod", "apiVersion": "v1", "metadata": {}, "list": [1, 2, 3]}`,
			patch: `[{"op": "add", "path": "/metadata/labels", "value": {"a": null}}, {"op": "remove", "path": "/list/1"}, {"op": "add", "path": "/list/0", "value": [true]},
				{"op": "add", "path": "/list/-", "value": 4}, {"op": "replace", "path": "/list/1", "value": "é<\u0001\u2028"}]`,
			want: `{"kind": "Pod", "apiVersion": "v1", "metadata": {"labels": {"a": null}}, "list": [[true], "é<\u0001\u2028", 3, 4]}`,
		},
		"JSONInto": {
			reason: "Lists over several lines get lines at their beginning, too, and lose them.",
			file:   "{\"apiVersion\": \"v1\", \"kind\": \"Pod\",\n  \"l\": [\n    1,\n    2\n  ],\n  \"m\": {\n    \"a\": 1\n  }\n}",
			patch: `[{"op": "add", "path": "/l/0", "value": {"b": [1]}}, {"op": "remove", "path": "/l/2"}, {"op": "remove", "path": "/m/a"},
				{"op": "replace", "path": "/l/1", "value": {"c": 1}}]`,
			want: "{\"apiVersion\": \"v1\", \"kind\": \"Pod\",\n  \"l\": [\n    {\n      \"b\": [\n        1\n      ]\n    },\n    {\n      \"c\": 1\n    }\n  ],\n  \"m\": {}\n}",
		},
		"JSONValues": {
			reason: "JSON values may follow one another, on one line even.",
			file:   `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"x"}} {"kind":"Pod","apiVersion":"v1","metadata":{"name":"x"}}` + "\n" + `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"y"}}`,
			patch:  label,
			want: `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"x","labels":{"team":"shop","x":[]}}} {"kind":"Pod","apiVersion":"v1","metadata":{"name":"x","labels":{"team":"shop","x":[]}}}` + "\n" +
				`{"kind":"Pod","apiVersion":"v1","metadata":{"name":"y","labels":{"team":"shop","x":[]}}}`,
		},
		"JSONBetweenSeparators": {
			reason: "JSON values between lines of dashes are YAML.",
			file:   `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"x"}}` + "\n---\n" + `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"x"}}` + "\n",
			patch:  `[{"op": "add", "path": "/metadata/labels", "value": {"team": "shop"}}]`,
			want:   `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"x", "labels": {team: shop}}}` + "\n---\n" + `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"x", "labels": {team: shop}}}` + "\n",
		},
		"Documents": {
			reason: "Each document is changed for itself; empty ones and comments between them stay.",
			file:   "# first\n---\n# second\nkind: Pod\napiVersion: v1\nmetadata: {name: a}\n---\n---\n# third\n---\nkind: Pod\napiVersion: v1\nmetadata:\n    name: b\n...\n",
			patch:  `[{"op": "add", "path": "/metadata/labels", "value": {"team": "shop"}}]`,
			want:   "# first\n---\n# second\nkind: Pod\napiVersion: v1\nmetadata: {name: a, labels: {team: shop}}\n---\n---\n# third\n---\nkind: Pod\napiVersion: v1\nmetadata:\n    name: b\n    labels:\n        team: shop\n...\n",
		},
		"List": {
			reason: "Items of lists, and of lists in lists, are objects.",
			file:   "apiVersion: v1\nkind: List\nitems:\n- kind: Pod\n  apiVersion: v1\n  metadata:\n    name: a\n# b\n- kind: List\n  apiVersion: v1\n  items:\n  - {kind: Pod, apiVersion: v1, metadata: {name: b}}\n  - kind: Pod\n    apiVersion: v1\n    metadata:\n      name: c\n# end\n",
			patch:  `[{"op": "add", "path": "/metadata/labels", "value": {"team": "shop"}}]`,
			want:   "apiVersion: v1\nkind: List\nitems:\n- kind: Pod\n  apiVersion: v1\n  metadata:\n    name: a\n    labels:\n      team: shop\n# b\n- kind: List\n  apiVersion: v1\n  items:\n  - {kind: Pod, apiVersion: v1, metadata: {name: b, labels: {team: shop}}}\n  - kind: Pod\n    apiVersion: v1\n    metadata:\n      name: c\n      labels:\n        team: shop\n# end\n",
		},
		"TypedList": {
			reason: "Items of a typed list do not say what they are, and do not begin to.",
			file:   "apiVersion: v1\nkind: PodList\nitems:\n- metadata:\n    name: a\n",
			patch:  `[{"op": "add", "path": "/metadata/labels", "value": {"team": "shop"}}]`,
			want:   "apiVersion: v1\nkind: PodList\nitems:\n- metadata:\n    name: a\n    labels:\n      team: shop\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := changed(t, tc.file, tc.patch)
			if err != nil {
				t.Fatalf("%s\nApply(...): %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nApply(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestRefused is about changes that would do harm.
func TestRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		reason      string
		file, patch string
		want        error
		line        int
	}{
		"Alias": {
			reason: "What an alias stands for is elsewhere.",
			file:   "a: &a\n  b: c\nd: *a\n",
			patch:  `[{"op": "add", "path": "/d/x", "value": 1}]`,
			want:   splice.ErrShared, line: 5,
		},
		"Anchor": {
			reason: "What has aliases would change there, too.",
			file:   "a: &a\n  b: c\nd: *a\n",
			patch:  `[{"op": "add", "path": "/a/x", "value": 1}]`,
			want:   splice.ErrShared, line: 3,
		},
		"AnchorBelow": {
			reason: "What goes away may not be needed elsewhere.",
			file:   "a:\n  b: &a c\nd: *a\n",
			patch:  `[{"op": "remove", "path": "/a"}]`,
			want:   splice.ErrShared, line: 4,
		},
		"Merged": {
			reason: "What is merged in cannot be taken out where it is not.",
			file:   "a: &a\n  b: {c: 1}\nd:\n  <<: *a\n",
			patch:  `[{"op": "add", "path": "/d/b/x", "value": 1}]`,
			want:   splice.ErrShared, line: 6,
		},
		"SecondStep": {
			reason: "An object is changed as a whole or not at all.",
			file:   "a: &a\n  b: c\nd: *a\n",
			patch:  `[{"op": "add", "path": "/x", "value": 1}, {"op": "add", "path": "/d/x", "value": 1}]`,
			want:   splice.ErrShared, line: 1,
		},
		"QuestionMark": {
			reason: "A key behind a question mark has its colon elsewhere.",
			file:   "a:\n  ? b\n  : c\n",
			patch:  `[{"op": "replace", "path": "/a/b", "value": {"x": 1}}]`,
			want:   splice.ErrUnusual, line: 4,
		},
		"CommentInside": {
			reason: "A comment in what is replaced would be lost.",
			file:   "a: [\n  # why\n  b]\n",
			patch:  `[{"op": "replace", "path": "/a", "value": 1}]`,
			want:   splice.ErrUnusual, line: 3,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := changed(t, head+tc.file, tc.patch)
			var placed *splice.Error
			if !errors.Is(err, tc.want) || !errors.As(err, &placed) || placed.Line != tc.line {
				t.Errorf("%s\nApply(...): %v (%+v), want %v on line %d", tc.reason, err, placed, tc.want, tc.line)
			}
			if got != head+tc.file {
				t.Errorf("%s\nApply(...) changes what it refuses:\n%s", tc.reason, got)
			}
		})
	}
}

// TestOthersAreChanged holds that an object that is left alone keeps no other one from
// being changed, in whatever document.
func TestOthersAreChanged(t *testing.T) {
	t.Parallel()
	const item = "- apiVersion: v1\n  kind: Pod\n  metadata:\n    name: x\n    labels: "
	file := "apiVersion: v1\nkind: List\nx: &x {a: b}\nitems:\n" + item + "*x\n" + item + "{a: b}\n"
	read := resource.Read(strings.NewReader(file), "f")
	var changes []splice.Change
	for _, o := range read.Objects {
		changes = append(changes, splice.Change{Line: o.Line, Object: o.JSON, Patch: []splice.Operation{{Op: "add", Path: "/metadata/labels/c", Value: []byte(`"d"`)}}})
	}
	changes = append(changes, splice.Change{Line: 2, Object: []byte(`{"kind": "Pod"}`)}, splice.Change{Line: 5, Object: read.Objects[1].JSON})
	out, errs := splice.Apply([]byte(file), changes)
	want := "apiVersion: v1\nkind: List\nx: &x {a: b}\nitems:\n" + item + "*x\n" + item + "{a: b, c: d}\n"
	if diff := cmp.Diff(want, string(out)); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	for i, want := range []error{splice.ErrShared, nil, splice.ErrNotFound, splice.ErrNotFound} {
		if !errors.Is(errs[i], want) {
			t.Errorf("change %d: %v, want %v", i, errs[i], want)
		}
	}
}

// TestReads holds that text which is not what was wanted is found out.
func TestReads(t *testing.T) {
	t.Parallel()
	want, err := splice.Decoded(`{"a": "b", "c": ["d"]}`)
	if err != nil {
		t.Fatal(err)
	}
	for text, reads := range map[string]bool{
		"a: b\nc: [d]\n":       true,
		"c:\n- d\na: 'b'\n":    true,
		"a: b\n":               false,
		"a: b\nc: [d, e]\n":    false,
		"a: b\nc: [d]\nx:\n":   false,
		"a: on\nc: [d]\n":      false,
		"a: x\na: b\nc: [d]\n": false, // twice
		"a: b\nc: [d\n":        false,
		"":                     false,
	} {
		got, err := splice.Reads(text, "a: x\n", want)
		if err != nil || got != reads {
			t.Errorf("Reads(%q): %v, %v, want %v", text, got, err, reads)
		}
	}
}

// TestNoText holds that what is no text of known lines is refused.
func TestNoText(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"\xff\xfea", "a: b\rc: d\n", "a: \"\u2028\"\n"} {
		out, errs := splice.Apply([]byte(file), []splice.Change{{Line: 1, Object: []byte(`{"a": "b"}`)}})
		if string(out) != file || errs[0] == nil {
			t.Errorf("Apply(%q): %q, %v", file, out, errs[0])
		}
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		reason                     string
		source, defaulted, patched string
		want                       string
	}{
		"Missing": {
			reason:    "A parent that is only there by default is made, without what else is.",
			source:    `{"spec": {"a": null}}`,
			defaulted: `{"spec": {"strategy": {"type": "R", "n": {}}}}`,
			patched:   `{"spec": {"strategy": {"type": "R", "n": {"m": 1}}}}`,
			want:      `[{"op":"add","path":"/spec/strategy","value":{"n":{"m":1}}}]`,
		},
		"Canonical": {
			reason:    "What the API server writes in another way is not changed.",
			source:    `{"a": "0.5Gi", "c": ["0.5"]}`,
			defaulted: `{"a": "512Mi", "c": ["500m"]}`,
			patched:   `{"a": "512Mi", "b": 1, "c": ["500m", "1"]}`,
			want:      `[{"op":"add","path":"/b","value":1},{"op":"add","path":"/c/1","value":"1"}]`,
		},
		"Items": {
			reason:    "An item that was put in before others changes none of them.",
			source:    `{"c": [{"name": "a"}, {"name": "b", "x/y~": 1}]}`,
			defaulted: `{"c": [{"name": "a", "d": 1}, {"name": "b", "d": 1, "x/y~": 1}]}`,
			patched:   `{"c": [{"name": "n"}, {"name": "a", "d": 1}, {"name": "b", "d": 2}, {"name": "m"}]}`,
			want:      `[{"op":"remove","path":"/c/1/x~1y~0"},{"op":"add","path":"/c/1/d","value":2},{"op":"add","path":"/c/2","value":{"name":"m"}},{"op":"add","path":"/c/0","value":{"name":"n"}}]`,
		},
		"LessOfDefault": {
			reason:    "A default of which something is taken away is written.",
			source:    `{}`,
			defaulted: `{"a": {"b": 1, "c": 2}}`,
			patched:   `{"a": {"b": 1}}`,
			want:      `[{"op":"add","path":"/a","value":{"b":1}}]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ops, err := splice.Diff([]byte(tc.source), []byte(tc.defaulted), []byte(tc.patched))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(jsonOf(t, []byte(tc.want)), jsonOf(t, marshal(t, ops))); diff != "" {
				t.Errorf("%s\nDiff(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
	if _, err := splice.Diff([]byte(`{}`), []byte(`{"l": [1]}`), []byte(`{"l": [1, 2]}`)); !errors.Is(err, splice.ErrDefaulted) {
		t.Errorf("an item of a list that is a default: %v, want %v", err, splice.ErrDefaulted)
	}
}

func TestGenerated(t *testing.T) {
	t.Parallel()
	for head, want := range map[string]int{
		"# Code generated by x. DO NOT EDIT.\n":          1,
		"\ufeff# licence\r\n#\r\n# Generated by x\r\na":  3,
		"---\n# This file is autogenerated. Do not edit": 2,
		"# do not edit: this is generated":               1,
		"# generated names are fine\na: b\n":             0,
		"a: b\n# Code generated by x. DO NOT EDIT.\n":    0,
		"# Do not edit without asking\n":                 0,
		"":                                               0,
	} {
		if got := splice.Generated([]byte(head)); got != want {
			t.Errorf("Generated(%q): %d, want %d", head, got, want)
		}
	}
}

func TestValueFor(t *testing.T) {
	t.Parallel()
	const template = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Values.name }}
  labels:
    {{- include "shop.labels" . | nindent 4 }}
spec:
  replicas: {{ .Values.replicas }}
  template:
    spec:
      containers:
      - name: web
        image: {{ .Values.image.repository }}:{{ .Values.image.tag }}
        resources:
          {{- with .Values.web.resources }}
          {{- toYaml . | nindent 10 }}
          {{- end }}
        livenessProbe: {{ toYaml .Values.probe }}
        env:
          {{- range .Values.env }}
          - {{ toJson . }}
          {{- end }}
      - name: proxy
        image: envoy
      - image: {{ .Values.agent }}
        name: agent
        command: {{ .Values.command }}
        {{- with .Values.lifecycle }}
        lifecycle:
          {{- toYaml . | nindent 10 }}
        {{- end }}
        {{- with .Values.mounts }}
        volumeMounts: []
        {{- end }}
        args:
        - a
        {{- if .Values.debug }}
        - {{ .Values.level }}
        {{- end }}
      nodeSelector:
        os: {{ .Values.os }}
        {{- if .Values.isLarge }}
        size: large
        {{- end }}
      affinity:
        x: y
      {{- with .Values.host }}
      host: {{ . }}
      {{- end }}
---
spec:
  tolerations: {{ .Values.tolerations }}
`
	lines := map[string]int{
		"/spec/template/spec/containers/0": 12, "/spec/template/spec/containers/0/image": 13, "/spec/template/spec/containers/0/resources": 14,
		"/spec/template/spec/containers/0/livenessProbe": 18, "/spec/template/spec/containers/0/env": 19,
		"/spec/template/spec/containers/1": 23, "/spec/template/spec/containers/1/image": 24,
		"/spec/template/spec/containers/2": 25, "/spec/template/spec/containers/2/command": 27,
		"/spec/template/spec/nodeSelector": 40, "/spec/template/spec/nodeSelector/os": 41, "/spec/template/spec/affinity": 45,
	}
	for path, want := range map[string]string{
		"/spec/template/spec/containers/0/resources/requests/cpu": "web.resources.requests.cpu",
		"/spec/template/spec/containers/0/env/2":                  "env",
		"/spec/template/spec/containers/0/env/2/value":            "env",
		"/spec/template/spec/containers/1/env":                    "", // that of another container
		"/spec/template/spec/containers/1/image":                  "",
		"/spec/template/spec/containers/1/resources/limits":       "",
		"/spec/template/spec/containers/2/image":                  "agent",
		"/spec/template/spec/containers/2/command/0":              "command",
		"/spec/template/spec/containers/2/lifecycle/preStop":      "lifecycle.preStop",
		"/spec/template/spec/containers/2/volumeMounts/0":         "", // what it depends on is no list of them
		"/spec/template/spec/containers/2/args/1":                 "",
		"/spec/template/spec/nodeSelector/arch":                   "", // another key's
		"/spec/template/spec/nodeSelector/os":                     "os",
		"/spec/template/spec/affinity/nodeAffinity":               "", // what comes after it
		"/spec/replicas":                                     "replicas",
		"/metadata/labels/team":                              "",
		"/spec/template/spec/containers/0/image":             "", // two values
		"/spec/template/spec/tolerations":                    "", // of another object
		"/spec/template/spec/containers/0/livenessProbe/tcp": "probe.tcp",
		"/spec/template/spec/containers/0/command":           "",
	} {
		lineOf := func(steps int) int {
			for at := splice.Steps(path)[:steps]; len(at) > 0; at = at[:len(at)-1] {
				if line := lines["/"+strings.Join(at, "/")]; line > 0 {
					return line
				}
			}
			return 1
		}
		if got := splice.ValueFor([]byte(template), 1, path, lineOf); got != want {
			t.Errorf("ValueFor(%q): %q, want %q", path, got, want)
		}
	}
	if got := splice.ValueFor(nil, 7, "/spec/replicas", func(int) int { return 9 }); got != "" {
		t.Errorf("ValueFor of no template: %q", got)
	}
}
