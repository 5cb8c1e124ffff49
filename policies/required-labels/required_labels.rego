# METADATA
# title: Required labels
# description: >-
#   Everything that costs money says whose it is and what for. The object carries
#   the labels and so do the templates that it makes pods, jobs and claims from,
#   because cost tools read those; the tags that a cloud gets are held to the same
#   list. Labels that the namespace has are taken from there.
# custom:
#   severity: medium
#   category: cost
#   enforcement: deny
#   match:
#     kinds:
#       - apiGroups: [""]
#         kinds: [Pod, PodTemplate, ReplicationController, Service, PersistentVolumeClaim]
#       - apiGroups: [apps]
#         kinds: [Deployment, ReplicaSet, StatefulSet, DaemonSet]
#       - apiGroups: [batch]
#         kinds: [Job, CronJob]
#       - apiGroups: [networking.k8s.io]
#         kinds: [Ingress]
#       - apiGroups: [karpenter.k8s.aws]
#         kinds: [EC2NodeClass]
#       - apiGroups: [rds.services.k8s.aws]
#         kinds: [DBInstance, DBCluster]
#       - apiGroups: [s3.services.k8s.aws]
#         kinds: [Bucket]
#       - apiGroups: [dynamodb.services.k8s.aws]
#         kinds: [Table]
#       - apiGroups: [elasticache.services.k8s.aws]
#         kinds: [CacheCluster, ReplicationGroup]
#       - apiGroups: [ec2.services.k8s.aws]
#         kinds: [Instance, NATGateway]
#       - apiGroups: [eks.services.k8s.aws]
#         kinds: [Cluster, Nodegroup]
#       - apiGroups: [lambda.services.k8s.aws]
#         kinds: [Function]
#       - apiGroups: [opensearchservice.services.k8s.aws]
#         kinds: [Domain]
#       - apiGroups: [rds.aws.upbound.io, rds.aws.m.upbound.io]
#         kinds: [Instance, Cluster, ClusterInstance]
#       - apiGroups: [s3.aws.upbound.io, s3.aws.m.upbound.io]
#         kinds: [Bucket]
#       - apiGroups: [dynamodb.aws.upbound.io, dynamodb.aws.m.upbound.io]
#         kinds: [Table]
#       - apiGroups: [elasticache.aws.upbound.io, elasticache.aws.m.upbound.io]
#         kinds: [Cluster, ReplicationGroup]
#       - apiGroups: [ec2.aws.upbound.io, ec2.aws.m.upbound.io]
#         kinds: [Instance, NATGateway]
#       - apiGroups: [eks.aws.upbound.io, eks.aws.m.upbound.io]
#         kinds: [Cluster, NodeGroup]
#       - apiGroups: [lambda.aws.upbound.io, lambda.aws.m.upbound.io]
#         kinds: [Function]
#     subresources: ["", status]
#     operations: [CREATE, UPDATE]
#   parameters:
#     type: object
#     properties:
#       labels:
#         description: The labels, and what their values have to look like.
#         type: array
#         default: [{key: environment}, {key: team}, {key: service}]
#         items:
#           type: object
#           required: [key]
#           properties:
#             key: {type: string, minLength: 1}
#             allowedRegex:
#               description: An RE2 expression that some part of the value must match; anchor it with ^ and $.
#               type: string
#       inherit:
#         description: >-
#           The labels that are taken from the namespace, and from the object for its
#           templates. A label that Services select by does not belong here.
#         type: array
#         default: [environment, team]
#         items: {type: string}
#       placeholders:
#         description: Values that stand for none, in lower case.
#         type: array
#         default: [none, "null", nil, todo, tbd, fixme, changeme, change-me, unknown, undefined, n/a, na]
#         items: {type: string}
package lintel.required_labels

import data.lintel.workload

# METADATA
# title: A label is missing
violation contains {"msg": msg, "path": array.concat(place.path, [label.key]), "fix": fix} if {
	some place in _places
	some label in input.parameters.labels
	not _is_filled(object.get(place.labels, label.key, ""))

	msg := sprintf("label %q is missing (cost reports group by it)", [label.key])
	fix := sprintf("labels:\n  %s: …", [label.key])
}

# METADATA
# title: A label is a placeholder
violation contains {"msg": msg, "path": array.concat(place.path, [label.key]), "fix": fix} if {
	some place in _places
	some label in input.parameters.labels
	value := place.labels[label.key]
	lower(value) in input.parameters.placeholders

	msg := sprintf("label %q is %q, which says nothing", [label.key, value])
	fix := sprintf("give label %q its real value", [label.key])
}

# METADATA
# title: A label has a value that is not allowed
violation contains {"msg": msg, "path": array.concat(place.path, [label.key]), "fix": fix} if {
	some label in input.parameters.labels
	some place in _places
	label.allowedRegex != ""
	value := place.labels[label.key]
	_is_filled(value)
	not regex.match(label.allowedRegex, value)

	msg := sprintf("label %q is %q, which does not match %s", [label.key, value, label.allowedRegex])
	fix := sprintf("give label %q a value that matches %s", [label.key, label.allowedRegex])
}

# METADATA
# title: A cloud tag is missing
violation contains {"msg": msg, "path": path, "fix": fix} if {
	some place in _tagged
	some label in input.parameters.labels
	not _is_filled(object.get(place.tags, label.key, ""))

	msg := sprintf("tag %q is missing (cost reports group by it)", [label.key])
	path := array.concat(place.path, [key | some key in [label.key]; place.open])
	fix := sprintf("add the tag %s to those that the cloud gets", [label.key])
}

# METADATA
# title: A cloud tag is a placeholder
violation contains {"msg": msg, "path": place.path, "fix": fix} if {
	some place in _tagged
	some label in input.parameters.labels
	value := place.tags[label.key]
	lower(value) in input.parameters.placeholders

	msg := sprintf("tag %q is %q, which says nothing", [label.key, value])
	fix := sprintf("give tag %q its real value", [label.key])
}

# METADATA
# title: A cloud tag has a value that is not allowed
violation contains {"msg": msg, "path": place.path, "fix": fix} if {
	some place in _tagged
	some label in input.parameters.labels
	label.allowedRegex != ""
	value := place.tags[label.key]
	_is_filled(value)
	not regex.match(label.allowedRegex, value)

	msg := sprintf("tag %q is %q, which does not match %s", [label.key, value, label.allowedRegex])
	fix := sprintf("give tag %q a value that matches %s", [label.key, label.allowedRegex])
}

# METADATA
# title: The object takes labels from its namespace
patch contains {"path": ["metadata", "labels", key], "op": "set", "value": value} if {
	input.review.object.kind != "Namespace"
	some label in input.parameters.labels
	key := label.key
	key in input.parameters.inherit
	value := input.review.namespaceObject.metadata.labels[key]
	_is_filled(value)
	not _is_filled(object.get(input.review.object, ["metadata", "labels", key], ""))
}

# METADATA
# title: Templates take labels from their object
patch contains {"path": array.concat(place.path, [key]), "op": "set", "value": value} if {
	some place in _templates
	some label in input.parameters.labels
	key := label.key
	key in input.parameters.inherit
	value := input.review.object.metadata.labels[key]
	_is_filled(value)
	not _is_filled(object.get(place.labels, key, ""))
	not _selects(key)
}

# The object and all that it makes others from, with the labels of each.
_places := array.concat([_place(["metadata"])], _templates)

_templates := [_place(path) |
	some path in array.concat(_template_paths, _claim_paths)
]

_template_paths := [["spec", "template", "metadata"]] if {
	input.review.object.kind in {"ReplicationController", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job"}
} else := [["template", "metadata"]] if {
	input.review.object.kind == "PodTemplate"
} else := [
	["spec", "jobTemplate", "metadata"],
	["spec", "jobTemplate", "spec", "template", "metadata"],
] if {
	input.review.object.kind == "CronJob"
} else := [array.concat(workload.pod_path, ["metadata"])] if {
	input.review.object.kind != "Pod"
	workload.pod_spec
} else := []

_claim_paths := [["spec", "volumeClaimTemplates", i, "metadata"] |
	some i, _ in input.review.object.spec.volumeClaimTemplates
	input.review.object.kind == "StatefulSet"
]

_place(path) := {
	"path": array.concat(path, ["labels"]),
	"labels": _object(object.get(input.review.object, array.concat(path, ["labels"]), {})),
}

_object(value) := value if is_object(value)

_object(value) := {} if not is_object(value)

# A value that is more than white space, zero-width characters included.
_is_filled(value) if {
	is_string(value)
	trim(value, " \t\r\n\u00a0\u200b\u200c\u200d\u2060\ufeff") != ""
}

# A label that the object selects its own pods by must not be added to them alone.
_selects(key) if key in object.keys(input.review.object.spec.selector.matchLabels)

# Where cloud tags are: in annotations as a=b,c=d, and in the specs of cloud kinds.
_tagged contains {"path": ["metadata", "annotations", key], "tags": tags, "open": false} if {
	some key in [
		"service.beta.kubernetes.io/aws-load-balancer-additional-resource-tags",
		"service.beta.kubernetes.io/azure-pip-tags",
		"alb.ingress.kubernetes.io/tags",
	]
	text := input.review.object.metadata.annotations[key]
	tags := {name: value |
		some pair in split(text, ",")
		[left, right] := split(pair, "=")
		name := trim_space(left)
		value := trim_space(right)
	}
}

_tagged contains {"path": ["spec", "tags"], "tags": tags, "open": true} if {
	regex.match(`\.services\.k8s\.aws/|^karpenter\.k8s\.aws/`, input.review.object.apiVersion)
	tags := _tags(object.get(input.review.object, ["spec", "tags"], {}))
}

_tagged contains {"path": ["spec", "forProvider", "tags"], "tags": tags, "open": true} if {
	regex.match(`\.aws\.(m\.)?upbound\.io/`, input.review.object.apiVersion)
	tags := _tags(object.get(input.review.object, ["spec", "forProvider", "tags"], {}))
}

# Some kinds have tags as an object, some as a list of key and value.
_tags(tags) := tags if is_object(tags)

_tags(tags) := {name: value |
	some tag in tags
	some name_field in ["key", "tagKey"]
	name := tag[name_field]
	some value_field in ["value", "tagValue"]
	value := tag[value_field]
} if {
	is_array(tags)
}

_tags(tags) := {} if {
	not is_object(tags)
	not is_array(tags)
}
