# METADATA
# title: Tells all that it sees of a Secret
# custom:
#   severity: low
#   category: test
#   enforcement: deny
#   match:
#     kinds: [{apiGroups: [""], kinds: [Secret]}]
#     operations: [CREATE, UPDATE, DELETE]
package lintel.tells

violation contains {"msg": json.marshal([input.review.object, input.review.oldObject])} if {
	some tell in [input.review.object, input.review.oldObject]
	tell.metadata.labels.tell == "all"
}
