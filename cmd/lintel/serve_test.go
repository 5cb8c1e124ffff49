package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
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
	folder := filepath.Join(t.TempDir(), "owned")
	must(os.Mkdir(folder, 0o755))
	must(os.WriteFile(filepath.Join(folder, "owned.rego"), []byte(owned), 0o600))
	args = append([]string{"serve", "--kubeconfig", shared.Cluster(t).Kubeconfig(), "-p", filepath.Dir(folder), "--address", "127.0.0.1:0"}, args...)
	s := &served{cmd: exec.Command("lintel", args...), log: make(chan map[string]any, 1000), ended: make(chan error, 1)}
	s.cmd.Stdout = &s.stdout
	stderr, err := s.cmd.StderrPipe()
	must(err)
	must(s.cmd.Start())
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	go s.read(t, stderr)
	s.awaitLog(t, "registered")
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

func (s *served) awaitLog(t *testing.T, message string) {
	t.Helper()
	timeout := time.After(30 * time.Second)
	for {
		select {
		case record, ok := <-s.log:
			if !ok {
				t.Fatalf("lintel ended before it logged %q", message)
			}
			if record["msg"] == message {
				return
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
	for range 100 {
		stdout, stderr, _ := shared.Cluster(t).Kubectl(t.Context(), strings.NewReader(object), "create", "--dry-run=server", "-o", "json", "-f", "-")
		if said = stdout + stderr; strings.Contains(said, says) {
			return said
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("kubectl create: got %q, want something with %q", said, says)
	return ""
}

func TestServe(t *testing.T) {
	s := serve(t, "--fail-closed")
	create(t, orphan, "ConfigMap default/orphan breaks 1 policy (1 violation):\n  owned  metadata.labels.owner: owner is missing\npolicies ")
	create(t, mended, `"colour": "red"`)
	got, _, _ := shared.Cluster(t).Kubectl(t.Context(), nil, "get", "validatingwebhookconfigurations,mutatingwebhookconfigurations",
		"-o", "jsonpath={.items[*].webhooks[*].failurePolicy}")
	if want := "Fail Ignore"; got != want {
		t.Errorf("failurePolicy: got %q, want %q: what cannot be judged is refused, what cannot be patched is judged", got, want)
	}

	must(s.cmd.Process.Signal(syscall.SIGTERM))
	for range s.log {
	}
	if err := <-s.ended; err != nil {
		t.Errorf("lintel serve after SIGTERM: %v, want exit code 0", err)
	}
	if s.stdout.Len() > 0 {
		t.Errorf("standard output: got %q, want nothing", s.stdout.String())
	}
	got, _, _ = shared.Cluster(t).Kubectl(t.Context(), nil, "get", "validatingwebhookconfigurations,mutatingwebhookconfigurations", "-o", "name")
	if got != "" {
		t.Errorf("registrations after the end: got %q, want none", got)
	}
	create(t, orphan, `"name": "orphan"`)
}

// TestServeRefusesWhatCannotBeReached listens on all addresses, which is none
// that can be called.
func TestServeRefusesWhatCannotBeReached(t *testing.T) {
	cmd := exec.Command("lintel", "serve", "--kubeconfig", shared.Cluster(t).Kubeconfig(), "-p", "embedded", "--address", "0.0.0.0:0")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != 2 {
		t.Errorf("exit code: got %d, want 2", got)
	}
	if want := "lintel: URL of webhook \"https://0.0.0.0:"; !strings.Contains(stderr.String(), want) || stdout.Len() > 0 {
		t.Errorf("got %q and on standard output %q, want %q", stderr.String(), stdout.String(), want)
	}
}
