# METADATA
# title: Tells the paths that policies see
# custom:
#   severity: low
#   category: test
#   enforcement: deny
#   match:
#     kinds: [{apiGroups: [""], kinds: [Secret]}]
package lintel.seen

violation contains {"msg": concat(", ", _seen), "path": ["metadata"]} if {
	input.review.object.metadata.labels.tell
}

_seen contains concat(".", path) if {
	walk(input.review.object, [path, _])
	count(path) > 0
}
