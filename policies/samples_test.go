package policies_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/engine"
)

// A sample is one document of a file in testdata, with what its comments say that
// the policy of the folder finds in it.
type sample struct {
	name   string
	object object
	want   []string // path: message
}

// wantComment begins a line of a sample that says what is found in it.
const wantComment = "# want: "

// samples returns those of a policy whose file has a name of this pattern.
func samples(t testing.TB, policy, pattern string) []sample {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(policy, "testdata", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("list the samples %s of %s: %v, %d files", pattern, policy, err, len(files))
	}
	var found []sample
	for _, file := range files {
		for i, text := range strings.Split(readFile(t, file), "\n---\n") {
			s := sample{object: fromYAML(t, text)}
			s.name = fmt.Sprintf("%s#%d %s", file, i+1, s.object["kind"])
			for line := range strings.Lines(text) {
				if want, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), wantComment); ok {
					s.want = append(s.want, want)
				}
			}
			found = append(found, s)
		}
	}
	return found
}

// decide returns what set decides about the creation of an object, as it is and
// without patches.
func decide(t testing.TB, set *engine.Set, o object) *engine.Decision {
	t.Helper()
	d, err := set.Review(t.Context(), request(t, o), nil)
	if err != nil {
		t.Fatalf("Review(...): %v", err)
	}
	return d
}

func request(t testing.TB, o object) *engine.Request {
	t.Helper()
	req, err := engine.NewRequest(asJSON(t, o), "default")
	if err != nil {
		t.Fatalf("NewRequest(%s): %v", asJSON(t, o), err)
	}
	if req.Namespace() == "" {
		return req
	}
	return req.In(objectOf(t, object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": req.Namespace()}}))
}

// findings returns a line for each violation of a policy and for each error of any.
func findings(d *engine.Decision, policy string) []string {
	var lines []string
	for _, v := range d.Violations {
		if v.Policy == policy {
			lines = append(lines, fmt.Sprintf("%s: %s", v.Path, v.Message))
		}
	}
	for _, e := range d.Errors {
		lines = append(lines, e.Error())
	}
	return lines
}

func TestGoodSamples(t *testing.T) {
	set := library(t)
	for _, name := range names() {
		for _, s := range samples(t, name, "good*.yaml") {
			if diff := cmp.Diff(s.want, findings(decide(t, set, s.object), name)); diff != "" {
				t.Errorf("%s: nothing is wrong with it: -want, +got:\n%s", s.name, diff)
			}
		}
	}
}

func TestBadSamples(t *testing.T) {
	set := library(t)
	for _, name := range names() {
		for _, s := range samples(t, name, "bad*.yaml") {
			d := decide(t, set, s.object)
			if diff := cmp.Diff(s.want, findings(d, name)); diff != "" || len(s.want) == 0 {
				t.Errorf("%s: -want, +got:\n%s", s.name, diff)
			}
			if d.Allowed() {
				t.Errorf("%s: it is not denied", s.name)
			}
			for _, v := range d.Violations {
				if v.Fix == "" {
					t.Errorf("%s: %s: %s: it is not said how to put it right", s.name, v.Path, v.Message)
				}
			}
		}
	}
}

// TestSamplesOfEveryKind asks for a good and a bad sample of each kind that a
// policy is about and that needs one.
func TestSamplesOfEveryKind(t *testing.T) {
	needsNone := map[string][]string{"probes": {"Job", "CronJob"}}
	for _, info := range library(t).Policies() {
		for _, pattern := range []string{"good*.yaml", "bad*.yaml"} {
			have := map[string]bool{}
			for _, s := range samples(t, info.Name, pattern) {
				have[s.object["kind"].(string)] = true
			}
			for kind := range workloadsOf(info) {
				if !have[kind] && !slices.Contains(needsNone[info.Name], kind) {
					t.Errorf("%s: there is no sample %s of a %s", info.Name, pattern, kind)
				}
			}
		}
	}
}

// workloadsOf returns the built-in kinds that a policy matches.
func workloadsOf(info engine.Info) map[string]bool {
	kinds := map[string]bool{}
	for _, k := range info.Match.Kinds {
		if !strings.Contains(k.APIGroups[0], ".") || strings.HasSuffix(k.APIGroups[0], ".k8s.io") {
			for _, kind := range k.Kinds {
				kinds[kind] = true
			}
		}
	}
	return kinds
}

// TestPatchedSamples asks that patching settles, adds no violation, and that what
// it makes of an object is left alone the next time.
func TestPatchedSamples(t *testing.T) {
	set := library(t)
	namespace := fromYAML(t, "{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {environment: staging, team: shop}}}")
	for _, name := range names() {
		for _, s := range append(samples(t, name, "good*.yaml"), samples(t, name, "bad*.yaml")...) {
			first, err := set.Patch(t.Context(), request(t, s.object).In(objectOf(t, namespace)), nil)
			if err != nil || len(first.Errors) > 0 || len(first.Warnings) > 0 {
				t.Fatalf("%s: Patch(...): %v, %v, %v", s.name, err, first.Errors, first.Warnings)
			}
			again, err := set.Patch(t.Context(), first.Request, nil)
			if err != nil || again.Patch != nil {
				t.Errorf("%s: patching what was patched: %v, %s", s.name, err, again.Patch)
			}
			after, err := set.Review(t.Context(), first.Request, nil)
			if err != nil {
				t.Fatalf("%s: Review(...): %v", s.name, err)
			}
			before := decide(t, set, s.object)
			for _, v := range after.Violations {
				if !slices.ContainsFunc(before.Violations, func(b engine.Violation) bool {
					return b.Policy == v.Policy && b.Path.String() == v.Path.String()
				}) {
					t.Errorf("%s: patching brought about %s: %s", s.name, v.Path, v.Message)
				}
			}
		}
	}
}

// TestSameVerdictInEveryCarrier puts the pods of all samples into each kind that
// makes pods, and asks for the same findings in the pod.
func TestSameVerdictInEveryCarrier(t *testing.T) {
	set := library(t)
	for _, name := range []string{"probes", "resources", "required-labels"} {
		for _, s := range append(samples(t, name, "good*.yaml"), samples(t, name, "bad*.yaml")...) {
			template, ok := templateOf(s.object)
			if !ok {
				continue
			}
			want := withinPod(decide(t, set, carriers(template)["Pod"]), name, "Pod")
			for kind, carrier := range carriers(template) {
				if name == "probes" && (kind == "Job" || kind == "CronJob") {
					continue // pods of these end
				}
				if diff := cmp.Diff(want, withinPod(decide(t, set, carrier), name, kind)); diff != "" {
					t.Errorf("%s in a %s: -Pod, +%s:\n%s", s.name, kind, kind, diff)
				}
			}
		}
	}
}

// podPaths are where each kind has its pod template.
func podPaths() map[string][]string {
	paths := map[string][]string{
		"Pod": {}, "PodTemplate": {"template"}, "CronJob": {"spec", "jobTemplate", "spec", "template"},
	}
	for _, kind := range []string{"ReplicationController", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job"} {
		paths[kind] = []string{"spec", "template"}
	}
	return paths
}

// templateOf returns the pod template in an object.
func templateOf(o object) (object, bool) {
	path, ok := podPaths()[o["kind"].(string)]
	if !ok {
		return nil, false
	}
	for _, step := range path {
		o = o[step].(object)
	}
	metadata, _ := o["metadata"].(object)
	return object{"metadata": metadata, "spec": o["spec"]}, true
}

// carriers returns an object of each kind that makes pods of a template. Their
// own labels are those of the template.
func carriers(template object) map[string]object {
	versions := map[string]string{
		"Pod": "v1", "PodTemplate": "v1", "ReplicationController": "v1", "ReplicaSet": "apps/v1", "Deployment": "apps/v1",
		"StatefulSet": "apps/v1", "DaemonSet": "apps/v1", "Job": "batch/v1", "CronJob": "batch/v1",
	}
	metadata, _ := template["metadata"].(object)
	own := object{"name": "carrier", "namespace": "default", "labels": metadata["labels"]}
	made := map[string]object{}
	for kind, path := range podPaths() {
		inner := maps.Clone(template)
		for _, step := range slices.Backward(path) {
			inner = object{step: inner}
		}
		inner = maps.Clone(inner)
		inner["apiVersion"], inner["kind"], inner["metadata"] = versions[kind], kind, own
		made[kind] = inner
	}
	return made
}

// withinPod returns the findings of a policy in the pod that an object of kind
// makes, by their paths in that pod.
func withinPod(d *engine.Decision, policy, kind string) []string {
	prefix := strings.Join(podPaths()[kind], ".")
	var lines []string
	for _, line := range findings(d, policy) {
		if rest, ok := strings.CutPrefix(line, prefix); ok {
			lines = append(lines, strings.TrimPrefix(rest, "."))
		}
	}
	slices.Sort(lines)
	return lines
}

func objectOf(t testing.TB, o object) *engine.Object {
	t.Helper()
	decoded, err := engine.DecodeObject(asJSON(t, o))
	if err != nil {
		t.Fatalf("DecodeObject(...): %v", err)
	}
	return decoded
}
