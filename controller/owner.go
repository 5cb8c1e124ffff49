package controller

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	rbacclient "k8s.io/client-go/kubernetes/typed/rbac/v1"
)

// ClusterRoleOwner returns what makes a ClusterRole the owner of a registration.
// It is part of the installation and in no namespace, as an owner of what is in
// none has to be; when it is deleted, the garbage collector deletes the registration.
func ClusterRoleOwner(client rbacclient.ClusterRoleInterface, name string) func(context.Context) (*metav1.OwnerReference, error) {
	return func(ctx context.Context) (*metav1.OwnerReference, error) {
		role, err := client.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return nil, fmt.Errorf("find the owner of the registration: %w", err)
		}
		return &metav1.OwnerReference{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole", Name: role.Name, UID: role.UID}, nil
	}
}
