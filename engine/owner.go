package engine

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// controllerOf returns kind and name of the owner that controls the object, ""
// where it has none.
func controllerOf(object *ast.Term) (kind, name string) {
	owners, ok := valueOf[*ast.Array](at(object, "metadata", "ownerReferences"))
	if !ok {
		return "", ""
	}
	owners.Foreach(func(owner *ast.Term) {
		if controls, _ := valueOf[ast.Boolean](child(owner, "controller")); bool(controls) {
			kind, _ = textAt(owner, "kind")
			name, _ = textAt(owner, "name")
		}
	})
	return kind, name
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
