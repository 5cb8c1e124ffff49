package lintel.no_hardcoded_secrets_test

import data.lintel.no_hardcoded_secrets

_defaults := {"exemptions": false, "ignoredRules": [], "tooLarge": "report"}

# A value of the form of a token of GitHub, put together here so that no scanner
# takes this file for a leak.
_token := concat("", ["gh", "p_", "0123456789abcdefABCDEF0123456789abcd"])

_container(more) := object.union({"name": "web", "image": "nginx"}, more)

_pod(containers) := {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": containers}}

_config(data_) := {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": data_}

_annotated(text) := object.union(_config({"password": "hunter2"}), {"metadata": {"annotations": {"lintel.dev/allow-secret": text}}})

_found(o, parameters) := {[v.path, v.exempt] |
	some v in no_hardcoded_secrets.violation with input as {"review": {"object": o}, "parameters": parameters, "time": "2026-06-01T12:00:00Z"}
}

_messages(o, parameters) := {v.msg |
	some v in no_hardcoded_secrets.violation with input as {"review": {"object": o}, "parameters": parameters, "time": "2026-06-01T12:00:00Z"}
}

_fixes(o) := {v.fix |
	some v in no_hardcoded_secrets.violation with input as {"review": {"object": o}, "parameters": _defaults}
}

test_places[name] if {
	some name, tc in {
		"env": {"object": _pod([_container({"env": [{"name": "DB_PASSWORD", "value": "hunter2"}]})]), "want": {["spec", "containers", 0, "env", 0, "value"]}},
		"env without a value": {"object": _pod([_container({"env": [{"name": "DB_PASSWORD"}]})]), "want": set()},
		"env from a Secret": {
			"object": _pod([_container({"env": [{"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}]})]),
			"want": set(),
		},
		"env is null": {"object": _pod([_container({"env": null})]), "want": set()},
		"init container": {
			"object": {"kind": "Pod", "spec": {"initContainers": [_container({"env": [{"name": "X", "value": _token}]})]}},
			"want": {["spec", "initContainers", 0, "env", 0, "value"]},
		},
		"ephemeral container": {
			"object": {"kind": "Pod", "spec": {"ephemeralContainers": [_container({"args": [sprintf("--token=%s", [_token])]})]}},
			"want": {["spec", "ephemeralContainers", 0, "args", 0]},
		},
		"command": {"object": _pod([_container({"command": ["mysql", "-u", "root", "--password", "hunter2"]})]), "want": {["spec", "containers", 0, "command", 4]}},
		"config": {"object": _config({"app.properties": "a=b\nspring.datasource.password=hunter2\n"}), "want": {["data", "app.properties"]}},
		"config without data": {"object": {"kind": "ConfigMap"}, "want": set()},
		"config with nothing to hide": {"object": _config({"a": "b", "level": "debug"}), "want": set()},
		"annotation": {
			"object": {"kind": "ConfigMap", "metadata": {"annotations": {"example.com/token": _token}}},
			"want": {["metadata", "annotations", "example.com/token"]},
		},
		"values of a chart": {
			"object": {"kind": "HelmRelease", "spec": {"values": {"auth": {"rootPassword": "hunter2"}}}},
			"want": {["spec", "values", "auth", "rootPassword"]},
		},
		"no object": {"object": null, "want": set()},
	}

	got := {path | some [path, false] in _found(tc.object, _defaults)}
	got == tc.want
}

test_messages[name] if {
	some name, tc in {
		"a name": {"object": _config({"password": "hunter2"}), "want": {"a value in plain text under a name that says it is secret"}},
		"a token": {"object": _config({"x": _token}), "want": {"a credential in plain text (github-pat-unverified)"}},
		"a place in a text": {
			"object": _config({"app.properties": "a=b\nspring.datasource.password=hunter2\n"}),
			"want": {`a value in plain text under a name that says it is secret, at "spring.datasource.password", line 2`},
		},
	}

	got := _messages(tc.object, _defaults)
	got == tc.want
}

test_no_value_is_repeated if {
	objects := [_config({"password": "hunter2", "x": _token, "f": concat("\n", ["a=b", concat("", ["token=", _token])])})]
	every o in objects {
		every msg in _messages(o, _defaults) {
			not contains(msg, "hunter2")
			not contains(msg, _token)
		}
	}
}

test_fixes if {
	_fixes(_config({"password": "hunter2"})) == {"keep it in a Secret, and mount that or refer to it"}
	env := _pod([_container({"env": [{"name": "DB_PASSWORD", "value": "hunter2"}]})])
	_fixes(env) == {"valueFrom:\n  secretKeyRef: {name: a-secret, key: a-key}"}
}

test_ignored_rules if {
	_found(_config({"x": _token}), object.union(_defaults, {"ignoredRules": ["github-pat-unverified"]})) == set()
	_found(_config({"x": _token}), object.union(_defaults, {"ignoredRules": ["jwt"]})) == {[["data", "x"], false]}
}

_too_large := [{"path": ["data", "x"], "at": "data.x", "rule": "too-large", "class": "large", "key": "", "line": 0}]

test_too_large if {
	o := _config({"x": "y"})
	got := _messages(o, _defaults) with secrets.scan as _too_large
	got == {"too large to be scanned for credentials"}
	ignored := _messages(o, object.union(_defaults, {"tooLarge": "ignore"})) with secrets.scan as _too_large
	ignored == set()
	fixes := _fixes(o) with secrets.scan as _too_large
	fixes == {"split the text, or set the parameter tooLarge to ignore"}
}

test_more if {
	found := [object.union(_too_large[0], {"path": [], "at": "", "rule": "more-findings", "class": "more"})]
	got := _messages(_config({"x": "y"}), _defaults) with secrets.scan as found
	got == {"more credentials than are listed"}
}

_plain := "a value in plain text under a name that says it is secret"

_not_honoured := concat("", [_plain, "; the annotation lintel.dev/allow-secret is not honoured here"])

_not_holding := concat("", [_plain, "; the annotation lintel.dev/allow-secret has no reason, or has expired"])

test_exemptions[name] if {
	some name, tc in {
		"honoured": {"text": `[{"path": "data.password", "reason": "a demo"}]`, "allowed": true, "exempt": true, "msg": _plain},
		"not expired": {"text": `[{"path": "data.password", "reason": "a demo", "expires": "2026-06-01T12:00:01Z"}]`, "allowed": true, "exempt": true, "msg": _plain},
		"expires at once": {"text": `[{"path": "data.password", "reason": "a demo", "expires": "2026-06-01T12:00:00Z"}]`, "allowed": true, "exempt": false, "msg": _not_holding},
		"expires some day": {"text": `[{"path": "data.password", "reason": "a demo", "expires": "soon"}]`, "allowed": true, "exempt": false, "msg": _not_holding},
		"expires is a number": {"text": `[{"path": "data.password", "reason": "a demo", "expires": 9999999999}]`, "allowed": true, "exempt": false, "msg": _not_holding},
		"expires is null": {"text": `[{"path": "data.password", "reason": "a demo", "expires": null}]`, "allowed": true, "exempt": true, "msg": _plain},
		"no reason": {"text": `[{"path": "data.password"}]`, "allowed": true, "exempt": false, "msg": _not_holding},
		"a blank reason": {"text": `[{"path": "data.password", "reason": " "}]`, "allowed": true, "exempt": false, "msg": _not_holding},
		"a reason that is no text": {"text": `[{"path": "data.password", "reason": 1}]`, "allowed": true, "exempt": false, "msg": _not_holding},
		"another path": {"text": `[{"path": "data", "reason": "a demo"}]`, "allowed": true, "exempt": false, "msg": _plain},
		"no list": {"text": `{"path": "data.password", "reason": "a demo"}`, "allowed": true, "exempt": false, "msg": _plain},
		"a list of texts": {"text": `["data.password"]`, "allowed": true, "exempt": false, "msg": _plain},
		"no JSON": {"text": "data.password", "allowed": true, "exempt": false, "msg": _plain},
		"not allowed": {"text": `[{"path": "data.password", "reason": "a demo"}]`, "allowed": false, "exempt": false, "msg": _not_honoured},
		"second of two": {
			"text": `[{"path": "data.x", "reason": "a demo"}, {"path": "data.password", "reason": "a demo"}]`,
			"allowed": true, "exempt": true, "msg": _plain,
		},
	}

	o := _annotated(tc.text)
	parameters := object.union(_defaults, {"exemptions": tc.allowed})
	_found(o, parameters) == {[["data", "password"], tc.exempt]}
	_messages(o, parameters) == {tc.msg}
}

test_expiry_without_a_time if {
	o := _annotated(`[{"path": "data.password", "reason": "a demo", "expires": "2099-01-01T00:00:00Z"}]`)
	got := {v.exempt |
		some v in no_hardcoded_secrets.violation with input as {"review": {"object": o}, "parameters": object.union(_defaults, {"exemptions": true})}
	}
	got == {false}
}

_planned(spec) := {"apiVersion": "terraform.lintel.dev/v1", "kind": "aws_instance", "metadata": {"name": "aws_instance.web"}, "spec": spec}

test_planned_resources[name] if {
	some name, tc in {
		"written": {
			"spec": {"configured": {"password": "hunter2"}, "values": {"password": "(sensitive value)"}},
			"want": {["spec", "configured", "password"]},
		},
		"in an environment": {
			"spec": {"configured": {"env": [{"name": "DB_PASSWORD", "value": "hunter2"}]}},
			"want": {["spec", "configured", "env", 0, "value"]},
		},
		"brought": {"spec": {"configured": {}, "values": {"password": "hunter2"}}, "want": set()},
		"a reference": {"spec": {"configured": {"password": "${var.password}"}}, "want": set()},
		"no spec": {"spec": null, "want": set()},
	}

	got := {path | some [path, false] in _found(_planned(tc.spec), _defaults)}
	got == tc.want
}

test_fixes_of_planned_resources if {
	store := "read it by a data source from where secrets are kept, or take it from a variable that is sensitive and has no default"
	_fixes(_planned({"configured": {"password": "hunter2"}})) == {store}
	_fixes(_planned({"configured": {"env": [{"name": "DB_PASSWORD", "value": "hunter2"}]}})) == {store}
	large := _fixes(_planned({"configured": {"x": "y"}})) with secrets.scan as _too_large
	large == {"split the text, or set the parameter tooLarge to ignore"}
}

test_what_providers_keep_secret[name] if {
	some name, tc in {
		"written": {"spec": {"configured": {"value": "hunter2"}, "guarded": ["value"]}, "want": {"a value in plain text that its provider keeps secret"}},
		"found by its name too": {"spec": {"configured": {"password": "hunter2"}, "guarded": ["password"]}, "want": {_plain}},
		"a reference": {"spec": {"configured": {"value": "${var.password}"}, "guarded": ["value"]}, "want": set()},
		"a placeholder": {"spec": {"configured": {"value": "changeme"}, "guarded": ["value"]}, "want": set()},
		"not written": {"spec": {"configured": {}, "guarded": ["value"]}, "want": set()},
		"not kept secret": {"spec": {"configured": {"value": "hunter2"}, "guarded": []}, "want": set()},
		"guarded is null": {"spec": {"configured": {"value": "hunter2"}, "guarded": null}, "want": set()},
	}

	got := _messages(_planned(tc.spec), _defaults)
	got == tc.want
}

test_what_providers_keep_secret_of_ignored_rules if {
	parameters := object.union(_defaults, {"ignoredRules": ["password-name"]})
	got := _messages(_planned({"configured": {"value": "hunter2"}, "guarded": ["value"]}), parameters)
	got == set()
}

# What is guarded elsewhere is a field like any other.
test_guarded_outside_of_plans if {
	got := _messages({"kind": "HelmRelease", "spec": {"configured": {"value": "hunter2"}, "guarded": ["value"]}}, _defaults)
	got == set()
}
