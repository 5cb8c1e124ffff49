# METADATA
# title: Topology spread
# description: >-
#   A workload of two replicas or more survives the loss of a zone: a constraint
#   spreads its pods over zones, and really selects them. Where there is none, one
#   over zones and one over hosts are patched in, at one replica too, so that scaling
#   finds them there. A constraint that selects other pods is not repaired, since
#   nobody but its author knows what it was meant for. Of several constraints over
#   zones one has to hold.
# custom:
#   severity: high
#   category: reliability
#   enforcement: deny
#   match:
#     kinds:
#       - apiGroups: [apps]
#         kinds: [Deployment, StatefulSet]
#     subresources: ["", scale]
#     operations: [CREATE, UPDATE]
#   inventory:
#     - apiVersion: autoscaling/v2
#       kind: HorizontalPodAutoscaler
#       optional: true
#     - apiVersion: apps/v1
#       kind: Deployment
#       optional: true
#     - apiVersion: apps/v1
#       kind: StatefulSet
#       optional: true
#   parameters:
#     type: object
#     properties:
#       topologyKeys:
#         description: The node labels that stand for a zone. Patches use the first.
#         type: array
#         minItems: 1
#         default: [topology.kubernetes.io/zone]
#         items: {type: string, minLength: 1}
#       maxSkew:
#         description: >-
#           The highest maxSkew that is accepted. It has to be less than the number
#           of replicas in any case. That of patches is 1.
#         type: integer
#         minimum: 1
#       whenUnsatisfiable:
#         description: >-
#           The values of whenUnsatisfiable that are accepted. Patches have ScheduleAnyway;
#           where that is not accepted, nothing is patched.
#         type: array
#         minItems: 1
#         default: [DoNotSchedule, ScheduleAnyway]
#         items: {type: string, enum: [DoNotSchedule, ScheduleAnyway]}
package lintel.topology_spread

import data.lintel.workload

# METADATA
# title: What is wrong
# description: Nothing, where one look shows that all is well; else what the rules find.
violation contains finding if {
	not _is_plainly_spread
	some finding in _finding
}

# METADATA
# title: Nothing spreads the pods over zones
_finding contains {"msg": msg, "path": _path, "fix": _example} if {
	_at_risk
	input.review.object.kind != "Scale"
	count(_zonal) == 0

	msg := sprintf("nothing spreads the %v replicas over zones, so the loss of one zone can take all of them", [_replicas])
}

# METADATA
# title: A constraint over zones does not hold
_finding contains {"msg": msg, "path": array.concat(_path, [i]), "fix": _example} if {
	_at_risk
	input.review.object.kind != "Scale"
	some i, constraint in _zonal
	msg := _fault(constraint)
}

# METADATA
# title: Scaling would pile the pods up
# description: >-
#   Asked when the first replica gets company. More of what is there already is not
#   held up, so that an autoscaler can go on.
_finding contains {"msg": msg, "path": ["spec", "replicas"], "fix": fix} if {
	_at_risk
	input.review.object.kind == "Scale"
	not object.get(input.review, ["oldObject", "spec", "replicas"], 0) >= 2

	what := sprintf("%s %s", [_workload.kind, input.review.name])
	msg := sprintf("nothing spreads the pods of %s over zones, so the loss of one zone can take all of them", [what])
	fix := sprintf("give %s a constraint over zones before scaling it:\n%s", [what, _example])
}

default patch := []

# METADATA
# title: Constraints over zones and hosts are added
# description: A list, so that the one over zones comes first.
patch := array.concat(
	[_appended(_keys[0])],
	[_appended(hosts) |
		hosts := "kubernetes.io/hostname"
		not hosts in {constraint.topologyKey | some constraint in _constraints}
	],
) if {
	_needs_constraints
}

_path := ["spec", "template", "spec", "topologySpreadConstraints"]

default _keys := ["topology.kubernetes.io/zone"]

_keys := input.parameters.topologyKeys

default _accepted := ["DoNotSchedule", "ScheduleAnyway"]

_accepted := input.parameters.whenUnsatisfiable

# Two replicas or more that nothing keeps apart.
_at_risk if {
	_replicas
	_workload
	not _is_spread
}

# Whether one look shows a constraint that any number of replicas is spread by.
_is_plainly_spread if {
	constraints := input.review.object.spec.template.spec.topologySpreadConstraints
	is_array(constraints)
	some constraint in constraints
	constraint.topologyKey == _keys[0]
	constraint.maxSkew == 1
	constraint.whenUnsatisfiable in _accepted
	not constraint.labelSelector.matchExpressions
	labels := input.review.object.spec.template.metadata.labels
	is_object(labels)
	is_object(constraint.labelSelector.matchLabels)
	object.subset(labels, constraint.labelSelector.matchLabels)
}

_is_spread if {
	some constraint in _zonal
	not _fault(constraint)
}

# How many replicas there are at the least, where that is two or more.
_replicas := written if {
	written := input.review.object.spec.replicas
	written >= 2
	is_number(written)
} else := max(_autoscaled)

# What the autoscalers of the workload keep up at the least.
_autoscaled contains least if {
	some scaler in data.inventory.namespace[input.review.namespace]["autoscaling/v2"].HorizontalPodAutoscaler
	scaler.spec.scaleTargetRef.kind == input.review.object.kind
	scaler.spec.scaleTargetRef.name == input.review.object.metadata.name
	least := scaler.spec.minReplicas
	least >= 2
	is_number(least)
}

# The object, or what a Scale is the scale of.
_workload := input.review.object if input.review.object.kind != "Scale"

_workload := scaled if {
	input.review.object.kind == "Scale"
	kind := {"deployments": "Deployment", "statefulsets": "StatefulSet"}[input.review.resource.resource]
	scaled := data.inventory.namespace[input.review.namespace]["apps/v1"][kind][input.review.name]
}

default _constraints := []

_constraints := list if {
	list := _workload.spec.template.spec.topologySpreadConstraints
	is_array(list)
}

# The constraints over zones by their index.
_zonal[i] := constraint if {
	some i, constraint in _constraints
	constraint.topologyKey in _keys
}

default _labels := {}

_labels := labels if {
	labels := _workload.spec.template.metadata.labels
	is_object(labels)
}

# What is wrong with a constraint over zones; undefined if nothing is.
_fault(constraint) := "the constraint over zones selects none of the pods of this template, so it spreads nothing" if {
	not workload.selects(object.get(constraint, "labelSelector", null), _labels)
} else := "maxSkew of the constraint over zones is no number above zero" if {
	not _is_skew(object.get(constraint, "maxSkew", null))
} else := msg if {
	constraint.maxSkew >= _replicas
	msg := sprintf("maxSkew %v lets all %v replicas pile up in one zone", [constraint.maxSkew, _replicas])
} else := msg if {
	constraint.maxSkew > input.parameters.maxSkew
	msg := sprintf("maxSkew %v is more than the %v that is allowed", [constraint.maxSkew, input.parameters.maxSkew])
} else := msg if {
	not object.get(constraint, "whenUnsatisfiable", null) in _accepted
	msg := sprintf("whenUnsatisfiable is none of %s", [concat(", ", _accepted)])
}

_is_skew(value) if {
	is_number(value)
	value > 0
}

# A workload without any constraint over zones that can be given one.
_needs_constraints if {
	count(_zonal) == 0
	workload.pod_spec
	workload.selector
	type_name(object.get(input.review.object, _path, null)) in ["array", "null"]
	"ScheduleAnyway" in _accepted
}

_appended(key) := {
	"path": _path,
	"op": "append",
	"key": "topologyKey",
	"value": {
		"maxSkew": 1,
		"topologyKey": key,
		"whenUnsatisfiable": "ScheduleAnyway",
		"labelSelector": workload.selector,
	},
}

# A constraint that would hold, with the workload's own selector, and that keeps no
# pod from being placed where that is accepted.
_example := sprintf(
	"topologySpreadConstraints:\n- maxSkew: 1\n  topologyKey: %s\n  whenUnsatisfiable: %s\n  labelSelector: %s",
	[_keys[0], accepted[0], json.marshal(object.get(_workload, ["spec", "selector"], {}))],
) if {
	accepted := [value | some value in array.concat(["ScheduleAnyway"], _accepted); value in _accepted]
}
