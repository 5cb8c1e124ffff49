package lintel.resources_test

import data.lintel.resources

_defaults := {"requireCpuLimit": false}

_good := {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "128Mi"}}

_container(amounts) := {"name": "web", "resources": amounts}

_deployment(spec) := {
	"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
	"spec": {"template": {"spec": spec}},
}

_of(amounts) := _deployment({"containers": [_container(amounts)]})

# What is found in an object, by the path below the first container's resources, or
# by the whole path.
_found(made, parameters) := {[_short(v.path), v.msg] | some v in violations} if {
	violations := resources.violation with input.review as {"object": made, "namespace": "shop"}
		with input.parameters as parameters
}

_short(path) := trim_prefix(concat(".", [sprintf("%v", [step]) | some step in path]), "spec.template.spec.containers.0.resources.")

_paths(found) := {path | some [path, _] in found}

_no_cpu := ["requests.cpu", "no cpu request, so it is placed where there may be no time for it"]

_no_memory := ["requests.memory", "no memory request, so it is placed where there may be no room for it"]

_no_limit := ["limits.memory", "no memory limit, so a leak takes the node down with it"]

_nothing := {_no_cpu, _no_memory, _no_limit}

test_amounts_that_are_missing[name] if {
	some name, tc in {
		"none": {"amounts": {}, "want": _nothing},
		"null": {"amounts": null, "want": _nothing},
		"text": {"amounts": "1", "want": _nothing},
		"a list": {"amounts": [1], "want": _nothing},
		"requests are null": {"amounts": {"requests": null, "limits": {"memory": "1Gi"}}, "want": {_no_cpu}},
		"requests are text": {"amounts": {"requests": "1", "limits": {"memory": "1Gi"}}, "want": {_no_cpu}},
		"only requests": {"amounts": {"requests": {"cpu": 1, "memory": "1Gi"}}, "want": {_no_limit}},
		"only cpu": {"amounts": {"requests": {"cpu": 1}, "limits": {"cpu": 1}}, "want": {_no_memory, _no_limit}},
		"amounts are null": {
			"amounts": {"requests": {"cpu": null, "memory": null}, "limits": {"cpu": null, "memory": null}},
			"want": _nothing,
		},
		"none of other resources": {
			"amounts": {"requests": {"nvidia.com/gpu": 0}, "limits": {"nvidia.com/gpu": "none"}},
			"want": _nothing,
		},
		"other resources": {"amounts": {"requests": {"nvidia.com/gpu": 1}, "limits": {"nvidia.com/gpu": 1}}, "want": _nothing},
	}

	got := _found(_of(tc.amounts), _defaults)
	got == tc.want
}

# One at a time, beside others that are well.
test_amounts_below_zero[path] if {
	some path in ["requests.cpu", "requests.memory", "limits.cpu", "limits.memory"]
	[what, resource] := split(path, ".")
	got := _found(_of(object.union(_good, {what: {resource: "-1"}})), _defaults)
	_paths(got) == {path}
}

test_containers_that_are_none[name] if {
	some name, tc in {
		"null": {"container": null, "want": 3},
		"text": {"container": "web", "want": 3},
		"without resources": {"container": {"name": "web"}, "want": 3},
	}

	got := _found(_deployment({"containers": [tc.container]}), _defaults)
	count(got) == tc.want
}

test_a_limit_stands_in_for_its_request if {
	_found(_of({"limits": {"cpu": "1", "memory": "1Gi"}}), _defaults) == set()
	_found(_of({"limits": {"memory": "1Gi"}}), _defaults) == {_no_cpu}
}

test_forms_of_amounts[name] if {
	some name, tc in {
		"milli": {"amount": "100m", "want": true},
		"nano": {"amount": "500n", "want": true},
		"micro": {"amount": "500u", "want": true},
		"exponent": {"amount": "1e3", "want": true},
		"binary": {"amount": "1Ei", "want": true},
		"fraction": {"amount": "0.5", "want": true},
		"bare fraction": {"amount": ".5", "want": true},
		"sign": {"amount": "+1", "want": true},
		"space": {"amount": " 1", "want": true},
		"integer": {"amount": 2, "want": true},
		"float": {"amount": 0.5, "want": true},
		"zero": {"amount": "0", "want": false},
		"zero as a number": {"amount": 0, "want": false},
		"zero with a suffix": {"amount": "0Mi", "want": false},
		"negative": {"amount": "-1", "want": false},
		"empty": {"amount": "", "want": false},
		"lots": {"amount": "lots", "want": false},
		"a unit that OPA knows": {"amount": "1K", "want": false},
		"a boolean": {"amount": true, "want": false},
		"an object": {"amount": {}, "want": false},
		"a list": {"amount": ["1"], "want": false},
	}

	every at in [["requests", "cpu"], ["requests", "memory"], ["limits", "memory"], ["limits", "cpu"]] {
		amounts := object.union(_good, {at[0]: {at[1]: tc.amount}})
		_paths(_found(_of(amounts), _defaults)) == {path | not tc.want; path := concat(".", at)}
	}
}

test_false_is_no_amount if {
	_paths(_found(_of(object.union(_good, {"requests": {"cpu": false}})), _defaults)) == {"requests.cpu"}
	_paths(_found(_of(object.union(_good, {"limits": {"memory": false}})), _defaults)) == {"limits.memory"}
}

# Each amount counts where all the others are right, the limit of cpu among them.
test_one_amount_of_four[name] if {
	full := object.union(_good, {"limits": {"cpu": 1}})
	some name, at in {"cpu": ["requests", "cpu"], "memory": ["requests", "memory"], "limit": ["limits", "memory"], "cpu limit": ["limits", "cpu"]}
	_found(_of(full), _defaults) == set()
	got := _found(_of(object.union(full, {at[0]: {at[1]: "0"}})), _defaults)
	_paths(got) == {concat(".", at)}
}

test_amounts_are_shown[name] if {
	some name, tc in {
		"text": {"amount": "lots", "want": `the cpu request is "lots", which is no amount above zero`},
		"a number": {"amount": -1, "want": "the cpu request is -1, which is no amount above zero"},
		"another type": {"amount": [1], "want": "the cpu request is array, which is no amount above zero"},
	}

	got := _found(_of(object.union(_good, {"requests": {"cpu": tc.amount}})), _defaults)
	got == {["requests.cpu", tc.want]}
}

# A request of nothing is no request, whatever its limit says.
test_zero_is_not_made_up_for if {
	amounts := {"requests": {"cpu": 0, "memory": "1Gi"}, "limits": {"cpu": 1, "memory": "1Gi"}}
	_paths(_found(_of(amounts), _defaults)) == {"requests.cpu"}
}

test_the_pod_as_a_whole[name] if {
	some name, tc in {
		"requests and limits": {"pod": _good, "want": set()},
		"limits stand in": {"pod": {"limits": {"cpu": 1, "memory": "1Gi"}}, "want": set()},
		"requests only": {"pod": {"requests": {"cpu": 1, "memory": "1Gi"}}, "want": {_no_limit}},
		"cpu only": {"pod": {"requests": {"cpu": 1}}, "want": {_no_memory, _no_limit}},
		"zero": {"pod": {"requests": {"cpu": 0}, "limits": {"memory": "0"}}, "want": _nothing},
		"null": {"pod": null, "want": _nothing},
		"text": {"pod": "1", "want": _nothing},
	}

	got := _found(_deployment({"resources": tc.pod, "containers": [{"name": "web"}]}), _defaults)
	got == tc.want
}

test_lists[name] if {
	some name, tc in {
		"an init container": {"list": "initContainers", "container": {"name": "x"}, "want": 3},
		"a sidecar": {"list": "initContainers", "container": {"name": "x", "restartPolicy": "Always"}, "want": 3},
		"an ephemeral container": {"list": "ephemeralContainers", "container": {"name": "x"}, "want": 0},
	}

	violations := resources.violation with input.review.object as _deployment({"containers": [_container(_good)], tc.list: [tc.container]})
		with input.parameters as _defaults
	count(violations) == tc.want
	every v in violations {
		array.slice(v.path, 0, 5) == ["spec", "template", "spec", tc.list, 0]
	}
}

test_carriers[kind] if {
	pod := {"spec": {"containers": [{"name": "web"}]}}
	template := "spec.template.spec.containers.0"
	some kind, tc in {
		"Pod": {"object": object.union(pod, {"kind": "Pod"}), "want": "spec.containers.0"},
		"PodTemplate": {"object": {"kind": "PodTemplate", "template": pod}, "want": "template.spec.containers.0"},
		"CronJob": {
			"object": {"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": pod}}}},
			"want": "spec.jobTemplate.spec.template.spec.containers.0",
		},
		"Job": {"object": {"kind": "Job", "spec": {"template": pod}}, "want": template},
		"DaemonSet": {"object": {"kind": "DaemonSet", "spec": {"template": pod}}, "want": template},
		"StatefulSet": {"object": {"kind": "StatefulSet", "spec": {"template": pod}}, "want": template},
		"ReplicaSet": {"object": {"kind": "ReplicaSet", "spec": {"template": pod}}, "want": template},
		"ReplicationController": {"object": {"kind": "ReplicationController", "spec": {"template": pod}}, "want": template},
	}

	violations := resources.violation with input.review.object as tc.object
	paths := {concat(".", [sprintf("%v", [step]) | some step in v.path]) | some v in violations}
	paths == {sprintf("%s.resources.%s", [tc.want, at]) | some [at, _] in _nothing}
}

# What is no template of its kind is not looked at in place of the one that is.
test_another_template if {
	made := {"kind": "Pod", "spec": {"containers": [{"name": "web"}], "template": {"spec": {"containers": [_container(_good)]}}}}
	count(_found(made, _defaults)) == 3
}

test_cpu_limit[name] if {
	some name, tc in {
		"absent": {"amounts": {}, "want": {["limits.cpu", "no cpu limit, which this cluster asks for"]}},
		"there": {"amounts": {"limits": {"cpu": 1}}, "want": set()},
		"the pod's": {"pod": {"limits": {"cpu": 1}}, "amounts": {}, "want": set()},
	}

	made := _deployment({"containers": [_container(object.union(_good, tc.amounts))], "resources": object.get(tc, "pod", {})})
	_found(made, _defaults) == set()
	got := _found(made, {"requireCpuLimit": true})
	got == tc.want
}

test_minimum[name] if {
	some name, tc in {
		"less": {"amounts": _good, "want": {["requests.memory", "the memory request is less than the 256Mi that is asked for"]}},
		"as much": {"amounts": object.union(_good, {"requests": {"memory": "268435456"}}), "want": set()},
		"more": {"amounts": object.union(_good, {"requests": {"memory": "0.5Gi"}}), "want": set()},
		"a limit stands in": {
			"amounts": {"requests": {"cpu": 1}, "limits": {"memory": "100m"}},
			"want": {["requests.memory", "the memory request is less than the 256Mi that is asked for"]},
		},
		"nothing": {"amounts": {"requests": {"cpu": 1}}, "want": {_no_memory, _no_limit}},
		"zero is no amount, and so not a small one": {
			"amounts": object.union(_good, {"requests": {"memory": "0"}}),
			"want": {["requests.memory", "the memory request is \"0\", which is no amount above zero"]},
		},
	}

	got := _found(_of(tc.amounts), {"minimum": {"memory": "256Mi"}})
	got == tc.want
}

test_maximum[name] if {
	some name, tc in {
		"less": {"amounts": _good, "want": set()},
		"as much": {"amounts": object.union(_good, {"limits": {"cpu": "2000m"}}), "want": set()},
		"a limit": {
			"amounts": object.union(_good, {"limits": {"cpu": "2001m"}}),
			"want": {["limits.cpu", "the cpu limit is more than the 2 that is allowed"]},
		},
		"a request": {
			"amounts": object.union(_good, {"requests": {"cpu": 64}}),
			"want": {["requests.cpu", "the cpu request is more than the 2 that is allowed"]},
		},
	}

	got := _found(_of(tc.amounts), {"maximum": {"cpu": 2}})
	got == tc.want
}

test_ratio[name] if {
	some name, tc in {
		"twice": {"limit": "256Mi", "want": set()},
		"more": {"limit": "257Mi", "want": {["limits.memory", "the memory limit is more than 2 times the request"]}},
	}

	got := _found(_of({"requests": {"cpu": 1, "memory": "128Mi"}, "limits": {"memory": tc.limit}}), {"maxLimitRequestRatio": {"memory": 2}})
	got == tc.want
}

test_ratio_to_nothing if {
	got := _found(_of({"requests": {"cpu": 1, "memory": 0}, "limits": {"memory": "1Gi"}}), {"maxLimitRequestRatio": {"memory": 2}})
	_paths(got) == {"requests.memory"}
}

test_ratio_of_a_limit_alone if {
	_found(_of({"limits": {"cpu": 1, "memory": "1Gi"}}), {"maxLimitRequestRatio": {"cpu": 1, "memory": 1}}) == set()
}

# What bounds the amounts of a container bounds those of the pod.
test_bounds_of_the_pod_as_a_whole[name] if {
	some name, tc in {
		"minimum": {"parameters": {"minimum": {"cpu": "2"}}, "want": {"spec.template.spec.resources.requests.cpu"}},
		"maximum": {"parameters": {"maximum": {"memory": "1Gi"}}, "want": {"spec.template.spec.resources.limits.memory"}},
		"ratio": {"parameters": {"maxLimitRequestRatio": {"memory": 1.5}}, "want": {"spec.template.spec.resources.limits.memory"}},
	}

	amounts := {"requests": {"cpu": 1, "memory": "1Gi"}, "limits": {"memory": "2Gi"}}
	got := _found(_deployment({"resources": amounts, "containers": [{"name": "web"}]}), tc.parameters)
	_paths(got) == tc.want
}

# Parameters that nobody set silence nothing.
test_without_parameters if {
	violations := resources.violation with input as {"review": {"object": _of({})}}
	count(violations) == 3
}

test_every_violation_says_how_to_put_it_right[name] if {
	some name, tc in {
		"missing": {"amounts": {}, "want": "resources:\n  requests:\n    cpu: 100m"},
		"no amount": {"amounts": object.union(_good, {"requests": {"cpu": 0}}), "want": "resources:\n  requests:\n    cpu: 100m"},
		"too small": {"amounts": object.union(_good, {"requests": {"cpu": "1m"}}), "want": "resources:\n  requests:\n    cpu: 10m"},
		"too large": {"amounts": object.union(_good, {"limits": {"cpu": 9}}), "want": "resources:\n  limits:\n    cpu: 8"},
		"ratio": {
			"amounts": object.union(_good, {"limits": {"cpu": 8}}),
			"want": "bring the cpu limit down to 10 times the request, or raise the request to what is used",
		},
	}

	violations := resources.violation with input.review.object as _of(tc.amounts)
		with input.parameters as {"minimum": {"cpu": "10m"}, "maximum": {"cpu": 8}, "maxLimitRequestRatio": {"cpu": 10}}
	tc.want in {v.fix | some v in violations}
}

_autoscaler(target, measured) := {
	"metadata": {"name": "web"},
	"spec": {"targetRef": target},
	"status": {"recommendation": {"containerRecommendations": measured}},
}

_web := {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}

_measured := [{"containerName": "web", "target": {"cpu": "25m", "memory": "262144k"}, "upperBound": {"cpu": "9"}}]

# What is patched into the first container: path below its resources, and value.
_patched(made, parameters, scaler) := {[_short(p.path), p.value] | some p in patches; object.get(p, "op", "default") == "default"} if {
	patches := resources.patch with input.review as {"object": made, "namespace": "shop"}
		with input.parameters as parameters
		with data.inventory.namespace.shop["autoscaling.k8s.io/v1"].VerticalPodAutoscaler.any as scaler
}

test_requests_are_what_was_measured[name] if {
	both := {["requests.cpu", "25m"], ["requests.memory", "262144k"]}
	some name, tc in {
		"nothing is there": {"amounts": {}, "want": both},
		"amounts are null": {"amounts": {"requests": null, "limits": {"cpu": null}}, "want": both},
		"a request is there": {"amounts": {"requests": {"cpu": 2}}, "want": {["requests.memory", "262144k"]}},
		"a limit stands in": {"amounts": {"limits": {"memory": "1Gi"}}, "want": {["requests.cpu", "25m"]}},
		"a request that is no amount is the author's": {"amounts": {"requests": {"cpu": "lots"}}, "want": {["requests.memory", "262144k"]}},
		"nothing is missing": {"amounts": _good, "want": set()},
		"amounts are text": {"amounts": "x", "want": set()},
		"requests are text": {"amounts": {"requests": "x"}, "want": set()},
	}

	got := _patched(_of(tc.amounts), _defaults, _autoscaler(_web, _measured))
	got == tc.want
}

test_autoscaler_of_that_workload[name] if {
	some name, tc in {
		"its own": {"scaler": _autoscaler(_web, _measured), "want": 2},
		"without an apiVersion": {"scaler": _autoscaler(object.remove(_web, ["apiVersion"]), _measured), "want": 2},
		"of another version": {"scaler": _autoscaler(object.union(_web, {"apiVersion": "apps/v1beta1"}), _measured), "want": 2},
		"of another group": {"scaler": _autoscaler(object.union(_web, {"apiVersion": "example.com/v1"}), _measured), "want": 0},
		"of another kind": {"scaler": _autoscaler(object.union(_web, {"kind": "StatefulSet"}), _measured), "want": 0},
		"of another name": {"scaler": _autoscaler(object.union(_web, {"name": "db"}), _measured), "want": 0},
		"of another container": {"scaler": _autoscaler(_web, [{"containerName": "db", "target": {"cpu": 1}}]), "want": 0},
		"measured nothing yet": {"scaler": {"spec": {"targetRef": _web}}, "want": 0},
		"measured zero": {"scaler": _autoscaler(_web, [{"containerName": "web", "target": {"cpu": "0", "memory": null}}]), "want": 0},
		"an apiVersion that is null": {"scaler": _autoscaler(object.union(_web, {"apiVersion": null}), _measured), "want": 0},
		"without a spec": {"scaler": {}, "want": 0},
	}

	got := _patched(_of({}), _defaults, tc.scaler)
	count(got) == tc.want
}

test_nothing_is_measured_in_another_namespace if {
	patches := resources.patch with input.review as {"object": _of({}), "namespace": "elsewhere"}
		with data.inventory.namespace.shop["autoscaling.k8s.io/v1"].VerticalPodAutoscaler.web as _autoscaler(_web, _measured)
	patches == set()
}

test_the_pod_has_them if {
	made := _deployment({"resources": {"limits": {"cpu": 1, "memory": "1Gi"}}, "containers": [{"name": "web"}]})
	_patched(made, {"defaults": {"requests": {"cpu": 1}, "limits": {"memory": "1Gi"}}}, _autoscaler(_web, _measured)) == set()
}

test_no_patch_without_defaults_or_measurements if {
	_patched(_of({}), _defaults, {}) == set()
}

test_no_patch_of_ephemeral_containers if {
	made := _deployment({"containers": [_container(_good)], "ephemeralContainers": [{"name": "web"}]})
	_patched(made, {"defaults": {"requests": {"cpu": 1}, "limits": {"cpu": 1}}}, _autoscaler(_web, _measured)) == {["limits.cpu", 1]}
}

test_defaults[name] if {
	some name, tc in {
		"requests": {"defaults": {"requests": {"cpu": "50m"}}, "want": {["requests.cpu", "50m"]}},
		"limits": {"defaults": {"limits": {"memory": "64Mi"}}, "want": {["limits.memory", "64Mi"]}},
		"a request is there": {"defaults": {"requests": {"cpu": "50m"}}, "amounts": {"requests": {"cpu": 1}}, "want": set()},
		"a limit is there": {"defaults": {"limits": {"memory": "64Mi"}}, "amounts": _good, "want": set()},
		"a limit below the request": {
			"defaults": {"limits": {"memory": "64Mi"}},
			"amounts": {"requests": {"memory": "128Mi"}},
			"want": set(),
		},
		"a limit above the request": {
			"defaults": {"limits": {"memory": "1Gi"}},
			"amounts": {"requests": {"memory": "128Mi"}},
			"want": {["limits.memory", "1Gi"]},
		},
		"a limit below the default request": {
			"defaults": {"requests": {"memory": "1Gi"}, "limits": {"memory": "64Mi"}},
			"want": {["requests.memory", "1Gi"]},
		},
		"a limit of the request": {
			"defaults": {"limits": {"memory": "128Mi"}},
			"amounts": {"requests": {"memory": "128Mi"}},
			"want": {["limits.memory", "128Mi"]},
		},
		"a limit of the default request": {
			"defaults": {"requests": {"memory": "1Gi"}, "limits": {"memory": "1Gi"}},
			"want": {["requests.memory", "1Gi"], ["limits.memory", "1Gi"]},
		},
		"a limit is there and is the author's": {"defaults": {"limits": {"memory": "1Gi"}}, "amounts": _good, "want": set()},
		"limits are text": {"defaults": {"limits": {"memory": "1Gi"}}, "amounts": {"limits": "x"}, "want": set()},
	}

	got := _patched(_of(object.get(tc, "amounts", {})), {"defaults": tc.defaults}, {})
	got == tc.want
}

test_what_was_measured_goes_before_defaults if {
	parameters := {"defaults": {"requests": {"cpu": "50m"}, "limits": {"memory": "64Mi"}}}
	got := _patched(_of({}), parameters, _autoscaler(_web, _measured))
	got == {["requests.cpu", "25m"], ["requests.memory", "262144k"]}
}

# The author's request counts, and not what would have been offered.
test_limit_above_the_request_that_is_there if {
	parameters := {"defaults": {"limits": {"memory": "128Mi"}}}
	got := _patched(_of({"requests": {"cpu": 1, "memory": "64Mi"}}), parameters, _autoscaler(_web, _measured))
	got == {["limits.memory", "128Mi"]}
}

test_no_patch_of_what_is_no_container[name] if {
	some name, container in {"null": null, "text": "web", "resources are text": {"name": "web", "resources": "x"}}
	parameters := {"defaults": {"requests": {"cpu": 1}, "limits": {"memory": "128Mi"}}}
	got := _patched(_deployment({"containers": [container]}), parameters, _autoscaler(_web, _measured))
	got == set()
}

test_quiet_about_nothing[name] if {
	some name, made in {
		"a deleted object": null,
		"no spec": {"kind": "Deployment"},
		"no pod": {"kind": "Service", "spec": {"ports": []}},
		"containers are text": {"kind": "Pod", "spec": {"containers": "x"}},
	}

	got := _found(made, _defaults)
	patches := _patched(made, {"defaults": {"limits": {"cpu": 1}}}, _autoscaler(_web, _measured))
	got == set()
	patches == set()
}

# Containers are seen to be well one by one: a limit on cpu that one has hides
# nothing of another.
test_with_and_without_a_cpu_limit[name] if {
	limited := {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "128Mi"}}
	some name, tc in {
		"all are well": {"amounts": [limited, _good], "want": 0},
		"one has nothing": {"amounts": [limited, {}], "want": 3},
		"one has no cpu": {"amounts": [{"requests": {"memory": "1Gi"}, "limits": {"memory": "1Gi"}}, limited], "want": 1},
	}

	got := _found(_deployment({"containers": [_container(amounts) | some amounts in tc.amounts]}), _defaults)
	count(got) == tc.want
}
