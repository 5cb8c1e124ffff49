//go:build linux

package install_test

import (
	"strings"
	"testing"
)

// everything is a policy that lets nobody do anything.
const everything = `
apiVersion: lintel.dev/v1alpha1
kind: Policy
metadata: {name: everything}
spec:
  source: {modules: [{name: a.rego, rego: "package team\n\nviolation contains {\"msg\": \"never\"}"}]}
  match: {kinds: [{apiGroups: ["*"], kinds: ["*"]}], operations: [CREATE, UPDATE, DELETE], subresources: ["*"]}
  enforcement: deny
`

// TestAllGone holds that with no replica left, and a policy about everything, nothing
// new comes in, and what brings Lintel and the cluster back is not held up.
func TestAllGone(t *testing.T) {
	f := install(t, denying)
	f.start(t, 0)
	f.applyText(t, node)
	f.applyText(t, everything)
	f.closeGate(t)
	eventually(t, "everything to be denied", func() bool {
		_, stderr, _ := f.dryRun(t, theirs)
		return strings.Contains(stderr, "never")
	})
	f.replicas[0].Kill()
	eventually(t, "the Service to have no endpoints", func() bool { return !f.isReady(0) })

	for _, object := range []string{broken, theirs} {
		_, stderr, code := f.dryRun(t, object)
		if want := `failed calling webhook "deny.lintel.dev"`; code != 1 || !strings.Contains(stderr, want) {
			t.Errorf("with nobody there: exit code %d, want 1 and %q:\n%s", code, want, stderr)
		}
	}
	t.Run("GoesOn", func(t *testing.T) { testGoesOn(t, f) })
	t.Run("OwnPods", func(t *testing.T) { testOwnPods(t, f) })

	f.start(t, 1)
	_, stderr, _ := f.dryRun(t, theirs)
	if want := `admission webhook "deny.lintel.dev" denied the request`; !strings.Contains(stderr, want) {
		t.Errorf("with a replica again: want %q:\n%s", want, stderr)
	}
	if got := f.registration(t, "validatingwebhookconfiguration"); !strings.Contains(got, "deny.lintel.dev Fail ") {
		t.Errorf("a restart opens the gate:\n%s", got)
	}
	f.must(t, "patch", "policy.lintel.dev", "everything", "--type=merge", `-p={"spec": {"enforcement": "dryrun"}}`)
	eventually(t, "the policy that denies everything to be put right", func() bool {
		_, _, code := f.dryRun(t, theirs)
		return code == 0
	})
}

const node = `{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "outage"}}`

// testGoesOn sends what has to go on while nobody judges, as it is: no dry runs.
func testGoesOn(t *testing.T, f *fleet) {
	const in = "-n=kube-system"
	cases := map[string]struct {
		reason string
		stdin  string
		args   []string
	}{
		"Policy":        {"A policy is put back to warn.", "", []string{"patch", "policy.lintel.dev", "probes", "--type=merge", `-p={"spec": {"enforcement": "warn"}}`}},
		"PolicyStatus":  {"Its status is written.", "", []string{"patch", "policy.lintel.dev", "probes", "--subresource=status", "--type=merge", `-p={"status": {"revision": "x"}}`}},
		"NewPolicy":     {"Policies are synced.", strings.ReplaceAll(everything, "name: everything", "name: more"), []string{"create", "-f", "-"}},
		"DeletePolicy":  {"And deleted.", "", []string{"delete", "policy.lintel.dev", "topology-spread"}},
		"Exception":     {"Somebody is excused.", exception, []string{"apply", "-f", "-"}},
		"KubeSystem":    {"API servers start.", "", []string{"annotate", "configmap", "extension-apiserver-authentication", in, "a=b"}},
		"NewKubeSystem": {"What runs the cluster is configured.", "", []string{"create", "configmap", "any", in, "--from-literal=a=b"}},
		"Lease":         {"Leaders are elected.", `{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "leader", "namespace": "default"}}`, []string{"create", "-f", "-"}},
		"NodeLease":     {"Nodes live.", `{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "outage", "namespace": "kube-node-lease"}}`, []string{"create", "-f", "-"}},
		"Node":          {"Nodes are put aside.", "", []string{"cordon", "outage"}},
		"NodeStatus":    {"Nodes report.", "", []string{"patch", "node", "outage", "--subresource=status", "--type=merge", `-p={"status": {"phase": "Running"}}`}},
		"NewNode":       {"Nodes join.", strings.ReplaceAll(node, "outage", "new"), []string{"create", "-f", "-"}},
		"EndpointSlice": {"Traffic is led elsewhere.", `{"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": "led", "namespace": "default"}, "addressType": "IPv4", "endpoints": []}`, []string{"create", "-f", "-"}},
		"Event":         {"What happens is told.", `{"apiVersion": "v1", "kind": "Event", "metadata": {"name": "told", "namespace": "default"}, "involvedObject": {"namespace": "default"}}`, []string{"create", "-f", "-"}},
		"Definition":    {"Extensions are put right.", "", []string{"annotate", "crd", "policies.lintel.dev", "a=b"}},
		"Installation":  {"Lintel is installed anew.", "", []string{"apply", "-f", crds}},
		"Registration":  {"The gate can be opened by hand.", "", []string{"delete", "validatingwebhookconfiguration", "lintel", "--dry-run=server"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if _, stderr, code := f.Kubectl(t.Context(), strings.NewReader(tc.stdin), tc.args...); code != 0 {
				t.Errorf("%s\nkubectl %s: exit code %d\n%s", tc.reason, strings.Join(tc.args, " "), code, stderr)
			}
		})
	}
	f.must(t, "delete", "policy.lintel.dev", "more", "--ignore-not-found")
}

const exception = `{"apiVersion": "lintel.dev/v1alpha1", "kind": "PolicyException", "metadata": {"name": "legacy", "namespace": "default"},
	"spec": {"policies": ["probes"], "objects": {"names": ["legacy"]}, "reason": "r", "owner": "o", "expires": "2037-01-01T00:00:00Z"}}`

// testOwnPods has Lintel's own pods replaced and scaled.
func testOwnPods(t *testing.T, f *fleet) {
	f.must(t, "-n", namespace, "rollout", "restart", "deployment", "lintel")
	f.must(t, "-n", namespace, "scale", "deployment", "lintel", "--replicas=5")
	f.must(t, "-n", namespace, "delete", "pods", "--all", "--wait=false", "--grace-period=0", "--force")
	eventually(t, "new pods of Lintel's own", func() bool {
		return strings.Count(f.must(t, "-n", namespace, "get", "pods", "-o", "name"), "\n") >= 5
	})
}

// TestRemovedInAnyOrder removes an installation that denies by what people delete
// first when they do not know better: nothing hangs, and nobody is locked out.
func TestRemovedInAnyOrder(t *testing.T) {
	f := install(t, denying)
	f.applyText(t, exception)
	f.startAll(t, "--lame-duck=1s")
	f.closeGate(t)
	t.Run("DefinitionsFirst", func(t *testing.T) { testDefinitionsFirst(t, f) })

	f.must(t, "delete", "-f", manifest, "--ignore-not-found", "--timeout=60s")
	for n := range f.replicas {
		must(t, f.replicas[n].Stop())
	}
	f.nothingLeft(t)
	f.apply(t)
	f.must(t, "apply", "-f", policies)
	f.must(t, "patch", "policy.lintel.dev", "probes", "--type=merge", `-p={"spec": {"enforcement": "deny"}}`)
	f.startAll(t, "--lame-duck=1s")
	f.closeGate(t)
	t.Run("NamespaceFirst", func(t *testing.T) { testNamespaceFirst(t, f) })
	f.must(t, "delete", "-f", policies, "-f", manifest, "-f", crds, "--ignore-not-found", "--timeout=60s")
	f.nothingLeft(t)
}

// testDefinitionsFirst deletes the kinds, and with them all policies, under replicas
// that run, which then hold nobody up.
func testDefinitionsFirst(t *testing.T, f *fleet) {
	f.must(t, "delete", "-f", crds, "--timeout=60s")
	eventually(t, "nothing to be denied", func() bool {
		_, stderr, code := f.dryRun(t, broken)
		return code == 0 && stderr == ""
	})
	eventually(t, "nothing to be refused when nobody answers", func() bool {
		return !strings.Contains(f.registration(t, "validatingwebhookconfiguration"), " Fail ")
	})
}

// testNamespaceFirst deletes the namespace, which ends all replicas, and leaves the
// owner of the registration.
func testNamespaceFirst(t *testing.T, f *fleet) {
	// Pods are there until their kubelets have seen them end.
	pods := strings.Fields(f.must(t, "get", "pods", "-n", namespace, "-o", "name"))
	for _, pod := range pods {
		f.must(t, "patch", pod, "-n", namespace, "--type=merge", `-p={"metadata": {"finalizers": ["lintel.dev/kubelet"]}}`)
	}
	f.must(t, "delete", "namespace", namespace, "--wait=false")
	for n := range f.replicas {
		must(t, f.replicas[n].Stop())
	}
	if left := f.must(t, "get", "validatingwebhookconfigurations,mutatingwebhookconfigurations", "-o", "name"); left != "" {
		t.Errorf("replicas leave the registration behind:\n%s", left)
	}
	eventually(t, "nothing to be refused", func() bool {
		_, _, code := f.dryRun(t, broken)
		return code == 0
	})
	for _, pod := range pods {
		f.must(t, "patch", pod, "-n", namespace, "--type=merge", `-p={"metadata": {"finalizers": null}}`)
	}
	f.must(t, "wait", "--for=delete", "namespace/"+namespace, "--timeout=60s")
	f.must(t, "get", "clusterrole", "lintel") // or this test says nothing
}

// closeGate waits until what nobody answers is refused.
func (f *fleet) closeGate(t *testing.T) {
	t.Helper()
	eventually(t, "requests that nobody answers to be refused", func() bool {
		_, _, _ = f.dryRun(t, broken) // a first review
		return strings.Contains(f.registration(t, "validatingwebhookconfiguration"), "deny.lintel.dev Fail ")
	})
}
