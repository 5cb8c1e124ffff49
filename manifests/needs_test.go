package manifests_test

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/lintel-policy/lintel/doctor"
)

// TestNeeds holds the roles of the installation to what `lintel doctor` asks for, and
// that to the roles: neither can have what the other does not know of.
func TestNeeds(t *testing.T) {
	traits := doctor.Traits{Namespace: namespace, Has: map[string]bool{}}
	_, c := deployment(t)
	traits.Cluster = slices.Contains(c.Args, "--policies=cluster")
	for _, object := range objects(t) {
		if m, ok := object.(*corev1.ConfigMap); ok {
			traits.Has[m.Name] = true
		}
	}
	needs := doctor.Needs(traits)
	granted := rules(t)
	for _, n := range needs {
		for _, verb := range n.Verbs {
			if !slices.ContainsFunc(granted[kindFor(n)], func(r rbacv1.PolicyRule) bool { return contains(r.Verbs, verb) && isFor(r, n) }) {
				t.Errorf("lintel doctor asks for %s of %+v, which no %s grants", verb, n, kindFor(n))
			}
		}
	}
	for kind, rules := range granted {
		for _, r := range rules {
			isInventory := kind == "ClusterRole" && contains(r.APIGroups, "apps", "autoscaling", "autoscaling.k8s.io")
			if !isInventory && !slices.ContainsFunc(needs, func(n doctor.Need) bool { return kindFor(n) == kind && isFor(r, n) }) {
				t.Errorf("%s grants %v, which lintel doctor does not ask for: doctor/needs.go", kind, r)
			}
		}
	}
}

// kindFor returns the kind of role that grants a need.
func kindFor(n doctor.Need) string {
	if n.Namespace != "" {
		return "Role"
	}
	return "ClusterRole"
}

// isFor reports whether a rule is about what is needed, and no more than that.
func isFor(r rbacv1.PolicyRule, n doctor.Need) bool {
	resource := n.Resource
	if n.Subresource != "" {
		resource += "/" + n.Subresource
	}
	named := len(r.ResourceNames) == 0
	if n.Name != "" {
		named = contains(r.ResourceNames, n.Name)
	}
	return named && contains(r.APIGroups, n.Group) && contains(r.Resources, resource)
}
