package seeded

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// A State is what is in a cluster.
type State struct {
	// Namespaces have their labels, by name.
	Namespaces map[string]map[string]string
	// Objects are those of the [Kinds].
	Objects []unstructured.Unstructured
	// Secrets are the texts that hold a credential.
	Secrets map[string]bool
	// Excluded are the namespaces in which nothing is held to policies.
	Excluded []string
	// Patched says that what policies would add is added before they judge, as it is
	// where they deny.
	Patched bool
}

// A Finding is a place in an object that breaks a policy.
type Finding struct {
	Kind, Namespace, Name string
	Policy, Path          string
	// Recorded says that a built-in controller made the object, so that nobody is denied.
	Recorded bool
}

// A Verdict is what is said of the objects of a namespace, "" for those in none.
type Verdict struct {
	Findings []Finding
	// Asked is how many pairs there are of an object and a policy that judges it, and
	// Broken how many of them are broken and not just recorded.
	Asked, Broken, Recorded int
}

// Verdicts returns what is said of what is in a cluster, by namespace.
func (s *State) Verdicts() map[string]*Verdict {
	verdicts := map[string]*Verdict{}
	read := s.surroundings()
	for i := range s.Objects {
		o := &s.Objects[i]
		namespace := o.GetNamespace()
		policies := KindOf(o.GetKind()).Policies
		if o.GetDeletionTimestamp() != nil || slices.Contains(s.Excluded, namespace) || len(policies) == 0 {
			continue
		}
		v := verdicts[namespace]
		if v == nil {
			v = &Verdict{}
			verdicts[namespace] = v
		}
		v.Asked += len(policies)
		v.add(s.findings(o, read))
	}
	return verdicts
}

// add takes up what is found of one object.
func (v *Verdict) add(found []Finding) {
	broken := map[string]bool{}
	for _, f := range found {
		if broken[f.Policy] {
			continue
		}
		broken[f.Policy] = true
		if f.Recorded {
			v.Recorded++
		} else {
			v.Broken++
		}
	}
	v.Findings = append(v.Findings, found...)
}

// findings returns what is wrong with one object, each place once.
func (s *State) findings(o *unstructured.Unstructured, read *surroundings) []Finding {
	j := &judge{subject: newSubject(o), object: o, secrets: s.Secrets, surroundings: read, found: map[[2]string]bool{}}
	if s.Patched {
		j.patch(s.Namespaces[o.GetNamespace()], isMade(o))
	}
	for _, policy := range KindOf(o.GetKind()).Policies {
		switch policy {
		case "no-hardcoded-secrets":
			j.secret(o.Object, "")
		case "required-labels":
			j.labels()
		case "probes":
			j.probes()
		case "resources":
			j.resources()
		case "topology-spread":
			j.spread()
		}
	}
	var found []Finding
	for _, at := range slices.SortedFunc(maps.Keys(j.found), compare) {
		found = append(found, Finding{o.GetKind(), o.GetNamespace(), o.GetName(), at[0], at[1], s.isRecorded(o, read)})
	}
	return found
}

func compare(a, b [2]string) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) }

// isMade reports whether something controls the object that is not patched for that.
func isMade(o *unstructured.Unstructured) bool {
	return metav1.GetControllerOf(o) != nil && o.GetKind() != "Pod" && o.GetKind() != "PersistentVolumeClaim"
}

// isRecorded reports whether a built-in controller made the object of a workload.
func (*State) isRecorded(o *unstructured.Unstructured, read *surroundings) bool {
	owner := ""
	if ref := metav1.GetControllerOf(o); ref != nil {
		owner = ref.Kind
	}
	switch o.GetKind() {
	case "Pod":
		return slices.Contains([]string{"ReplicaSet", "ReplicationController", "StatefulSet", "DaemonSet", "Job"}, owner)
	case "ReplicaSet":
		return owner == "Deployment"
	case "Job":
		return owner == "CronJob"
	case "PersistentVolumeClaim":
		name := o.GetName()
		return read.claims[o.GetNamespace()+"/"+strings.TrimRight(name, digits)] && strings.TrimRight(name, digits) != name
	}
	return false
}

// surroundings are what is read beside an object.
type surroundings struct {
	minimum  map[string]int64           // of horizontal autoscalers, by the workload
	measured map[string]map[string]bool // containers and resources of vertical ones, by the workload
	claims   map[string]bool            // beginnings of the names of claims that StatefulSets make
}

func (s *State) surroundings() *surroundings {
	read := &surroundings{map[string]int64{}, map[string]map[string]bool{}, map[string]bool{}}
	for i := range s.Objects {
		o := &s.Objects[i]
		switch o.GetKind() {
		case "HorizontalPodAutoscaler":
			n, found, _ := unstructured.NestedInt64(o.Object, "spec", "minReplicas")
			if !found {
				n = 1
			}
			at := targetOf(o, "scaleTargetRef")
			read.minimum[at] = max(read.minimum[at], n)
		case "VerticalPodAutoscaler":
			read.measured[targetOf(o, "targetRef")] = measuredBy(o)
		case "StatefulSet":
			templates, _, _ := unstructured.NestedSlice(o.Object, "spec", "volumeClaimTemplates")
			for _, template := range templates {
				name, _, _ := unstructured.NestedString(template.(map[string]any), "metadata", "name")
				read.claims[o.GetNamespace()+"/"+name+"-"+o.GetName()+"-"] = true
			}
		}
	}
	return read
}

// targetOf returns the workload that an autoscaler is of.
func targetOf(o *unstructured.Unstructured, field string) string {
	kind, _, _ := unstructured.NestedString(o.Object, "spec", field, "kind")
	name, _, _ := unstructured.NestedString(o.Object, "spec", field, "name")
	return kind + " " + o.GetNamespace() + "/" + name
}

func measuredBy(o *unstructured.Unstructured) map[string]bool {
	found := map[string]bool{}
	list, _, _ := unstructured.NestedSlice(o.Object, "status", "recommendation", "containerRecommendations")
	for _, item := range list {
		recommended, _ := item.(map[string]any)
		name, _, _ := unstructured.NestedString(recommended, "containerName")
		target, _, _ := unstructured.NestedMap(recommended, "target")
		for resource := range target {
			found[name+" "+resource] = true
		}
	}
	return found
}
