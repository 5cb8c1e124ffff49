package resource_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/resource"
)

// lined is a tree in which fields of one object come from many places.
var lined = map[string]string{
	"base/kustomization.yaml": `resources: [all.yaml]
configMapGenerator:
- name: set
- name: settings
  literals:
  - MODE=plain
  - "QUOTED='x y'"
  envs:
  - a.env
  files:
  - key=b.txt
images:
- name: other
  newName: example.com/other
`,
	"base/a.env": "# comment\n\nX=1\r\nY\n",
	"base/b.txt": "text\nmore\n",
	"base/all.yaml": `# first
apiVersion: v1
kind: ConfigMap
metadata:
  name: we
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 1
  template:
    spec:
      containers:
      - name: web
        image: nginx:1.0
        env:
        - name: A
          value: "1"
        - name: B
          value: "2"
      - name: log
        image: other
---
apiVersion: v1
kind: ConfigMap
metadata: {name: same, namespace: a}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: same, namespace: b}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
`,
	"top/kustomization.yaml": `resources:
- ../base
namePrefix: my-
configMapGenerator:
- name: settings
  behavior: merge
  literals:
  - MODE=fancy
patches:
- path: patch.yaml
- target:
    kind: Deployment
    name: web
  patch: |
    - op: add
      path: /spec/template/spec/containers/2/env
      value:
      - name: C
        value: "3"
    - op: add
      path: /metadata/annotations/example.com~1x
      value: set
- patch: |-
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: web
    spec:
      paused: true
- patch: "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {minReadySeconds: 5}}"
labels:
- pairs:
    team: shop
commonAnnotations:
  owner: me
images:
- name: nginx
  newTag: "2"
replicas:
- name: web
  count: 4
`,
	"top/patch.yaml": `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  revisionHistoryLimit: 7
  template:
    spec:
      containers:
      - name: first
        image: a
      - name: web
        env:
        - name: B
          value: "22"
`,
}

func TestKustomizeLines(t *testing.T) {
	dir := tree(t, lined)
	r := resource.Load(t.Context(), resource.Options{}, filepath.Join(dir, "top"))
	if len(r.Errors) > 0 {
		t.Fatal(r.Errors)
	}
	found := map[string]resource.Object{}
	for _, o := range r.Objects {
		name := o.Kind + " " + o.Namespace + "/" + o.Name
		if i := strings.LastIndex(name, "-"); o.Name != "my-web" && strings.Contains(name, "set") {
			name = name[:i]
		}
		found[name] = o
	}
	path := func(steps ...any) []any { return steps }
	container := func(i int, steps ...any) []any {
		return append(path("spec", "template", "spec", "containers", i), steps...)
	}
	const deployment, settings = "Deployment /my-web", "ConfigMap /my-settings"
	cases := map[string]struct {
		reason string
		object string
		path   []any
		want   string
	}{
		"Object":        {"An object is where it is in its file.", deployment, nil, "base/all.yaml:7"},
		"Shorter":       {"The longest name that fits is meant.", "ConfigMap /my-we", nil, "base/all.yaml:2"},
		"OtherKind":     {"Kinds differ.", "ConfigMap /my-web", nil, "base/all.yaml:34"},
		"NamespaceA":    {"Two of one name are told apart by their namespaces.", "ConfigMap a/my-same", nil, "base/all.yaml:26"},
		"NamespaceB":    {"So is the other.", "ConfigMap b/my-same", nil, "base/all.yaml:30"},
		"Name":          {"A name that kustomize made is in no file: its parent is.", deployment, path("metadata", "name"), "base/all.yaml:9"},
		"MovedItem":     {"An item of a list is found by its name.", deployment, container(1, "name"), "base/all.yaml:16"},
		"MovedInner":    {"So is one in another.", deployment, container(1, "env", 1, "value"), "base/all.yaml:20"},
		"Absent":        {"What is absent is where its parent is.", deployment, container(1, "livenessProbe", "httpGet"), "base/all.yaml:16"},
		"Patched":       {"A value of a patch is in the patch.", deployment, container(1, "env", 0, "value"), "top/patch.yaml:15"},
		"PatchedItem":   {"An item of a patch, too.", deployment, container(0), "top/patch.yaml:10"},
		"PatchedField":  {"And a field.", deployment, path("spec", "revisionHistoryLimit"), "top/patch.yaml:6"},
		"JSONPatch":     {"And the value of an operation.", deployment, container(2, "env", 0, "value"), "top/kustomization.yaml:19"},
		"Operation":     {"What it adds is below it.", deployment, path("metadata", "annotations", "example.com/x"), "top/kustomization.yaml:22"},
		"Inline":        {"A patch may stand in the kustomization.", deployment, path("spec", "paused"), "top/kustomization.yaml:29"},
		"InlineOneLine": {"On one line.", deployment, path("spec", "minReadySeconds"), "top/kustomization.yaml:30"},
		"Replicas":      {"Replicas are where the kustomization sets them.", deployment, path("spec", "replicas"), "top/kustomization.yaml:41"},
		"Tag":           {"So are images.", deployment, container(1, "image"), "top/kustomization.yaml:38"},
		"NewName":       {"In any kustomization.", deployment, container(2, "image"), "base/kustomization.yaml:14"},
		"Label":         {"So are labels.", deployment, path("metadata", "labels", "team"), "top/kustomization.yaml:33"},
		"NoLabel":       {"A label that is absent would be beside them.", deployment, path("metadata", "labels", "tier"), "top/kustomization.yaml:32"},
		"Annotation":    {"So are annotations.", deployment, path("metadata", "annotations", "owner"), "top/kustomization.yaml:35"},
		"Generated":     {"What is generated is where the generator is.", settings, nil, "base/kustomization.yaml:4"},
		"Merged":        {"A literal is where it is set.", settings, path("data", "MODE"), "top/kustomization.yaml:8"},
		"Literal":       {"Quotes are no part of it.", settings, path("data", "QUOTED"), "base/kustomization.yaml:7"},
		"Env":           {"A variable is in its file.", settings, path("data", "X"), "base/a.env:3"},
		"EnvEmpty":      {"Even without a value.", settings, path("data", "Y"), "base/a.env:4"},
		"File":          {"A file is itself.", settings, path("data", "key"), "base/b.txt:1"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o, ok := found[tc.object]
			if !ok {
				t.Fatalf("no %s among %v", tc.object, found)
			}
			file, line := o.SourceOf(tc.path)
			if got := fmt.Sprintf("%s:%d", strings.TrimPrefix(file, dir+"/"), line); got != tc.want {
				t.Errorf("%s\nSourceOf(%v): got %s, want %s", tc.reason, tc.path, got, tc.want)
			}
			if o.LineOf(tc.path) != line {
				t.Errorf("LineOf(%v): got %d, want %d", tc.path, o.LineOf(tc.path), line)
			}
			if want := "kustomization " + filepath.Join(dir, "top"); o.Rendered != want {
				t.Errorf("Rendered: got %q, want %q", o.Rendered, want)
			}
		})
	}
}

// TestKustomizePlacesFaults has faults that [resource.Default] finds placed in the
// file that makes them.
func TestKustomizePlacesFaults(t *testing.T) {
	dir := tree(t, map[string]string{
		"base/kustomization.yaml": "resources: [a.yaml]\n",
		"base/a.yaml":             "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  port: 80\n",
		"a/kustomization.yaml":    "resources: [../base]\npatches:\n- path: p.yaml\n",
		"a/p.yaml":                "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  other: 80\n",
		"b/kustomization.yaml":    "resources: [../base]\npatches:\n- path: p.yaml\n",
		"b/p.yaml":                "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n\n  externalName: {}\n",
	})
	r := resource.Load(t.Context(), resource.Options{}, filepath.Join(dir, "a"), filepath.Join(dir, "b"))
	if len(r.Objects) != 2 {
		t.Fatalf("Load(...): got %d objects and errors %v, want 2", len(r.Objects), r.Errors)
	}
	_, warnings, _ := resource.Default(r.Objects[0])
	got := []string{}
	for _, w := range warnings {
		got = append(got, strings.TrimPrefix(w.String(), dir+"/"))
	}
	if diff := cmp.Diff([]string{`a/p.yaml:5: unknown field "spec.other"`, `base/a.yaml:5: unknown field "spec.port"`}, got); diff != "" {
		t.Errorf("Default(...): warnings: -want, +got:\n%s", diff)
	}
	_, _, err := resource.Default(r.Objects[1])
	if err == nil || strings.TrimPrefix(err.Error(), dir+"/") != "b/p.yaml:6: spec.externalName is an object, not a string as in Service" {
		t.Errorf("Default(...): got %v, want the line of the patch", err)
	}
}
