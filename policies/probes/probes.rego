# METADATA
# title: Probes
# description: >-
#   Every container that runs for long says when it can serve and when it has to
#   be restarted. A probe that has nothing to ask, or that cannot fail, is none. It
#   is never patched in: an invented health check is a false comfort.
# custom:
#   severity: high
#   category: reliability
#   enforcement: deny
#   match:
#     kinds:
#       - apiGroups: [""]
#         kinds: [Pod, PodTemplate, ReplicationController]
#       - apiGroups: [apps]
#         kinds: [Deployment, ReplicaSet, StatefulSet, DaemonSet]
#       - apiGroups: [batch]
#         kinds: [Job, CronJob]
#     operations: [CREATE, UPDATE]
#   parameters:
#     type: object
#     properties:
#       startupIsEnough:
#         description: A startup probe stands in for a missing liveness probe.
#         type: boolean
#         default: false
#       maximum:
#         description: The highest values that a probe may have, each where it is set.
#         type: object
#         properties:
#           initialDelaySeconds: {type: integer, minimum: 0}
#           periodSeconds: {type: integer, minimum: 1}
#           timeoutSeconds: {type: integer, minimum: 1}
#           failureThreshold: {type: integer, minimum: 1}
package lintel.probes

import data.lintel.workload

# Each probe with the message of its absence.
_missing := {
	"livenessProbe": "no livenessProbe",
	"readinessProbe": "no readinessProbe, so traffic arrives before it can be served",
}

# METADATA
# title: What is wrong
# description: Nothing, where one look shows that all is well; else what the rules find.
violation contains finding if {
	not _nothing_to_find
	some finding in _finding
}

_nothing_to_find if {
	not input.parameters.maximum
	_is_plainly_well
}

# METADATA
# title: A probe is missing
_finding contains {"msg": msg, "path": workload.path(found, []), "fix": fix} if {
	some found in _suspects
	some probe, msg in _missing
	not _is_there(found.container, probe)
	not _excused(probe, found.container)

	fix := sprintf("%s:\n  httpGet: {path: /healthz, port: 8080}", [probe])
}

# METADATA
# title: A probe asks nothing
_finding contains {"msg": msg, "path": workload.path(found, []), "fix": fix} if {
	some found in _suspects
	some probe, _ in _missing
	_is_there(found.container, probe)
	not _asks(found.container[probe])
	not _excused(probe, found.container)

	msg := sprintf("no %s: the one that is there asks nothing", [probe])
	fix := "give the probe an httpGet, tcpSocket or grpc with a port, or an exec with a command"
}

# METADATA
# title: A probe cannot fail
_finding contains {"msg": msg, "path": workload.path(found, []), "fix": fix} if {
	some found in _suspects
	some probe, _ in _missing
	_cannot_fail(found.container[probe])
	not _excused(probe, found.container)

	msg := sprintf("no %s: the command of the one that is there cannot fail", [probe])
	fix := "ask the application itself, such as by httpGet on the port that it serves"
}

# METADATA
# title: A probe names a port that is not there
_finding contains {"msg": msg, "path": workload.path(found, [probe, handler, "port"]), "fix": fix} if {
	some found in _suspects
	some probe in ["livenessProbe", "readinessProbe", "startupProbe"]
	some handler in ["httpGet", "tcpSocket"]
	port := found.container[probe][handler].port
	is_string(port)
	not _declares(found.container, port)
	not regex.match(`^[0-9]+$`, port) # a number is a port, declared or not

	msg := sprintf("the %s asks port %q, which the container does not declare", [probe, port])
	fix := sprintf("ports: [{name: %s, containerPort: 8080}]", [port])
}

# METADATA
# title: A probe is slower than allowed
_finding contains {"msg": msg, "path": workload.path(found, [probe, field]), "fix": fix} if {
	some field, highest in input.parameters.maximum
	workload.runs_for_long
	some found in workload.lasting_containers
	some probe, _ in _missing
	value := found.container[probe][field]
	is_number(value)
	value > highest

	msg := sprintf("%s of the %s is %v, more than the %v that is allowed", [field, probe, value, highest])
	fix := sprintf("%s: %v", [field, highest])
}

# The containers that have to have probes, without those that one look shows to be
# well: both probes ask a port by httpGet, and no more is to be said of them.
_suspects := [found |
	some found in workload.lasting_containers
	not _is_well(found.container)
	workload.runs_for_long
]

# Whether one look at all containers shows them to be well. Most objects are, and
# are done with this: it reads them where they stand, and calls what is dear once.
_is_plainly_well if count(_numbered) == count(_template_spec.containers)

_is_plainly_well if {
	named := {i |
		some i, container in _template_spec.containers
		some port in container.ports
		port.name == container.livenessProbe.httpGet.port
		port.name == container.readinessProbe.httpGet.port
		is_string(port.name)
		not container.startupProbe
	}
	count(_numbered | named) == count(_template_spec.containers)
}

_numbered := {i |
	some i, container in _template_spec.containers
	is_number(container.livenessProbe.httpGet.port)
	is_number(container.readinessProbe.httpGet.port)
	not container.startupProbe
}

_template_spec := spec if {
	input.review.object.kind in ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"]
	spec := input.review.object.spec.template.spec
	is_array(spec.containers)
	not spec.initContainers
}

_is_well(container) if {
	is_number(container.livenessProbe.httpGet.port)
	is_number(container.readinessProbe.httpGet.port)
	not container.startupProbe
}

_is_well(container) if {
	container.livenessProbe.httpGet.port == container.readinessProbe.httpGet.port
	some port in container.ports
	port.name == container.livenessProbe.httpGet.port
	is_string(port.name)
	not container.startupProbe
}

_excused("livenessProbe", container) if {
	input.parameters.startupIsEnough
	probe := container.startupProbe
	_asks(probe)
	not _cannot_fail(probe)
}

_is_there(container, probe) if is_object(container[probe])

_asks(probe) if {
	some handler in ["httpGet", "tcpSocket", "grpc"]
	type_name(probe[handler].port) in ["number", "string"]
}

_asks(probe) if count(_words(probe)) > 0

_declares(container, name) if {
	some port in container.ports
	port.name == name
}

_cannot_fail(probe) if {
	not _asks_port(probe)
	_always_succeeds(_words(probe))
}

_asks_port(probe) if {
	some handler in ["httpGet", "tcpSocket", "grpc"]
	probe[handler].port
}

# The command of a probe. YAML reads an unquoted true as no text.
_words(probe) := [sprintf("%v", [word]) | some word in probe.exec.command]

_always_succeeds(words) if {
	some command in _commands(words)
	count(command) > 0
	_is_idle(concat(" ", command))
}

_always_succeeds(words) if {
	some command in _commands(words)
	regex.match(`^([\w./-]*/)?(sh|bash|ash|dash|ksh|zsh)$`, command[0])
	startswith(command[1], "-")
	some i in [1, 2, 3]
	regex.match(`^-[a-z]*c[a-z]*$`, command[i])
	_script_always_succeeds(_plain(command[i + 1]), concat("", array.slice(command, 1, i + 1)))
}

_always_succeeds(words) if {
	regex.match(`(?i)^cmd(\.exe)? /c (exit( /b)?( 0)?|echo [^&|<>]*|rem .*)$`, concat(" ", words))
}

# A command, and what it runs where that is all that it does.
_commands(words) := [words] if {
	not _wrapping(words[0])
} else := [words, array.slice(words, _wrapping(words[0]), count(words))]

# How many words stand before the command that a word runs.
_wrapping(word) := 1 if regex.match(`^([\w./-]*/)?(busybox|env|nice|nohup|tini|dumb-init)$`, word)

_wrapping(word) := 2 if regex.match(`^([\w./-]*/)?timeout$`, word)

# A script with its continued lines joined, and without what goes to /dev/null.
_plain(script) := regex.replace(replace(script, "\\\n", " "), `(\d?>>?|&>)\s*(/dev/null|&\d)`, " ")

# Nothing in a script can fail, or what fails does not count: it comes after exit 0,
# is made good by || true, or is followed by true where the shell goes on.
_script_always_succeeds(script, _) if {
	every part in regex.split(`[;&|\n]+`, script) {
		_is_idle(part)
	}
}

_script_always_succeeds(script, _) if regex.match(`^\s*exit(\s+0)?\s*[;\n]`, script)

_script_always_succeeds(script, _) if {
	regex.match(`^[^;&\n]*(&&[^;&\n]*)*\|\|\s*([\w./-]*/)?(true|:|exit\s+0)\s*;?\s*$`, script)
	not regex.match(`\b(exit\s+[^0\s]|exec|kill)`, script)
}

_script_always_succeeds(script, flags) if {
	regex.match(`[;\n]\s*([\w./-]*/)?(true|:|exit\s+0)\s*;?\s*$`, script)
	not regex.match(`\b(exit\s+[^0\s]|exec|kill|set|trap|return)\b`, script)
	not contains(flags, "e") # which ends the script where something fails
}

# What always succeeds: nothing at all, a comment, true, :, exit 0, an echo that
# goes nowhere, a sleep.
_is_idle(text) if {
	regex.match(`^[\s({]*(([\w./-]*/)?(true|:|echo|printf|sleep)(\s[^;&|<>]*)?|exit(\s+0)?)?[\s)}]*(#.*)?$`, text)
}
