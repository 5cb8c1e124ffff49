# METADATA
# title: Autoscalers scale to ten at most
# custom:
#   severity: high
#   category: test
#   enforcement: deny
#   match:
#     kinds: [{apiGroups: [autoscaling], kinds: [HorizontalPodAutoscaler]}]
#     namespaces: [requests]
package lintel.autoscalers

violation contains {"msg": msg, "path": ["spec", "maxReplicas"]} if {
	autoscaler := input.review.object
	autoscaler.spec.maxReplicas > 10

	msg := sprintf("sent as %s, seen as %s, by %s", [
		input.review.requestKind.version,
		autoscaler.apiVersion,
		autoscaler.spec.metrics[0].resource.name,
	])
}
