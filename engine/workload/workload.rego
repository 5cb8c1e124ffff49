# METADATA
# title: Workloads
# description: >-
#   Knows where pods hide in Kubernetes objects. Every policy is compiled beside
#   it and may read data.lintel.workload; no policy can change it. Its rules are about
#   input.review.object, so that one request computes each of them once, however
#   many policies ask. A field that is null, or of another type than it should be,
#   counts as absent.
package lintel.workload

# METADATA
# title: Pod template
# description: >-
#   What pods are made from: metadata and spec of the Pod that the object is, or of
#   the template in it. Undefined where there is none. Built-in kinds have theirs
#   in a known place; any other kind has one if its spec.template.spec.containers is
#   a list.
pod_template := input.review.object if input.review.object.kind == "Pod"

pod_template := input.review.object.template if input.review.object.kind == "PodTemplate"

pod_template := input.review.object.spec.jobTemplate.spec.template if input.review.object.kind == "CronJob"

pod_template := input.review.object.spec.template if {
	not input.review.object.kind in _elsewhere
	makes_pods
}

# METADATA
# title: Whether an object makes pods
# description: >-
#   True for the built-in kinds that have a pod template, whatever stands in its
#   place, and for any other kind whose spec.template.spec.containers is a list.
makes_pods if is_array(input.review.object.spec.template.spec.containers)

makes_pods if input.review.object.kind in [
	"PodTemplate", "ReplicationController", "ReplicaSet",
	"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob",
]

# METADATA
# title: Path of the pod template
# description: Leads from the object to pod_template. Empty for a Pod.
pod_path := [] if input.review.object.kind == "Pod"

pod_path := ["template"] if input.review.object.kind == "PodTemplate"

pod_path := ["spec", "jobTemplate", "spec", "template"] if input.review.object.kind == "CronJob"

pod_path := ["spec", "template"] if not input.review.object.kind in _elsewhere

# The kinds whose pod template is not their spec.template.
_elsewhere := ["Pod", "PodTemplate", "CronJob"]

# METADATA
# title: Pod spec
# description: The spec of pod_template. Undefined where it is no object.
pod_spec := spec if {
	spec := pod_template.spec
	is_object(spec)
}

default pod_labels := {}

# METADATA
# title: Pod labels
# description: The labels of pod_template, which its pods will have. Empty where there are none.
pod_labels := labels if {
	labels := pod_template.metadata.labels
	is_object(labels)
}

# METADATA
# title: Selector
# description: >-
#   The label selector by which the object knows its pods, in the form of
#   matchLabels and matchExpressions. Undefined where there is none.
selector := labels if {
	labels := input.review.object.spec.selector
	is_object(labels)
	pod_template
	input.review.object.kind != "ReplicationController"
}

selector := {"matchLabels": labels} if {
	input.review.object.kind == "ReplicationController"
	labels := input.review.object.spec.selector
	is_object(labels)
}

# METADATA
# title: Containers
# description: >-
#   All containers of pod_spec. Each is an object of: container, as it stands there
#   and whatever its type; list, which is containers, initContainers or
#   ephemeralContainers; index in that list; and sidecar, whether it is an init
#   container that keeps running beside the others.
containers := array.concat(
	resourceful_containers,
	[{"container": container, "list": "ephemeralContainers", "index": i, "sidecar": false} |
		some i, container in pod_spec.ephemeralContainers
	],
)

# METADATA
# title: Containers that have resources
# description: Those of containers that may ask for cpu and memory, which is all but ephemeral ones.
resourceful_containers := array.concat(
	lasting_containers,
	[{"container": container, "list": "initContainers", "index": i, "sidecar": false} |
		some i, container in pod_spec.initContainers
		not _is_sidecar(container)
	],
)

# METADATA
# title: Containers that last
# description: Those of containers that run as long as their pod does; sidecars are among them.
lasting_containers := array.concat(
	[{"container": container, "list": "containers", "index": i, "sidecar": false} |
		some i, container in pod_spec.containers
	],
	[{"container": container, "list": "initContainers", "index": i, "sidecar": true} |
		some i, container in pod_spec.initContainers
		container.restartPolicy == "Always"
	],
)

_is_sidecar(container) if container.restartPolicy == "Always"

# METADATA
# title: Path of a container
# description: Leads from the object to a field of one of containers; rest is the path from there.
path(found, rest) := array.concat(array.concat(pod_path, ["spec", found.list, found.index]), rest)

# METADATA
# title: Whether pods are there to stay
# description: >-
#   True if the pods start again whenever they end: restartPolicy is Always, or
#   absent, which is the same.
runs_for_long if {
	pod_spec
	not _ends
}

_ends if pod_spec.restartPolicy in ["OnFailure", "Never"]

_ends if input.review.object.kind in ["Job", "CronJob"]

# METADATA
# title: Whether a selector selects
# description: >-
#   True if a label selector selects what has these labels, which are an object. A
#   selector that is absent or null selects nothing, an empty one everything. One that
#   Kubernetes would refuse selects nothing.
selects(wanted, labels) if {
	is_object(wanted)
	not _misses(wanted, labels)
}

_misses(wanted, labels) if {
	some key, value in wanted.matchLabels
	object.get(labels, key, null) != value
}

_misses(wanted, labels) if {
	some requirement in wanted.matchExpressions
	not _meets(requirement, labels)
}

_misses(wanted, _) if not type_name(object.get(wanted, "matchLabels", null)) in ["object", "null"]

_misses(wanted, _) if not type_name(object.get(wanted, "matchExpressions", null)) in ["array", "null"]

_meets(requirement, labels) if {
	requirement.operator == "In"
	_has_one_of(requirement, labels)
}

_meets(requirement, labels) if {
	requirement.operator == "NotIn"
	is_array(requirement.values)
	not _has_one_of(requirement, labels)
}

_meets(requirement, labels) if {
	requirement.operator == "Exists"
	labels[requirement.key]
}

_meets(requirement, labels) if {
	requirement.operator == "DoesNotExist"
	key := requirement.key
	not labels[key]
}

_has_one_of(requirement, labels) if labels[requirement.key] in requirement.values
