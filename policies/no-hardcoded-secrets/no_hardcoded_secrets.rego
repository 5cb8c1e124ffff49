# METADATA
# title: No hardcoded secrets
# description: >-
#   No credential stands in plain text where everybody who may read an object, its
#   backup or its repository can read it: in the environment, the arguments and the
#   command of any container, in ConfigMaps, in annotations and in the values of
#   charts. It belongs into a Secret, to which the object refers. In a Terraform plan
#   it stands in what was written and not in what resources, data sources and sensitive
#   variables brought. What is found is named by its place and kind, and never repeated.
# custom:
#   severity: critical
#   category: security
#   enforcement: deny
#   match:
#     kinds:
#       - apiGroups: [""]
#         kinds: [Pod, PodTemplate, ReplicationController, ConfigMap]
#       - apiGroups: [apps]
#         kinds: [Deployment, ReplicaSet, StatefulSet, DaemonSet]
#       - apiGroups: [batch]
#         kinds: [Job, CronJob]
#       - apiGroups: [helm.toolkit.fluxcd.io]
#         kinds: [HelmRelease]
#       - apiGroups: [argoproj.io]
#         kinds: [Application, ApplicationSet]
#       - apiGroups: [terraform.lintel.dev]
#         kinds: ["*"]
#     subresources: ["", ephemeralcontainers]
#     operations: [CREATE, UPDATE]
#   parameters:
#     type: object
#     properties:
#       exemptions:
#         description: >-
#           Whether the annotation lintel.dev/allow-secret exempts what it names. To
#           allow it in some namespaces only, set it in a scope.
#         type: boolean
#         default: false
#       ignoredRules:
#         description: Rules of secrets.scan whose findings do not count, such as jwt.
#         type: array
#         items: {type: string}
#         default: []
#       tooLarge:
#         description: What becomes of text that is too large to be scanned.
#         type: string
#         enum: [report, ignore]
#         default: report
package lintel.no_hardcoded_secrets

# METADATA
# title: A credential in plain text
# description: One that is exempt is recorded and denies nothing.
violation contains {"msg": msg, "path": found.path, "fix": _fix(found), "exempt": exempt} if {
	some found in secrets.scan(input.review.object)
	_counts(found)

	exempt := _is_exempt(found)
	msg := concat("", [_what(found), _where(found), _note(found)])
}

# METADATA
# title: What a provider of Terraform keeps secret is written down
# description: The attribute is a secret whatever its name says.
violation contains {"msg": msg, "path": path, "fix": _fix({"path": path, "class": "name"}), "exempt": false} if {
	some attribute in input.review.object.spec.guarded
	_is_planned
	path := ["spec", "configured", attribute]
	not path in [found.path | some found in secrets.scan(input.review.object)]
	some found in secrets.scan({"password": input.review.object.spec.configured[attribute]})
	_counts(found)

	msg := "a value in plain text that its provider keeps secret"
}

_is_planned if input.review.object.apiVersion == "terraform.lintel.dev/v1"

default _counts(_) := true

_counts(found) := false if found.rule in input.parameters.ignoredRules

_counts(found) := false if {
	found.class == "large"
	input.parameters.tooLarge == "ignore"
}

# What it is, in words that give nothing of it away.
_what(found) := "too large to be scanned for credentials" if found.class == "large"

_what(found) := "more credentials than are listed" if found.class == "more"

_what(found) := "a value in plain text under a name that says it is secret" if found.class == "name"

_what(found) := sprintf("a credential in plain text (%s)", [found.rule]) if {
	not found.class in {"large", "more", "name"}
}

# Where it is inside of a text.
_where(found) := concat("", [_key(found), _line(found)])

default _key(_) := ""

_key(found) := sprintf(", at %q", [found.key]) if found.key != ""

default _line(_) := ""

_line(found) := sprintf(", line %d", [found.line]) if found.line > 0

# Why an annotation that names it does not count.
default _note(_) := ""

_note(found) := sprintf("; the annotation %s is not honoured here", [_annotation]) if {
	_exemption(found)
	not input.parameters.exemptions
}

_note(found) := sprintf("; the annotation %s has no reason, or has expired", [_annotation]) if {
	_exemption(found)
	input.parameters.exemptions
	not _holds(found)
}

default _fix(_) := "keep it in a Secret, and mount that or refer to it"

_fix(found) := "valueFrom:\n  secretKeyRef: {name: a-secret, key: a-key}" if {
	"env" in found.path
	not _is_planned
}

_fix(found) := "read it by a data source from where secrets are kept, or take it from a variable that is sensitive and has no default" if {
	_is_planned
	found.class != "large"
}

_fix(found) := "split the text, or set the parameter tooLarge to ignore" if found.class == "large"

_annotation := "lintel.dev/allow-secret"

default _is_exempt(_) := false

_is_exempt(found) if {
	input.parameters.exemptions
	_holds(found)
}

_holds(found) if {
	some exemption in _exemptions
	exemption.path == found.at
	is_string(exemption.reason)
	trim_space(exemption.reason) != ""
	not _has_expired(exemption)
}

_exemption(found) if {
	some exemption in _exemptions
	exemption.path == found.at
}

# The exemptions that the object asks for. What does not have the form of a list of
# objects exempts nothing.
_exemptions := list if {
	text := input.review.object.metadata.annotations[_annotation]
	json.is_valid(text)
	list := json.unmarshal(text)
	is_array(list)
}

# One that says no time never expires; one whose time cannot be read, or compared with
# that of the request, has.
_has_expired(exemption) if {
	expires := object.get(exemption, "expires", null)
	expires != null
	not _is_later(expires)
}

_is_later(expires) if {
	is_string(expires)
	regex.match(`^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$`, expires)
	time.parse_rfc3339_ns(expires) > time.parse_rfc3339_ns(input.time)
}
