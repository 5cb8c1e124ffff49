package e2e_test

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A rendering is something that objects are made from: lintel check and kubectl get
// to them each in its own way.
type rendering struct {
	check []string // arguments of lintel check
	// create are the arguments of kubectl create, and stdin is what it reads.
	create []string
	stdin  string
}

// TestVerdictOfRendered holds what lintel check says of a chart and of kustomizations
// to what the cluster says of what helm and kubectl themselves make of them.
func TestVerdictOfRendered(t *testing.T) {
	s := newStage(t, "rendered")
	policies := testdata("rendered", "policies")
	all := renderings(t, s.namespace)
	kubeconfig := s.kubeconfig(t)
	s.must(t, "apply", "-f", testdata("rendered", "shop", "crds"))
	s.must(t, "wait", "--for=condition=Established", "crd/widgets.example.com")
	t.Cleanup(func() {
		s.Kubectl(context.WithoutCancel(t.Context()), nil, "delete", "crd", "widgets.example.com", "--wait=false")
	})

	plain := map[string]outcome{}
	for name, r := range all {
		plain[name] = r.sendTo(t, s, kubeconfig)
		for key, o := range plain[name].objects {
			if o["kind"] == "HorizontalPodAutoscaler" { // others are judged by it
				r := s.kubectlWith(t, encode(t, o), "create", "-f", "-")
				if r.code != 0 {
					t.Fatalf("create %s: %s", key, r.stderr)
				}
			}
		}
	}
	t.Run("Denials", func(t *testing.T) { holdRendered(t, s, kubeconfig, all, plain, policies) })
	// What is denied is not shown as it is patched.
	t.Run("Patches", func(t *testing.T) {
		const setting = "enforcement: dryrun, patches: apply"
		folder := libraryWith(t, setting)
		if err := os.CopyFS(folder, os.DirFS(policies)); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"pinned", "widgets"} {
			policy := "apiVersion: lintel.dev/v1alpha1\nkind: Policy\nmetadata: {name: " + name + "}\nspec: {" + setting + "}\n"
			if err := os.WriteFile(filepath.Join(folder, name+".yaml"), []byte(policy), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		holdRendered(t, s, kubeconfig, all, plain, folder)
	})
}

// holdRendered holds all renderings to what becomes of them where the library and the
// policies in folders guard the cluster.
func holdRendered(t *testing.T, s *stage, kubeconfig string, all map[string]rendering, plain map[string]outcome, folders ...string) {
	t.Helper()
	s.guard(t, folders...)
	sources := []string{"-p", "embedded"}
	for _, folder := range folders {
		sources = append(sources, "-p", folder)
	}
	objects, denied, patched, compared := 0, 0, 0, 0
	for name, r := range all {
		gated := r.sendTo(t, s, kubeconfig)
		found := s.check(t, slices.Concat(sources, r.check)...)
		t.Run(name, func(t *testing.T) {
			holdVerdicts(t, found, plain[name], gated)
			holdPlaces(t, found)
		})
		objects, denied, patched = objects+found.Summary.Objects, denied+found.Summary.Denied, patched+found.Summary.Patched
		compared += len(gated.objects)
	}
	t.Logf("%d objects, %d denied, %d patched, %d compared as they would be stored", objects, denied, patched, compared)
	if objects < 50 || patched < 40 || denied+compared < objects-5 {
		t.Errorf("%d objects, %d denied, %d patched and %d compared are too few to show something", objects, denied, patched, compared)
	}
}

// renderings are the charts and kustomizations of the test data.
func renderings(t *testing.T, namespace string) map[string]rendering {
	t.Helper()
	chart, values := testdata("rendered", "shop"), testdata("rendered", "shop-values.yaml")
	all := map[string]rendering{
		"Chart": {
			check:  []string{chart, "--release", "rel", "--values", values},
			create: []string{"-f", "-"},
			stdin:  helm(t, "template", "rel", chart, "-n", namespace, "--include-crds", "--skip-tests", "--values", values),
		},
		"ChartOfDefaults": {
			check:  []string{chart, "--release", "small", "--set", "cache.enabled=true", "--set-string", "web.image.tag=2"},
			create: []string{"-f", "-"},
			stdin: helm(t, "template", "small", chart, "-n", namespace, "--include-crds", "--skip-tests",
				"--set", "cache.enabled=true", "--set-string", "web.image.tag=2"),
		},
	}
	for name, folder := range map[string]string{"Production": "production", "Staging": "staging"} {
		path := testdata("rendered", "site", "overlays", folder)
		all[name] = rendering{check: []string{path}, create: []string{"-k", path}}
	}
	return all
}

// helm runs helm, which is built from its module, beside the one of package resource:
// both may be built at once.
func helm(t *testing.T, args ...string) string {
	t.Helper()
	program, err := filepath.Abs("../.cache/helm/e2e/helm")
	if err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-C", "../resource/testdata/helm", "-o", program, "helm.sh/helm/v4/cmd/helm")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build helm: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = []string{"HOME=" + t.TempDir()}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("helm %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

// An outcome is what became of objects that were created together, each by its kind,
// namespace and name.
type outcome struct {
	objects map[string]object // as they would be stored
	denials map[string]denial
	there   map[string]bool // what was admitted and is there already
}

var alreadyThere = regexp.MustCompile(`Error from server \(AlreadyExists\): .*: (\S+) "(\S+)" already exists$`)

// sendTo has kubectl create all objects, as a dry run. Nothing but denials may stand in
// their way, and what the test itself has made of them before.
func (r rendering) sendTo(t *testing.T, s *stage, kubeconfig string) outcome {
	t.Helper()
	args := append([]string{"--kubeconfig", kubeconfig, "create", "--dry-run=server", "--save-config=false", "-o", "json"}, r.create...)
	stdout, stderr, _ := s.Kubectl(t.Context(), strings.NewReader(r.stdin), args...)
	got := outcome{objects: map[string]object{}, denials: map[string]denial{}, there: map[string]bool{}}
	denied, others := denials(t, stderr)
	for _, d := range denied {
		got.denials[d.object] = d
	}
	for _, line := range others {
		kinds := map[string]string{
			"customresourcedefinitions.apiextensions.k8s.io": "CustomResourceDefinition ",
			"horizontalpodautoscalers.autoscaling":           "HorizontalPodAutoscaler " + s.namespace + "/",
		}
		match := alreadyThere.FindStringSubmatch(line)
		if match == nil || kinds[match[1]] == "" {
			t.Fatalf("kubectl create %s: %s", strings.Join(r.create, " "), line)
		}
		got.there[kinds[match[1]]+match[2]] = true
	}
	for _, o := range decodeAll(t, stdout) {
		meta := o["metadata"].(map[string]any)
		namespace, _ := meta["namespace"].(string)
		got.objects[reference{o["kind"].(string), namespace, meta["name"].(string)}.String()] = o
	}
	return got
}

// String is how a denial names the object.
func (r reference) String() string {
	if r.Namespace == "" {
		return r.Kind + " " + r.Name
	}
	return r.Kind + " " + r.Namespace + "/" + r.Name
}

// holdVerdicts holds what lintel check found of each object to what became of it without
// Lintel and with it.
func holdVerdicts(t *testing.T, found report, plain, gated outcome) {
	t.Helper()
	if len(found.Errors)+len(found.Warnings) > 0 {
		t.Errorf("lintel check cannot tell: %+v %+v", found.Errors, found.Warnings)
	}
	lines := map[string][]string{}
	for _, f := range found.Results {
		if f.Enforcement == "deny" {
			lines[f.Object.String()] = append(lines[f.Object.String()], f.line())
		}
	}
	all := slices.Sorted(maps.Keys(plain.objects))
	for key := range plain.there {
		all = append(all, key)
	}
	if found.Summary.Objects != len(all) {
		t.Errorf("lintel check reads %d objects, and the cluster gets %d: %q", found.Summary.Objects, len(all), all)
	}
	for _, key := range all {
		d, denied := gated.denials[key]
		if admitted := gated.objects[key] != nil || gated.there[key]; admitted == denied {
			t.Errorf("%s: admitted %v, denied %v", key, admitted, denied)
		}
		want := lines[key]
		if denied && d.count == len(want) && d.more > 0 {
			want = want[:len(d.lines)]
		}
		if diff := cmp.Diff(want, d.lines); diff != "" {
			t.Errorf("%s: -lintel check, +cluster:\n%s", key, diff)
		}
		delete(lines, key)
		if got := gated.objects[key]; got != nil && plain.objects[key] != nil {
			own := func(of reference, _ place) bool { return of.String() == key }
			if diff := cmp.Diff(settled(found.patchedBy(t, plain.objects[key], own)), settled(got)); diff != "" {
				t.Errorf("%s: -as lintel check would patch it, +as it is patched:\n%s", key, diff)
			}
		}
	}
	for key := range lines {
		t.Errorf("lintel check has findings of %s, which the cluster does not get", key)
	}
}

// holdPlaces holds that each finding and each patch is on a line of a file of the test
// data that is not empty.
func holdPlaces(t *testing.T, found report) {
	t.Helper()
	var places []place
	for _, f := range found.Results {
		places = append(places, f.Source)
	}
	for _, p := range found.Patches {
		places = append(places, p.Source)
	}
	for _, p := range places {
		if !strings.HasPrefix(p.File, testdata("rendered")) {
			t.Errorf("%s is not in the test data", p.File)
			continue
		}
		text, err := os.ReadFile(p.File)
		if err != nil {
			t.Errorf("a finding is nowhere: %v", err)
			continue
		}
		lines := strings.Split(string(text), "\n")
		if p.Line < 1 || p.Line > len(lines) || strings.TrimSpace(lines[p.Line-1]) == "" {
			t.Errorf("nothing is on line %d of %s", p.Line, p.File)
		}
	}
}
