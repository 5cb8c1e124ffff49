# METADATA
# title: What is protected stays
# custom:
#   severity: high
#   category: test
#   enforcement: deny
#   match:
#     kinds: [{apiGroups: [""], kinds: [ConfigMap]}]
#     operations: [DELETE]
#     namespaces: [requests]
package lintel.protected

violation contains {"msg": msg, "path": ["metadata", "labels", "protected"]} if {
	input.review.object == null
	input.review.oldObject.metadata.labels.protected == "yes"

	msg := sprintf("%s is protected, with %s", [input.review.oldObject.metadata.name, json.marshal(_options)])
}

# kubectl sends an apiVersion and a kind as well.
_options := object.filter(input.review.options, ["gracePeriodSeconds", "propagationPolicy"])
