package engine

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// controllerOf returns kind and name of the owner that controls the object, ""
// where it has none.
func controllerOf(object *ast.Term) (kind, name string) {
	owner := controllerIn(object)
	kind, _ = textAt(owner, "kind")
	name, _ = textAt(owner, "name")
	return kind, name
}

// controllerIn returns the reference to the owner that controls the object, nil where
// it has none.
func controllerIn(object *ast.Term) (found *ast.Term) {
	owners, ok := valueOf[*ast.Array](at(object, "metadata", "ownerReferences"))
	if !ok {
		return nil
	}
	owners.Foreach(func(owner *ast.Term) {
		if controls, _ := valueOf[ast.Boolean](child(owner, "controller")); bool(controls) {
			found = owner
		}
	})
	return found
}

// Owner returns the reference to the owner that controls the object of the request,
// nil where it has none. It is what the object says, and everybody can write one.
func (r *Request) Owner() *metav1.OwnerReference {
	object := r.object
	if object == nil {
		object = r.old
	}
	owner := controllerIn(object)
	if owner == nil {
		return nil
	}
	var ref metav1.OwnerReference
	ref.APIVersion, _ = textAt(owner, "apiVersion")
	ref.Kind, _ = textAt(owner, "kind")
	ref.Name, _ = textAt(owner, "name")
	uid, _ := textAt(owner, "uid")
	ref.UID = types.UID(uid)
	return &ref
}

// StoredUID returns the uid of the object as it is stored, "" where the request makes
// it.
func (r *Request) StoredUID() types.UID {
	uid, _ := textAt(r.old, "metadata", "uid")
	return types.UID(uid)
}

// ownerKind returns the kind of the object that owns the subresource of the
// request: that of the built-in workloads, else the request's own.
func (r *Request) ownerKind() string {
	for _, kind := range []string{
		"Pod", "ReplicationController", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob",
	} {
		if strings.ToLower(kind)+"s" == r.resource.Resource {
			return kind
		}
	}
	return r.kind.Kind
}

// isDeletionInProgress reports whether the request updates an object that is on
// its way out and changes nothing of it but metadata and status: finalizers must
// be able to go, whatever is wrong with it. Of a Namespace the spec may change too,
// which has nothing but finalizers.
func (r *Request) isDeletionInProgress() (is bool) {
	defer func() {
		if recover() != nil {
			is = false // there are numbers that OPA cannot compare
		}
	}()
	if r.old == nil || r.object == nil || !isPresent(at(r.old, "metadata", "deletionTimestamp")) {
		return false
	}
	free := []string{"metadata", "status"}
	if r.kind.Group == "" && r.kind.Kind == "Namespace" {
		free = append(free, "spec")
	}
	return sameExcept(r.object, r.old, free...)
}

// sameExcept reports whether two objects are equal but for some of their keys.
func sameExcept(a, b *ast.Term, keys ...string) bool {
	return without(a, keys...).Value.Compare(without(b, keys...).Value) == 0
}
