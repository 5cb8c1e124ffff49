# METADATA
# title: Changes all it can
# custom:
#   severity: low
#   category: test
#   enforcement: dryrun
#   patches: apply
#   match:
#     kinds:
#       - {apiGroups: [""], kinds: [Pod, ReplicationController, Service, ConfigMap, ServiceAccount, PersistentVolumeClaim]}
#       - {apiGroups: [apps], kinds: [Deployment, StatefulSet, DaemonSet, ReplicaSet]}
#       - {apiGroups: [batch], kinds: [Job, CronJob]}
#       - {apiGroups: [rbac.authorization.k8s.io], kinds: [Role, RoleBinding, ClusterRole]}
#       - {apiGroups: [networking.k8s.io], kinds: [Ingress, NetworkPolicy]}
package lintel.wild

import data.lintel.workload

patch contains {"path": ["metadata", "labels", "team"], "value": "shop"}
patch contains {"path": ["metadata", "annotations", "example.com/note"], "value": "yes: # no"}

patch contains {"path": workload.path(found, ["imagePullPolicy"]), "op": "set", "value": "Always"} if {
	some found in workload.containers
	contains(found.container.image, "/")
}

patch contains {"path": workload.path(found, ["securityContext", "runAsNonRoot"]), "value": true} if {
	some found in workload.containers
}

patch contains {"path": workload.path(found, ["image"]), "op": "set", "value": sprintf("registry.example.com/%s:1.0", [name])} if {
	some found in workload.containers
	name := split(found.container.image, ":")[0]
	not startswith(name, "registry.example.com/")
}

patch contains {"path": workload.path(found, ["env"]), "op": "append", "value": {"name": "LANG", "value": "C.UTF-8"}} if {
	some found in workload.containers
}

patch contains {"path": workload.path(found, ["command"]), "op": "remove"} if {
	some found in workload.containers
	found.container.command
}

patch contains {"path": workload.path(found, ["livenessProbe"]), "op": "remove"} if {
	some found in workload.containers
	found.container.livenessProbe
}

patch contains {"path": workload.path(found, ["resources", "requests", "cpu"]), "value": "100m"} if {
	some found in workload.containers
}

patch contains {"path": workload.path(found, ["ports", i, "protocol"]), "op": "set", "value": "TCP"} if {
	some found in workload.containers
	some i, _ in found.container.ports
}

patch contains {"path": ["spec", "template", "spec", "automountServiceAccountToken"], "op": "set", "value": false} if {
	input.review.object.spec.template.spec.containers
}

patch contains {"path": ["spec", "replicas"], "op": "set", "value": 3} if {
	input.review.object.kind in {"Deployment", "StatefulSet"}
}

patch contains {"path": ["spec", "ports", i, "name"], "value": sprintf("p%d", [i])} if {
	input.review.object.kind == "Service"
	some i, _ in input.review.object.spec.ports
}

patch contains {"path": ["spec", "type"], "op": "set", "value": "ClusterIP"} if {
	input.review.object.kind == "Service"
	input.review.object.spec.type == "NodePort"
}

patch contains {"path": ["spec", "strategy"], "op": "set", "value": {"type": "Recreate"}} if {
	input.review.object.kind == "Deployment"
}
