package controller

import (
	"context"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/metadata"

	"github.com/lintel-policy/lintel/engine"
)

// maxOwners is how many owners are followed upwards. A pod has two, and operators
// seldom have more than two above.
const maxOwners = 5

// ownerTime bounds finding out the topmost of them.
const ownerTime = 5 * time.Second

// owners finds out who made an object.
//
// The owner is what the object says of itself, so it is believed only as far as it can
// do no harm: it is in the same namespace, and where it may be read it has the uid that
// the reference names.
type owners struct {
	mapper   meta.RESTMapperWithContext // knows the kinds of the cluster
	metadata metadata.Interface         // reads owners, as far as it may
}

// made is what an object says of itself and of who made it.
type made struct {
	object   corev1.ObjectReference
	resource schema.GroupVersionResource // set where the request is to a subresource
	owner    *metav1.OwnerReference      // nil if it names none
}

// madeOf returns what the object of a request says. It does not hold on to the text of
// the request.
func madeOf(req *engine.Request) made {
	ref := req.Ref()
	m := made{object: corev1.ObjectReference{
		APIVersion: strings.Clone(ref.APIVersion), Kind: strings.Clone(ref.Kind), Namespace: strings.Clone(ref.Namespace), Name: strings.Clone(ref.Name),
		UID: types.UID(strings.Clone(string(req.StoredUID()))),
	}}
	if o := req.Owner(); o != nil {
		m.owner = &metav1.OwnerReference{APIVersion: strings.Clone(o.APIVersion), Kind: strings.Clone(o.Kind), Name: strings.Clone(o.Name), UID: types.UID(strings.Clone(string(o.UID)))}
	}
	if gvr := req.Resource(); req.Subresource() != "" {
		m.resource = schema.GroupVersionResource{Group: strings.Clone(gvr.Group), Version: strings.Clone(gvr.Version), Resource: strings.Clone(gvr.Resource)}
	}
	return m
}

// of returns who made an object: the topmost owner that can be found out, and else the
// object itself.
func (o owners) of(ctx context.Context, m made) corev1.ObjectReference {
	object := m.object
	if !m.resource.Empty() { // a Scale is no object that anybody looks at
		if kind, err := o.mapper.KindForWithContext(ctx, m.resource); err == nil {
			object.APIVersion, object.Kind = kind.ToAPIVersionAndKind()
		}
	}
	return o.top(ctx, object, m.owner)
}

// top returns the topmost owner of an object that can be found out, and else the object
// itself. owner is the one that the object names; nil if it names none.
func (o owners) top(ctx context.Context, object corev1.ObjectReference, owner *metav1.OwnerReference) corev1.ObjectReference {
	for range maxOwners {
		if owner == nil {
			break
		}
		next, ok := o.ownerOf(ctx, object.Namespace, *owner)
		if !ok {
			break
		}
		object = corev1.ObjectReference{APIVersion: owner.APIVersion, Kind: owner.Kind, Namespace: object.Namespace, Name: owner.Name, UID: owner.UID}
		owner = next
	}
	return object
}

// ownerOf returns the owner of an owner, nil where there is none or it cannot be found
// out, and whether that owner itself may be told.
func (o owners) ownerOf(ctx context.Context, namespace string, owner metav1.OwnerReference) (*metav1.OwnerReference, bool) {
	if len(owner.Name) > validation.DNS1123SubdomainMaxLength { // a reference may have it, and no object has
		return nil, false
	}
	gvk := schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind)
	mapping, err := o.mapper.RESTMappingWithContext(ctx, gvk.GroupKind(), gvk.Version)
	if err != nil || mapping.Scope.Name() != meta.RESTScopeNameNamespace || namespace == "" {
		return nil, false
	}
	found, err := o.metadata.Resource(mapping.Resource).Namespace(namespace).Get(ctx, owner.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, false
	case err != nil: // it may not be read
		return nil, true
	case found.UID != owner.UID:
		return nil, false
	}
	return metav1.GetControllerOf(found), true
}
