package lintel.topology_spread_test

import data.lintel.topology_spread

_zone := "topology.kubernetes.io/zone"

_path := ["spec", "template", "spec", "topologySpreadConstraints"]

_defaults := {"topologyKeys": [_zone], "whenUnsatisfiable": ["DoNotSchedule", "ScheduleAnyway"]}

# A Deployment with fields laid over its spec, and constraints in its template.
_deployment(fields, constraints) := {
	"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
	"spec": object.union(
		{
			"replicas": 3,
			"selector": {"matchLabels": {"app": "web"}},
			"template": {"metadata": {"labels": {"app": "web"}}, "spec": object.union({"containers": []}, constraints)},
		},
		fields,
	),
}

_spread_by(list) := {"topologySpreadConstraints": list}

_constraint := {
	"maxSkew": 1, "topologyKey": _zone, "whenUnsatisfiable": "ScheduleAnyway",
	"labelSelector": {"matchLabels": {"app": "web"}},
}

# What is found in an object, by path: messages.
_found(made, parameters, inventory) := {concat(".", [sprintf("%v", [step]) | some step in v.path]): v.msg | some v in violations} if {
	violations := topology_spread.violation with input.review as {"object": made, "namespace": "shop"}
		with input.parameters as object.union(_defaults, parameters)
		with data.inventory.namespace.shop as inventory
}

_patches(made, parameters) := patches if {
	patches := topology_spread.patch with input.review as {"object": made, "namespace": "shop"}
		with input.parameters as object.union(_defaults, parameters)
}

_nothing := "nothing spreads the 3 replicas over zones, so the loss of one zone can take all of them"

test_constraints_that_are_none[name] if {
	some name, value in {
		"absent": {},
		"null": _spread_by(null),
		"empty": _spread_by([]),
		"text": _spread_by("zone"),
		"an object": _spread_by({"a": _constraint}),
		"items of a wrong type": _spread_by([null, "zone", 5]),
		"over hosts only": _spread_by([object.union(_constraint, {"topologyKey": "kubernetes.io/hostname"})]),
		"without a key": _spread_by([object.remove(_constraint, ["topologyKey"])]),
		"a key that is null": _spread_by([object.union(_constraint, {"topologyKey": null})]),
	}

	got := _found(_deployment({}, value), {}, {})
	got == {"spec.template.spec.topologySpreadConstraints": _nothing}
}

test_replicas[name] if {
	some name, tc in {
		"absent": {"fields": {}, "want": 0},
		"null": {"fields": {"replicas": null}, "want": 0},
		"text": {"fields": {"replicas": "3"}, "want": 0},
		"none": {"fields": {"replicas": 0}, "want": 0},
		"one": {"fields": {"replicas": 1}, "want": 0},
		"two": {"fields": {"replicas": 2}, "want": 1},
	}

	made := _deployment({}, {})
	got := _found(object.union(object.remove(made, ["spec"]), {"spec": object.union(object.remove(made.spec, ["replicas"]), tc.fields)}), {}, {})
	count(got) == tc.want
}

test_autoscaler[name] if {
	some name, tc in {
		"its minimum counts": {"scaler": _scaler("Deployment", "web", 2), "want": 1},
		"a minimum of one": {"scaler": _scaler("Deployment", "web", 1), "want": 0},
		"a minimum that is null": {"scaler": _scaler("Deployment", "web", null), "want": 0},
		"a minimum that is text": {"scaler": _scaler("Deployment", "web", "2"), "want": 0},
		"no minimum": {"scaler": {"spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}}}, "want": 0},
		"of another kind": {"scaler": _scaler("StatefulSet", "web", 2), "want": 0},
		"of another workload": {"scaler": _scaler("Deployment", "db", 2), "want": 0},
		"without a spec": {"scaler": {}, "want": 0},
	}

	got := _found(_deployment({"replicas": 1}, {}), {}, {"autoscaling/v2": {"HorizontalPodAutoscaler": {"web": tc.scaler}}})
	count(got) == tc.want
}

_scaler(kind, name, least) := {"spec": {"scaleTargetRef": {"kind": kind, "name": name}, "minReplicas": least}}

test_constraint_that_holds[name] if {
	some name, changes in {
		"selects the pods": {},
		"really": {"whenUnsatisfiable": "DoNotSchedule"},
		"selects all pods": {"labelSelector": {"matchLabels": null}},
		"by an expression": {"labelSelector": {"matchLabels": null, "matchExpressions": [{"key": "app", "operator": "Exists"}]}},
		"of each revision by itself": {"matchLabelKeys": ["pod-template-hash"]},
		"maxSkew below the replicas": {"maxSkew": 2},
	}

	got := _found(_deployment({}, _spread_by([object.union(_constraint, changes)])), {}, {})
	got == {}
}

_selects_none := "the constraint over zones selects none of the pods of this template, so it spreads nothing"

test_constraint_that_does_not_hold[name] if {
	some name, tc in {
		"selects others": {"changes": {"labelSelector": {"matchLabels": {"app": "db"}}}, "want": _selects_none},
		"selects others by an expression": {
			"changes": {"labelSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}},
			"want": _selects_none,
		},
		"selector is null": {"changes": {"labelSelector": null}, "want": _selects_none},
		"selector is text": {"changes": {"labelSelector": "app=web"}, "want": _selects_none},
		"selector is absent": {"without": ["labelSelector"], "want": _selects_none},
		"only matchLabelKeys": {
			"changes": {"matchLabelKeys": ["app"]}, "without": ["labelSelector"],
			"want": _selects_none,
		},
		"maxSkew is absent": {"without": ["maxSkew"], "want": "maxSkew of the constraint over zones is no number above zero"},
		"maxSkew is null": {"changes": {"maxSkew": null}, "want": "maxSkew of the constraint over zones is no number above zero"},
		"maxSkew is text": {"changes": {"maxSkew": "1"}, "want": "maxSkew of the constraint over zones is no number above zero"},
		"maxSkew is zero": {"changes": {"maxSkew": 0}, "want": "maxSkew of the constraint over zones is no number above zero"},
		"maxSkew of all replicas": {"changes": {"maxSkew": 3}, "want": "maxSkew 3 lets all 3 replicas pile up in one zone"},
		"maxSkew of a million": {"changes": {"maxSkew": 1000000}, "want": "maxSkew 1000000 lets all 3 replicas pile up in one zone"},
		"maxSkew above the parameter": {
			"changes": {"maxSkew": 2}, "parameters": {"maxSkew": 1},
			"want": "maxSkew 2 is more than the 1 that is allowed",
		},
		"whenUnsatisfiable not accepted": {
			"parameters": {"whenUnsatisfiable": ["DoNotSchedule"]},
			"want": "whenUnsatisfiable is none of DoNotSchedule",
		},
		"whenUnsatisfiable is absent": {"without": ["whenUnsatisfiable"], "want": "whenUnsatisfiable is none of DoNotSchedule, ScheduleAnyway"},
		"whenUnsatisfiable is null": {"changes": {"whenUnsatisfiable": null}, "want": "whenUnsatisfiable is none of DoNotSchedule, ScheduleAnyway"},
	}

	changed := object.union(object.remove(_constraint, object.get(tc, "without", [])), object.get(tc, "changes", {}))
	hosts := object.union(_constraint, {"topologyKey": "kubernetes.io/hostname"})
	got := _found(_deployment({}, _spread_by([hosts, changed])), object.get(tc, "parameters", {}), {})
	got == {"spec.template.spec.topologySpreadConstraints.1": tc.want}
}

# A selector that is laid over another would be merged with it.
test_selects_other_pods_without_labels[name] if {
	some name, labels in {"absent": {}, "null": {"labels": null}, "text": {"labels": "app=web"}}
	made := {"kind": "Deployment", "spec": {
		"replicas": 2,
		"template": {"metadata": labels, "spec": _spread_by([_constraint])},
	}}
	got := _found(made, {}, {})
	got == {"spec.template.spec.topologySpreadConstraints.0": _selects_none}
}

test_one_constraint_over_zones_has_to_hold if {
	other := object.union(_constraint, {"labelSelector": {"matchLabels": {"app": "db"}}, "whenUnsatisfiable": "DoNotSchedule"})
	got := _found(_deployment({}, _spread_by([other, _constraint])), {}, {})
	got == {}
}

test_max_skew_of_the_parameter if {
	constraint := object.union(_constraint, {"maxSkew": 2})
	got := _found(_deployment({}, _spread_by([constraint])), {"maxSkew": 2}, {})
	got == {}
}

# What is judged is the request's object, not the one of its name in the inventory.
test_known_deployment if {
	violations := topology_spread.violation with input.review as {
		"object": _deployment({}, {}), "namespace": "shop", "name": "web", "resource": {"resource": "deployments"},
	}
		with input.parameters as _defaults
		with data.inventory.namespace.shop["apps/v1"].Deployment.web as _deployment({}, _spread_by([_constraint]))
	{v.msg | some v in violations} == {_nothing}
}

test_other_topology_keys if {
	constraint := object.union(_constraint, {"topologyKey": "example.com/rack"})
	made := _deployment({}, _spread_by([constraint]))
	_found(made, {"topologyKeys": ["example.com/rack"]}, {}) == {}
	count(_found(made, {}, {})) == 1
}

# Parameters that nobody set silence nothing.
test_without_parameters if {
	bare := topology_spread.violation with input as {"review": {"object": _deployment({}, {})}}
	{v.msg | some v in bare} == {_nothing}
	every v in bare {
		yaml.unmarshal(v.fix) == _spread_by([_constraint])
	}
	hard := object.union(_constraint, {"whenUnsatisfiable": "Never"})
	other := topology_spread.violation with input as {"review": {"object": _deployment({}, _spread_by([hard]))}}
	{v.msg | some v in other} == {"whenUnsatisfiable is none of DoNotSchedule, ScheduleAnyway"}
}

test_fix_is_a_constraint_that_holds if {
	violations := topology_spread.violation with input.review.object as _deployment({}, {})
		with input.parameters as {"topologyKeys": ["example.com/rack"], "whenUnsatisfiable": ["DoNotSchedule"]}
	fix := yaml.unmarshal([v.fix | some v in violations][0])
	fix == _spread_by([object.union(_constraint, {"topologyKey": "example.com/rack", "whenUnsatisfiable": "DoNotSchedule"})])
	_found(_deployment({}, fix), {"topologyKeys": ["example.com/rack"], "whenUnsatisfiable": ["DoNotSchedule"]}, {}) == {}
}

test_scale[name] if {
	some name, tc in {
		"from one to two": {"from": 1, "to": 2, "want": 1},
		"from none": {"from": 0, "to": 3, "want": 1},
		"from an absent number": {"from": null, "to": 3, "want": 1},
		"more of two": {"from": 2, "to": 3, "want": 0},
		"down": {"from": 3, "to": 1, "want": 0},
		"to an absent number": {"from": 1, "to": null, "want": 0},
		"of a StatefulSet": {"from": 1, "to": 2, "resource": "statefulsets", "want": 1},
		"of another kind": {"from": 1, "to": 2, "resource": "replicasets", "want": 0},
		"of what is not known": {"from": 1, "to": 2, "name": "new", "want": 0},
		"of what is spread": {"from": 1, "to": 2, "name": "spread", "want": 0},
		"of what is spread badly": {"from": 1, "to": 2, "name": "badly", "want": 1},
		"to the maxSkew of what is spread": {"from": 1, "to": 2, "name": "loosely", "want": 1},
	}

	got := _scaled(tc)
	count(got) == tc.want
	every v in got {
		v.path == ["spec", "replicas"]
		contains(v.msg, "nothing spreads the pods of ")
		contains(v.fix, "before scaling it:\ntopologySpreadConstraints:")
	}
}

_scaled(tc) := violations if {
	review := {
		"object": {"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {"replicas": tc.to}},
		"oldObject": {"spec": {"replicas": tc.from}},
		"resource": {"group": "apps", "version": "v1", "resource": object.get(tc, "resource", "deployments")},
		"subResource": "scale", "namespace": "shop", "name": object.get(tc, "name", "web"),
	}
	violations := topology_spread.violation with input.review as review
		with input.parameters as _defaults
		with data.inventory.namespace.shop["apps/v1"] as {
			"Deployment": {
				"web": _deployment({}, {}),
				"spread": _deployment({}, _spread_by([_constraint])),
				"badly": _deployment({}, _spread_by([object.union(_constraint, {"labelSelector": {"matchLabels": {"app": "db"}}})])),
				"loosely": _deployment({}, _spread_by([object.union(_constraint, {"maxSkew": 2})])),
			},
			"StatefulSet": {"web": object.union(_deployment({}, {}), {"kind": "StatefulSet"})},
		}
}

test_scale_without_an_old_object if {
	violations := topology_spread.violation with input.review as {
		"object": {"kind": "Scale", "spec": {"replicas": 2}}, "oldObject": null, "namespace": "shop", "name": "web",
		"resource": {"resource": "deployments"},
	}
		with input.parameters as _defaults
		with data.inventory.namespace.shop["apps/v1"].Deployment.web as _deployment({}, {})
	{v.msg | some v in violations} == {"nothing spreads the pods of Deployment web over zones, so the loss of one zone can take all of them"}
}

_appended(key) := {
	"path": _path, "op": "append", "key": "topologyKey",
	"value": object.union(_constraint, {"topologyKey": key}),
}

test_patch[name] if {
	hosts := object.union(_constraint, {"topologyKey": "kubernetes.io/hostname"})
	some name, tc in {
		"zones and hosts": {"made": _deployment({}, {}), "want": [_appended(_zone), _appended("kubernetes.io/hostname")]},
		"at one replica": {"made": _deployment({"replicas": 1}, {}), "want": [_appended(_zone), _appended("kubernetes.io/hostname")]},
		"hosts are there": {"made": _deployment({}, _spread_by([hosts])), "want": [_appended(_zone)]},
		"constraints of a wrong type": {"made": _deployment({}, _spread_by([null, "x"])), "want": [_appended(_zone), _appended("kubernetes.io/hostname")]},
		"constraints are null": {"made": _deployment({}, _spread_by(null)), "want": [_appended(_zone), _appended("kubernetes.io/hostname")]},
		"zones are there": {"made": _deployment({}, _spread_by([_constraint])), "want": []},
		"zones that select others": {
			"made": _deployment({}, _spread_by([object.union(_constraint, {"labelSelector": {"matchLabels": {"app": "db"}}})])),
			"want": [],
		},
		"constraints are text": {"made": _deployment({}, _spread_by("zone")), "want": []},
		"no selector": {"made": _deployment({"selector": null}, {}), "want": []},
		"no template": {"made": _deployment({"template": null}, {}), "want": []},
		"a Scale": {"made": {"kind": "Scale", "spec": {"replicas": 2, "selector": {}}}, "want": []},
		"another key": {
			"made": _deployment({}, {}), "parameters": {"topologyKeys": ["example.com/rack"]},
			"want": [_appended("example.com/rack"), _appended("kubernetes.io/hostname")],
		},
		"of skew one, whatever is accepted": {
			"made": _deployment({}, {}), "parameters": {"maxSkew": 5},
			"want": [_appended(_zone), _appended("kubernetes.io/hostname")],
		},
		"ScheduleAnyway is not accepted": {
			"made": _deployment({}, {}), "parameters": {"whenUnsatisfiable": ["DoNotSchedule"]},
			"want": [],
		},
	}

	got := _patches(tc.made, object.get(tc, "parameters", {}))
	got == tc.want
}

test_quiet_about_nothing[name] if {
	some name, made in {
		"a deleted object": null,
		"no spec": {"kind": "Deployment"},
		"spec is text": {"kind": "Deployment", "spec": "x"},
		"metadata is text": {"kind": "Deployment", "metadata": "x", "spec": {"replicas": 1}},
	}

	got := _found(made, {}, {"autoscaling/v2": {"HorizontalPodAutoscaler": {"web": _scaler("Deployment", "web", 2)}}})
	patches := _patches(made, {})
	got == {}
	patches == []
}
