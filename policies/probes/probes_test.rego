package lintel.probes_test

import data.lintel.probes

_defaults := {"startupIsEnough": false}

_good := {"httpGet": {"path": "/healthz", "port": 8080}}

# A container that breaks nothing, with fields laid over it.
_container(fields) := object.union({"name": "web", "livenessProbe": _good, "readinessProbe": _good}, fields)

_without(field) := object.remove(_container({}), [field])

# A container with something else in the place of its livenessProbe.
_live(probe) := object.union(_without("livenessProbe"), {"livenessProbe": probe})

_deployment(spec) := {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": {"spec": spec}}}

_of(container) := _deployment({"containers": [container]})

# What is found in an object: [path, message] each.
_found(made, parameters) := {[concat(".", [sprintf("%v", [step]) | some step in v.path]), v.msg] | some v in violations} if {
	violations := probes.violation with input.review.object as made
		with input.parameters as parameters
}

_no_liveness := "no livenessProbe"

_no_readiness := "no readinessProbe, so traffic arrives before it can be served"

_web := "spec.template.spec.containers.0"

test_probes_that_are_none[name] if {
	some name, tc in {
		"no livenessProbe": {"container": _without("livenessProbe"), "want": {[_web, _no_liveness]}},
		"no readinessProbe": {"container": _without("readinessProbe"), "want": {[_web, _no_readiness]}},
		"neither": {"container": {"name": "web"}, "want": {[_web, _no_liveness], [_web, _no_readiness]}},
		"null": {"container": _live(null), "want": {[_web, _no_liveness]}},
		"text": {"container": _live("httpGet"), "want": {[_web, _no_liveness]}},
		"a list": {"container": _live([_good]), "want": {[_web, _no_liveness]}},
		"a number": {"container": _live(8080), "want": {[_web, _no_liveness]}},
		"a container that is null": {"container": null, "want": {[_web, _no_liveness], [_web, _no_readiness]}},
		"a container that is text": {"container": "web", "want": {[_web, _no_liveness], [_web, _no_readiness]}},
		"a misspelt probe": {
			"container": object.union(_without("livenessProbe"), {"livenessprobe": _good}),
			"want": {[_web, _no_liveness]},
		},
		"only a startupProbe": {
			"container": {"name": "web", "startupProbe": _good},
			"want": {[_web, _no_liveness], [_web, _no_readiness]},
		},
	}

	got := _found(_of(tc.container), _defaults)
	got == tc.want
}

test_probes_that_ask_nothing[name] if {
	some name, probe in {
		"empty": {},
		"only numbers": {"periodSeconds": 5},
		"httpGet is null": {"httpGet": null},
		"httpGet is text": {"httpGet": "x"},
		"httpGet without a port": {"httpGet": {"path": "/"}},
		"httpGet with a port that is null": {"httpGet": {"port": null}},
		"httpGet with a port that is an object": {"httpGet": {"port": {}}},
		"tcpSocket without a port": {"tcpSocket": {}},
		"grpc without a port": {"grpc": {}},
		"a handler that Kubernetes has not": {"httpget": {"port": 8080}},
		"exec is null": {"exec": null},
		"exec without a command": {"exec": {}},
		"exec with an empty command": {"exec": {"command": []}},
		"exec with a command that is null": {"exec": {"command": null}},
		"exec with a command that is text": {"exec": {"command": "true"}},
	}

	got := _found(_of(_live(probe)), _defaults)
	got == {[_web, "no livenessProbe: the one that is there asks nothing"]}
}

test_handlers[name] if {
	some name, probe in {
		"httpGet": _good,
		"a port as text": {"httpGet": {"port": "8080"}},
		"a port by name": {"httpGet": {"port": "http"}},
		"tcpSocket": {"tcpSocket": {"port": 8080}},
		"tcpSocket by name": {"tcpSocket": {"port": "http"}},
		"grpc": {"grpc": {"port": 9090}},
		"exec": {"exec": {"command": ["cat", "/tmp/healthy"]}},
	}

	container := _container({"livenessProbe": probe, "ports": [{"containerPort": 80}, {"name": "http", "containerPort": 8080}]})
	got := _found(_of(object.union(object.remove(container, ["livenessProbe"]), {"livenessProbe": probe})), _defaults)
	got == set()
}

_idle_commands := {
	"true": ["true"],
	"true by its path": ["/bin/true"],
	"true elsewhere": ["/usr/local/bin/true"],
	"true with arguments": ["true", "--help"],
	"a boolean, as YAML has it without quotes": [true],
	"colon": [":"],
	"echo": ["echo", "ok"],
	"printf": ["printf", "ok"],
	"sleep": ["sleep", "1"],
	"nothing but blanks": [" "],
	"sh": ["sh", "-c", "exit 0"],
	"sh by its path": ["/bin/sh", "-c", "exit 0"],
	"sh with flags": ["bash", "-e", "-c", "true"],
	"sh with joined flags": ["bash", "-exc", "true"],
	"sh with an empty script": ["sh", "-c", ""],
	"sh with a comment": ["sh", "-c", "# nothing yet"],
	"sh with several": ["sh", "-c", "echo ok; true && :\nexit 0"],
	"sh in braces": ["sh", "-c", "{ true; }"],
	"sh that makes good": ["sh", "-c", "curl -f localhost:8080 || true"],
	"sh that makes good of two": ["sh", "-c", "test -f /a && test -f /b || exit 0"],
	"sh that ignores what was": ["sh", "-c", "curl -f localhost:8080; exit 0"],
	"sh that ends with true": ["sh", "-c", "curl -f localhost:8080\ntrue\n"],
	"sh that goes to nowhere": ["sh", "-c", "echo ok >/dev/null 2>&1"],
	"sh that ends before it begins": ["sh", "-c", "exit 0; curl -f localhost:8080"],
	"sh on two lines": ["sh", "-c", "curl -f localhost:8080 \\\n  || exit 0"],
	"exec into sh": ["/usr/bin/env", "sh", "-c", "exit 0"],
	"env": ["env", "true"],
	"busybox": ["busybox", "true"],
	"timeout": ["timeout", "5", "true"],
	"timeout of sh": ["timeout", "5", "sh", "-c", ":"],
	"init of a container": ["/sbin/tini", "true"],
	"cmd": ["cmd.exe", "/C", "exit 0"],
	"cmd in one": ["cmd", "/c", "exit", "/b", "0"],
	"cmd that echoes": ["cmd", "/c", "echo ok"],
}

test_commands_that_cannot_fail[name] if {
	some name, command in _idle_commands

	got := _found(_of(_live({"exec": {"command": command}})), _defaults)
	got == {[_web, "no livenessProbe: the command of the one that is there cannot fail"]}
}

test_commands_that_can_fail[name] if {
	some name, command in {
		"false": ["false"],
		"a program": ["/app/health"],
		"a program called like true": ["/app/true-check"],
		"a file": ["cat", "/tmp/healthy"],
		"exit 1": ["sh", "-c", "exit 1"],
		"exit of what was": ["sh", "-c", "curl -f localhost:8080; exit $?"],
		"exit before the end": ["sh", "-c", "curl -f localhost:8080 || exit 1; exit 0"],
		"exit before true": ["sh", "-c", "curl -f localhost || exit 1 && echo ok || true"],
		"set -e": ["sh", "-c", "set -e; curl -f localhost:8080; true"],
		"sh -e": ["sh", "-ec", "curl -f localhost:8080; true"],
		"sh -e by itself": ["bash", "-e", "-c", "curl -f localhost:8080\ntrue"],
		"sh of nothing to nowhere": ["sh", "-c", "curl -f localhost:8080 >/dev/null 2>&1"],
		"a condition": ["sh", "-c", "if ! curl -f localhost; then\nexit 1\nfi\nexit 0"],
		"a port of bash": ["bash", "-c", "echo > /dev/tcp/127.0.0.1/8080"],
		"a pipe": ["sh", "-c", "curl localhost | grep ok"],
		"true as a text": ["sh", "-c", "test \"$(cat /status)\" = true"],
		"a script": ["sh", "/health.sh"],
		"flag without a script": ["sh", "-c"],
		"a program behind env": ["env", "X=1", "/app/health"],
		"a program that takes true": ["/app/health", "true"],
		"a program that takes a number and true": ["/app/health", "5", "true"],
		"a program that takes a shell": ["/app/health", "sh", "-c", "true"],
		"a program with a flag like that of a shell": ["/app/health", "-c", "true"],
		"a program like cmd": ["/app/cmd", "/c", "exit", "0"],
		"a script called true": ["sh", "-x", "true"],
		"a script with arguments": ["sh", "/health.sh", "-c", "true"],
		"timeout of a program": ["timeout", "5", "pg_isready"],
		"timeout of nothing": ["timeout", "5"],
		"cmd": ["cmd", "/c", "health.bat"],
		"cmd that asks": ["cmd", "/c", "type nul > x"],
	}

	got := _found(_of(_live({"exec": {"command": command}})), _defaults)
	got == set()
}

test_readiness_is_held_to_the_same if {
	container := object.union(_without("readinessProbe"), {"readinessProbe": {"exec": {"command": ["true"]}}})
	_found(_of(container), _defaults) == {[_web, "no readinessProbe: the command of the one that is there cannot fail"]}
}

test_ports_that_are_not_declared[name] if {
	some name, tc in {
		"livenessProbe": {"container": _live({"httpGet": {"port": "http"}}), "want": "livenessProbe.httpGet"},
		"tcpSocket": {"container": _live({"tcpSocket": {"port": "http"}}), "want": "livenessProbe.tcpSocket"},
		"startupProbe": {"container": _container({"startupProbe": {"httpGet": {"port": "http"}}}), "want": "startupProbe.httpGet"},
		"another name": {
			"container": object.union(_live({"httpGet": {"port": "http"}}), {"ports": [{"name": "https", "containerPort": 8443}]}),
			"want": "livenessProbe.httpGet",
		},
		"ports are null": {
			"container": object.union(_live({"httpGet": {"port": "http"}}), {"ports": null}),
			"want": "livenessProbe.httpGet",
		},
		"ports of a wrong type": {
			"container": object.union(_live({"httpGet": {"port": "http"}}), {"ports": ["http"]}),
			"want": "livenessProbe.httpGet",
		},
		"empty": {"container": _live({"httpGet": {"port": ""}}), "want": "livenessProbe.httpGet"},
	}

	port := [port | walk(tc.container, [path, port]); path[count(path) - 1] == "port"; is_string(port)][0]
	probe := split(tc.want, ".")[0]
	got := _found(_of(tc.container), _defaults)
	got == {[sprintf("%s.%s.port", [_web, tc.want]), sprintf("the %s asks port %q, which the container does not declare", [probe, port])]}
}

# The port of another container is not the container's own.
test_port_of_another_container if {
	other := _container({"name": "other", "ports": [{"name": "http", "containerPort": 8080}]})
	got := _found(_deployment({"containers": [_live({"httpGet": {"port": "http"}}), other]}), _defaults)
	count(got) == 1
}

test_both_probes_by_the_same_name if {
	by_name := {"httpGet": {"port": "http"}}
	container := {"name": "web", "ports": [{"name": "http", "containerPort": 80}], "livenessProbe": by_name, "readinessProbe": by_name}
	_found(_of(container), _defaults) == set()
	count(_found(_of(object.remove(container, ["ports"])), _defaults)) == 2
	count(_found(_of(object.union(container, {"ports": [{"name": "https", "containerPort": 80}]})), _defaults)) == 2
	startup := object.union(container, {"startupProbe": {"httpGet": {"port": "metrics"}}})
	count(_found(_of(startup), _defaults)) == 1
}

test_probes_by_names_of_which_one_is_declared if {
	container := {
		"name": "web", "ports": [{"name": "http", "containerPort": 80}],
		"livenessProbe": {"httpGet": {"port": "http"}}, "readinessProbe": {"httpGet": {"port": "metrics"}},
	}
	{path | some [path, _] in _found(_of(container), _defaults)} == {sprintf("%s.readinessProbe.httpGet.port", [_web])}
	other := object.union(container, {"livenessProbe": container.readinessProbe, "readinessProbe": container.livenessProbe})
	{path | some [path, _] in _found(_of(other), _defaults)} == {sprintf("%s.livenessProbe.httpGet.port", [_web])}
}

# A port without a name is not the port that a probe without one asks.
test_ports_that_are_null if {
	probe := {"httpGet": {"port": null}}
	container := {"name": "web", "ports": [{"name": null, "containerPort": 80}], "livenessProbe": probe, "readinessProbe": probe}
	count(_found(_of(container), _defaults)) == 2
}

test_startup_is_enough[name] if {
	some name, tc in {
		"a startupProbe": {"container": {"startupProbe": _good}, "want": set()},
		"of a command": {"container": {"startupProbe": {"exec": {"command": ["/app/health"]}}}, "want": set()},
		"none": {"container": {}, "want": {_no_liveness}},
		"one that asks nothing": {"container": {"startupProbe": {}}, "want": {_no_liveness}},
		"one that cannot fail": {"container": {"startupProbe": {"exec": {"command": ["true"]}}}, "want": {_no_liveness}},
		"in place of a livenessProbe that asks nothing": {"container": {"startupProbe": _good, "livenessProbe": {}}, "want": set()},
		"in place of one that cannot fail": {
			"container": {"startupProbe": _good, "livenessProbe": {"exec": {"command": ["true"]}}},
			"want": set(),
		},
	}

	container := object.union({"name": "web", "readinessProbe": _good}, tc.container)
	got := {msg | some [_, msg] in _found(_of(container), {"startupIsEnough": true})}
	got == tc.want
}

test_startup_is_no_readiness if {
	container := {"name": "web", "livenessProbe": _good, "startupProbe": _good}
	_found(_of(container), {"startupIsEnough": true}) == {[_web, _no_readiness]}
}

test_maximum[name] if {
	some name, field in ["initialDelaySeconds", "periodSeconds", "timeoutSeconds", "failureThreshold"]
	container := _live(object.union(_good, {field: 2147483647}))
	text := sprintf("%s of the livenessProbe is 2147483647, more than the 600 that is allowed", [field])
	_found(_of(container), _defaults) == set()
	_found(_of(container), {"maximum": {field: 2147483647}}) == set()
	got := _found(_of(container), {"maximum": {field: 600}})
	got == {[sprintf("%s.livenessProbe.%s", [_web, field]), text]}
}

test_maximum_is_not_of_a_startup_probe if {
	container := _container({"startupProbe": object.union(_good, {"failureThreshold": 60})})
	_found(_of(container), {"maximum": {"failureThreshold": 5}}) == set()
}

test_commands_beside_what_is_no_handler if {
	probe := {"exec": {"command": ["true"]}, "httpget": {"port": 8080}}
	_found(_of(_live(probe)), _defaults) == {[_web, "no livenessProbe: the command of the one that is there cannot fail"]}
}

test_maximum_of_a_job if {
	made := {"kind": "Job", "spec": {"template": {"spec": {"containers": [_live(object.union(_good, {"periodSeconds": 60}))]}}}}
	_found(made, {"maximum": {"periodSeconds": 5}}) == set()
}

test_maximum_of_what_is_no_number[name] if {
	some name, value in {"null": null, "text": "9", "absent": 1}
	got := _found(_of(_live(object.union(_good, {"periodSeconds": value}))), {"maximum": {"periodSeconds": 5}})
	got == set()
}

_bare := {"name": "web"}

test_carriers[kind] if {
	pod := {"spec": {"containers": [_bare]}}
	some kind, tc in {
		"Pod": {"object": object.union(pod, {"kind": "Pod"}), "want": {"spec.containers.0"}},
		"PodTemplate": {"object": {"kind": "PodTemplate", "template": pod}, "want": {"template.spec.containers.0"}},
		"ReplicationController": {"object": {"kind": "ReplicationController", "spec": {"template": pod}}, "want": {_web}},
		"ReplicaSet": {"object": {"kind": "ReplicaSet", "spec": {"template": pod}}, "want": {_web}},
		"Deployment": {"object": {"kind": "Deployment", "spec": {"template": pod}}, "want": {_web}},
		"StatefulSet": {"object": {"kind": "StatefulSet", "spec": {"template": pod}}, "want": {_web}},
		"DaemonSet": {"object": {"kind": "DaemonSet", "spec": {"template": pod}}, "want": {_web}},
		"a kind that is not built in": {"object": {"kind": "Rollout", "spec": {"template": pod}}, "want": {_web}},
		"Job": {"object": {"kind": "Job", "spec": {"template": pod}}, "want": set()},
		"CronJob": {"object": {"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": pod}}}}, "want": set()},
	}

	got := {path | some [path, _] in _found(tc.object, _defaults)}
	got == tc.want
}

# What is no template of its kind is not looked at in place of the one that is.
test_another_template if {
	made := {"kind": "Pod", "spec": {"containers": [_bare], "template": {"spec": {"containers": [_container({})]}}}}
	{path | some [path, _] in _found(made, _defaults)} == {"spec.containers.0"}
}

test_lists[name] if {
	some name, tc in {
		"an init container": {"spec": {"initContainers": [_bare]}, "want": set()},
		"a sidecar": {
			"spec": {"initContainers": [_bare, object.union(_bare, {"restartPolicy": "Always"})]},
			"want": {"spec.template.spec.initContainers.1"},
		},
		"an ephemeral container": {"spec": {"ephemeralContainers": [_bare]}, "want": set()},
		"the second container": {"spec": {"containers": [_container({}), _bare]}, "want": {"spec.template.spec.containers.1"}},
		"no containers": {"spec": {"containers": null}, "want": set()},
	}

	spec := object.union({"containers": [_container({})]}, tc.spec)
	got := {path | some [path, _] in _found(_deployment(spec), _defaults)}
	got == tc.want
}

test_restart_policy[name] if {
	some name, tc in {
		"Always": {"policy": "Always", "want": 2},
		"null": {"policy": null, "want": 2},
		"OnFailure": {"policy": "OnFailure", "want": 0},
		"Never": {"policy": "Never", "want": 0},
	}

	got := _found({"kind": "Pod", "spec": {"restartPolicy": tc.policy, "containers": [_bare]}}, _defaults)
	count(got) == tc.want
}

# Parameters that nobody set silence nothing.
test_without_parameters if {
	violations := probes.violation with input as {"review": {"object": _of(_bare)}}
	{v.msg | some v in violations} == {_no_liveness, _no_readiness}
}

test_every_violation_says_how_to_put_it_right[name] if {
	some name, container in {
		"missing": _bare,
		"asks nothing": _live({}),
		"cannot fail": _live({"exec": {"command": ["true"]}}),
		"port": _live({"httpGet": {"port": "http"}}),
		"slow": _live(object.union(_good, {"periodSeconds": 1000})),
	}

	violations := probes.violation with input.review.object as _of(container)
		with input.parameters as {"maximum": {"periodSeconds": 60}}
	count(violations) > 0
	every v in violations {
		count(v.fix) > 10
	}
}

# Containers are seen to be well one by one: what is said of one by its port's
# name and of another by its number hides nothing of a third.
test_ports_by_name_and_by_number[name] if {
	by_name := {
		"name": "web",
		"ports": [{"name": "http", "containerPort": 8080}, {"name": "http", "containerPort": 8081}],
		"livenessProbe": {"httpGet": {"port": "http"}},
		"readinessProbe": {"httpGet": {"port": "http"}},
	}
	some name, tc in {
		"all are well": {"containers": [by_name, _container({})], "want": 0},
		"one has none": {"containers": [by_name, _bare], "want": 2},
		"a name of no text": {"containers": [object.union(by_name, {"ports": [{"name": "other"}]})], "want": 2},
	}

	got := _found(_deployment({"containers": tc.containers}), _defaults)
	count(got) == tc.want
}
