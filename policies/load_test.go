package policies_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/lintel-policy/lintel/policies"
)

// folderOf writes an archive to a new folder called name and returns its path.
func folderOf(t testing.TB, name, archive string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatalf("make a folder: %v", err)
	}
	for _, f := range txtar.Parse([]byte(archive)).Files {
		file := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatalf("make a folder: %v", err)
		}
		if err := os.WriteFile(file, f.Data, 0o600); err != nil {
			t.Fatalf("write a file: %v", err)
		}
	}
	return dir
}

// told returns a line for each policy and exception of a source, with paths
// relative to dir, and one for each error.
func told(dir string, s policies.Source, err error) (have, wrong []string) {
	short := func(text string) string { return strings.ReplaceAll(text, dir, "DIR") }
	for _, p := range s.Policies {
		var files []string
		for _, m := range p.Modules {
			files = append(files, short(m.Name))
		}
		line := fmt.Sprintf("%s from %s: %s", p.Name, short(p.Origin), strings.Join(files, " "))
		if p.FreePackage {
			line += ", any package"
		}
		if p.Spec.Enforcement != "" {
			line += ", " + string(p.Spec.Enforcement)
		}
		have = append(have, line)
	}
	for _, e := range s.Exceptions {
		have = append(have, fmt.Sprintf("exception %s/%s", e.Namespace, e.Name))
	}
	if err != nil {
		wrong = strings.Split(short(err.Error()), "\n")
	}
	return have, wrong
}

func TestLoad(t *testing.T) {
	const policyHead = "apiVersion: lintel.dev/v1alpha1\nkind: Policy\n"
	cases := map[string]struct {
		reason  string
		archive string
		want    []string
		wrong   []string
	}{
		"FoldersAtAnyDepth": {
			reason:  "A folder with Rego is a policy, however deep it is.",
			archive: "-- a/a.rego --\npackage lintel.a\n-- team/costs/b-c/b.rego --\npackage lintel.b_c\n-- team/costs/b-c/more.rego --\npackage lintel.b_c\n",
			want:    []string{"a from DIR/a: DIR/a/a.rego", "b-c from DIR/team/costs/b-c: DIR/team/costs/b-c/b.rego DIR/team/costs/b-c/more.rego"},
		},
		"TheFolderItself": {
			reason:  "A folder that is named may be a policy itself.",
			archive: "-- one.rego --\npackage lintel.folder\n",
			want:    []string{"folder from DIR: DIR/one.rego"},
		},
		"WhatIsNotRead": {
			reason: "Tests, test data, hidden and other files say nothing.",
			archive: "-- a/a.rego --\npackage lintel.a\n-- a/a_test.rego --\npackage lintel.a_test\n-- a/testdata/x/x.rego --\n-- a/testdata/pod.yaml --\nkind: Pod\n" +
				"-- .git/x.rego --\n-- a/.hidden.yaml --\nkind: Pod\n-- README.md --\nkind: Pod\n-- tests/b_test.rego --\npackage b\n",
			want: []string{"a from DIR/a: DIR/a/a.rego"},
		},
		"DataIsPassedOver": {
			reason:  "JSON and YAML that have nothing of an object belong to other tools.",
			archive: "-- a/a.rego --\n-- capabilities.json --\n{\"builtins\": []}\n-- .regal.yaml --\nrules: {}\n-- empty.yaml --\n# nothing\n---\n---\n",
			want:    []string{"a from DIR/a: DIR/a/a.rego"},
		},
		"PolicyConfiguresFolder": {
			reason:  "A Policy without a source configures the Rego of its name, wherever it stands.",
			archive: "-- rego/a/a.rego --\n-- config/a.yaml --\n" + policyHead + "metadata: {name: a}\nspec: {enforcement: warn}\n",
			want:    []string{"a from DIR/rego/a, configured in DIR/config/a.yaml:1: DIR/rego/a/a.rego, warn"},
		},
		"PolicyFromLibrary": {
			reason:  "A Policy may take Rego of the library under its name, or under another.",
			archive: "-- p.yaml --\n" + policyHead + "metadata: {name: probes}\nspec: {source: {library: probes}, enforcement: dryrun}\n---\n" + policyHead + "metadata: {name: strict-probes}\nspec: {source: {library: probes}}\n",
			want:    []string{"probes from DIR/p.yaml:1: probes/probes.rego, dryrun", "strict-probes from DIR/p.yaml:6: probes/probes.rego, any package"},
		},
		"PolicyWithModules": {
			reason:  "Modules in a Policy are named for the file, since errors name them.",
			archive: "-- p.yaml --\n" + policyHead + "metadata: {name: m}\nspec:\n  source:\n    modules: [{name: m.rego, rego: \"package x\"}]\n",
			want:    []string{"m from DIR/p.yaml:1: DIR/p.yaml#m.rego, any package"},
		},
		"Exceptions": {
			reason:  "Exceptions are sorted by namespace and name; they need no policies beside them.",
			archive: "-- x.json --\n" + exception("b", "z") + exception("a", "y") + "\n-- y.yml --\n" + exception("a", "x"),
			want:    []string{"exception a/x", "exception a/y", "exception b/z"},
		},
		"Nothing": {
			reason:  "A folder without policies allows everything, which nobody means.",
			archive: "-- README.md --\n",
			wrong:   []string{"DIR: has no policies: neither folders with .rego files nor Policy objects"},
		},
		"BadFolderName": {
			reason:  "A folder's name has to be one that a Policy object can have.",
			archive: "-- My_Policy/a.rego --\n-- ok/a.rego --\n",
			want:    []string{"ok from DIR/ok: DIR/ok/a.rego"},
			wrong:   []string{`DIR/My_Policy: "My_Policy" is no name for a policy: small letters, digits and - are`},
		},
		"SameFolderName": {
			reason:  "Of two folders of one name neither counts; the error names both.",
			archive: "-- x/a/a.rego --\n-- y/a/a.rego --\n-- z/b/b.rego --\n",
			want:    []string{"b from DIR/z/b: DIR/z/b/b.rego"},
			wrong:   []string{"policy a: the name is there twice: in DIR/x/a and in DIR/y/a"},
		},
		"FolderAndModules": {
			reason:  "A Policy with Rego of its own does not configure a folder.",
			archive: "-- a/a.rego --\n-- p.yaml --\n" + policyHead + "metadata: {name: a}\nspec: {source: {library: probes}}\n",
			wrong:   []string{"policy a: the name is there twice: in DIR/p.yaml:1 and in DIR/a"},
		},
		"ConfiguredTwice": {
			reason:  "Two Policy objects of one name contradict each other, even if they agree.",
			archive: "-- a/a.rego --\n-- p.yaml --\n" + policyHead + "metadata: {name: a}\nspec: {}\n---\n" + policyHead + "metadata: {name: a}\nspec: {}\n",
			wrong:   []string{"policy a: the name is there twice: in DIR/a, configured in DIR/p.yaml:1 and in DIR/a, configured in DIR/p.yaml:6"},
		},
		"LibraryConfiguredTwice": {
			reason:  "So do two that configure the same policy of the library.",
			archive: "-- p.yaml --\n" + policyHead + "metadata: {name: probes}\nspec: {source: {library: probes}}\n---\n" + policyHead + "metadata: {name: probes}\nspec: {source: {library: probes}}\n",
			wrong:   []string{"policy probes: the name is there twice: in DIR/p.yaml:1 and in DIR/p.yaml:6"},
		},
		"SameException": {
			reason:  "Two exceptions of one name are an error, too.",
			archive: "-- x.json --\n" + exception("a", "x") + "\n" + exception("a", "x") + "\n",
			want:    []string{"exception a/x"},
			wrong:   []string{"exception a/x is there twice: in DIR/x.json:1 and in DIR/x.json:2"},
		},
		"NoSource": {
			reason:  "A Policy that configures nothing is a misspelt one.",
			archive: "-- p.yaml --\n" + policyHead + "metadata: {name: probes}\n---\n" + policyHead + "metadata: {name: prob}\nspec: {}\n",
			wrong: []string{
				"DIR/p.yaml:1: policy probes: there is no spec.source, and no folder of that name has Rego: for the library's write source: {library: probes}",
				"DIR/p.yaml:8: policy prob: there is no spec.source, and no folder of that name has Rego: write source: {library: …} or source: {modules: […]}",
			},
		},
		"NotInLibrary": {
			reason:  "A policy that the library lacks is an error that says what it has.",
			archive: "-- p.yaml --\n" + policyHead + "metadata: {name: p}\nspec:\n  source:\n    library: probe\n",
			wrong: []string{"DIR/p.yaml:6: policy p: spec.source.library: the library has no policy \"probe\", only " +
				strings.Join(embeddedNames(t), ", ")},
		},
		"ConfigMap": {
			reason:  "There is no cluster to read a ConfigMap from.",
			archive: "-- p.yaml --\n" + policyHead + "metadata: {name: p}\nspec:\n  source:\n    configMapRef: {namespace: shop, name: c}\n",
			wrong:   []string{"DIR/p.yaml:6: policy p: spec.source.configMapRef: ConfigMaps are read in a cluster only; here Rego stands in a folder called p or in spec.source.modules"},
		},
		"TwoSources": {
			reason:  "One source is enough.",
			archive: "-- p.yaml --\n" + policyHead + "metadata: {name: p}\nspec:\n  source: {library: probes, modules: [{name: a, rego: b}]}\n",
			wrong:   []string{"DIR/p.yaml:5: policy p: spec.source has both library and modules"},
		},
		"BadModules": {
			reason:  "Modules have names, each its own.",
			archive: "-- p.yaml --\n" + policyHead + "metadata: {name: p}\nspec:\n  source:\n    modules:\n    - rego: x\n---\n" + policyHead + "metadata: {name: q}\nspec:\n  source:\n    modules:\n    - {name: a, rego: x}\n    - {name: a, rego: x}\n",
			wrong: []string{
				"DIR/p.yaml:7: policy p: spec.source.modules[0].name is missing",
				`DIR/p.yaml:16: policy q: spec.source.modules[1].name: "a" is there twice`,
			},
		},
		"UnknownFields": {
			reason:  "Every misspelt field is told of with its line, and the rest of the folder is read.",
			archive: "-- a/a.rego --\n-- p.yaml --\n" + policyHead + "metadata:\n  name: p\n  nmespace: x\nspec:\n  enforcment: warn\n  stages:\n  - from: \"2027-01-15T00:00:00Z\"\n    enforcement: deny\n    untill: x\n  scopes: []\n",
			want:    []string{"a from DIR/a: DIR/a/a.rego"},
			wrong: []string{
				`DIR/p.yaml:5: unknown field "metadata.nmespace"`,
				`DIR/p.yaml:7: unknown field "spec.enforcment"`,
				`DIR/p.yaml:11: unknown field "spec.stages[0].untill"`,
			},
		},
		"WrongCase": {
			reason:  "Fields are spelt as the API server spells them.",
			archive: "-- p.json --\n{\"apiVersion\": \"lintel.dev/v1alpha1\", \"kind\": \"Policy\",\n \"metadata\": {\"name\": \"p\"},\n \"spec\": {\"Source\": {\"library\": \"probes\"}}}\n",
			wrong:   []string{`DIR/p.json:3: unknown field "spec.Source"`},
		},
		"WrongType": {
			reason:  "A value of the wrong type is told of by its field.",
			archive: "-- p.yaml --\n" + policyHead + "metadata: {name: p}\nspec:\n  source: {library: probes}\n  enforcement: [deny]\n",
			wrong:   []string{"DIR/p.yaml:6: spec.enforcement is array, but has to be string"},
		},
		"RepeatedKeys": {
			reason:  "Of a key that is there twice, readers see one and the program the other.",
			archive: "-- p.yaml --\n" + policyHead + "metadata: {name: p}\nspec:\n  enforcement: deny\n  enforcement: warn\n-- q.json --\n{\"apiVersion\": \"lintel.dev/v1alpha1\", \"kind\": \"Policy\", \"metadata\": {\"name\": \"q\"},\n\"spec\": {\"enforcement\": \"deny\", \"enforcement\": \"warn\", \"source\": {\"library\": \"probes\"}}}\n",
			wrong:   []string{`DIR/p.yaml:6: key "enforcement" is there twice`, `DIR/q.json:2: duplicate field "spec.enforcement"`},
		},
		"OtherKinds": {
			reason: "A folder of policies holds nothing else; versions and kinds that do not exist are named.",
			archive: "-- a.yaml --\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n---\n# old\napiVersion: lintel.dev/v1\nkind: Policy\n---\napiVersion: lintel.dev/v1alpha1\nkind: Policies\n" +
				"---\nkind: Policy\nmetadata: {name: x}\n---\nKind: Policy\n---\n- a\n---\njust text\n",
			wrong: []string{
				"DIR/a.yaml:2: v1 ConfigMap has no place among policies: only Policy and PolicyException of lintel.dev/v1alpha1 do",
				`DIR/a.yaml:6: apiVersion is "lintel.dev/v1", but only "lintel.dev/v1alpha1" is known`,
				`DIR/a.yaml:10: kind is "Policies", but lintel.dev/v1alpha1 has only Policy and PolicyException`,
				"DIR/a.yaml:12: apiVersion or kind is missing: a Policy or PolicyException has both",
				"DIR/a.yaml:15: apiVersion or kind is missing: a Policy or PolicyException has both",
				"DIR/a.yaml:17: is no Policy or PolicyException",
				"DIR/a.yaml:19: is no Policy or PolicyException",
			},
		},
		"Names": {
			reason:  "Objects have names, and exceptions a namespace.",
			archive: "-- p.yaml --\n" + policyHead + "metadata: {}\n---\n" + policyHead + "metadata:\n  name: Probes\n---\napiVersion: lintel.dev/v1alpha1\nkind: PolicyException\nmetadata: {name: e}\n---\napiVersion: lintel.dev/v1alpha1\nkind: PolicyException\nmetadata: {namespace: shop}\n",
			wrong: []string{
				"DIR/p.yaml:3: metadata.name is missing",
				`DIR/p.yaml:8: "Probes" is no name for a policy: small letters, digits and - are`,
				"DIR/p.yaml:12: metadata.namespace is missing: an exception is for the namespace that it is in",
				"DIR/p.yaml:16: metadata.name is missing",
			},
		},
		"NoYAML": {
			reason:  "What cannot be read is told of with its line, and the documents after it are read.",
			archive: "-- p.yaml --\n\n\nspec: [\n---\n" + policyHead + "metadata: {name: probes}\nspec: {source: {library: probes}}\n",
			want:    []string{"probes from DIR/p.yaml:5: probes/probes.rego"},
			wrong:   []string{"DIR/p.yaml:3: read YAML: did not find expected node content"},
		},
		"WindowsFile": {
			reason:  "A byte-order mark and carriage returns change nothing.",
			archive: "-- p.yaml --\n\xef\xbb\xbf" + strings.ReplaceAll(policyHead+"metadata: {name: probes}\nspec: {source: {library: probes}}\n---\n# end\n", "\n", "\r\n"),
			want:    []string{"probes from DIR/p.yaml:1: probes/probes.rego"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dir := folderOf(t, "folder", tc.archive)
			s, err := policies.Load(dir)
			have, wrong := told(dir, s, err)
			if diff := cmp.Diff(tc.want, have); diff != "" {
				t.Errorf("%s\nLoad(...): -want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.wrong, wrong); diff != "" {
				t.Errorf("%s\nLoad(...) errors: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// exception returns a PolicyException as one line of JSON.
func exception(namespace, name string) string {
	return fmt.Sprintf(`{"apiVersion": "lintel.dev/v1alpha1", "kind": "PolicyException", "metadata": {"namespace": %q, "name": %q}, `+
		`"spec": {"policies": ["probes"], "objects": {"names": ["x"]}, "reason": "r", "owner": "o", "expires": "2027-01-01T00:00:00Z"}}`, namespace, name)
}

func TestLoadStaysInTheFolder(t *testing.T) {
	const rego = "package lintel.x\n"
	cases := map[string]struct {
		reason string
		make   func(t *testing.T, dir string)
		want   []string
		wrong  []string
	}{
		"LinkInside": {
			reason: "A mounted ConfigMap is links to files in a hidden folder.",
			make: func(t *testing.T, dir string) {
				must(t, os.MkdirAll(filepath.Join(dir, ".data"), 0o755))
				must(t, os.WriteFile(filepath.Join(dir, ".data", "x"), []byte(rego), 0o600))
				must(t, os.Symlink("../.data/x", filepath.Join(dir, "a", "b.rego")))
				must(t, os.Symlink("../.data/x", filepath.Join(dir, "a", "b.txt")))
			},
			want: []string{"a from DIR/a: DIR/a/a.rego DIR/a/b.rego"},
		},
		"LinkOut": {
			reason: "A link out of the folder is not followed, and said so since a policy may be behind it.",
			make: func(t *testing.T, dir string) {
				must(t, os.WriteFile(filepath.Join(dir, "..", "out.rego"), []byte(rego), 0o600))
				must(t, os.Symlink("../../out.rego", filepath.Join(dir, "a", "out.rego")))
				must(t, os.Symlink("/etc", filepath.Join(dir, "etc")))
				must(t, os.Symlink("nowhere", filepath.Join(dir, "nowhere.yaml")))
			},
			want: []string{"a from DIR/a: DIR/a/a.rego"},
			wrong: []string{
				"DIR/a/out.rego: is a symbolic link that leads nowhere or out of the folder",
				"DIR/etc: is a symbolic link that leads nowhere or out of the folder",
				"DIR/nowhere.yaml: is a symbolic link that leads nowhere or out of the folder",
			},
		},
		"LinkToFolder": {
			reason: "A link to a folder could lead round in a circle.",
			make:   func(t *testing.T, dir string) { must(t, os.Symlink("..", filepath.Join(dir, "a", "up"))) },
			want:   []string{"a from DIR/a: DIR/a/a.rego"},
			wrong:  []string{"DIR/a/up: is a symbolic link to a folder, which is not followed: name that folder itself"},
		},
		"Pipes": {
			reason: "Reading a pipe would wait for ever.",
			make: func(t *testing.T, dir string) {
				must(t, syscall.Mkfifo(filepath.Join(dir, "a", "p.rego"), 0o600))
				must(t, syscall.Mkfifo(filepath.Join(dir, "a", "p.txt"), 0o600))
				must(t, os.Symlink("p.rego", filepath.Join(dir, "a", "q.yaml")))
			},
			want:  []string{"a from DIR/a: DIR/a/a.rego"},
			wrong: []string{"DIR/a/p.rego: is no regular file", "DIR/a/q.yaml: is no regular file"},
		},
		"Large": {
			reason: "A file larger than any object can be is not read.",
			make: func(t *testing.T, dir string) {
				must(t, os.WriteFile(filepath.Join(dir, "a", "big.rego"), make([]byte, 1<<20+1), 0o600))
				must(t, os.Truncate(filepath.Join(dir, "a", "big.rego"), 1<<40))
			},
			want:  []string{"a from DIR/a: DIR/a/a.rego"},
			wrong: []string{"DIR/a/big.rego: is larger than 1024 KiB"},
		},
		"Deep": {
			reason: "Folders nest only so deep.",
			make: func(t *testing.T, dir string) {
				must(t, os.MkdirAll(filepath.Join(dir, strings.Repeat("d/", 33)), 0o755))
			},
			want:  []string{"a from DIR/a: DIR/a/a.rego"},
			wrong: []string{"DIR/" + strings.Repeat("d/", 32) + "d: folders nest deeper than 32"},
		},
		"Bomb": {
			reason: "YAML whose aliases multiply is refused, not expanded.",
			make: func(t *testing.T, dir string) {
				must(t, os.WriteFile(filepath.Join(dir, "bomb.yaml"), []byte(bomb()), 0o600))
			},
			want:  []string{"a from DIR/a: DIR/a/a.rego"},
			wrong: []string{"DIR/bomb.yaml:1: read YAML: document contains excessive aliasing"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dir := folderOf(t, "folder", "-- a/a.rego --\npackage lintel.a\n")
			tc.make(t, dir)
			start := time.Now()
			s, err := policies.Load(dir)
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("%s\nLoad(...) took %v", tc.reason, took)
			}
			have, wrong := told(dir, s, err)
			if diff := cmp.Diff(tc.want, have); diff != "" {
				t.Errorf("%s\nLoad(...): -want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.wrong, wrong); diff != "" {
				t.Errorf("%s\nLoad(...) errors: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// bomb returns YAML of a few hundred bytes that stands for ten million strings.
func bomb() string {
	text := "spec:\n  a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c <= 'g'; c++ {
		text += fmt.Sprintf("  %c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c, ", c-1), 10), ", "))
	}
	return text
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestLoadOfNoFolder(t *testing.T) {
	dir := folderOf(t, "folder", "-- file.rego --\n")
	for _, name := range []string{"missing", "file.rego"} {
		path := filepath.Join(dir, name)
		if _, err := policies.Load(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("Load(%s): got error %v, want one that names it", path, err)
		}
	}
}

func TestCombine(t *testing.T) {
	library, err := policies.Library()
	must(t, err)
	mine := "-- p.yaml --\napiVersion: lintel.dev/v1alpha1\nkind: Policy\nmetadata: {name: probes}\nspec: {source: {library: probes}, enforcement: warn}\n"
	rego := "-- probes/p.rego --\npackage lintel.probes\n"
	excused := "-- e.json --\n" + exception("a", "x")
	rest := []string{}
	for _, name := range embeddedNames(t) {
		if name != "probes" {
			rest = append(rest, name+" from embedded: "+name+"/"+strings.ReplaceAll(name, "-", "_")+".rego")
		}
	}
	sorted := func(probes string) []string { return slices.Sorted(slices.Values(append([]string{probes}, rest...))) }
	cases := map[string]struct {
		reason   string
		archives []string // of folders; "" is the library
		want     []string
		wrong    []string
	}{
		"Library":       {"Alone, the library is as it comes.", []string{""}, sorted("probes from embedded: probes/probes.rego"), nil},
		"LibraryTwice":  {"The library twice is the library.", []string{"", ""}, sorted("probes from embedded: probes/probes.rego"), nil},
		"Configured":    {"A Policy of a folder configures the library's of its name.", []string{"", mine}, sorted("probes from DIR1/p.yaml:1: probes/probes.rego, warn"), nil},
		"OtherOrder":    {"The order of sources does not matter.", []string{mine, ""}, sorted("probes from DIR0/p.yaml:1: probes/probes.rego, warn"), nil},
		"Around":        {"Nor how often the library is there.", []string{"", mine, ""}, sorted("probes from DIR1/p.yaml:1: probes/probes.rego, warn"), nil},
		"TwoConfigure":  {"Two folders that configure one policy clash.", []string{mine, "", mine}, rest, []string{"policy probes: the name is there twice: in DIR0/p.yaml:1 and in DIR2/p.yaml:1"}},
		"OwnRego":       {"Rego of the name of a policy of the library clashes with it.", []string{"", rego}, rest, []string{"policy probes: the name is there twice: in embedded and in DIR1/probes"}},
		"TwoFolders":    {"So do two folders with policies of one name.", []string{rego, rego}, nil, []string{"policy probes: the name is there twice: in DIR0/probes and in DIR1/probes"}},
		"SameException": {"And two exceptions.", []string{excused, excused}, []string{"exception a/x"}, []string{"exception a/x is there twice: in DIR0/e.json:1 and in DIR1/e.json:1"}},
		"Nothing":       {"Nothing together with nothing is nothing.", nil, nil, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var sources []policies.Source
			short := func(text string) string { return text }
			for i, archive := range tc.archives {
				if archive == "" {
					sources = append(sources, library)
					continue
				}
				dir := folderOf(t, "folder", archive)
				s, err := policies.Load(dir)
				must(t, err)
				sources = append(sources, s)
				before := short
				short = func(text string) string { return strings.ReplaceAll(before(text), dir, fmt.Sprintf("DIR%d", i)) }
			}
			s, err := policies.Combine(sources...)
			have, wrong := told("\x00", s, err)
			for _, lines := range [][]string{have, wrong} {
				for i := range lines {
					lines[i] = short(lines[i])
				}
			}
			if diff := cmp.Diff(tc.want, have); diff != "" {
				t.Errorf("%s\nCombine(...): -want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.wrong, wrong); diff != "" {
				t.Errorf("%s\nCombine(...) errors: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
