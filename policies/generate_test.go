package policies_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/lintel-policy/lintel/engine"
)

// A generator makes random objects that break no policy, and breaks them.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 7))} }

func pick[T any](g generator, from ...T) T { return from[g.IntN(len(from))] }

func (g generator) chance(percent int) bool { return g.IntN(100) < percent }

// compliant returns an object of a random kind.
func (g generator) compliant() object {
	name := pick(g, "web", "api", "db")
	labels := object{"app": name, "environment": pick(g, "production", "staging"), "team": pick(g, "shop", "42"), "service": name}
	spec := g.podSpec()
	if g.chance(60) {
		spec["topologySpreadConstraints"] = []any{g.constraint(name)}
	}
	made := carriers(object{"metadata": object{"labels": maps.Clone(labels)}, "spec": spec})
	o := made[pick(g, slices.Sorted(maps.Keys(made))...)]
	kind := o["kind"].(string)
	switch kind {
	case "CronJob":
		get(o, "spec", "jobTemplate").(object)["metadata"] = object{"labels": maps.Clone(labels)}
	case "StatefulSet":
		o["spec"].(object)["volumeClaimTemplates"] = []any{object{"metadata": object{"name": "data", "labels": maps.Clone(labels)}}}
	}
	if kind == "Deployment" || kind == "StatefulSet" {
		get(o, "spec").(object)["selector"] = object{"matchLabels": object{"app": name}}
		if spec["topologySpreadConstraints"] != nil {
			get(o, "spec").(object)["replicas"] = 2 + g.IntN(5)
		}
	}
	return decoded(o)
}

// decoded returns a copy of o as a decoder of JSON makes it.
func decoded(o object) object {
	data, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	var c object
	if err := json.Unmarshal(data, &c); err != nil {
		panic(err)
	}
	return c
}

func (g generator) podSpec() object {
	spec := object{}
	list := func(n int, item func(i int) object) []any {
		items := []any{}
		for i := range n {
			items = append(items, item(i))
		}
		return items
	}
	spec["containers"] = list(1+g.IntN(3), func(i int) object { return g.container(fmt.Sprint("c", i), true) })
	spec["initContainers"] = list(g.IntN(3), func(i int) object {
		sidecar := g.chance(50)
		c := g.container(fmt.Sprint("i", i), sidecar)
		if sidecar {
			c["restartPolicy"] = "Always"
		}
		return c
	})
	if g.chance(30) {
		spec["ephemeralContainers"] = []any{object{"name": "shell", "image": "busybox"}}
	}
	if g.chance(20) {
		spec["restartPolicy"] = "Always"
	}
	return spec
}

// container returns a container with resources and, if it lasts, probes.
func (g generator) container(name string, lasts bool) object {
	c := object{"name": name, "image": "registry.example.com/" + name + ":1", "resources": g.resources()}
	if !lasts {
		return c
	}
	c["ports"] = []any{object{"name": "http", "containerPort": 8080}}
	c["livenessProbe"], c["readinessProbe"] = g.probe(), g.probe()
	if g.chance(20) {
		c["startupProbe"] = g.probe()
	}
	return c
}

func (g generator) resources() object {
	cpu, memory := pick[any](g, "100m", "1", 2, 0.5, "500u", "1e-1"), pick[any](g, "128Mi", "1G", 134217728, "1e9", "200000000000m")
	if g.chance(20) {
		return object{"limits": object{"cpu": cpu, "memory": memory}}
	}
	return object{"requests": object{"cpu": cpu, "memory": memory}, "limits": object{"memory": memory}}
}

func (g generator) probe() object {
	handler := pick(g,
		object{"httpGet": object{"path": "/", "port": pick[any](g, 8080, "http", "8080")}},
		object{"tcpSocket": object{"port": pick[any](g, 8080, "http")}},
		object{"grpc": object{"port": 9000}},
		object{"exec": object{"command": pick(g, g.commands()...)}},
	)
	if g.chance(30) {
		handler["periodSeconds"] = 5
	}
	return handler
}

// commands are those that can fail.
func (g generator) commands() [][]any {
	return [][]any{
		{"pg_isready"}, {"/app/health", "--fast"}, {"sh", "-c", "curl -f localhost"}, {"sh", "-c", "test -f /tmp/ok && echo ok"},
		{"bash", "-c", "curl localhost || exit 1"}, {"sh", "-c", "set -e; curl localhost; echo ok"}, {"bash", "-c", "echo > /dev/tcp/localhost/80"},
		{"cat", "/tmp/healthy"}, {"truefalse"}, {"sh", "-c", "if ! redis-cli ping; then exit 1; fi; exit 0"},
	}
}

func (g generator) constraint(app string) object {
	selector := pick[any](g,
		object{"matchLabels": object{"app": app}},
		object{},
		object{"matchExpressions": []any{object{"key": "app", "operator": "In", "values": []any{app, "other"}}}},
		object{"matchExpressions": []any{object{"key": "tier", "operator": "DoesNotExist"}, object{"key": "app", "operator": "Exists"}}},
	)
	return object{
		"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "labelSelector": selector,
		"whenUnsatisfiable": pick(g, "DoNotSchedule", "ScheduleAnyway"),
	}
}

// breakSomething changes one value of o, which may break a policy or several or
// none, and says what it did.
func (g generator) breakSomething(o object) string {
	paths := pathsOf(o, nil)
	if len(paths) == 0 {
		return "nothing is left to break"
	}
	path := paths[g.IntN(len(paths))]
	parent, last := get(o, path[:len(path)-1]...), path[len(path)-1]
	values := []any{nil, "", " ", 0.0, -1.0, true, false, object{}, []any{}, "none", "TODO", "\u200b", "x", 5.0, "0", "lots", "100m", "Never", "http"}
	if slices.Contains(path, any("command")) || slices.Contains(path, any("matchExpressions")) {
		values = values[:1]
	}
	value := values[g.IntN(len(values))]
	switch p := parent.(type) {
	case object:
		if g.chance(30) {
			delete(p, last.(string))
			return "removed " + path.String()
		}
		p[last.(string)] = value
	case []any:
		p[last.(int)] = value
	}
	return fmt.Sprintf("set %s to %#v", path, value)
}

// pathsOf returns the paths of all values in v that policies look at: the kind and
// the names of an object are not theirs to judge, nor are the words of a command.
func pathsOf(v any, prefix engine.Path) []engine.Path {
	var paths []engine.Path
	add := func(step, value any) {
		path := slices.Concat(prefix, engine.Path{step})
		if name := path.String(); strings.HasSuffix(name, "kind") || strings.HasSuffix(name, "apiVersion") ||
			strings.HasSuffix(name, "namespace") || name == "metadata" || name == "spec.selector" {
			return
		}
		paths = append(paths, path)
		if step != "command" && step != "matchExpressions" {
			paths = append(paths, pathsOf(value, path)...)
		}
	}
	switch value := v.(type) {
	case object:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			add(key, value[key])
		}
	case []any:
		for i := range value {
			add(i, value[i])
		}
	}
	return paths
}
