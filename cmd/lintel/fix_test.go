//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/report"
	"github.com/lintel-policy/lintel/resource"
	"github.com/lintel-policy/lintel/splice"
)

const (
	withoutOwner = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
	withOwner    = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {owner: me}}\n"
)

// addsOwner is a policy that gives each ConfigMap an owner.
const addsOwner = `# METADATA
# custom: {match: {kinds: [{apiGroups: [""], kinds: [ConfigMap]}]}}
package lintel.owner

patch contains {"path": ["metadata", "labels", "owner"], "value": "me"}
`

// fixed runs fix on paths of a new folder with some files.
func fixed(t *testing.T, files map[string]string, prepare func(dir string), paths ...string) (dir string, code int, stdout, stderr string) {
	t.Helper()
	dir = t.TempDir()
	files["policies/owner/owner.rego"] = addsOwner
	for name, text := range files {
		must(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		must(os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	prepare(dir)
	args := []string{"lintel", "fix", "-p", filepath.Join(dir, "policies")}
	for _, path := range paths {
		args = append(args, filepath.Join(dir, path))
	}
	var out, errs bytes.Buffer
	code = run(t.Context(), args, streams{strings.NewReader(""), &out, &errs})
	return dir, code, out.String(), strings.ReplaceAll(errs.String(), dir+"/", "")
}

// TestFixKeepsWhatFilesAre holds that mode, links and neighbours of a file are after
// it was fixed what they were before.
func TestFixKeepsWhatFilesAre(t *testing.T) {
	t.Parallel()
	dir, code, _, stderr := fixed(t, map[string]string{"m/a.yaml": withoutOwner}, func(dir string) {
		must(os.Chmod(filepath.Join(dir, "m/a.yaml"), 0o640))
		must(os.Symlink("a.yaml", filepath.Join(dir, "m/b.yaml")))
	}, "m/b.yaml")
	if code != exitClean || stderr != "" {
		t.Fatalf("exits with %d and %q", code, stderr)
	}
	if got := readAll(t, filepath.Join(dir, "m/a.yaml")); got != withOwner {
		t.Errorf("the file that the link leads to is:\n%s", got)
	}
	if target, err := os.Readlink(filepath.Join(dir, "m/b.yaml")); err != nil || target != "a.yaml" {
		t.Errorf("the link leads to %q, %v", target, err)
	}
	info, err := os.Stat(filepath.Join(dir, "m/a.yaml"))
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the mode is %v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(filepath.Join(dir, "m"))
	if err != nil || len(entries) != 2 {
		t.Errorf("the folder has %v, %v", entries, err)
	}
}

// TestFixRefusesHardLinks holds that no name of a file is left with the old content.
func TestFixRefusesHardLinks(t *testing.T) {
	t.Parallel()
	dir, code, _, stderr := fixed(t, map[string]string{"m/a.yaml": withoutOwner}, func(dir string) {
		must(os.Link(filepath.Join(dir, "m/a.yaml"), filepath.Join(dir, "m/b.yaml")))
	}, "m")
	want := "lintel: m/a.yaml: is not changed: it has several names (hard links), of which only one would be changed\n"
	if code != exitUntold || stderr != want {
		t.Errorf("exits with %d and %q, want %q", code, stderr, want)
	}
	if got := readAll(t, filepath.Join(dir, "m/b.yaml")); got != withoutOwner {
		t.Errorf("the file is:\n%s", got)
	}
}

// TestFixOverwritesNothingNew changes a file between reading and writing.
func TestFixOverwritesNothingNew(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(path string){
		"Longer":    func(path string) { must(os.WriteFile(path, []byte(withoutOwner+"# new\n"), 0o600)) },
		"SameSize":  func(path string) { must(os.WriteFile(path, []byte(strings.Replace(withoutOwner, "a", "b", 1)), 0o600)) },
		"SameTimes": sameTimes,
		"Replaced": func(path string) {
			info, err := os.Stat(path)
			must(err)
			must(os.WriteFile(path+".new", []byte(withoutOwner), 0o600))
			must(os.Chtimes(path+".new", info.ModTime(), info.ModTime()))
			must(os.Rename(path+".new", path))
		},
		"Gone": func(path string) { must(os.Remove(path)) },
		"Link": func(path string) {
			must(os.Rename(path, path+".old"))
			must(os.Symlink(filepath.Base(path)+".old", path))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "a.yaml")
			must(os.WriteFile(path, []byte(withoutOwner), 0o600))
			folder, err := os.OpenRoot(filepath.Dir(path))
			must(err)
			defer folder.Close()
			f, err := openFile(folder, "a.yaml", path)
			must(err)
			f.now = []byte(withOwner)
			change(path)
			want, _ := os.ReadFile(path)
			if err := f.write(); err == nil {
				t.Errorf("write(): no error")
			}
			if got, _ := os.ReadFile(path); !bytes.Equal(got, want) {
				t.Errorf("the file is:\n%s", got)
			}
			if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
				t.Errorf("there is left: %v", left)
			}
		})
	}
}

// sameTimes changes a file so that neither its size nor its times tell.
func sameTimes(path string) {
	info, err := os.Stat(path)
	must(err)
	must(os.WriteFile(path, []byte(strings.Replace(withoutOwner, "a", "b", 1)), 0o600))
	must(os.Chtimes(path, info.ModTime(), info.ModTime()))
}

func readAll(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestHints is about what charts and kustomizations make.
func TestHints(t *testing.T) {
	t.Parallel()
	chart := filepath.Join(t.TempDir(), "shop")
	template := filepath.Join(chart, "templates", "web.yaml")
	must(os.MkdirAll(filepath.Dir(template), 0o755))
	must(os.WriteFile(template, []byte("# web\napiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  containers:\n  - name: web\n    resources: {{- toYaml .Values.resources | nindent 6 }}\n"), 0o600))
	inside := func(chart, inner string) string {
		path := filepath.Join(chart, inner, "templates", "map.yaml")
		must(os.MkdirAll(filepath.Dir(path), 0o755))
		must(os.WriteFile(path, []byte("\napiVersion: v1\nmetadata:\n  labels: {{ toJson .Values.labels }}\n"), 0o600))
		return path
	}
	inner := inside(chart, "charts/db")
	aliased, twice := inside(chart, "charts/store"), inside(chart, "charts/cache")
	must(os.WriteFile(filepath.Join(chart, "Chart.yaml"), []byte("dependencies:\n- {name: store, alias: main}\n- {name: cache}\n- {name: cache, alias: sessions}\n"), 0o600))
	object := []byte(`{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": [{"name": "web"}]}}`)
	for name, tc := range map[string]struct {
		rendered, file, path, want string
	}{
		"Value":         {"chart " + chart, template, "/spec/containers/0/resources/requests/cpu", "set resources.requests.cpu in " + chart + "/values.yaml"},
		"Subchart":      {"chart " + chart, inner, "/metadata/labels/team", "set db.labels.team in " + chart + "/values.yaml"},
		"Alias":         {"chart " + chart, aliased, "/metadata/labels/team", "set main.labels.team in " + chart + "/values.yaml"},
		"Twice":         {"chart " + chart, twice, "/metadata/labels/team", "change metadata.labels.team in the template"},
		"Template":      {"chart " + chart, template, "/metadata/labels", "change metadata.labels in the template"},
		"NoTemplate":    {"chart " + chart, "nowhere/x.yaml", "/metadata/labels", "change metadata.labels in the template"},
		"Kustomization": {"kustomization ./prod", "base/web.yaml", "/metadata/labels", "change metadata.labels in the base, or with a patch in the kustomization"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, err := resource.New(object, tc.file, 2)
			if err != nil {
				t.Fatal(err)
			}
			o.Rendered = tc.rendered
			op := splice.Operation{Op: "add", Path: tc.path, Value: json.RawMessage(`"x"`)}
			want := []report.Note{{Source: report.Source{File: tc.file, Line: 2}, Message: tc.want}}
			if diff := cmp.Diff(want, hintsFor(o, []splice.Operation{op, op})); diff != "" {
				t.Errorf("hintsFor(...): -want, +got:\n%s", diff)
			}
		})
	}
}

// TestFixTakesNoOtherText holds that text from which other objects are read than
// should be is not taken, wherever it comes from.
func TestFixTakesNoOtherText(t *testing.T) {
	t.Parallel()
	read := resource.Read(strings.NewReader(withoutOwner), "a.yaml")
	change := splice.Change{Line: 1, Object: read.Objects[0].JSON, Patch: []splice.Operation{{Op: "add", Path: "/metadata/labels", Value: json.RawMessage(`{"owner": "me"}`)}}}
	for text, want := range map[string]bool{
		withOwner:                       true,
		withOwner + "---\n" + withOwner: false,
		withOwner + "data: {a: b}\n":    false,
		withOwner + "metadata: {}\n":    false,
		withOwner + "}":                 false,
		"# " + withOwner:                false,
	} {
		file := &fixFile{path: "a.yaml", before: []byte(withoutOwner), now: []byte(withoutOwner), end: 1, policies: map[string]bool{}}
		f := &fixer{found: resource.Read(strings.NewReader(withoutOwner), "a.yaml"), refused: map[string]bool{}}
		r := &report.Report{Objects: make([]report.Object, 1)}
		if got := f.accept(file, []byte(text), r, []int{0}, []splice.Change{change}, []error{nil}); got != want {
			t.Errorf("accept(%q): %v, want %v", text, got, want)
		}
		if taken := string(file.now) == text; taken != want || len(f.left) > 0 == want {
			t.Errorf("accept(%q): taken: %v, left alone: %v", text, taken, f.left)
		}
	}
}

// TestFixLeavesRendered holds that a file is not changed from which something else
// made the object.
func TestFixLeavesRendered(t *testing.T) {
	t.Parallel()
	o, err := resource.New([]byte(`{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}`), "base/a.yaml", 3)
	if err != nil {
		t.Fatal(err)
	}
	o.Rendered = "kustomization ./prod"
	dir := t.TempDir()
	must(os.MkdirAll(filepath.Join(dir, "owner"), 0o755))
	must(os.WriteFile(filepath.Join(dir, "owner", "owner.rego"), []byte(addsOwner), 0o600))
	policies, err := (&sourceFlags{names: []string{dir}}).load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f := &fixer{judge: &judge{policies: policies, namespace: "default"}, seen: map[any]bool{}}
	f.take(nil, resource.Result{Objects: []resource.Object{o}})
	if _, err := f.fix(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []report.Note{{
		Source:  report.Source{File: "base/a.yaml", Line: 3},
		Message: "ConfigMap default/a is not patched by owner: it is made by kustomization ./prod: change metadata.labels in the base, or with a patch in the kustomization",
	}}
	if diff := cmp.Diff(want, f.left); diff != "" || len(f.changed()) > 0 {
		t.Errorf("left alone: -want, +got:\n%s", diff)
	}
}
