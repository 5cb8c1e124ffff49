# METADATA
# title: Images come from the registry of the company
# custom:
#   severity: critical
#   category: supply-chain
#   enforcement: deny
#   match:
#     kinds: [{apiGroups: [""], kinds: [Pod]}]
#     subresources: ["", ephemeralcontainers]
package lintel.images

import data.lintel.workload

violation contains {"msg": msg, "path": workload.path(found, ["image"])} if {
	some found in workload.containers
	image := object.get(found.container, "image", "")
	not startswith(image, "registry.example.com/")

	msg := sprintf("image %q is from elsewhere", [image])
}
