package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/lintel-policy/lintel/api/v1alpha1"
)

// sized wants a size of each ConfigMap.
const sized = `# METADATA
# custom: {match: {kinds: [{apiGroups: [""], kinds: [ConfigMap]}]}}
package lintel.sized

violation contains {"msg": "size is missing"} if not input.review.object.metadata.labels.size
`

// policyObject is a Policy of Rego with more of a spec.
func policyObject(t *testing.T, name, rego, more string) string {
	t.Helper()
	return strings.Replace(ownedPolicy(t, rego, more), `"name": "owned"`, fmt.Sprintf("%q: %q", "name", name), 1) + "\n"
}

// exceptionObject is a PolicyException as YAML.
func exceptionObject(namespace, name, policies, names string, expires time.Time) string {
	return fmt.Sprintf(`---
apiVersion: lintel.dev/v1alpha1
kind: PolicyException
metadata: {name: %s, namespace: %s}
spec: {policies: [%s], objects: {names: [%s]}, reason: r, owner: o, expires: %q}
`, name, namespace, policies, names, expires.UTC().Format(time.RFC3339))
}

// A tried is a ConfigMap, and the policies that are to deny it.
type tried struct {
	reason, namespace, name string
	denied                  []string
}

// TestExceptions has a cluster and the command line judge the same objects by the same
// exceptions, and reads what the exceptions are told.
func TestExceptions(t *testing.T) {
	define(t)
	useNamespaces(t, "excused", "unexcused")
	kubectl(t, "", "label", "namespace", "excused", "exceptions=allowed")
	now := time.Now()
	year, soon := now.AddDate(1, 0, 0), now.Add(10*24*time.Hour)
	kubectl(t, policyObject(t, "owned", owned, `, "exceptions": {"namespaceSelector": {"matchLabels": {"exceptions": "allowed"}}}`)+
		policyObject(t, "sized", sized, `, "exceptions": {}`), "apply", "-f", "-")
	kubectl(t, exceptionObject("excused", "legacy", "owned", `"legacy-*"`, year)+
		exceptionObject("excused", "overlapping", "sized", "legacy-b", soon)+
		exceptionObject("excused", "over", "owned, sized", "old", now.Add(-time.Second))+
		exceptionObject("excused", "early", "newer", `"legacy-*"`, year)+
		exceptionObject("excused", "dry", "owned, newer", "dry", year)+
		exceptionObject("excused", "last", "owned", `"last-*"`, year)+
		exceptionObject("unexcused", "elsewhere", "owned", "legacy-c", year), "apply", "-f", "-")

	s := serveFrom(t, "cluster", "--fail-closed")
	all := []tried{
		{"an exception excuses from what it names", "excused", "legacy-a", []string{"sized"}},
		{"two that overlap excuse from what each names", "excused", "legacy-b", nil},
		{"one that has expired excuses from nothing", "excused", "old", []string{"owned", "sized"}},
		{"one of another namespace excuses nothing", "unexcused", "legacy-a", []string{"owned", "sized"}},
		{"nor does one where the Policy does not allow exceptions", "unexcused", "legacy-c", []string{"owned", "sized"}},
		{"names are whole unless they end in a star", "excused", "dry2", []string{"owned", "sized"}},
		{"a dry run has the same verdict", "excused", "dry", []string{"sized"}},
	}
	checkVerdicts(t, all)
	checkCommandLine(t, all)
	awaitConditions(t, map[string]string{
		"excused/legacy": "True/Honoured", "excused/overlapping": "True/Honoured", "excused/over": "False/Expired", "excused/early": "False/UnknownPolicy",
		"excused/dry": "True/PartlyHonoured", "unexcused/elsewhere": "False/NotHonoured",
	})
	testRefusedExceptions(t)
	testNewerPolicy(t, all)
	testEnding(t, soon)
	testUses(t)

	expires := time.Now().Add(2 * time.Second)
	kubectl(t, exceptionObject("excused", "legacy", "owned", `"legacy-*"`, expires), "apply", "-f", "-")
	awaitVerdict(t, tried{"it ends without a restart", "excused", "legacy-a", []string{"owned", "sized"}})
	if time.Now().Before(expires.Truncate(time.Second)) {
		t.Error("an exception ended before its time")
	}
	awaitConditions(t, map[string]string{"excused/legacy": "False/Expired"})

	big := map[string]string{"size": "big"}
	createConfigMap(t, "excused", "last-a", big, false)
	awaitUse(t, "last", "ConfigMap excused/last-a from owned")
	createConfigMap(t, "excused", "last-b", big, false) // which waits to be written for a minute, or for the end
	s.end(t, syscall.SIGTERM)
	if got := exceptionStatus(t, "excused", "last").LastExcused; got != "ConfigMap excused/last-b from owned" {
		t.Errorf("used right before the end: last excused %q", got)
	}
	if got := exceptionStatus(t, "excused", "dry"); got.LastUsed != nil {
		t.Errorf("a dry run has used an exception: %q", got.LastExcused)
	}
}

// useNamespaces makes namespaces for as long as the test runs.
func useNamespaces(t *testing.T, names ...string) {
	t.Helper()
	client := kubernetes.NewForConfigOrDie(shared.Cluster(t).Config()).CoreV1()
	for _, name := range names {
		_, err := client.Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
		must(err)
		t.Cleanup(func() {
			ctx := context.WithoutCancel(t.Context())
			_ = client.ConfigMaps(name).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})
			_ = client.Namespaces().Delete(ctx, name, metav1.DeleteOptions{})
			// No controller is there to end it.
			_, _ = client.Namespaces().Finalize(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.UpdateOptions{})
		})
	}
}

// createConfigMap creates a ConfigMap and returns it, with the policies that denied it.
func createConfigMap(t *testing.T, namespace, name string, labels map[string]string, dry bool) (*corev1.ConfigMap, []string) {
	t.Helper()
	client := kubernetes.NewForConfigOrDie(shared.Cluster(t).Config()).CoreV1()
	opts := metav1.CreateOptions{}
	if dry {
		opts.DryRun = []string{metav1.DryRunAll}
	}
	made, err := client.ConfigMaps(namespace).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}, opts)
	if err == nil {
		return made, nil
	}
	var denied []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if policy, _, ok := strings.Cut(strings.TrimPrefix(line, "  "), "  "); ok && strings.HasPrefix(line, "  ") {
			denied = append(denied, policy)
		}
	}
	if denied == nil {
		t.Errorf("create ConfigMap %s/%s: %v", namespace, name, err)
	}
	slices.Sort(denied)
	return nil, denied
}

// awaitVerdict waits until a ConfigMap is denied by just what denies it.
func awaitVerdict(t *testing.T, want tried) {
	t.Helper()
	var denied []string
	if !comesTrue(func() bool {
		_, denied = createConfigMap(t, want.namespace, want.name, nil, true)
		return slices.Equal(denied, want.denied)
	}) {
		t.Errorf("%s: %s/%s is denied by %q, want %q", want.reason, want.namespace, want.name, denied, want.denied)
	}
}

func checkVerdicts(t *testing.T, all []tried) {
	t.Helper()
	for _, one := range all {
		awaitVerdict(t, one)
	}
}

// checkCommandLine judges the same objects with lintel check.
func checkCommandLine(t *testing.T, all []tried) {
	t.Helper()
	const namespaces = `
apiVersion: v1
kind: Namespace
metadata: {name: excused, labels: {exceptions: allowed}}
---
apiVersion: v1
kind: Namespace
metadata: {name: unexcused}
`
	file := filepath.Join(t.TempDir(), "objects.yaml")
	text := namespaces
	want := map[string][]string{}
	for _, one := range all {
		text += fmt.Sprintf("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, namespace: %s}\n", one.name, one.namespace)
		if one.denied != nil {
			want[one.namespace+"/"+one.name] = one.denied
		}
	}
	must(os.WriteFile(file, []byte(text), 0o600))
	var stdout, stderr strings.Builder
	args := []string{"lintel", "check", file, "-p", "cluster", "--kubeconfig", shared.Cluster(t).Kubeconfig(), "-o", "json"}
	if code := run(t.Context(), args, streams{strings.NewReader(""), &stdout, &stderr}); code != exitDenied {
		t.Fatalf("lintel check: %d %s", code, stderr.String())
	}
	var report struct {
		Results []struct {
			Policy string
			Object struct{ Namespace, Name string }
		}
		Patches []struct {
			Object struct{ Namespace, Name string }
		}
	}
	must(json.Unmarshal([]byte(stdout.String()), &report))
	got := map[string][]string{}
	for _, r := range report.Results {
		name := r.Object.Namespace + "/" + r.Object.Name
		got[name] = append(got[name], r.Policy)
		slices.Sort(got[name])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lintel check denies otherwise than the cluster: -cluster, +check:\n%s", diff)
	}
	for _, p := range report.Patches {
		if !slices.Contains(want[p.Object.Namespace+"/"+p.Object.Name], "owned") {
			t.Errorf("lintel check patches %s/%s, which is excused from the policy that patches", p.Object.Namespace, p.Object.Name)
		}
	}
	if !strings.Contains(stderr.String(), "lintel: warning: exception excused/overlapping ends on ") || strings.Contains(stderr.String(), "excused/legacy") {
		t.Errorf("lintel check warns of exceptions that end: %s", stderr.String())
	}
}

// testRefusedExceptions tries wildcards that would excuse everything.
func testRefusedExceptions(t *testing.T) {
	t.Helper()
	year := time.Now().AddDate(1, 0, 0)
	for _, object := range []string{
		exceptionObject("excused", "wild", `"*"`, "a", year), exceptionObject("excused", "wild", "owned", `"*"`, year),
		exceptionObject("excused", "wild", "owned", `"a*b*"`, year), exceptionObject("excused", "wild", "owned", "", year),
	} {
		if _, stderr, code := shared.Cluster(t).Kubectl(t.Context(), strings.NewReader(object), "apply", "-f", "-"); code == 0 || !strings.Contains(stderr, "invalid") {
			t.Errorf("the cluster takes %s\n%s", object, stderr)
		}
		folder := t.TempDir()
		must(os.WriteFile(filepath.Join(folder, "exception.yaml"), []byte(object), 0o600))
		must(os.WriteFile(filepath.Join(folder, "object.yaml"), []byte(orphan), 0o600))
		var stdout, stderr strings.Builder
		if code := run(t.Context(), []string{"lintel", "check", filepath.Join(folder, "object.yaml"), "-p", "embedded", "-p", folder}, streams{strings.NewReader(""), &stdout, &stderr}); code != exitUntold {
			t.Errorf("lintel check takes %s%s", object, stderr.String())
		}
	}
}

// testNewerPolicy adds a policy that an exception names already.
func testNewerPolicy(t *testing.T, all []tried) {
	t.Helper()
	rego := strings.ReplaceAll(sized, "lintel.sized", "lintel.newer")
	with := func(one tried) tried {
		one.denied = slices.Sorted(slices.Values(append([]string{"newer"}, one.denied...)))
		return one
	}
	kubectl(t, policyObject(t, "newer", rego, ""), "apply", "-f", "-")
	awaitVerdict(t, with(all[0]))
	awaitConditions(t, map[string]string{"excused/early": "False/NotHonoured"})
	kubectl(t, policyObject(t, "newer", rego, `, "exceptions": {}`), "apply", "-f", "-")
	awaitVerdict(t, all[0])
	awaitVerdict(t, with(all[2]))
	awaitConditions(t, map[string]string{"excused/early": "True/Honoured"})
	kubectl(t, "", "delete", "policy", "newer")
	checkVerdicts(t, all)
}

// testEnding reads who is told that an exception ends soon.
func testEnding(t *testing.T, soon time.Time) {
	t.Helper()
	text := "exception excused/overlapping ends on " + soon.UTC().Format(time.RFC3339) + ": from then on what it excuses is held to sized (deny)"
	_, stderr, _ := shared.Cluster(t).Kubectl(t.Context(), nil, "create", "configmap", "legacy-b", "-n", "excused", "--dry-run=server")
	if !strings.Contains(stderr, "Warning: "+text) {
		t.Errorf("kubectl create: %q, want a warning with %q", stderr, text)
	}
	events := func() string {
		return kubectl(t, "", "get", "events.events.k8s.io", "-n", "excused", "-o",
			"jsonpath={range .items[?(@.regarding.name=='overlapping')]}{.reason}: {.note}{'\\n'}{end}")
	}
	var got string
	comesTrue(func() bool { got = events(); return got != "" })
	if want := "Ending: " + text + " (10 days left)\n"; got != want {
		t.Errorf("events: %q, want %q", got, want)
	}
	if got, want := conditionOf(t, "excused", "overlapping", "EndsSoon"), "True/Ending"; got != want {
		t.Errorf("condition EndsSoon: %s, want %s", got, want)
	}
	if got, want := conditionOf(t, "excused", "legacy", "EndsSoon"), "False/Lasting"; got != want {
		t.Errorf("condition EndsSoon of one that lasts: %s, want %s", got, want)
	}
}

// testUses creates an object that is excused, which is not patched either.
func testUses(t *testing.T) {
	t.Helper()
	before := time.Now().Add(-time.Second)
	made, denied := createConfigMap(t, "excused", "legacy-b", nil, false)
	if denied != nil || len(made.Labels) > 0 {
		t.Fatalf("an excused object is denied by %q or patched: %v", denied, made)
	}
	awaitUse(t, "legacy", "ConfigMap excused/legacy-b from owned")
	awaitUse(t, "overlapping", "ConfigMap excused/legacy-b from sized")
	if got := exceptionStatus(t, "excused", "legacy").LastUsed; got.Time.Before(before.Truncate(time.Second)) {
		t.Errorf("last used at %s, before it was", got)
	}
}

// awaitUse waits until an exception says what it last excused.
func awaitUse(t *testing.T, exception, what string) {
	t.Helper()
	got := ""
	if !comesTrue(func() bool { got = exceptionStatus(t, "excused", exception).LastExcused; return got == what }) {
		t.Errorf("exception %s: last excused %q, want %q", exception, got, what)
	}
}

// exceptionStatus reads the status of an exception.
func exceptionStatus(t *testing.T, namespace, name string) v1alpha1.PolicyExceptionStatus {
	t.Helper()
	var e v1alpha1.PolicyException
	must(json.Unmarshal([]byte(kubectl(t, "", "get", "lpex", name, "-n", namespace, "-o", "json")), &e))
	return e.Status
}

// conditionOf returns status and reason of a condition.
func conditionOf(t *testing.T, namespace, name, condition string) string {
	t.Helper()
	c := meta.FindStatusCondition(exceptionStatus(t, namespace, name).Conditions, condition)
	if c == nil {
		return "none"
	}
	return string(c.Status) + "/" + c.Reason
}

// awaitConditions waits until exceptions are honoured as they are to be.
func awaitConditions(t *testing.T, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	if !comesTrue(func() bool {
		for of := range want {
			namespace, name, _ := strings.Cut(of, "/")
			got[of] = conditionOf(t, namespace, name, "Honoured")
		}
		return cmp.Equal(want, got)
	}) {
		t.Errorf("condition Honoured: -want, +got:\n%s", cmp.Diff(want, got))
	}
}
