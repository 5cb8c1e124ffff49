# METADATA
# title: Errs over what it reads, in the way that a label says
# custom:
#   severity: low
#   category: test
#   enforcement: deny
#   match:
#     kinds: [{apiGroups: [""], kinds: [ConfigMap]}]
#     operations: [CREATE, UPDATE]
package lintel.errs

violation contains {"msg": "never"} if {
	_way == "number"
	to_number(_secret) > 1
}

violation contains {"msg": "never"} if {
	_way == "json"
	json.unmarshal(_secret) == "x"
}

violation contains {"msg": "never"} if {
	_way == "yaml"
	yaml.unmarshal(sprintf("{%s", [_secret])) == "x"
}

violation contains {"msg": "never"} if {
	_way == "base64"
	base64.decode(sprintf("%s!", [_secret])) == "x"
}

violation contains {"msg": "never"} if {
	_way == "regex"
	regex.match(sprintf("(%s", [_secret]), "x")
}

violation contains {"msg": "never"} if {
	_way == "time"
	time.parse_rfc3339_ns(_secret) > 1
}

violation contains {"msg": "never"} if {
	_way == "duration"
	time.parse_duration_ns(_secret) > 1
}

violation contains {"msg": "never"} if {
	_way == "conflict"
	_two == "x"
}

violation contains _secret if _way == "text"

violation contains {"message": _secret} if _way == "message"

violation contains {"msg": "a path", "path": _secret} if _way == "path"

patch contains {"path": ["metadata", "annotations", "patched"], "value": to_number(_secret)} if _way == "patch"

patch contains {"path": ["metadata", "annotations", "patched"], "op": _secret, "value": "x"} if _way == "op"

_way := object.get(input.review.object, ["metadata", "labels", "errs"], "")

_secret := input.review.object.data.secret

_two := _secret if true

_two := sprintf("%s%s", [_secret, _secret]) if true
