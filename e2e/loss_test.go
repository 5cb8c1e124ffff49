package e2e_test

import (
	"context"
	"strings"
	"testing"
	"time"
)

// TestLosses holds that what was there before Lintel comes back when it is lost,
// whatever it breaks: pods of each kind of workload, claims, and the Service by
// which the cluster reaches itself.
func TestLosses(t *testing.T) {
	s := newStage(t, "losses")
	s.addNode(t, "losses")
	pods := map[string]int{
		"deployment": 3, "replicaset": 3, "replicationcontroller": 2, "job": 1, "daemonset": 1,
		"statefulset": 1, // the next waits for the first to be ready, which nobody makes it
	}
	for app := range pods {
		s.kubectl(t, "create", "-f", testdata("workloads", app+"-broken.yaml")).admitted(t, "Lintel is not there yet.")
	}
	await(t, "all is there", func() bool { return s.isBack(t, pods, nil) })
	before := s.uids(t)
	s.guard(t)

	service := []string{"get", "service", "kubernetes", "--namespace=default", "--ignore-not-found", "-o", "jsonpath={.metadata.uid}"}
	old := s.must(t, service...)
	s.must(t, "delete", "service", "kubernetes", "--namespace=default")
	s.must(t, "delete", "persistentvolumeclaims", "--all", "--wait=false")
	s.must(t, "delete", "pods", "--all", "--force", "--grace-period=0", "--wait=false")
	await(t, "pods and claims come back", func() bool { return s.isBack(t, pods, before) })
	await(t, "the Service kubernetes comes back", func() bool {
		now := s.must(t, service...)
		return now != "" && now != old
	})
}

// addNode makes a node that nothing runs on, until the test has ended. It says that
// it is ready: a node that is not heard of gets a taint that keeps pods off, at once
// if another of its name has been there before.
func (s *stage) addNode(t *testing.T, name string) {
	t.Helper()
	s.kubectlWith(t, `{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "`+name+`"}}`, "create", "-f", "-").
		admitted(t, "Nodes are never held up.")
	t.Cleanup(func() { s.Kubectl(context.WithoutCancel(t.Context()), nil, "delete", "node", name, "--wait=false") })
	s.must(t, "patch", "node", name, "--subresource=status", "-p",
		`{"status": {"conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "`+time.Now().UTC().Format(time.RFC3339)+`"}]}}`)
	await(t, "the node has no taint", func() bool { return at(s.get(t, "node/"+name), "spec", "taints") == nil })
}

// uids are those of the pods and claims of the stage.
func (s *stage) uids(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, o := range s.list(t, "api/v1", "pods", "persistentvolumeclaims") {
		found[at(o, "metadata", "uid").(string)] = true
	}
	return found
}

// isBack says whether each app has as many pods as said, and the StatefulSet its
// claim, and none of them is one of those before, or going.
func (s *stage) isBack(t *testing.T, pods map[string]int, before map[string]bool) bool {
	t.Helper()
	left := map[string]int{"data-statefulset-0": 1}
	for app, n := range pods {
		left[app] = n
	}
	for _, o := range s.list(t, "api/v1", "pods", "persistentvolumeclaims") {
		if before[at(o, "metadata", "uid").(string)] || at(o, "metadata", "deletionTimestamp") != nil {
			return false
		}
		if strings.HasPrefix(o.name(), "data-") {
			left[o.name()]--
		} else {
			left[labels(o, "metadata")["app"].(string)]--
		}
	}
	for _, n := range left {
		if n != 0 {
			return false
		}
	}
	return true
}
