# METADATA
# title: Replicas are few, and containers have names in lower case
# custom:
#   severity: high
#   category: test
#   enforcement: deny
#   match:
#     kinds:
#       - apiGroups: [apps]
#         kinds: [Deployment, ReplicaSet, StatefulSet]
#       - apiGroups: [requests.example.com]
#         kinds: [Gadget]
#     subresources: ["", scale]
#     namespaces: [requests]
package lintel.replicas

import data.lintel.workload

violation contains {"msg": msg, "path": ["spec", "replicas"]} if {
	replicas := object.get(input.review.object, ["spec", "replicas"], 1)
	replicas > 5

	msg := sprintf("%d replicas of a %s are too many", [replicas, input.review.object.kind])
}

# A scale has no template. This finds nothing in it, and does not err.
violation contains {"msg": "the name of a container says evil", "path": workload.path(found, ["name"])} if {
	some found in workload.containers
	contains(found.container.name, "evil")
}
