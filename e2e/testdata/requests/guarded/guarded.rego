# METADATA
# title: The label guard of a namespace stays as it is
# custom:
#   severity: high
#   category: test
#   enforcement: deny
#   match:
#     kinds: [{apiGroups: [""], kinds: [Namespace]}]
#     subresources: ["", status, finalize]
#     operations: [UPDATE]
package lintel.guarded

violation contains {"msg": "label guard is not to be changed", "path": ["metadata", "labels", "guard"]} if {
	_guard(input.review.object) != _guard(input.review.oldObject)
}

_guard(namespace) := object.get(namespace, ["metadata", "labels", "guard"], "")
