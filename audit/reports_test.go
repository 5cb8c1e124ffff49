package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	openreports "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/audit"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/report"
)

// reportsDefined is whether the API server has the kinds of OpenReports.
var reportsDefined bool

// defineReports gives the API server the kinds of OpenReports, as they are published,
// once and for good: to delete them may take it minutes. Before, it tries what becomes
// of reports without them.
func defineReports(t *testing.T, reports *audit.Reports, space audit.Space) {
	t.Helper()
	if reportsDefined {
		return
	}
	if err := reports.Publish(t.Context(), space); !errors.Is(err, audit.ErrNoReports) {
		t.Errorf("without definitions: %v", err)
	}
	if _, err := reports.Foreign(t.Context()); !errors.Is(err, audit.ErrNoReports) {
		t.Errorf("without definitions: %v", err)
	}
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/openreports/reports-api").Output()
	must(t, err)
	crds := filepath.Join(strings.TrimSpace(string(out)), "config", "crd")
	kubectl(t, "", "apply", "--server-side", "-f", crds)
	kubectl(t, "", "wait", "--for=condition=Established", "-f", crds)
	reportsDefined = true
}

func kubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	stdout, stderr, code := audit.Shared.Cluster(t).Kubectl(t.Context(), strings.NewReader(stdin), args...)
	if code != 0 {
		t.Fatalf("kubectl %q: %s", args, stderr)
	}
	return stdout
}

func reportIn(t *testing.T, namespace string) openreports.Report {
	t.Helper()
	var r openreports.Report
	must(t, json.Unmarshal([]byte(kubectl(t, "", "get", "reports.openreports.io", "lintel", "-n", namespace, "-o", "json")), &r))
	return r
}

func newReports(client kubernetes.Interface, set *engine.Set) *audit.Reports {
	return &audit.Reports{
		Client: client.CoreV1().RESTClient(), Policies: set.Policies,
		Owner: func(ctx context.Context) (*metav1.OwnerReference, error) {
			role, err := client.RbacV1().ClusterRoles().Get(ctx, "view", metav1.GetOptions{})
			if err != nil {
				return nil, err
			}
			return &metav1.OwnerReference{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole", Name: role.Name, UID: role.UID}, nil
		},
	}
}

// spaceOf returns what is found of the ConfigMaps of a namespace.
func spaceOf(t *testing.T, client kubernetes.Interface, set *engine.Set, namespace string, since time.Time) audit.Space {
	t.Helper()
	r, err := audit.Run(t.Context(), audit.Config{Client: client.CoreV1().RESTClient(), Set: set, Kinds: []audit.Kind{configMaps}, Namespace: namespace})
	must(t, err)
	space := audit.Space{Namespace: namespace, Spaces: 1}
	for _, o := range r.Objects {
		space.Objects++
		space.Asked += len(o.Asked)
		if len(o.Violations) > 0 {
			space.Findings = append(space.Findings, audit.Finding{Ref: o.Ref, Violations: o.Violations, Since: since})
		}
	}
	return space
}

// TestReports writes a report when it says something else, and only then.
func TestReports(t *testing.T) {
	client := newClient(t)
	set := compile(t, owned)
	namespace(t, client, "reported", nil)
	maps := client.CoreV1().ConfigMaps("reported")
	_, err := maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "bare"}}, metav1.CreateOptions{})
	must(t, err)
	_, err = maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "well", Labels: map[string]string{"owner": "me"}}}, metav1.CreateOptions{})
	must(t, err)
	monday := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	space := spaceOf(t, client, set, "reported", monday)
	reports := newReports(client, set)

	defineReports(t, reports, space)
	must(t, reports.Publish(t.Context(), space))
	first := reportIn(t, "reported")
	want := openreports.ReportResult{
		Source: "lintel", Policy: "owned", Rule: "metadata.labels.owner", Severity: "high", Result: "fail", Scored: true, Description: "owner is missing",
		Timestamp: metav1.Timestamp{Seconds: monday.Unix()}, Subjects: []corev1.ObjectReference{{APIVersion: "v1", Kind: "ConfigMap", Namespace: "reported", Name: "bare"}},
		Properties: map[string]string{"enforcement": "deny", "path": "metadata.labels.owner"},
	}
	if len(first.Results) != 1 || !sameJSON(t, first.Results[0], want) {
		t.Errorf("results %+v, want %+v", first.Results, want)
	}
	if want := (openreports.ReportSummary{Pass: 1, Fail: 1}); first.Summary != want {
		t.Errorf("summary %+v, want %+v", first.Summary, want)
	}
	if len(first.OwnerReferences) != 1 || first.OwnerReferences[0].Name != "view" {
		t.Errorf("owners %+v", first.OwnerReferences)
	}

	space.Findings[0].Since = monday.Add(time.Hour) // found again by somebody who begins anew
	other := newReports(client, set)
	must(t, other.Publish(t.Context(), space))
	if again := reportIn(t, "reported"); again.ResourceVersion != first.ResourceVersion {
		t.Error("a report that says the same was written again")
	}
	testTampering(t, other, space)
	testDays(t, other)
	testStaleWriter(t, reports, space)

	space.Objects, space.Findings = 0, nil
	must(t, other.Publish(t.Context(), space))
	if got := kubectl(t, "", "get", "reports.openreports.io", "-n", "reported", "-o", "name"); got != "" {
		t.Errorf("of nothing there is a report: %s", got)
	}
}

func sameJSON(t *testing.T, a, b any) bool {
	t.Helper()
	x, err := json.Marshal(a)
	must(t, err)
	y, err := json.Marshal(b)
	must(t, err)
	return string(x) == string(y)
}

// testTampering sees that somebody has made a report look better, and puts it right.
func testTampering(t *testing.T, reports *audit.Reports, space audit.Space) {
	t.Helper()
	if foreign, err := reports.Foreign(t.Context()); err != nil || slices.Contains(foreign, "reported") {
		t.Errorf("before: %q, %v", foreign, err)
	}
	kubectl(t, "", "patch", "reports.openreports.io", "lintel", "-n", "reported", "--type=merge", "-p", `{"results": [], "summary": {"fail": 0}}`)
	foreign, err := reports.Foreign(t.Context())
	if err != nil || !slices.Contains(foreign, "reported") {
		t.Errorf("after a change: %q, %v", foreign, err)
	}
	must(t, reports.Publish(t.Context(), space))
	if r := reportIn(t, "reported"); len(r.Results) != 1 || r.Summary.Fail != 1 {
		t.Errorf("put right: %+v", r)
	}
	kubectl(t, "", "delete", "reports.openreports.io", "lintel", "-n", "reported")
	if foreign, err := reports.Foreign(t.Context()); err != nil || !slices.Contains(foreign, "reported") {
		t.Errorf("after a deletion: %q, %v", foreign, err)
	}
	must(t, reports.Publish(t.Context(), space))
	reportIn(t, "reported")

	// Another leads for a while, and writes something else.
	kubectl(t, "", "patch", "reports.openreports.io", "lintel", "-n", "reported", "--type=merge", "-p", `{"results": [], "summary": {"fail": 0}}`)
	reports.Begin()
	reports.Mended = func(namespace string) { t.Errorf("what another leader wrote in %s is said to be mended", namespace) }
	must(t, reports.Publish(t.Context(), space))
	reports.Mended = nil
	if r := reportIn(t, "reported"); len(r.Results) != 1 {
		t.Errorf("after another leader: %+v", r)
	}
}

// testDays tells of requests in the report of the cluster, and nowhere else, whether
// there are objects or not.
func testDays(t *testing.T, reports *audit.Reports) {
	t.Helper()
	days := map[string]v1alpha1.LastDay{"owned": {Since: metav1.NewTime(time.Now().Add(-time.Minute)), Requests: 2, Owners: []v1alpha1.DayOwner{{Kind: "Job", Namespace: "b", Name: "tidy", Requests: 2}}}, "quiet": {}}
	reports.LastDays = func() map[string]v1alpha1.LastDay { return days }
	// Other tests leave reports in namespaces, which belong to somebody else.
	isToTell := func() bool {
		t.Helper()
		found, err := reports.Foreign(t.Context())
		must(t, err)
		return slices.Contains(found, "")
	}
	if !isToTell() {
		t.Error("when there are requests to tell of, the cluster's report is not to be published")
	}
	must(t, reports.Publish(t.Context(), audit.Space{}))
	got := kubectl(t, "", "get", "clusterreports.openreports.io", "lintel", "-o", "jsonpath={range .results[*]}{.policy} {.result} {.severity} {.properties.requests} {.message}{end} {.summary.warn}")
	want := "owned warn high 2 since " + engine.Moment(days["owned"].Since.Time) + " owned, if it denied, would have denied 2 requests: 2 of Job b/tidy 0"
	if got != want {
		t.Errorf("the cluster's report has %q, want %q", got, want)
	}
	if r := reportIn(t, "reported"); len(r.Results) != 1 {
		t.Errorf("so does a namespace's: %+v", r.Results)
	}
	if isToTell() {
		t.Error("the cluster's report is to be published again")
	}
	days = nil
	if !isToTell() {
		t.Error("when there are none any more, the cluster's report is not to be published")
	}
	must(t, reports.Publish(t.Context(), audit.Space{}))
	if got := kubectl(t, "", "get", "clusterreports.openreports.io", "-o", "name"); got != "" {
		t.Errorf("of nothing there is a report: %s", got)
	}
}

// testStaleWriter writes nothing once somebody else may lead.
func testStaleWriter(t *testing.T, reports *audit.Reports, space audit.Space) {
	t.Helper()
	before := reportIn(t, "reported")
	errLost := errors.New("somebody else leads")
	reports.Leads = func() error { return errLost }
	space.Findings = nil
	if err := reports.Publish(t.Context(), space); !errors.Is(err, errLost) {
		t.Errorf("a stale writer: %v", err)
	}
	space.Objects = 0
	if err := reports.Publish(t.Context(), space); !errors.Is(err, errLost) {
		t.Errorf("a stale writer that deletes: %v", err)
	}
	if after := reportIn(t, "reported"); after.ResourceVersion != before.ResourceVersion {
		t.Error("a stale writer has written")
	}

	// It sleeps when it has been told that it leads, and before it writes.
	for _, objects := range []int{0, 1} {
		reports.Leads = func() error {
			kubectl(t, "", "annotate", "--overwrite", "reports.openreports.io", "lintel", "-n", "reported", "written="+time.Now().Format("150405.000"))
			return nil
		}
		space.Objects = objects
		if err := reports.Publish(t.Context(), space); !apierrors.IsConflict(err) {
			t.Errorf("a writer of %d objects that sleeps: %v", objects, err)
		}
		if after := reportIn(t, "reported"); len(after.Results) != len(before.Results) {
			t.Errorf("a writer that sleeps has written %+v", after)
		}
	}
}

// TestLargeReports cuts the list and not the numbers, worst first.
func TestLargeReports(t *testing.T) {
	client := newClient(t)
	set := compile(t, owned)
	namespace(t, client, "crowd", nil)
	space := audit.Space{Namespace: "crowd", Objects: 10_000, Asked: 10_000, Spaces: 1}
	for i := range 10_000 {
		v := audit.Finding{Ref: engine.ObjectRef{APIVersion: "v1", Kind: "ConfigMap", Namespace: "crowd", Name: "map-" + strings.Repeat("x", i%50) + time.Duration(i).String()}, Since: time.Now()}
		v.Violations = violation(t, i%2 == 0)
		space.Findings = append(space.Findings, v)
	}
	reports := newReports(client, set)
	defineReports(t, reports, space)
	must(t, reports.Publish(t.Context(), space))
	r := reportIn(t, "crowd")
	stored := func() int {
		return len(kubectl(t, "", "get", "--raw", "/apis/openreports.io/v1alpha1/namespaces/crowd/reports/lintel"))
	}
	if n := stored(); n > 256<<10 || n < 200<<10 {
		t.Errorf("the report has %d bytes", n)
	}
	if want := (openreports.ReportSummary{Fail: 5000, Warn: 5000}); r.Summary != want {
		t.Errorf("summary %+v, want %+v", r.Summary, want)
	}
	last := r.Results[len(r.Results)-1]
	if r.Results[0].Result != "fail" || last.Policy != "lintel" || last.Properties["omitted"] == "" || !strings.HasSuffix(last.Description, "results are more: lintel audit lists them all") {
		t.Errorf("from %+v to %+v", r.Results[0], last)
	}
	for _, spaces := range []int{50, 300, 1000} { // others have findings too
		space.Spaces = spaces
		must(t, reports.Publish(t.Context(), space))
		if n, most := stored(), 1<<20/min(spaces, 300); n > most {
			t.Errorf("the report has %d bytes where there are %d, want at most %d", n, spaces, most)
		}
		if r := reportIn(t, "crowd"); len(r.Results) < 3 || r.Summary.Fail != 5000 {
			t.Errorf("where there are %d reports, one is %+v", spaces, r)
		}
	}
}

// violation is one that denies, or warns.
func violation(t *testing.T, denies bool) []report.Violation {
	t.Helper()
	v := report.Violation{Violation: engine.Violation{Policy: "owned", Severity: engine.High, Enforcement: v1alpha1.Warn, Message: "owner is missing", Path: engine.Path{"metadata", "labels", "owner"}}}
	if denies {
		v.Enforcement = v1alpha1.Deny
	}
	return []report.Violation{v}
}
