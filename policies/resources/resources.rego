# METADATA
# title: Resources
# description: >-
#   Every container requests the cpu and memory that it needs and has a limit on
#   memory, so that pods are placed where there is room and none takes a node
#   down. Requests that are missing are taken from what the VerticalPodAutoscaler
#   has measured for that very workload, never from a template.
# custom:
#   severity: high
#   category: reliability
#   enforcement: deny
#   match:
#     kinds:
#       - apiGroups: [""]
#         kinds: [Pod, PodTemplate, ReplicationController]
#       - apiGroups: [apps]
#         kinds: [Deployment, ReplicaSet, StatefulSet, DaemonSet]
#       - apiGroups: [batch]
#         kinds: [Job, CronJob]
#     subresources: ["", resize]
#     operations: [CREATE, UPDATE]
#   inventory:
#     - apiVersion: autoscaling.k8s.io/v1
#       kind: VerticalPodAutoscaler
#       optional: true
#   parameters:
#     type: object
#     properties:
#       requireCpuLimit:
#         description: Cpu needs a limit as well.
#         type: boolean
#         default: false
#       minimum:
#         description: The smallest requests that are accepted.
#         type: object
#         properties: {cpu: {type: string}, memory: {type: string}}
#       maximum:
#         description: The largest requests and limits that are accepted.
#         type: object
#         properties: {cpu: {type: string}, memory: {type: string}}
#       maxLimitRequestRatio:
#         description: How many times its request a limit may be.
#         type: object
#         properties: {cpu: {type: number, minimum: 1}, memory: {type: number, minimum: 1}}
#       defaults:
#         description: What a container gets that says nothing, where the autoscaler has nothing to say either.
#         type: object
#         properties:
#           requests: {type: object, properties: {cpu: {type: string}, memory: {type: string}}}
#           limits: {type: object, properties: {cpu: {type: string}, memory: {type: string}}}
package lintel.resources

import data.lintel.workload

_needs := [
	["requests", "cpu", "no cpu request, so it is placed where there may be no time for it", "500m"],
	["requests", "memory", "no memory request, so it is placed where there may be no room for it", "128Mi"],
	["limits", "memory", "no memory limit, so a leak takes the node down with it", "256Mi"],
]

# METADATA
# title: A request or limit is missing
violation contains {"msg": need[2], "path": array.concat(found.path, ["resources", need[0], need[1]]), "fix": fix} if {
	some found in workload.containers
	some need in _needs
	not k8s.quantity(object.get(found.container, ["resources", need[0], need[1]], null)) > 0
	found.list != "ephemeralContainers"
	not _is_given(found.container, need[0], need[1])
	not _pod_has(need[0], need[1])

	fix := _fix(need[0], need[1], need[3])
}

# METADATA
# title: A request or limit is no amount
violation contains {"msg": msg, "path": array.concat(found.path, ["resources", what, resource]), "fix": fix} if {
	some found in workload.containers
	some what, amounts in found.container.resources
	some resource, amount in amounts
	resource in {"cpu", "memory"}
	not k8s.quantity(amount) > 0
	found.list != "ephemeralContainers"
	amount != null

	msg := sprintf("%s of %s are %s, which is no amount above zero", [what, resource, _shown(amount)])
	fix := _fix(what, resource, {"cpu": "500m", "memory": "128Mi"}[resource])
}

# METADATA
# title: A cpu limit is missing
violation contains {"msg": msg, "path": array.concat(found.path, ["resources", "limits", "cpu"]), "fix": fix} if {
	input.parameters.requireCpuLimit
	some found in workload.containers
	found.list != "ephemeralContainers"
	not _is_given(found.container, "limits", "cpu")
	not _pod_has("limits", "cpu")

	msg := "no cpu limit, and this cluster asks for one"
	fix := _fix("limits", "cpu", "1")
}

# METADATA
# title: A request is too small
violation contains {"msg": msg, "path": array.concat(found.path, ["resources", "requests", resource]), "fix": fix} if {
	some resource, least in input.parameters.minimum
	some found in workload.containers
	amount := found.container.resources.requests[resource]
	k8s.quantity(amount) > 0
	k8s.quantity(amount) < k8s.quantity(least)

	msg := sprintf("the %s request is %s, less than the %s that is asked for", [resource, _shown(amount), least])
	fix := _fix("requests", resource, least)
}

# METADATA
# title: A request or limit is too large
violation contains {"msg": msg, "path": array.concat(found.path, ["resources", what, resource]), "fix": fix} if {
	some resource, most in input.parameters.maximum
	some found in workload.containers
	some what in ["requests", "limits"]
	amount := found.container.resources[what][resource]
	k8s.quantity(amount) > k8s.quantity(most)

	msg := sprintf("%s of %s are %s, more than the %s that is allowed", [what, resource, _shown(amount), most])
	fix := _fix(what, resource, most)
}

# METADATA
# title: A limit is too far above its request
violation contains {"msg": msg, "path": array.concat(found.path, ["resources", "limits", resource]), "fix": fix} if {
	some resource, ratio in input.parameters.maxLimitRequestRatio
	some found in workload.containers
	limit := k8s.quantity(found.container.resources.limits[resource])
	request := k8s.quantity(found.container.resources.requests[resource])
	request > 0
	limit > request * ratio

	msg := sprintf("the %s limit is more than %v times the request", [resource, ratio])
	fix := sprintf("bring the %s limit down to %v times the request, or raise the request to what is used", [resource, ratio])
}

# METADATA
# title: Requests are what was measured
patch contains {"path": array.concat(found.path, ["resources", "requests", resource]), "value": amount} if {
	some found in workload.containers
	some resource in ["cpu", "memory"]
	_lacks_request(found, resource)
	amount := _recommended(found.container.name, resource)
}

# METADATA
# title: Requests are the operator's defaults
patch contains {"path": array.concat(found.path, ["resources", "requests", resource]), "value": amount} if {
	some resource, amount in input.parameters.defaults.requests
	some found in workload.containers
	_lacks_request(found, resource)
	not _recommended(found.container.name, resource)
}

# METADATA
# title: Limits are the operator's defaults
patch contains {"path": array.concat(found.path, ["resources", "limits", resource]), "value": amount} if {
	some resource, amount in input.parameters.defaults.limits
	some found in workload.containers
	found.list != "ephemeralContainers"
	not _is_present(found.container, "limits", resource)
	not _pod_has("limits", resource)
	not _requests_more(found.container, resource, amount)
}

_is_present(container, what, resource) if container.resources[what][resource] != null

_is_given(container, what, resource) if _is_present(container, what, resource)

# The API server takes a limit for the request that is missing.
_is_given(container, "requests", resource) if k8s.quantity(container.resources.limits[resource]) > 0

# What the pod has, its containers share.
_pod_has(what, resource) if k8s.quantity(workload.pod_spec.resources[what][resource]) > 0

_pod_has("requests", resource) if k8s.quantity(workload.pod_spec.resources.limits[resource]) > 0

_lacks_request(found, resource) if {
	found.list != "ephemeralContainers"
	not _is_present(found.container, "requests", resource)
	not _is_present(found.container, "limits", resource)
	not _pod_has("requests", resource)
}

# Whether a container requests, or will be made to request, more than amount: a
# limit below its request is refused by the API server.
_requests_more(container, resource, amount) if {
	k8s.quantity(container.resources.requests[resource]) > k8s.quantity(amount)
}

_requests_more(container, resource, amount) if {
	k8s.quantity(_recommended(container.name, resource)) > k8s.quantity(amount)
}

# What the autoscaler of this very workload has measured for a container.
_recommended(name, resource) := amount if {
	namespace := input.review.namespace
	some scaler in data.inventory.namespace[namespace]["autoscaling.k8s.io/v1"].VerticalPodAutoscaler
	scaler.spec.targetRef.kind == input.review.object.kind
	scaler.spec.targetRef.name == input.review.object.metadata.name
	some measured in scaler.status.recommendation.containerRecommendations
	measured.containerName == name
	amount := measured.target[resource]
	k8s.quantity(amount) > 0
}

_fix(what, resource, amount) := sprintf("resources:\n  %s:\n    %s: %s", [what, resource, amount])

_shown(amount) := sprintf("%q", [amount]) if is_string(amount)

_shown(amount) := sprintf("%v", [amount]) if is_number(amount)

_shown(amount) := type_name(amount) if {
	not is_string(amount)
	not is_number(amount)
}
