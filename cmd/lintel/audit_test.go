package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// audited are objects that no gate held to anything: two teams, one of which has done
// all that the policy asks for, and pods that a controller made.
const audited = `
apiVersion: v1
kind: Namespace
metadata: {name: audit, labels: {team: platform}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: audit, labels: {team: checkout}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: nginx}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: bare, namespace: audit}
spec:
  replicas: 0
  selector: {matchLabels: {app: bare}}
  template:
    metadata: {labels: {app: bare}}
    spec: {containers: [{name: bare, image: nginx}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: clean, namespace: audit, labels: {team: search}}
data: {a: b}
`

// TestAudit audits a real cluster in which nothing of Lintel's is installed.
func TestAudit(t *testing.T) {
	kubectl(t, audited, "apply", "-f", "-")
	dir := t.TempDir()
	page, earlier := filepath.Join(dir, "audit.html"), filepath.Join(dir, "audit.json")

	code, stdout, stderr := lintelAudit(t, "-n", "audit", "-o", "table", "-o", "html="+page, "-o", "json="+earlier, "-o", "baseline="+filepath.Join(dir, "baseline"))
	want := `POLICY                OBJECTS  DENIED  PATCHED
probes                      2       2        0  ████████████████████
required-labels             2       2        2  ████████████████████
resources                   2       2        0  ████████████████████
no-hardcoded-secrets        3       0        0
topology-spread             2       0        2

ENVIRONMENT   OBJECTS  DENIED  PATCHED
(unlabelled)        3       2        2  ████████████████████

TEAM      OBJECTS  DENIED  PATCHED
checkout        1       1        1  ████████████████████
platform        1       1        1  ████████████████████
search          1       0        0

SERVICE       OBJECTS  DENIED  PATCHED
(unlabelled)        3       2        2  ████████████████████

NAMESPACE  OBJECTS  DENIED  PATCHED
audit            3       2        2  ████████████████████

3 objects: 2 denied, 2 patched
`
	if body, _, _ := strings.Cut(stdout, "policies "); body != want || code != exitDenied {
		t.Errorf("exit code %d, output (-want +got):\n%s", code, cmp.Diff(want, body))
	}
	if want := "by the policies in this binary, as the cluster has no Policy objects\n"; stderr != want {
		t.Errorf("standard error %q, want %q", stderr, want)
	}
	testPage(t, page)

	for changed, want := range map[string]string{
		"24h": "3 objects: 2 denied, 2 patched\n", "2020-01-01T00:00:00Z/2020-12-31T00:00:00Z": "0 objects: 0 denied\n",
	} {
		if _, stdout, _ = lintelAudit(t, "-n", "audit", "--changed", changed); !strings.Contains(stdout, want) {
			t.Errorf("--changed %s: %q is not in\n%s", changed, want, stdout)
		}
	}
	kubectl(t, "", "delete", "deployment", "bare", "-n", "audit")
	_, stdout, _ = lintelAudit(t, "-n", "audit", "--since", earlier, "--by", "team")
	if want := "TEAM      OBJECTS  DENIED  CHANGE  PATCHED\ncheckout        1       1       =        1  ████████████████████\nsearch          1       0       =        0\nplatform        0       0      -1        0\n"; !strings.Contains(stdout, want) {
		t.Errorf("since: %q is not in\n%s", want, stdout)
	}
	code, stdout, _ = lintelAudit(t, "-n", "audit", "--baseline", filepath.Join(dir, "baseline"), "-o", "text")
	if want := "baseline: 9 old findings in it, 9 of what is not checked here\n"; code != exitClean || !strings.Contains(stdout, want) {
		t.Errorf("baseline: exit code %d, %q is not in\n%s", code, want, stdout)
	}
}

// testPage looks at the page as a browser without JavaScript would.
func testPage(t *testing.T, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	must(err)
	for _, want := range []string{
		"<tr><td>checkout</td><td>1</td><td>1</td><td>0</td><td>0</td><td>1</td><td>0</td><td class=\"bar\"><span style=\"width: 100%\"></span></td></tr>",
		"<summary>Deployment audit/web <span", "no readinessProbe", "<p>3 objects: 2 denied, 2 patched</p>",
	} {
		if !strings.Contains(string(data), want) {
			t.Errorf("%q is not in the page", want)
		}
	}
	for _, foreign := range []string{"<script", "http:", "https:", "@import", "<link"} {
		if strings.Contains(string(data), foreign) {
			t.Errorf("the page has %q", foreign)
		}
	}
}

// TestAuditByCluster goes by the Policy objects of a cluster that has some, and says
// what it could not look at.
func TestAuditByCluster(t *testing.T) {
	define(t)
	kubectl(t, ownedPolicy(t, owned, `, "enforcement": "warn"`), "apply", "-f", "-")
	kubectl(t, audited, "apply", "-f", "-")

	code, stdout, stderr := lintelAudit(t, "-n", "audit", "-o", "text")
	if want := "by the Policy objects of the cluster\n"; stderr != want || code != exitClean {
		t.Errorf("exit code %d, standard error %q, want %q", code, stderr, want)
	}
	if want := "warned: ConfigMap audit/clean breaks 1 policy (1 violation):\n  owned  metadata.labels.owner: owner is missing\n"; !strings.Contains(stdout, want) {
		t.Errorf("%q is not in\n%s", want, stdout)
	}

	code, _, stderr = lintelAudit(t, "-n", "nowhere")
	if want := "lintel: read the namespace: namespaces \"nowhere\" not found\n"; code != exitUntold || !strings.HasSuffix(stderr, want) {
		t.Errorf("exit code %d, standard error %q, want %q", code, stderr, want)
	}
	code, _, stderr = lintelAudit(t, "--since", "audit_test.go")
	if want := "lintel: audit_test.go: read the earlier run: "; code != exitUntold || !strings.HasPrefix(stderr, want) {
		t.Errorf("exit code %d, standard error %q, want %q", code, stderr, want)
	}
}

func lintelAudit(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err strings.Builder
	args = append([]string{"lintel", "audit", "--kubeconfig", shared.Cluster(t).Kubeconfig()}, args...)
	code = run(t.Context(), args, streams{strings.NewReader(""), &out, &err})
	return code, out.String(), err.String()
}
