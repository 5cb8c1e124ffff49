package webhook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
	"github.com/lintel-policy/lintel/webhook"
)

// childRego is set in the environment of a process that is to serve and not to
// test: to rules, or to "" for the library.
const childRego = "LINTEL_TEST_CHILD_REGO"

func TestMain(m *testing.M) {
	if rules, ok := os.LookupEnv(childRego); ok {
		if err := runChild(rules); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// A greeting is what a child says first.
type greeting struct {
	Address   string
	Authority []byte
}

// A farewell is what a child says when its standard input ends.
type farewell struct {
	Idle, Peak int64  // memory that its runtime used, in bytes
	Resident   string // VmHWM of /proc/self/status, where there is one
}

// runChild serves until standard input ends, and then says how much memory it took.
func runChild(rules string) error {
	set, err := childSet(rules)
	if err != nil {
		return err
	}
	s, err := start(context.Background(), webhook.Config{Decider: live{set}}, webhook.ServerConfig{})
	if err != nil {
		return err
	}
	last := farewell{Idle: usedMemory()}
	ended := make(chan struct{})
	if err := json.NewEncoder(os.Stdout).Encode(greeting{s.address, s.authority}); err != nil {
		return err
	}
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, os.Stdin)
	}()
	for tick := time.NewTicker(2 * time.Millisecond); ; {
		select {
		case <-ended:
			last.Resident = highWater()
			return json.NewEncoder(os.Stdout).Encode(last)
		case <-tick.C:
			last.Peak = max(last.Peak, usedMemory())
		}
	}
}

func childSet(rules string) (*engine.Set, error) {
	library, err := policies.Embedded()
	if rules != "" {
		library = []engine.Policy{{Name: "pods", Modules: []v1alpha1.Module{{Name: "pods.rego", Rego: rules}}}}
	}
	if err != nil {
		return nil, err
	}
	return engine.Compile(engine.Config{Policies: library})
}

// usedMemory is what GOMEMLIMIT bounds.
func usedMemory() int64 {
	used := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(used)
	return int64(used[0].Value.Uint64() - used[1].Value.Uint64())
}

func highWater() string {
	status, _ := os.ReadFile("/proc/self/status")
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	line, _, _ := strings.Cut(after, "\n")
	return strings.TrimSpace(line)
}

// A child is a process that serves.
type child struct {
	*served
	stdin io.Closer
	said  *json.Decoder
	cmd   *exec.Cmd
}

// startChild starts a process that serves by rules with that much memory.
func startChild(t *testing.T, rules string, limit int64) *child {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	// What evaluators make from one look at memory to the next goes by the CPUs.
	cmd.Env = append(os.Environ(), childRego+"="+rules, fmt.Sprintf("GOMEMLIMIT=%d", limit), "GOMAXPROCS=2")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{stdin: stdin, said: json.NewDecoder(stdout), cmd: cmd}
	var hello greeting
	if err := c.said.Decode(&hello); err != nil {
		t.Fatalf("read what the child says: %v", err)
	}
	c.served = newClient(hello.Address, hello.Authority)
	return c
}

// end ends the child, which has to be alive, and returns what it says.
func (c *child) end(t *testing.T) farewell {
	t.Helper()
	c.client.CloseIdleConnections()
	_ = c.stdin.Close()
	var last farewell
	if err := c.said.Decode(&last); err != nil {
		t.Fatalf("the child has not lived to its end: %v", err)
	}
	if err := c.cmd.Wait(); err != nil {
		t.Fatalf("end of the child: %v", err)
	}
	return last
}
