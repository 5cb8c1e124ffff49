package audit_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/audit"
)

// TestClaims tells the claims of StatefulSets from others while StatefulSets come and go:
// many at once, which are not read one by one.
func TestClaims(t *testing.T) {
	client := newClient(t)
	namespace(t, client, "sets", nil)
	p := paintWith(t, client, compile(t, owned), "sets", func(cfg *audit.BackgroundConfig) { cfg.Kinds = watch(statefulSets, claims) })
	claim := corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "data"}, Spec: corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
	}}
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "db"}}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "db", Image: "postgres"}}}}
	create := func(name string) {
		made := claim.DeepCopy()
		made.Name = name
		_, err := client.CoreV1().PersistentVolumeClaims("sets").Create(t.Context(), made, metav1.CreateOptions{})
		must(t, err)
	}
	create("data-3")
	want := map[string]v1alpha1.Enforcement{"data-3": v1alpha1.Deny}
	for i := range 10 {
		set := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("db%d", i)}, Spec: appsv1.StatefulSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: template.Labels}, Template: template, VolumeClaimTemplates: []corev1.PersistentVolumeClaim{claim},
		}}
		_, err := client.AppsV1().StatefulSets("sets").Create(t.Context(), set, metav1.CreateOptions{})
		must(t, err)
		create("data-" + set.Name + "-0")
		want["data-"+set.Name+"-0"] = v1alpha1.DryRun
		time.Sleep(50 * time.Millisecond) // so that some come right after others were read
	}
	p.awaitEnforcements(t, "sets", want)

	must(t, client.AppsV1().StatefulSets("sets").Delete(t.Context(), "db3", metav1.DeleteOptions{}))
	want["data-db3-0"] = v1alpha1.Deny // it is somebody's now
	p.awaitEnforcements(t, "sets", want)
}

// awaitEnforcements waits until just these objects break the policy, each with what
// comes of it.
func (p *picture) awaitEnforcements(t *testing.T, namespace string, want map[string]v1alpha1.Enforcement) {
	t.Helper()
	var got map[string]v1alpha1.Enforcement
	for range 600 {
		got = map[string]v1alpha1.Enforcement{}
		p.mu.Lock()
		for _, f := range p.spaces[namespace].Findings {
			for _, v := range f.Violations {
				got[f.Ref.Name] = v.Enforcement
			}
		}
		p.mu.Unlock()
		if maps.Equal(want, got) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("-want, +got:\n%s", cmp.Diff(want, got))
}
