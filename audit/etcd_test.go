package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	openreports "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/lintel-policy/lintel/audit"
	"github.com/lintel-policy/lintel/e2e/cluster"
	"github.com/lintel-policy/lintel/engine"
)

// A press counts what is written of the report of a namespace, in requests and bytes of
// their bodies.
type press struct {
	base      http.RoundTripper
	namespace string

	mu            sync.Mutex
	writes, bytes int // of that namespace
	all           int // writes of any
}

// RoundTrip sends one request.
func (p *press) RoundTrip(req *http.Request) (*http.Response, error) {
	isWrite := strings.HasPrefix(req.URL.Path, "/apis/openreports.io/") && req.Method != http.MethodGet
	if isWrite {
		p.mu.Lock()
		p.all++
		p.mu.Unlock()
	}
	if isWrite && strings.Contains(req.URL.Path, "/namespaces/"+p.namespace+"/") {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		p.mu.Lock()
		p.writes++
		p.bytes += len(body)
		p.mu.Unlock()
	}
	return p.base.RoundTrip(req)
}

func (p *press) written() (writes, bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.writes, p.bytes
}

// tried returns how often it was tried to write any report.
func (p *press) tried() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all
}

// A printer is a Background that publishes reports of ConfigMaps.
type printer struct {
	*audit.Background
	press
	set atomic.Pointer[engine.Set] // may be another one at any time
}

// printing runs a printer as long as the test runs, and counts what it writes of a
// namespace. mended may be nil.
func printing(t *testing.T, client kubernetes.Interface, set *engine.Set, namespace string, every time.Duration, mended func(string)) *printer {
	t.Helper()
	var p printer
	p.set.Store(set)
	p.namespace = namespace
	config := audit.Shared.Cluster(t).Config()
	config.Wrap(func(base http.RoundTripper) http.RoundTripper {
		p.base = base
		return &p.press
	})
	reports := newReports(client, set)
	reports.Client, reports.Mended = clientOf(t, config).CoreV1().RESTClient(), mended
	defineReports(t, reports, audit.Space{Namespace: "default", Objects: 1})
	unlabelled, err := engine.DecodeObject([]byte(`{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "any"}}`))
	must(t, err)
	p.Background, err = audit.NewBackground(audit.BackgroundConfig{
		Client: reports.Client, Set: p.set.Load, Interval: 500 * time.Millisecond, PublishEvery: every, Publisher: reports,
		Kinds:     watch(configMaps),
		Namespace: func(context.Context, string) *engine.Object { return unlabelled },
		Inventory: func() *engine.Inventory { return nil },
	})
	must(t, err)
	run(t, p.Background)
	return &p
}

// awaitSummary waits until the report of a namespace counts so many that fail, and
// returns it.
func awaitSummary(t *testing.T, namespace string, fail int) openreports.Report {
	t.Helper()
	var r openreports.Report
	await(t, func() error {
		stdout, stderr, code := audit.Shared.Cluster(t).Kubectl(t.Context(), nil, "get", "reports.openreports.io", "lintel", "-n", namespace, "-o", "json")
		if code != 0 {
			return fmt.Errorf("read the report: %s", stderr)
		}
		r = openreports.Report{}
		must(t, json.Unmarshal([]byte(stdout), &r))
		if r.Summary.Fail != fail {
			return fmt.Errorf("%d fail, want %d", r.Summary.Fail, fail)
		}
		return nil
	})
	return r
}

// wordy finds two things wrong with each ConfigMap, in many words.
var wordy = strings.Replace(owned, "violation contains", `violation contains {"msg": concat(" ", [w | some _ in numbers.range(1, 60); w := "wrong"]), "path": ["data", "key"]}

violation contains`, 1)

// TestEverythingBroken has every object of two namespaces violate every policy, and then a
// loop that makes and deletes such objects, a hundred a second: the reports are two, their
// numbers exact, and what is written of them is bounded by the time and not by what
// happens. LINTEL_FLOOD has the loop go on for longer, such as 10m.
func TestEverythingBroken(t *testing.T) {
	client := newClient(t)
	set := compile(t, wordy)
	const objects, every = 300, time.Second
	for _, name := range []string{"all-broken", "looping"} {
		namespace(t, client, name, nil)
	}
	makeMaps(t, client, "all-broken", objects)
	create(t, client, "looping", "first")
	press := printing(t, client, set, "looping", every, nil)
	r := awaitSummary(t, "all-broken", objects)
	awaitSummary(t, "looping", 1)
	data, err := json.Marshal(r)
	must(t, err)
	last := r.Results[len(r.Results)-1]
	if len(data) > 256<<10 || r.Summary.Pass+r.Summary.Warn+r.Summary.Error+r.Summary.Skip > 0 || last.Properties["omitted"] == "" {
		t.Errorf("a report of %d bytes and %d results counts %+v, and ends in %+v", len(data), len(r.Results), r.Summary, last)
	}
	t.Logf("%d objects: a report of %d bytes, %d results", objects, len(data), len(r.Results))

	beforeWrites, beforeBytes := press.written()
	begin, end := time.Now(), during(t, "LINTEL_FLOOD", 4*time.Second)
	loops := 0
	for tick := time.NewTicker(10 * time.Millisecond); time.Since(begin) < end; <-tick.C {
		create(t, client, "looping", "again")
		must(t, client.CoreV1().ConfigMaps("looping").Delete(t.Context(), "again", metav1.DeleteOptions{}))
		loops++
	}
	awaitSummary(t, "looping", 1)
	writes, bytes := press.written()
	writes, bytes = writes-beforeWrites, bytes-beforeBytes
	seconds := int(time.Since(begin).Seconds())
	t.Logf("%d objects made and deleted within %d s: %d reports written, %d bytes", loops, seconds, writes, bytes)
	if most := seconds + 2; writes > most || bytes > most*(4<<10) {
		t.Errorf("%d reports written within %d s, %d bytes; want %d at most, of 4 KiB each", writes, seconds, bytes, most)
	}
	if again := reportIn(t, "all-broken"); again.ResourceVersion != r.ResourceVersion {
		t.Error("the report of a namespace where nothing happens was written again")
	}
}

// during is how long something goes on that an environment variable may have last longer.
func during(t *testing.T, variable string, short time.Duration) time.Duration {
	t.Helper()
	long := os.Getenv(variable)
	if long == "" {
		return short
	}
	d, err := time.ParseDuration(long)
	must(t, err)
	return d
}

// makeMaps makes ConfigMaps without an owner.
func makeMaps(t *testing.T, client kubernetes.Interface, namespace string, n int) {
	t.Helper()
	var clients sync.WaitGroup
	for c := range 8 {
		clients.Go(func() {
			for i := c; i < n; i += 8 {
				m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("map-%04d", i)}}
				if _, err := client.CoreV1().ConfigMaps(namespace).Create(t.Context(), m, metav1.CreateOptions{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	clients.Wait()
}

// TestEtcdStops stops etcd for a while and continues it, and then has it be full: the
// audit goes on where it was, asks ever more rarely, and writes no more than what has
// changed. LINTEL_OUTAGE has each last for longer, such as 60s.
func TestEtcdStops(t *testing.T) {
	client := newClient(t)
	namespace(t, client, "stopped", nil)
	makeMaps(t, client, "stopped", 20)
	p := printing(t, client, compile(t, owned), "stopped", 100*time.Millisecond, nil)
	before := awaitSummary(t, "stopped", 20)
	c := audit.Shared.Cluster(t)
	outage := during(t, "LINTEL_OUTAGE", 3*time.Second)

	writes, _ := p.written()
	must(t, c.Pause(cluster.Etcd))
	time.Sleep(outage) // reports are read twice a second
	must(t, c.Resume(cluster.Etcd))
	await(t, func() error {
		_, err := client.CoreV1().ConfigMaps("stopped").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "later"}}, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			return nil // it was made by what was tried before
		}
		return err
	})
	stopped := awaitSummary(t, "stopped", 21)
	if more, _ := p.written(); more-writes > 2 || stopped.UID != before.UID {
		t.Errorf("%d reports were written; %s, before %s", more-writes, stopped.UID, before.UID)
	}

	must(t, c.SetReadOnly(t.Context(), true))
	t.Cleanup(func() { must(t, c.SetReadOnly(context.WithoutCancel(t.Context()), false)) })
	tried, full := p.tried(), time.Now() // of other tests' namespaces, too: the first that fails ends the round
	p.set.Store(compile(t, strings.ReplaceAll(owned, "owner", "keeper")))
	await(t, func() error {
		if p.tried() == tried {
			return errors.New("nothing was tried to be written")
		}
		return nil
	})
	time.Sleep(outage)
	if r := reportIn(t, "stopped"); r.ResourceVersion != stopped.ResourceVersion {
		t.Error("a full etcd has stored a report")
	}
	// After 100 ms, 200 ms and 400 ms, then twice a second.
	if more := p.tried() - tried; more > 5+2*int(time.Since(full).Seconds()) {
		t.Errorf("%d reports were tried to be written in %s", more, time.Since(full))
	}
	must(t, c.SetReadOnly(t.Context(), false))
	await(t, func() error {
		if r := reportIn(t, "stopped"); r.UID != before.UID || r.Summary.Fail != 21 || r.Results[0].Description != "keeper is missing" {
			return fmt.Errorf("the report is %+v", r)
		}
		return nil
	})
	if list := kubectl(t, "", "get", "reports.openreports.io", "-n", "stopped", "-o", "name"); strings.Count(list, "\n") != 1 {
		t.Errorf("reports: %s", list)
	}
	if got := p.Progress(); got.Unlisted != 0 || got.Pending != 0 {
		t.Errorf("progress %+v", got)
	}
}

// TestTenant has one tenant fail to read another's report, and hide in vain what is in
// their own: it is put right, and told of.
func TestTenant(t *testing.T) {
	client := newClient(t)
	namespace(t, client, "tenant-a", nil)
	namespace(t, client, "tenant-b", nil)
	namespace(t, client, "tenant-c", nil)
	create(t, client, "tenant-a", "bare")
	create(t, client, "tenant-b", "bare")
	told := make(chan string, 100)
	printing(t, client, compile(t, owned), "tenant-b", 100*time.Millisecond, func(namespace string) { told <- namespace })
	awaitSummary(t, "tenant-b", 1)
	awaitSummary(t, "tenant-a", 1)
	b := as(t, client, "tenant-b", "tenant-b", rbacv1.PolicyRule{APIGroups: []string{"openreports.io"}, Resources: []string{"reports"}, Verbs: []string{"get", "list", "update", "patch", "delete"}})
	report := func(namespace string) string {
		return "/apis/openreports.io/v1alpha1/namespaces/" + namespace + "/reports/lintel"
	}
	await(t, func() error { return b.CoreV1().RESTClient().Get().AbsPath(report("tenant-b")).Do(t.Context()).Error() })

	hide := map[string]string{
		"Results":   `{"results": [], "summary": {"fail": 0, "pass": 1}}`,
		"Unlabel":   `{"metadata": {"labels": null}, "results": []}`,
		"Disown":    `{"metadata": {"ownerReferences": null}}`,
		"Finalizer": `{"metadata": {"finalizers": ["example.com/mine"]}}`,
		"Scope":     `{"scope": {"kind": "Namespace", "name": "other"}}`,
	}
	for name, patch := range hide {
		if err := b.CoreV1().RESTClient().Patch("application/merge-patch+json").AbsPath(report("tenant-b")).Body([]byte(patch)).Do(t.Context()).Error(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		awaitMended(t, told, "tenant-b")
		if r := awaitSummary(t, "tenant-b", 1); len(r.Results) != 1 || len(r.Labels) != 1 || len(r.OwnerReferences) != 1 || len(r.Finalizers) != 0 || r.Scope != nil {
			t.Errorf("%s: put right: %+v", name, r)
		}
	}
	must(t, b.CoreV1().RESTClient().Delete().AbsPath(report("tenant-b")).Do(t.Context()).Error())
	awaitMended(t, told, "tenant-b")
	awaitSummary(t, "tenant-b", 1)
	// What is on its way out, and held there, is put right too.
	kubectl(t, "", "patch", "reports.openreports.io", "lintel", "-n", "tenant-b", "--type=merge", "-p", `{"metadata": {"finalizers": ["example.com/mine"]}, "results": []}`)
	kubectl(t, "", "delete", "reports.openreports.io", "lintel", "-n", "tenant-b", "--wait=false")
	awaitMended(t, told, "tenant-b")
	await(t, func() error {
		if r := awaitSummary(t, "tenant-b", 1); r.DeletionTimestamp != nil || len(r.Results) != 1 {
			return fmt.Errorf("the report is %+v", r)
		}
		return nil
	})
	testForeign(t)
	for len(told) > 0 {
		if namespace := <-told; namespace != "tenant-b" {
			t.Errorf("told of namespace %s, which nobody has touched", namespace)
		}
	}
}

// testForeign makes reports in a namespace of which there is nothing to tell: one that
// looks like Lintel's goes, and one of another name is nobody's business.
func testForeign(t *testing.T) {
	t.Helper()
	for _, name := range []string{"lintel", "theirs"} {
		kubectl(t, `{"apiVersion": "openreports.io/v1alpha1", "kind": "Report", "metadata": {"name": "`+name+`"}, "source": "lintel", "summary": {"pass": 9}}`, "create", "-n", "tenant-c", "-f", "-")
	}
	await(t, func() error {
		if got := kubectl(t, "", "get", "reports.openreports.io", "-n", "tenant-c", "-o", "name"); got != "report.openreports.io/theirs\n" {
			return fmt.Errorf("reports: %s", got)
		}
		return nil
	})
}

func awaitMended(t *testing.T, told <-chan string, namespace string) {
	t.Helper()
	select {
	case got := <-told:
		if got != namespace {
			t.Errorf("told of namespace %s, want %s", got, namespace)
		}
	case <-time.After(time.Minute):
		t.Fatal("nobody is told that a report was changed")
	}
}

// TestReportsGo has the kinds of reports be served in another version alone: the audit
// goes on, and publishes when they are back.
func TestReportsGo(t *testing.T) {
	client := newClient(t)
	namespace(t, client, "unreported", nil)
	create(t, client, "unreported", "first")
	p := printing(t, client, compile(t, owned), "unreported", 100*time.Millisecond, nil)
	awaitSummary(t, "unreported", 1)
	serve := func(served string) {
		t.Helper()
		kubectl(t, "", "patch", "crd", "reports.openreports.io", "--type=json", "-p", `[{"op": "replace", "path": "/spec/versions/0/served", "value": `+served+`}]`)
	}
	kubectl(t, "", "patch", "crd", "reports.openreports.io", "--type=json", "-p",
		`[{"op": "add", "path": "/spec/versions/-", "value": {"name": "v9", "served": true, "storage": false, "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}}]`)
	serve("false")
	defer serve("true")
	await(t, func() error {
		err := client.CoreV1().RESTClient().Get().AbsPath("/apis/openreports.io/v1alpha1/reports").Do(t.Context()).Error()
		if !apierrors.IsNotFound(err) {
			return fmt.Errorf("reports of that version are there still: %v", err)
		}
		return nil
	})
	create(t, client, "unreported", "second")
	await(t, func() error {
		for _, space := range p.Spaces() {
			if space.Namespace == "unreported" && len(space.Findings) == 2 {
				return nil
			}
		}
		return errors.New("the audit does not go on")
	})
	serve("true")
	awaitSummary(t, "unreported", 2)
}
