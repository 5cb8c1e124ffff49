package controller

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"

	"github.com/lintel-policy/lintel/engine"
)

// ReadNamespace reads a Namespace object as it is now.
func ReadNamespace(ctx context.Context, client dynamic.Interface, name string) (*engine.Object, error) {
	u, err := client.Resource(namespaces).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("read namespace %q: %w", name, err)
	}
	return decodeObject(u)
}
