package e2e_test

import (
	"slices"
	"strings"
	"testing"
)

// TestRollouts holds that nothing is rolled out that nobody asked for, by whatever
// way its owner touches a workload: one from before Lintel that breaks all policies,
// one that keeps them, and one that was patched when it came.
func TestRollouts(t *testing.T) {
	broken, kept, patched := newStage(t, "rollouts-broken"), newStage(t, "rollouts-kept"), newStage(t, "rollouts-patched")
	asBroken := manifests(t, func(kind string) object { return fromYAML(t, read(t, "workloads", kind+"-broken.yaml")) })
	asKept := manifests(t, func(kind string) object { return keeps(t, kind) })
	asMended := manifests(t, func(kind string) object { return fromYAML(t, read(t, "workloads", kind+"-mended.yaml")) })
	broken.kubectlWith(t, asBroken, "create", "-f", "-").admitted(t, "Lintel is not there yet.")
	kept.kubectlWith(t, asKept, "create", "-f", "-").admitted(t, "Lintel is not there yet.")
	kept.guard(t)
	patched.kubectlWith(t, asMended, "create", "-f", "-").admitted(t, "What is missing is patched in.")

	cases := map[string]struct {
		reason   string
		stage    *stage
		manifest string
		back     int // revisions that it makes to replace what was restarted by the manifest
		quiet    bool
	}{
		"Broken":  {"What is wrong with an old workload is no reason to roll it out.", broken, asBroken, 1, false},
		"Kept":    {"Nothing is to be said of it.", kept, asKept, 0, true},
		"Patched": {"The manifest lacks what was patched in, each time.", patched, asMended, 0, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			before := tc.stage.revisions(t)
			touch := func(made int, stdin string, args ...string) {
				t.Helper()
				r := tc.stage.kubectlWith(t, stdin, args...)
				if r.code != 0 || tc.quiet && r.stderr != "" {
					t.Fatalf("%s\nkubectl %s: exit code %d\n%s", tc.reason, strings.Join(args, " "), r.code, r.stderr)
				}
				after := tc.stage.revisions(t)
				for kind, names := range after {
					if more := without(names, before[kind]); len(more) != made {
						t.Errorf("%s\nkubectl %s: new revisions of the %s are %q, want %d", tc.reason, strings.Join(args, " "), kind, more, made)
					}
				}
				before = after
			}
			replace := func(made int) { touch(made, tc.manifest, "replace", "-f", "-") }
			all := []string{"deployment/deployment", "statefulset/statefulset", "daemonset/daemonset"}
			touch(0, "", append(append([]string{"annotate"}, all...), "note=checked")...)
			touch(0, "", append([]string{"scale", "--replicas=4"}, all[:2]...)...)
			for range 3 {
				replace(0)
			}
			touch(1, "", append([]string{"rollout", "restart"}, all...)...)
			touch(0, "", append(append([]string{"annotate"}, all...), "note=restarted", "--overwrite")...)
			touch(0, "", append([]string{"scale", "--replicas=5"}, all[:2]...)...)
			replace(tc.back)
			replace(0)
			replace(0)
		})
	}
}

// manifests are those of the kinds that roll out, one after another.
func manifests(t *testing.T, of func(kind string) object) string {
	t.Helper()
	var all []string
	for _, kind := range []string{"deployment", "statefulset", "daemonset"} {
		all = append(all, encode(t, of(kind)))
	}
	return strings.Join(all, "\n---\n")
}

// keeps is a mended workload with all that would be patched in.
func keeps(t *testing.T, kind string) object {
	t.Helper()
	o, w := fromYAML(t, read(t, "workloads", kind+"-mended.yaml")), workloads()[kind]
	for _, place := range append([][]any{{"metadata"}}, w.templates...) {
		for key, value := range ownerLabels() {
			labels(o, place...)[key] = value
		}
	}
	if w.spread {
		at(o, w.pod...).(map[string]any)["topologySpreadConstraints"] =
			[]any{spreads("topology.kubernetes.io/zone", kind), spreads("kubernetes.io/hostname", kind)}
	}
	return o
}

// revisions names what controllers have made of the templates of workloads, by
// kind, when they have seen the last change of each.
func (s *stage) revisions(t *testing.T) map[string][]string {
	t.Helper()
	var made map[string][]string
	await(t, "controllers see the last change", func() bool {
		made = map[string][]string{}
		for _, o := range s.list(t, "apis/apps/v1", "deployments", "statefulsets", "daemonsets", "replicasets", "controllerrevisions") {
			switch owner := at(o, "metadata", "ownerReferences", 0, "kind"); {
			case owner != nil:
				made[owner.(string)] = append(made[owner.(string)], o.name())
			case at(o, "metadata", "generation") != at(o, "status", "observedGeneration"):
				return false
			}
		}
		return len(made) == 3
	})
	return made
}

// without is what is in a list and not in another.
func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(one string) bool { return slices.Contains(other, one) })
}
