package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/client-go/tools/clientcmd"
)

// TestVerdictOfFile holds what lintel check says of a file to what the cluster
// says when it is created: over the corpus of this package and the samples of all
// policies.
func TestVerdictOfFile(t *testing.T) {
	samples, err := filepath.Glob(filepath.Join("..", "policies", "*", "testdata"))
	if err != nil || len(samples) == 0 {
		t.Fatalf("no samples of policies: %v", err)
	}
	c := newCorpus(t, append(samples, testdata("corpus"))...)
	c.hold(t, newStage(t, "corpus"), 200)
}

// TestVerdictOfYours does the same over a folder of the user's.
func TestVerdictOfYours(t *testing.T) {
	folder := os.Getenv("LINTEL_CORPUS")
	if folder == "" {
		t.Skip("LINTEL_CORPUS names no folder of manifests")
	}
	newCorpus(t, folder).hold(t, newStage(t, "yours"), 1)
}

// hold holds all objects that the API server takes without Lintel to the verdict
// on their files: where policies deny, and where all of them only warn. There have
// to be at least as many objects as said.
func (c *corpus) hold(t *testing.T, s *stage, atLeast int) {
	t.Helper()
	kubeconfig := s.kubeconfig(t)
	c.makeContext(t, s, kubeconfig)
	plain := c.create(t, s, kubeconfig)
	t.Run("Denials", func(t *testing.T) { c.holdDenials(t, s, kubeconfig, plain, atLeast) })
	t.Run("Warnings", func(t *testing.T) { c.holdWarnings(t, s, plain) })
}

// holdDenials compares the verdict on each file with the one in the cluster, and
// with the one on the object that the API server makes of it, with its defaults.
func (c *corpus) holdDenials(t *testing.T, s *stage, kubeconfig string, plain creation, atLeast int) {
	readBack := c.readBack(t, plain)
	s.guard(t)
	gated := c.create(t, s, kubeconfig)
	ofFile, ofReadBack := s.check(t, c.folder), s.check(t, readBack)

	counts := map[string]int{}
	for _, file := range c.files() {
		if plain.objects[file] == nil {
			counts[plain.refusal(file)]++
			continue
		}
		path := filepath.Join(c.folder, file)
		if e := ofFile.errorOf(path); strings.HasSuffix(e, "is there twice in one object") {
			counts["ambiguous, which lintel check refuses"]++
			continue
		} else if e != "" {
			t.Errorf("%s is valid, and lintel check cannot tell: %s", c.origins[file], e)
		}
		want := ofFile.lines(path)
		counts[map[bool]string{true: "denied", false: "admitted"}[len(want) > 0]]++
		if diff := gated.diff(file, want); diff != "" {
			t.Errorf("%s: -lintel check, +cluster:\n%s", c.origins[file], diff)
		}
		if diff := cmp.Diff(want, ofReadBack.lines(filepath.Join(readBack, file+".json"))); diff != "" {
			t.Errorf("%s: -the file, +as the API server stores it:\n%s", c.origins[file], diff)
		}
		if got := gated.objects[file]; got != nil {
			if diff := cmp.Diff(settled(ofFile.patched(t, path, plain.objects[file])), settled(got)); diff != "" {
				t.Errorf("%s: -as lintel check would patch it, +as it is patched:\n%s", c.origins[file], diff)
			}
		}
	}
	if len(ofReadBack.Errors) > 0 {
		t.Errorf("lintel check cannot tell of what the API server stores: %+v", ofReadBack.Errors)
	}
	t.Logf("%d objects: %v; %d documents are none", len(c.files()), counts, c.skipped)
	if got := counts["denied"] + counts["admitted"]; got < atLeast || counts["denied"] == 0 {
		t.Errorf("%d objects were judged and %d denied, want at least %d and some", got, counts["denied"], atLeast)
	}
}

// kubeconfig is the path of a kubeconfig whose namespace is the stage's, which
// holds for objects that do not say theirs.
func (s *stage) kubeconfig(t *testing.T) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(s.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	config.Contexts[config.CurrentContext].Namespace = s.namespace
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// makeContext makes what the objects are judged by: their namespaces, and the
// autoscalers of the corpus. What the API server refuses of it is no context for
// lintel check either.
func (c *corpus) makeContext(t *testing.T, s *stage, kubeconfig string) {
	t.Helper()
	s.must(t, "apply", "-f", testdata("verticalpodautoscalers.yaml"))
	s.must(t, "wait", "--for=condition=Established", "crd/verticalpodautoscalers.autoscaling.k8s.io")
	ctx := context.WithoutCancel(t.Context())
	for name, own := range c.namespaces {
		s.awaitGone(t, name)
		if _, _, code := s.Kubectl(t.Context(), nil, "get", "namespace", name); code == 0 {
			s.label(t, name)
			continue
		}
		if own {
			continue
		}
		if err := s.CreateNamespace(t.Context(), name, ownerLabels()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Kubectl(ctx, nil, "delete", "namespace", name, "--wait=false") })
	}
	c.context = slices.DeleteFunc(c.context, func(file string) bool {
		path := filepath.Join(c.folder, file)
		_, stderr, code := s.Kubectl(t.Context(), nil, "--kubeconfig", kubeconfig, "apply", "-f", path)
		if code == 0 {
			t.Cleanup(func() { s.Kubectl(ctx, nil, "--kubeconfig", kubeconfig, "delete", "-f", path, "--wait=false") })
			return false
		}
		t.Logf("%s is left out: %s", c.origins[file], stderr)
		delete(c.origins, file)
		return os.Remove(path) == nil
	})
}

// label gives a namespace that was there before the labels that lintel check is
// told of.
func (s *stage) label(t *testing.T, namespace string) {
	t.Helper()
	args, undo := []string{"label", "namespace", namespace, "--overwrite"}, []string{"label", "namespace", namespace}
	for key, value := range ownerLabels() {
		args, undo = append(args, key+"="+value), append(undo, key+"-")
	}
	s.must(t, args...)
	t.Cleanup(func() { s.Kubectl(context.WithoutCancel(t.Context()), nil, undo...) })
}

// A creation is what became of the files of a corpus when they were created.
type creation struct {
	objects map[string]object // as the API server would store them, by file
	denials map[string]denial
	others  map[string]string // what else was said of a file
}

// create has kubectl create everything, as a dry run, so that no controller acts
// on what is made and no object stands in the way of another.
func (c *corpus) create(t *testing.T, s *stage, kubeconfig string) creation {
	t.Helper()
	stdout, stderr, _ := s.Kubectl(t.Context(), nil, "--kubeconfig", kubeconfig, "create", "--dry-run=server",
		"--validate=ignore", "--save-config=false", "-o", "json", "-f", c.folder)
	found := creation{objects: map[string]object{}, denials: map[string]denial{}, others: map[string]string{}}
	denied, others := denials(t, stderr)
	for _, d := range denied {
		found.denials[filepath.Base(d.file)] = d
	}
	named := regexp.MustCompile(regexp.QuoteMeta(c.folder) + `/([^"/: ]+\.(?:yaml|yml|json))`)
	for _, line := range others {
		for _, match := range named.FindAllStringSubmatch(line, -1) {
			found.others[match[1]] = line
		}
	}
	// What succeeds is printed in the order of the files.
	succeeded := slices.DeleteFunc(slices.Sorted(maps.Keys(c.origins)), func(file string) bool {
		_, denied := found.denials[file]
		return denied || found.others[file] != ""
	})
	printed := decodeAll(t, stdout)
	if len(printed) != len(succeeded) {
		t.Fatalf("kubectl created %d objects of %d files:\n%s", len(printed), len(succeeded), stderr)
	}
	for i, file := range succeeded {
		found.objects[file] = printed[i]
	}
	return found
}

// decodeAll reads objects that stand one after another.
func decodeAll(t *testing.T, text string) []object {
	t.Helper()
	var all []object
	for d := json.NewDecoder(strings.NewReader(text)); ; {
		var raw json.RawMessage
		if err := d.Decode(&raw); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, decode(t, string(raw)))
	}
}

// readBack writes what the API server made of the objects into a folder, beside
// what they are judged by.
func (c *corpus) readBack(t *testing.T, made creation) string {
	t.Helper()
	folder := t.TempDir()
	for file, o := range made.objects {
		if err := os.WriteFile(filepath.Join(folder, file+".json"), []byte(encode(t, o)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range c.context {
		if err := os.Link(filepath.Join(c.folder, file), filepath.Join(folder, file)); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// refusal says in a few words why a file did not become an object.
func (c creation) refusal(file string) string {
	if strings.Contains(c.others[file], "no matches for kind") {
		return "of no kind or version that is served"
	}
	return "refused by the API server itself"
}

// patched is what lintel check would make of the object that the API server made
// of a file: the patches are those of the file.
func (r report) patched(t *testing.T, file string, o object) object {
	t.Helper()
	return r.patchedBy(t, o, func(_ reference, at place) bool { return at.File == file })
}

// patchedBy is the object with those patches that are chosen.
func (r report) patchedBy(t *testing.T, o object, chosen func(reference, place) bool) object {
	t.Helper()
	text := []byte(encode(t, o))
	for _, p := range r.Patches {
		if !chosen(p.Object, p.Source) {
			continue
		}
		patch, err := jsonpatch.DecodePatch(p.Patch)
		if err != nil {
			t.Fatal(err)
		}
		if text, err = patch.Apply(text); err != nil {
			t.Fatalf("patch %v in %s: %v\n%s", p.Object, p.Source.File, err, p.Patch)
		}
	}
	return decode(t, string(text))
}

// settled is an object without what the API server makes up anew each time.
func settled(o object) object {
	delete(o, "status")
	for _, key := range []string{"uid", "creationTimestamp", "name"} {
		delete(o["metadata"].(map[string]any), key)
	}
	if spec, ok := o["spec"].(map[string]any); ok {
		for _, key := range []string{"clusterIP", "clusterIPs", "ports"} {
			delete(spec, key)
		}
		if o["kind"] == "Job" {
			delete(spec, "selector")
			for _, key := range []string{"controller-uid", "batch.kubernetes.io/controller-uid", "job-name", "batch.kubernetes.io/job-name"} {
				delete(labels(o, "spec", "template", "metadata"), key)
				delete(labels(o, "metadata"), key)
			}
		}
		settleVolumes(o)
	}
	return o
}

// settleVolumes drops the volume of a pod's token, whose name is made up.
func settleVolumes(o object) {
	if o["kind"] != "Pod" {
		return
	}
	delete(o["spec"].(map[string]any), "volumes")
	for _, list := range []string{"containers", "initContainers"} {
		containers, _ := at(o, "spec", list).([]any)
		for _, c := range containers {
			delete(c.(map[string]any), "volumeMounts")
		}
	}
}

// diff compares the verdict on a file with the lines of a denial. A denial that
// was too long has only the first of them.
func (c creation) diff(file string, want []string) string {
	d, denied := c.denials[file]
	switch {
	case denied && d.count == len(want) && d.more > 0:
		want = want[:len(d.lines)]
	case !denied && c.objects[file] == nil:
		return "neither denied nor admitted: " + c.others[file]
	}
	return cmp.Diff(want, d.lines)
}
