package lintel.workload_test

import data.lintel.workload

_pod := {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web"}]}}

_carried(kind, spec) := {"kind": kind, "spec": spec}

_carriers := object.union_n([
	{"Pod": object.union(_pod, {"kind": "Pod"})},
	{"PodTemplate": {"kind": "PodTemplate", "template": _pod}},
	{"CronJob": _carried("CronJob", {"jobTemplate": {"spec": {"template": _pod}}})},
	{kind: _carried(kind, {"template": _pod}) |
		some kind in ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "Service"]
	},
])

test_same_pod_in_every_carrier[kind] if {
	some kind, made in _carriers
	path := workload.pod_path with input.review.object as made
	spec := workload.pod_spec with input.review.object as made
	labels := workload.pod_labels with input.review.object as made
	containers := workload.containers with input.review.object as made
	spec == _pod.spec
	labels == {"app": "web"}
	_at(made, path, "spec") == spec
	containers == [{"container": {"name": "web"}, "list": "containers", "index": 0, "sidecar": false}]
}

_at(made, path, key) := object.get(made, array.concat(path, [key]), null)

test_makes_pods[kind] if {
	some kind, made in _carriers
	got := [made_pods | made_pods := workload.makes_pods with input.review.object as made]
	got == [true | kind != "Pod"]
}

test_containers_that_are_none_hide_no_others if {
	made := _carried("Deployment", {"template": {"spec": {"containers": null, "initContainers": [{"name": "setup"}]}}})
	containers := workload.resourceful_containers with input.review.object as made
	_names(containers) == {"setup"}
}

# A kind whose template is elsewhere has none in spec.template.
test_template_beside[kind] if {
	some kind in ["Pod", "PodTemplate", "CronJob"]
	other := {"spec": {"template": {"metadata": {"labels": {"app": "other"}}, "spec": {"containers": []}}}}
	labels := workload.pod_labels with input.review.object as object.union(other, _carriers[kind])
	labels == {"app": "web"}
}

test_no_pod[name] if {
	some name, made in {
		"a Service": {"kind": "Service", "spec": {"ports": []}},
		"no spec": {"kind": "Deployment"},
		"spec is null": {"kind": "Pod", "spec": null},
		"spec is text": {"kind": "Pod", "spec": "x"},
		"template is a list": {"kind": "Deployment", "spec": {"template": []}},
		"containers of a kind that is not built in are no list": {"kind": "Service", "spec": {"template": {"spec": {"containers": "x"}}}},
		"a deleted object": null,
	}

	containers := workload.containers with input.review.object as made
	lasting := workload.lasting_containers with input.review.object as made
	labels := workload.pod_labels with input.review.object as made
	containers == []
	lasting == []
	labels == {}
	not _has_spec(made)
	not _runs_for_long(made)
}

_has_spec(made) if {
	workload.pod_spec with input.review.object as made
}

_runs_for_long(made) if {
	workload.runs_for_long with input.review.object as made
}

test_labels_that_are_none[name] if {
	some name, metadata in {
		"absent": {},
		"null": {"labels": null},
		"a list": {"labels": ["app"]},
	}

	labels := workload.pod_labels with input.review.object as object.union(_pod, {"kind": "PodTemplate", "template": {"metadata": metadata, "spec": {}}})
	labels == {}
}

test_every_list_of_containers if {
	made := {"kind": "Pod", "spec": {
		"initContainers": [{"name": "setup"}, {"name": "proxy", "restartPolicy": "Always"}, {"name": "odd", "restartPolicy": 1}],
		"containers": [{"name": "web"}],
		"ephemeralContainers": [{"name": "shell"}],
	}}
	containers := workload.containers with input.review.object as made
	resourceful := workload.resourceful_containers with input.review.object as made
	lasting := workload.lasting_containers with input.review.object as made
	_names(containers) == {"setup", "proxy", "odd", "web", "shell"}
	_names(resourceful) == {"setup", "proxy", "odd", "web"}
	_names(lasting) == {"proxy", "web"}
	{found.container.name | some found in containers; found.sidecar} == {"proxy"}
	every found in containers {
		path := workload.path(found, ["name"]) with input.review.object as made
		object.get(made, path, null) == found.container.name
	}
}

_names(list) := {found.container.name | some found in list}

test_lists_that_are_none[name] if {
	some name, value in {"absent": "-", "null": null, "text": "x", "a number": 5}
	lists := {list: value | some list in ["containers", "initContainers", "ephemeralContainers"]; value != "-"}
	containers := workload.containers with input.review.object as {"kind": "Pod", "spec": lists}
	containers == []
}

test_runs_for_long[name] if {
	some name, tc in {
		"absent": {"spec": {}, "want": true},
		"null": {"spec": {"restartPolicy": null}, "want": true},
		"Always": {"spec": {"restartPolicy": "Always"}, "want": true},
		"another type": {"spec": {"restartPolicy": 5}, "want": true},
		"OnFailure": {"spec": {"restartPolicy": "OnFailure"}, "want": false},
		"Never": {"spec": {"restartPolicy": "Never"}, "want": false},
	}

	got := _runs({"kind": "Pod", "spec": tc.spec})
	got == tc.want
}

test_jobs_end[kind] if {
	some kind in ["Job", "CronJob"]
	not _runs_for_long(_carriers[kind])
}

test_all_others_stay[kind] if {
	some kind in (object.keys(_carriers) - {"Job", "CronJob"})
	_runs_for_long(_carriers[kind])
}

_runs(made) if _runs_for_long(made)

_runs(made) := false if not _runs_for_long(made)

test_selector[name] if {
	some name, tc in {
		"of a Deployment": {"object": _selecting("Deployment", {"matchLabels": {"app": "web"}}), "want": [{"matchLabels": {"app": "web"}}]},
		"of a ReplicationController": {"object": _selecting("ReplicationController", {"app": "web"}), "want": [{"matchLabels": {"app": "web"}}]},
		"absent": {"object": _carried("Deployment", {"template": _pod}), "want": []},
		"null": {"object": _selecting("Deployment", null), "want": []},
		"text": {"object": _selecting("ReplicationController", "app=web"), "want": []},
		"of a Service, which makes no pods": {"object": _carried("Service", {"selector": {"app": "web"}}), "want": []},
	}

	got := [selector | selector := workload.selector with input.review.object as tc.object]
	got == tc.want
}

_selecting(kind, selector) := _carried(kind, {"template": _pod, "selector": selector})

test_selects[name] if {
	some name, tc in {
		"nil": {"selector": null, "want": false},
		"text": {"selector": "app=web", "want": false},
		"empty": {"selector": {}, "want": true},
		"null parts": {"selector": {"matchLabels": null, "matchExpressions": null}, "want": true},
		"its labels": {"selector": {"matchLabels": {"app": "web"}}, "want": true},
		"another value": {"selector": {"matchLabels": {"app": "db"}}, "want": false},
		"another label": {"selector": {"matchLabels": {"tier": "web"}}, "want": false},
		"one of two": {"selector": {"matchLabels": {"app": "web", "tier": "x"}}, "want": false},
		"labels of a wrong type": {"selector": {"matchLabels": ["app"]}, "want": false},
		"labels that are text": {"selector": {"matchLabels": "app=web"}, "want": false},
		"expressions that are text": {"selector": {"matchExpressions": "app"}, "want": false},
		"expressions of a wrong type": {"selector": {"matchExpressions": {"app": "web"}}, "want": false},
		"In": {"selector": _expression("app", "In", ["web", "db"]), "want": true},
		"In others": {"selector": _expression("app", "In", ["db"]), "want": false},
		"In without a label": {"selector": _expression("tier", "In", ["db"]), "want": false},
		"In without values": {"selector": _expression("app", "In", null), "want": false},
		"NotIn": {"selector": _expression("app", "NotIn", ["db"]), "want": true},
		"NotIn with it": {"selector": _expression("app", "NotIn", ["web"]), "want": false},
		"NotIn without a label": {"selector": _expression("tier", "NotIn", ["web"]), "want": true},
		"NotIn without values": {"selector": _expression("app", "NotIn", null), "want": false},
		"Exists": {"selector": _expression("app", "Exists", null), "want": true},
		"Exists not": {"selector": _expression("tier", "Exists", null), "want": false},
		"DoesNotExist": {"selector": _expression("tier", "DoesNotExist", null), "want": true},
		"DoesNotExist but does": {"selector": _expression("app", "DoesNotExist", null), "want": false},
		"empty value": {"selector": _expression("blank", "Exists", null), "want": true},
		"unknown operator": {"selector": _expression("app", "Gt", ["1"]), "want": false},
		"no operator": {"selector": {"matchExpressions": [{"key": "app"}]}, "want": false},
		"no key": {"selector": {"matchExpressions": [{"operator": "DoesNotExist"}]}, "want": false},
		"an expression of a wrong type": {"selector": {"matchExpressions": ["app"]}, "want": false},
		"one of two expressions": {
			"selector": {"matchExpressions": [
				{"key": "app", "operator": "Exists"},
				{"key": "tier", "operator": "Exists"},
			]},
			"want": false,
		},
	}

	got := _selects(tc.selector, {"app": "web", "blank": ""})
	got == tc.want
}

_expression(key, operator, values) := {"matchExpressions": [{"key": key, "operator": operator, "values": values}]}

_selects(selector, labels) if workload.selects(selector, labels)

_selects(selector, labels) := false if not workload.selects(selector, labels)
