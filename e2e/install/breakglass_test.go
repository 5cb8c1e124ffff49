//go:build linux

package install_test

import (
	"os/exec"
	"strings"
	"testing"
)

// breakglass runs `lintel breakglass` as an administrator does.
func (f *fleet) breakglass(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), f.binary, append([]string{"breakglass", "--kubeconfig", f.Kubeconfig()}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("lintel breakglass %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// create tries to create what lacks all that the library asks for, and returns what
// kubectl says.
func (f *fleet) create(t *testing.T) string {
	t.Helper()
	stdout, stderr, _ := f.Kubectl(t.Context(), strings.NewReader(broken), "create", "--dry-run=server", "-f", "-")
	return stdout + stderr
}

// TestLockedOut rehearses how to get out of a lockout: no replica is left, and what a
// policy could deny is refused. Whoever breaks the glass gets in, and stays in while
// Lintel comes back, which closes the gate when the time is over.
func TestLockedOut(t *testing.T) {
	f := install(t, denying)
	f.start(t, 0)
	f.awaitDenial(t)
	before := f.must(t, "get", "validatingwebhookconfigurations,mutatingwebhookconfigurations", "-o", "jsonpath={.items[*].webhooks}")
	f.replicas[0].Kill()
	delete(f.replicas, 0)
	eventually(t, "requests to be refused", func() bool { return strings.Contains(f.create(t), `failed calling webhook "deny.lintel.dev"`) })

	const passes = "deployment.apps/broken created"
	f.breakglass(t, "--for", "1h", "--reason", "INC-1: all down")
	eventually(t, "requests to pass", func() bool { return strings.HasPrefix(f.create(t), passes) })

	f.start(t, 1)
	eventually(t, "Lintel to know of it", func() bool {
		return strings.Contains(page("http://"+addressOf(1)+":8080/metrics"), `lintel_registration_openings_total{by="breakglass"} 1`)
	})
	if got := f.create(t); !strings.HasPrefix(got, passes) {
		t.Errorf("with Lintel back, before the time is over: %s", got)
	}
	state := f.must(t, "get", "configmap", "lintel-state", "-n", namespace, "-o", "jsonpath={.data.breakglass-reason} {.data.breakglass-by}")
	if want := "INC-1: all down kubernetes-admin"; state != want {
		t.Errorf("what is remembered: got %q, want %q", state, want)
	}

	f.breakglass(t, "--for", "2s", "--reason", "INC-1: all is well")
	eventually(t, "the gate to be closed in time", func() bool {
		return strings.Contains(f.create(t), `admission webhook "deny.lintel.dev" denied the request`)
	})
	after := f.must(t, "get", "validatingwebhookconfigurations,mutatingwebhookconfigurations", "-o", "jsonpath={.items[*].webhooks}")
	if before != after {
		t.Errorf("before:\n%s\nafter the gate was open:\n%s", before, after)
	}
	if got := f.breakglass(t, "--status"); !strings.Contains(got, "ValidatingWebhookConfiguration lintel: closed: 3 entries are asked\n") {
		t.Errorf("afterwards the gate stands\n%s", got)
	}
}
