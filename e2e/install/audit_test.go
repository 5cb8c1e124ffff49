//go:build linux

package install_test

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lintel-policy/lintel/e2e/cluster"
)

// bare is a Deployment that is there before any policy.
const bare = `
apiVersion: v1
kind: Namespace
metadata: {name: before, labels: {environment: production, team: checkout}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: bare, namespace: before, labels: {service: bare}}
spec:
  replicas: 1
  selector: {matchLabels: {app: bare}}
  template:
    metadata: {labels: {app: bare}}
    spec: {containers: [{name: bare, image: "registry.example/bare:1"}]}
---
apiVersion: v1
kind: Service
metadata: {name: bare, namespace: before}
spec: {ports: [{port: 80}]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: readers, namespace: before}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: lintel-report-viewer}
subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: reader}]
`

// TestAudit follows the reports that an installation keeps of what was there before it,
// under the permissions that it comes with.
func TestAudit(t *testing.T) {
	f := newFleet(t)
	f.defineReports(t)
	f.applyText(t, bare)
	f.apply(t)
	f.must(t, "apply", "-f", "../../manifests/audit.yaml", "-f", policies)
	f.startAll(t, "--audit", "--lame-duck=1s")
	f.awaitReport(t, "Deployment bare probes warn", true)
	eventually(t, "an Event on the Deployment", func() bool {
		return strings.Contains(f.told(t, "before", "PolicyViolationFound"), "Deployment bare: Deployment before/bare breaks ")
	})
	eventually(t, "the violations to be counted", func() bool {
		return strings.Contains(f.auditMetrics(), `lintel_audit_violations{enforcement="warn",namespace="before",policy="resources",severity="high"} 3`)
	})
	f.readOwnReport(t)
	checkMetricsAreDocumented(t, f.auditMetrics())

	// A policy that comes later finds what was there before.
	f.applyText(t, policyOf("later", "Service", modules(rego("it was there"))))
	f.awaitReport(t, "Service bare later fail", true)
	f.stopEtcd(t)

	f.breakglass(t, "--for", "1h", "--reason", "INC-2: who leads is asleep")
	eventually(t, "the leader to know of it", func() bool { return strings.HasSuffix(f.openings(t), "Z/") })
	f.applyText(t, slippedIn)

	// A leader that has slept for long does not go on where it was.
	leader := f.leaders()[0]
	must(t, f.replicas[leader].Signal(syscall.SIGSTOP))
	eventually(t, "another replica to lead", func() bool { return slices.ContainsFunc(f.leaders(), func(n int) bool { return n != leader }) })
	f.breakglass(t, "--end")
	eventually(t, "it to be told what came in", func() bool { return strings.HasSuffix(f.openings(t), " told") })
	f.testCameIn(t)
	f.must(t, "patch", "deployment", "bare", "-n", "before", "--type=json", `-p=[{"op": "add", "path": "/spec/template/spec/containers/0/readinessProbe", "value": {"httpGet": {"port": 80}}},
		{"op": "add", "path": "/spec/template/spec/containers/0/livenessProbe", "value": {"httpGet": {"port": 80}}}]`)
	f.awaitReport(t, "Deployment bare probes warn", false)
	before := f.report(t)
	eventually(t, "a denial while the leader sleeps", func() bool { return deniedBy("it was there")(ask(t.Context(), f.client, "Service")) })
	must(t, f.replicas[leader].Signal(syscall.SIGCONT))
	time.Sleep(2 * time.Second) // it would write at once
	if after := f.report(t); after != before {
		t.Errorf("a leader that was gone has written a report:\n%s\nbefore:\n%s", after, before)
	}
	if got := strings.Count(f.told(t, "default", "OpenGateAudited"), "slipped-in"); got != 2 {
		t.Errorf("it was told %d times what came in, want once on each configuration", got)
	}

	f.must(t, "patch", "policy.lintel.dev", "resources", "--type=merge", `-p={"spec": {"enforcement": "deny"}}`)
	f.awaitReport(t, "Deployment bare resources fail", true)
	f.must(t, "delete", "clusterrole", "lintel")
	eventually(t, "the reports to go with the installation", func() bool {
		return f.must(t, "get", "reports.openreports.io", "-A", "-o", "name") == ""
	})
}

// slippedIn is what nobody judges who has opened the gate.
const slippedIn = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: slipped-in, namespace: before, labels: {service: slipped-in}}
spec:
  replicas: 0
  selector: {matchLabels: {app: slipped-in}}
  template:
    metadata: {labels: {app: slipped-in}}
    spec: {containers: [{name: bare, image: "registry.example/bare:1"}]}
`

// openings returns what is remembered of the times that the gate was open.
func (f *fleet) openings(t *testing.T) string {
	t.Helper()
	return f.must(t, "get", "configmap", "lintel-state", "-n", namespace, "-o", "jsonpath={.data.openings}")
}

// told returns the Events of a reason in a namespace, each with what it is on.
func (f *fleet) told(t *testing.T, namespace, reason string) string {
	t.Helper()
	return f.must(t, "get", "events.events.k8s.io", "-n", namespace, "--field-selector", "reason="+reason, "-o", `jsonpath={range .items[*]}{.regarding.kind} {.regarding.name}: {.note}{"\n"}{end}`)
}

// auditMetrics returns what all replicas count of the audit.
func (f *fleet) auditMetrics() string {
	all := ""
	for n := range f.replicas {
		all += page("http://" + addressOf(n) + ":8080/metrics")
	}
	return all
}

// checkMetricsAreDocumented holds the documentation to all metrics of Lintel's that replicas
// have.
func checkMetricsAreDocumented(t *testing.T, metrics string) {
	t.Helper()
	pages := ""
	for _, name := range []string{"install.md", "audit.md"} {
		text, err := os.ReadFile(filepath.Join("../../docs", name))
		must(t, err)
		pages += string(text)
	}
	found := regexp.MustCompile(`(?m)^# TYPE (lintel_\S+) `).FindAllStringSubmatch(metrics, -1)
	if len(found) == 0 {
		t.Error("there are no metrics")
	}
	for _, m := range found {
		if !regexp.MustCompile("`" + m[1] + "[`{]").MatchString(pages) {
			t.Errorf("%s is in neither docs/install.md nor docs/audit.md", m[1])
		}
	}
}

// testCameIn looks for what came in while the gate was open, in all places where it is
// told of.
func (f *fleet) testCameIn(t *testing.T) {
	t.Helper()
	told := f.told(t, "default", "OpenGateAudited")
	if !strings.Contains(told, "ValidatingWebhookConfiguration lintel: While the gate was open, from ") || !strings.Contains(told, "Deployment before/slipped-in") {
		t.Errorf("the Events are\n%s", told)
	}
	eventually(t, "the report to mark it", func() bool {
		return strings.Contains(f.must(t, "get", "reports.openreports.io", "lintel", "-n", "before", "-o",
			`jsonpath={range .results[*]}{.resources[0].name} {.properties.openedGate}{"\n"}{end}`), "slipped-in 20")
	})
	logged := 0
	for _, g := range f.replicas {
		logged += strings.Count(g.Log(), `"came in while the gate was open, and violates policies","kind":"Deployment","namespace":"before","name":"slipped-in"`)
	}
	if logged != 1 {
		t.Errorf("it was logged %d times, want once", logged)
	}
	_, command, _ := strings.Cut(strings.SplitN(told, "\n", 2)[0], "lintel audit ")
	args := append(strings.Fields("audit -p cluster -o text --kubeconfig "+f.Kubeconfig()), strings.Fields(command)...)
	out, err := exec.CommandContext(t.Context(), f.binary, args...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "warned: Deployment before/slipped-in breaks ") || strings.Contains(string(out), "before/bare ") {
		t.Errorf("lintel %q: %v\n%s", args, err, out)
	}
	eventually(t, "it to be counted", func() bool {
		return strings.Contains(f.auditMetrics(), `lintel_audit_open_gate_objects{enforcement="warn"} 1`)
	})
}

// readOwnReport reads reports as somebody who may read those of one namespace.
func (f *fleet) readOwnReport(t *testing.T) {
	t.Helper()
	kubeconfig, err := f.KubeconfigFor("reader")
	must(t, err)
	try := func(args ...string) (stderr string, code int) {
		_, stderr, code = f.Kubectl(t.Context(), nil, append(args, "--kubeconfig", kubeconfig)...)
		return stderr, code
	}
	if stderr, code := try("get", "reports.openreports.io", "lintel", "-n", "before"); code != 0 {
		t.Errorf("whoever is bound to lintel-report-viewer does not read the report of the namespace: %s", stderr)
	}
	for _, args := range [][]string{
		{"get", "reports.openreports.io", "lintel", "-n", "default"},
		{"get", "reports.openreports.io", "-A"},
		{"get", "clusterreports.openreports.io", "lintel"},
		{"delete", "reports.openreports.io", "lintel", "-n", "before"},
		{"patch", "reports.openreports.io", "lintel", "-n", "before", "--type=merge", `-p={"results": []}`},
	} {
		if stderr, code := try(args...); code == 0 || !strings.Contains(stderr, "Forbidden") {
			t.Errorf("kubectl %s: exit code %d, want that it is forbidden: %s", strings.Join(args, " "), code, stderr)
		}
	}
}

// stopEtcd stops etcd for a while: who asks is answered, and the reports stay as they
// are. LINTEL_OUTAGE has it last for longer, such as 60s.
func (f *fleet) stopEtcd(t *testing.T) {
	t.Helper()
	outage, err := time.ParseDuration(cmp.Or(os.Getenv("LINTEL_OUTAGE"), "3s"))
	must(t, err)
	f.applyText(t, policyOf("asked", "LimitRange", modules(rego("it is asked about"))))
	denied := func() bool { return deniedBy("it is asked about")(ask(t.Context(), f.client, "LimitRange")) }
	eventually(t, "a denial", denied)
	before := f.report(t)
	must(t, f.Pause(cluster.Etcd))
	eventually(t, "a denial while etcd is stopped", denied)
	time.Sleep(outage)
	eventually(t, "a denial while etcd is still stopped", denied)
	must(t, f.Resume(cluster.Etcd))
	eventually(t, "etcd to go on", func() bool { return f.report(t) != "" })
	if after := f.report(t); after != before {
		t.Errorf("after etcd was stopped, the report is\n%s\nbefore:\n%s", after, before)
	}
	for n, replica := range f.replicas {
		select {
		case <-replica.Ended():
			t.Errorf("replica %d has ended", n)
		default:
		}
	}
	eventually(t, "one leader", func() bool { return len(f.leaders()) == 1 })
	f.must(t, "delete", "policies.lintel.dev", "asked")
}

// defineReports gives the cluster the kinds of OpenReports, as they are published.
func (f *fleet) defineReports(t *testing.T) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/openreports/reports-api").Output()
	must(t, err)
	kinds := filepath.Join(strings.TrimSpace(string(out)), "config", "crd")
	f.must(t, "apply", "--server-side", "-f", kinds)
	f.must(t, "wait", "--for=condition=Established", "-f", kinds)
}

// report returns the lines of the report of what was there before, of whatever version.
func (f *fleet) report(t *testing.T) string {
	t.Helper()
	stdout, _, _ := f.Kubectl(t.Context(), strings.NewReader(""), "get", "reports.openreports.io", "lintel", "-n", "before", "-o",
		`jsonpath={.metadata.resourceVersion}{"\n"}{range .results[*]}{.resources[0].kind} {.resources[0].name} {.policy} {.result}{"\n"}{end}`)
	return stdout
}

// awaitReport waits until the report has a line, or no longer has it.
func (f *fleet) awaitReport(t *testing.T, line string, has bool) {
	t.Helper()
	got := ""
	defer func() {
		if t.Failed() {
			t.Logf("the report is\n%s", got)
		}
	}()
	eventually(t, "a report with "+line, func() bool {
		got = f.report(t)
		return got != "" && strings.Contains(got, line+"\n") == has
	})
}
