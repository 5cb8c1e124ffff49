package lintel.required_labels_test

import data.lintel.required_labels

_defaults := {
	"labels": [{"key": "environment"}, {"key": "team"}, {"key": "service"}],
	"inherit": ["environment", "team"],
	"placeholders": [
		"none", "null", "nil", "todo", "tbd", "fixme", "changeme", "change-me",
		"unknown", "undefined", "n-a", "na",
	],
}

_labels := {"environment": "production", "team": "shop", "service": "web"}

_labelled := {"labels": _labels}

_pod := {"metadata": _labelled, "spec": {"containers": [{"name": "web"}]}}

# What is found in an object: "path: message".
_found(made, parameters) := {sprintf("%s: %s", [_dotted(v.path), v.msg]) | some v in violations} if {
	violations := required_labels.violation with input.review as _review(made)
		with input.parameters as object.union(_defaults, parameters)
}

_review(made) := {
	"object": made, "subResource": "",
	"kind": {"group": group, "kind": made.kind},
} if {
	[group, _] := split(made.apiVersion, "/")
} else := {"object": made, "subResource": "", "kind": {"group": "apps"}}

_dotted(path) := concat(".", [sprintf("%v", [step]) | some step in path])

_missing(path) := {sprintf("%s.%s: label %q is missing (cost reports group by it)", [path, key, key]) | some key in ["environment", "team", "service"]}

_carriers := object.union_n([
	{"Pod": object.union(_pod, {"kind": "Pod"})},
	{"PodTemplate": {"kind": "PodTemplate", "metadata": _labelled, "template": _pod}},
	{"CronJob": {"kind": "CronJob", "metadata": _labelled, "spec": {"jobTemplate": {"metadata": _labelled, "spec": {"template": _pod}}}}},
	{kind: {"kind": kind, "metadata": _labelled, "spec": {"template": _pod}} |
		some kind in ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "Rollout"]
	},
	{kind: {"kind": kind, "metadata": _labelled, "spec": {}} |
		some kind in ["Service", "Ingress", "PersistentVolumeClaim"]
	},
])

# Where each kind has labels.
_places := object.union_n([
	{kind: ["metadata", "spec.template.metadata"] |
		some kind in ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "Rollout"]
	},
	{kind: ["metadata"] | some kind in ["Pod", "Service", "Ingress", "PersistentVolumeClaim"]},
	{
		"PodTemplate": ["metadata", "template.metadata"],
		"CronJob": ["metadata", "spec.jobTemplate.metadata", "spec.jobTemplate.spec.template.metadata"],
	},
])

test_every_kind_with_all_labels[kind] if {
	some kind, made in _carriers
	got := _found(made, {})
	got == set()
}

test_every_kind_without_labels[kind] if {
	some kind, places in _places
	bare := json.remove(_carriers[kind], [concat("/", [replace(place, ".", "/"), "labels"]) | some place in places])
	got := _found(bare, {})
	got == union({_missing(concat(".", [place, "labels"])) | some place in places})
}

test_each_place_by_itself[name] if {
	some name, tc in {sprintf("%s %s", [kind, place]): {"kind": kind, "place": place} |
		some kind, places in _places
		some place in places
	}
	path := concat("/", ["", replace(tc.place, ".", "/"), "labels"])
	one := json.remove(_carriers[tc.kind], [concat("/", [path, "team"])])
	got := _found(one, {})
	got == {sprintf("%s.labels.team: label \"team\" is missing (cost reports group by it)", [tc.place])}
}

# A template that is not there, or is none, has no labels either.
test_template_that_is_none[name] if {
	some name, tc in {sprintf("%s with %v", [kind, spec]): {"kind": kind, "spec": spec} |
		some kind in ["ReplicationController", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job"]
		some spec in [{}, {"template": null}, {"template": "x"}, {"template": {"metadata": _bare, "spec": {"containers": null}}}]
	}

	got := _found({"kind": tc.kind, "metadata": _labelled, "spec": tc.spec}, {})
	got == _missing("spec.template.metadata.labels")
}

_bare := {"labels": {}}

_claims(list) := object.union(_carriers.StatefulSet, {"spec": {"volumeClaimTemplates": list}})

test_claim_templates[name] if {
	some name, tc in {
		"with labels": {"claims": [{"metadata": _labelled}], "want": set()},
		"the second without": {"claims": [{"metadata": _labelled}, {"metadata": {}}], "want": _missing("spec.volumeClaimTemplates.1.metadata.labels")},
		"null": {"claims": null, "want": set()},
		"text": {"claims": "x", "want": set()},
	}
	got := _found(_claims(tc.claims), {})
	got == tc.want
}

# A kind of the cloud whose name is that of a workload has no claim templates.
test_claim_templates_of_another_kind if {
	made := object.union(_carriers.Deployment, {"spec": {"volumeClaimTemplates": [{}]}})
	got := _found(made, {})
	got == set()
}

_team(value) := object.union(_carriers.Deployment, {"metadata": {"labels": {"team": value}}})

_team_is_missing := {"metadata.labels.team: label \"team\" is missing (cost reports group by it)"}

test_value_that_is_none[name] if {
	some name, value in {
		"null": null,
		"empty": "",
		"blank": " \t",
		"a no-break space": "\u00a0",
		"zero-width": "\u200b\u200d\ufeff",
		"marks of direction": "\u202e\u200f",
		"a number": 5,
		"an object": {},
		"a list": ["shop"],
		"true": true,
	}
	got := _found(_team(value), {})
	got == _team_is_missing
}

test_labels_that_are_none[name] if {
	some name, labels in {"absent": {}, "null": {"labels": null}, "text": {"labels": "team=shop"}, "a list": {"labels": ["team"]}}
	made := object.union(json.remove(_carriers.Deployment, ["/metadata"]), {"metadata": labels})
	got := _found(made, {})
	got == _missing("metadata.labels")
}

test_metadata_that_is_none[name] if {
	some name, metadata in {"null": null, "text": "x", "a list": []}
	made := object.union(json.remove(_carriers.Deployment, ["/metadata"]), {"metadata": metadata})
	got := _found(made, {})
	got == _missing("metadata.labels")
}

test_placeholder[name] if {
	some name, value in {
		"as it is": "none",
		"in capitals": "TODO",
		"with spaces": " tbd ",
		"with what cannot be seen": "to\u200bdo",
		"of a template": "changeme",
	}
	got := _found(_team(value), {})
	got == {sprintf("metadata.labels.team: label \"team\" is %q, which says nothing", [value])}
}

test_not_a_placeholder[value] if {
	some value in ["nonesuch", "unknown-pleasures", "42", "a"]
	got := _found(_team(value), {})
	got == set()
}

_only(regex) := {"labels": [{"key": "team", "allowedRegex": regex}]}

test_allowed_values[name] if {
	some name, tc in {
		"matches": {"value": "shop", "regex": "^(shop|search)$", "want": set()},
		"does not match": {
			"value": "shopping", "regex": "^(shop|search)$",
			"want": {"metadata.labels.team: label \"team\" is \"shopping\", which does not match ^(shop|search)$"},
		},
		"is matched in part, without anchors": {"value": "shopping", "regex": "shop", "want": set()},
		"is empty": {"value": "", "regex": "^shop$", "want": _team_is_missing},
		"is a number": {"value": 5, "regex": "^(5|shop)$", "want": _team_is_missing},
		"anything": {"value": "x1", "regex": "", "want": set()},
	}
	got := _found(_team(tc.value), _only(tc.regex))
	got == tc.want
}

# What object and template have in common is wrong in both.
test_same_value_everywhere[name] if {
	some name, tc in {
		"well": {"value": "shop", "want": 0},
		"blank": {"value": " ", "want": 2},
		"zero-width": {"value": "\u200b", "want": 2},
		"a placeholder": {"value": "None", "want": 2},
		"a number": {"value": 5, "want": 2},
		"null": {"value": null, "want": 2},
		"a boolean": {"value": true, "want": 2},
		"not allowed": {"value": "search", "want": 2, "any": 0},
		"begins with what is no letter": {"value": "-shop", "want": 0},
	}
	labels := {"metadata": {"labels": {"team": tc.value}}}
	made := object.union(_carriers.Deployment, object.union(labels, {"spec": {"template": labels}}))
	got := _found(made, _only("shop"))
	any := _found(made, {"labels": [{"key": "team"}]})
	count(got) == tc.want
	count(any) == object.get(tc, "any", tc.want)
}

# A template is looked at even where its object is well.
test_other_value_in_the_template[name] if {
	some name, tc in {
		"well": {"value": "search", "want": 0},
		"a placeholder": {"value": "todo", "want": 1},
		"blank": {"value": "", "want": 1},
		"null": {"value": null, "want": 1},
		"a number": {"value": 5, "want": 1},
	}
	made := object.union(_carriers.Deployment, {"spec": {"template": {"metadata": {"labels": {"team": tc.value}}}}})
	got := _found(made, {})
	alone := _found(made, _team_tag)
	count(got) == tc.want
	alone == got
}

# What is no template of its kind is not looked at in place of the one that is.
test_another_template[kind] if {
	some kind in ["PodTemplate", "CronJob"]
	made := object.union(_carriers[kind], {"spec": {"template": _pod}, "template": {"metadata": {"labels": {"team": ""}}}})
	bare := json.remove(made, ["/spec/jobTemplate/spec/template/metadata/labels/team"])
	got := _found(bare, {})
	count(got) == 1
}

test_allowed_values_of_every_place if {
	got := _found(_carriers.CronJob, _only("^search$"))
	count(got) == 3
}

# Parameters that nobody set silence nothing.
test_without_parameters if {
	made := object.union(_carriers.Deployment, {"metadata": {"labels": {"team": "todo", "service": ""}}})
	violations := required_labels.violation with input as {"review": {"object": made, "kind": {"group": "apps"}}}
	{v.path | some v in violations} == {["metadata", "labels", "team"], ["metadata", "labels", "service"]}
}

test_no_labels_are_asked_for if {
	got := _found({"kind": "Deployment"}, {"labels": []})
	got == set()
}

# Tags.

_cloud(api_version, kind, spec) := {"apiVersion": api_version, "kind": kind, "metadata": _labelled, "spec": spec}

_tag_missing(path) := {sprintf("%s: tag %q is missing (cost reports group by it)", [path, "team"])}

_team_tag := {"labels": [{"key": "team"}]}

test_cloud_kinds[name] if {
	karpenter := "karpenter.k8s.aws/v1"
	dynamodb := "dynamodb.services.k8s.aws/v1alpha1"
	s3 := "s3.services.k8s.aws/v1alpha1"
	crossplane := "s3.aws.upbound.io/v1beta1"
	some name, tc in {
		"Karpenter": {"made": _cloud(karpenter, "EC2NodeClass", {"tags": {"team": "shop"}}), "want": set()},
		"Karpenter without": {"made": _cloud(karpenter, "EC2NodeClass", {"tags": {"Team": "shop"}}), "want": _tag_missing("spec.tags.team")},
		"Karpenter without any": {"made": _cloud(karpenter, "EC2NodeClass", {}), "want": _tag_missing("spec.tags.team")},
		"Karpenter with a placeholder": {
			"made": _cloud(karpenter, "EC2NodeClass", {"tags": {"team": " None "}}),
			"want": {"spec.tags.team: tag \"team\" is \" None \", which says nothing"},
		},
		"Karpenter with text": {"made": _cloud(karpenter, "EC2NodeClass", {"tags": "team=shop"}), "want": {"tag"}},
		"ACK": {"made": _cloud(dynamodb, "Table", {"tags": [{"key": "team", "value": "shop"}]}), "want": set()},
		"ACK with other names": {"made": _cloud(dynamodb, "Table", {"tags": [{"tagKey": "team", "tagValue": "shop"}]}), "want": set()},
		"ACK without": {"made": _cloud(dynamodb, "Table", {"tags": [{"key": "cost", "value": "shop"}]}), "want": _tag_missing("spec.tags")},
		"ACK with a blank": {"made": _cloud(dynamodb, "Table", {"tags": [{"key": "team", "value": ""}]}), "want": _tag_missing("spec.tags")},
		"ACK with a null": {"made": _cloud(dynamodb, "Table", {"tags": [null, "team", {"key": "team"}, {"value": "shop"}]}), "want": _tag_missing("spec.tags")},
		"ACK with a tag twice": {"made": _cloud(dynamodb, "Table", {"tags": [{"key": "team", "value": ""}, {"key": "team", "value": "shop"}]}), "want": set()},
		"ACK bucket": {"made": _cloud(s3, "Bucket", {"tagging": {"tagSet": [{"key": "team", "value": "shop"}]}}), "want": set()},
		"ACK bucket with tags elsewhere": {"made": _cloud(s3, "Bucket", {"tags": {"team": "shop"}}), "want": {"tag"}},
		"Crossplane": {"made": _cloud(crossplane, "Bucket", {"forProvider": {"tags": {"team": "shop"}}}), "want": set()},
		"Crossplane without": {"made": _cloud(crossplane, "Bucket", {"tags": {"team": "shop"}}), "want": _tag_missing("spec.forProvider.tags.team")},
		"a tag that is not allowed": {
			"made": _cloud(karpenter, "EC2NodeClass", {"tags": {"team": "sales"}}),
			"parameters": {"labels": [{"key": "team", "allowedRegex": "^sh"}]}, "labels": {"team": "shop"},
			"want": {"spec.tags.team: tag \"team\" is \"sales\", which does not match ^sh"},
		},
		"no kind of a cloud": {"made": _cloud("networking.k8s.io/v1", "Ingress", {}), "want": set()},
	}
	got := _found(tc.made, object.get(tc, "parameters", _team_tag))
	_agrees(got, tc.want)
}

# Where no more is asked than that there is one finding about a tag.
_agrees(got, want) if got == want

_agrees(got, {"tag"}) if {
	count(got) == 1
	contains(concat("", got), "tag \"team\" is missing")
}

_annotated(key, value) := object.union(_carriers.Service, {"apiVersion": "v1", "metadata": {"annotations": {key: value}}})

_aws := "service.beta.kubernetes.io/aws-load-balancer-additional-resource-tags"

test_annotations[name] if {
	some name, tc in {
		"all": {"made": _annotated(_aws, "team=shop,cost=5"), "want": set()},
		"with spaces": {"made": _annotated(_aws, " cost = 5 , team = shop "), "want": set()},
		"with an equals sign": {"made": _annotated(_aws, "team=a=b"), "want": set()},
		"another": {"made": _annotated(_aws, "Team=shop"), "want": _tag_missing(sprintf("metadata.annotations.%s", [_aws]))},
		"empty": {"made": _annotated(_aws, ""), "want": _tag_missing(sprintf("metadata.annotations.%s", [_aws]))},
		"blank": {"made": _annotated(_aws, "team=\u200b"), "want": _tag_missing(sprintf("metadata.annotations.%s", [_aws]))},
		"twice": {"made": _annotated(_aws, "team=shop,team=search"), "want": set()},
		"of Azure": {
			"made": _annotated("service.beta.kubernetes.io/azure-pip-tags", "team"),
			"want": _tag_missing("metadata.annotations.service.beta.kubernetes.io/azure-pip-tags"),
		},
		"of an Ingress": {
			"made": object.union(_carriers.Ingress, {"metadata": {"annotations": {"alb.ingress.kubernetes.io/tags": "cost=1"}}}),
			"want": _tag_missing("metadata.annotations.alb.ingress.kubernetes.io/tags"),
		},
		"that are no text": {"made": _annotated(_aws, 5), "want": _tag_missing(sprintf("metadata.annotations.%s", [_aws]))},
		"of a kind that has no load balancer": {
			"made": object.union(_carriers.Job, {"metadata": {"annotations": {_aws: "cost=1"}}}),
			"want": set(),
		},
		"of what asks for no load balancer": {
			"made": object.union(_carriers.Deployment, {"metadata": {"annotations": {_aws: "cost=1"}}}),
			"want": set(),
		},
		"any other": {"made": _annotated("example.com/tags", "cost=1"), "want": set()},
		"annotations are null": {"made": object.union(_carriers.Service, {"metadata": {"annotations": null}}), "want": set()},
		"annotations are text": {"made": object.union(_carriers.Service, {"metadata": {"annotations": "x"}}), "want": set()},
	}
	got := _found(tc.made, _team_tag)
	got == tc.want
}

# Subresources.

test_status[name] if {
	some name, tc in {
		"of a pod": {"resource": "pods", "subResource": "status", "want": 3},
		"of another kind": {"resource": "deployments", "subResource": "status", "want": 6, "patches": 0},
		"the object itself": {"resource": "deployments", "subResource": "", "want": 6},
		"without the word": {"resource": "deployments", "want": 6},
	}
	made := {"kind": {"pods": "Pod", "deployments": "Deployment"}[tc.resource], "spec": {"template": {"spec": {"containers": []}}}}
	review := object.union(
		object.filter(tc, ["subResource"]),
		{
			"object": made, "kind": {"group": "apps"}, "resource": {"resource": tc.resource},
			"namespaceObject": {"metadata": {"labels": {"team": "shop"}}},
		},
	)
	violations := required_labels.violation with input.review as review with input.parameters as _defaults
	patches := required_labels.patch with input.review as review with input.parameters as _defaults
	count(violations) == tc.want
	count(patches) == object.get(tc, "patches", 1)
}

# Patches: "path op value".

_patched(made, namespace_labels, parameters) := {sprintf("%s %s %v", [_dotted(p.path), object.get(p, "op", "default"), p.value]) | some p in patches} if {
	patches := required_labels.patch with input.review as object.union(_review(made), {"namespaceObject": {"metadata": {"labels": namespace_labels}}})
		with input.parameters as object.union(_defaults, parameters)
}

_bare_deployment(labels, template_labels) := {
	"kind": "Deployment", "metadata": {"labels": labels},
	"spec": {"template": {"metadata": {"labels": template_labels}, "spec": {"containers": []}}},
}

test_patches_of_the_object[name] if {
	rest := {"environment": "production", "service": "web"}
	some name, tc in {
		"absent": {"labels": rest, "namespace": {"team": "shop"}, "want": {"metadata.labels.team default shop"}},
		"null": {"labels": object.union(rest, {"team": null}), "namespace": {"team": "shop"}, "want": {"metadata.labels.team default shop"}},
		"empty": {"labels": object.union(rest, {"team": ""}), "namespace": {"team": "shop"}, "want": {"metadata.labels.team set shop"}},
		"blank": {"labels": object.union(rest, {"team": " "}), "namespace": {"team": "shop"}, "want": {"metadata.labels.team set shop"}},
		"filled": {"labels": object.union(rest, {"team": "search"}), "namespace": {"team": "shop"}, "want": set()},
		"a placeholder is the author's": {"labels": object.union(rest, {"team": "todo"}), "namespace": {"team": "shop"}, "want": set()},
		"a wrong type is the author's": {"labels": object.union(rest, {"team": 5}), "namespace": {"team": "shop"}, "want": set()},
		"the namespace has a blank": {"labels": rest, "namespace": {"team": " "}, "want": set()},
		"the namespace has a placeholder": {"labels": rest, "namespace": {"team": "none"}, "want": set()},
		"the namespace has none": {"labels": rest, "namespace": {}, "want": set()},
		"service is never taken": {"labels": {"environment": "e", "team": "t"}, "namespace": {"service": "web"}, "want": set()},
		"labels are null": {"labels": null, "namespace": {"team": "shop"}, "want": {"metadata.labels.team default shop"}},
		"labels are text": {"labels": "x", "namespace": {"team": "shop"}, "want": set()},
	}
	got := _patched(_bare_deployment(tc.labels, _labels), tc.namespace, {})
	got == tc.want
}

test_patches_of_templates[name] if {
	rest := {"environment": "production", "service": "web"}
	some name, tc in {
		"absent": {"labels": rest, "want": {"spec.template.metadata.labels.team default shop"}},
		"empty": {"labels": object.union(rest, {"team": ""}), "want": {"spec.template.metadata.labels.team set shop"}},
		"filled": {"labels": object.union(rest, {"team": "search"}), "want": set()},
		"service is never taken": {"labels": {"environment": "e", "team": "t"}, "want": set()},
		"labels are null": {"labels": null, "want": {
			"spec.template.metadata.labels.environment default production",
			"spec.template.metadata.labels.team default shop",
		}},
		"labels are text": {"labels": "x", "want": set()},
	}
	got := _patched(_bare_deployment(_labels, tc.labels), {"team": "other"}, {})
	got == tc.want
}

# What says nothing is not handed down.
test_patches_of_templates_with_what_is_allowed[name] if {
	some name, tc in {
		"a placeholder": {"team": "todo", "want": set()},
		"not allowed": {"team": "search", "want": set()},
		"allowed": {"team": "shop", "want": {"spec.template.metadata.labels.team default shop"}},
	}
	made := _bare_deployment(object.union(_labels, {"team": tc.team}), {"environment": "production", "service": "web"})
	got := _patched(made, {}, {"labels": [{"key": "team", "allowedRegex": "^(shop|todo)$"}]})
	got == tc.want
}

test_no_patch_of_the_status_of_a_workload if {
	review := {
		"object": _bare_deployment({"team": ""}, {}), "subResource": "status", "kind": {"group": "apps"},
		"namespaceObject": {"metadata": {"labels": {"team": "shop"}}},
	}
	patches := required_labels.patch with input.review as review with input.parameters as _defaults
	patches == set()
}

test_nothing_to_inherit[name] if {
	some name, tc in {
		"inherit is empty": {"namespace": {"team": "shop"}, "parameters": {"inherit": []}},
		"a label that is not asked for": {"namespace": {"cost": "5"}, "parameters": {"inherit": ["cost"]}},
		"service, even where the parameter says so": {"namespace": {"service": "web"}, "parameters": {"inherit": ["service"]}},
	}
	got := _patched(_bare_deployment({}, {}), tc.namespace, tc.parameters)
	got == set()
}

test_patches_of_every_template[name] if {
	some name, tc in {
		"of a CronJob": {"kind": "CronJob", "without": ["/spec/jobTemplate/metadata/labels/team", "/spec/jobTemplate/spec/template/metadata/labels/team"], "want": {
			"spec.jobTemplate.metadata.labels.team default shop",
			"spec.jobTemplate.spec.template.metadata.labels.team default shop",
		}},
		"of a PodTemplate": {"kind": "PodTemplate", "without": ["/template/metadata/labels/team"], "want": {"template.metadata.labels.team default shop"}},
		"of a ReplicationController": {"kind": "ReplicationController", "without": ["/spec/template/metadata/labels/team"], "want": {"spec.template.metadata.labels.team default shop"}},
		"of a Job": {"kind": "Job", "without": ["/spec/template/metadata/labels/team"], "want": {"spec.template.metadata.labels.team default shop"}},
		"a Pod has none": {"kind": "Pod", "without": [], "want": set()},
	}
	got := _patched(json.remove(_carriers[tc.kind], tc.without), {}, {})
	got == tc.want
}

test_patches_of_claim_templates if {
	got := _patched(_claims([{"metadata": _labelled}, {"metadata": {"labels": {"service": "web", "environment": "e"}}}]), {}, {})
	got == {"spec.volumeClaimTemplates.1.metadata.labels.team default shop"}
}

# A label by which the object finds its pods is never added to them.
test_patches_leave_the_selector_alone[name] if {
	some name, tc in {
		"matchLabels": {"kind": "Deployment", "selector": {"matchLabels": {"team": "other"}}},
		"matchExpressions": {"kind": "Deployment", "selector": {"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}},
		"of a ReplicationController": {"kind": "ReplicationController", "selector": {"team": "other"}},
	}
	made := object.union(json.remove(_carriers[tc.kind], ["/spec/template/metadata/labels/team"]), {"spec": {"selector": tc.selector}})
	got := _patched(made, {}, {})
	got == set()
}

test_patches_beside_a_selector if {
	made := object.union(json.remove(_carriers.Deployment, ["/spec/template/metadata/labels/team"]), {"spec": {"selector": {"matchLabels": {"app": "web"}}}})
	got := _patched(made, {}, {})
	got == {"spec.template.metadata.labels.team default shop"}
}

test_tags_are_never_patched if {
	got := _patched(_cloud("karpenter.k8s.aws/v1", "EC2NodeClass", {}), {"team": "shop"}, {})
	got == set()
}

test_patches_where_parents_are_none[name] if {
	some name, tc in {
		"metadata is absent": {"without": ["/metadata"], "with": {}, "want": {"metadata.labels.environment default production"}},
		"metadata is null": {"without": ["/metadata"], "with": {"metadata": null}, "want": {"metadata.labels.environment default production"}},
		"metadata is text": {"without": ["/metadata"], "with": {"metadata": "x"}, "want": set()},
	}
	made := object.union(json.remove(_carriers.Deployment, tc.without), tc["with"])
	got := _patched(made, {"environment": "production"}, {})
	got == tc.want
}

test_patches_where_a_template_is_none[name] if {
	some name, template in {"a list": [], "text": "x", "metadata is a list": {"metadata": [], "spec": {"containers": []}}}
	got := _patched({"kind": "Deployment", "metadata": _labelled, "spec": {"template": template}}, {}, {})
	got == set()
}

test_quiet_about_a_deleted_object if {
	review := {"object": null, "namespaceObject": {"metadata": {"labels": _labels}}}
	patches := required_labels.patch with input.review as review with input.parameters as _defaults
	patches == set()
	found := required_labels.violation with input.review as review with input.parameters as _defaults
	found == set()
}

# A resource of a Terraform plan, as the plan is read.
_planned(spec) := {"apiVersion": "terraform.lintel.dev/v1", "kind": "aws_instance", "metadata": {"name": "aws_instance.web"}, "spec": spec}

_tagging(more) := object.union({"path": ["spec", "values", "tags"], "tags": _labels, "unknown": []}, more)

_without_team := {"environment": "production", "service": "web"}

test_planned_resources[name] if {
	some name, tc in {
		"all tags": {"spec": {"tagging": [_tagging({})]}, "want": set()},
		"a type without tags": {"spec": {}, "want": set()},
		"no spec": {"spec": null, "want": set()},
		"one is missing": {
			"spec": {"tagging": [_tagging({}), {"path": ["spec", "values", "tags"], "tags": _without_team, "unknown": []}]},
			"want": {"spec.values.tags.team: tag \"team\" is missing (cost reports group by it)"},
		},
		"it comes later": {"spec": {"tagging": [{"path": ["spec", "values", "tags"], "tags": _without_team, "unknown": ["team"]}]}, "want": set()},
		"another comes later": {
			"spec": {"tagging": [{"path": ["spec", "values", "tags"], "tags": _without_team, "unknown": ["name"]}]},
			"want": {"spec.values.tags.team: tag \"team\" is missing (cost reports group by it)"},
		},
		"all come later": {"spec": {"tagging": [{"path": ["spec", "values", "tags"], "tags": {}, "unknown": ["*"]}]}, "want": set()},
		"blank": {
			"spec": {"tagging": [_tagging({"tags": {"team": " "}})]},
			"want": {"spec.values.tags.team: tag \"team\" is missing (cost reports group by it)"},
		},
		"a placeholder": {
			"spec": {"tagging": [_tagging({"tags": {"team": "TODO"}})]},
			"want": {"spec.values.tags.team: tag \"team\" is \"TODO\", which says nothing"},
		},
		"in a list": {
			"spec": {"values": {"tag": [{"key": "team"}]}, "tagging": [{"path": ["spec", "values", "tag"], "tags": _without_team, "unknown": []}]},
			"want": {"spec.values.tag: tag \"team\" is missing (cost reports group by it)"},
		},
		"labels of its own": {
			"spec": {"values": {"tags": null}, "tagging": [{"path": ["spec", "values", "tags"], "tags": _without_team, "unknown": []}]},
			"want": {"spec.values.tags.team: tag \"team\" is missing (cost reports group by it)"},
		},
	}

	got := _found(_planned(tc.spec), {})
	got == tc.want
}

test_planned_resource_with_a_value_that_is_not_allowed if {
	got := _found(_planned({"tagging": [_tagging({})]}), {"labels": [{"key": "team", "allowedRegex": "^checkout$"}]})
	got == {"spec.values.tags.team: tag \"team\" is \"shop\", which does not match ^checkout$"}
}

test_planned_resources_are_never_patched if {
	got := _patched(_planned({"tagging": [_tagging({"tags": {}})]}), {"team": "shop"}, {})
	got == set()
}

test_fix_of_planned_resources if {
	made := _planned({"tagging": [{"path": ["spec", "values", "tags"], "tags": _without_team, "unknown": []}]})
	fixes := {v.fix | some v in required_labels.violation} with input.review as _review(made) with input.parameters as _defaults
	fixes == {"add the tag team, or give it to all resources by the defaults of the provider"}
}
