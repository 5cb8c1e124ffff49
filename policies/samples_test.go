package policies_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
	"github.com/lintel-policy/lintel/verify"
)

// A sample is an object of the testdata of a policy.
type sample struct {
	name   string
	object object
}

// samples returns the good or the bad ones of a policy.
func samples(t testing.TB, policy string, good bool) []sample {
	t.Helper()
	suites, err := policies.EmbeddedSuites()
	if err != nil {
		t.Fatalf("EmbeddedSuites(): %v", err)
	}
	var found []sample
	for _, suite := range suites {
		for _, s := range suite.Samples {
			if suite.Policy.Name == policy && s.Good == good {
				found = append(found, sample{fmt.Sprintf("%s:%d", s.File, s.Line), fromYAML(t, s.Text)})
			}
		}
	}
	if len(found) == 0 {
		t.Fatalf("policy %s has no samples", policy)
	}
	return found
}

func allSamples(t testing.TB, policy string) []sample {
	t.Helper()
	return append(samples(t, policy, true), samples(t, policy, false)...)
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

// TestBadSamplesAreDenied asks that a bad sample is denied, and that it is said how to
// put right what is found.
func TestBadSamplesAreDenied(t *testing.T) {
	set := library(t)
	for _, name := range names() {
		for _, s := range samples(t, name, false) {
			d := decide(t, set, s.object)
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
		for _, good := range []bool{true, false} {
			have := map[string]bool{}
			for _, s := range samples(t, info.Name, good) {
				have[s.object["kind"].(string)] = true
			}
			for kind := range workloadsOf(info) {
				if !have[kind] && !slices.Contains(needsNone[info.Name], kind) {
					t.Errorf("%s: there is no sample of a %s, good: %v", info.Name, kind, good)
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

// TestPatchedSamples asks that what all policies together make of an object in a
// namespace with labels settles, and brings about no violation.
func TestPatchedSamples(t *testing.T) {
	set := library(t)
	namespace := fromYAML(t, "{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {environment: staging, team: shop}}}")
	for _, name := range names() {
		for _, s := range allSamples(t, name) {
			unsettled, err := verify.Settles(t.Context(), set, request(t, s.object).In(objectOf(t, namespace)), nil)
			if err != nil || len(unsettled) > 0 {
				t.Errorf("%s: Settles(...): %v, %q", s.name, err, unsettled)
			}
		}
	}
}

// TestSameVerdictInEveryCarrier puts the pods of all samples into each kind that
// makes pods, and asks for the same findings in the pod.
func TestSameVerdictInEveryCarrier(t *testing.T) {
	set := library(t)
	for _, name := range []string{"probes", "resources", "required-labels"} {
		for _, s := range allSamples(t, name) {
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
