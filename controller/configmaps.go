package controller

import (
	"context"
	"fmt"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/dynamic"

	"github.com/lintel-policy/lintel/api/v1alpha1"
)

// permissionPeriod is how often a ConfigMap that may not be read is tried again:
// soon enough for whoever has just permitted it and looks at the Policy.
const permissionPeriod = 2 * time.Second

// awaitPermission waits until m, a ConfigMap of ref, may be read, and notes until
// then what would permit it. It returns false when ctx ends.
func (p *Policies) awaitPermission(ctx context.Context, ref v1alpha1.ConfigMapRef, m *configMap) bool {
	for ctx.Err() == nil {
		_, err := p.client.Resource(configMapsResource).Namespace(ref.Namespace).List(ctx, onlyNamed(ref.Name))
		if !apierrors.IsForbidden(err) {
			p.note(m, "")
			return true // what else may be wrong, a watch tries again
		}
		p.note(m, permissionFor(ctx, p.client, ref))
		select {
		case <-ctx.Done():
		case <-time.After(permissionPeriod):
		}
	}
	return false
}

// onlyNamed asks for one object by its name, which RBAC can be bound to.
func onlyNamed(name string) metav1.ListOptions {
	return metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", name).String()}
}

// note notes why a ConfigMap may not be read, "" if it may.
func (p *Policies) note(m *configMap, refused string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m.refused != refused {
		m.refused = refused
		p.tell()
	}
}

// permissionFor says that a ConfigMap may not be read, and what permits it: nothing
// but that very ConfigMap, in a Role of its namespace.
func permissionFor(ctx context.Context, client dynamic.Interface, ref v1alpha1.ConfigMapRef) string {
	if len(validation.IsDNS1123Label(ref.Namespace))+len(validation.IsDNS1123Subdomain(ref.Name)) > 0 {
		return fmt.Sprintf("no ConfigMap can be called %s/%s", ref.Namespace, ref.Name) // nor is it to be in a command
	}
	role := fmt.Sprintf("-n %s lintel-%s", ref.Namespace, ref.Name)
	who, flag := "Lintel", "--serviceaccount=NAMESPACE:NAME"
	if user := whoAmI(ctx, client); user != "" {
		who, flag = user, subjectFlag(user)
	}
	return fmt.Sprintf("%s may not read ConfigMap %s/%s; who may grant that writes:\n"+
		"kubectl create role %s --verb=get,list,watch --resource=configmaps --resource-name=%s\n"+
		"kubectl create rolebinding %s --role=lintel-%s %s",
		who, ref.Namespace, ref.Name, role, ref.Name, role, ref.Name, flag)
}

// subjectFlag is how kubectl is told of a user.
func subjectFlag(user string) string {
	if account, ok := strings.CutPrefix(user, "system:serviceaccount:"); ok {
		return "--serviceaccount=" + account
	}
	return "--user=" + user
}

// whoAmI returns who the API server takes this client for, "" if it does not say.
func whoAmI(ctx context.Context, client dynamic.Interface) string {
	review := &unstructured.Unstructured{}
	review.SetGroupVersionKind(authenticationv1.SchemeGroupVersion.WithKind("SelfSubjectReview"))
	made, err := client.Resource(authenticationv1.SchemeGroupVersion.WithResource("selfsubjectreviews")).Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return ""
	}
	user, _, _ := unstructured.NestedString(made.Object, "status", "userInfo", "username") // "" if it is not there
	return user
}
