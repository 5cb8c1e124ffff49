package e2e_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A workload is a kind that policies are about.
type workload struct {
	reason    string
	policies  []string // that its broken form breaks
	templates [][]any  // paths to the metadata of its templates
	pod       []any    // path to the spec of its pods; nil if it makes none
	spread    bool     // whether constraints over zones and hosts are appended
}

func workloads() map[string]workload {
	always := []string{"probes", "required-labels", "resources"}
	template := [][]any{{"spec", "template", "metadata"}}
	return map[string]workload{
		"pod":                   {reason: "A pod is judged by itself.", policies: always, pod: []any{"spec"}},
		"podtemplate":           {reason: "A template is judged as the pods that are made of it.", policies: always, templates: [][]any{{"template", "metadata"}}, pod: []any{"template", "spec"}},
		"replicationcontroller": {reason: "The oldest workload is held to the same.", policies: always, templates: template, pod: podSpec()},
		"replicaset":            {reason: "A ReplicaSet of its own is held to the same.", policies: always, templates: template, pod: podSpec()},
		"deployment":            {reason: "A Deployment is spread over zones as well.", policies: append(always[:3:3], "topology-spread"), templates: template, pod: podSpec(), spread: true},
		"statefulset": {
			reason:    "A StatefulSet labels what it claims as well.",
			policies:  append(always[:3:3], "topology-spread"),
			templates: append(template[:1:1], []any{"spec", "volumeClaimTemplates", 0, "metadata"}), pod: podSpec(), spread: true,
		},
		"daemonset": {reason: "A DaemonSet is on every node, and needs no spreading.", policies: always, templates: template, pod: podSpec()},
		"job":       {reason: "What ends needs no probes.", policies: always[1:], templates: template, pod: podSpec()},
		"cronjob": {
			reason:    "Jobs and their pods are labelled, two templates deep.",
			policies:  always[1:],
			templates: [][]any{{"spec", "jobTemplate", "metadata"}, {"spec", "jobTemplate", "spec", "template", "metadata"}},
			pod:       []any{"spec", "jobTemplate", "spec", "template", "spec"},
		},
		"service":               {reason: "A Service can cost a load balancer.", policies: []string{"required-labels"}},
		"ingress":               {reason: "So can an Ingress.", policies: []string{"required-labels"}},
		"persistentvolumeclaim": {reason: "A claim costs a disk.", policies: []string{"required-labels"}},
	}
}

// podSpec is where most workloads have the spec of their pods.
func podSpec() []any { return []any{"spec", "template", "spec"} }

// TestWorkloads applies every kind of workload as users first write it, which is
// denied, and as they mend it, which is admitted and patched.
func TestWorkloads(t *testing.T) {
	s := newStage(t, "workloads")
	s.guard(t)
	for name, tc := range workloads() {
		t.Run(name, func(t *testing.T) {
			broken, mended, stored := testdata("workloads", name+"-broken.yaml"), testdata("workloads", name+"-mended.yaml"), name+"/"+name
			d := s.kubectl(t, "apply", "-f", broken).denied(t, tc.reason)
			if diff := cmp.Diff(tc.policies, d.names()); diff != "" {
				t.Errorf("%s\nthe denial names other policies: -want, +got:\n%s", tc.reason, diff)
			}
			if s.exists(t, stored) {
				t.Errorf("%s\n%s was denied, and is stored", tc.reason, stored)
			}
			dry := s.kubectl(t, "apply", "--dry-run=server", "-f", broken).denied(t, tc.reason)
			if diff := cmp.Diff(d.lines, dry.lines); diff != "" {
				t.Errorf("%s\na dry run says otherwise: -apply, +dry run:\n%s", tc.reason, diff)
			}
			s.kubectl(t, "apply", "--dry-run=server", "-f", mended).admitted(t, tc.reason)
			if s.exists(t, stored) {
				t.Errorf("%s\na dry run has stored %s", tc.reason, stored)
			}
			s.kubectl(t, "apply", "-f", mended).admitted(t, tc.reason)
			tc.isPatched(t, name, s.get(t, stored))
		})
	}
}

// isPatched holds a stored object to have what patches give it.
func (w workload) isPatched(t *testing.T, app string, got object) {
	t.Helper()
	want := map[string]any{"app": app, "service": "shop", "environment": "production", "team": "checkout"}
	for _, place := range append([][]any{{"metadata"}}, w.templates...) {
		found := maps.Clone(labels(got, place...))
		// These the API server itself gives to the pods of a Job.
		maps.DeleteFunc(found, func(key string, _ any) bool { return app == "job" && strings.HasSuffix(key, "controller-uid") })
		maps.DeleteFunc(found, func(key string, _ any) bool { return app == "job" && strings.HasSuffix(key, "job-name") })
		if diff := cmp.Diff(want, found); diff != "" {
			t.Errorf("%s\nlabels of %v: -want, +got:\n%s", w.reason, place, diff)
		}
	}
	var constraints any
	if w.spread {
		constraints = []any{spreads("topology.kubernetes.io/zone", app), spreads("kubernetes.io/hostname", app)}
	}
	if diff := cmp.Diff(constraints, at(got, append(w.pod[:len(w.pod):len(w.pod)], "topologySpreadConstraints")...)); diff != "" {
		t.Errorf("%s\ntopologySpreadConstraints: -want, +got:\n%s", w.reason, diff)
	}
}

// spreads is a constraint, as it is patched in, for the pods of an app.
func spreads(over, app string) map[string]any {
	return map[string]any{
		"maxSkew": int64(1), "topologyKey": over, "whenUnsatisfiable": "ScheduleAnyway",
		"labelSelector": map[string]any{"matchLabels": map[string]any{"app": app}},
	}
}

// TestEachPolicy takes from mended workloads what one policy asks for: that one
// alone denies.
func TestEachPolicy(t *testing.T) {
	s := newStage(t, "each-policy")
	s.guard(t)
	breaks := map[string]func(w workload, o object){
		"probes":          func(w workload, o object) { delete(w.container(o), "readinessProbe") },
		"resources":       func(w workload, o object) { delete(w.container(o), "resources") },
		"required-labels": func(_ workload, o object) { delete(labels(o, "metadata"), "service") },
		"topology-spread": func(w workload, o object) {
			// A constraint that selects other pods is not repaired.
			constraints := []any{spreads("topology.kubernetes.io/zone", "other")}
			at(o, w.pod...).(map[string]any)["topologySpreadConstraints"] = constraints
		},
	}
	for name, tc := range workloads() {
		mended := fromYAML(t, read(t, "workloads", name+"-mended.yaml"))
		for _, policy := range tc.policies {
			t.Run(name+"/"+policy, func(t *testing.T) {
				broken := mended.copied(t)
				breaks[policy](tc, broken)
				d := s.kubectlWith(t, encode(t, broken), "apply", "-f", "-").denied(t, tc.reason)
				if got := d.names(); !slices.Equal(got, []string{policy}) {
					t.Errorf("%s\n%q deny, want only %s:\n%s", tc.reason, got, policy, strings.Join(d.lines, "\n"))
				}
			})
		}
	}
}

// container is the first container of the workload's pods.
func (w workload) container(o object) map[string]any {
	return at(o, append(w.pod[:len(w.pod):len(w.pod)], "containers", 0)...).(map[string]any)
}

// labels are those of the metadata at a path.
func labels(o object, metadata ...any) map[string]any {
	found, _ := at(o, append(metadata[:len(metadata):len(metadata)], "labels")...).(map[string]any)
	return found
}

// TestDenialText holds what people read to the letter.
func TestDenialText(t *testing.T) {
	s := newStage(t, "shop")
	s.guard(t)
	r := s.kubectl(t, "apply", "-f", testdata("denial", "web.yaml"))
	d := r.denied(t, "The Deployment lacks two probes and a label.")
	want := strings.ReplaceAll(read(t, "denial", "want.txt"), "REVISION", d.revision)
	if diff := cmp.Diff(want, r.stderr); diff != "" {
		t.Errorf("kubectl's standard error: -want, +got:\n%s", diff)
	}
	// lintel check says the same of the file, by the same policies.
	check := run(t, built.Path(t), "check", "-n", s.namespace, "--namespace-labels", namespaceLabels, testdata("denial", "web.yaml"))
	text := strings.Split(want, "denied the request: ")[1]
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		if !strings.Contains(check.stdout, line+"\n") {
			t.Errorf("lintel check does not say %q:\n%s", line, check.stdout)
		}
	}
}
