package e2e_test

import (
	"context"
	"slices"
	"strings"
	"testing"
)

// TestKubeSystem holds that in the namespaces which a cluster cannot do without
// nothing is held up, changed or even asked about, however wrong it is and however
// broad a policy; lintel check agrees.
func TestKubeSystem(t *testing.T) {
	s := newStage(t, "system")
	g := s.guard(t, testdata("outage", "policies"))
	var broken []string
	for kind := range workloads() {
		broken = append(broken, "-f", testdata("workloads", kind+"-broken.yaml"))
	}
	s.kubectl(t, "create", "-f", testdata("workloads", "service-broken.yaml")).denied(t, "Elsewhere it is denied.")
	for _, namespace := range []string{"kube-system", "kube-public", "kube-node-lease"} {
		in := &stage{s.Cluster, namespace}
		t.Cleanup(func() {
			in.Kubectl(context.WithoutCancel(t.Context()), nil, append([]string{"delete", "--namespace", namespace, "--ignore-not-found", "--wait=false"}, broken...)...)
		})
		in.kubectl(t, append([]string{"create"}, broken...)...).admitted(t, "What is created in "+namespace+" is nobody's business.")
		in.kubectl(t, append([]string{"annotate", "note=checked"}, broken...)...).admitted(t, "Nor is what is changed.")
		in.kubectl(t, "scale", "deployment/deployment", "--replicas=4").admitted(t, "Nor how much of it there is.")
		if got := labels(in.get(t, "deployment/deployment"), "spec", "template", "metadata"); len(got) != 1 {
			t.Errorf("labels were patched in %s: %v", namespace, got)
		}
		if r := run(t, built.Path(t), append([]string{"check", "-n", namespace}, slices.DeleteFunc(slices.Clone(broken), func(arg string) bool { return arg == "-f" })...)...); r.code != 0 {
			t.Errorf("lintel check says otherwise: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
		}
		if strings.Contains(g.Log(), `"namespace":"`+namespace+`"`) {
			t.Errorf("Lintel was asked of what is in %s:\n%s", namespace, g.Log())
		}
	}
}
