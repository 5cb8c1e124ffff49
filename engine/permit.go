package engine

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/lintel-policy/lintel/api/v1alpha1"
)

// isPatchable reports whether the object of the request may be patched at all:
// it is created or updated, its kind is one of Kubernetes' own, whose fields are
// known here, it does not say who may do what, and no controller keeps it equal to
// what it was made from. A
// patched ReplicaSet no longer equals its Deployment's template, and the
// Deployment makes another, and another.
func (r *Request) isPatchable() bool {
	if r.object == nil || r.operation != v1alpha1.Create && r.operation != v1alpha1.Update {
		return false
	}
	if !isBuiltIn(r.resource.Group) || !isBuiltIn(r.kind.Group) || slices.Contains(authorities, r.kind.Group) {
		return false
	}
	switch r.kind.Kind {
	case "Pod", "PersistentVolumeClaim":
		return true
	}
	owner, _ := controllerOf(r.object)
	return owner == ""
}

// isBuiltIn reports whether an API group is one of Kubernetes' own.
func isBuiltIn(group string) bool {
	return !strings.Contains(group, ".") || strings.HasSuffix(group, ".k8s.io")
}

// serverFields are the paths that the API server fills in or that name the
// object: no patch touches them.
var serverFields = []Path{ //nolint:gochecknoglobals // never changed
	{"apiVersion"},
	{"kind"},
	{"metadata", "creationTimestamp"},
	{"metadata", "deletionGracePeriodSeconds"},
	{"metadata", "deletionTimestamp"},
	{"metadata", "generateName"},
	{"metadata", "generation"},
	{"metadata", "managedFields"},
	{"metadata", "name"},
	{"metadata", "namespace"},
	{"metadata", "resourceVersion"},
	{"metadata", "uid"},
}

// secretFields are the paths of a Secret that the engine does not see.
var secretFields = []Path{{"data"}, {"stringData"}, {"metadata", "annotations", lastApplied}} //nolint:gochecknoglobals // never changed

// immutable are the paths that the API server does not let an update change, by
// kind (the ValidateXUpdate functions of k8s.io/kubernetes/pkg/apis). A Pod's
// resources are changed through its subresource resize alone.
var immutable = map[string][]Path{ //nolint:gochecknoglobals // never changed
	"Pod":                   {{"spec"}},
	"DaemonSet":             {{"spec", "selector"}},
	"Deployment":            {{"spec", "selector"}},
	"ReplicaSet":            {{"spec", "selector"}},
	"Job":                   {{"spec", "selector"}, {"spec", "template"}, {"spec", "completionMode"}, {"spec", "podFailurePolicy"}},
	"StatefulSet":           {{"spec", "selector"}, {"spec", "serviceName"}, {"spec", "volumeClaimTemplates"}, {"spec", "podManagementPolicy"}},
	"PersistentVolumeClaim": {{"spec"}},
	"PersistentVolume":      {{"spec", "persistentvolumesource"}, {"spec", "nodeAffinity"}, {"spec", "volumeMode"}},
	"Service":               {{"spec", "clusterIP"}, {"spec", "clusterIPs"}},
	"StorageClass":          {{"parameters"}, {"provisioner"}, {"reclaimPolicy"}, {"volumeBindingMode"}},
	"PriorityClass":         {{"value"}, {"preemptionPolicy"}},
}

// templates are where the pod templates of kinds are. To change one rolls out
// the workload.
var templates = map[string]Path{ //nolint:gochecknoglobals // never changed
	"CronJob":               {"spec", "jobTemplate", "spec", "template"},
	"DaemonSet":             {"spec", "template"},
	"Deployment":            {"spec", "template"},
	"PodTemplate":           {"template"},
	"ReplicaSet":            {"spec", "template"},
	"ReplicationController": {"spec", "template"},
	"StatefulSet":           {"spec", "template"},
}

// permits reports whether the change may be made to object, the request's own
// with earlier changes. On an update, a default takes the value that the old
// object has at its path, in a field that cannot be changed too: a writer that
// sends what it wrote first would else take away what was patched in.
func (pt *patcher) permits(c *change, object *ast.Term) bool {
	r := pt.req
	if touches(c.path, serverFields) || r.kind.Kind == "Secret" && touches(c.path, secretFields) {
		return false
	}
	if r.operation != v1alpha1.Update || r.old == nil {
		return true
	}
	before := lookup(r.old, pathInOld(object, r.old, c.path))
	if c.op == opDefault && isPresent(before) {
		c.value = before
	} else if touches(c.path, r.immutableFields()) {
		return false
	}
	if template, ok := templates[r.kind.Kind]; ok && touches(c.path, []Path{template}) &&
		sameTerm(lookup(r.object, template), lookup(r.old, template)) {
		return false
	}
	return true
}

// immutableFields returns what the request cannot change.
func (r *Request) immutableFields() []Path {
	if r.kind.Kind == "Pod" && r.subresource == "resize" {
		return nil
	}
	return immutable[r.kind.Kind]
}

// touches reports whether a write to path changes one of fields: it is the
// field, leads into it, or replaces what holds it.
func touches(path Path, fields []Path) bool {
	return slices.ContainsFunc(fields, func(field Path) bool {
		return isPrefix(field, path) || isPrefix(path, field)
	})
}

// pathInOld returns path with each index replaced by that of the item of the old
// object with the same merge key.
func pathInOld(object, old *ast.Term, path Path) Path {
	moved := make(Path, 0, len(path))
	field := ""
	for _, step := range path {
		switch s := step.(type) {
		case string:
			field = s
		case int:
			step = indexInOld(object, old, field, s)
		}
		object, old = stepInto(object, path[len(moved)]), stepInto(old, step)
		moved = append(moved, step)
	}
	return moved
}

// indexInOld returns the index in the list old of the item that is like item i of
// the list now; one past the end where there is none.
func indexInOld(now, old *ast.Term, field string, i int) int {
	key := itemKey(now, field, i)
	items, ok := valueOf[*ast.Array](old)
	if !ok {
		return 0
	}
	for j := range items.Len() {
		if itemKey(old, field, j) == key {
			return j
		}
	}
	return items.Len()
}
