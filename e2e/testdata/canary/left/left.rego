# METADATA
# title: Wants another value than the other one
# custom:
#   severity: low
#   category: test
#   enforcement: deny
#   match: {kinds: [{apiGroups: [""], kinds: [ConfigMap]}]}
package lintel.left

patch contains {"path": ["metadata", "annotations", "disputed"], "op": "set", "value": value} if {
	input.review.object.metadata.labels.errs == "disputed"
	value := sprintf("left %s", [input.review.object.data.secret])
}
