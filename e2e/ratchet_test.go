package e2e_test

import (
	"slices"
	"strings"
	"testing"
)

// TestOldObjects holds that what was there before Lintel can live on, and that
// what is touched has to be right.
func TestOldObjects(t *testing.T) {
	s := newStage(t, "old-objects")
	s.must(t, "apply", "-f", testdata("ratchet", "old.yaml"))
	await(t, "the old Deployment has its pods", func() bool { return len(s.podsOf(t, "old")) == 2 })
	before := s.get(t, "deployment/old")
	s.guard(t)
	s.must(t, "apply", "-f", testdata("workloads", "deployment-mended.yaml"))

	cases := map[string]struct {
		reason string
		args   []string
		denied []string // policies; none: admitted
	}{
		"Annotate": {
			reason: "An annotation touches nothing that policies are about.",
			args:   []string{"annotate", "deployment", "old", "note=checked"},
		},
		"SetImage": {
			reason: "Who changes a container mends it; what is wrong elsewhere only warns.",
			args:   []string{"set", "image", "deployment/old", "web=registry.example.com/shop/web:1.0.1"},
			denied: []string{"probes"},
		},
		"RemoveLabel": {
			reason: "What was right has to stay so.",
			args:   []string{"label", "deployment", "deployment", "service-"},
			denied: []string{"required-labels"},
		},
		"RemoveProbe": {
			reason: "A violation that was not there before is denied.",
			args: []string{"patch", "deployment", "deployment", "--type=json", "-p",
				`[{"op": "remove", "path": "/spec/template/spec/containers/0/livenessProbe"}]`},
			denied: []string{"probes"},
		},
		"ScaleMore": {
			reason: "More of what is piled up already is not held up.",
			args:   []string{"scale", "deployment", "old", "--replicas=3"},
		},
		"ScaleFirst": {
			reason: "The second replica is when spreading begins to matter.",
			args:   []string{"scale", "deployment", "single", "--replicas=2"},
			denied: []string{"topology-spread"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := s.kubectl(t, tc.args...)
			if tc.denied == nil {
				if r.code != 0 {
					t.Errorf("%s\nkubectl %s: exit code %d, want 0\n%s", tc.reason, strings.Join(tc.args, " "), r.code, r.stderr)
				}
				return
			}
			if got := r.denied(t, tc.reason).names(); !slices.Equal(got, tc.denied) {
				t.Errorf("%s\ngot denials by %q, want %q:\n%s", tc.reason, got, tc.denied, r.stderr)
			}
		})
	}
	s.isMadeOnce(t)
	s.isNotRolledOut(t, before)
	s.isReplaced(t)
}

// isNotRolledOut holds that nothing of all that has changed the old Deployment's
// template, or made another ReplicaSet.
func (s *stage) isNotRolledOut(t *testing.T, before object) {
	t.Helper()
	r := s.kubectl(t, "annotate", "deployment", "old", "note=again", "--overwrite")
	for _, policy := range []string{"probes", "resources", "required-labels"} {
		if !strings.Contains(r.stderr, "Warning: "+policy+": ") {
			t.Errorf("who annotates an old Deployment is not told of %s:\n%s", policy, r.stderr)
		}
	}
	if !strings.Contains(r.stderr, "(as before)") {
		t.Errorf("warnings do not say that it was so before:\n%s", r.stderr)
	}
	after := s.get(t, "deployment/old")
	if got, want := encode(t, at(after, "spec", "template")), encode(t, at(before, "spec", "template")); got != want {
		t.Errorf("the template of an old Deployment was changed from\n%s to\n%s", want, got)
	}
	if got := strings.Count(s.must(t, "get", "replicasets", "-l", "app=old", "-o", "name"), "\n"); got != 1 {
		t.Errorf("the old Deployment has %d ReplicaSets, want 1", got)
	}
}

// isMadeOnce holds that what a controller makes of an old template is left as it
// is: were it patched, the controller would not know it again, and make another.
func (s *stage) isMadeOnce(t *testing.T) {
	t.Helper()
	s.must(t, "rollout", "resume", "deployment/paused")
	await(t, "the Deployment that was paused has its pod", func() bool { return len(s.podsOf(t, "paused")) == 1 })
	sets := s.must(t, "get", "replicasets", "-l", "app=paused", "-o", "json")
	items, _ := decode(t, sets)["items"].([]any)
	if len(items) != 1 {
		t.Fatalf("the Deployment that was paused has %d ReplicaSets, want 1", len(items))
	}
	got, _ := at(items[0], "spec", "template", "metadata", "labels").(map[string]any)
	if got["app"] != "paused" || len(got) != 2 || got["pod-template-hash"] == nil {
		t.Errorf("labels of the ReplicaSet's template are %v, want only those of its Deployment and its hash", got)
	}
}

// isReplaced holds that a pod of an old Deployment comes back when it is lost,
// though it could not be created by hand.
func (s *stage) isReplaced(t *testing.T) {
	t.Helper()
	pods := s.podsOf(t, "old")
	s.must(t, "delete", pods[0], "--force", "--grace-period=0")
	await(t, "a lost pod comes back", func() bool {
		now := s.podsOf(t, "old")
		return len(now) == 3 && !slices.Contains(now, pods[0])
	})
}

// podsOf names the pods of an app.
func (s *stage) podsOf(t *testing.T, app string) []string {
	t.Helper()
	return strings.Fields(s.must(t, "get", "pods", "-l", "app="+app, "-o", "name"))
}

// TestFinalizer holds that an object that is being deleted can go, and that this
// is no way to change what it runs.
func TestFinalizer(t *testing.T) {
	s := newStage(t, "finalizer")
	s.must(t, "apply", "-f", testdata("ratchet", "going.yaml"))
	s.guard(t)
	s.must(t, "delete", "deployment", "going", "--wait=false", "--cascade=orphan")
	if at(s.get(t, "deployment/going"), "metadata", "deletionTimestamp") == nil {
		t.Fatal("the Deployment is not being deleted")
	}
	reason := "An object on its way out is held to the policies like any other."
	d := s.kubectl(t, "set", "image", "deployment/going", "web=registry.example.com/shop/web:1.0.1").denied(t, reason)
	if want := []string{"probes"}; !slices.Equal(d.names(), want) {
		t.Errorf("%s\ngot denials by %q, want %q", reason, d.names(), want)
	}
	s.kubectl(t, "patch", "deployment", "going", "--type=json", "-p", `[{"op": "remove", "path": "/metadata/finalizers/0"}]`).
		admitted(t, "Finalizers can be removed.")
	await(t, "the Deployment is gone", func() bool { return !s.exists(t, "deployment/going") })
}
