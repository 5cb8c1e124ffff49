package seeded

import (
	"encoding/base64"
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// configMap returns one with a secret in it or without, which may be on its way out.
func (d *dice) configMap(kind, namespace, name string) []*Object {
	right := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Data: map[string]string{}}
	for range 1 + d.IntN(3) {
		v := d.harmless()
		right.Data[v.name] = v.value
	}
	f := d.file(false)
	right.Data[f.name] = f.value
	wrong := right.DeepCopy()
	if d.chance(25) {
		v := d.secret()
		wrong.Data[v.name] = v.value
	}
	if d.chance(25) {
		f := d.file(true)
		wrong.Data[f.name] = f.value
	}
	if d.chance(10) {
		wrong.Annotations = map[string]string{"example.com/token": d.token()}
	}
	if d.chance(10) {
		binary := []byte("token: " + d.token() + "\n")
		wrong.BinaryData = map[string][]byte{"token.yaml": binary}
		d.holds(base64.StdEncoding.EncodeToString(binary))
	}
	o := &Object{Kind: KindOf(kind), Unstructured: toUnstructured("v1", kind, wrong), Right: toUnstructured("v1", kind, right)}
	if d.chance(8) {
		o.Leaving, o.Right = true, nil
		o.SetFinalizers([]string{"example.com/wait"})
	}
	return []*Object{o}
}

// labels returns labels with nothing wrong with them, and the same or worse.
func (d *dice) labels(name string) (right, wrong map[string]string) {
	right = map[string]string{"environment": "production", "team": pick(d, "shop", "search"), "service": name}
	wrong = maps.Clone(right)
	for d.chance(30) {
		d.spoil(wrong)
	}
	return right, wrong
}

// tags returns the value of an annotation with tags, with all that they need or less.
func (d *dice) tags(name string) string {
	_, wrong := d.labels(name)
	var pairs []string
	for _, key := range required() {
		if value, ok := wrong[key]; ok {
			pairs = append(pairs, key+"="+value)
		}
	}
	return strings.Join(pairs, pick(d, ",", ", "))
}

// tagged returns a Service or an Ingress, which may have tags for a load balancer.
func (d *dice) tagged(kind, namespace, name string) []*Object {
	right, wrong := d.labels(name)
	meta := metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: wrong}
	var u *unstructured.Unstructured
	annotation := tagAnnotations()[kind]
	if d.chance(30) {
		meta.Annotations = map[string]string{annotation: d.tags(name)}
	}
	if kind == "Service" {
		u = toUnstructured("v1", kind, &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{Selector: map[string]string{"app": name}, Ports: []corev1.ServicePort{{Port: 80}}}})
	} else {
		u = toUnstructured("networking.k8s.io/v1", kind, &networkingv1.Ingress{ObjectMeta: meta, Spec: networkingv1.IngressSpec{
			DefaultBackend: &networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: name, Port: networkingv1.ServiceBackendPort{Number: 80}}},
		}})
	}
	good := u.DeepCopy()
	good.SetLabels(right)
	good.SetAnnotations(nil)
	return []*Object{{Kind: KindOf(kind), Unstructured: u, Right: good}}
}

// tagAnnotations are those from which load balancers take their tags, by kind.
func tagAnnotations() map[string]string {
	return map[string]string{
		"Service": "service.beta.kubernetes.io/aws-load-balancer-additional-resource-tags",
		"Ingress": "alb.ingress.kubernetes.io/tags",
	}
}

func (d *dice) claim(kind, namespace, name string) []*Object {
	right, wrong := d.labels(name)
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: wrong}, Spec: claimSpec()}
	u := toUnstructured("v1", kind, claim)
	good := u.DeepCopy()
	good.SetLabels(right)
	return []*Object{{Kind: KindOf(kind), Unstructured: u, Right: good}}
}

// cloud returns a resource of a cloud, which needs labels and tags.
func (d *dice) cloud(kind, namespace, name string) []*Object {
	right, wrong := d.labels(name)
	k := KindOf(kind)
	build := func(labels, tags map[string]string) *unstructured.Unstructured {
		list := []any{}
		byKey := map[string]any{}
		for _, key := range required() {
			if value, ok := tags[key]; ok {
				list, byKey[key] = append(list, map[string]any{"key": key, "value": value}), value
			}
		}
		spec := map[string]any{"name": name}
		switch kind {
		case "EC2NodeClass":
			spec["tags"] = byKey
		case "Instance":
			spec["forProvider"] = map[string]any{"region": "eu-central-1", "tags": byKey}
		case "Table":
			spec["tags"] = list
		case "Bucket":
			if len(list) > 0 {
				spec["tagging"] = map[string]any{"tagSet": list}
			}
		}
		u := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
		u.SetGroupVersionKind(k.GroupVersionKind)
		u.SetNamespace(namespace)
		u.SetName(name)
		u.SetLabels(labels)
		return u
	}
	tags := maps.Clone(right)
	for d.chance(30) {
		delete(tags, pick(d, required()...))
	}
	if kind == "Bucket" && d.chance(20) {
		tags = nil
	}
	return []*Object{{Kind: k, Unstructured: build(wrong, tags), Right: build(right, right)}}
}

// values returns what installs a chart, with a secret among its values or without.
func (d *dice) values(kind, namespace, name string) []*Object {
	k := KindOf(kind)
	build := func(secret string) *unstructured.Unstructured {
		values := map[string]any{"replicas": int64(2), "db": map[string]any{"user": "shop", "password": secret}}
		source := map[string]any{"repoURL": "https://charts.example.com", "chart": "shop", "targetRevision": "1.2.3", "helm": map[string]any{
			"parameters": []any{map[string]any{"name": "image.tag", "value": "1.2.3"}, map[string]any{"name": "db.password", "value": secret}},
		}}
		var spec map[string]any
		switch kind {
		case "HelmRelease":
			spec = map[string]any{"interval": "10m", "values": values}
		case "Application":
			spec = map[string]any{"project": "default", "source": source}
		case "ApplicationSet":
			spec = map[string]any{"generators": []any{}, "template": map[string]any{"spec": map[string]any{"project": "default", "source": source}}}
		}
		u := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
		u.SetGroupVersionKind(k.GroupVersionKind)
		u.SetNamespace(namespace)
		u.SetName(name)
		return u
	}
	wrong := build("")
	if d.chance(50) {
		wrong = build(d.holds(d.password()))
	}
	return []*Object{{Kind: k, Unstructured: wrong, Right: build("")}}
}
