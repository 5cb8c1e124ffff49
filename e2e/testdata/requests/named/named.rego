# METADATA
# title: Names begin with app
# custom:
#   severity: high
#   category: test
#   enforcement: deny
#   match:
#     kinds: [{apiGroups: [""], kinds: [ConfigMap]}]
#     operations: [CREATE]
#     namespaces: [requests]
package lintel.named

violation contains {"msg": msg, "path": ["metadata", "name"]} if {
	name := object.get(input.review.object, ["metadata", "name"], "")
	not startswith(name, "app-")

	msg := sprintf("the name %q does not begin with app", [name])
}
