package resource_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/openapi"

	"github.com/lintel-policy/lintel/resource"
)

const (
	web = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: nginx:1.0
        env:
        - name: A
          value: "1"
        envFrom: [{configMapRef: {name: settings}}]
      - name: log
        image: example.com/log
`
	service = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n"
	base    = "resources: [web.yaml, service.yaml]\nconfigMapGenerator: [{name: settings, literals: [MODE=plain]}]\n"
)

// repository is a tree in which overlays use a base and a component.
func repository() map[string]string {
	return map[string]string{
		"base/kustomization.yaml":      base,
		"base/web.yaml":                web,
		"base/service.yaml":            service,
		"component/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [extra.yaml]\npatches: [{path: patch.yaml}]\n",
		"component/extra.yaml":         "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\n",
		"component/patch.yaml":         "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, annotations: {patched: \"yes\"}}\n",
		"prod/kustomization.yaml":      "resources: [../base]\ncomponents: [../component]\nnamePrefix: prod-\n",
		"dev/kustomization.yml":        "resources: [../base]\nnamespace: dev\n",
		"apps/alone.yaml":              "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: alone}\n",
	}
}

// built are kustomizations of what people use kustomize for, each in the folder "top".
func built() map[string]map[string]string {
	with := func(top string, more ...string) map[string]string {
		files := repository()
		files["top/kustomization.yaml"] = top
		for i := 0; i < len(more); i += 2 {
			files[more[i]] = more[i+1]
		}
		return files
	}
	return map[string]map[string]string{
		"Overlay":    with("resources: [../base]\ncomponents: [../component]\nnamePrefix: a-\nnameSuffix: -b\nnamespace: shop\n"),
		"Strategic":  with("resources: [../base]\npatches:\n- path: p.yaml\n- patch: |-\n    {apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {template: {spec: {containers: [{name: log, $patch: delete}]}}}}\n", "top/p.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {containers: [{name: first, image: a}, {name: web, env: [{name: B, value: \"2\"}]}]}}}\n"),
		"JSON":       with("resources: [../base]\npatches:\n- target: {kind: Deployment, name: w.*}\n  patch: |-\n    - {op: replace, path: /spec/template/spec/containers/0/image, value: \"other:2\"}\n    - {op: add, path: /metadata/annotations, value: {a: b}}\n"),
		"Images":     with("resources: [../base]\nimages: [{name: nginx, newName: example.com/nginx, newTag: \"2\"}, {name: example.com/log, digest: \"sha256:aa\"}]\nreplicas: [{name: web, count: 5}]\n"),
		"Generators": with("resources: [../base]\nconfigMapGenerator:\n- {name: files, files: [a.txt, key=b.yaml], envs: [c.env]}\n- {name: settings, behavior: merge, literals: [MODE=fancy, \"QUOTED='x y'\"]}\nsecretGenerator:\n- {name: password, type: Opaque, literals: [p=hunter2], options: {disableNameSuffixHash: true}}\ngeneratorOptions: {labels: {made: here}}\n", "top/a.txt", "text\n", "top/b.yaml", "{{ no: yaml }}\n---\n&", "top/c.env", "# comment\nX=1\nY\n"),
		"Labels":     with("resources: [../base]\nlabels: [{pairs: {team: shop}, includeSelectors: true}, {pairs: {tier: web}, includeTemplates: true}]\ncommonAnnotations: {owner: me}\n"),
		"Replacements": with("resources: [../base]\nreplacements:\n- path: r.yaml\n- source: {kind: Service, name: web, fieldPath: metadata.name}\n  targets: [{select: {kind: Deployment}, fieldPaths: [\"spec.template.spec.containers.[name=web].env.[name=A].value\"]}]\n",
			"top/r.yaml", "source: {kind: Service, name: web, fieldPath: \"spec.ports.0.port\"}\ntargets: [{select: {kind: Deployment}, fieldPaths: [spec.replicas]}]\n"),
		"Deprecated": with("bases: [../base]\ncommonLabels: {team: shop}\npatchesStrategicMerge: [p.yaml, \"{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {type: NodePort}}\"]\npatchesJson6902: [{target: {version: v1, kind: Service, name: web}, path: j.yaml}]\nvars: [{name: NAME, objref: {apiVersion: v1, kind: Service, name: web}}]\nimageTags: [{name: nginx, newTag: v}]\n", "top/p.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {containers: [{name: web, command: [\"$(NAME)\"]}]}}}\n", "top/j.yaml", "- {op: add, path: /spec/ports/-, value: {port: 81, name: b}}\n"),
		"Plugins":    with("resources: [../base]\ntransformers:\n- labels.yaml\n- ../transformers\n- |-\n  apiVersion: builtin\n  kind: PrefixSuffixTransformer\n  metadata: {name: p}\n  prefix: inline-\n  fieldSpecs: [{path: metadata/name}]\ngenerators: [g.yaml]\n", "top/labels.yaml", "apiVersion: builtin\nkind: LabelTransformer\nmetadata: {name: l}\nlabels: {x: y}\nfieldSpecs: [{path: metadata/labels, create: true}]\n", "top/g.yaml", "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: made}\nname: made\nfiles: [made.txt]\n", "top/made.txt", "m", "transformers/kustomization.yaml", "resources: [a.yaml]\n", "transformers/a.yaml", "apiVersion: builtin\nkind: AnnotationsTransformer\nmetadata: {name: a}\nannotations: {from: folder}\nfieldSpecs: [{path: metadata/annotations, create: true}]\n"),
		"Origins":    with("resources: [../base]\nbuildMetadata: [originAnnotations, managedByLabel, transformerAnnotations]\n"),
		"Nested":     with("resources: [../prod, ../dev, list.json]\n", "top/list.json", `{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}]}`),
		"Aliases":    with("resources: [a.yaml]\n", "top/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: &l {x: \"on\"}}\ndata: *l\n---\n# nothing\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: b}\nstringData: {on: \"1\"}\n"),
		"Schema":     with("resources: [cr.yaml]\nopenapi: {path: schema.json}\npatches: [{path: p.yaml}]\n", "top/cr.yaml", "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: t}\nspec: {parts: [{name: a, v: 1}, {name: b, v: 2}]}\n", "top/p.yaml", "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: t}\nspec: {parts: [{name: b, v: 3}]}\n", "top/schema.json", `{"definitions": {"v1.Thing": {"properties": {"spec": {"properties": {"parts": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}, "x-kubernetes-patch-merge-key": "name", "x-kubernetes-patch-strategy": "merge"}}, "type": "object"}}, "type": "object", "x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "Thing"}]}}}`),
		"Local":      with("resources: [../base, l.yaml]\nsortOptions: {order: legacy}\n", "top/l.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: l, annotations: {config.kubernetes.io/local-config: \"true\"}}\n"),
		"Linked":     with("->real/k.yaml", "top/real/k.yaml", "resources: [../base, linked.yaml]\n", "top/linked.yaml", "->real/o.yaml", "top/real/o.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: linked}\n", "top/Kustomization/", ""),
		"Untouched":  with("resources: [../base]\npatches:\n- target: {kind: Service}\n  patch: '[{\"op\": \"test\", \"path\": \"/metadata/annotations/config.kubernetes.io~1origin\", \"value\": null}, {\"op\": \"add\", \"path\": \"/metadata/annotations/a\", \"value\": \"b\"}]'\n"),
		"Empty":      with("resources: []\nnamespace: a\n"),
	}
}

// sorted returns the objects of JSON documents, in an order that does not matter.
func sorted(t *testing.T, docs ...[]byte) []string {
	t.Helper()
	var out []string
	for _, doc := range docs {
		var v any
		if err := json.Unmarshal(doc, &v); err != nil {
			t.Fatal(err)
		}
		canonical, err := json.MarshalIndent(v, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(canonical))
	}
	slices.Sort(out)
	return out
}

// jsons returns the objects of a result as JSON.
func jsons(r resource.Result) [][]byte {
	var out [][]byte
	for _, o := range r.Objects {
		out = append(out, o.JSON)
	}
	return out
}

// TestKustomizeIsKustomize compares what is judged with what kustomize builds of the
// same files on disk, and kubectl, where there is one.
func TestKustomizeIsKustomize(t *testing.T) {
	kubectl := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl")
	for name, files := range built() {
		t.Run(name, func(t *testing.T) {
			dir := tree(t, files)
			top := filepath.Join(dir, "top")
			found := resource.Load(t.Context(), resource.Options{}, top)
			if len(found.Errors) > 0 {
				t.Fatalf("Load(...): %v", found.Errors)
			}
			got := sorted(t, jsons(found)...)

			built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), top)
			openapi.ResetOpenAPI()
			if err != nil {
				t.Fatal(err)
			}
			yaml, err := built.AsYaml()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(sorted(t, jsons(resource.Read(bytes.NewReader(yaml), "want"))...), got); diff != "" {
				t.Errorf("Load(...): -kustomize, +got:\n%s", diff)
			}
			if _, err := os.Stat(kubectl); err != nil || name == "Origins" { // its version of kustomize is in the objects
				return
			}
			if yaml, err = exec.Command(kubectl, "kustomize", top).Output(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(sorted(t, jsons(resource.Read(bytes.NewReader(yaml), "want"))...), got); diff != "" {
				t.Errorf("Load(...): -kubectl, +got:\n%s", diff)
			}
		})
	}
}

func TestKustomizeFiles(t *testing.T) {
	dir := tree(t, repository())
	nested := tree(t, map[string]string{
		"kustomization.yaml":      "resources: [web.yaml]\n",
		"web.yaml":                web,
		"apps/service.yaml":       service,
		"flux/kustomization.yaml": "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: flux}\n",
		"link.yaml":               "->web.yaml",
		"more/Kustomization":      "resources: [../deep]\n",
		"deep/kustomization.yaml": "resources: [deep.yaml]\n",
		"deep/deep.yaml":          service,
		"cycle/a/Kustomization":   "resources: [../b]\n",
		"cycle/b/Kustomization":   "resources: [../a]\n",
		"self/Kustomization":      "resources: [.]\n",
	})
	chart := tree(t, map[string]string{
		"base/kustomization.yaml":  "resources: [a.yaml]\n",
		"base/a.yaml":              service,
		"chart/Chart.yaml":         "apiVersion: v2\nname: chart\nversion: 1.0.0\n",
		"chart/kustomization.yaml": "resources: [../base]\n",
		"chart/templates/a.yaml":   service,
	})
	unused := tree(t, map[string]string{
		"c/Kustomization":   "kind: Component\napiVersion: kustomize.config.k8s.io/v1alpha1\nresources: [../mid]\n",
		"mid/Kustomization": "resources: [../low]\n",
		"low/Kustomization": "resources: [a.yaml]\n",
		"low/a.yaml":        service,
	})
	cases := map[string]struct {
		reason  string
		dir     string
		paths   []string
		want    []string
		errs    []string
		skipped int
	}{
		"Tree": {
			reason: "Overlays are judged, and not their base and component, nor any file of these.",
			dir:    dir, paths: []string{"."},
			want: []string{"apps/alone.yaml", "base/web.yaml", "base/service.yaml", "base/kustomization.yaml", "base/web.yaml", "base/service.yaml", "base/kustomization.yaml", "component/extra.yaml"},
		},
		"OverlayOutside": {
			reason: "A base is used although its overlay is met later, in another folder.",
			dir:    dir, paths: []string{"base", "component", "dev"},
			want:    []string{"base/web.yaml", "base/service.yaml", "base/kustomization.yaml"},
			errs:    []string{"component/kustomization.yaml: is a component, which cannot be built by itself: name a kustomization that uses it"},
			skipped: 0,
		},
		"Base": {
			reason: "A base alone is built like any kustomization.",
			dir:    dir, paths: []string{"base"},
			want: []string{"base/web.yaml", "base/service.yaml", "base/kustomization.yaml"},
		},
		"NamedFile": {
			reason: "Who names a file wants to know of that file.",
			dir:    dir, paths: []string{"dev", "base/service.yaml"},
			want: []string{"base/web.yaml", "base/service.yaml", "base/kustomization.yaml", "base/service.yaml"},
		},
		"NamedKustomization": {
			reason: "The file of a kustomization stands for it, without what is beside it.",
			dir:    nested, paths: []string{"kustomization.yaml"},
			want: []string{"web.yaml"},
		},
		"InChart": {
			reason: "A kustomization beside the templates of a chart is one; what the chart is made of is Helm's.",
			dir:    chart, paths: []string{"."},
			want: []string{"base/a.yaml"},
			errs: []string{"chart: is a Helm chart, which is not rendered here"},
		},
		"OfUnused": {
			reason: "A base that only a component uses which nobody uses is not forgotten.",
			dir:    unused, paths: []string{"."},
			want:    []string{"low/a.yaml"},
			skipped: 1,
		},
		"Beside": {
			reason: "What a kustomization does not refer to is judged as usual, links to its files are not, and Flux has other kustomizations.",
			dir:    nested, paths: []string{"."},
			want: []string{"web.yaml", "apps/service.yaml", "flux/kustomization.yaml", "deep/deep.yaml"},
			errs: []string{
				"cycle/a/Kustomization: cannot be built: cycle detected: candidate root 'DIR/cycle/a' contains visited root 'DIR/cycle/a'",
				"self/Kustomization: cannot be built: cycle detected: candidate root 'DIR/self' contains visited root 'DIR/self'",
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var paths []string
			for _, p := range tc.paths {
				paths = append(paths, filepath.Join(tc.dir, p))
			}
			r := resource.Load(t.Context(), resource.Options{}, paths...)
			got, errs := files(tc.dir, r)
			for i := range errs {
				errs[i] = strings.ReplaceAll(strings.ReplaceAll(errs[i], "'"+tc.dir, "'DIR"), "'cycle", "'DIR/cycle")
				errs[i] = strings.ReplaceAll(errs[i], "'self", "'DIR/self")
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nLoad(...): -want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.errs, errs); diff != "" {
				t.Errorf("%s\nLoad(...): errors: -want, +got:\n%s", tc.reason, diff)
			}
			if r.Skipped != tc.skipped {
				t.Errorf("%s\nLoad(...): skipped %d, want %d", tc.reason, r.Skipped, tc.skipped)
			}
		})
	}
}

// TestKustomizeForgetsSchema holds a build to the schema that is its own: kustomize
// keeps the one of the last build.
func TestKustomizeForgetsSchema(t *testing.T) {
	files := built()["Schema"]
	for _, name := range []string{"kustomization.yaml", "cr.yaml", "p.yaml"} {
		files["z/"+name] = strings.ReplaceAll(files["top/"+name], "openapi: {path: schema.json}\n", "")
	}
	dir := tree(t, files)
	alone := resource.Load(t.Context(), resource.Options{}, filepath.Join(dir, "z"))
	after := resource.Load(t.Context(), resource.Options{}, filepath.Join(dir, "top"), filepath.Join(dir, "z"))
	if len(alone.Objects) != 1 || len(after.Objects) != 2 {
		t.Fatalf("Load(...): got %d and %d objects, want 1 and 2", len(alone.Objects), len(after.Objects))
	}
	if diff := cmp.Diff(string(alone.Objects[0].JSON), string(after.Objects[1].JSON)); diff != "" {
		t.Errorf("Load(...): -alone, +after a build with a schema:\n%s", diff)
	}
}
