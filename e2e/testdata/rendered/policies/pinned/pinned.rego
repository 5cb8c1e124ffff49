# METADATA
# title: Images are pinned, and pods do not run as root
# custom:
#   severity: high
#   category: security
#   enforcement: deny
#   match:
#     kinds:
#       - {apiGroups: [apps], kinds: [Deployment, StatefulSet, DaemonSet]}
#       - {apiGroups: [batch], kinds: [Job, CronJob]}
package lintel.pinned

import data.lintel.workload

violation contains {"msg": msg, "path": workload.path(found, ["image"])} if {
	some found in workload.containers
	image := object.get(found.container, "image", "")
	not contains(image, "@sha256:")
	not regex.match(`:v?\d+\.\d+(\.\d+)?$`, image)

	msg := sprintf("image %q has no version", [image])
}

patch contains {"path": workload.path(found, ["imagePullPolicy"]), "op": "set", "value": "IfNotPresent"} if {
	some found in workload.containers
}

patch contains {"path": workload.path(found, ["securityContext", "runAsNonRoot"]), "value": true} if {
	some found in workload.containers
}

patch contains {"path": workload.path(found, ["env"]), "op": "append", "value": {"name": "LANG", "value": "C.UTF-8"}} if {
	some found in workload.containers
}
