//go:build linux

package install_test

import (
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// broken lacks all that the library asks for.
const broken = `{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "broken", "namespace": "default"}, "spec": {
	"replicas": 2, "selector": {"matchLabels": {"app": "a"}}, "template": {
	"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "a", "image": "a"}]}}}}`

// TestInstall follows an installation as it comes: it warns, and changes nothing.
// When it is removed, nothing of it is left.
func TestInstall(t *testing.T) {
	f := install(t, asItIs)
	for n := range 3 {
		f.start(t, n)
	}
	eventually(t, "a warning", func() bool {
		_, stderr, code := f.Kubectl(t.Context(), strings.NewReader(broken), "create", "--dry-run=server", "-f", "-")
		return code == 0 && strings.Contains(stderr, "Warning: probes")
	})
	want := "warn.lintel.dev Ignore lintel-system/lintel\nowned by ClusterRole/lintel\n"
	if diff := cmp.Diff(want, f.registration(t, "validatingwebhookconfiguration")); diff != "" {
		t.Errorf("a policy that warns holds nothing up: -want, +got:\n%s", diff)
	}
	want = "patch.lintel.dev Ignore lintel-system/lintel\nowned by ClusterRole/lintel\n"
	if diff := cmp.Diff(want, f.registration(t, "mutatingwebhookconfiguration")); diff != "" {
		t.Errorf("registration of patches: -want, +got:\n%s", diff)
	}
	if leaders := f.leaders(); len(leaders) != 1 {
		t.Errorf("leaders: got %v, want one", leaders)
	}

	f.must(t, "delete", "-f", manifest, "--wait=false")
	eventually(t, "the registration to go with its owner", func() bool {
		return f.must(t, "get", "validatingwebhookconfigurations,mutatingwebhookconfigurations", "-o", "name") == ""
	})
	f.must(t, "wait", "--for=delete", "namespace/"+namespace, "--timeout=60s")
}

// registration returns a line for each entry: its name, what becomes of requests
// when nobody answers, the Service that is called, and one for who owns all of it.
func (f *fleet) registration(t *testing.T, kind string) string {
	t.Helper()
	return f.must(t, "get", kind, "lintel", "-o", "jsonpath={range .webhooks[*]}"+
		"{.name} {.failurePolicy} {.clientConfig.service.namespace}/{.clientConfig.service.name}{\"\\n\"}{end}"+
		"{range .metadata.ownerReferences[*]}owned by {.kind}/{.name}{\"\\n\"}{end}")
}

// leaders returns the replicas that say of themselves that they lead.
func (f *fleet) leaders() []int {
	var leaders []int
	for n := range f.replicas {
		if strings.Contains(page("http://"+addressOf(n)+":8080/metrics"), "\nlintel_leader 1\n") {
			leaders = append(leaders, n)
		}
	}
	return leaders
}

// TestLeaderGoes holds that another replica leads when the leader has gone, in
// order or by a crash, and that the registration is kept up.
func TestLeaderGoes(t *testing.T) {
	f := install(t, denying)
	for n := range 3 {
		f.start(t, n, "--lame-duck=1s")
	}
	for _, end := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		eventually(t, "a leader", func() bool { return len(f.leaders()) == 1 })
		leader := f.leaders()[0]
		if end == syscall.SIGTERM {
			must(t, f.replicas[leader].Stop())
		} else {
			f.replicas[leader].Kill()
		}
		delete(f.replicas, leader)
		eventually(t, "another leader", func() bool { return len(f.leaders()) == 1 })
		f.must(t, "patch", "validatingwebhookconfiguration", "lintel", "--type=json",
			`-p=[{"op": "replace", "path": "/webhooks/0/timeoutSeconds", "value": 29}]`)
		eventually(t, "the new leader to put right what was edited", func() bool {
			return f.must(t, "get", "validatingwebhookconfiguration", "lintel", "-o", "jsonpath={.webhooks[0].timeoutSeconds}") == "3"
		})
	}
}

// TestAllGone holds that with no replica left nothing new comes in, and that what
// brings Lintel back is not held up.
func TestAllGone(t *testing.T) {
	f := install(t, denying)
	f.start(t, 0)
	eventually(t, "requests that nobody answers to be refused", func() bool {
		_, _, _ = f.Kubectl(t.Context(), strings.NewReader(broken), "create", "--dry-run=server", "-f", "-") // a first review
		return strings.Contains(f.registration(t, "validatingwebhookconfiguration"), "deny.lintel.dev Fail ")
	})
	f.replicas[0].Kill()
	eventually(t, "the Service to have no endpoints", func() bool { return !f.isReady(0) })

	_, stderr, code := f.Kubectl(t.Context(), strings.NewReader(broken), "create", "-f", "-")
	if want := `failed calling webhook "deny.lintel.dev"`; code != 1 || !strings.Contains(stderr, want) {
		t.Errorf("with nobody there: exit code %d, want 1 and %q:\n%s", code, want, stderr)
	}
	f.must(t, "-n", namespace, "rollout", "restart", "deployment", "lintel")
	f.must(t, "-n", namespace, "scale", "deployment", "lintel", "--replicas=5")
	f.must(t, "-n", namespace, "delete", "pods", "--all", "--wait=false", "--grace-period=0", "--force")
	eventually(t, "new pods of Lintel's own", func() bool {
		return strings.Count(f.must(t, "-n", namespace, "get", "pods", "-o", "name"), "\n") >= 5
	})
	f.must(t, "-n", "kube-system", "create", "configmap", "any", "--from-literal=a=b")

	f.start(t, 1)
	_, stderr, _ = f.Kubectl(t.Context(), strings.NewReader(broken), "create", "-f", "-")
	if want := `admission webhook "deny.lintel.dev" denied the request`; !strings.Contains(stderr, want) {
		t.Errorf("with a replica again: want %q:\n%s", want, stderr)
	}
	if got := f.registration(t, "validatingwebhookconfiguration"); !strings.Contains(got, "deny.lintel.dev Fail ") {
		t.Errorf("a restart opens the gate:\n%s", got)
	}
}
