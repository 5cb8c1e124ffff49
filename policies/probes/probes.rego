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
#       maxInitialDelaySeconds:
#         description: The longest initialDelaySeconds that is accepted.
#         type: integer
#         minimum: 0
#       maxPeriodSeconds:
#         description: The longest periodSeconds that is accepted.
#         type: integer
#         minimum: 1
#       maxTimeoutSeconds:
#         description: The longest timeoutSeconds that is accepted.
#         type: integer
#         minimum: 1
#       maxFailureThreshold:
#         description: The highest failureThreshold that is accepted.
#         type: integer
#         minimum: 1
package lintel.probes

import data.lintel.workload

_consequence := {
	"livenessProbe": "no livenessProbe, so a container that hangs is never restarted",
	"readinessProbe": "no readinessProbe, so traffic arrives before it can be served",
}

_handlers := ["httpGet", "tcpSocket", "grpc", "exec"]

# METADATA
# title: A probe is missing
violation contains {"msg": _consequence[probe], "path": found.path, "fix": fix} if {
	workload.runs_for_long
	some found in workload.lasting_containers
	some probe in ["livenessProbe", "readinessProbe"]
	not is_object(object.get(found.container, probe, null))
	not _excused_by_startup(probe, found.container)

	fix := sprintf("%s:\n  httpGet: {path: /healthz, port: 8080}", [probe])
}

# METADATA
# title: A probe has no handler
violation contains {"msg": msg, "path": array.concat(found.path, [probe]), "fix": fix} if {
	workload.runs_for_long
	some found in workload.lasting_containers
	some probe in ["livenessProbe", "readinessProbe"]
	is_object(found.container[probe])
	not found.container[probe].httpGet
	not _has_handler(found.container[probe])

	msg := sprintf("the %s asks nothing, so it is no probe", [probe])
	fix := "give the probe one of httpGet, tcpSocket, grpc and exec with a command"
}

# METADATA
# title: A probe cannot fail
violation contains {"msg": msg, "path": array.concat(found.path, [probe, "exec", "command"]), "fix": fix} if {
	workload.runs_for_long
	some found in workload.lasting_containers
	some probe in ["livenessProbe", "readinessProbe"]
	_cannot_fail(found.container[probe].exec.command)

	msg := sprintf("the command of the %s cannot fail, so it is no probe", [probe])
	fix := "ask the application itself, such as by httpGet on the port that it serves"
}

# METADATA
# title: A probe names a port that is not there
violation contains {"msg": msg, "path": array.concat(found.path, [probe, handler, "port"]), "fix": fix} if {
	workload.runs_for_long
	some found in workload.lasting_containers
	some probe in ["livenessProbe", "readinessProbe"]
	some handler in ["httpGet", "tcpSocket"]
	port := found.container[probe][handler].port
	is_string(port)
	not regex.match(`^[0-9]+$`, port)
	not _declares_port(found.container, port)

	msg := sprintf("the %s asks port %q, which the container does not declare", [probe, port])
	fix := "declare the port under ports, or give its number"
}

# METADATA
# title: A probe is slower than allowed
violation contains {"msg": msg, "path": array.concat(found.path, [probe, field]), "fix": fix} if {
	some field, parameter in {
		"initialDelaySeconds": "maxInitialDelaySeconds",
		"periodSeconds": "maxPeriodSeconds",
		"timeoutSeconds": "maxTimeoutSeconds",
		"failureThreshold": "maxFailureThreshold",
	}
	highest := input.parameters[parameter]
	workload.runs_for_long
	some found in workload.lasting_containers
	some probe in ["livenessProbe", "readinessProbe"]
	value := found.container[probe][field]
	value > highest

	msg := sprintf("the %s of the %s is %v, more than the %v that is allowed", [field, probe, value, highest])
	fix := sprintf("%s: %v", [field, highest])
}

_excused_by_startup("livenessProbe", container) if {
	input.parameters.startupIsEnough
	_has_handler(container.startupProbe)
	not _cannot_fail(object.get(container.startupProbe, ["exec", "command"], []))
}

_has_handler(probe) if {
	some handler in ["httpGet", "tcpSocket", "grpc"]
	is_object(probe[handler])
}

_has_handler(probe) if count(probe.exec.command) > 0

_declares_port(container, name) if {
	some port in container.ports
	port.name == name
}

# A command that always succeeds, given as such or to a shell.
_cannot_fail(command) if {
	count(command) > 0
	_is_idle(concat(" ", command))
}

_cannot_fail(command) if {
	regex.match(`(^|/)(sh|bash|ash|dash|ksh|zsh)$`, command[0])
	some i
	regex.match(`^-[a-z]*c$`, command[i])
	_script_cannot_fail(command[i + 1])
}

_cannot_fail(command) if {
	regex.match(`(^|/)(busybox|env)$`, command[0])
	_is_idle(concat(" ", array.slice(command, 1, count(command))))
}

_script_cannot_fail(script) if {
	every part in regex.split(`[;&|\n]+`, script) {
		_is_idle(part)
	}
}

_script_cannot_fail(script) if {
	regex.match(`(\|\||;|\n)\s*(/(usr/)?bin/)?(true|:|exit\s+0)\s*;?\s*$`, script)
}

# What always succeeds: nothing, true, :, exit 0, echo, printf and sleep.
_is_idle(text) if {
	regex.match(`^\s*((/(usr/)?bin/)?(true|:|exit(\s+0)?|(echo|printf|sleep)(\s[^;&|]*)?))?\s*(#.*)?$`, text)
}
