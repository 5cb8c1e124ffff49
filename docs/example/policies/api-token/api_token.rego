# METADATA
# title: API token
# description: Pods that share a service account get no token for the API server.
# custom:
#   severity: high
#   category: security
#   enforcement: deny
#   match:
#     kinds: [{apiGroups: [apps], kinds: [Deployment, StatefulSet, DaemonSet]}]
#   parameters:
#     type: object
#     properties:
#       shared: {type: array, items: {type: string}, default: [default]}
package lintel.api_token

import data.lintel.workload

# METADATA
# title: The token of a shared account is mounted
violation contains {"msg": msg, "path": _path} if {
	_account in input.parameters.shared
	object.get(workload.pod_spec, "automountServiceAccountToken", true) != false

	msg := sprintf("mounts the token of service account %q, which is not this workload's own", [_account])
}

# METADATA
# title: No token where none is asked for
patch contains {"path": _path, "value": false} if _account in input.parameters.shared

_path := array.concat(workload.pod_path, ["spec", "automountServiceAccountToken"])

_account := object.get(workload.pod_spec, "serviceAccountName", "default")
