package seeded

import (
	"fmt"
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// A workload is all that makes pods, before it is of a kind.
type workload struct {
	kind      string
	meta      metav1.ObjectMeta
	selector  metav1.LabelSelector
	template  corev1.PodTemplateSpec
	replicas  int32
	jobLabels map[string]string // of the jobs of a CronJob
	claims    []corev1.PersistentVolumeClaim
	minimum   int32 // of an autoscaler; 0 without one
	measured  bool  // by an autoscaler, in all containers
}

// workloads returns a workload of a kind, which may have faults, and its autoscalers.
func (d *dice) workloads(kind, namespace, name string) []*Object {
	right := d.workload(kind, namespace, name)
	wrong := right.copy()
	for _, f := range faults() {
		if d.chance(f.percent) && (f.fits == nil || f.fits(wrong)) {
			f.apply(d, wrong)
		}
	}
	o := &Object{Kind: KindOf(kind), Unstructured: wrong.render(), Right: right.render()}
	switch kind {
	case "Pod":
		o.Right = nil
		if d.chance(20) {
			o.Debugged = d.debugger()
		}
	case "Job", "StatefulSet", "ReplicationController", "ReplicaSet":
		o.Right = nil // of some nearly all is fixed; pods of others stay as they were
	}
	return append([]*Object{o}, wrong.autoscalers()...)
}

// workload returns one with nothing wrong with it.
func (d *dice) workload(kind, namespace, name string) *workload {
	labels := map[string]string{"app": name, "environment": pick(d, "production", "staging"), "team": pick(d, "shop", "search", "42"), "service": name}
	w := &workload{
		kind: kind, meta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels}, jobLabels: maps.Clone(labels),
		selector: metav1.LabelSelector{MatchLabels: map[string]string{"app": name}},
		template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: maps.Clone(labels)}, Spec: d.podSpec(kind)},
		replicas: pick[int32](d, 0, 1, 1, 2, 3),
	}
	if kind == "ReplicaSet" || kind == "ReplicationController" {
		w.replicas = min(w.replicas, 1)
	}
	if kind == "StatefulSet" && d.chance(50) {
		w.claims = []corev1.PersistentVolumeClaim{{ObjectMeta: metav1.ObjectMeta{Name: "data", Labels: maps.Clone(labels)}, Spec: claimSpec()}}
	}
	if w.replicas > 1 || d.chance(30) {
		w.template.Spec.TopologySpreadConstraints = d.spread(name)
	}
	return w
}

func (w *workload) copy() *workload {
	c := *w
	w.meta.DeepCopyInto(&c.meta)
	w.selector.DeepCopyInto(&c.selector)
	w.template.DeepCopyInto(&c.template)
	c.jobLabels, c.claims = maps.Clone(w.jobLabels), nil
	for _, claim := range w.claims {
		c.claims = append(c.claims, *claim.DeepCopy())
	}
	return &c
}

// isBatch reports whether its pods come to an end.
func (w *workload) isBatch() bool { return w.kind == "Job" || w.kind == "CronJob" }

// isSpread reports whether its kind is one whose replicas are spread.
func (w *workload) isSpread() bool { return w.kind == "Deployment" || w.kind == "StatefulSet" }

func claimSpec() corev1.PersistentVolumeClaimSpec {
	return corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
	}
}

// spread returns constraints of which one over zones holds.
func (d *dice) spread(app string) []corev1.TopologySpreadConstraint {
	constraint := func(key string, selector *metav1.LabelSelector) corev1.TopologySpreadConstraint {
		return corev1.TopologySpreadConstraint{
			MaxSkew: 1, TopologyKey: key, WhenUnsatisfiable: pick(d, corev1.DoNotSchedule, corev1.ScheduleAnyway), LabelSelector: selector,
		}
	}
	zone := constraint(corev1.LabelTopologyZone, pick(d,
		&metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}, &metav1.LabelSelector{},
		&metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: metav1.LabelSelectorOpIn, Values: []string{app, "other"}}}},
	))
	all := []corev1.TopologySpreadConstraint{zone}
	if d.chance(30) {
		all = append(all, constraint(corev1.LabelHostname, zone.LabelSelector))
	}
	return all
}

func (d *dice) podSpec(kind string) corev1.PodSpec {
	spec := corev1.PodSpec{}
	lasts := true
	switch kind {
	case "Job", "CronJob":
		spec.RestartPolicy, lasts = pick(d, corev1.RestartPolicyNever, corev1.RestartPolicyOnFailure), false
	case "Pod", "PodTemplate":
		if d.chance(25) {
			spec.RestartPolicy, lasts = corev1.RestartPolicyNever, false
		}
	}
	for i := range 1 + d.IntN(2) {
		spec.Containers = append(spec.Containers, d.container(fmt.Sprintf("main-%d", i), lasts))
	}
	if d.chance(25) {
		spec.InitContainers = append(spec.InitContainers, d.container("migrate", false))
	}
	if d.chance(20) {
		sidecar, always := d.container("proxy", lasts), corev1.ContainerRestartPolicyAlways
		sidecar.RestartPolicy = &always
		spec.InitContainers = append(spec.InitContainers, sidecar)
	}
	return spec
}

// container returns one that has all that one of its sort needs.
func (d *dice) container(name string, lasts bool) corev1.Container {
	c := corev1.Container{Name: name, Image: "registry.example.com/" + name + ":1.2.3", Resources: d.resources()}
	for range d.IntN(3) {
		if v := d.harmless(); c.Env == nil || c.Env[0].Name != v.name {
			c.Env = append(c.Env, corev1.EnvVar{Name: v.name, Value: v.value})
		}
	}
	if d.chance(15) {
		c.Env = append(c.Env, corev1.EnvVar{Name: "SMTP_PASSWORD", ValueFrom: &corev1.EnvVarSource{
			SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "smtp"}, Key: "password"},
		}})
	}
	if lasts {
		c.Ports = []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}
		c.LivenessProbe, c.ReadinessProbe = d.probe(), d.probe()
		if d.chance(20) {
			c.StartupProbe = d.probe()
		}
	}
	return c
}

func (d *dice) resources() corev1.ResourceRequirements {
	cpu, memory := resource.MustParse(pick(d, "100m", "1", "0.5")), resource.MustParse(pick(d, "128Mi", "1G", "134217728"))
	both := corev1.ResourceList{corev1.ResourceCPU: cpu, corev1.ResourceMemory: memory}
	if d.chance(20) {
		return corev1.ResourceRequirements{Limits: both} // counts as the request that is missing
	}
	return corev1.ResourceRequirements{Requests: both, Limits: corev1.ResourceList{corev1.ResourceMemory: memory}}
}

func (d *dice) probe() *corev1.Probe {
	return &corev1.Probe{ProbeHandler: pick(d,
		corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/", Port: pick(d, intstr.FromInt32(8080), intstr.FromString("http"))}},
		corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: pick(d, intstr.FromInt32(8080), intstr.FromString("http"))}},
		corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: 9000}},
		corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: pick(d,
			[]string{"pg_isready"}, []string{"/app/health", "--fast"}, []string{"sh", "-c", "curl -f localhost || exit 1"}, []string{"cat", "/tmp/healthy"})}},
	)}
}

// debugger is an ephemeral container, which can have neither probes nor resources.
func (d *dice) debugger() map[string]any {
	v := d.harmless()
	if d.chance(60) {
		v = d.secret()
	}
	return map[string]any{
		"name": "shell", "image": "busybox:1.37", "terminationMessagePolicy": "File", "imagePullPolicy": "IfNotPresent",
		"env": []any{map[string]any{"name": v.name, "value": v.value}},
	}
}

// render returns the workload as an object of its kind.
func (w *workload) render() *unstructured.Unstructured {
	var typed runtime.Object
	switch w.kind {
	case "Pod":
		meta := w.meta
		meta.Annotations = maps.Clone(meta.Annotations)
		for key, value := range w.template.Annotations { // it is its own template
			metav1.SetMetaDataAnnotation(&meta, key, value)
		}
		typed = &corev1.Pod{ObjectMeta: meta, Spec: w.template.Spec}
	case "PodTemplate":
		typed = &corev1.PodTemplate{ObjectMeta: w.meta, Template: w.template}
	case "ReplicationController":
		typed = &corev1.ReplicationController{ObjectMeta: w.meta, Spec: corev1.ReplicationControllerSpec{Replicas: &w.replicas, Selector: w.selector.MatchLabels, Template: &w.template}}
	case "ReplicaSet":
		typed = &appsv1.ReplicaSet{ObjectMeta: w.meta, Spec: appsv1.ReplicaSetSpec{Replicas: &w.replicas, Selector: &w.selector, Template: w.template}}
	case "Deployment":
		typed = &appsv1.Deployment{ObjectMeta: w.meta, Spec: appsv1.DeploymentSpec{Replicas: &w.replicas, Selector: &w.selector, Template: w.template}}
	case "StatefulSet":
		typed = &appsv1.StatefulSet{ObjectMeta: w.meta, Spec: appsv1.StatefulSetSpec{
			Replicas: &w.replicas, Selector: &w.selector, Template: w.template, ServiceName: w.meta.Name, VolumeClaimTemplates: w.claims,
		}}
	case "DaemonSet":
		typed = &appsv1.DaemonSet{ObjectMeta: w.meta, Spec: appsv1.DaemonSetSpec{Selector: &w.selector, Template: w.template}}
	case "Job":
		typed = &batchv1.Job{ObjectMeta: w.meta, Spec: batchv1.JobSpec{Template: w.template}}
	case "CronJob":
		typed = &batchv1.CronJob{ObjectMeta: w.meta, Spec: batchv1.CronJobSpec{
			Schedule:    "0 3 29 2 *", // hardly ever
			JobTemplate: batchv1.JobTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: w.jobLabels}, Spec: batchv1.JobSpec{Template: w.template}},
		}}
	}
	return toUnstructured(KindOf(w.kind).GroupVersion().String(), w.kind, typed)
}

// autoscalers returns those of the workload.
func (w *workload) autoscalers() []*Object {
	var all []*Object
	target := map[string]any{"apiVersion": KindOf(w.kind).GroupVersion().String(), "kind": w.kind, "name": w.meta.Name}
	add := func(kind string, content map[string]any) {
		k := KindOf(kind)
		u := &unstructured.Unstructured{Object: content}
		u.SetGroupVersionKind(k.GroupVersionKind)
		u.SetNamespace(w.meta.Namespace)
		u.SetName(w.meta.Name)
		all = append(all, &Object{Kind: k, Unstructured: u})
	}
	if w.minimum > 0 {
		add("HorizontalPodAutoscaler", map[string]any{"spec": map[string]any{
			"scaleTargetRef": target, "minReplicas": int64(w.minimum), "maxReplicas": int64(5),
			"metrics": []any{map[string]any{"type": "Resource", "resource": map[string]any{"name": "cpu", "target": map[string]any{"type": "Utilization", "averageUtilization": int64(80)}}}},
		}})
	}
	if w.measured {
		var found []any
		for _, c := range w.template.Spec.Containers {
			found = append(found, map[string]any{"containerName": c.Name, "target": map[string]any{"cpu": "25m", "memory": "64Mi"}})
		}
		add("VerticalPodAutoscaler", map[string]any{
			"spec":   map[string]any{"targetRef": target, "updatePolicy": map[string]any{"updateMode": "Off"}},
			"status": map[string]any{"recommendation": map[string]any{"containerRecommendations": found}},
		})
	}
	return all
}
