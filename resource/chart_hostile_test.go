package resource_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/resource"
)

const (
	chartYAML = "apiVersion: v2\nname: c\nversion: 1.0.0\n"
	tinyMap   = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"
)

// TestChartFound says what is a chart, and what is read of it.
func TestChartFound(t *testing.T) {
	t.Parallel()
	chart := map[string]string{"c/Chart.yaml": chartYAML, "c/values.yaml": "a: 1\n", "c/templates/a.yaml": tinyMap, "c/ci/b.yaml": tinyMap, "a.yaml": tinyMap}
	hook := func(on string) string {
		return "apiVersion: v1\nkind: Pod\nmetadata: {name: x, annotations: {helm.sh/hook: '" + on + "'}}\n"
	}
	cases := map[string]struct {
		reason  string
		files   map[string]string // in addition to those of a chart in c
		path    string            // below the folder
		want    []string          // files of the objects
		errs    []string
		skipped int
	}{
		"Walked": {
			reason: "A chart in a folder is rendered, and what stands beside its templates is read as everywhere.",
			want:   []string{"a.yaml", "c/templates/a.yaml", "c/ci/b.yaml"},
		},
		"AtTheTop": {
			reason: "A chart at the top hides nothing, be it a kustomization, or objects in a file that helm reads otherwise.",
			files: map[string]string{
				"Chart.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\nname: c\nversion: 1.0.0\n", "values.yaml": tinyMap, "templates/x.yaml": tinyMap,
				"k/kustomization.yaml": "resources: [x.yaml]\n", "k/x.yaml": tinyMap, ".helmignore": "k/\na.yaml\n",
			},
			want: []string{"templates/x.yaml", "Chart.yaml", "a.yaml", "c/templates/a.yaml", "c/ci/b.yaml", "k/x.yaml", "values.yaml"},
		},
		"TemplateBeside": {
			reason: "What is a template itself cannot be read; what kubectl would read otherwise than people is told of.", path: "c",
			files: map[string]string{"c/files/a.yaml": tinyMap + "---\n{{ if a }}\n", "c/files/b.yaml": "# {{\n" + tinyMap + "kind: Pod\n"},
			want:  []string{"c/templates/a.yaml", "c/ci/b.yaml", "c/files/a.yaml"}, skipped: 1,
			errs: []string{`c/files/b.yaml:5: key "kind" is there twice in one object`},
		},
		"Named":    {reason: "A chart that is named is rendered.", path: "c", want: []string{"c/templates/a.yaml", "c/ci/b.yaml"}},
		"Packaged": {reason: "So is a packaged one.", files: map[string]string{"p.tgz/p/Chart.yaml": chartYAML, "p.tgz/p/templates/a.yaml": tinyMap}, path: "p.tgz", want: []string{"p.tgz:templates/a.yaml"}},
		"PackagedWalked": {
			reason: "In a folder, archives are not looked into, as they may be anything.",
			files:  map[string]string{"p.tgz": "x"}, want: []string{"a.yaml", "c/templates/a.yaml", "c/ci/b.yaml"},
		},
		"Template": {
			reason: "A template by itself means nothing.", path: "c/templates/a.yaml",
			errs: []string{`c/templates/a.yaml: is a template of a chart: name the chart's folder "c" to have it rendered`},
		},
		"Templates": {
			reason: "Nor do all of them.", path: "c/templates",
			errs: []string{`c/templates: is a template of a chart: name the chart's folder "c" to have it rendered`},
		},
		"InChart":    {reason: "Other files in a chart can be named.", path: "c/ci/b.yaml", want: []string{"c/ci/b.yaml"}},
		"Values":     {reason: "Values are no object.", path: "c/values.yaml", errs: []string{"c/values.yaml:1: is no Kubernetes object: apiVersion or kind is missing"}},
		"Library":    {reason: "A library chart in a folder has nothing to judge.", files: map[string]string{"c/Chart.yaml": chartYAML + "type: library\n"}, want: []string{"a.yaml", "c/ci/b.yaml"}, skipped: 1},
		"LibraryNow": {reason: "One that is named cannot be judged.", path: "c", files: map[string]string{"c/Chart.yaml": chartYAML + "type: library\n"}, want: []string{"c/ci/b.yaml"}, errs: []string{"c: is a library chart, which has no objects of its own: name a chart that uses it"}},
		"Nothing":    {reason: "A chart that is named and renders nothing is not clean, nothing was judged.", path: "c", files: map[string]string{"c/templates/a.yaml": "{{ if .Values.b }}x{{ end }}"}, want: []string{"c/ci/b.yaml"}, errs: []string{"c: renders no Kubernetes object with these values"}},
		"Hooks": {
			reason: "helm install creates hooks, but not those for tests and those that it does not know.", path: "c",
			files: map[string]string{
				"c/templates/a.yaml": hook("test"), "c/templates/b.yaml": hook("pre-install"), "c/templates/c.yaml": hook("test, post-install"),
				"c/templates/d.yaml": hook("test-success"), "c/templates/e.yaml": hook("unknown"),
			},
			want: []string{"c/templates/b.yaml", "c/templates/c.yaml", "c/ci/b.yaml"}, skipped: 3,
		},
		"HooksOfArgo": {
			reason: "What Argo CD creates of a chart is judged, though helm would not.", path: "c",
			files: map[string]string{"c/templates/a.yaml": hook("crd-install"), "c/templates/b.yaml": hook("test', argocd.argoproj.io/hook: 'Sync")},
			want:  []string{"c/templates/a.yaml", "c/templates/b.yaml", "c/ci/b.yaml"},
		},
		"NotKubernetes": {reason: "What helm install could not create is an error.", path: "c", files: map[string]string{"c/templates/a.yaml": "\na: b\n"}, want: []string{"c/ci/b.yaml"}, errs: []string{"c/templates/a.yaml:2: is no Kubernetes object: apiVersion or kind is missing"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := maps.Clone(chart)
			maps.Copy(all, tc.files)
			dir := chartTree(t, all)
			r := resource.Load(t.Context(), charts(t), filepath.Join(dir, tc.path))
			found, errs := files(dir, r)
			if diff := cmp.Diff(tc.want, found); diff != "" {
				t.Errorf("%s\nobjects: -want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.errs, errs); diff != "" {
				t.Errorf("%s\nerrors: -want, +got:\n%s", tc.reason, diff)
			}
			if r.Skipped != tc.skipped {
				t.Errorf("%s\nskipped %d, want %d", tc.reason, r.Skipped, tc.skipped)
			}
		})
	}
}

// TestBrokenChart holds errors to naming the place, and to repeating no value.
func TestBrokenChart(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		reason string
		files  map[string]string
		set    []string
		want   string
	}{
		"Syntax":     {reason: "A template that cannot be parsed.", files: map[string]string{"templates/a.yaml": "a: b\nc: {{ if }}\n"}, want: "templates/a.yaml:2: read template: missing value for if"},
		"Unclosed":   {reason: "What is not closed has the line where it begins.", files: map[string]string{"templates/a.yaml": "a: b\nc: {{ .Values.x\n"}, want: "templates/a.yaml:2: read template: unclosed action"},
		"Function":   {reason: "Functions that helm takes away are not there.", files: map[string]string{"templates/a.yaml": `{{ env "HOME" }}`}, want: `templates/a.yaml:1: read template: function "env" not defined`},
		"Nil":        {reason: "A value that is missing is named.", files: map[string]string{"templates/a.yaml": "a: b\nc: {{ .Values.x.y }}\n"}, want: "templates/a.yaml:2: render: nil pointer evaluating interface {}.y at .Values.x.y"},
		"Helper":     {reason: "An error in a helper is at the helper's line.", files: map[string]string{"templates/_a.tpl": "{{ define \"a\" }}\n\n{{ .Values.x.y }}{{ end }}", "templates/a.yaml": "\n{{ include \"a\" . }}"}, want: "templates/_a.tpl:3: render: nil pointer evaluating interface {}.y at .Values.x.y (included on line 2 of templates/a.yaml)"},
		"Required":   {reason: "What the author says is shown.", files: map[string]string{"templates/a.yaml": `{{ required "Set .Values.x, please!" .Values.x }}`}, want: "templates/a.yaml:1: render: the chart says: Set .Values.x, please!"},
		"Fail":       {reason: "But for the values in it.", files: map[string]string{"templates/a.yaml": `{{ fail (printf "x is %q, of %s" .Values.x .Values.y) }}`}, set: []string{"x=hunter22", "y=hunter23"}, want: `templates/a.yaml:1: render: the chart says: x is … of …`},
		"Range":      {reason: "Go repeats what cannot be iterated over.", files: map[string]string{"templates/a.yaml": "{{ range .Values.x }}{{ end }}"}, set: []string{"x=hunter22"}, want: "templates/a.yaml:1: render: range cannot iterate over that value at .Values.x"},
		"Tpl":        {reason: "helm repeats the whole template that tpl was given.", files: map[string]string{"values.yaml": "x: '{{ hunter22 '\n", "templates/a.yaml": "{{ tpl .Values.x . }}"}, want: "templates/a.yaml:1: render: error calling tpl (helm says more, in which there may be values) at tpl .Values.x ."},
		"TplFails":   {reason: "Also if it fails later.", files: map[string]string{"values.yaml": "x: '{{ .hunter22.b.c }}'\n", "templates/a.yaml": "{{ tpl .Values.x . }}"}, want: "templates/a.yaml:1: render: error calling tpl (helm says more, in which there may be values) at tpl .Values.x ."},
		"Include":    {reason: "A template that is not there is named.", files: map[string]string{"templates/a.yaml": `{{ include "c.labels" . }}`}, want: `templates/a.yaml:1: render: no template "c.labels" associated with template "gotpl"`},
		"IncludeX":   {reason: "But not if a value names it.", files: map[string]string{"templates/a.yaml": "{{ include .Values.x . }}"}, set: []string{"x=hunter22"}, want: `templates/a.yaml:1: render: no template "…" associated with template "gotpl" at include .Values.x .`},
		"Function2":  {reason: "Functions repeat what they cannot read.", files: map[string]string{"templates/a.yaml": `{{ mustToDate "2006" .Values.x }}`}, set: []string{"x=hunter22"}, want: "templates/a.yaml:1: render: error calling mustToDate (helm says more, in which there may be values)"},
		"Rendered":   {reason: "YAML that cannot be read has its line in the template.", files: map[string]string{"templates/a.yaml": "{{- if true }}\n" + tinyMap + "{{- end }}\ndata: {a: {{ .Values.x }}\nb: c\n"}, set: []string{"x=hunter22"}, want: "templates/a.yaml:7: read YAML: did not find expected ',' or '}'"},
		"Values":     {reason: "So have the chart's values.", files: map[string]string{"values.yaml": "a: b\nhunter22: [\n"}, want: "values.yaml:3: read YAML: did not find expected node content"},
		"ValuesList": {reason: "Values that are no object.", files: map[string]string{"values.yaml": "- hunter22\n"}, want: "values.yaml: does not have the form that helm reads: some value is of another type"},
		"Metadata":   {reason: "A Chart.yaml without what it needs.", files: map[string]string{"Chart.yaml": "apiVersion: v2\nname: c\n"}, want: "Chart.yaml: validation: chart.metadata.version is required"},
		"Set":        {reason: "Values on the command line.", set: []string{"a=b", "hunter22"}, want: "read --set number 2: is not of the form key=value"},
		"Missing": {
			reason: "Dependencies that are not there are named, with what fetches them.",
			files:  map[string]string{"Chart.yaml": chartYAML + "dependencies: [{name: redis, version: 1.x, repository: 'https://example.com'}, {name: nginx, version: 1.x, repository: 'file://../nginx'}]\n"},
			want:   "Chart.yaml: dependencies are not in charts/: redis, nginx (helm dependency build fetches them)",
		},
		"Kubernetes": {reason: "A chart for another version.", files: map[string]string{"Chart.yaml": chartYAML + "kubeVersion: '<1.20'\n"}, want: `Chart.yaml: kubeVersion "<1.20" leaves out Kubernetes v1.37.0`},
		"Schema": {
			reason: "A schema that the values break is said without the values.",
			files:  map[string]string{"values.schema.json": `{"properties": {"a": {"type": "integer"}, "b": {"enum": ["x"]}, "c": {"pattern": "^x"}}, "required": ["d", "e"]}`},
			set:    []string{"a=hunter22", "b=hunter22", "c=hunter22"},
			want:   "values.schema.json: is broken by the values: at /: lacks d, e; at /a: is of type string, not integer; at /b: breaks enum; at /c: breaks pattern",
		},
		"SchemaURL":   {reason: "Nothing is fetched.", files: map[string]string{"values.schema.json": `{"$ref": "https://example.com/x.json"}`}, want: "values.schema.json: refers to a URL or to another file, which is not read"},
		"SchemaFile":  {reason: "Nothing outside of the chart is read.", files: map[string]string{"values.schema.json": `{"$ref": "file:///etc/passwd"}`}, want: "values.schema.json: refers to a URL or to another file, which is not read"},
		"SchemaInner": {reason: "A chart in a chart has its own schema.", files: map[string]string{"charts/s/Chart.yaml": "apiVersion: v2\nname: s\nversion: 1.0.0\n", "charts/s/values.schema.json": `{"required": ["x"]}`}, want: "charts/s/values.schema.json: is broken by the values: at /: lacks x"},
		"Inner":       {reason: "A folder in charts/ that is none.", files: map[string]string{"charts/s/values.yaml": ""}, want: "charts/s: is no chart: Chart.yaml is missing or cannot be read"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := map[string]string{"Chart.yaml": chartYAML, "templates/z.yaml": tinyMap}
			maps.Copy(all, tc.files)
			dir := chartTree(t, all)
			opts := charts(t)
			opts.Charts.Set = tc.set
			_, errs := files(dir, resource.Load(t.Context(), opts, dir))
			want := tc.want
			if strings.HasPrefix(want, "read --set") {
				want = dir + ": " + want
			}
			if diff := cmp.Diff([]string{want}, errs); diff != "" {
				t.Errorf("%s\nerrors: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestHostileChart holds charts to reading nothing outside of them, and to ending.
func TestHostileChart(t *testing.T) {
	t.Parallel()
	outside := filepath.Join(t.TempDir(), "secret.yaml")
	if err := os.WriteFile(outside, []byte(tinyMap), 0o600); err != nil {
		t.Fatal(err)
	}
	use := tinyMap + "data: {x: {{ .Files.Get \"x\" | quote }}}\n"
	const memory = "c: takes more than 1024 MiB of memory to render"
	cases := map[string]struct {
		reason string
		files  map[string]string
		path   string
		want   string
	}{
		"LinkOut":      {reason: "helm follows links out of a chart.", files: map[string]string{"c/x": "->" + outside, "c/templates/a.yaml": use}, want: "c/x: is a symbolic link that leads nowhere or out of the chart"},
		"LinkToParent": {reason: "Also one that stays in the folder that is walked.", files: map[string]string{"c/x": "->../y", "y": "y", "c/templates/a.yaml": use}, want: "c/x: is a symbolic link that leads nowhere or out of the chart"},
		"LinkedFolder": {reason: "And a folder.", files: map[string]string{"c/charts": "->" + filepath.Dir(outside)}, want: "c/charts: is a symbolic link that leads nowhere or out of the chart"},
		"LinkLoop":     {reason: "A link to itself.", files: map[string]string{"c/x": "->x"}, want: "c/x: is a symbolic link that leads nowhere or out of the chart"},
		"FolderLoop":   {reason: "A folder in itself.", files: map[string]string{"c/x": "->."}, want: "c/" + strings.Repeat("x/", 8) + "x: is a symbolic link that leads nowhere or out of the chart"},
		"Outside":      {reason: "A name that leads out finds nothing.", files: map[string]string{"c/templates/a.yaml": "{{ if .Files.Get \"../secret\" }}{{ fail \"read\" }}{{ end }}", "secret": "x"}, want: "c: renders no Kubernetes object with these values"},
		"Pipe":         {reason: "Reading it would wait for ever.", files: map[string]string{"c/pipe": "|"}, want: "c/pipe: is a named pipe, no regular file, in a chart"},
		"TarParent":    {reason: "An archive whose names lead out.", files: map[string]string{"p.tgz/p/../../x": "x", "p.tgz/p/Chart.yaml": chartYAML}, path: "p.tgz", want: "p.tgz: unpack: chart illegally references parent directory"},
		"TarInner":     {reason: "Such an archive in a chart.", files: map[string]string{"c/charts/p.tgz/p/../../x": "x"}, want: "c/charts/p.tgz: unpack: chart illegally references parent directory"},
		"NoTar":        {reason: "What is no archive.", files: map[string]string{"p.tgz": strings.Repeat("hunter22", 99)}, path: "p.tgz", want: "p.tgz: unpack: gzip: invalid header"},
		"ZipBomb":      {reason: "An archive of 200 KB that becomes 200 MB.", files: map[string]string{"p.tgz/p/Chart.yaml": chartYAML, "p.tgz/p/x": strings.Repeat("\x00", 200<<20)}, path: "p.tgz", want: "p.tgz: unpack: decompressed chart is larger than the maximum size 104857600"},
		"Until":        {reason: "A list of all numbers.", files: map[string]string{"c/templates/a.yaml": "{{ range until 9000000000 }}{{ end }}"}, want: memory},
		"Repeat":       {reason: "A text of 90 GB.", files: map[string]string{"c/templates/a.yaml": `{{ repeat 90000000000 "x" }}`}, want: memory},
		"Doubling":     {reason: "A text that doubles.", files: map[string]string{"c/templates/a.yaml": `{{ $s := "x" }}{{ range until 50 }}{{ $s = print $s $s }}{{ end }}`}, want: memory},
		"Endless":      {reason: "A loop that takes no memory.", files: map[string]string{"c/templates/a.yaml": "{{ range 9000000000000 }}{{ end }}"}, want: "c: takes more than 2s to render"},
		"Recursion":    {reason: "A template that includes itself.", files: map[string]string{"c/templates/a.yaml": `{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}`}, want: "c/templates/a.yaml:1: render: rendering template has a nested reference name: a"},
		"Large":        {reason: "40 MB of output.", files: map[string]string{"c/templates/a.yaml": `x: {{ repeat 40000000 "x" }}`}, want: "c: becomes more than 32 MiB when it is rendered"},
		"LargeFile":    {reason: "A sparse file of 1 GB.", files: map[string]string{"c/large": "0"}, want: "c/large: makes the chart larger than 100 MiB"},
		"Aliases":      {reason: "Values that become large by aliases.", files: map[string]string{"c/values.yaml": "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n"}, want: "c/values.yaml:1: read YAML: document contains excessive aliasing"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			all := map[string]string{"c/Chart.yaml": chartYAML}
			maps.Copy(all, tc.files)
			delete(all, "c/pipe")
			dir := chartTree(t, all)
			if tc.files["c/pipe"] != "" {
				if err := syscall.Mkfifo(filepath.Join(dir, "c/pipe"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if tc.files["c/large"] != "" {
				if err := os.Truncate(filepath.Join(dir, "c/large"), 1<<30); err != nil {
					t.Fatal(err)
				}
			}
			opts := charts(t)
			opts.Charts.Timeout = 5 * time.Minute // on a busy machine, memory is what ends first
			if name == "Endless" {
				opts.Charts.Timeout = 2 * time.Second
			}
			path := tc.path
			if path == "" {
				path = "c"
			}
			r := resource.Load(t.Context(), opts, filepath.Join(dir, path))
			_, errs := files(dir, r)
			if diff := cmp.Diff([]string{tc.want}, errs); diff != "" {
				t.Errorf("%s\nerrors: -want, +got:\n%s", tc.reason, diff)
			}
			if len(r.Objects) > 0 {
				t.Errorf("%s\n%d objects are there", tc.reason, len(r.Objects))
			}
		})
	}
}

// TestNoRenderer holds a chart to being an error where nothing can render it.
func TestNoRenderer(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"c/Chart.yaml": chartYAML, "a.yaml": tinyMap})
	found, errs := files(dir, resource.Load(t.Context(), resource.Options{}, dir))
	if diff := cmp.Diff([]string{"c: " + resource.ErrNoRenderer.Error()}, errs); diff != "" {
		t.Errorf("errors: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a.yaml"}, found); diff != "" {
		t.Errorf("objects: -want, +got:\n%s", diff)
	}
}
