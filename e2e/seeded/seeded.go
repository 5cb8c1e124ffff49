// Package seeded makes a cluster's worth of objects, right and wrong in the ways that
// the policies of the library know, and says what is wrong with those of a cluster
// without asking Lintel.
//
// [New] rolls dice that always fall the same. Each object has a small chance of each
// fault that its kind can have, and comes with its right version. [State.Findings] goes
// by what docs/policies promises, in Go and by the API's own types, and knows none of
// the Rego: where the two differ, one of them is wrong. What is a secret it does not
// have to find out, since every secret was made here, by what docs/secrets.md says is
// found.
package seeded

import (
	"fmt"
	"math/rand/v2"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// A Kind is one that policies of the library match, or read beside an object.
type Kind struct {
	schema.GroupVersionKind
	Resource   string // the plural
	Namespaced bool
	Policies   []string // that match it; none if it is only read
	// Definition says that it is no kind of Kubernetes' own.
	Definition bool
}

// Kinds are those of which there are objects.
func Kinds() []Kind {
	labels, secrets := []string{"required-labels"}, []string{"no-hardcoded-secrets"}
	workloads := []string{"no-hardcoded-secrets", "probes", "required-labels", "resources"}
	spread := append(slices.Clone(workloads), "topology-spread")
	kind := func(group, version, kind, resource string, policies []string) Kind {
		return Kind{schema.GroupVersionKind{Group: group, Version: version, Kind: kind}, resource, true, policies, false}
	}
	defined := func(k Kind, namespaced bool) Kind {
		k.Definition, k.Namespaced = true, namespaced
		return k
	}
	return []Kind{
		kind("", "v1", "Pod", "pods", workloads),
		kind("", "v1", "PodTemplate", "podtemplates", workloads),
		kind("", "v1", "ReplicationController", "replicationcontrollers", workloads),
		kind("apps", "v1", "Deployment", "deployments", spread),
		kind("apps", "v1", "StatefulSet", "statefulsets", spread),
		kind("apps", "v1", "DaemonSet", "daemonsets", workloads),
		kind("apps", "v1", "ReplicaSet", "replicasets", workloads),
		kind("batch", "v1", "Job", "jobs", workloads),
		kind("batch", "v1", "CronJob", "cronjobs", workloads),
		kind("", "v1", "ConfigMap", "configmaps", secrets),
		kind("", "v1", "Service", "services", labels),
		kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", labels),
		kind("networking.k8s.io", "v1", "Ingress", "ingresses", labels),
		kind("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", nil),
		defined(kind("autoscaling.k8s.io", "v1", "VerticalPodAutoscaler", "verticalpodautoscalers", nil), true),
		defined(kind("helm.toolkit.fluxcd.io", "v2", "HelmRelease", "helmreleases", secrets), true),
		defined(kind("argoproj.io", "v1alpha1", "Application", "applications", secrets), true),
		defined(kind("argoproj.io", "v1alpha1", "ApplicationSet", "applicationsets", secrets), true),
		defined(kind("karpenter.k8s.aws", "v1", "EC2NodeClass", "ec2nodeclasses", labels), false),
		defined(kind("rds.aws.upbound.io", "v1beta1", "Instance", "instances", labels), false),
		defined(kind("dynamodb.services.k8s.aws", "v1alpha1", "Table", "tables", labels), true),
		defined(kind("s3.services.k8s.aws", "v1alpha1", "Bucket", "buckets", labels), true),
	}
}

// KindOf returns a kind by its name.
func KindOf(name string) Kind {
	all := Kinds()
	return all[slices.IndexFunc(all, func(k Kind) bool { return k.Kind == name })]
}

// Definitions are the CustomResourceDefinitions of the kinds that Kubernetes has not.
// Their objects may have any fields.
func Definitions() []*unstructured.Unstructured {
	var all []*unstructured.Unstructured
	for _, k := range Kinds() {
		if !k.Definition {
			continue
		}
		scope := "Cluster"
		if k.Namespaced {
			scope = "Namespaced"
		}
		all = append(all, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
			"metadata": map[string]any{
				"name":        k.Resource + "." + k.Group,
				"annotations": map[string]any{"api-approved.kubernetes.io": "unapproved, for tests"},
			},
			"spec": map[string]any{
				"group": k.Group, "scope": scope,
				"names": map[string]any{"plural": k.Resource, "kind": k.Kind},
				"versions": []any{map[string]any{
					"name": k.Version, "served": true, "storage": true,
					"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
				}},
			},
		}})
	}
	return all
}

// An Object is one that is to be made.
type Object struct {
	Kind Kind
	*unstructured.Unstructured
	// Right is the same with nothing wrong with it, nil for what cannot be changed.
	Right *unstructured.Unstructured
	// Owner is the object that controls it, which is no workload; nil if nobody does.
	Owner *Object
	// Leaving says that it is to be deleted, and that something keeps it.
	Leaving bool
	// Debugged is a container that is to be put into a pod that runs; nil if none is.
	Debugged map[string]any
}

// Seeds are the objects of a cluster.
type Seeds struct {
	// Namespaces are those that the objects are in, but for those that every cluster has.
	Namespaces []*unstructured.Unstructured
	// Objects are in an order in which they can be made.
	Objects []*Object
	// Secrets are the texts that hold a credential, and Credentials what is secret in them.
	Secrets     map[string]bool
	Credentials []string

	dice *dice
}

// spaces are the labels of the namespaces that objects are in, from those that say all
// that can be taken from them to those that say nothing.
func spaces() map[string]map[string]string {
	return map[string]map[string]string{
		"shop":   {"environment": "production", "team": "shop"},
		"search": {"environment": "staging"},
		"ops":    {"environment": "production", "team": "ops"},
		"bare":   nil,
		"blank":  {"environment": "", "team": ""},
		"vague":  {"environment": "production", "team": "TODO"},
	}
}

// excluded is a namespace in which nothing is held to policies.
const excluded = "kube-system"

// New returns seeds, the same for the same number.
func New(seed uint64) *Seeds {
	s := &Seeds{Secrets: map[string]bool{}}
	d := &dice{rand.New(rand.NewPCG(seed, seed)), s} //nolint:gosec // dice have to fall the same
	s.dice = d
	names := []string{"bare", "blank", "ops", "search", "shop", "vague"}
	for _, name := range names {
		s.Namespaces = append(s.Namespaces, toUnstructured("v1", "Namespace", &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: spaces()[name]}}))
	}
	for _, lot := range []struct {
		kind  string
		count int
		make  func(kind, namespace, name string) []*Object
	}{
		{"EC2NodeClass", 6, d.cloud}, {"Instance", 6, d.cloud}, {"Table", 8, d.cloud}, {"Bucket", 8, d.cloud},
		{"HelmRelease", 10, d.values}, {"Application", 10, d.values}, {"ApplicationSet", 6, d.values},
		{"ConfigMap", 70, d.configMap}, {"Service", 30, d.tagged}, {"Ingress", 20, d.tagged}, {"PersistentVolumeClaim", 20, d.claim},
		{"Deployment", 60, d.workloads}, {"StatefulSet", 45, d.workloads}, {"DaemonSet", 30, d.workloads}, {"ReplicaSet", 20, d.workloads},
		{"ReplicationController", 15, d.workloads}, {"PodTemplate", 25, d.workloads}, {"Job", 25, d.workloads}, {"CronJob", 40, d.workloads},
		{"Pod", 40, d.workloads},
	} {
		for i := range lot.count {
			namespace := ""
			if KindOf(lot.kind).Namespaced {
				namespace = pick(d, names...)
				if d.chance(4) && !makesOthers(lot.kind) {
					namespace = excluded
				}
			}
			s.Objects = append(s.Objects, lot.make(lot.kind, namespace, fmt.Sprintf("%s-%03d", nameOf(lot.kind), i))...)
		}
	}
	s.give(d)
	return s
}

// Crowd returns more ConfigMaps for a namespace, each of which holds a secret.
func (s *Seeds) Crowd(namespace string, n int) []*corev1.ConfigMap {
	var crowd []*corev1.ConfigMap
	for i := range n {
		crowd = append(crowd, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("one-of-a-crowd-%05d", i)}, Data: map[string]string{"level": "info", "token": s.dice.token()},
		})
	}
	return crowd
}

// give gives some pods an owner that is no workload: whoever makes pods by itself is
// held to policies as people are.
func (s *Seeds) give(d *dice) {
	for _, o := range s.Objects {
		if o.Kind.Kind != "Pod" || !d.chance(25) {
			continue
		}
		i := slices.IndexFunc(s.Objects, func(other *Object) bool {
			return other.Kind.Kind == "Application" && other.GetNamespace() == o.GetNamespace() && !other.Leaving
		})
		if i >= 0 {
			o.Owner = s.Objects[i]
		}
	}
}

// makesOthers reports whether controllers make objects of such a kind.
func makesOthers(kind string) bool {
	return slices.Contains([]string{"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "CronJob", "Pod"}, kind)
}

// toUnstructured returns a typed object as it is sent.
func toUnstructured(apiVersion, kind string, typed runtime.Object) *unstructured.Unstructured {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	if err != nil {
		panic(err) //nolint:forbidigo // types of the API can be encoded
	}
	delete(content, "status")
	unstructured.RemoveNestedField(content, "metadata", "creationTimestamp")
	content["apiVersion"], content["kind"] = apiVersion, kind
	return &unstructured.Unstructured{Object: content}
}
