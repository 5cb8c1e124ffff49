package resource_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/lintel-policy/lintel/resource"
)

// renderArgument makes the test binary the process that renders charts.
const renderArgument = "render-chart"

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == renderArgument {
		if err := resource.RenderCharts(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// charts returns options that render charts.
func charts(t *testing.T) resource.Options {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return resource.Options{Namespace: "shop", Charts: resource.ChartOptions{Renderer: []string{program, renderArgument}}}
}

// chartTree makes files under a new folder, as tree does. What is in a folder whose
// name ends in .tgz becomes an archive of that name.
func chartTree(t *testing.T, files map[string]string) string {
	t.Helper()
	plain, packed := map[string]string{}, map[string]map[string]string{}
	for name, content := range files {
		archive, inner, isPacked := strings.Cut(name, ".tgz/")
		if !isPacked {
			plain[name] = content
			continue
		}
		if packed[archive] == nil {
			packed[archive] = map[string]string{}
		}
		packed[archive][inner] = content
	}
	for archive, files := range packed {
		plain[archive+".tgz"] = pack(t, files)
	}
	return tree(t, plain)
}

// pack returns an archive.
func pack(t *testing.T, files map[string]string) string {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	w := tar.NewWriter(zipped)
	for name, content := range files {
		err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg})
		if err == nil {
			_, err = w.Write([]byte(content))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestChartsAsHelm renders charts with helm itself and compares the objects.
func TestChartsAsHelm(t *testing.T) {
	t.Parallel()
	helm := buildHelm(t)
	names, err := filepath.Glob("testdata/charts/*.txtar")
	if err != nil || len(names) < 10 {
		t.Fatalf("found %d charts (%v)", len(names), err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			files := map[string]string{}
			for _, f := range archive.Files {
				files[f.Name] = string(f.Data)
			}
			dir := chartTree(t, files)
			if !compareWithHelm(t, helm, dir, chartArgs(string(archive.Comment), dir)) {
				t.Error("helm refuses it")
			}
		})
	}
}

// TestYourCharts does the same with all charts below a folder of yours. Those of
// helm's own tests are in its module. Random values differ.
func TestYourCharts(t *testing.T) {
	top := os.Getenv("LINTEL_CHARTS")
	if top == "" {
		t.Skip("LINTEL_CHARTS names no folder")
	}
	helm := buildHelm(t)
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "Chart.yaml" {
			dir := filepath.Dir(path)
			t.Run(strings.TrimPrefix(dir, top), func(t *testing.T) {
				t.Parallel()
				compareWithHelm(t, helm, dir, nil)
			})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// compareWithHelm compares the objects of a chart with those of helm, and reports
// whether helm takes the chart. What it refuses has to be an error.
func compareWithHelm(t *testing.T, helm helmFunc, dir string, args []string) bool {
	t.Helper()
	opts := charts(t)
	opts.Charts = withArgs(opts.Charts, args)
	opts.Charts.Release = "rel"
	got := resource.Load(t.Context(), opts, dir)
	rendered, err := helm(t, dir, args)
	want := resource.Read(bytes.NewReader(rendered), "helm")
	if err != nil || len(want.Errors) > 0 {
		if len(got.Errors) == 0 {
			t.Errorf("Load(...) takes what helm does not: %v %v", err, want.Errors)
		}
		t.Logf("helm: %v %v\nLoad(...): %v", err, want.Errors, got.Errors)
		return false
	}
	for _, err := range got.Errors {
		t.Errorf("Load(...): %v", err)
	}
	if diff := cmp.Diff(sortedObjects(t, want), sortedObjects(t, got)); diff != "" {
		t.Errorf("objects: -helm, +Load:\n%s", diff)
	}
	for _, o := range got.Objects {
		if o.Line == 0 {
			t.Errorf("%s: an object has no line", o.File)
		}
	}
	return true
}

// chartArgs returns the arguments that the comment of a chart has on a line.
func chartArgs(comment, dir string) []string {
	for line := range strings.Lines(comment) {
		if args, ok := strings.CutPrefix(line, "args: "); ok {
			out := strings.Fields(args)
			for i := 1; i < len(out); i++ {
				if out[i-1] == "-f" {
					out[i] = filepath.Join(dir, out[i])
				}
			}
			return out
		}
	}
	return nil
}

func withArgs(o resource.ChartOptions, args []string) resource.ChartOptions {
	for i := 0; i+1 < len(args); i += 2 {
		to := map[string]*[]string{"-f": &o.Values, "--set": &o.Set, "--set-string": &o.SetString, "--api-versions": &o.APIVersions}[args[i]]
		*to = append(*to, args[i+1])
	}
	return o
}

// A helmFunc runs helm template.
type helmFunc func(t *testing.T, dir string, args []string) ([]byte, error)

// buildHelm returns a function that runs helm template. It is built from the
// version of this module, and only anew when that changes.
func buildHelm(t *testing.T) helmFunc {
	t.Helper()
	program, err := filepath.Abs("../.cache/helm/helm")
	if err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-C", "testdata/helm", "-o", program, "helm.sh/helm/v4/cmd/helm")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build helm: %v\n%s", err, out)
	}
	home := t.TempDir()
	return func(t *testing.T, dir string, args []string) ([]byte, error) {
		t.Helper()
		all := append([]string{"template", "rel", dir, "--namespace", "shop", "--include-crds", "--skip-tests"}, args...)
		cmd := exec.CommandContext(t.Context(), program, all...)
		cmd.Env = []string{"HOME=" + home}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("helm template: %w\n%s", err, stderr.String())
		}
		return out, nil
	}
}

// sortedObjects returns objects as they are compared: by their text.
func sortedObjects(t *testing.T, r resource.Result) []string {
	t.Helper()
	var out []string
	for _, o := range r.Objects {
		var text bytes.Buffer
		if err := json.Indent(&text, o.JSON, "", " "); err != nil {
			t.Fatal(err)
		}
		out = append(out, text.String())
	}
	slices.Sort(out)
	return out
}

// TestChartLines renders templates in which each value that begins with @ says on
// which line, and if it is not the template itself, in which file it has to be found.
func TestChartLines(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\ndata:\n"
	cases := map[string]struct {
		reason string
		files  map[string]string
		want   int // how many values there are
	}{
		"Literal": {
			reason: "Lines that are as they are in the template.",
			files:  map[string]string{"templates/a.yaml": head + "  a: '@6'\n  b: '@7'\n"},
			want:   2,
		},
		"Conditions": {
			reason: "What is left out moves the lines after it.",
			files: map[string]string{"templates/a.yaml": "{{- if .Values.none }}\na: b\n{{- else }}\n" + head +
				"  a: '@9'\n  {{- if .Values.none }}\n  b: c\n  {{- end }}\n  c: '@13'\n{{- end }}\n"},
			want: 2,
		},
		"Trimmed": {
			reason: "White space that actions trim is not in the text, its lines are counted all the same.",
			files: map[string]string{"templates/a.yaml": "{{- $a := 1 -}}\n\n{{- /* a\ncomment */ -}}\n\n\n" + head +
				"\n  {{- $b := 2 }}\n\n  a: '@15'\n  b:\n\n    {{- \" '@16'\" }}\n"},
			want: 2,
		},
		"Range": {
			reason: "Each round comes from the same lines.",
			files:  map[string]string{"templates/a.yaml": head + "{{- range $i := until 3 }}\n  a{{ $i }}: '@7'\n  b{{ $i }}: '@8'\n{{- end }}\n  c: '@10'\n"},
			want:   7,
		},
		"Included": {
			reason: "What is included stands where it is included, whatever the helper's own lines are.",
			files: map[string]string{
				"templates/_a.tpl":  "\n\n\n{{ define \"a\" -}}\na: '@6'\nb: '@6'\n{{- end }}{{ define \"b\" }}\n  c: '@7'{{ end }}",
				"templates/a.yaml":  head + "  {{- include \"a\" . | nindent 2 }}\n  {{- template \"b\" }}\n  d: '@8'\n",
				"templates/b.yaml":  "{{ include \"all\" . }}\n---\n\n{{ include \"all\" . }}\n",
				"templates/_b.tpl":  "{{ define \"all\" }}" + head + "{{ end }}",
				"templates/c.yaml":  head + "  {{ block \"inner\" . }}a: '@6'\n  b: '@6'{{ end }}\n",
				"templates/_c.yaml": "x",
			},
			want: 6,
		},
		"Dumped": {
			reason: "Values that are written as YAML are on the line of the action.",
			files: map[string]string{
				"values.yaml":      "more: {x: '@6', y: '@6', z: '@8'}\n",
				"templates/a.yaml": head + "{{ omit .Values.more \"z\" | toYaml | indent 2 }}\n{{- with .Values.more }}\n  z: {{ .z | quote }}\n{{- end }}\n",
			},
			want: 3,
		},
		"Documents": {
			reason: "Each document has the lines of its own place.",
			files:  map[string]string{"templates/a.yaml": "\n---\n\n" + head + "  a: '@9'\n--- # x\n" + head + "  a: '@16'\n---\n{{ if true }}\n" + head + "  a: '@24'\n{{ end }}"},
			want:   3,
		},
		"Checksum": {
			reason: "A file that is included by its path is marked too: only the sum differs then.",
			files: map[string]string{
				"templates/a.yaml": head + "  a: '@6'\n  sum: {{ include (print .Template.BasePath \"/b.yaml\") . | sha256sum }}\n  b: '@8'\n",
				"templates/b.yaml": head + "  a: '@6'\n",
			},
			want: 3,
		},
		"MarksInTheWay": {
			reason: "A chart that cannot be rendered with marks in one file has the lines of all others.",
			files: map[string]string{
				"templates/a.yaml": head + "  a: '@6'\n{{ if ne (include (print .Template.BasePath \"/b.yaml\") . | len) 51 }}{{ fail \"marks\" }}{{ end }}\n  b: '@8'\n",
				"templates/b.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n",
				"templates/c.yaml": head + "  a: '@6'\n",
			},
			want: 3,
		},
		"Random": {
			reason: "A value that is another one each time does not hide the lines around it.",
			files:  map[string]string{"templates/a.yaml": head + "  a: '@6'\n  r: {{ randAlphaNum 20 | quote }}\n  {{- range until (int (randNumeric 2)) }}\n  n{{ . }}: x\n  {{- end }}\n  b: '@11'\n"},
			want:   2,
		},
		"ChangedValues": {
			reason: "Templates that change values do so in each rendering from the start.",
			files:  map[string]string{"templates/a.yaml": "{{- $_ := set .Values \"n\" (add1 (.Values.n | default 0)) }}\n" + head + "{{- range until (int .Values.n) }}\n  a{{ . }}: '@8'\n{{- end }}\n"},
			want:   1,
		},
		"Subcharts": {
			reason: "Objects of charts in charts have their own files, also in archives.",
			files: map[string]string{
				"charts/one/Chart.yaml":                     "apiVersion: v2\nname: first\nversion: 1.0.0\n",
				"charts/one/templates/a.yaml":               head + "  a: '@6 charts/one/templates/a.yaml'\n",
				"charts/two-1.tgz/two/Chart.yaml":           "apiVersion: v2\nname: two\nversion: 1.0.0\n",
				"charts/two-1.tgz/two/templates/a.yaml":     head + "  a: '@6 charts/two-1.tgz:templates/a.yaml'\n",
				"charts/two-1.tgz/two/charts/3/Chart.yaml":  "apiVersion: v2\nname: three\nversion: 1.0.0\n",
				"charts/two-1.tgz/two/charts/3/templates/a": head + "\n  a: '@7 charts/two-1.tgz:charts/3/templates/a'\n",
				"crds/a.yaml": head + "  a: '@6 crds/a.yaml'\n",
				"charts/two-1.tgz/two/charts/3/crds/b.yaml":  head + "  a: '@6 charts/two-1.tgz:charts/3/crds/b.yaml'\n",
				"charts/two-1.tgz/two/templates/_helper.tpl": "",
			},
			want: 5,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.files["Chart.yaml"] = "apiVersion: v2\nname: lines\nversion: 1.0.0\n"
			dir := chartTree(t, tc.files)
			r := resource.Load(t.Context(), charts(t), dir)
			for _, err := range r.Errors {
				t.Fatalf("%s\nLoad(...): %v", tc.reason, err)
			}
			got := 0
			for _, o := range r.Objects {
				got += checkLines(t, tc.reason, dir, o)
			}
			if got != tc.want {
				t.Errorf("%s\nfound %d values, want %d", tc.reason, got, tc.want)
			}
		})
	}
}

// checkLines compares the lines of an object with what its values say, and returns
// how many do.
func checkLines(t *testing.T, reason, dir string, o resource.Object) int {
	t.Helper()
	var object struct{ Data map[string]string }
	if err := json.Unmarshal(o.JSON, &object); err != nil {
		t.Fatal(err)
	}
	found := 0
	for key, value := range object.Data {
		said, ok := strings.CutPrefix(value, "@")
		if !ok {
			continue
		}
		found++
		line, file, _ := strings.Cut(said, " ")
		want, err := strconv.Atoi(line)
		if err != nil {
			t.Fatal(err)
		}
		if got := o.LineOf([]any{"data", key}); got != want {
			t.Errorf("%s\n%s: data.%s is said to be on line %d, and is on %d", reason, o.File, key, got, want)
		}
		if file != "" && o.File != filepath.Join(dir, file) {
			t.Errorf("%s\nthe object is said to be in %s, and is in %s", reason, o.File, file)
		}
		if inCharts := !strings.Contains(file, "crds/") || strings.Contains(file, ":"); inCharts != (o.Rendered == "chart "+dir) {
			t.Errorf("%s\n%s: Rendered is %q", reason, o.File, o.Rendered)
		}
	}
	return found
}
