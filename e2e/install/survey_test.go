//go:build linux

package install_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	openreports "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/lintel-policy/lintel/e2e/seeded"
)

// A survey compares what Lintel says of a cluster with what a check in Go says.
type survey struct {
	*fleet
	dynamic *dynamic.DynamicClient
	seeds   *seeded.Seeds
}

func newSurvey(t *testing.T, f *fleet) *survey {
	t.Helper()
	config := f.Config()
	config.WarningHandler = rest.NoWarnings{}
	client, err := dynamic.NewForConfig(config)
	must(t, err)
	return &survey{f, client, seeded.New(1)}
}

// of returns the client for a kind.
func (s *survey) of(k seeded.Kind, namespace string) dynamic.ResourceInterface {
	resource := s.dynamic.Resource(schema.GroupVersionResource{Group: k.Group, Version: k.Version, Resource: k.Resource})
	if namespace == "" {
		return resource
	}
	return resource.Namespace(namespace)
}

// each does something with many things at once.
func each[T any](t *testing.T, all []T, do func(T) error) {
	t.Helper()
	work := make(chan T)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for one := range work {
				if err := do(one); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for _, one := range all {
		work <- one
	}
	close(work)
	workers.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// seed makes the objects, before any policy is there.
func (s *survey) seed(t *testing.T) {
	t.Helper()
	var kinds []string
	for _, d := range seeded.Definitions() {
		_, err := s.dynamic.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}).Create(t.Context(), d, metav1.CreateOptions{})
		must(t, err)
		kinds = append(kinds, "crd/"+d.GetName())
	}
	f := s.fleet
	f.must(t, append([]string{"wait", "--for=condition=Established", "--timeout=60s"}, kinds...)...)
	for _, ns := range s.seeds.Namespaces {
		_, err := s.dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}).Create(t.Context(), ns, metav1.CreateOptions{})
		must(t, err)
	}
	for _, ns := range s.seeds.Namespaces {
		eventually(t, "an account for pods", func() bool {
			_, err := f.client.CoreV1().ServiceAccounts(ns.GetName()).Get(t.Context(), "default", metav1.GetOptions{})
			return err == nil
		})
	}
	var owned []*seeded.Object
	each(t, slices.DeleteFunc(slices.Clone(s.seeds.Objects), func(o *seeded.Object) bool {
		if o.Owner != nil {
			owned = append(owned, o)
		}
		return o.Owner != nil
	}), func(o *seeded.Object) error { return s.create(t, o) })
	each(t, owned, func(o *seeded.Object) error { return s.create(t, o) })
}

func (s *survey) create(t *testing.T, o *seeded.Object) error {
	objects := s.of(o.Kind, o.GetNamespace())
	if o.Owner != nil {
		owner, err := s.of(o.Owner.Kind, o.GetNamespace()).Get(t.Context(), o.Owner.GetName(), metav1.GetOptions{})
		if err != nil {
			return err
		}
		o.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(owner, o.Owner.Kind.GroupVersionKind)})
	}
	if _, err := objects.Create(t.Context(), o.Unstructured, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("create %s: %w", o.Kind.Kind, err)
	}
	if o.Debugged != nil {
		patch, err := json.Marshal(map[string]any{"spec": map[string]any{"ephemeralContainers": []any{o.Debugged}}})
		if err != nil {
			return err
		}
		if _, err := objects.Patch(t.Context(), o.GetName(), types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "ephemeralcontainers"); err != nil {
			return fmt.Errorf("debug %s: %w", o.GetName(), err)
		}
	}
	if o.Leaving {
		return objects.Delete(t.Context(), o.GetName(), metav1.DeleteOptions{})
	}
	return nil
}

// state reads what is in the cluster.
func (s *survey) state(t *testing.T, patched bool) *seeded.State {
	t.Helper()
	state := &seeded.State{
		Namespaces: map[string]map[string]string{}, Secrets: s.seeds.Secrets, Patched: patched,
		Excluded: []string{"kube-system", "kube-public", "kube-node-lease", namespace},
	}
	spaces, err := s.client.CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{})
	must(t, err)
	for _, ns := range spaces.Items {
		state.Namespaces[ns.Name] = ns.Labels
	}
	for _, k := range seeded.Kinds() {
		list, err := s.of(k, "").List(t.Context(), metav1.ListOptions{})
		must(t, err)
		state.Objects = append(state.Objects, list.Items...)
	}
	return state
}

// lines are the findings of a verdict, where policies have that enforcement.
func lines(v *seeded.Verdict, enforcement string) []string {
	var all []string
	for _, f := range v.Findings {
		comes := enforcement
		if f.Recorded {
			comes = "dryrun"
		}
		all = append(all, line(f.Kind, f.Namespace, f.Name, f.Policy, f.Path, comes))
	}
	return all
}

func line(kind, namespace, name, policy, path, enforcement string) string {
	return fmt.Sprintf("%s %s/%s: %s %s: %s", kind, namespace, name, policy, path, enforcement)
}

// audited returns what lintel audit says.
func (s *survey) audited(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), s.binary, append([]string{"audit", "--kubeconfig", s.Kubeconfig(), "-o", "json"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, _ := cmd.Output() // that something is denied is no failure
	var found struct {
		Results []struct {
			Policy, Path, Enforcement string
			Object                    struct{ Kind, Namespace, Name string }
		}
		Errors []json.RawMessage
	}
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatalf("lintel audit: %v\n%s", err, stderr.String())
	}
	if len(found.Errors) > 0 {
		t.Errorf("lintel audit: errors %s", found.Errors)
	}
	var lines []string
	for _, r := range found.Results {
		if r.Object.Namespace != namespace { // only the installation knows that this is its own
			lines = append(lines, line(r.Object.Kind, r.Object.Namespace, r.Object.Name, r.Policy, r.Path, r.Enforcement))
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// A stored report is one as the API server has it.
type stored struct {
	openreports.Report
	size int // in bytes
}

// reports returns the reports of the cluster.
func (s *survey) reports(t *testing.T) []stored {
	t.Helper()
	var reports []stored
	for _, resource := range []string{"reports", "clusterreports"} {
		data, err := s.client.CoreV1().RESTClient().Get().AbsPath("/apis/openreports.io/v1alpha1/" + resource).Do(t.Context()).Raw()
		must(t, err)
		var list struct{ Items []json.RawMessage }
		must(t, json.Unmarshal(data, &list))
		for _, item := range list.Items {
			r := stored{size: len(item)}
			must(t, json.Unmarshal(item, &r.Report))
			reports = append(reports, r)
		}
	}
	return reports
}

// differences says how the reports differ from what is expected where policies have
// that enforcement.
func (s *survey) differences(t *testing.T, enforcement string) string {
	t.Helper()
	verdicts := s.state(t, enforcement == "deny").Verdicts()
	var all []string
	for _, r := range s.reports(t) {
		v := verdicts[r.Namespace]
		if v == nil {
			v = &seeded.Verdict{} // of a namespace in which nothing is judged
		}
		for _, difference := range r.differences(v, enforcement) {
			all = append(all, fmt.Sprintf("namespace %q: %s\n", r.Namespace, difference))
		}
		delete(verdicts, r.Namespace)
	}
	for name := range verdicts {
		all = append(all, fmt.Sprintf("namespace %q has no report\n", name))
	}
	slices.Sort(all)
	return strings.Join(all, "")
}

// differences says how a report differs from a verdict.
func (r *stored) differences(v *seeded.Verdict, enforcement string) []string {
	var all []string
	want := openreports.ReportSummary{Warn: v.Broken + v.Recorded, Pass: v.Asked - v.Broken - v.Recorded}
	if enforcement == "deny" {
		want.Fail, want.Warn = v.Broken, v.Recorded
	}
	if r.Summary != want {
		all = append(all, fmt.Sprintf("summary %+v, want %+v", r.Summary, want))
	}
	listed := map[string]bool{}
	for _, result := range r.Results[:len(r.Results)-min(1, r.omitted())] {
		at := "nothing"
		if len(result.Subjects) > 0 {
			o := result.Subjects[0]
			at = line(o.Kind, o.Namespace, o.Name, result.Policy, result.Properties["path"], result.Properties["enforcement"])
		}
		listed[at] = true
	}
	var missing []string
	for _, at := range lines(v, enforcement) {
		if !listed[at] {
			missing = append(missing, "missing: "+at)
		}
		delete(listed, at)
	}
	if len(missing) > r.omitted() {
		all = append(all, missing...)
	}
	for at := range listed {
		all = append(all, "too much: "+at)
	}
	return all
}

// omitted returns how many results a report says are left out, 0 if it lists all.
func (r *stored) omitted() int {
	if len(r.Results) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(r.Results[len(r.Results)-1].Properties["omitted"])
	return n
}

// awaitReports waits until the reports say what is expected.
func (s *survey) awaitReports(t *testing.T, enforcement string) {
	t.Helper()
	differences := ""
	defer func() {
		if t.Failed() {
			t.Logf("the reports differ:\n%s", differences)
		}
	}()
	eventually(t, "reports that say what the check in Go says", func() bool {
		if differences = s.differences(t, enforcement); differences != "" {
			time.Sleep(time.Second) // to look is much work
		}
		return differences == ""
	})
}

// awaitAudit waits until lintel audit says what is expected: controllers are at work,
// and what they make comes while it looks.
func (s *survey) awaitAudit(t *testing.T, enforcement string, args ...string) {
	t.Helper()
	diff := ""
	defer func() {
		if t.Failed() {
			t.Logf("lintel audit differs: -want, +got:\n%s", diff)
		}
	}()
	eventually(t, "lintel audit to say what the check in Go says", func() bool {
		var want []string
		for _, v := range s.state(t, enforcement == "deny").Verdicts() {
			want = append(want, lines(v, enforcement)...)
		}
		slices.Sort(want)
		diff = cmp.Diff(want, s.audited(t, args...))
		return diff == ""
	})
}
