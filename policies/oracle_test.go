package policies_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/lintel-policy/lintel/engine"
)

// An oracle finds what the four policies find, with their parameters as they come,
// in the words of their descriptions and without any Rego. It knows the object as
// decoded JSON.
type oracle struct {
	object   object
	path     engine.Path // of the pod template
	template any
	found    map[string]bool // policy and path
}

// expected returns "policy path" for each finding in an object, sorted.
func expected(o object) []string {
	or := &oracle{object: o, found: map[string]bool{}}
	kind, _ := o["kind"].(string)
	path, isWorkload := podPaths()[kind]
	or.template = any(o)
	for _, step := range path {
		or.path = append(or.path, step)
		or.template = get(or.template, step)
	}
	if isWorkload {
		or.probes(kind)
		or.resources()
	}
	or.labels(kind, isWorkload)
	if kind == "Deployment" || kind == "StatefulSet" {
		or.spread()
	}
	return slices.Sorted(maps.Keys(or.found))
}

// get returns the value at a path of keys and indexes, nil where there is none.
func get(v any, path ...any) any {
	for _, step := range path {
		switch s := step.(type) {
		case string:
			m, _ := v.(object)
			v = m[s]
		case int:
			list, _ := v.([]any)
			if s >= len(list) {
				return nil
			}
			v = list[s]
		}
	}
	return v
}

func listAt(v any, path ...any) []any {
	list, _ := get(v, path...).([]any)
	return list
}

func (or *oracle) report(policy string, path engine.Path, more ...any) {
	or.found[policy+" "+slices.Concat(path, more).String()] = true
}

// eachContainer calls f with each container of some lists.
func (or *oracle) eachContainer(f func(list string, container any, path engine.Path), lists ...string) {
	for _, list := range lists {
		for i, container := range listAt(or.template, "spec", list) {
			f(list, container, slices.Concat(or.path, engine.Path{"spec", list, i}))
		}
	}
}

// probes: readiness and liveness on every container and sidecar of pods that run
// for long.
func (or *oracle) probes(kind string) {
	policy := get(or.template, "spec", "restartPolicy")
	if kind == "Job" || kind == "CronJob" || policy == "Never" || policy == "OnFailure" {
		return
	}
	or.eachContainer(func(list string, container any, path engine.Path) {
		if list == "initContainers" && get(container, "restartPolicy") != "Always" {
			return
		}
		for _, probe := range []string{"livenessProbe", "readinessProbe", "startupProbe"} {
			if probe != "startupProbe" && !isProbe(get(container, probe)) {
				or.report("probes", path)
			}
			or.ports(container, probe, path)
		}
	}, "containers", "initContainers")
}

// isProbe reports whether a probe asks something that can fail.
func isProbe(probe any) bool {
	for _, handler := range []string{"httpGet", "tcpSocket", "grpc"} {
		switch get(probe, handler, "port").(type) {
		case float64, string:
			return true
		}
	}
	var words []string
	for _, word := range listAt(probe, "exec", "command") {
		words = append(words, fmt.Sprint(word))
	}
	return len(words) > 0 && !slices.Contains(idleCommands(), strings.Join(words, "|"))
}

// idleCommands are those among [generator.command] that cannot fail.
func idleCommands() []string {
	return []string{
		"true", "/bin/true", ":", "echo|ok", "sh|-c|exit 0", "/bin/sh|-c|true", "bash|-c|:", "sh|-c|echo ok",
		"sh|-c|curl localhost || true", "sh|-c|curl localhost; exit 0", "/usr/bin/env|true", "busybox|true", "sh|-ec|true",
	}
}

// ports: a port that a probe names is one that its container declares.
func (or *oracle) ports(container any, probe string, path engine.Path) {
	for _, handler := range []string{"httpGet", "tcpSocket"} {
		name, ok := get(container, probe, handler, "port").(string)
		if !ok || name != "" && strings.Trim(name, "0123456789") == "" {
			continue
		}
		declares := func(port any) bool { return get(port, "name") == name }
		if !slices.ContainsFunc(listAt(container, "ports"), declares) {
			or.report("probes", path, probe, handler, "port")
		}
	}
}

// resources: requests of cpu and memory and a limit of memory on every container
// but ephemeral ones, more than zero.
func (or *oracle) resources() {
	or.eachContainer(func(_ string, container any, path engine.Path) {
		for _, what := range []string{"requests", "limits"} {
			for _, name := range []string{"cpu", "memory"} {
				amount := get(container, "resources", what, name)
				switch {
				case amount != nil && !isPositive(amount),
					amount == nil && what+name != "limitscpu" && !or.isMadeGood(container, what, name):
					or.report("resources", path, "resources", what, name)
				}
			}
		}
	}, "containers", "initContainers")
}

// isMadeGood reports whether something stands in for what a container lacks.
func (or *oracle) isMadeGood(container any, what, name string) bool {
	pod := get(or.template, "spec", "resources")
	if isPositive(get(pod, what, name)) {
		return true
	}
	return what == "requests" && (get(container, "resources", "limits", name) != nil || isPositive(get(pod, "limits", name)))
}

func isPositive(amount any) bool {
	text := ""
	switch a := amount.(type) {
	case float64:
		data, _ := json.Marshal(a)
		text = string(data)
	case string:
		text = strings.TrimSpace(a)
	}
	q, err := resource.ParseQuantity(text)
	return err == nil && q.Sign() > 0
}

// labels: environment, team and service on the object and on what it makes others
// from.
func (or *oracle) labels(kind string, isWorkload bool) {
	places := []engine.Path{{"metadata"}}
	if isWorkload && kind != "Pod" {
		places = append(places, slices.Concat(or.path, engine.Path{"metadata"}))
	}
	if kind == "CronJob" {
		places = append(places, engine.Path{"spec", "jobTemplate", "metadata"})
	}
	if kind == "StatefulSet" {
		for i := range listAt(or.object, "spec", "volumeClaimTemplates") {
			places = append(places, engine.Path{"spec", "volumeClaimTemplates", i, "metadata"})
		}
	}
	for _, place := range places {
		for _, key := range []string{"environment", "team", "service"} {
			value, _ := get(or.object, slices.Concat(place, engine.Path{"labels", key})...).(string)
			if saysNothing(value) {
				or.report("required-labels", place, "labels", key)
			}
		}
	}
}

func saysNothing(value string) bool {
	visible := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || !unicode.IsGraphic(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, value)
	return slices.Contains([]string{"", "none", "todo", "tbd", "unknown", "changeme", "null"}, visible)
}

// spread: two replicas or more have a constraint over zones that selects them.
func (or *oracle) spread() {
	replicas, _ := get(or.object, "spec", "replicas").(float64)
	if replicas < 2 {
		return
	}
	constraints := slices.Concat(or.path, engine.Path{"spec", "topologySpreadConstraints"})
	var zonal []int
	for i, c := range listAt(or.object, constraints...) {
		if get(c, "topologyKey") != corev1.LabelTopologyZone {
			continue
		}
		zonal = append(zonal, i)
		skew, _ := get(c, "maxSkew").(float64)
		when := get(c, "whenUnsatisfiable")
		if skew >= 1 && skew < replicas && (when == "DoNotSchedule" || when == "ScheduleAnyway") && or.selects(get(c, "labelSelector")) {
			return
		}
	}
	if len(zonal) == 0 {
		or.report("topology-spread", constraints)
	}
	for _, i := range zonal {
		or.report("topology-spread", constraints, i)
	}
}

// selects reports whether a label selector selects the pods of the template, as
// Kubernetes' own code says.
func (or *oracle) selects(selector any) bool {
	data, err := json.Marshal(selector)
	if err != nil {
		return false
	}
	var wanted *metav1.LabelSelector
	if err := json.Unmarshal(data, &wanted); err != nil {
		return false
	}
	matcher, err := metav1.LabelSelectorAsSelector(wanted)
	set := labels.Set{}
	own, _ := get(or.template, "metadata", "labels").(object)
	for key, value := range own {
		if text, ok := value.(string); ok {
			set[key] = text
		}
	}
	return err == nil && matcher.Matches(set)
}
