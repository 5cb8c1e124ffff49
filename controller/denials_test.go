package controller_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/events"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/webhook"
)

// newTeller returns what tells with the rights of the installation: what writes Events,
// what knows the kinds of the cluster, and what reads owners.
func newTeller(t *testing.T, name string) (func(context.Context) events.EventRecorder, meta.RESTMapperWithContext, metadata.Interface) {
	t.Helper()
	manifest, err := os.ReadFile("../manifests/install.yaml")
	must(t, "read the installation", err)
	documents := strings.Split(string(manifest), "\n---\n")
	i := slices.IndexFunc(documents, func(s string) bool { return strings.Contains(s, "\nkind: ClusterRole\n") })
	apply(t, strings.Replace(documents[i], "name: lintel\n", "name: "+name+"\n", 1)+strings.ReplaceAll(`
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: NAME}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: NAME}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: NAME}]
`, "NAME", name))
	t.Cleanup(func() {
		shared.Cluster(t).Kubectl(context.WithoutCancel(t.Context()), nil, "delete", "clusterrole,clusterrolebinding", name)
	})
	config, err := shared.Cluster(t).ConfigFor(name)
	must(t, "make a user", err)
	client := kubernetes.NewForConfigOrDie(config)
	return func(ctx context.Context) events.EventRecorder {
		broadcaster := events.NewBroadcaster(&events.EventSinkImpl{Interface: client.EventsV1()})
		must(t, "start recording", broadcaster.StartRecordingToSinkWithContext(ctx))
		return broadcaster.NewRecorder(scheme.Scheme, "lintel")
	}, restmapper.NewDeferredDiscoveryRESTMapperWithContext(memory.NewMemCacheClientWithContext(client.DiscoveryClient)), metadata.NewForConfigOrDie(config)
}

// newDenials returns a Denials that runs, and Owners that do not.
func newDenials(t *testing.T) (*controller.Denials, *controller.Owners) {
	t.Helper()
	recorder, mapper, reader := newTeller(t, "teller")
	d, err := controller.NewDenials(controller.DenialsConfig{Recorder: recorder, Mapper: mapper, Metadata: reader})
	must(t, "make denials", err)
	go d.Run(t.Context()) //nolint:errcheck // it ends with the test
	return d, controller.NewOwners(mapper, reader)
}

// TestDenials has Events written with the rights of the installation.
func TestDenials(t *testing.T) {
	d, owners := newDenials(t)
	apply(t, `{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "denials"}}`)
	t.Cleanup(func() {
		shared.Cluster(t).Kubectl(context.WithoutCancel(t.Context()), nil, "delete", "namespace", "denials", "--wait=false")
	})
	t.Run("Owners", func(t *testing.T) { testOwners(t, d) })
	t.Run("Asked", func(t *testing.T) { testAsked(t, owners) })
	t.Run("Note", func(t *testing.T) { testNote(t, d) })
	t.Run("Quiet", func(t *testing.T) { testQuiet(t, d) })
}

// testOwners has objects denied that say of themselves who made them.
func testOwners(t *testing.T, d *controller.Denials) {
	t.Helper()
	deployment := madeObject(t, "denials", "apps/v1", "Deployment", "web", nil)
	replicas := madeObject(t, "denials", "apps/v1", "ReplicaSet", "web-1", &deployment)
	cron := madeObject(t, "denials", "batch/v1", "CronJob", "tidy", nil)
	job := madeObject(t, "denials", "batch/v1", "Job", "tidy-1", &cron)
	daemons := madeObject(t, "denials", "apps/v1", "DaemonSet", "agent", &deployment)
	forged := replicas
	forged.UID = "00000000-0000-0000-0000-000000000000"
	long := daemons
	long.Name = strings.Repeat("agent", 100)
	gone := replicas
	gone.Name = "web-0"

	cases := map[string]struct {
		reason string
		owner  *metav1.OwnerReference
		want   metav1.OwnerReference // none: the pod itself
	}{
		"Deployment": {"A ReplicaSet may be read, and says whose it is.", &replicas, deployment},
		"CronJob":    {"So may a Job.", &job, cron},
		"NotRead":    {"What may not be read is told itself.", &daemons, daemons},
		"Endless":    {"Nor can it have a name that nothing has.", &long, metav1.OwnerReference{}},
		"Forged":     {"Nobody is told of what others make in its name.", &forged, metav1.OwnerReference{}},
		"Gone":       {"Nor who is not there.", &gone, metav1.OwnerReference{}},
		"Cluster":    {"Nor what is outside of the namespace.", &metav1.OwnerReference{APIVersion: "v1", Kind: "Node", Name: "n", UID: "u"}, metav1.OwnerReference{}},
		"Unknown":    {"Nor what is no kind.", &metav1.OwnerReference{APIVersion: "example.com/v1", Kind: "Machine", Name: "m", UID: "u"}, metav1.OwnerReference{}},
		"None":       {"Who has no owner is told itself, by its name.", nil, metav1.OwnerReference{}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			policy := strings.ToLower(name)
			pod := denied(t, "Pod", "pods", "pod-"+policy, "", tc.owner)
			d.Tell(webhook.Reviewed{Request: pod, Decision: decisionOf(pod, policy)})
			want := fmt.Sprintf("%s/%s %s", tc.want.Kind, tc.want.Name, tc.want.UID)
			if tc.want.Kind == "" {
				want = "Pod/pod-" + policy + " "
			}
			if got := toldOf(t, "denials", policy); got != want {
				t.Errorf("%s\nthe Event is on %q, want %q", tc.reason, got, want)
			}
		})
	}
	scale := denied(t, "Scale", "deployments", "web", "scale", nil)
	d.Tell(webhook.Reviewed{Request: scale, Decision: decisionOf(scale, "scale")})
	if got, want := toldOf(t, "denials", "scale"), fmt.Sprintf("Deployment/web %s", deployment.UID); got != want {
		t.Errorf("Of scaling the Event is on %q, want %q", got, want)
	}
}

// testNote holds the note of an Event to what one may have.
func testNote(t *testing.T, d *controller.Denials) {
	t.Helper()
	pod := denied(t, "Pod", "pods", "long", "", nil)
	decision := decisionOf(pod, "long")
	for i := range 30 {
		decision.Violations = append(decision.Violations, engine.Violation{Policy: "long", Enforcement: v1alpha1.Deny, Message: fmt.Sprintf("%d %s", i, strings.Repeat("ä", 40))})
	}
	d.Tell(webhook.Reviewed{Request: pod, Decision: decision})
	toldOf(t, "denials", "long")
	list, err := kubernetes.NewForConfigOrDie(shared.Cluster(t).Config()).EventsV1().Events("denials").List(t.Context(), metav1.ListOptions{})
	must(t, "list events", err)
	for _, e := range list.Items {
		if e.Related.Name == "long" && (len(e.Note) > 1024 || !strings.HasSuffix(e.Note, "ä\n…") || !strings.HasPrefix(e.Note, "Pod denials/long breaks 1 policy (31 violations):\n")) {
			t.Errorf("note of %d bytes: %q", len(e.Note), e.Note)
		}
	}
}

// testQuiet holds that nothing else than denials is told of, and nothing twice.
func testQuiet(t *testing.T, d *controller.Denials) {
	t.Helper()
	pod := denied(t, "Pod", "pods", "quiet", "", nil)
	d.Tell(webhook.Reviewed{Request: pod, Allowed: true, Decision: decisionOf(pod, "allowed")})
	d.Tell(webhook.Reviewed{Request: pod})
	for range 100 {
		d.Tell(webhook.Reviewed{Request: pod, Decision: decisionOf(pod, "once")})
	}
	d.Tell(webhook.Reviewed{Request: pod, Decision: decisionOf(pod, "after")})
	toldOf(t, "denials", "after")
	list, err := kubernetes.NewForConfigOrDie(shared.Cluster(t).Config()).EventsV1().Events("denials").List(t.Context(), metav1.ListOptions{})
	must(t, "list events", err)
	var got []string
	for _, e := range list.Items {
		if e.Regarding.Name == "quiet" {
			got = append(got, e.Related.Name)
			if e.Series != nil {
				t.Errorf("%s was told %d times", e.Related.Name, e.Series.Count)
			}
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"after", "once"}, got); diff != "" {
		t.Errorf("events: -want, +got:\n%s", diff)
	}
}

// madeObject makes an object without a spec worth the name and returns a reference to it.
func madeObject(t *testing.T, namespace, apiVersion, kind, name string, owner *metav1.OwnerReference) metav1.OwnerReference {
	t.Helper()
	template := `{"metadata": {"labels": {"a": "b"}}, "spec": {"restartPolicy": "%s", "containers": [{"name": "a", "image": "a"}]}}`
	spec := `{"selector": {"matchLabels": {"a": "b"}}, "template": ` + fmt.Sprintf(template, "Always") + `}`
	switch kind {
	case "Job":
		spec = `{"template": ` + fmt.Sprintf(template, "Never") + `}`
	case "CronJob":
		spec = `{"schedule": "* * * * *", "jobTemplate": {"spec": {"template": ` + fmt.Sprintf(template, "Never") + `}}}`
	}
	owners, err := json.Marshal(ownersOf(owner))
	must(t, "encode owners", err)
	apply(t, fmt.Sprintf(`{"apiVersion": %q, "kind": %q, "metadata": {"name": %q, "namespace": %q, "ownerReferences": %s}, "spec": %s}`, apiVersion, kind, name, namespace, owners, spec))
	uid, _, _ := shared.Cluster(t).Kubectl(t.Context(), nil, "get", kind, name, "-n", namespace, "-o", "jsonpath={.metadata.uid}")
	ref := metav1.OwnerReference{APIVersion: apiVersion, Kind: kind, Name: name}
	must(t, "read uid", json.Unmarshal([]byte(`"`+uid+`"`), &ref.UID))
	return ref
}

func ownersOf(owner *metav1.OwnerReference) []metav1.OwnerReference {
	if owner == nil {
		return []metav1.OwnerReference{}
	}
	controls := *owner
	yes := true
	controls.Controller = &yes
	return []metav1.OwnerReference{controls}
}

// denied is a request to make an object, or to change the subresource of one.
func denied(t *testing.T, kind, resource, name, subresource string, owner *metav1.OwnerReference) *engine.Request {
	t.Helper()
	group, version, operation := "", "v1", "CREATE"
	old := ""
	metadata, err := json.Marshal(metav1.ObjectMeta{Name: name, Namespace: "denials", UID: "of-no-meaning", OwnerReferences: ownersOf(owner)})
	must(t, "encode metadata", err)
	if subresource != "" {
		group, operation = "apps", "UPDATE"
		uid, _, _ := shared.Cluster(t).Kubectl(t.Context(), nil, "get", resource, name, "-n", "denials", "-o", "jsonpath={.metadata.uid}")
		old = fmt.Sprintf(`"oldObject": {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": %q, "uid": %q}},`, name, uid)
	}
	apiVersion, kindGroup := "v1", ""
	if kind == "Scale" {
		apiVersion, kindGroup = "autoscaling/v1", "autoscaling"
	}
	req, err := engine.Decode(fmt.Appendf(nil, `{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "u", "operation": %q, "subResource": %q, %s
		"kind": {"group": %q, "version": "v1", "kind": %q}, "resource": {"group": %q, "version": %q, "resource": %q}, "namespace": "denials", "name": %q,
		"object": {"apiVersion": %q, "kind": %q, "metadata": %s}}}`, operation, subresource, old, kindGroup, kind, group, version, resource, name, apiVersion, kind, metadata))
	must(t, "decode", err)
	return req
}

func decisionOf(req *engine.Request, policy string) *engine.Decision {
	return &engine.Decision{Revision: "4f2a91c0", Object: req.Ref(), Violations: []engine.Violation{{Policy: policy, Enforcement: v1alpha1.Deny, Message: "no"}}}
}

// toldOf waits for the one Event that is related to a policy and returns what it is on.
func toldOf(t *testing.T, namespace, policy string) string {
	t.Helper()
	client := kubernetes.NewForConfigOrDie(shared.Cluster(t).Config())
	for range 300 {
		list, err := client.EventsV1().Events(namespace).List(t.Context(), metav1.ListOptions{})
		must(t, "list events", err)
		for _, e := range list.Items {
			if e.Related != nil && e.Related.Name == policy {
				return fmt.Sprintf("%s/%s %s", e.Regarding.Kind, e.Regarding.Name, e.Regarding.UID)
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("no Event of policy %s in 30 seconds", policy)
	return ""
}
