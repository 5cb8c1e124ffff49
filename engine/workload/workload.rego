# METADATA
# title: Workloads
# description: >-
#   Knows where pods hide in Kubernetes objects. Every policy is compiled beside
#   it and may read data.lintel.workload; no policy can change it. All of its rules
#   are about input.review.object, so that one request computes them once however
#   many policies ask. A field that is null, or of another type than it should
#   be, counts as absent.
package lintel.workload

# METADATA
# description: >-
#   The spec of the pod that the object is, or of the template that it makes pods
#   from. Undefined where there is none. A kind that is not built in has one if
#   its spec.template.spec.containers is a list.
pod_spec := input.review.object.spec if input.review.object.kind == "Pod"

pod_spec := input.review.object.template.spec if input.review.object.kind == "PodTemplate"

pod_spec := input.review.object.spec.jobTemplate.spec.template.spec if input.review.object.kind == "CronJob"

pod_spec := input.review.object.spec.template.spec if {
	not input.review.object.kind in {"Pod", "PodTemplate", "CronJob"}
	is_array(input.review.object.spec.template.spec.containers)
}

# METADATA
# description: The path of what holds pod_spec and its metadata; empty for a Pod.
pod_path := [] if input.review.object.kind == "Pod"

pod_path := ["template"] if input.review.object.kind == "PodTemplate"

pod_path := ["spec", "jobTemplate", "spec", "template"] if input.review.object.kind == "CronJob"

pod_path := ["spec", "template"] if not input.review.object.kind in {"Pod", "PodTemplate", "CronJob"}

# METADATA
# description: >-
#   The labels that the pods will have. Empty where there are none.
pod_labels := labels if {
	labels := object.get(input.review.object, array.concat(pod_path, ["metadata", "labels"]), {})
	is_object(labels)
} else := {}

# METADATA
# description: >-
#   Every container of pod_spec, with the list that it is in (containers,
#   initContainers or ephemeralContainers), its path, and whether it is a sidecar:
#   an init container that keeps running.
containers := [found |
	some list in ["containers", "initContainers", "ephemeralContainers"]
	some i, container in pod_spec[list]
	is_object(container)
	found := {
		"container": container,
		"list": list,
		"path": array.concat(pod_path, ["spec", list, i]),
		"sidecar": _is_sidecar(list, container),
	}
]

# METADATA
# description: >-
#   Those of containers that run as long as the pod does: not init containers that
#   end, and not ephemeral ones.
lasting_containers := [found |
	some found in containers
	_lasts(found)
]

_is_sidecar("initContainers", container) := object.get(container, "restartPolicy", "") == "Always"

_is_sidecar("containers", _) := false

_is_sidecar("ephemeralContainers", _) := false

_lasts(found) if found.list == "containers"

_lasts(found) if found.sidecar

# METADATA
# description: >-
#   Whether the pods are there to stay: they restart whenever they end, and are not
#   those of a Job.
runs_for_long if {
	object.get(pod_spec, "restartPolicy", "Always") in {"Always", "", null}
	not input.review.object.kind in {"Job", "CronJob"}
}
