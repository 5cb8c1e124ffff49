package e2e_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestWriters makes the same change by all ways that the API has for it: the
// verdict is the same.
func TestWriters(t *testing.T) {
	s := newStage(t, "writers")
	s.guard(t)
	mended := fromYAML(t, read(t, "workloads", "deployment-mended.yaml"))
	s.must(t, "apply", "--server-side", "--field-manager=first", "-f", testdata("workloads", "deployment-mended.yaml"))
	stored := s.get(t, "deployment/deployment")
	delete(at(stored, "metadata").(map[string]any), "resourceVersion") // controllers write the status meanwhile

	labelled := func(o object) string {
		o = o.copied(t)
		labels(o, "metadata")["service"] = "TODO"
		labels(o, "spec", "template", "metadata")["service"] = "TODO"
		return encode(t, o)
	}
	const merge = `{"metadata": {"labels": {"service": "TODO"}}, "spec": {"template": {"metadata": {"labels": {"service": "TODO"}}}}}`
	const jsonPatch = `[{"op": "replace", "path": "/metadata/labels/service", "value": "TODO"},` +
		`{"op": "replace", "path": "/spec/template/metadata/labels/service", "value": "TODO"}]`
	apply := []string{"apply", "-f", "-"}
	cases := map[string]struct {
		reason string
		stdin  string
		args   []string
	}{
		"Apply":       {"Client-side apply.", labelled(mended), apply},
		"ServerSide":  {"Server-side apply by the same manager.", labelled(mended), append(apply, "--server-side", "--field-manager=first")},
		"TwoManagers": {"Server-side apply by another, which takes fields over.", labelled(mended), append(apply, "--server-side", "--field-manager=second", "--force-conflicts")},
		"Replace":     {"The whole object, as it is stored.", labelled(stored), []string{"replace", "-f", "-"}},
		"JSONPatch":   {"JSON patch.", "", []string{"patch", "deployment", "deployment", "--type=json", "-p", jsonPatch}},
		"MergePatch":  {"JSON merge patch.", "", []string{"patch", "deployment", "deployment", "--type=merge", "-p", merge}},
		"Strategic":   {"Strategic merge patch.", "", []string{"patch", "deployment", "deployment", "--type=strategic", "-p", merge}},
	}
	want := []string{
		`required-labels  metadata.labels.service: label "service" is "TODO", which says nothing`,
		`required-labels  spec.template.metadata.labels.service: label "service" is "TODO", which says nothing`,
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for _, dry := range []string{"--dry-run=none", "--dry-run=server"} {
				r := s.kubectlWith(t, tc.stdin, append(slices.Clone(tc.args), dry)...)
				found, _ := denials(t, r.stderr)
				if r.code != 1 || len(found) != 1 {
					t.Fatalf("%s\n%s: got exit code %d, want 1 and one denial:\n%s%s", tc.reason, dry, r.code, r.stdout, r.stderr)
				}
				if diff := cmp.Diff(want, found[0].lines); diff != "" {
					t.Errorf("%s\n%s: -want, +got:\n%s", tc.reason, dry, diff)
				}
			}
		})
	}
	left := s.get(t, "deployment/deployment")
	for _, field := range [][]any{{"metadata", "labels"}, {"metadata", "generation"}, {"spec"}} {
		if diff := cmp.Diff(at(stored, field...), at(left, field...)); diff != "" {
			t.Errorf("what was denied has changed %v: -before, +after:\n%s", field, diff)
		}
	}
}

// TestAgain applies the same files again: nothing is left to change, neither for
// kubectl nor for patches.
func TestAgain(t *testing.T) {
	cases := map[string]struct {
		reason string
		apply  []string
	}{
		"client-side": {"kubectl finds out what has changed.", []string{"apply"}},
		"server-side": {"The API server merges what managers want.", []string{"apply", "--server-side"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, "again-"+name)
			s.guard(t)
			var files []string
			for kind := range workloads() {
				files = append(files, "-f", testdata("workloads", kind+"-mended.yaml"))
			}
			apply := append(tc.apply[:len(tc.apply):len(tc.apply)], files...)
			s.kubectl(t, apply...).admitted(t, tc.reason)
			before := s.generations(t)
			s.kubectl(t, apply...).admitted(t, tc.reason)
			if diff := cmp.Diff(before, s.generations(t)); diff != "" {
				t.Errorf("%s\ngenerations after applying again: -first, +second:\n%s", tc.reason, diff)
			}
			if r := s.kubectl(t, append([]string{"diff"}, append(tc.apply[1:], files...)...)...); r.code != 0 {
				t.Errorf("%s\nkubectl diff: exit code %d, want 0\n%s%s", tc.reason, r.code, r.stdout, r.stderr)
			}
		})
	}
}

// generations are those of the specs of all that TestAgain applies, with the
// labels, which no generation counts.
func (s *stage) generations(t *testing.T) []string {
	t.Helper()
	return strings.Split(s.must(t, "get", "deployments,statefulsets,daemonsets,cronjobs,services,ingresses,podtemplates,replicationcontrollers,persistentvolumeclaims", "-o",
		`jsonpath={range .items[*]}{.kind}{" "}{.metadata.generation}{" "}{.metadata.labels}{"\n"}{end}`), "\n")
}
