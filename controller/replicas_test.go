package controller_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/lintel-policy/lintel/controller"
)

// emptyMap makes an empty ConfigMap, as long as the test runs.
func emptyMap(t *testing.T, name string) coreclient.ConfigMapInterface {
	t.Helper()
	client := kubernetes.NewForConfigOrDie(shared.Cluster(t).Config()).CoreV1().ConfigMaps("default")
	_, err := client.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	must(t, "create ConfigMap", err)
	t.Cleanup(func() { _ = client.Delete(context.WithoutCancel(t.Context()), name, metav1.DeleteOptions{}) })
	return client
}

// TestReplicas follows what the leader knows of another replica, whose clock is wrong
// in every way.
func TestReplicas(t *testing.T) {
	client := emptyMap(t, "replicas")
	now := time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC)
	theirs := now.Add(10 * time.Minute)
	join := func(identity string, clock *time.Time) *controller.Replicas {
		return controller.NewReplicas(controller.ReplicasConfig{
			Client: client, Name: "replicas", Identity: identity, Now: func() time.Time { return *clock },
		})
	}
	leader, other := join("pod-1_a", &now), join("pod-2_b", &theirs)
	look := func(after time.Duration, times int) {
		t.Helper()
		for range times {
			now = now.Add(after)
			must(t, "observe", leader.Observe(t.Context()))
		}
	}
	report := func(revision string, clock time.Time) {
		t.Helper()
		theirs = clock
		must(t, "report", other.Report(t.Context(), revision))
	}
	keys := func() string {
		t.Helper()
		found, err := client.Get(t.Context(), "replicas", metav1.GetOptions{})
		must(t, "get ConfigMap", err)
		var all []string
		for key := range found.Data {
			all = append(all, key)
		}
		return strings.Join(all, " ")
	}
	steps := []struct {
		reason string
		do     func()
		want   []string // who does not serve "two"
	}{
		{"Nobody is there.", func() { look(time.Second, 1) }, nil},
		{"The leader does not lag behind itself.", func() {
			must(t, "report", leader.Report(t.Context(), "one"))
			look(time.Second, 1)
			must(t, "withdraw", leader.Withdraw(t.Context()))
		}, nil},
		{"Another serves what was before.", func() { report("one", theirs); look(time.Second, 1) }, []string{"pod-2_b"}},
		{"It has caught up; its clock jumps back by twenty minutes.", func() { report("two", theirs.Add(-20*time.Minute)); look(time.Second, 1) }, nil},
		{"It is known as long as its entry changes, whatever the time in it.", func() {
			for i := range 10 {
				report("one", theirs.Add(time.Duration(1-i%2*2)*time.Hour))
				look(time.Second, 4)
			}
		}, []string{"pod-2_b"}},
		{"It is known for a while after its last entry.", func() { look(time.Second, 10) }, []string{"pod-2_b"}},
		{"As long as the leader cannot look, nobody can be blamed.", func() { look(time.Minute, 1) }, []string{"pod-2_b"}},
		{"Then it is gone.", func() { look(time.Second, 6) }, nil},
		{"It was only slow.", func() { report("one", theirs); look(time.Second, 1) }, []string{"pod-2_b"}},
		{"It goes in order.", func() { must(t, "withdraw", other.Withdraw(t.Context())); look(time.Second, 1) }, nil},
		{"What is no entry is no replica for long.", func() {
			_, err := client.Patch(t.Context(), "replicas", "application/merge-patch+json", []byte(`{"data":{"junk":""}}`), metav1.PatchOptions{})
			must(t, "patch", err)
			look(time.Second, 17)
		}, nil},
	}
	for _, step := range steps {
		step.do()
		if diff := cmp.Diff(step.want, leader.Lagging("two")); diff != "" {
			t.Errorf("%s\nLagging(...): -want, +got:\n%s", step.reason, diff)
		}
	}
	if got := keys(); got != "" {
		t.Errorf("who is gone is in the ConfigMap still: %s", got)
	}
	if err := join("pod-3_c", &now).Report(t.Context(), "one"); err != nil {
		t.Errorf("a third: %v", err)
	}
	missing := controller.NewReplicas(controller.ReplicasConfig{Client: client, Name: "missing", Identity: "a"})
	if err := missing.Report(t.Context(), "one"); err == nil || !strings.HasPrefix(err.Error(), "write ConfigMap missing: ") {
		t.Errorf("without a ConfigMap: %v", err)
	}
	if err := missing.Observe(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "read ConfigMap missing: ") {
		t.Errorf("without a ConfigMap: %v", err)
	}
}
