# METADATA
# title: Resources
# description: >-
#   Every container requests the cpu and memory that it needs and has a limit on
#   memory, so that pods are placed where there is room and none takes a node
#   down. A limit counts as the request that is missing, and what the pod has as a
#   whole counts for its containers; what a LimitRange would add to the pods later does
#   not. Requests that are missing are taken from what the VerticalPodAutoscaler has
#   measured for that very workload, never from a template.
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
#         description: The smallest requests that are accepted, of a container and of a pod as a whole.
#         type: object
#         properties:
#           cpu: {x-kubernetes-int-or-string: true, pattern: "^([0-9]+([.][0-9]*)?|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]+)?$"}
#           memory: {x-kubernetes-int-or-string: true, pattern: "^([0-9]+([.][0-9]*)?|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]+)?$"}
#       maximum:
#         description: The largest requests and limits that are accepted, of a container and of a pod as a whole.
#         type: object
#         properties:
#           cpu: {x-kubernetes-int-or-string: true, pattern: "^([0-9]+([.][0-9]*)?|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]+)?$"}
#           memory: {x-kubernetes-int-or-string: true, pattern: "^([0-9]+([.][0-9]*)?|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]+)?$"}
#       maxLimitRequestRatio:
#         description: How many times its request a limit may be.
#         type: object
#         properties:
#           cpu: {type: number, minimum: 1}
#           memory: {type: number, minimum: 1}
#       defaults:
#         description: >-
#           What a container gets that says nothing, where the autoscaler has measured
#           nothing either.
#         type: object
#         properties:
#           requests:
#             type: object
#             properties:
#               cpu: {x-kubernetes-int-or-string: true, pattern: "^([0-9]+([.][0-9]*)?|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]+)?$"}
#               memory: {x-kubernetes-int-or-string: true, pattern: "^([0-9]+([.][0-9]*)?|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]+)?$"}
#           limits:
#             type: object
#             properties:
#               cpu: {x-kubernetes-int-or-string: true, pattern: "^([0-9]+([.][0-9]*)?|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]+)?$"}
#               memory: {x-kubernetes-int-or-string: true, pattern: "^([0-9]+([.][0-9]*)?|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]+)?$"}
package lintel.resources

import data.lintel.workload

# What every container has to have, why, and an amount to begin with.
_needs := [
	["requests", "cpu", "no cpu request, so it is placed where there may be no time for it", "100m"],
	["requests", "memory", "no memory request, so it is placed where there may be no room for it", "128Mi"],
	["limits", "memory", "no memory limit, so a leak takes the node down with it", "256Mi"],
]

_noun := {"requests": "request", "limits": "limit"}

# METADATA
# title: What is wrong
# description: Nothing, where one look shows that all is well; else what the rules find.
violation contains finding if {
	not _nothing_to_find
	some finding in _finding
}

_nothing_to_find if {
	input.parameters == {"requireCpuLimit": false}
	_is_plainly_well
}

# METADATA
# title: A request or limit is missing
_finding contains {"msg": msg, "path": workload.path(found, ["resources", what, resource]), "fix": fix} if {
	some found in _suspects
	some [what, resource, msg, amount] in _needs
	not _has(found.container, what, resource)
	not _pod_has(what, resource)

	fix := _fix(what, resource, amount)
}

# METADATA
# title: A cpu limit is missing
_finding contains {"msg": msg, "path": workload.path(found, ["resources", "limits", "cpu"]), "fix": fix} if {
	input.parameters.requireCpuLimit
	some found in workload.resourceful_containers
	not _has(found.container, "limits", "cpu")
	not _pod_has("limits", "cpu")

	msg := "no cpu limit, which this cluster asks for"
	fix := _fix("limits", "cpu", "500m")
}

# METADATA
# title: A request or limit is no amount
_finding contains {"msg": msg, "path": workload.path(found, ["resources", what, resource]), "fix": fix} if {
	some found in _suspects
	some what in ["requests", "limits"]
	some resource in ["cpu", "memory"]
	amount := found.container.resources[what][resource]
	amount != null
	not _is_positive(amount)

	msg := sprintf("the %s %s is %s, which is no amount above zero", [resource, _noun[what], _shown(amount)])
	fix := _fix(what, resource, {"cpu": "100m", "memory": "128Mi"}[resource])
}

# METADATA
# title: A request is too small
_finding contains {"msg": msg, "path": array.concat(bearer.path, ["requests", resource]), "fix": fix} if {
	some resource, least in input.parameters.minimum
	some bearer in _bearers
	amount := _request(bearer.resources, resource)
	amount > 0
	amount < k8s.quantity(least)

	msg := sprintf("the %s request is less than the %v that is asked for", [resource, least])
	fix := _fix("requests", resource, least)
}

# METADATA
# title: A request or limit is too large
_finding contains {"msg": msg, "path": array.concat(bearer.path, [what, resource]), "fix": fix} if {
	some resource, most in input.parameters.maximum
	some bearer in _bearers
	some what in ["requests", "limits"]
	k8s.quantity(bearer.resources[what][resource]) > k8s.quantity(most)

	msg := sprintf("the %s %s is more than the %v that is allowed", [resource, _noun[what], most])
	fix := _fix(what, resource, most)
}

# METADATA
# title: A limit is too far above its request
_finding contains {"msg": msg, "path": array.concat(bearer.path, ["limits", resource]), "fix": fix} if {
	some resource, ratio in input.parameters.maxLimitRequestRatio
	some bearer in _bearers
	request := _request(bearer.resources, resource)
	request > 0
	k8s.quantity(bearer.resources.limits[resource]) > request * ratio

	msg := sprintf("the %s limit is more than %v times the request", [resource, ratio])
	fix := sprintf("bring the %s limit down to %v times the request, or raise the request to what is used", [resource, ratio])
}

# METADATA
# title: Requests are what was measured, else the operator's defaults
patch contains {"path": workload.path(found, ["resources", "requests", resource]), "value": amount} if {
	_has_offers
	some [found, resource] in _without_request
	amount := _offered(found.container, resource)
}

# METADATA
# title: Limits are the operator's defaults
patch contains {"path": workload.path(found, ["resources", "limits", resource]), "value": amount} if {
	some resource, amount in input.parameters.defaults.limits
	some found in workload.resourceful_containers
	_is_open(found.container, "limits")
	not _has(found.container, "limits", resource)
	not _pod_has("limits", resource)
	not _wants_more(found.container, resource, amount)
}

# Containers of which something is to be said; one look at each is enough for most.
_suspects := [found |
	some found in workload.resourceful_containers
	not _is_well(found.container)
]

# Whether one look at all containers shows them to be well: it reads them where
# they stand. Most objects are done with this.
_is_plainly_well if {
	well := [1 |
		some container in _template_spec.containers
		not container.resources.limits.cpu
		k8s.quantity(container.resources.requests.cpu) > 0
		k8s.quantity(container.resources.requests.memory) > 0
		k8s.quantity(container.resources.limits.memory) > 0
	]
	count(well) == count(_template_spec.containers)
}

_is_plainly_well if {
	well := [1 |
		some container in _template_spec.containers
		k8s.quantity(container.resources.limits.cpu) > 0
		k8s.quantity(container.resources.requests.cpu) > 0
		k8s.quantity(container.resources.requests.memory) > 0
		k8s.quantity(container.resources.limits.memory) > 0
	]
	count(well) == count(_template_spec.containers)
}

_template_spec := spec if {
	input.review.object.kind in ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"]
	spec := input.review.object.spec.template.spec
	is_array(spec.containers)
	not spec.initContainers
}

_is_well(container) if {
	not container.resources.limits.cpu
	k8s.quantity(container.resources.limits.memory) > 0
	k8s.quantity(container.resources.requests.memory) > 0
	k8s.quantity(container.resources.requests.cpu) > 0
}

_is_well(container) if {
	k8s.quantity(container.resources.limits.cpu) > 0
	k8s.quantity(container.resources.limits.memory) > 0
	k8s.quantity(container.resources.requests.memory) > 0
	k8s.quantity(container.resources.requests.cpu) > 0
}

_has(container, what, resource) if container.resources[what][resource] != null

# The API server takes a limit for the request that is missing.
_has(container, "requests", resource) if container.resources.limits[resource] != null

# What the pod has as a whole, its containers share.
_pod_has(what, resource) if _is_positive(workload.pod_spec.resources[what][resource])

_pod_has("requests", resource) if _is_positive(workload.pod_spec.resources.limits[resource])

_is_positive(amount) if k8s.quantity(amount) > 0

# All that has amounts to compare: the containers, and the pod as a whole.
_bearers := array.concat(
	[{"path": workload.path(found, ["resources"]), "resources": resources} |
		some found in workload.resourceful_containers
		resources := found.container.resources
	],
	[{"path": array.concat(workload.pod_path, ["spec", "resources"]), "resources": resources} |
		resources := workload.pod_spec.resources
	],
)

_request(resources, resource) := k8s.quantity(resources.requests[resource]) if {
	resources.requests[resource] != null
} else := k8s.quantity(resources.limits[resource])

# The containers that ask for none of a resource, with that resource.
_without_request := [[found, resource] |
	some found in _suspects
	some resource in ["cpu", "memory"]
	_is_open(found.container, "requests")
	not _has(found.container, "requests", resource)
	not _pod_has("requests", resource)
]

# Whether amounts can be added: what is there is no text or list.
_is_open(container, what) if {
	is_object(container)
	type_name(object.get(container, "resources", null)) in ["object", "null"]
	type_name(object.get(container, ["resources", what], null)) in ["object", "null"]
}

_wants_more(container, resource, amount) if {
	k8s.quantity(container.resources.requests[resource]) > k8s.quantity(amount)
}

_wants_more(container, resource, amount) if {
	not _has(container, "requests", resource)
	k8s.quantity(_offered(container, resource)) > k8s.quantity(amount)
}

_has_offers if input.parameters.defaults

_has_offers if _scaler

# The request that a container without one is given.
_offered(container, resource) := _measured(container, resource)

_offered(container, resource) := amount if {
	not _measured(container, resource)
	amount := input.parameters.defaults.requests[resource]
}

# What the autoscaler of this very workload has measured for a container.
_measured(container, resource) := amount if {
	some measured in _scaler.status.recommendation.containerRecommendations
	measured.containerName == container.name
	amount := measured.target[resource]
	_is_positive(amount)
}

_scaler := scalers[0] if {
	scaled := input.review.object
	scalers := [scaler |
		some scaler in data.inventory.namespace[input.review.namespace]["autoscaling.k8s.io/v1"].VerticalPodAutoscaler
		scaler.spec.targetRef.kind == scaled.kind
		scaler.spec.targetRef.name == scaled.metadata.name
		_group(object.get(scaler.spec.targetRef, "apiVersion", scaled.apiVersion)) == _group(scaled.apiVersion)
	]
}

_group(api_version) := split(api_version, "/")[0] if is_string(api_version)

_fix(what, resource, amount) := sprintf("resources:\n  %s:\n    %s: %v", [what, resource, amount])

_shown(amount) := sprintf("%q", [amount]) if is_string(amount)

_shown(amount) := sprintf("%v", [amount]) if is_number(amount)

_shown(amount) := type_name(amount) if not type_name(amount) in ["string", "number"]
