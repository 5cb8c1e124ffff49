package e2e_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestDeletion deletes what was there before Lintel in all ways that the API has,
// where the policies of the library are asked of deletions too: they find nothing
// in an object that is not there, and nothing stands in the way.
func TestDeletion(t *testing.T) {
	s := newStage(t, "deletion")
	for kind := range workloads() {
		s.kubectl(t, "create", "-f", testdata("workloads", kind+"-broken.yaml")).admitted(t, "Lintel is not there yet.")
	}
	s.must(t, "create", "configmap", "collected")
	g := s.guard(t, libraryWith(t, `match: {kinds: [{apiGroups: ["*"], kinds: ["*"]}], operations: ["*"]}`))

	cases := map[string][]string{
		"DryRun":     {"podtemplate/podtemplate", "--dry-run=server"},
		"Background": {"daemonset/daemonset"},
		"Foreground": {"deployment/deployment", "--cascade=foreground"},
		"Orphan":     {"replicaset/replicaset", "--cascade=orphan"},
		"AtOnce":     {"pod/pod", "--grace-period=0", "--force"},
		"Selected":   {"service,ingress,job,cronjob", "--all"},
	}
	for name, args := range cases {
		t.Run(name, func(t *testing.T) {
			r := s.kubectl(t, append([]string{"delete", "--timeout=30s"}, args...)...)
			if r.code != 0 {
				t.Errorf("kubectl delete %s: exit code %d, want 0\n%s", strings.Join(args, " "), r.code, r.stderr)
			}
		})
	}
	t.Run("Collection", func(t *testing.T) {
		code, answer := s.send(t, http.MethodDelete, "/api/v1/namespaces/deletion/configmaps", "", "")
		if code != http.StatusOK || s.exists(t, "configmap/collected") {
			t.Errorf("status %d, want 200 and nothing left: %v", code, answer)
		}
	})
	if log := g.Log(); !strings.Contains(log, `"operation":"DELETE"`) || strings.Contains(log, `"verdict":"undecided"`) || strings.Contains(log, `"panicked"`) {
		t.Errorf("no deletion was judged, or one could not be:\n%s", log)
	}
}
