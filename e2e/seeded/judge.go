package seeded

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
)

// A judge says what is wrong with one object.
type judge struct {
	*subject
	*surroundings
	object  *unstructured.Unstructured
	secrets map[string]bool
	found   map[[2]string]bool // policies and paths
}

func (j *judge) report(policy, path string) { j.found[[2]string{policy, path}] = true }

// workload is what autoscalers call the object.
func (j *judge) workload() string {
	return j.object.GetKind() + " " + j.object.GetNamespace() + "/" + j.object.GetName()
}

// isPlain reports whether a key can be written as it is.
func isPlain(key string) bool {
	const letters = lower + upper + "_"
	return key != "" && strings.Contains(letters, key[:1]) && strings.Trim(key, letters+digits+"-") == ""
}

// join adds a step to a path, as messages write it.
func join(path, step string) string {
	if !isPlain(step) {
		return path + `["` + step + `"]`
	}
	if path == "" {
		return step
	}
	return path + "." + step
}

func at(path string, index int) string { return fmt.Sprintf("%s[%d]", path, index) }

// secret reports the texts in a value that hold a credential.
func (j *judge) secret(value any, path string) {
	switch v := value.(type) {
	case map[string]any:
		for key, value := range v {
			j.secret(value, join(path, key))
		}
	case []any:
		for i, value := range v {
			j.secret(value, at(path, i))
		}
	case string:
		if j.secrets[v] {
			j.report("no-hardcoded-secrets", path)
		}
	}
}

// labels reports what does not say whose it is: objects, what they make others from,
// and tags.
func (j *judge) labels() {
	for _, key := range required() {
		for _, c := range j.carriers {
			if saysNothing(c.labels[key]) {
				j.report("required-labels", c.path+".labels."+key)
			}
		}
		for _, t := range j.tagged {
			if saysNothing(t.tags[key]) {
				j.report("required-labels", t.at(key))
			}
		}
	}
}

func isBlank(value string) bool { return strings.TrimSpace(value) == "" }

// saysNothing reports whether a value is none, or one of the placeholders.
func saysNothing(value string) bool {
	placeholders := []string{"none", "null", "nil", "todo", "tbd", "fixme", "changeme", "change-me", "unknown", "undefined", "n-a", "na"}
	return isBlank(value) || slices.Contains(placeholders, strings.ToLower(strings.TrimSpace(value)))
}

// pairs reads a=b,c=d.
func pairs(text string) map[string]string {
	all := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		key, value, _ := strings.Cut(pair, "=")
		all[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	return all
}

// eachContainer calls f with the containers and the init containers, and says of each
// whether it lasts as long as its pod.
func (j *judge) eachContainer(f func(c *corev1.Container, path string, lasts bool)) {
	spec := &j.template.Spec
	for i := range spec.Containers {
		f(&spec.Containers[i], at(join(j.path, "spec")+".containers", i), true)
	}
	for i := range spec.InitContainers {
		c := &spec.InitContainers[i]
		f(c, at(join(j.path, "spec")+".initContainers", i), c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways)
	}
}

// probes: readiness and liveness on every container that lasts, of pods that run for
// long, with something to ask, and a port that is there.
func (j *judge) probes() {
	policy, kind := j.template.Spec.RestartPolicy, j.object.GetKind()
	if policy != "" && policy != corev1.RestartPolicyAlways || kind == "Job" || kind == "CronJob" {
		return
	}
	j.eachContainer(func(c *corev1.Container, path string, lasts bool) {
		if !lasts {
			return
		}
		if !canFail(c.LivenessProbe) || !canFail(c.ReadinessProbe) {
			j.report("probes", path)
		}
		for name, probe := range map[string]*corev1.Probe{"livenessProbe": c.LivenessProbe, "readinessProbe": c.ReadinessProbe, "startupProbe": c.StartupProbe} {
			if handler := portlessHandler(c, probe); handler != "" {
				j.report("probes", path+"."+name+"."+handler+".port")
			}
		}
	})
}

// canFail reports whether a probe asks something that can fail.
func canFail(probe *corev1.Probe) bool {
	if probe == nil {
		return false
	}
	if probe.Exec == nil {
		return probe.HTTPGet != nil || probe.TCPSocket != nil || probe.GRPC != nil
	}
	return !slices.ContainsFunc(idle(), func(command []string) bool { return slices.Equal(command, probe.Exec.Command) })
}

// portlessHandler returns the handler that names a port which the container has not.
func portlessHandler(c *corev1.Container, probe *corev1.Probe) string {
	handler, name := "", ""
	switch {
	case probe == nil:
		return ""
	case probe.HTTPGet != nil:
		handler, name = "httpGet", probe.HTTPGet.Port.StrVal
	case probe.TCPSocket != nil:
		handler, name = "tcpSocket", probe.TCPSocket.Port.StrVal
	}
	if name == "" || slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.Name == name }) {
		return ""
	}
	return handler
}

// resources: a request of cpu and of memory and a limit of memory, of each container
// or of its pod, and no amount that is none.
func (j *judge) resources() {
	var pod corev1.ResourceRequirements
	if j.template.Spec.Resources != nil {
		pod = *j.template.Spec.Resources
	}
	has := func(amounts corev1.ResourceList, name corev1.ResourceName) bool {
		_, ok := amounts[name]
		return ok
	}
	some := func(amounts corev1.ResourceList, name corev1.ResourceName) bool {
		amount := amounts[name]
		return amount.Sign() > 0
	}
	j.eachContainer(func(c *corev1.Container, path string, _ bool) {
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			requests, limits := path+".resources.requests."+string(name), path+".resources.limits."+string(name)
			switch own := c.Resources; {
			case has(own.Requests, name):
				if !some(own.Requests, name) {
					j.report("resources", requests)
				}
			case !has(own.Limits, name) && !some(pod.Requests, name) && !some(pod.Limits, name):
				j.report("resources", requests)
			}
			switch own := c.Resources; {
			case has(own.Limits, name):
				if !some(own.Limits, name) {
					j.report("resources", limits)
				}
			case name == corev1.ResourceMemory && !some(pod.Limits, name):
				j.report("resources", limits)
			}
		}
	})
}

// spread: two replicas or more, now or by an autoscaler, are kept apart by one
// constraint over zones that selects them.
func (j *judge) spread() {
	replicas := max(j.replicas, j.minimum[j.workload()])
	if replicas < 2 {
		return
	}
	path := j.path + ".spec.topologySpreadConstraints"
	var zonal []int
	for i, c := range j.template.Spec.TopologySpreadConstraints {
		if c.TopologyKey != corev1.LabelTopologyZone {
			continue
		}
		zonal = append(zonal, i)
		selector, err := metav1.LabelSelectorAsSelector(c.LabelSelector) // nil selects nothing
		if err == nil && int64(c.MaxSkew) < replicas && selector.Matches(labels.Set(j.template.Labels)) {
			return
		}
	}
	if len(zonal) == 0 {
		j.report("topology-spread", path)
	}
	for _, i := range zonal {
		j.report("topology-spread", at(path, i))
	}
}

// patch adds what policies would add. made says that something controls the object.
func (j *judge) patch(namespace map[string]string, made bool) {
	if j.foreign || made {
		return
	}
	own := j.carriers[0]
	for _, key := range []string{"environment", "team"} { // never service
		own.take(key, namespace[key])
		for _, c := range j.carriers[1:] {
			if !c.pods || !isSelectedBy(j.selector, key) {
				c.take(key, own.labels[key])
			}
		}
	}
	if j.template == nil {
		return
	}
	for _, c := range j.carriers {
		if c.pods || j.object.GetKind() == "Pod" {
			j.template.Labels = c.labels
		}
	}
	for i := range j.template.Spec.Containers {
		j.measure(&j.template.Spec.Containers[i])
	}
	if kind := j.object.GetKind(); kind == "Deployment" || kind == "StatefulSet" {
		j.constrain()
	}
}

// take takes a label from elsewhere, if that has it and c has not.
func (c *carrier) take(key, value string) {
	if isBlank(c.labels[key]) && !isBlank(value) {
		c.labels = maps.Clone(c.labels)
		if c.labels == nil {
			c.labels = map[string]string{}
		}
		c.labels[key] = value
	}
}

func isSelectedBy(selector *metav1.LabelSelector, key string) bool {
	if selector == nil {
		return false
	}
	_, ok := selector.MatchLabels[key]
	return ok || slices.ContainsFunc(selector.MatchExpressions, func(r metav1.LabelSelectorRequirement) bool { return r.Key == key })
}

// measure adds the requests that are missing and that an autoscaler has measured.
func (j *judge) measure(c *corev1.Container) {
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		_, requested := c.Resources.Requests[name]
		_, limited := c.Resources.Limits[name]
		if requested || limited || !j.measured[j.workload()][c.Name+" "+string(name)] {
			continue
		}
		c.Resources.Requests = maps.Clone(c.Resources.Requests)
		if c.Resources.Requests == nil {
			c.Resources.Requests = corev1.ResourceList{}
		}
		c.Resources.Requests[name] = resource.MustParse("1")
	}
}

// constrain adds a constraint over zones where there is none.
func (j *judge) constrain() {
	spec := &j.template.Spec
	if slices.ContainsFunc(spec.TopologySpreadConstraints, func(c corev1.TopologySpreadConstraint) bool { return c.TopologyKey == corev1.LabelTopologyZone }) {
		return
	}
	spec.TopologySpreadConstraints = append(spec.TopologySpreadConstraints, corev1.TopologySpreadConstraint{
		MaxSkew: 1, TopologyKey: corev1.LabelTopologyZone, WhenUnsatisfiable: corev1.ScheduleAnyway, LabelSelector: j.selector,
	})
}
