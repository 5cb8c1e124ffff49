package audit_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/lintel-policy/lintel/audit"
)

// openFor makes ConfigMaps before, in and after a time in which the gate is said to have
// been open, changes some in that time, and returns it.
func openFor(t *testing.T, client kubernetes.Interface, namespace string) audit.Window {
	t.Helper()
	maps := client.CoreV1().ConfigMaps(namespace)
	create := func(name string, labels map[string]string) {
		t.Helper()
		// The API server keeps nothing of who changes an object that nobody had set a field of.
		m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}, Data: map[string]string{"changed": "no"}}
		_, err := maps.Create(t.Context(), m, metav1.CreateOptions{})
		must(t, err)
	}
	change := func(name string) {
		t.Helper()
		_, err := maps.Patch(t.Context(), name, types.MergePatchType, []byte(`{"data": {"changed": "yes"}}`), metav1.PatchOptions{})
		must(t, err)
	}
	mine := map[string]string{"owner": "me"}
	create("before", nil)
	create("changed", nil)
	create("fine", mine)
	w := audit.Window{From: nextSecond(t)}
	create("made", nil)
	create("made-and-changed", nil)
	create("made-fine", mine)
	change("changed")
	change("fine")
	w.To = time.Now().UTC().Truncate(time.Second)
	nextSecond(t)
	create("after", nil)
	change("made-and-changed")
	return w
}

// nextSecond waits for the next second and returns it: times of objects are no finer. The
// API server has the clock of the test.
func nextSecond(t *testing.T) time.Time {
	t.Helper()
	next := time.Now().UTC().Truncate(time.Second).Add(time.Second)
	time.Sleep(time.Until(next) + 50*time.Millisecond)
	return next
}

// came waits until something is told, and returns it in words.
func (p *picture) cameIn(t *testing.T, times int) []string {
	t.Helper()
	var came []audit.Came
	for range 600 {
		p.mu.Lock()
		came = slices.Clone(p.came)
		p.mu.Unlock()
		if len(came) >= times {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if len(came) != times {
		t.Fatalf("told %d times, want %d", len(came), times)
	}
	last := came[times-1]
	told := []string{fmt.Sprintf("%d denied, %d warned", last.Denied, last.Warned)}
	for _, f := range last.Findings {
		told = append(told, f.Ref.String())
	}
	return told
}

// opens says that the gate was open, and that nobody was told yet what came in.
func (p *picture) opens(over ...audit.Window) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opened, p.untold = over, true
}

// marked returns the objects of a namespace that are published to have come in while
// the gate was open, once there are as many.
func (p *picture) marked(t *testing.T, namespace string, w audit.Window, want int) []string {
	t.Helper()
	var names []string
	for range 600 {
		names = nil
		p.mu.Lock()
		for _, f := range p.spaces[namespace].Findings {
			if f.Opened == w {
				names = append(names, f.Ref.Name)
			}
		}
		p.mu.Unlock()
		if len(names) == want {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	return names
}

// TestCameIn tells once of what was made or changed while the gate was open, and marks
// it where it is published.
func TestCameIn(t *testing.T) {
	client := newClient(t)
	namespace(t, client, "came", nil)
	p := paint(t, client, compile(t, owned), "came")
	w := openFor(t, client, "came")
	p.await(t, "came", "after: owner is missing", "before: owner is missing", "changed: owner is missing", "made: owner is missing", "made-and-changed: owner is missing")
	p.opens(w)
	in := []string{"changed", "made", "made-and-changed"}
	want := []string{"3 denied, 0 warned", "ConfigMap came/changed", "ConfigMap came/made", "ConfigMap came/made-and-changed"}
	if diff := cmp.Diff(want, p.cameIn(t, 1)); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(in, p.marked(t, "came", w, len(in))); diff != "" {
		t.Errorf("marked (-want +got):\n%s", diff)
	}
	if denied, warned := p.OpenGate(); denied != 3 || warned != 0 {
		t.Errorf("%d are denied and %d warned about", denied, warned)
	}

	// It is opened again, for a moment in which nothing comes in.
	moment := audit.Window{From: nextSecond(t)}
	moment.To = moment.From
	p.opens(moment, w)
	if diff := cmp.Diff([]string{"0 denied, 0 warned"}, p.cameIn(t, 2)); diff != "" {
		t.Errorf("told of a moment (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(in, p.marked(t, "came", w, len(in))); diff != "" {
		t.Errorf("still marked (-want +got):\n%s", diff)
	}
	must(t, client.CoreV1().ConfigMaps("came").Delete(t.Context(), "made", metav1.DeleteOptions{}))
	await(t, func() error {
		if denied, _ := p.OpenGate(); denied != 2 {
			return fmt.Errorf("after one was deleted %d are denied", denied)
		}
		return nil
	})
	if got := len(p.came); got != 2 {
		t.Errorf("told %d times, want twice", got)
	}
}

// A deafener is a way to an API server whose watches tell of nothing.
type deafener struct{ http.RoundTripper }

// RoundTrip has a watch begin, and hang.
func (d deafener) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Query().Get("watch") == "" {
		return d.RoundTripper.RoundTrip(req)
	}
	body, writer := io.Pipe()
	go func() {
		<-req.Context().Done()
		writer.CloseWithError(req.Context().Err())
	}()
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: body, Request: req}, nil
}

// TestCameInUnwatched leaves nothing out of what came in where a watch is behind.
func TestCameInUnwatched(t *testing.T) {
	client := newClient(t)
	namespace(t, client, "unwatched", nil)
	config := audit.Shared.Cluster(t).Config()
	config.Wrap(func(rt http.RoundTripper) http.RoundTripper { return deafener{rt} })
	p := paint(t, clientOf(t, config), compile(t, owned), "unwatched")
	await(t, func() error {
		if got := p.Progress(); got.Finished.IsZero() {
			return fmt.Errorf("progress %+v", got)
		}
		return nil
	})
	w := openFor(t, client, "unwatched")
	reviews := p.Progress().Reviews
	if got := p.broken("unwatched"); len(got) > 0 {
		t.Fatalf("the watch tells of %q", got)
	}
	p.opens(w)
	want := []string{"3 denied, 0 warned", "ConfigMap unwatched/changed", "ConfigMap unwatched/made", "ConfigMap unwatched/made-and-changed"}
	if diff := cmp.Diff(want, p.cameIn(t, 1)); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	if got := p.Progress().Reviews - reviews; got < 7 || got > 8 { // the cluster may add one of its own
		t.Errorf("%d reviews for 7 objects that are new", got)
	}
}

// TestRunOfChanged reviews just what was made or changed in a time.
func TestRunOfChanged(t *testing.T) {
	client := newClient(t)
	namespace(t, client, "changes", nil)
	w := openFor(t, client, "changes")
	for name, tc := range map[string]struct {
		window audit.Window
		want   []string
	}{
		"Both":  {w, []string{"changed", "fine", "made", "made-and-changed", "made-fine"}},
		"NoEnd": {audit.Window{From: w.To.Add(time.Second)}, []string{"after", "made-and-changed"}},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := audit.Run(t.Context(), audit.Config{
				Client: client.CoreV1().RESTClient(), Set: compile(t, owned), Kinds: []audit.Kind{configMaps}, Namespace: "changes", Changed: tc.window,
			})
			must(t, err)
			var got []string
			for _, o := range r.Objects {
				got = append(got, o.Ref.Name)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("reviewed (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRunOfStatus takes an object of which somebody has written the status for one that
// nobody has changed: no policy is asked about that.
func TestRunOfStatus(t *testing.T) {
	client := newClient(t)
	namespace(t, client, "statuses", nil)
	sets := client.AppsV1().ReplicaSets("statuses")
	for _, name := range []string{"changed", "observed"} {
		_, err := sets.Create(t.Context(), &appsv1.ReplicaSet{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: appsv1.ReplicaSetSpec{
				Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
				Template: corev1.PodTemplateSpec{
					ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "nginx"}}},
				},
			},
		}, metav1.CreateOptions{})
		must(t, err)
	}
	w := audit.Window{From: nextSecond(t)}
	_, err := sets.Patch(t.Context(), "changed", types.MergePatchType, []byte(`{"spec": {"replicas": 0}}`), metav1.PatchOptions{})
	must(t, err)
	_, err = sets.Patch(t.Context(), "observed", types.MergePatchType, []byte(`{"status": {"replicas": 1}}`), metav1.PatchOptions{}, "status")
	must(t, err)
	r, err := audit.Run(t.Context(), audit.Config{
		Client: client.CoreV1().RESTClient(), Set: compile(t, owned), Kinds: []audit.Kind{replicaSets}, Namespace: "statuses", Changed: w,
	})
	must(t, err)
	if len(r.Objects) != 1 || r.Objects[0].Ref.Name != "changed" {
		t.Errorf("reviewed %v", r.Objects)
	}
}
