//go:build linux

package install_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	openreports "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"
)

// TestSeeded compares what Lintel says of a cluster with what a check in Go says: of
// what was there before any policy, of what is put right, and of a crowd.
func TestSeeded(t *testing.T) {
	f := newFleet(t)
	f.defineReports(t)
	s := newSurvey(t, f)
	f.apply(t)
	f.must(t, "apply", "-f", "../../manifests/audit.yaml")
	s.seed(t)
	f.start(t, 0, "--audit", "--lame-duck=1s")
	t.Run("Before", func(t *testing.T) { testBefore(t, s) })
	t.Run("Denied", func(t *testing.T) { testDenied(t, s) })
	t.Run("Mended", func(t *testing.T) { testMended(t, s) })
	t.Run("Crowd", func(t *testing.T) { testCrowd(t, s) })
}

// testBefore has policies come to a cluster that is full already, as they are installed.
func testBefore(t *testing.T, s *survey) {
	s.must(t, "apply", "-f", policies)
	began := time.Now()
	s.awaitReports(t, "warn")
	t.Logf("all is in reports after %s", time.Since(began).Round(time.Millisecond))
	s.awaitAudit(t, "warn")
	s.awaitAudit(t, "deny", "-p", "embedded")

	found := map[string]int{}
	for _, v := range s.state(t, false).Verdicts() {
		for _, f := range v.Findings {
			found[f.Policy]++
		}
	}
	t.Logf("found: %v", found)
	for _, policy := range []string{"no-hardcoded-secrets", "probes", "required-labels", "resources", "topology-spread"} {
		if found[policy] < 10 {
			t.Errorf("%d places break %s, which says little", found[policy], policy)
		}
	}
}

// testDenied has policies deny, and so patch, which is less to deny.
func testDenied(t *testing.T, s *survey) {
	s.deny(t)
	s.awaitReports(t, "deny")
}

// deny applies the policies as they come, and has them deny.
func (s *survey) deny(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(policies)
	must(t, err)
	s.applyText(t, denying(string(text)))
}

// testMended puts right, or takes away, some objects of each kind.
func testMended(t *testing.T, s *survey) {
	wrong := map[string]bool{}
	for _, v := range s.state(t, true).Verdicts() {
		for _, f := range v.Findings {
			wrong[f.Kind+" "+f.Namespace+"/"+f.Name] = true
		}
	}
	mended := map[string]int{}
	for _, o := range s.seeds.Objects {
		if !wrong[o.Kind.Kind+" "+o.GetNamespace()+"/"+o.GetName()] || mended[o.Kind.Kind] == 3 {
			continue
		}
		mended[o.Kind.Kind]++
		objects := s.of(o.Kind, o.GetNamespace())
		if o.Right == nil {
			must(t, objects.Delete(t.Context(), o.GetName(), metav1.DeleteOptions{}))
			continue
		}
		must(t, retry.RetryOnConflict(retry.DefaultBackoff, func() error { // controllers write to it as well
			now, err := objects.Get(t.Context(), o.GetName(), metav1.GetOptions{})
			if err != nil {
				return err
			}
			o.Right.SetResourceVersion(now.GetResourceVersion())
			_, err = objects.Update(t.Context(), o.Right, metav1.UpdateOptions{})
			return err
		}))
	}
	s.awaitReports(t, "deny")
	s.checkSecrets(t)
	for _, v := range s.state(t, true).Verdicts() {
		for _, f := range v.Findings {
			delete(wrong, f.Kind+" "+f.Namespace+"/"+f.Name)
		}
	}
	if len(wrong) < 30 {
		t.Errorf("of %v just %d are right or gone", mended, len(wrong))
	}
}

// checkSecrets looks for what is secret in reports, and in what Lintel logs.
func (s *survey) checkSecrets(t *testing.T) {
	t.Helper()
	for _, secret := range s.seeds.Credentials {
		if strings.Contains(s.replicas[0].Log(), secret) {
			t.Error("the log tells a secret")
		}
	}
	for _, r := range s.reports(t) {
		data, err := json.Marshal(r.Report)
		must(t, err)
		for _, secret := range s.seeds.Credentials {
			if strings.Contains(string(data), secret) {
				t.Errorf("namespace %q: the report tells a secret", r.Namespace)
			}
		}
	}
}

const (
	crowd     = 10_000 // ConfigMaps with a secret
	maxReport = 256 << 10
	maxAll    = 1 << 20
)

// scoped is a policy that looks at some of the crowd alone.
const scoped = `
apiVersion: lintel.dev/v1alpha1
kind: Policy
metadata: {name: no-hardcoded-secrets}
spec:
  source: {library: no-hardcoded-secrets}
  enforcement: deny
  match: {kinds: [{apiGroups: [""], kinds: [ConfigMap]}], namespaceSelector: {matchLabels: {crowd: dense}}}
`

// testCrowd has a policy that ten thousand objects break, in few namespaces at first and
// in many then: what is written stays small, and the numbers right.
func testCrowd(t *testing.T, s *survey) {
	s.must(t, "delete", "policy.lintel.dev", "no-hardcoded-secrets")
	config := s.Config()
	config.ContentType = runtime.ContentTypeProtobuf // there are many
	client, err := kubernetes.NewForConfig(config)
	must(t, err)
	var objects []*corev1.ConfigMap
	for i := range 44 {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("crowd-%02d", i)}}
		size := crowd / 2 / 40
		if i < 4 {
			ns.Labels = map[string]string{"crowd": "dense"}
			size = crowd / 2 / 4
		}
		_, err := s.client.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{})
		must(t, err)
		objects = append(objects, s.seeds.Crowd(ns.Name, size)...)
	}
	eventually(t, "secrets to be nobody's business", func() bool {
		_, err := client.CoreV1().ConfigMaps(objects[0].Namespace).Create(t.Context(), objects[0], metav1.CreateOptions{})
		return err == nil
	})
	began := time.Now()
	each(t, objects[1:], func(m *corev1.ConfigMap) error {
		_, err := client.CoreV1().ConfigMaps(m.Namespace).Create(t.Context(), m, metav1.CreateOptions{})
		return err
	})
	t.Logf("made in %s", time.Since(began).Round(time.Millisecond))

	s.applyText(t, scoped)
	s.awaitCrowd(t, crowd/2)
	s.checkBounds(t)

	began = time.Now()
	s.deny(t)
	s.awaitCrowd(t, crowd)
	s.awaitReports(t, "deny")
	t.Logf("all is in reports after %s", time.Since(began).Round(time.Millisecond))
	s.checkBounds(t)
}

// awaitCrowd waits until so many of the crowd are in reports.
func (s *survey) awaitCrowd(t *testing.T, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d of the crowd to be in reports", n), func() bool {
		failing := 0
		for _, r := range s.reports(t) {
			if strings.HasPrefix(r.Namespace, "crowd-") {
				failing += r.Summary.Fail
			}
		}
		return failing == n
	})
}

// checkBounds holds reports to what they may be: each, all together, and in their order.
func (s *survey) checkBounds(t *testing.T) {
	t.Helper()
	all, largest, namespaces := 0, 0, map[string]bool{}
	for _, r := range s.reports(t) {
		all, largest = all+r.size, max(largest, r.size)
		if namespaces[r.Namespace] {
			t.Errorf("namespace %q has two reports", r.Namespace)
		}
		namespaces[r.Namespace] = true
		if !slices.IsSortedFunc(r.Results[:len(r.Results)-min(1, r.omitted())], func(a, b openreports.ReportResult) int { return rank(a) - rank(b) }) {
			t.Errorf("namespace %q: the report does not begin with what is worst", r.Namespace)
		}
	}
	t.Logf("%d reports have %d bytes, the largest %d", len(namespaces), all, largest)
	if largest > maxReport || all > maxAll {
		t.Errorf("%d reports have %d bytes, the largest %d, want at most %d and %d", len(namespaces), all, largest, maxAll, maxReport)
	}
}

// rank orders results: what denies comes first, and then what is more severe.
func rank(r openreports.ReportResult) int {
	return 10*slices.Index([]openreports.Result{"fail", "error", "warn", "skip"}, r.Result) +
		slices.Index([]openreports.ResultSeverity{"critical", "high", "medium", "low"}, r.Severity)
}
