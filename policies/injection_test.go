package policies_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/engine"
)

// An injection breaks one rule somewhere in an object that breaks none, and
// returns where that has to be found: "policy path". It returns "" where the
// object has no place for it.
type injection func(g generator, o object) string

// injections are the ways to break a rule, by what they do.
func injections() map[string]injection {
	return map[string]injection{
		"no livenessProbe":  lastingContainer(func(_ generator, c object) string { delete(c, "livenessProbe"); return "" }),
		"no readinessProbe": lastingContainer(func(_ generator, c object) string { delete(c, "readinessProbe"); return "" }),
		"a probe that is null": lastingContainer(func(_ generator, c object) string {
			c["livenessProbe"] = nil
			return ""
		}),
		"a probe that asks nothing": lastingContainer(func(_ generator, c object) string {
			c["readinessProbe"] = object{"periodSeconds": 5.0}
			return ""
		}),
		"a probe that cannot fail": lastingContainer(func(g generator, c object) string {
			c["livenessProbe"] = object{"exec": object{"command": pick(g, []any{"true"}, []any{"sh", "-c", "exit 0"}, []any{"echo", "ok"}, []any{":"})}}
			return ""
		}),
		"a port that is not there": lastingContainer(func(_ generator, c object) string {
			c["readinessProbe"] = object{"tcpSocket": object{"port": "metrics"}}
			return ".readinessProbe.tcpSocket.port"
		}),
		"no cpu request": budgetedContainer(func(_ generator, c object) string {
			c["resources"] = object{"requests": object{"memory": "1Gi"}, "limits": object{"memory": "1Gi"}}
			return ".resources.requests.cpu"
		}),
		"no memory limit": budgetedContainer(func(_ generator, c object) string {
			c["resources"] = object{"requests": object{"memory": "1Gi", "cpu": "1"}}
			return ".resources.limits.memory"
		}),
		"a memory limit of zero": budgetedContainer(func(g generator, c object) string {
			get(c, "resources", "limits").(object)["memory"] = pick[any](g, 0.0, "0", "0Mi", "-1Gi", "", "lots", "1K", true, []any{}, object{})
			return ".resources.limits.memory"
		}),
		"no label":              label(func(labels object, key string) { delete(labels, key) }),
		"a label that is blank": label(func(labels object, key string) { labels[key] = " \u200b" }),
		"a label that is none":  label(func(labels object, key string) { labels[key] = "None" }),
		"a label that is 5":     label(func(labels object, key string) { labels[key] = 5.0 }),
		"no constraint":         spread("", func(_ generator, spec object) { delete(spec, "topologySpreadConstraints") }),
		"a constraint over hosts": spread("", func(_ generator, spec object) {
			get(spec, "topologySpreadConstraints", 0).(object)["topologyKey"] = "kubernetes.io/hostname"
		}),
		"a constraint on other pods": spread("[0]", func(g generator, spec object) {
			get(spec, "topologySpreadConstraints", 0).(object)["labelSelector"] = pick[any](g, nil, object{"matchLabels": object{"app": "other"}})
		}),
		"a constraint that lets all pile up": spread("[0]", func(g generator, spec object) {
			get(spec, "topologySpreadConstraints", 0).(object)["maxSkew"] = pick[any](g, nil, 0.0, 7.0, 1e6, "1")
		}),
	}
}

// lastingContainer is an injection into a container or sidecar of pods that run for
// long. The function breaks it and says where in it that is found.
func lastingContainer(breakIt func(g generator, c object) string) injection {
	return func(g generator, o object) string {
		if o["kind"] == "Job" || o["kind"] == "CronJob" {
			return ""
		}
		c, path := g.anyContainer(o, func(c object) bool { return c["livenessProbe"] != nil })
		return "probes " + path + breakIt(g, c)
	}
}

// budgetedContainer is an injection into any container that can have resources.
func budgetedContainer(breakIt func(g generator, c object) string) injection {
	return func(g generator, o object) string {
		c, path := g.anyContainer(o, func(c object) bool { return c["resources"] != nil })
		return "resources " + path + breakIt(g, c)
	}
}

// anyContainer returns one of the containers that are fit, and its path.
func (g generator) anyContainer(o object, fit func(c object) bool) (object, string) {
	path := engine.Path{}
	for _, step := range podPaths()[o["kind"].(string)] {
		path = append(path, step)
	}
	var paths []engine.Path
	for _, list := range []string{"containers", "initContainers"} {
		at := slices.Concat(path, engine.Path{"spec", list})
		for i := range listAt(o, at...) {
			if item := slices.Concat(at, engine.Path{i}); fit(get(o, item...).(object)) {
				paths = append(paths, item)
			}
		}
	}
	chosen := pick(g, paths...)
	return get(o, chosen...).(object), chosen.String()
}

// label is an injection into the labels of the object or of what it makes.
func label(breakIt func(labels object, key string)) injection {
	return func(g generator, o object) string {
		var places []engine.Path
		for _, path := range pathsOf(o, nil) {
			if path[len(path)-1] == "service" && path[len(path)-2] == "labels" {
				places = append(places, path[:len(path)-1])
			}
		}
		if labels, ok := get(o, "metadata", "labels").(object); ok && labels["service"] != nil {
			places = append(places, engine.Path{"metadata", "labels"})
		}
		place, key := pick(g, places...), pick(g, "environment", "team", "service")
		breakIt(get(o, place...).(object), key)
		return "required-labels " + place.String() + "." + key
	}
}

// spread is an injection into the constraints of a workload of several replicas.
func spread(where string, breakIt func(g generator, spec object)) injection {
	return func(g generator, o object) string {
		spec, ok := get(o, "spec", "template", "spec").(object)
		if !ok || get(o, "spec", "replicas") == nil || len(listAt(spec, "topologySpreadConstraints")) == 0 {
			return ""
		}
		breakIt(g, spec)
		return "topology-spread spec.template.spec.topologySpreadConstraints" + where
	}
}

// TestInjectedViolations asks that one thing that is made wrong in an object is
// found, and nothing else.
func TestInjectedViolations(t *testing.T) {
	set := library(t)
	for name, inject := range injections() {
		t.Run(name, func(t *testing.T) {
			kinds := map[any]bool{}
			for seed := range uint64(80) {
				g := newGenerator(seed)
				o := g.compliant()
				want := inject(g, o)
				if want == "" {
					continue
				}
				kinds[o["kind"]] = true
				d := decide(t, set, o)
				if diff := cmp.Diff([]string{want}, places(d)); diff != "" || d.Allowed() {
					t.Fatalf("seed %d: -want, +got:\n%s\n%s", seed, diff, asJSON(t, o))
				}
			}
			if len(kinds) < 2 {
				t.Errorf("it was tried on few kinds: %v", kinds)
			}
		})
	}
}
