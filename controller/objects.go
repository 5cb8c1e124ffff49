package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/policies"
)

// ErrNoDefinitions reports a cluster that has no kind Policy.
var ErrNoDefinitions = errors.New("the cluster has no policies.lintel.dev: kubectl apply -f manifests/crds makes that kind")

// The resources of Lintel's own objects, and what they may refer to.
var (
	policiesResource   = v1alpha1.GroupVersion.WithResource("policies")
	exceptionsResource = v1alpha1.GroupVersion.WithResource("policyexceptions")
	configMapsResource = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
)

// pageSize is how many objects are read at once.
const pageSize = 500

// ReadPolicies reads the Policy and PolicyException objects of a cluster, as they
// are now, and the ConfigMaps that they name.
func ReadPolicies(ctx context.Context, client dynamic.Interface) (policies.Objects, error) {
	var o policies.Objects
	var err error
	if o.Policies, err = readAll[v1alpha1.Policy](ctx, client, policiesResource); err != nil {
		return o, err
	}
	if o.Exceptions, err = readAll[v1alpha1.PolicyException](ctx, client, exceptionsResource); err != nil {
		return o, err
	}
	data, refused := map[v1alpha1.ConfigMapRef]map[string]string{}, map[v1alpha1.ConfigMapRef]string{}
	for _, p := range o.Policies {
		ref := p.Spec.Source.ConfigMapRef
		if ref == nil {
			continue
		}
		found, err := readConfigMap(ctx, client, *ref)
		switch {
		case apierrors.IsNotFound(err):
		case apierrors.IsForbidden(err):
			refused[*ref] = permissionFor(ctx, client, *ref)
		case err != nil:
			return o, fmt.Errorf("read ConfigMap %s/%s of policy %s: %w", ref.Namespace, ref.Name, p.Name, err)
		default:
			data[*ref] = found
		}
	}
	o.ConfigMap = func(ref v1alpha1.ConfigMapRef) (map[string]string, bool) {
		found, ok := data[ref]
		return found, ok
	}
	o.Refused = func(ref v1alpha1.ConfigMapRef) string { return refused[ref] }
	return o, nil
}

// readAll reads all objects of a resource.
func readAll[T any](ctx context.Context, client dynamic.Interface, resource schema.GroupVersionResource) ([]T, error) {
	var all []T
	opts := metav1.ListOptions{Limit: pageSize}
	for {
		list, err := client.Resource(resource).List(ctx, opts)
		if err := listError(resource, err); err != nil {
			return nil, err
		}
		for i := range list.Items {
			object, err := typed[T](&list.Items[i])
			if err != nil {
				return nil, fmt.Errorf("read %s %s: %w", resource.Resource, list.Items[i].GetName(), err)
			}
			all = append(all, object)
		}
		if opts.Continue = list.GetContinue(); opts.Continue == "" {
			return all, nil
		}
	}
}

// listError says why a resource of Lintel's cannot be listed.
func listError(resource schema.GroupVersionResource, err error) error {
	switch {
	case apierrors.IsNotFound(err):
		return ErrNoDefinitions
	case err != nil:
		return fmt.Errorf("read %s: %w", resource.Resource, err)
	}
	return nil
}

// typed returns an object as what it is in Go.
func typed[T any](from json.Marshaler) (T, error) {
	var object T
	data, err := from.MarshalJSON()
	if err != nil {
		return object, err
	}
	err = json.Unmarshal(data, &object)
	return object, err
}

func readConfigMap(ctx context.Context, client dynamic.Interface, ref v1alpha1.ConfigMapRef) (map[string]string, error) {
	u, err := client.Resource(configMapsResource).Namespace(ref.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	data, _, err := unstructured.NestedStringMap(u.Object, "data")
	return data, err
}
