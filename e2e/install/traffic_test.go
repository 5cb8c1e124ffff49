//go:build linux

package install_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/lintel-policy/lintel/e2e/gate"
)

// page returns what is at a URL, "" if nothing is.
func page(url string) string {
	client := &http.Client{Timeout: 2 * time.Second}
	res, err := client.Get(url) //nolint:noctx // bounded by the client
	if err != nil {
		return ""
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return string(body)
}

// traffic is a stream of dry runs, half of which are to be denied.
type traffic struct {
	sent             atomic.Int64
	admitted, failed atomic.Int64 // wrongly
	mu               sync.Mutex
	first            string // what went wrong first
}

// send sends a hundred requests a second until the function that it returns is
// called, which returns when the last has been answered.
func (f *fleet) send(t *testing.T) (*traffic, func()) {
	t.Helper()
	good, err := os.ReadFile("../testdata/workloads/service-mended.yaml")
	must(t, err)
	bad, err := os.ReadFile("../testdata/workloads/service-broken.yaml")
	must(t, err)
	cfg := f.Config()
	client := kubernetes.NewForConfigOrDie(cfg)
	tr := &traffic{}
	ctx, stop := context.WithCancel(t.Context())
	var senders sync.WaitGroup
	for i := range 10 {
		senders.Go(func() {
			for n := i; ctx.Err() == nil; n++ {
				tr.one(context.WithoutCancel(ctx), client, n%2 == 0, good, bad)
				time.Sleep(100 * time.Millisecond)
			}
		})
	}
	return tr, func() {
		stop()
		senders.Wait()
	}
}

func (tr *traffic) one(ctx context.Context, client *kubernetes.Clientset, well bool, good, bad []byte) {
	body := bad
	if well {
		body = good
	}
	err := client.RESTClient().Post().AbsPath("/api/v1/namespaces/default/services").Param("dryRun", "All").
		SetHeader("Content-Type", "application/yaml").Body(body).Do(ctx).Error()
	tr.sent.Add(1)
	switch {
	case well && err != nil:
		tr.failed.Add(1)
		tr.note("a compliant Service: %v", err)
	case !well && err == nil:
		tr.admitted.Add(1)
		tr.note("a Service without labels is admitted")
	case !well && !apierrors.IsForbidden(err):
		tr.failed.Add(1)
		tr.note("a Service without labels: %v", err)
	}
}

func (tr *traffic) note(format string, args ...any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.first == "" {
		tr.first = fmt.Sprintf(format, args...)
	}
}

// recording is a policy that lets by what it finds.
const recording = `
---
apiVersion: lintel.dev/v1alpha1
kind: Policy
metadata: {name: recording}
spec:
  source: {modules: [{name: a.rego, rego: "package team\n\nviolation contains {\"msg\": \"m\"}"}]}
  match: {kinds: [{apiGroups: [""], kinds: [ConfigMap]}]}
  enforcement: dryrun
`

// record makes ConfigMaps until the function that it returns is called.
func (f *fleet) record(t *testing.T) func() {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var made sync.WaitGroup
	made.Go(func() {
		for ctx.Err() == nil {
			_, _ = f.client.CoreV1().ConfigMaps("default").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "recorded-"}}, metav1.CreateOptions{})
			time.Sleep(100 * time.Millisecond)
		}
	})
	return func() {
		stop()
		made.Wait()
	}
}

// TestRollingRestart replaces every replica as a Deployment does, twice, under
// traffic: no request fails, none gets by, and of those that are counted each is counted
// once, whoever has answered it.
func TestRollingRestart(t *testing.T) {
	f := install(t, func(policies string) string { return denying(policies) + recording })
	f.startAll(t, "--lame-duck=2s")
	f.awaitDenial(t)
	all := []*gate.Gate{f.replicas[0], f.replicas[1], f.replicas[2]}
	tr, stop := f.send(t)
	stopRecording := f.record(t)
	spare := 3
	for range 2 {
		for _, old := range []int{0, 1, 2, 3} {
			if old == spare {
				continue
			}
			f.start(t, spare, "--lame-duck=2s")
			all = append(all, f.replicas[spare])
			must(t, f.replicas[old].Stop())
			delete(f.replicas, old)
			spare = old
		}
	}
	stopRecording()
	stop()
	if tr.failed.Load()+tr.admitted.Load() > 0 || tr.sent.Load() == 0 {
		t.Errorf("of %d requests %d failed and %d were wrongly admitted; first: %s", tr.sent.Load(), tr.failed.Load(), tr.admitted.Load(), tr.first)
	}
	f.testCounted(t, all)
}

// testCounted ends what runs of all replicas that there were, and has another one tell
// what these have counted.
func (f *fleet) testCounted(t *testing.T, all []*gate.Gate) {
	t.Helper()
	for n, g := range f.replicas {
		must(t, g.Stop())
		delete(f.replicas, n)
	}
	recorded := 0
	for _, g := range all {
		for line := range strings.Lines(g.Log()) {
			if strings.Contains(line, `"would_deny":"recording"`) && strings.Contains(line, `"dry_run":false`) {
				recorded++
			}
		}
	}
	f.must(t, "patch", "policies.lintel.dev", "recording", "--subresource=status", "--type=merge", "-p", `{"status": {"lastDay": null}}`)
	f.start(t, 0)
	got, want := "", fmt.Sprint(recorded)
	eventually(t, "the day to be told", func() bool {
		got = f.must(t, "get", "policies.lintel.dev", "recording", "-o", "jsonpath={.status.lastDay.requests}")
		return got != ""
	})
	if got != want || recorded < 10 {
		t.Errorf("%s requests were counted, want the %s of the records", got, want)
	}
}

// TestCrashes kills replicas in the midst of reviews: what they were asked fails
// closed, and all is well when they are back.
func TestCrashes(t *testing.T) {
	f := install(t, denying)
	f.startAll(t)
	f.awaitDenial(t)
	tr, stop := f.send(t)
	for range 4 {
		for n := range 2 { // one stays, so that there is one to be asked
			f.replicas[n].Kill()
			f.start(t, n)
		}
	}
	stop()
	if tr.admitted.Load() > 0 || tr.sent.Load() == 0 {
		t.Errorf("of %d requests %d were wrongly admitted; first: %s", tr.sent.Load(), tr.admitted.Load(), tr.first)
	}
	tr, stop = f.send(t)
	eventually(t, "some requests", func() bool { return tr.sent.Load() > 50 })
	stop()
	if tr.failed.Load()+tr.admitted.Load() > 0 {
		t.Errorf("afterwards, of %d requests %d failed and %d were wrongly admitted; first: %s", tr.sent.Load(), tr.failed.Load(), tr.admitted.Load(), tr.first)
	}
}

// awaitDenial waits until what nobody answers is refused.
func (f *fleet) awaitDenial(t *testing.T) {
	t.Helper()
	bad, err := os.ReadFile("../testdata/workloads/service-broken.yaml")
	must(t, err)
	eventually(t, "the gate to be closed", func() bool {
		err := f.client.RESTClient().Post().AbsPath("/api/v1/namespaces/default/services").Param("dryRun", "All").
			SetHeader("Content-Type", "application/yaml").Body(bad).Do(t.Context()).Error()
		policy := f.must(t, "get", "validatingwebhookconfigurations", "-o", "jsonpath={.items[*].webhooks[?(@.name=='deny.lintel.dev')].failurePolicy}")
		return apierrors.IsForbidden(err) && policy == "Fail"
	})
}
