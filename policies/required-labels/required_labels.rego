# METADATA
# title: Required labels
# description: >-
#   Everything that costs money says whose it is and what for. The object carries
#   the labels and so do the templates that it makes pods, jobs and claims from,
#   because cost tools read those; the tags that a cloud gets are held to the same
#   list, and so are those of each resource in a Terraform plan whose type can carry
#   them. Labels that the namespace has are taken from there.
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
#       - apiGroups: [karpenter.azure.com]
#         kinds: [AKSNodeClass]
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
#       - apiGroups: [sql.azure.upbound.io, sql.azure.m.upbound.io]
#         kinds: [MSSQLServer, MSSQLDatabase]
#       - apiGroups: [dbforpostgresql.azure.upbound.io, dbforpostgresql.azure.m.upbound.io]
#         kinds: [FlexibleServer]
#       - apiGroups: [cache.azure.upbound.io, cache.azure.m.upbound.io]
#         kinds: [RedisCache]
#       - apiGroups: [storage.azure.upbound.io, storage.azure.m.upbound.io]
#         kinds: [Account]
#       - apiGroups: [containerservice.azure.upbound.io, containerservice.azure.m.upbound.io]
#         kinds: [KubernetesCluster, KubernetesClusterNodePool]
#       - apiGroups: [compute.azure.upbound.io, compute.azure.m.upbound.io]
#         kinds: [LinuxVirtualMachine, WindowsVirtualMachine]
#       - apiGroups: [terraform.lintel.dev]
#         kinds: ["*"]
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
#           Those of the labels that an object takes from its namespace, and its
#           templates from it. The label service is never taken, since a Service that
#           selects by it would take in the pods.
#         type: array
#         default: [environment, team]
#         items: {type: string}
#       placeholders:
#         description: Values that say nothing, in lower case.
#         type: array
#         default: [none, "null", nil, todo, tbd, fixme, changeme, change-me, unknown, undefined, n-a, na]
#         items: {type: string}
package lintel.required_labels

import data.lintel.workload

# METADATA
# title: What is wrong
# description: Nothing, where one look shows that all is well; else what the rules find.
violation contains finding if {
	input.review.object != null # nothing is asked of what is deleted
	not _is_plainly_well
	some finding in _finding
}

# METADATA
# title: A label or tag is missing
_finding contains {"msg": msg, "path": _path(place, label.key), "fix": fix} if {
	some place in _suspects
	some label in _required
	_essence(object.get(place.values, label.key, "")) == ""
	not _comes_later(place, label.key)

	msg := sprintf("%s %q is missing (cost reports group by it)", [place.word, label.key])
	fix := _advice(place, label.key)
}

# METADATA
# title: A label or tag is a placeholder
_finding contains {"msg": msg, "path": _path(place, label.key), "fix": fix} if {
	some place in _suspects
	some label in _required
	value := place.values[label.key]
	_essence(value) in _placeholders

	msg := sprintf("%s %q is %q, which says nothing", [place.word, label.key, value])
	fix := sprintf("give the %s %s its real value", [place.word, label.key])
}

# METADATA
# title: A label or tag has a value that is not allowed
_finding contains {"msg": msg, "path": _path(place, label.key), "fix": fix} if {
	some place in _suspects
	some label in _required
	pattern := label.allowedRegex
	value := place.values[label.key]
	_says_something(value)
	not regex.match(pattern, value)

	msg := sprintf("%s %q is %q, which does not match %s", [place.word, label.key, value, pattern])
	fix := sprintf("give the %s %s a value that matches %s", [place.word, label.key, pattern])
}

# METADATA
# title: The object takes labels from its namespace
patch contains {"path": _path(place, label.key), "op": op, "value": value} if {
	not _is_plainly_well
	some place in _suspects
	place.of == "object"
	some label in _inherited
	value := input.review.namespaceObject.metadata.labels[label.key]
	_is_allowed(value, label)
	op := _op(place, label.key)
}

# METADATA
# title: Templates take labels from their object
# description: >-
#   Labels that the object selects its pods by are left alone, lest it select
#   others than it makes.
patch contains {"path": _path(place, label.key), "op": op, "value": value} if {
	not _is_plainly_well
	some place in _suspects
	place.of == "template"
	some label in _inherited
	value := input.review.object.metadata.labels[label.key]
	_is_allowed(value, label)
	op := _op(place, label.key)
	not _selects_by(label.key)
}

default _required := [{"key": "environment"}, {"key": "team"}, {"key": "service"}]

_required := input.parameters.labels

default _placeholders := ["none", "todo"]

_placeholders := input.parameters.placeholders

_inherited := [label |
	some label in _required
	label.key in input.parameters.inherit
	label.key != "service"
]

# The places where something may be wrong.
_suspects := _planned if {
	input.review.object.apiVersion == "terraform.lintel.dev/v1"
} else := array.concat(_labelled, _tagged)

# Whether the object and its template have the same good values. What has more
# templates, or tags, takes another look, and so do values that are rare. What is
# read here is read where it stands, and what is dear is called once a label.
_is_plainly_well if {
	input.review.object.kind in ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"]
	not input.review.object.spec.volumeClaimTemplates
	labels := input.review.object.metadata.labels
	templates := input.review.object.spec.template.metadata.labels
	required := input.parameters.labels
	well := [1 |
		some label in required
		value := labels[label.key]
		templates[label.key] == value
		is_string(value)
		regex.match(`^[0-9A-Za-z]`, value)
		not lower(value) in input.parameters.placeholders
	]
	count(well) == count(required)
	not _is_disallowed
}

# Whether the object has a label with another value than those allowed. Asked only
# where all labels are texts.
_is_disallowed if {
	some label in _required
	pattern := label.allowedRegex
	value := input.review.object.metadata.labels[label.key]
	not regex.match(pattern, value)
}

_is_allowed(value, label) if {
	_says_something(value)
	regex.match(object.get(label, "allowedRegex", ""), value)
}

_says_something(value) if {
	text := _essence(value)
	text != ""
	not text in _placeholders
}

# What is left of a value without white space and what cannot be seen, in lower
# case. A value that is no text has nothing to it.
_essence(value) := lower(regex.replace(value, `[\p{Z}\p{C}\x{115F}\x{1160}\x{2800}\x{3164}\x{FFA0}]`, "")) if {
	is_string(value)
} else := ""

# All that has labels or tags, with what it is called there and, where a patch may
# add some, whose they are.
_labelled := array.concat([{"word": "label", "of": "object", "path": ["metadata", "labels"], "open": true, "values": _labels}], _templates)

_tagged := array.concat(_annotations, _fields)

default _labels := {}

_labels := labels if {
	labels := input.review.object.metadata.labels
	is_object(labels)
}

_templates := [_template(path) | some path in _template_paths]

_template(path) := {"word": "label", "of": "template", "path": array.concat(path, ["labels"]), "open": true, "values": values} if {
	values := object.get(input.review.object, array.concat(path, ["labels"]), {})
	is_object(values)
} else := {"word": "label", "of": "template", "path": array.concat(path, ["labels"]), "open": true, "values": {}}

default _template_paths := []

_template_paths := [array.concat(workload.pod_path, ["metadata"])] if {
	not input.review.object.kind in ["Pod", "CronJob", "StatefulSet"]
	workload.makes_pods
}

_template_paths := [["spec", "jobTemplate", "metadata"], ["spec", "jobTemplate", "spec", "template", "metadata"]] if {
	input.review.object.kind == "CronJob"
}

_template_paths := array.concat([["spec", "template", "metadata"]], claims) if {
	input.review.object.kind == "StatefulSet"
	claims := [["spec", "volumeClaimTemplates", i, "metadata"] |
		some i, _ in input.review.object.spec.volumeClaimTemplates
	]
}

# The tags of a resource in a Terraform plan, where the plan has read them together
# with what the provider adds.
_planned := [place |
	some tagging in input.review.object.spec.tagging
	open := type_name(object.get(input.review.object, tagging.path, null)) != "array"
	place := {"word": "tag", "of": "plan", "path": tagging.path, "open": open, "values": tagging.tags, "later": tagging.unknown}
]

# Whether a tag has a value that is known only once the plan is applied, or that
# nobody shall see: it is there, and no more can be said of it.
_comes_later(place, key) if key in place.later

_comes_later(place, _) if "*" in place.later

# Annotations from which controllers take the tags of load balancers, as a=b,c=d.
_annotations := [place |
	input.review.object.kind in ["Service", "Ingress"]
	annotations := input.review.object.metadata.annotations
	some key in [
		"service.beta.kubernetes.io/aws-load-balancer-additional-resource-tags",
		"service.beta.kubernetes.io/azure-pip-tags",
		"alb.ingress.kubernetes.io/tags",
	]
	text := annotations[key]
	place := {"word": "tag", "of": "cloud", "path": ["metadata", "annotations", key], "open": false, "values": _pairs(text)}
]

_pairs(text) := object.union_n([{trim_space(parts[0]): trim_space(concat("=", array.slice(parts, 1, count(parts))))} |
	is_string(text)
	some pair in split(text, ",")
	parts := split(pair, "=")
])

# The tags of what a cloud is asked for through an object.
default _fields := []

_fields := [{"word": "tag", "of": "cloud", "path": path, "open": not_a_list, "values": _tags(tags)}] if {
	contains(input.review.kind.group, ".")
	path := _tags_path(input.review.kind.group)
	tags := object.get(input.review.object, path, {})
	not_a_list := is_object(tags)
}

_tags_path("s3.services.k8s.aws") := ["spec", "tagging", "tagSet"]

_tags_path(group) := ["spec", "tags"] if {
	regex.match(`^karpenter\.(k8s\.aws|azure\.com)$|\.services\.k8s\.aws$`, group)
	group != "s3.services.k8s.aws"
}

_tags_path(group) := ["spec", "forProvider", "tags"] if {
	regex.match(`\.(aws|azure)\.((m\.)?upbound|crossplane)\.io$`, group)
}

# Some kinds have their tags as an object, some as a list of key and value.
_tags(tags) := tags if is_object(tags)

_tags(tags) := object.union_n([{name: value} |
	some tag in tags
	some [name_field, value_field] in [["key", "value"], ["tagKey", "tagValue"]]
	name := tag[name_field]
	value := tag[value_field]
]) if {
	not is_object(tags)
}

_path(place, key) := array.concat(place.path, [key]) if place.open

_path(place, _) := place.path if not place.open

# What is absent is added, what is blank is replaced, and what is there is the
# author's. Undefined where there is nothing to do or nowhere to do it.
_op(place, key) := "default" if {
	_is_open(place)
	object.get(place.values, key, null) == null
}

_op(place, key) := "set" if {
	_is_open(place)
	is_string(place.values[key])
	_essence(place.values[key]) == ""
}

# Whether all that leads to the labels is there, or can be made.
_is_open(place) if {
	is_object(input.review.object)
	type_name(object.get(input.review.object, place.path, null)) in ["object", "null"]
	every i, step in place.path {
		_takes(object.get(input.review.object, array.slice(place.path, 0, i), null), step)
	}
	not _is_status_of_workload
}

# The item of a list is there already; all else leads through objects.
_takes(_, step) if is_number(step)

_takes(parent, _) if type_name(parent) in ["object", "null"]

# The status of a pod is where its labels can be changed as well; that of a workload
# keeps them.
_is_status_of_workload if {
	input.review.subResource == "status"
	input.review.object.kind != "Pod"
}

_selects_by(key) if workload.selector.matchLabels[key]

_selects_by(key) if {
	some requirement in workload.selector.matchExpressions
	requirement.key == key
}

_advice(place, key) := sprintf("add the tag %s to those that the cloud gets", [key]) if place.of == "cloud"

_advice(place, key) := sprintf("add the tag %s, or give it to all resources by the defaults of the provider", [key]) if {
	place.of == "plan"
}

_advice(place, key) := sprintf("add the label %s, or give it to the namespace for all that is in it", [key]) if {
	place.word == "label"
	key in _inheritable
} else := sprintf("add the label %s", [key]) if {
	place.word == "label"
}

_inheritable := [label.key | some label in _inherited]
