# METADATA
# title: Nothing is blocked
# custom:
#   severity: high
#   category: reliability
#   enforcement: deny
#   controlled: deny
#   match:
#     kinds: [{apiGroups: [""], kinds: [Pod, ConfigMap]}]
#     operations: [CREATE, UPDATE]
package lintel.told

violation contains {"msg": "it is blocked", "path": ["metadata", "labels", "blocked"]} if input.review.object.metadata.labels.blocked
