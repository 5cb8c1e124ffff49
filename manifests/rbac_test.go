package manifests_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
)

// rules returns the rules of all roles, by the kind of role.
func rules(t testing.TB) map[string][]rbacv1.PolicyRule {
	t.Helper()
	all := map[string][]rbacv1.PolicyRule{}
	for _, object := range objects(t) {
		switch role := object.(type) {
		case *rbacv1.ClusterRole:
			all["ClusterRole"] = append(all["ClusterRole"], role.Rules...)
			if role.AggregationRule != nil {
				t.Errorf("ClusterRole %s takes in the rules of others", role.Name)
			}
		case *rbacv1.Role:
			all["Role"] = append(all["Role"], role.Rules...)
		}
	}
	return all
}

// TestRules holds Lintel to what it may do, word for word.
func TestRules(t *testing.T) {
	want := map[string][]string{
		"ClusterRole": {
			"get,list,watch lintel.dev policies,policyexceptions",
			"patch lintel.dev policies/status,policyexceptions/status",
			"get,list,watch namespaces",
			"get,list,watch apps deployments,statefulsets",
			"get,list,watch autoscaling horizontalpodautoscalers",
			"get,list,watch autoscaling.k8s.io verticalpodautoscalers",
			"get apps replicasets",
			"get batch jobs",
			"create,patch events.k8s.io events",
			"get,create,patch,update,delete admissionregistration.k8s.io validatingwebhookconfigurations,mutatingwebhookconfigurations lintel",
			"get rbac.authorization.k8s.io clusterroles lintel",
		},
		"Role": {
			"get,update secrets lintel-tls",
			"get,update coordination.k8s.io leases lintel",
			"get,update,patch configmaps lintel-state,lintel-replicas,lintel-last-good,lintel-last-day",
		},
	}
	got := map[string][]string{}
	for kind, rules := range rules(t) {
		for _, r := range rules {
			parts := []string{strings.Join(r.Verbs, ","), strings.Join(r.APIGroups, ","), strings.Join(r.Resources, ","), strings.Join(r.ResourceNames, ",")}
			got[kind] = append(got[kind], strings.Join(strings.Fields(strings.Join(append(parts, r.NonResourceURLs...), " ")), " "))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rules: -want, +got:\n%s", diff)
	}
}

// TestNeverGranted holds also those who change the rules to what no rule may say.
func TestNeverGranted(t *testing.T) {
	cases := map[string]struct {
		reason string
		is     func(rbacv1.PolicyRule) bool
	}{
		"Wildcard": {
			reason: "What a wildcard grants tomorrow nobody knows today.",
			is: func(r rbacv1.PolicyRule) bool {
				return strings.Contains(fmt.Sprint(r.Verbs, r.APIGroups, r.Resources, r.ResourceNames, r.NonResourceURLs), "*")
			},
		},
		"Escalation": {
			reason: "Who may grant, bind or be somebody else may do everything.",
			is:     func(r rbacv1.PolicyRule) bool { return contains(r.Verbs, "escalate", "bind", "impersonate") },
		},
		"Secrets": {
			reason: "No Secret but its own is Lintel's business.",
			is: func(r rbacv1.PolicyRule) bool {
				return contains(r.Resources, "secrets") && (len(r.ResourceNames) == 0 || contains(r.Verbs, "list", "watch", "create"))
			},
		},
		"Pods": {
			reason: "Who may make pods, or get into them, is whoever they run as.",
			is: func(r rbacv1.PolicyRule) bool {
				return slices.ContainsFunc(r.Resources, func(s string) bool {
					return s == "pods" || strings.HasPrefix(s, "pods/") || s == "serviceaccounts/token"
				})
			},
		},
		"Writing": {
			reason: "Lintel decides about objects and changes none but its own; Events say what it denied.",
			is: func(r rbacv1.PolicyRule) bool {
				told := slices.Equal(r.APIGroups, []string{"events.k8s.io"}) || slices.Equal(r.Resources, []string{"policies/status", "policyexceptions/status"})
				return len(r.ResourceNames) == 0 && !told && contains(r.Verbs, "create", "update", "patch", "delete", "deletecollection")
			},
		},
		"ConfigMaps": {
			reason: "A ConfigMap of others is read where its owner permits that one.",
			is: func(r rbacv1.PolicyRule) bool {
				return contains(r.Resources, "configmaps") && (len(r.ResourceNames) == 0 || contains(r.Verbs, "create", "delete"))
			},
		},
		"Judging": {
			reason: "Who decides by policies must not write them, nor excuse anybody from them.",
			is: func(r rbacv1.PolicyRule) bool {
				return contains(r.Resources, "policies", "policyexceptions", "namespacelabels") && contains(r.Verbs, "create", "update", "patch", "delete", "set")
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for kind, rules := range rules(t) {
				for _, r := range rules {
					if tc.is(r) {
						t.Errorf("%s\n%s: %v", tc.reason, kind, r)
					}
				}
			}
		})
	}
}

func contains(have []string, any ...string) bool {
	return slices.ContainsFunc(any, func(s string) bool { return slices.Contains(have, s) })
}

// TestInventory holds that Lintel may read what the policies of the library read.
func TestInventory(t *testing.T) {
	library, err := policies.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	set, err := engine.Compile(engine.Config{Policies: library})
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Inventory()) == 0 {
		t.Fatal("no policy reads anything: this test says nothing")
	}
	for _, kind := range set.Inventory() {
		resource, _ := meta.UnsafeGuessKindToResource(schema.FromAPIVersionAndKind(kind.APIVersion, kind.Kind))
		for _, verb := range []string{"get", "list", "watch"} {
			if !slices.ContainsFunc(rules(t)["ClusterRole"], func(r rbacv1.PolicyRule) bool {
				return contains(r.Verbs, verb) && contains(r.APIGroups, resource.Group) && contains(r.Resources, resource.Resource) && len(r.ResourceNames) == 0
			}) {
				t.Errorf("policies read %s %s, and Lintel may not %s them", kind.APIVersion, kind.Kind, verb)
			}
		}
	}
}

// TestBindings holds that the account, and nobody else, has the roles.
func TestBindings(t *testing.T) {
	account := []rbacv1.Subject{{Kind: "ServiceAccount", Name: "lintel", Namespace: namespace}}
	const group = "rbac.authorization.k8s.io"
	cluster := one[*rbacv1.ClusterRoleBinding](t, "lintel")
	if diff := cmp.Diff(rbacv1.RoleRef{APIGroup: group, Kind: "ClusterRole", Name: "lintel"}, cluster.RoleRef); diff != "" {
		t.Errorf("role of the ClusterRoleBinding: -want, +got:\n%s", diff)
	}
	local := one[*rbacv1.RoleBinding](t, "lintel")
	if diff := cmp.Diff(rbacv1.RoleRef{APIGroup: group, Kind: "Role", Name: "lintel"}, local.RoleRef); diff != "" {
		t.Errorf("role of the RoleBinding: -want, +got:\n%s", diff)
	}
	for what, subjects := range map[string][]rbacv1.Subject{"ClusterRoleBinding": cluster.Subjects, "RoleBinding": local.Subjects} {
		if diff := cmp.Diff(account, subjects); diff != "" {
			t.Errorf("subjects of the %s: -want, +got:\n%s", what, diff)
		}
	}
}
