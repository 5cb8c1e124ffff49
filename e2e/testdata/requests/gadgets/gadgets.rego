# METADATA
# title: Gadgets are blue
# custom:
#   severity: high
#   category: test
#   enforcement: deny
#   match:
#     kinds: [{apiGroups: [requests.example.com], kinds: [Gadget]}]
package lintel.gadgets

violation contains {"msg": msg, "path": ["spec", "colour"]} if {
	input.review.object.spec.colour != "blue"

	msg := sprintf("sent as %s, seen as %s, before %s", [
		input.review.requestKind.version,
		input.review.object.apiVersion,
		_before,
	])
}

default _before := "none"

_before := input.review.oldObject.apiVersion
