package manifests_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// TestRoles asks a real API server what each role may do with all that is Lintel's,
// and what those may who may do everything in a namespace.
func TestRoles(t *testing.T) {
	c := shared.Cluster(t)
	ctx := context.WithoutCancel(t.Context())
	kubectl(t, c, "apply", "-f", "crds", "-f", "roles.yaml")
	kubectl(t, c, "wait", "--for=condition=Established", "crd/policies.lintel.dev", "crd/policyexceptions.lintel.dev")
	kubectl(t, c, "create", "namespace", "mine")
	for _, binding := range []string{"viewer", "editor"} {
		kubectl(t, c, "create", "clusterrolebinding", "test-"+binding, "--clusterrole=lintel-"+binding, "--user="+binding)
	}
	kubectl(t, c, "create", "rolebinding", "-n", "mine", "author", "--clusterrole=lintel-exception-author", "--user=author")
	for _, role := range []string{"admin", "edit", "view"} {
		kubectl(t, c, "create", "rolebinding", "-n", "mine", role, "--clusterrole="+role, "--user="+role)
	}
	t.Cleanup(func() {
		c.Kubectl(ctx, nil, "delete", "clusterrolebinding", "test-viewer", "test-editor")
		c.Kubectl(ctx, nil, "delete", "namespace", "mine", "--wait=false")
		c.Kubectl(ctx, nil, "delete", "-f", "crds", "-f", "roles.yaml")
	})
	const all = "get list watch create update patch delete"
	want := map[string]string{
		"viewer policies.lintel.dev":                                          "get list watch",
		"viewer policyexceptions.lintel.dev":                                  "get list watch",
		"viewer policies.lintel.dev/status":                                   "",
		"editor policies.lintel.dev":                                          all,
		"editor policyexceptions.lintel.dev":                                  all,
		"editor policies.lintel.dev/status":                                   "",
		"editor namespacelabels.lintel.dev":                                   "",
		"editor validatingwebhookconfigurations.admissionregistration.k8s.io": "",
		"editor clusterroles.rbac.authorization.k8s.io":                       "",
		"author policyexceptions.lintel.dev":                                  all,
		"author@default policyexceptions.lintel.dev":                          "",
		"author policyexceptions.lintel.dev/status":                           "",
		"author policies.lintel.dev":                                          "",
		"admin policies.lintel.dev":                                           "",
		"admin policyexceptions.lintel.dev":                                   "",
		"admin namespacelabels.lintel.dev":                                    "",
		"edit policyexceptions.lintel.dev":                                    "",
		"view policyexceptions.lintel.dev":                                    "",
	}
	got := map[string]string{}
	for asked := range want {
		user, resource, _ := strings.Cut(asked, " ")
		user, namespace, _ := strings.Cut(user, "@")
		if namespace == "" {
			namespace = "mine"
		}
		got[asked] = may(t, user, resource, namespace)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("who may do what: -want, +got:\n%s", diff)
	}
}

// may returns the verbs that a user may use.
func may(t *testing.T, user, resource, namespace string) string {
	t.Helper()
	client := kubernetes.NewForConfigOrDie(shared.Cluster(t).Config()).AuthorizationV1().SubjectAccessReviews()
	resource, subresource, _ := strings.Cut(resource, "/")
	resource, group, _ := strings.Cut(resource, ".")
	var allowed []string
	for _, verb := range []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "set", "escalate", "bind"} {
		review, err := client.Create(t.Context(), &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: user, Groups: []string{"system:authenticated"},
			ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: verb, Group: group, Resource: resource, Subresource: subresource},
		}}, metav1.CreateOptions{})
		must(t, err)
		if review.Status.Allowed {
			allowed = append(allowed, verb)
		}
	}
	return strings.Join(allowed, " ")
}
