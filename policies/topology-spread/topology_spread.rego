# METADATA
# title: Topology spread
# description: >-
#   A workload of two replicas or more survives the loss of a zone: a constraint
#   spreads its pods over zones, and really selects them. Where there is none, one
#   over zones and one over hosts are patched in, at one replica too, so that scaling
#   finds them there. A constraint that selects other pods is not repaired, since
#   nobody but its author knows what it was meant for.
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
#           The highest maxSkew that is accepted, and that of patches. Without it any
#           that is less than the number of replicas is, and patches have 1.
#         type: integer
#         minimum: 1
#       whenUnsatisfiable:
#         description: The values of whenUnsatisfiable that are accepted.
#         type: array
#         minItems: 1
#         default: [DoNotSchedule, ScheduleAnyway]
#         items: {type: string, enum: [DoNotSchedule, ScheduleAnyway]}
package lintel.topology_spread

_path := ["spec", "template", "spec", "topologySpreadConstraints"]

_kinds := {"Deployment", "StatefulSet"}

# METADATA
# title: Nothing spreads the pods over zones
violation contains {"msg": msg, "path": _path, "fix": fix} if {
	input.review.object.kind in _kinds
	_replicas >= 2
	count(_over_zones(input.review.object)) == 0

	msg := sprintf("nothing spreads the %d replicas over zones, so the loss of one zone can take all of them", [_replicas])
	fix := _example
}

# METADATA
# title: No constraint on zones holds
violation contains {"msg": msg, "path": array.concat(_path, [i]), "fix": fix} if {
	input.review.object.kind in _kinds
	_replicas >= 2
	constraints := _over_zones(input.review.object)
	every constraint in constraints {
		_fault(constraint, input.review.object)
	}
	some i, constraint in constraints
	msg := _fault(constraint, input.review.object)
	fix := _example
}

# METADATA
# title: Scaling would pile the pods up
# description: >-
#   Asked when the first replica gets company; more of what is there already is not
#   held up, so that an autoscaler can go on.
violation contains {"msg": msg, "path": ["spec", "replicas"], "fix": fix} if {
	input.review.object.kind == "Scale"
	input.review.object.spec.replicas >= 2
	not object.get(input.review, ["oldObject", "spec", "replicas"], 0) >= 2
	kind := {"deployments": "Deployment", "statefulsets": "StatefulSet"}[input.review.resource.resource]
	scaled := data.inventory.namespace[input.review.namespace]["apps/v1"][kind][input.review.name]
	not _is_spread(scaled)

	msg := sprintf("nothing spreads the pods of %s %s over zones, so the loss of one zone can take all of them", [kind, input.review.name])
	fix := sprintf("add a topologySpreadConstraint over zones to the %s before scaling it:\n%s", [kind, _example])
}

# METADATA
# title: A constraint over zones is added
patch contains _constraint(input.parameters.topologyKeys[0]) if _needs_zones

# METADATA
# title: A constraint over hosts is added
patch contains _constraint("kubernetes.io/hostname") if {
	_needs_zones
	not "kubernetes.io/hostname" in {key | key := _constraints(input.review.object)[_].topologyKey}
}

_needs_zones if {
	input.review.object.kind in _kinds
	is_object(input.review.object.spec.selector)
	count(_over_zones(input.review.object)) == 0
}

_constraint(key) := {
	"path": _path,
	"op": "append",
	"key": "topologyKey",
	"value": {
		"maxSkew": object.get(input.parameters, "maxSkew", 1),
		"topologyKey": key,
		"whenUnsatisfiable": "ScheduleAnyway",
		"labelSelector": input.review.object.spec.selector,
	},
}

# How many replicas there are at the least.
_replicas := max({_written_replicas} | _autoscaled_replicas)

_written_replicas := input.review.object.spec.replicas if {
	is_number(input.review.object.spec.replicas)
} else := 1

_autoscaled_replicas contains least if {
	_written_replicas < 2
	some scaler in data.inventory.namespace[input.review.namespace]["autoscaling/v2"].HorizontalPodAutoscaler
	scaler.spec.scaleTargetRef.kind == input.review.object.kind
	scaler.spec.scaleTargetRef.name == input.review.object.metadata.name
	least := scaler.spec.minReplicas
}

_constraints(workload) := workload.spec.template.spec.topologySpreadConstraints if {
	is_array(workload.spec.template.spec.topologySpreadConstraints)
} else := []

# The constraints on zones by their index.
_over_zones(workload) := {i: constraint |
	some i, constraint in _constraints(workload)
	constraint.topologyKey in input.parameters.topologyKeys
}

_is_spread(workload) if {
	some constraint in _over_zones(workload)
	not _selects_none(constraint, workload)
}

# What is wrong with a constraint on zones; undefined if nothing is.
_fault(constraint, workload) := "the constraint over zones selects none of the pods of this template, so it spreads nothing" if {
	_selects_none(constraint, workload)
} else := msg if {
	constraint.maxSkew > input.parameters.maxSkew
	msg := sprintf("maxSkew %v of the constraint over zones is more than the %v that is allowed", [constraint.maxSkew, input.parameters.maxSkew])
} else := msg if {
	constraint.maxSkew >= _replicas
	msg := sprintf("maxSkew %v lets all %d replicas pile up in one zone", [constraint.maxSkew, _replicas])
} else := msg if {
	not object.get(constraint, "whenUnsatisfiable", "") in input.parameters.whenUnsatisfiable
	msg := sprintf("whenUnsatisfiable of the constraint over zones is none of %s", [concat(", ", input.parameters.whenUnsatisfiable)])
}

# A selector that is absent selects no pod, an empty one all of them.
_selects_none(constraint, _) if not is_object(object.get(constraint, "labelSelector", null))

_selects_none(constraint, workload) if {
	some key, value in constraint.labelSelector.matchLabels
	object.get(_labels(workload), key, null) != value
}

_selects_none(constraint, workload) if {
	some requirement in constraint.labelSelector.matchExpressions
	not _meets(requirement, _labels(workload))
}

_labels(workload) := workload.spec.template.metadata.labels if {
	is_object(workload.spec.template.metadata.labels)
} else := {}

_meets(requirement, labels) if {
	requirement.operator == "In"
	labels[requirement.key] in requirement.values
}

_meets(requirement, labels) if {
	requirement.operator == "NotIn"
	not object.get(labels, requirement.key, null) in object.get(requirement, "values", [])
}

_meets(requirement, labels) if {
	requirement.operator == "Exists"
	requirement.key in object.keys(labels)
}

_meets(requirement, labels) if {
	requirement.operator == "DoesNotExist"
	not requirement.key in object.keys(labels)
}

_example := `topologySpreadConstraints:
- maxSkew: 1
  topologyKey: topology.kubernetes.io/zone
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: …  # those of the pods`
