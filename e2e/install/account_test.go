//go:build linux

package install_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/doctor"
)

// excusedSoon excuses a Deployment, for ten days more.
const excusedSoon = `{"apiVersion": "lintel.dev/v1alpha1", "kind": "PolicyException", "metadata": {"name": "legacy", "namespace": "default"},
	"spec": {"policies": ["probes"], "objects": {"names": ["broken"]}, "reason": "r", "owner": "o", "expires": %q}}`

// testExcused has Lintel's own account write of an exception what became of it, when it
// was last used, and that it ends soon.
func testExcused(t *testing.T, f *fleet) {
	f.must(t, "patch", "policy.lintel.dev", "probes", "--type=merge", `-p={"spec": {"enforcement": "deny", "exceptions": {}}}`)
	eventually(t, "a denial", func() bool { _, _, code := f.dryRun(t, broken); return code == 1 })
	f.applyText(t, fmt.Sprintf(excusedSoon, time.Now().Add(10*24*time.Hour).UTC().Format(time.RFC3339)))
	eventually(t, "the exception to excuse", func() bool { _, _, code := f.dryRun(t, broken); return code == 0 })
	f.applyText(t, broken)

	said := `jsonpath={.status.conditions[?(@.type=="Honoured")].status} {.status.conditions[?(@.type=="EndsSoon")].status} {.status.lastUsed} {.status.lastExcused}`
	eventually(t, "the status of the exception", func() bool {
		// What it last excused may be what the Deployment makes.
		got := strings.Fields(f.must(t, "get", "lpex", "legacy", "-n", "default", "-o", said))
		return len(got) == 7 && got[0] == "True" && got[1] == "True" && strings.HasPrefix(got[4], "default/broken") && got[6] == "probes"
	})
	eventually(t, "an Event on the exception", func() bool {
		return strings.Contains(f.must(t, "events", "--for", "policyexception.v1alpha1.lintel.dev/legacy", "-n", "default"), "exception default/legacy ends on ")
	})
	f.must(t, "delete", "lpex/legacy", "deployment/broken", "-n", "default")
	f.must(t, "apply", "-f", policies) // as they came
}

// noPods denies pods of a label, whoever makes them.
const noPods = `
apiVersion: lintel.dev/v1alpha1
kind: Policy
metadata: {name: no-pods}
spec:
  source:
    modules:
    - name: a.rego
      rego: |
        # METADATA
        # custom: {controlled: deny}
        package team

        violation contains {"msg": "no such pods"} if input.review.object.metadata.labels.app == "told"
  match: {kinds: [{apiGroups: [""], kinds: [Pod]}]}
  enforcement: deny
`

// testTold has the pods of a Deployment denied: Lintel's own account may find out whose
// they are, and say so there.
func testTold(t *testing.T, f *fleet) {
	f.applyText(t, noPods)
	f.awaitPolicy(t, "no-pods", "Compiled", "")
	told := strings.NewReplacer("broken", "told", `"app": "a"`, `"app": "told"`).Replace(broken)
	f.applyText(t, told)
	eventually(t, "an Event on the Deployment", func() bool {
		said := f.must(t, "events", "--for", "deployment/told", "-n", "default")
		return strings.Contains(said, "PolicyViolation") && strings.Contains(said, "no such pods")
	})
	f.must(t, "delete", "policy.lintel.dev/no-pods")
	f.must(t, "delete", "deployment/told", "-n", "default")
}

// running is what a kubelet says of a pod that is well. It gives no address: the
// endpoints of the Service are written by the test.
const running = `-p={"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
	"containerStatuses": [{"name": "lintel", "image": "lintel", "imageID": "sha256:1", "ready": true, "restartCount": 0, "state": {"running": {}}}]}}`

// testDoctor has lintel doctor look at an installation that is as install.yaml makes
// it: it finds nothing, and sees everything. Of one that lacks something it finds that.
func testDoctor(t *testing.T, f *fleet) {
	eventually(t, "all pods of the Deployment to run", func() bool {
		for _, pod := range strings.Fields(f.must(t, "get", "pods", "-n", namespace, "-o", "name")) {
			f.must(t, "patch", pod, "-n", namespace, "--subresource=status", "--type=merge", running)
		}
		return f.must(t, "get", "deployment", "lintel", "-n", namespace, "-o", "jsonpath={.status.readyReplicas} {.status.updatedReplicas}") == "3 3"
	})
	finds := func(of string, want []string) {
		t.Helper()
		diff := ""
		defer func() {
			if diff != "" {
				t.Logf("%s: -want, +got:\n%s", of, diff)
			}
		}()
		eventually(t, of+" to be found right", func() bool { // permissions come into force a moment after they are given
			diff = cmp.Diff(want, f.doctor(t))
			return diff == ""
		})
	}
	finds("an installation that is well", []string{})
	f.must(t, "delete", "poddisruptionbudget", "lintel", "-n", namespace)
	f.must(t, "patch", "clusterrole", "lintel", "--type=json", `-p=[{"op": "replace", "path": "/rules/1/verbs", "value": ["get"]}]`)
	want := []string{
		"problem rights.missing: may not patch policies.lintel.dev/status",
		"problem rights.missing: may not patch policyexceptions.lintel.dev/status",
		"warning replicas.budget: is not there",
	}
	finds("an installation without a right and a budget", want)
	f.must(t, "apply", "-f", manifest)
}

// doctor runs `lintel doctor` as an administrator does and returns what it finds and
// what it does not see.
func (f *fleet) doctor(t *testing.T) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), f.binary, "doctor", "--kubeconfig", f.Kubeconfig(), "-o", "json").Output()
	var report doctor.Report
	if json.Unmarshal(out, &report) != nil {
		t.Fatalf("lintel doctor: %v\n%s", err, out)
	}
	if failed := err != nil; failed != (report.Summary.Problems > 0) {
		t.Errorf("lintel doctor finds %d problems and ends with %v", report.Summary.Problems, err)
	}
	said := []string{}
	for _, found := range report.Findings {
		said = append(said, fmt.Sprintf("%s %s: %s", found.Severity, found.Check, found.Message))
	}
	for _, unseen := range report.Unseen {
		said = append(said, "not seen: "+unseen.What+": "+unseen.Why)
	}
	return said
}
