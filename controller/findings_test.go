package controller_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
)

// newFindings returns a Findings that has the rights of the installation, is told first
// of some objects, and runs.
func newFindings(t *testing.T, user string, period time.Duration, first ...controller.Found) (*controller.Findings, *prometheus.Registry) {
	t.Helper()
	recorder, mapper, reader := newTeller(t, user)
	metrics := prometheus.NewRegistry()
	f, err := controller.NewFindings(controller.FindingsConfig{Recorder: recorder, Mapper: mapper, Metadata: reader, Period: period, Metrics: metrics})
	must(t, "make findings", err)
	f.Tell(first)
	running, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Run(running)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	return f, metrics
}

// foundObject is an object that violates some policies.
func foundObject(namespace, kind, name string, owner *metav1.OwnerReference, policies ...string) controller.Found {
	f := controller.Found{Object: corev1.ObjectReference{APIVersion: "v1", Kind: kind, Namespace: namespace, Name: name}, Owner: owner}
	for _, p := range policies {
		f.Violations = append(f.Violations, engine.Violation{Policy: p, Enforcement: v1alpha1.Deny, Message: "no"})
	}
	return f
}

// toldIn returns the Events of a namespace about findings, by what they are on.
func toldIn(t *testing.T, namespace string) map[string]eventsv1.Event {
	t.Helper()
	list, err := kubernetes.NewForConfigOrDie(shared.Cluster(t).Config()).EventsV1().Events(namespace).List(t.Context(), metav1.ListOptions{FieldSelector: "reason=PolicyViolationFound"})
	must(t, "list events", err)
	told := map[string]eventsv1.Event{}
	for _, e := range list.Items {
		on := e.Regarding.Kind + "/" + e.Regarding.Name
		if _, twice := told[on]; twice {
			t.Errorf("two Events are on %s", on)
		}
		told[on] = e
	}
	return told
}

// madeNamespace makes a namespace that goes after the test.
func madeNamespace(t *testing.T, name string) {
	t.Helper()
	apply(t, fmt.Sprintf(`{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": %q}}`, name))
	t.Cleanup(func() {
		shared.Cluster(t).Kubectl(context.WithoutCancel(t.Context()), nil, "delete", "namespace", name, "--wait=false")
	})
}

// TestFindings has one Event written for each topmost owner.
func TestFindings(t *testing.T) {
	madeNamespace(t, "findings")
	deployment := madeObject(t, "findings", "apps/v1", "Deployment", "web", nil)
	old := madeObject(t, "findings", "apps/v1", "ReplicaSet", "web-1", &deployment)
	young := madeObject(t, "findings", "apps/v1", "ReplicaSet", "web-2", &deployment)
	forged := old
	forged.UID = "00000000-0000-0000-0000-000000000000"
	newFindings(t, "finder", time.Second, []controller.Found{
		foundObject("findings", "Pod", "web-1-a", &old, "probes"),
		foundObject("findings", "Pod", "web-1-b", &old, "probes", "resources"),
		foundObject("findings", "Pod", "web-2-a", &young, "probes"),
		foundObject("findings", "Pod", "forged-1", &forged, "probes"),
		foundObject("findings", "Pod", "forged-2", &forged, "probes"),
		foundObject("findings", "ConfigMap", "alone", nil, "secrets"),
	}...)
	var told map[string]eventsv1.Event
	eventually(t, "four Events", func() bool {
		told = toldIn(t, "findings")
		return len(told) >= 4
	})
	want := map[string]string{
		"Deployment/web":  "3 objects of it break policies, such as\nPod findings/web-1-b breaks 2 policies (2 violations):\n  probes     no\n  resources  no",
		"Pod/forged-1":    "Pod findings/forged-1 breaks 1 policy (1 violation):\n  probes  no",
		"Pod/forged-2":    "Pod findings/forged-2 breaks 1 policy (1 violation):\n  probes  no",
		"ConfigMap/alone": "ConfigMap findings/alone breaks 1 policy (1 violation):\n  secrets  no",
	}
	got := map[string]string{}
	for on, e := range told {
		got[on] = e.Note
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Events: -want, +got:\n%s", diff)
	}
	if uid := told["Deployment/web"].Regarding.UID; uid != deployment.UID {
		t.Errorf("the Event is on a Deployment of uid %q, want %q", uid, deployment.UID)
	}
}

// TestManyFindings tells of 10,000 objects by 50 Events and one on each policy, which
// leave out none, and of more that comes soon after by none beside those.
func TestManyFindings(t *testing.T) {
	madeNamespace(t, "crowd-1")
	madeNamespace(t, "crowd-2")
	var found []controller.Found
	for i := range 10_000 {
		policies := []string{"crowd-a"}
		if i >= 9_990 { // the worst come last
			policies = append(policies, "crowd-b")
		}
		found = append(found, foundObject(fmt.Sprintf("crowd-%d", 1+i%2), "ConfigMap", fmt.Sprintf("map-%05d", i), nil, policies...))
	}
	// As a report is: worst first, and the rest.
	f, metrics := newFindings(t, "crier", 300*time.Millisecond, slices.Concat(found[9_500:], found[:9_500])...)
	sums := func() map[string]string {
		notes := map[string]string{}
		for on, e := range toldIn(t, "default") {
			if strings.HasPrefix(on, "Policy/crowd-") {
				notes[on] = e.Note
			}
		}
		return notes
	}
	eventually(t, "an Event on the policy", func() bool { return len(sums()) > 0 })
	eventually(t, "50 Events", func() bool { return len(toldIn(t, "crowd-1"))+len(toldIn(t, "crowd-2")) >= 50 })
	f.Tell(found[:1000])
	eventually(t, "the next to be summed up", func() bool { return told(t, metrics, "sum")+told(t, metrics, "event") == 11_000 })

	told1, told2 := toldIn(t, "crowd-1"), toldIn(t, "crowd-2")
	if n := len(told1) + len(told2); n < 50 || n > 60 { // six a minute more may follow
		t.Errorf("%d Events, want some 50", n)
	}
	for i := 9_990; i < 10_000; i++ {
		on := fmt.Sprintf("ConfigMap/map-%05d", i)
		if _, ok := told1[on]; !ok {
			if _, ok := told2[on]; !ok {
				t.Errorf("none is on %s, which is the worst", on)
			}
		}
	}
	want := map[string]string{"Policy/crowd-a": "The audit found 9950 objects in 2 namespaces that newly break it, beside those with an Event of their own: the reports list them."}
	if diff := cmp.Diff(want, sums()); diff != "" {
		t.Errorf("Events on policies: -want, +got:\n%s", diff)
	}
}

// told returns how many objects were told of in a way.
func told(t *testing.T, metrics *prometheus.Registry, by string) int {
	t.Helper()
	n, err := metrics.Gather()
	must(t, "gather", err)
	for _, family := range n {
		for _, m := range family.GetMetric() {
			if m.GetLabel()[0].GetValue() == by {
				return int(m.GetCounter().GetValue())
			}
		}
	}
	return 0
}
