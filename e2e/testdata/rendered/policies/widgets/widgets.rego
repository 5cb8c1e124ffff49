# METADATA
# title: What belongs to the shop is small and has an owner
# custom:
#   severity: low
#   category: cost
#   enforcement: deny
#   match:
#     kinds:
#       - {apiGroups: [example.com], kinds: [Widget]}
#       - {apiGroups: [""], kinds: [ConfigMap, ServiceAccount, Secret]}
#       - {apiGroups: [rbac.authorization.k8s.io], kinds: [Role, RoleBinding, ClusterRole]}
#       - {apiGroups: [policy], kinds: [PodDisruptionBudget]}
#       - {apiGroups: [autoscaling], kinds: [HorizontalPodAutoscaler]}
#       - {apiGroups: [apiextensions.k8s.io], kinds: [CustomResourceDefinition]}
package lintel.widgets

violation contains {"msg": msg, "path": ["spec", "size"]} if {
	size := input.review.object.spec.size
	size > 3

	msg := sprintf("size %v is more than 3", [size])
}

violation contains {"msg": "owner is missing", "path": ["metadata", "annotations", "example.com/owner"]} if {
	not input.review.object.metadata.annotations["example.com/owner"]
}

violation contains {"msg": "secrets may be read by all of it", "path": ["rules", i, "resources", k]} if {
	some i, rule in input.review.object.rules
	some k, resource in rule.resources
	resource == "secrets"
}

violation contains {"msg": msg, "path": ["data", key]} if {
	input.review.object.kind == "ConfigMap"
	some key, value in input.review.object.data
	contains(value, "debug")

	msg := sprintf("%q has debugging on", [key])
}

patch contains {"path": ["metadata", "annotations", "example.com/reviewed"], "value": "yes"}
