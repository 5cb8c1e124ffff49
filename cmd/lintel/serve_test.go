package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lintel-policy/lintel/e2e/cluster"
	"github.com/lintel-policy/lintel/e2e/cluster/clustertest"
)

var shared = clustertest.New(cluster.Config{})

// owned wants an owner of each ConfigMap and gives it a colour.
const owned = `# METADATA
# custom: {severity: high, match: {kinds: [{apiGroups: [""], kinds: [ConfigMap]}]}}
package lintel.owned

violation contains {"msg": "owner is missing", "path": ["metadata", "labels", "owner"]} if {
	not input.review.object.metadata.labels.owner
}

patch contains {"path": ["metadata", "labels", "colour"], "value": "red"}
`

const (
	orphan = `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "orphan", "namespace": "default"}}`
	mended = `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mended", "namespace": "default", "labels": {"owner": "me"}}}`
)

// A served is a running `lintel serve`.
type served struct {
	cmd    *exec.Cmd
	stdout bytes.Buffer
	log    chan map[string]any
	ended  chan error
}

// serve starts lintel in front of the cluster and returns when it is registered.
func serve(t *testing.T, args ...string) *served {
	t.Helper()
	return serveFrom(t, owners(t), args...)
}

// serveFrom does the same with policies of a source.
func serveFrom(t *testing.T, source string, args ...string) *served {
	t.Helper()
	return serveUntil(t, "registered", source, args...)
}

// serveUntil does the same and returns when lintel has logged something.
func serveUntil(t *testing.T, message, source string, args ...string) *served {
	t.Helper()
	args = append([]string{"serve", "--kubeconfig", shared.Cluster(t).Kubeconfig(), "-p", source, "--address", "127.0.0.1:0"}, args...)
	s := &served{cmd: exec.Command("lintel", args...), log: make(chan map[string]any, 1000), ended: make(chan error, 1)}
	s.cmd.Stdout = &s.stdout
	stderr, err := s.cmd.StderrPipe()
	must(err)
	must(s.cmd.Start())
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	go s.read(t, stderr)
	s.awaitLog(t, message)
	return s
}

// read takes the log, of which each line is to be JSON.
func (s *served) read(t *testing.T, stderr io.Reader) {
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		var record map[string]any
		if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
			t.Errorf("log has a line that is no JSON: %s", lines.Text())
		}
		s.log <- record
	}
	close(s.log)
	s.ended <- s.cmd.Wait()
}

// awaitLog returns the next record with a message.
func (s *served) awaitLog(t *testing.T, message string) map[string]any {
	t.Helper()
	timeout := time.After(2 * time.Minute)
	for {
		select {
		case record, ok := <-s.log:
			if !ok {
				t.Fatalf("lintel ended before it logged %q", message)
			}
			if record["msg"] == message {
				return record
			}
		case <-timeout:
			t.Fatalf("lintel did not log %q in time", message)
		}
	}
}

// create creates an object and returns what kubectl says, until says is part of it:
// the API server learns of registrations by a watch.
func create(t *testing.T, object, says string) string {
	t.Helper()
	var said string
	if !comesTrue(func() bool {
		stdout, stderr, _ := shared.Cluster(t).Kubectl(t.Context(), strings.NewReader(object), "create", "--dry-run=server", "-o", "json", "-f", "-")
		said = stdout + stderr
		return strings.Contains(said, says)
	}) {
		t.Fatalf("kubectl create: got %q, want something with %q", said, says)
	}
	return said
}

// comesTrue reports whether something comes to be true within two minutes.
func comesTrue(is func() bool) bool {
	for began := time.Now(); time.Since(began) < 2*time.Minute; {
		if is() {
			return true
		}
		time.Sleep(100 * time.Millisecond)
	}
	return false
}

func TestServe(t *testing.T) {
	cases := map[string]struct {
		reason string
		args   []string
		end    syscall.Signal
		policy string // the failurePolicy of the three entries
	}{
		"FailClosed": {
			reason: "What cannot be judged is refused where that is asked for; what cannot be patched is judged.",
			args:   []string{"--fail-closed"}, end: syscall.SIGTERM, policy: "Fail Ignore Ignore",
		},
		"Default": {
			reason: "Lintel outside of a cluster does not stop it when it is gone.",
			end:    syscall.SIGINT, policy: "Ignore Ignore Ignore",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := serve(t, tc.args...)
			create(t, orphan, "ConfigMap default/orphan breaks 1 policy (1 violation):\n  owned  metadata.labels.owner: owner is missing\npolicies ")
			create(t, mended, `"colour": "red"`)
			got := ""
			if !comesTrue(func() bool { // the first review has come in, and the registration follows
				got = registrations(t, "jsonpath={.items[*].webhooks[*].failurePolicy}")
				return got == tc.policy
			}) {
				t.Errorf("%s\nfailurePolicy: got %q, want %q", tc.reason, got, tc.policy)
			}
			s.end(t, tc.end)
			if got := registrations(t, "name"); got != "" {
				t.Errorf("registrations after the end: got %q, want none", got)
			}
			create(t, orphan, `"name": "orphan"`)
		})
	}
}

// registrations returns what kubectl prints of the webhook configurations.
func registrations(t *testing.T, output string) string {
	t.Helper()
	got, stderr, code := shared.Cluster(t).Kubectl(t.Context(), nil, "get", "validatingwebhookconfigurations,mutatingwebhookconfigurations", "-o", output)
	if code != 0 {
		t.Fatalf("kubectl get: %s", stderr)
	}
	return got
}

// end ends lintel by a signal.
func (s *served) end(t *testing.T, sig syscall.Signal) {
	t.Helper()
	must(s.cmd.Process.Signal(sig))
	var last map[string]any
	for record := range s.log { // read to its end, which comes before that of the process
		last = record
	}
	if last["msg"] != "ended" {
		t.Errorf("the log ends with %v, want its last line to say that all has ended", last)
	}
	if err := <-s.ended; err != nil {
		t.Errorf("lintel serve after %s: %v, want exit code 0", sig, err)
	}
	if s.stdout.Len() > 0 {
		t.Errorf("standard output: got %q, want nothing", s.stdout.String())
	}
}

// refused runs `lintel serve`, which has to end by itself with exit code 2, and
// returns the last line that it says.
func refused(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "lintel", append([]string{"serve", "-p", "embedded"}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != 2 || stdout.Len() > 0 {
		t.Errorf("got exit code %d and %q on standard output, want 2 and nothing\n%s", got, stdout.String(), stderr.String())
	}
	lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
	return lines[len(lines)-1]
}

// TestServeRefusesWhatCannotBeReached listens on all addresses, which is none
// that can be called.
func TestServeRefusesWhatCannotBeReached(t *testing.T) {
	got := refused(t, "--kubeconfig", shared.Cluster(t).Kubeconfig(), "--address", "0.0.0.0:0")
	if want := `lintel: URL of webhook "https://0.0.0.0:`; !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestServeWithoutPermission says what is not permitted, and at once.
func TestServeWithoutPermission(t *testing.T) {
	cases := map[string]struct {
		reason string
		reads  bool
		want   string
	}{
		"Nothing": {
			reason: "Who may not read namespaces cannot go by their labels.",
			want:   `lintel: read namespaces: namespaces is forbidden: User "nothing"`,
		},
		"ReadOnly": {
			reason: "Who may not register is told so, and nothing is left half done.",
			reads:  true,
			want:   `lintel: register validating webhook: validatingwebhookconfigurations.admissionregistration.k8s.io "lintel" is forbidden: User "readonly"`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			user := strings.ToLower(name)
			kubeconfig, err := shared.Cluster(t).KubeconfigFor(user)
			must(err)
			if tc.reads {
				permit(t, "create", "clusterrole", user, "--verb=get,list,watch", "--resource=*.*")
				permit(t, "create", "clusterrolebinding", user, "--clusterrole="+user, "--user="+user)
			}
			if got := refused(t, "--kubeconfig", kubeconfig, "--address", "127.0.0.1:0"); !strings.HasPrefix(got, tc.want) {
				t.Errorf("%s\ngot %q, want %q", tc.reason, got, tc.want)
			}
			if got := registrations(t, "name"); got != "" {
				t.Errorf("registrations: got %q, want none", got)
			}
		})
	}
}

func permit(t *testing.T, args ...string) {
	t.Helper()
	if _, stderr, code := shared.Cluster(t).Kubectl(t.Context(), nil, args...); code != 0 {
		t.Fatalf("kubectl %q: %s", args, stderr)
	}
}
