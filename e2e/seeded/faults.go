package seeded

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// A fault is one way in which a workload can be wrong, or only seem so.
type fault struct {
	percent int                  // of the workloads that can have it
	fits    func(*workload) bool // if nil, all can
	apply   func(*dice, *workload)
}

// faults are all that a workload can have.
func faults() []fault {
	all := append(labelFaults(), probeFaults()...)
	all = append(all, resourceFaults()...)
	all = append(all, spreadFaults()...)
	return append(all, secretFaults()...)
}

// required are the keys of the labels that objects need.
func required() []string { return []string{"environment", "team", "service"} }

// spoil takes a label away, or has it say nothing.
func (d *dice) spoil(labels map[string]string) {
	key := pick(d, required()...)
	switch d.IntN(5) {
	case 0:
		labels[key] = pick(d, "todo", "TBD", "Unknown", "n-a", "NONE", "change-me")
	case 1:
		labels[key] = ""
	default:
		delete(labels, key)
	}
}

func labelFaults() []fault {
	return []fault{
		{12, nil, func(d *dice, w *workload) { d.spoil(w.meta.Labels) }},
		{8, nil, func(_ *dice, w *workload) { delete(w.meta.Labels, "team") }},
		{12, nil, func(d *dice, w *workload) { d.spoil(w.template.Labels) }},
		{8, nil, func(_ *dice, w *workload) { // only what it is selected by
			w.template.Labels = map[string]string{"app": w.meta.Name}
		}},
		{30, func(w *workload) bool { return w.kind == "CronJob" }, func(d *dice, w *workload) { d.spoil(w.jobLabels) }},
		{40, func(w *workload) bool { return len(w.claims) > 0 }, func(d *dice, w *workload) { d.spoil(w.claims[0].Labels) }},
		{5, isSelectedByExpressions, func(_ *dice, w *workload) { // nobody can give its pods that label
			delete(w.template.Labels, "team")
			w.selector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "team", Operator: metav1.LabelSelectorOpDoesNotExist}}
		}},
	}
}

func isSelectedByExpressions(w *workload) bool {
	return w.kind == "Deployment" || w.kind == "StatefulSet" || w.kind == "DaemonSet" || w.kind == "ReplicaSet"
}

// idle are commands that cannot fail.
func idle() [][]string {
	return [][]string{{"true"}, {"/bin/true"}, {"sh", "-c", "exit 0"}, {"/bin/sh", "-c", "pg_isready || true"}, {"echo", "ok"}, {"bash", "-c", ":"}}
}

// one returns a container that lasts, of a workload that has some.
func (d *dice) one(w *workload) *corev1.Container {
	spec := &w.template.Spec
	var all []*corev1.Container
	for i := range spec.Containers {
		all = append(all, &spec.Containers[i])
	}
	for i := range spec.InitContainers {
		if spec.InitContainers[i].RestartPolicy != nil {
			all = append(all, &spec.InitContainers[i])
		}
	}
	return pick(d, all...)
}

// anyOne returns any container.
func (d *dice) anyOne(w *workload) *corev1.Container {
	spec := &w.template.Spec
	if n := d.IntN(len(spec.Containers) + len(spec.InitContainers)); n < len(spec.InitContainers) {
		return &spec.InitContainers[n]
	}
	return pick(d, &spec.Containers[0], &spec.Containers[len(spec.Containers)-1])
}

func probeFaults() []fault {
	lasts := func(w *workload) bool { return w.template.Spec.Containers[0].LivenessProbe != nil }
	return []fault{
		{8, lasts, func(d *dice, w *workload) { d.one(w).LivenessProbe = nil }},
		{8, lasts, func(d *dice, w *workload) { d.one(w).ReadinessProbe = nil }},
		{5, lasts, func(d *dice, w *workload) { // the startup probe does not go on after the start
			c := d.one(w)
			c.StartupProbe, c.LivenessProbe = d.probe(), nil
		}},
		{7, lasts, func(d *dice, w *workload) {
			d.one(w).ReadinessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: pick(d, idle()...)}}}
		}},
		{5, lasts, func(d *dice, w *workload) {
			d.one(w).LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: pick(d, idle()...)}}}
		}},
		{5, lasts, func(d *dice, w *workload) { // a port that is not there
			port := intstr.FromString(pick(d, "admin", "metrics"))
			c := d.one(w)
			*pick(d, &c.LivenessProbe, &c.StartupProbe, &c.ReadinessProbe) = &corev1.Probe{ProbeHandler: pick(d,
				corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/", Port: port}}, corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: port}})}
		}},
	}
}

func resourceFaults() []fault {
	without := func(lists ...corev1.ResourceName) func(*dice, *workload) {
		return func(d *dice, w *workload) {
			c := d.anyOne(w)
			for _, name := range lists {
				delete(c.Resources.Requests, name)
				delete(c.Resources.Limits, name)
			}
		}
	}
	return []fault{
		{5, nil, without(corev1.ResourceCPU)},
		{5, nil, without(corev1.ResourceMemory)},
		{5, nil, without(corev1.ResourceCPU, corev1.ResourceMemory)},
		{6, nil, func(d *dice, w *workload) { d.anyOne(w).Resources.Limits = nil }},
		{4, nil, func(d *dice, w *workload) {
			c := d.anyOne(w)
			if c.Resources.Requests == nil {
				c.Resources.Requests = corev1.ResourceList{}
			}
			c.Resources.Requests[pick(d, corev1.ResourceCPU, corev1.ResourceMemory)] = resource.MustParse("0")
		}},
		{5, nil, func(d *dice, w *workload) { // what the pod has as a whole counts, as far as it has it
			for i := range w.template.Spec.Containers {
				w.template.Spec.Containers[i].Resources = corev1.ResourceRequirements{}
			}
			for i := range w.template.Spec.InitContainers {
				w.template.Spec.InitContainers[i].Resources = corev1.ResourceRequirements{}
			}
			large := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2"), corev1.ResourceMemory: resource.MustParse("2Gi")}
			w.template.Spec.Resources = pick(d,
				&corev1.ResourceRequirements{Requests: large, Limits: corev1.ResourceList{corev1.ResourceMemory: large[corev1.ResourceMemory]}},
				&corev1.ResourceRequirements{Limits: large}, &corev1.ResourceRequirements{Requests: large},
			)
		}},
		{6, func(w *workload) bool { return w.isSpread() || w.kind == "DaemonSet" || w.kind == "CronJob" }, func(d *dice, w *workload) {
			w.measured = true
			delete(w.template.Spec.Containers[0].Resources.Requests, pick(d, corev1.ResourceCPU, corev1.ResourceMemory))
		}},
	}
}

func spreadFaults() []fault {
	fits := (*workload).isSpread
	constrained := func(w *workload) bool { return w.isSpread() && len(w.template.Spec.TopologySpreadConstraints) > 0 }
	change := func(f func(*dice, *corev1.TopologySpreadConstraint)) func(*dice, *workload) {
		return func(d *dice, w *workload) {
			all := w.template.Spec.TopologySpreadConstraints
			for i := range all {
				if all[i].TopologyKey == corev1.LabelTopologyZone {
					f(d, &all[i])
				}
			}
		}
	}
	return []fault{
		{12, fits, func(_ *dice, w *workload) { w.template.Spec.TopologySpreadConstraints = nil }},
		{8, constrained, change(func(_ *dice, c *corev1.TopologySpreadConstraint) { c.LabelSelector = nil })},
		{8, constrained, change(func(d *dice, c *corev1.TopologySpreadConstraint) {
			c.LabelSelector = pick(d, &metav1.LabelSelector{MatchLabels: map[string]string{"app": "another"}},
				&metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: metav1.LabelSelectorOpDoesNotExist}}})
		})},
		{8, constrained, change(func(d *dice, c *corev1.TopologySpreadConstraint) { c.MaxSkew = pick[int32](d, 2, 3, 5) })},
		{8, constrained, func(_ *dice, w *workload) { // over hosts alone
			w.template.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
				MaxSkew: 1, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.ScheduleAnyway, LabelSelector: &metav1.LabelSelector{},
			}}
		}},
		{8, constrained, func(d *dice, w *workload) { // of several one has to hold
			more := d.spread(pick(d, w.meta.Name, "another"))[:1]
			more[0].WhenUnsatisfiable = otherThan(w.template.Spec.TopologySpreadConstraints[0].WhenUnsatisfiable)
			w.template.Spec.TopologySpreadConstraints = append(w.template.Spec.TopologySpreadConstraints, more...)
		}},
		{12, fits, func(_ *dice, w *workload) { w.minimum = 3 }},
	}
}

// otherThan returns the other value, since the API server takes each once for a key.
func otherThan(when corev1.UnsatisfiableConstraintAction) corev1.UnsatisfiableConstraintAction {
	if when == corev1.DoNotSchedule {
		return corev1.ScheduleAnyway
	}
	return corev1.DoNotSchedule
}

func secretFaults() []fault {
	return []fault{
		{7, nil, func(d *dice, w *workload) {
			c, v := d.anyOne(w), d.secret()
			c.Env = append(c.Env, corev1.EnvVar{Name: v.name, Value: v.value})
		}},
		{4, nil, func(d *dice, w *workload) {
			d.anyOne(w).Args = []string{"serve", d.holds("--admin-password=" + d.password()), "--port=8080"}
		}},
		{3, nil, func(d *dice, w *workload) {
			d.anyOne(w).Command = []string{"/app", "--client-secret", d.holds(d.password())}
		}},
		{4, nil, func(d *dice, w *workload) {
			w.meta.Annotations = map[string]string{pick(d, "note", "example.com/check"): d.token()}
		}},
		{4, nil, func(d *dice, w *workload) {
			w.template.Annotations = map[string]string{"example.com/token": d.token()}
		}},
	}
}
