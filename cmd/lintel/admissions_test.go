package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lintel-policy/lintel/api/v1alpha1"
)

// lastDayOf reads what a policy would have denied, nil where its status does not say.
func lastDayOf(t *testing.T, policy string) *v1alpha1.LastDay {
	t.Helper()
	var p v1alpha1.Policy
	must(json.Unmarshal([]byte(kubectl(t, "", "get", "policy", policy, "-o", "json")), &p))
	return p.Status.LastDay
}

// awaitLastDay waits until the status of a policy has so many requests. Numbers that have
// grown are told after a minute only, and others' after two.
func awaitLastDay(t *testing.T, policy string, requests int64) *v1alpha1.LastDay {
	t.Helper()
	var day *v1alpha1.LastDay
	err := until(t.Context(), 5*time.Minute, unless(func() bool {
		day = lastDayOf(t, policy)
		return day != nil && day.Requests == requests
	}))
	if err != nil {
		t.Fatalf("status.lastDay of %s: got %+v, want %d requests", policy, day, requests)
	}
	return day
}

// TestWouldDeny has requests made that a policy lets by, and reads which of them it would
// have denied, and whose they were.
func TestWouldDeny(t *testing.T) {
	define(t)
	useNamespaces(t, "lenient")
	kubectl(t, "", "label", "namespace", "lenient", "team=checkout")
	kubectl(t, ownedPolicy(t, owned, `, "enforcement": "dryrun"`), "apply", "-f", "-")
	s := serveFrom(t, "cluster")
	if day := awaitLastDay(t, "owned", 0); time.Since(day.Since.Time) > time.Hour {
		t.Errorf("it is counted since %s, before it was", day.Since)
	}
	createConfigMap(t, "lenient", "dry", nil, true)
	createConfigMap(t, "lenient", "well", map[string]string{"owner": "me"}, false)
	createConfigMap(t, "lenient", "a", nil, false)
	createConfigMap(t, "lenient", "b", map[string]string{"team": "search"}, false)
	kubectl(t, "", "annotate", "configmap", "b", "-n", "lenient", "by=me") // it has no owner as before
	kubectl(t, "", "label", "configmap", "well", "-n", "lenient", "owner-")

	day := awaitLastDay(t, "owned", 3)
	got := map[string]int64{}
	for _, o := range day.Owners {
		got[fmt.Sprintf("%s %s/%s %s", o.Kind, o.Namespace, o.Name, o.Team)] = o.Requests
	}
	if want := map[string]int64{"ConfigMap lenient/a checkout": 1, "ConfigMap lenient/b search": 1, "ConfigMap lenient/well checkout": 1}; fmt.Sprint(got) != fmt.Sprint(want) || day.OtherRequests != 0 {
		t.Errorf("owners: got %v and %d, want %v", got, day.OtherRequests, want)
	}
	line := kubectl(t, "", "get", "lpol", "owned")
	if want := "WOULD DENY"; !strings.Contains(line, want) || !strings.Contains(line, "   3  ") {
		t.Errorf("kubectl get: %s", line)
	}
	testAuditOfRequests(t)

	kubectl(t, "", "patch", "policy", "owned", "--type=merge", "-p", `{"spec": {"enforcement": "deny"}}`)
	if !comesTrue(func() bool { return lastDayOf(t, "owned") == nil }) {
		t.Errorf("what denies is said to be about to: %+v", lastDayOf(t, "owned"))
	}
	s.end(t, syscall.SIGTERM)
}

// testAuditOfRequests has the audit of a cluster tell the same.
func testAuditOfRequests(t *testing.T) {
	t.Helper()
	const want = "owned, if it denied, would have denied 3 requests: 1 of ConfigMap lenient/a (checkout), 1 of ConfigMap lenient/b (search), 1 of ConfigMap lenient/well (checkout)\n"
	if code, stdout, stderr := lintelAudit(t, "-p", "cluster"); !strings.Contains(stdout, want) {
		t.Errorf("audit: %d, %s, %q is not in\n%s", code, stderr, want, stdout)
	}
	if _, stdout, _ := lintelAudit(t, "-p", "cluster", "-o", "json"); !strings.Contains(stdout, `"lastDays": [`) {
		t.Errorf("audit as JSON: nothing of requests in\n%s", stdout)
	}
	for _, args := range [][]string{{"-p", "embedded"}, {"-n", "lenient"}} {
		if _, stdout, _ := lintelAudit(t, args...); strings.Contains(stdout, "if it denied") {
			t.Errorf("audit %q: of requests of the cluster in\n%s", args, stdout)
		}
	}
}

// lenient is what replicas share, and a policy that records.
const lenient = `
apiVersion: v1
kind: ConfigMap
metadata: {name: lintel-state, namespace: counting}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: lintel-replicas, namespace: counting}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: lintel-last-good, namespace: counting}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: lintel-last-day, namespace: counting}
---
apiVersion: lintel.dev/v1alpha1
kind: Policy
metadata: {name: well}
spec:
  source: {modules: [{name: a.rego, rego: "package team\n\nviolation contains {\"msg\": \"never\"}"}]}
  match: {kinds: [{apiGroups: [""], kinds: [LimitRange]}]}
  enforcement: dryrun
`

// TestLastDayOverRestarts has replicas count together, and be replaced one by one as in a
// rolling update: nothing of the day is lost.
func TestLastDayOverRestarts(t *testing.T) {
	define(t)
	useNamespaces(t, "counting")
	kubectl(t, lenient, "apply", "-f", "-")
	permit(t, "create", "clusterrole", "lintel", "--verb=get", "--resource=namespaces")
	t.Cleanup(func() {
		shared.Cluster(t).Kubectl(context.WithoutCancel(t.Context()), nil, "delete", "--ignore-not-found", "clusterrole/lintel", "validatingwebhookconfiguration/lintel", "mutatingwebhookconfiguration/lintel")
		shared.Cluster(t).Kubectl(context.WithoutCancel(t.Context()), nil, "delete", "configmaps", "--all", "-n", "counting")
	})
	leader, leaderAt := counting(t)
	awaitLastDay(t, "well", 0)
	other, otherAt := counting(t)
	for range 3 {
		askOf(t, otherAt)
	}
	askOf(t, leaderAt)
	other.end(t, syscall.SIGTERM)
	awaitLastDay(t, "well", 4)

	askOf(t, leaderAt)
	leader.end(t, syscall.SIGTERM)
	kubectl(t, "", "patch", "policy", "well", "--subresource=status", "--type=merge", "-p", `{"status": {"lastDay": null}}`)
	replaced, _ := counting(t)
	day := awaitLastDay(t, "well", 5)
	if len(day.Owners) != 1 || day.Owners[0] != (v1alpha1.DayOwner{Kind: "LimitRange", Namespace: "default", Name: "a", Requests: 5}) {
		t.Errorf("owners: %+v", day.Owners)
	}
	replaced.end(t, syscall.SIGTERM)
}

// counting starts a replica and returns it and its address when it is ready.
func counting(t *testing.T) (s *served, address string) {
	t.Helper()
	s = &served{cmd: exec.Command("lintel", "serve", "--kubeconfig", shared.Cluster(t).Kubeconfig(), "--service", "counting/lintel", "-p", "cluster", "--cert-dir", vouched(t),
		"--address", "127.0.0.1:0", "--probe-address", "127.0.0.1:0", "--lame-duck", "1ms"), log: make(chan map[string]any, 1000), ended: make(chan error, 1)}
	stderr, err := s.cmd.StderrPipe()
	must(err)
	must(s.cmd.Start())
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	go s.read(t, stderr)
	probes, _ := s.awaitLog(t, "serving probes")["address"].(string)
	address, _ = s.awaitLog(t, "serving")["address"].(string)
	must(until(t.Context(), readyTimeout, unless(func() bool {
		code, _ := get(t, "http://"+probes+"/readyz")
		return code == http.StatusOK
	})))
	return s, address
}

// askOf asks a replica about what the policy lets by.
func askOf(t *testing.T, address string) {
	t.Helper()
	res, err := insecure().Post("https://"+address+"/validate/warn", "application/json", strings.NewReader(limitRange))
	must(err)
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("review: %s", res.Status)
	}
}
