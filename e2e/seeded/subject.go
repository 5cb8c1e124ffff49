package seeded

import (
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// A subject is an object as policies see it.
type subject struct {
	// template is that of its pods, the Pod itself for one, nil where there is none.
	template *corev1.PodTemplateSpec
	path     string // of template
	selector *metav1.LabelSelector
	replicas int64
	// carriers are what has to have labels, the object first.
	carriers []*carrier
	// tagged are what has to have tags.
	tagged []tagged
	// foreign says that it is of no kind of Kubernetes' own, so that nothing is added.
	foreign bool
}

// A carrier is the metadata of an object, or of what it makes others from.
type carrier struct {
	path   string
	labels map[string]string
	pods   bool // whether pods are made from it
}

// tagged are tags and where it is said that one is missing.
type tagged struct {
	tags map[string]string
	at   func(key string) string
}

// newSubject reads an object.
func newSubject(o *unstructured.Unstructured) *subject {
	s := &subject{carriers: []*carrier{{path: "metadata", labels: o.GetLabels()}}, foreign: KindOf(o.GetKind()).Definition}
	switch o.GetKind() {
	case "Service", "Ingress":
		s.readAnnotation(o)
	case "EC2NodeClass", "Instance", "Table", "Bucket":
		s.readTags(o)
	default:
		s.readWorkload(o)
	}
	return s
}

// readWorkload reads what makes pods, if the object does.
func (s *subject) readWorkload(o *unstructured.Unstructured) {
	switch o.GetKind() {
	case "Pod":
		pod := into[corev1.Pod](o)
		s.template = &corev1.PodTemplateSpec{ObjectMeta: pod.ObjectMeta, Spec: pod.Spec}
	case "PodTemplate":
		s.makes(&into[corev1.PodTemplate](o).Template, "template", nil)
	case "ReplicationController":
		rc := into[corev1.ReplicationController](o)
		s.makes(rc.Spec.Template, "spec.template", &metav1.LabelSelector{MatchLabels: rc.Spec.Selector})
	case "ReplicaSet":
		set := into[appsv1.ReplicaSet](o)
		s.makes(&set.Spec.Template, "spec.template", set.Spec.Selector)
	case "Deployment":
		d := into[appsv1.Deployment](o)
		s.makes(&d.Spec.Template, "spec.template", d.Spec.Selector)
		s.replicas = int64(*d.Spec.Replicas)
	case "StatefulSet":
		set := into[appsv1.StatefulSet](o)
		s.makes(&set.Spec.Template, "spec.template", set.Spec.Selector)
		s.replicas = int64(*set.Spec.Replicas)
		for i := range set.Spec.VolumeClaimTemplates {
			s.carriers = append(s.carriers, &carrier{path: at("spec.volumeClaimTemplates", i) + ".metadata", labels: set.Spec.VolumeClaimTemplates[i].Labels})
		}
	case "DaemonSet":
		set := into[appsv1.DaemonSet](o)
		s.makes(&set.Spec.Template, "spec.template", set.Spec.Selector)
	case "Job":
		s.makes(&into[batchv1.Job](o).Spec.Template, "spec.template", nil)
	case "CronJob":
		job := into[batchv1.CronJob](o).Spec.JobTemplate
		s.carriers = append(s.carriers, &carrier{path: "spec.jobTemplate.metadata", labels: job.Labels})
		s.makes(&job.Spec.Template, "spec.jobTemplate.spec.template", nil)
	}
}

// into reads an object into its type.
func into[T any](o *unstructured.Unstructured) *T {
	typed := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, typed); err != nil {
		panic(err) //nolint:forbidigo // it comes from the API server
	}
	return typed
}

// makes notes what pods are made from.
func (s *subject) makes(template *corev1.PodTemplateSpec, path string, selector *metav1.LabelSelector) {
	s.template, s.path, s.selector = template, path, selector
	s.carriers = append(s.carriers, &carrier{path: path + ".metadata", labels: template.Labels, pods: true})
}

// readAnnotation reads the tags of a load balancer, where there are any.
func (s *subject) readAnnotation(o *unstructured.Unstructured) {
	key := tagAnnotations()[o.GetKind()]
	if text, ok := o.GetAnnotations()[key]; ok {
		s.tagged = append(s.tagged, tagged{pairs(text), func(string) string { return `metadata.annotations["` + key + `"]` }})
	}
}

// readTags reads the tags of a resource of a cloud.
func (s *subject) readTags(o *unstructured.Unstructured) {
	path := map[string][]string{
		"EC2NodeClass": {"spec", "tags"}, "Instance": {"spec", "forProvider", "tags"}, "Table": {"spec", "tags"}, "Bucket": {"spec", "tagging", "tagSet"},
	}[o.GetKind()]
	value, found, _ := unstructured.NestedFieldNoCopy(o.Object, path...)
	tags := map[string]string{}
	list, isList := value.([]any)
	for _, item := range list {
		pair, _ := item.(map[string]any)
		key, _ := pair["key"].(string)
		tags[key], _ = pair["value"].(string)
	}
	byKey, _ := value.(map[string]any)
	for key := range byKey {
		tags[key], _ = byKey[key].(string)
	}
	s.tagged = append(s.tagged, tagged{tags, func(key string) string {
		where := ""
		for _, step := range path {
			where = join(where, step)
		}
		if found && isList { // where in the list it should be, nobody can say
			return where
		}
		return join(where, key)
	}})
}
