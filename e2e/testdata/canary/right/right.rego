# METADATA
# title: Wants another value than the other one
# custom:
#   severity: low
#   category: test
#   enforcement: deny
#   match: {kinds: [{apiGroups: [""], kinds: [ConfigMap]}]}
package lintel.right

patch contains {"path": ["metadata", "annotations", "disputed"], "op": "set", "value": value} if {
	input.review.object.metadata.labels.errs == "disputed"
	value := sprintf("right %s", [input.review.object.data.secret])
}
