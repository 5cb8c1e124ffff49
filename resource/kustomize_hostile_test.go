package resource_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/resource"
)

// TestKustomizeFetchesNothing names something remote wherever a kustomization can, with
// a git in PATH that leaves a mark and a server that counts connections.
func TestKustomizeFetchesNothing(t *testing.T) {
	bin := tree(t, map[string]string{"mark/": ""})
	mark := filepath.Join(bin, "mark", "called")
	if err := os.WriteFile(filepath.Join(bin, "git"), []byte("#!/bin/sh\necho \"$@\" >> "+mark+"\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	var connections atomic.Int32
	go func() {
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			c.Close()
		}
	}()
	url := "http://me:hunter2@" + server.Addr().String() + "/x.yaml?token=hunter3"
	plain := "http://" + server.Addr().String() + "/x.yaml"
	shown := `entry "` + plain + `" is remote`
	plugin := func(kind, fields string) string {
		return "apiVersion: builtin\nkind: " + kind + "\nmetadata: {name: p}\n" + fields
	}
	cases := map[string]struct {
		files map[string]string // beside those of repository
		want  string            // in the one error
	}{
		"Resource":        {map[string]string{"top/kustomization.yaml": "resources:\n- ../base\n- " + url + "\n"}, "top/kustomization.yaml:3: " + shown},
		"UpperCase":       {map[string]string{"top/kustomization.yaml": "resources: [\"" + strings.Replace(url, "http", "HTTP", 1) + "\"]\n"}, "is remote"},
		"KeyInCapitals":   {map[string]string{"top/kustomization.yaml": "Resources: [\"" + url + "\"]\n"}, shown},
		"OneSlash":        {map[string]string{"top/kustomization.yaml": "patches: [{path: \"" + strings.Replace(url, "//", "/", 1) + "\"}]\n"}, "is remote"},
		"Base":            {map[string]string{"top/kustomization.yaml": "bases: [\"https://hunter2@example.com/org/repo//x?ref=v1\"]\n"}, `entry "https://example.com/org/repo//x" is remote`},
		"GitHub":          {map[string]string{"top/kustomization.yaml": "resources: [\"github.com/org/repo?ref=v1\"]\n"}, `entry "github.com/org/repo" is remote`},
		"GitHubColon":     {map[string]string{"top/kustomization.yaml": "resources: [\"GitHub.com:org/repo\"]\n"}, "is remote"},
		"SCP":             {map[string]string{"top/kustomization.yaml": "resources: [git@example.com:org/repo.git]\n"}, `entry "example.com:org/repo.git" is remote`},
		"User":            {map[string]string{"top/kustomization.yaml": "resources: [\"hunter2@github.com:org/repo\"]\n"}, `entry "github.com:org/repo" is remote`},
		"Forced":          {map[string]string{"top/kustomization.yaml": "resources: [\"git::https://example.com/org/repo\"]\n"}, "is remote"},
		"SSH":             {map[string]string{"top/kustomization.yaml": "resources: [\"ssh://git:hunter2@example.com/org/repo\"]\n"}, `entry "ssh://example.com/org/repo" is remote`},
		"FileURL":         {map[string]string{"top/kustomization.yaml": "resources: [\"file:///etc\"]\n"}, "is remote"},
		"Component":       {map[string]string{"top/kustomization.yaml": "components: [github.com/org/repo]\n"}, "is remote"},
		"InBase":          {map[string]string{"top/kustomization.yaml": "resources: [../mid]\n", "mid/kustomization.yaml": "resources: [../low]\n", "low/kustomization.yaml": "\nresources: [\"" + url + "\"]\n"}, "low/kustomization.yaml:2: " + shown},
		"InComponent":     {map[string]string{"top/kustomization.yaml": "resources: [../base]\ncomponents: [../c]\n", "c/kustomization.yaml": "kind: Component\napiVersion: kustomize.config.k8s.io/v1alpha1\npatches: [{path: \"" + url + "\"}]\n"}, "c/kustomization.yaml:3: " + shown},
		"OpenAPI":         {map[string]string{"top/kustomization.yaml": "resources: [../base]\nopenapi: {path: \"" + url + "\"}\n"}, shown},
		"Configuration":   {map[string]string{"top/kustomization.yaml": "resources: [../base]\nconfigurations: [\"" + url + "\"]\n"}, shown},
		"CRD":             {map[string]string{"top/kustomization.yaml": "resources: [../base]\ncrds: [\"" + url + "\"]\n"}, shown},
		"File":            {map[string]string{"top/kustomization.yaml": "configMapGenerator: [{name: a, files: [\"" + plain + "\"]}]\n"}, shown},
		"FileWithKey":     {map[string]string{"top/kustomization.yaml": "configMapGenerator: [{name: a, files: [\"k=" + plain + "\"]}]\n"}, "is remote"},
		"Env":             {map[string]string{"top/kustomization.yaml": "secretGenerator: [{name: a, env: \"" + url + "\"}]\n"}, shown},
		"Envs":            {map[string]string{"top/kustomization.yaml": "secretGenerator: [{name: a, envs: [\"" + url + "\"]}]\n"}, shown},
		"Patch":           {map[string]string{"top/kustomization.yaml": "resources: [../base]\npatches: [{path: \"" + url + "\"}]\n"}, shown},
		"PatchStrategic":  {map[string]string{"top/kustomization.yaml": "resources: [../base]\npatchesStrategicMerge: [\"" + url + "\"]\n"}, shown},
		"PatchJSON":       {map[string]string{"top/kustomization.yaml": "resources: [../base]\npatchesJson6902: [{target: {kind: Service, version: v1, name: web}, path: \"" + url + "\"}]\n"}, shown},
		"Replacement":     {map[string]string{"top/kustomization.yaml": "resources: [../base]\nreplacements: [{path: \"" + url + "\"}]\n"}, shown},
		"Generator":       {map[string]string{"top/kustomization.yaml": "generators: [\"" + url + "\"]\n"}, shown},
		"Transformer":     {map[string]string{"top/kustomization.yaml": "transformers: [\"" + url + "\"]\n"}, shown},
		"Validator":       {map[string]string{"top/kustomization.yaml": "validators: [\"github.com/org/repo\"]\n"}, "is remote"},
		"Plugin":          {map[string]string{"top/kustomization.yaml": "resources: [../base]\ntransformers: [t.yaml]\n", "top/t.yaml": plugin("PatchTransformer", "path: "+plain+"\n")}, shown},
		"PluginInCapital": {map[string]string{"top/kustomization.yaml": "resources: [../base]\ntransformers: [t.yaml]\n", "top/t.yaml": plugin("PatchTransformer", "PATH: "+plain+"\n")}, shown},
		"PluginInList":    {map[string]string{"top/kustomization.yaml": "resources: [../base]\ntransformers: [t.yaml]\n", "top/t.yaml": "apiVersion: v1\nkind: List\nitems:\n- apiVersion: builtin\n  kind: ReplacementTransformer\n  metadata: {name: p}\n  replacements: [{path: \"" + plain + "\"}]\n"}, shown},
		"PluginInline":    {map[string]string{"top/kustomization.yaml": "generators:\n- |\n  apiVersion: builtin\n  kind: SecretGenerator\n  metadata: {name: p}\n  name: p\n  files: [\"k=" + plain + "\"]\n"}, "is remote"},
		"PluginInFolder":  {map[string]string{"top/kustomization.yaml": "resources: [../base]\ntransformers: [../t]\n", "t/kustomization.yaml": "resources: [t.yaml]\n", "t/t.yaml": plugin("PatchJson6902Transformer", "target: {kind: Service, name: web}\npath: "+plain+"\n")}, shown},
		"PluginComputed": {map[string]string{"top/kustomization.yaml": "resources: [../base]\ntransformers: [../t]\n", "t/kustomization.yaml": "resources: [t.yaml]\npatches: [{target: {kind: PatchTransformer}, patch: '[{op: replace, path: /path, value: \"" + plain + "\"}]'}]\n", "t/t.yaml": plugin("PatchTransformer", "path: p.yaml\n")},
			"is a folder of plugins that kustomize would change before it uses them"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			files := repository()
			for file, content := range tc.files {
				files[file] = content
			}
			dir := tree(t, files)
			r := resource.Load(t.Context(), resource.Options{}, filepath.Join(dir, "top"))
			if len(r.Objects) > 0 || len(r.Errors) != 1 || !strings.Contains(r.Errors[0].Error(), tc.want) {
				t.Errorf("Load(...): got %d objects and errors %v, want one with %q", len(r.Objects), r.Errors, tc.want)
			}
			if text := fmt.Sprint(r.Errors); strings.Contains(text, "hunter") {
				t.Errorf("Load(...): the error shows a credential: %s", text)
			}
		})
	}
	if called, err := os.ReadFile(mark); err == nil {
		t.Errorf("git was called: %s", called)
	}
	if n := connections.Load(); n > 0 {
		t.Errorf("%d connections were made", n)
	}
}

func TestKustomizeRefuses(t *testing.T) {
	outside := tree(t, map[string]string{"secret.txt": "hunter2", "k/kustomization.yaml": "namePrefix: a\n"})
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for i := 'b'; i < 'j'; i++ {
		bomb += fmt.Sprintf("%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", i, i, i-1, i-1, i-1, i-1, i-1, i-1, i-1, i-1, i-1)
	}
	doubling := map[string]string{"top/kustomization.yaml": "resources: [../l0]\n", "l20/kustomization.yaml": base, "l20/web.yaml": web, "l20/service.yaml": service}
	for i := range 20 {
		doubling[fmt.Sprintf("l%d/kustomization.yaml", i)] = "resources: [a, b]\n"
		for _, v := range []string{"a", "b"} {
			doubling[fmt.Sprintf("l%d/%s/kustomization.yaml", i, v)] = fmt.Sprintf("namePrefix: %s\nresources: [../../l%d]\n", v, i+1)
		}
	}
	copies := "resources: [a.yaml]\npatches:\n- target: {kind: ConfigMap}\n  patch: |\n    - {op: add, path: /data/l, value: [x]}\n"
	for range 40 {
		copies += "    - {op: copy, from: /data, path: /data/l/-}\n"
	}
	cases := map[string]struct {
		reason string
		files  map[string]string // beside those of repository
		want   []string
	}{
		"Missing":      {"A file that is not there is an error with its line.", map[string]string{"top/kustomization.yaml": "resources:\n- ../base\n- a.yaml\n- b\n"}, []string{`top/kustomization.yaml:3: entry "a.yaml" no such file or directory`, `top/kustomization.yaml:4: entry "b" no such file or directory`}},
		"Outside":      {"Kustomize's own restriction holds.", map[string]string{"top/kustomization.yaml": "resources: [../base/web.yaml]\n"}, []string{`top/kustomization.yaml:1: entry "../base/web.yaml" is not in or below the folder of the kustomization that names it`}},
		"Absolute":     {"So it does for absolute paths.", map[string]string{"top/kustomization.yaml": "configMapGenerator: [{name: a, files: [" + outside + "/secret.txt]}]\n"}, []string{`top/kustomization.yaml:1: entry "` + outside + `/secret.txt" is not in or below the folder of the kustomization that names it`}},
		"AbsoluteBase": {"Bases are relative.", map[string]string{"top/kustomization.yaml": "resources: [" + outside + "/k]\n"}, []string{`top/kustomization.yaml:1: entry "` + outside + `/k" is an absolute path, which kustomize refuses`}},
		"Link":         {"A link is no way around it.", map[string]string{"top/kustomization.yaml": "configMapGenerator: [{name: a, files: [a.txt]}]\n", "top/a.txt": "->" + outside + "/secret.txt"}, []string{`top/kustomization.yaml:1: entry "a.txt" is not in or below the folder of the kustomization that names it`}},
		"LinkedBase":   {"Nor for a base.", map[string]string{"top/kustomization.yaml": "resources: [k]\n", "top/k": "->" + outside + "/k"}, []string{`top/kustomization.yaml:1: entry "k" leads out of its folder through a symbolic link`}},
		"LinkedFile":   {"Nor for a kustomization itself.", map[string]string{"top/kustomization.yaml": "->" + outside + "/k/kustomization.yaml"}, []string{`top/kustomization.yaml: is a symbolic link that leads out of the folder`}},
		"LinkLoop":     {"A loop ends.", map[string]string{"top/kustomization.yaml": "resources: [a.yaml, b]\n", "top/a.yaml": "->a.yaml", "top/b": "->../top/b"}, []string{`top/kustomization.yaml:1: entry "a.yaml" leads through too many symbolic links`, `top/kustomization.yaml:1: entry "b" leads through too many symbolic links`, `top/a.yaml: is a symbolic link that leads nowhere or out of the folder: name the file itself to read it`}},
		"Device":       {"Only regular files are opened.", map[string]string{"top/kustomization.yaml": "resources: [/dev/zero, pipe]\nconfigMapGenerator: [{name: a, files: [pipe]}]\ncomponents: [pipe]\ntransformers: [pipe]\n"}, []string{`top/kustomization.yaml:1: entry "/dev/zero" is not in or below the folder of the kustomization that names it`, `top/kustomization.yaml:1: entry "pipe" is no regular file`, `top/kustomization.yaml:3: entry "pipe" is no folder with a kustomization`, `top/kustomization.yaml:2: entry "pipe" is no regular file`, `top/kustomization.yaml:4: entry "pipe" is no regular file`}},
		"Helm":         {"It would run a program.", map[string]string{"top/kustomization.yaml": "\nhelmCharts: [{name: a, repo: \"https://example.com\"}]\n"}, []string{`top/kustomization.yaml:2: helmCharts need the program helm, which is never run: render the chart with helm template, or name the chart itself to be checked`}},
		"HelmPlugin":   {"So would this.", map[string]string{"top/kustomization.yaml": "generators: [g.yaml]\n", "top/g.yaml": "apiVersion: builtin\nkind: HelmChartInflationGenerator\nmetadata: {name: h}\nname: h\n"}, []string{`top/kustomization.yaml:1: entry "g.yaml" helmCharts need the program helm, which is never run: render the chart with helm template, or name the chart itself to be checked`}},
		"Exec":         {"Plugins are programs.", map[string]string{"top/kustomization.yaml": "transformers:\n- t.yaml\n", "top/t.yaml": "apiVersion: example.com/v1\nkind: T\nmetadata: {name: t, annotations: {config.kubernetes.io/function: \"exec: {path: ./x}\"}}\n"}, []string{`top/kustomization.yaml:2: entry "t.yaml" configures a plugin that is a program or a container, and those are never run: give the output of kustomize build to standard input`}},
		"Unknown":      {"A misspelt field is found.", map[string]string{"top/kustomization.yaml": "namePrefix: a\nresource: []\n"}, []string{`top/kustomization.yaml:2: is no kustomization: unknown field "resource"`}},
		"Mistyped":     {"A value is not shown.", map[string]string{"top/kustomization.yaml": "resources: hunter2\n"}, []string{`top/kustomization.yaml:1: is no kustomization: resources is a string`}},
		"TwoDocuments": {"Kustomize reads the first, kubectl apply -R both.", map[string]string{"top/kustomization.yaml": "namePrefix: a\n---\n" + service}, []string{`top/kustomization.yaml:3: has a second document, which kustomize does not read: keep it in a file of its own`}},
		"Two":          {"Kustomize does not choose.", map[string]string{"top/kustomization.yaml": "namePrefix: a\n", "top/Kustomization": "namePrefix: b\n"}, []string{`top/kustomization.yaml: stands beside "Kustomization": kustomize builds a folder with one of them`}},
		"NoValue":      {"What kustomize says of a patch would show it.", map[string]string{"top/kustomization.yaml": "resources: [../base]\npatches: [{patch: hunter2}]\n"}, []string{`top/kustomization.yaml: cannot be built: unable to parse SM or JSON patch`}},
		"NoLiteral":    {"So would this.", map[string]string{"top/kustomization.yaml": "secretGenerator: [{name: a, literals: [hunter2]}]\n"}, []string{`top/kustomization.yaml: cannot be built: invalid literal source`}},
		"NoTarget":     {"A patch for nothing is an error.", map[string]string{"top/kustomization.yaml": "resources: [../base]\npatches: [{patch: \"{apiVersion: v1, kind: Service, metadata: {name: other}}\"}]\n"}, []string{`top/kustomization.yaml: cannot be built: no resource matches strategic merge patch "Service.v1.[noGrp]/other.[noNs]"`}},
		"Bomb":         {"Aliases are bounded.", map[string]string{"top/kustomization.yaml": "resources: [a.yaml]\n", "top/a.yaml": bomb}, []string{`top/a.yaml:4: read YAML: document contains excessive aliasing`}},
		"BombItself":   {"In the kustomization, too.", map[string]string{"top/kustomization.yaml": bomb}, []string{`top/kustomization.yaml:4: read YAML: document contains excessive aliasing`}},
		"BombPatch":    {"And in patches.", map[string]string{"top/kustomization.yaml": "resources: [../base]\npatches: [{path: p.yaml}]\n", "top/p.yaml": bomb}, []string{`top/p.yaml:4: read YAML: document contains excessive aliasing`}},
		"Doubling":     {"A base of bases is not read for ever.", doubling, []string{`top/kustomization.yaml: is built of more than 10000 kustomizations: one that is used twice on many levels is built very often`}},
		"Copies":       {"A patch does not grow for ever.", map[string]string{"top/kustomization.yaml": copies, "top/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {}\n"}, []string{`top/kustomization.yaml: cannot be built: Unable to complete the copy, the accumulated size`}},
		"Base":         {"What is wrong with a base is told of once for all overlays.", map[string]string{"top/kustomization.yaml": "resources: [../base]\n", "top/over/kustomization.yaml": "resources: [../../base]\n", "base/kustomization.yaml": "resources: [none.yaml]\n"}, []string{`base/kustomization.yaml:1: entry "none.yaml" no such file or directory`, `top/over/kustomization.yaml: cannot be built: see what was said of base/kustomization.yaml`}},
		"Component":    {"A component is no base.", map[string]string{"top/kustomization.yaml": "resources: [../component]\n"}, []string{`top/kustomization.yaml: cannot be built: expected kind != 'Component' for path 'component'`}},
		"Ancestor":     {"A folder is no base of what is in it.", map[string]string{"top/kustomization.yaml": "namePrefix: a\n", "top/over/kustomization.yaml": "resources: [..]\n"}, []string{`top/over/kustomization.yaml: cannot be built: cycle detected: candidate root 'top' contains visited root 'top/over'`}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			files := repository()
			for file, content := range tc.files {
				files[file] = content
			}
			dir := tree(t, files)
			t.Chdir(dir)
			if err := syscall.Mkfifo("top/pipe", 0o600); err != nil {
				t.Fatal(err)
			}
			r := resource.Load(t.Context(), resource.Options{}, "top")
			got := []string{}
			for _, err := range r.Errors {
				got = append(got, err.Error())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nLoad(...): errors: -want, +got:\n%s", tc.reason, diff)
			}
			if len(r.Objects) > 0 {
				t.Errorf("%s\nLoad(...): got %d objects, want none", tc.reason, len(r.Objects))
			}
		})
	}
}
