package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// demoVar has another run of this test binary be the demo.
const demoVar = "LINTEL_TEST_DEMO"

func TestMain(m *testing.M) {
	if os.Getenv(demoVar) != "" {
		main()
	}
	os.Exit(m.Run())
}

// itself is the command that is nothing but the demo.
func itself(*testing.T) []string { return []string{os.Args[0]} }

// A demo is one in a process of its own. All that it starts is in its session.
type demo struct {
	cmd    *exec.Cmd
	output transcript
	temp   string // folder for temporary files, which nobody else uses
	ended  chan struct{}
}

// newDemo returns a demo that start starts by a command.
func newDemo(t *testing.T, command []string, env ...string) *demo {
	t.Helper()
	d := &demo{cmd: exec.Command(command[0], command[1:]...), temp: t.TempDir(), ended: make(chan struct{})}
	d.cmd.Env = append(append(os.Environ(), demoVar+"=1", "TMPDIR="+d.temp, "KUBEBUILDER_ASSETS="+assets(t)), env...)
	d.cmd.Stdout, d.cmd.Stderr = &d.output, &d.output
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return d
}

// assets is where the control plane is that the tests are given: a demo that builds
// one would take minutes, and with another PATH another one.
func assets(t *testing.T) string {
	t.Helper()
	if folder := os.Getenv("KUBEBUILDER_ASSETS"); folder != "" {
		return folder
	}
	folder, err := filepath.Abs("../../.cache/controlplane")
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

func (d *demo) start(t *testing.T) {
	t.Helper()
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(d.ended)
		_ = d.cmd.Wait() // its exit code is looked at
	}()
	t.Cleanup(func() {
		_ = d.cmd.Process.Kill()
		<-d.ended
	})
}

// await waits until the demo has printed a text.
func (d *demo) await(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); !strings.Contains(d.output.String(), text); {
		select {
		case <-d.ended:
			t.Fatalf("the demo ended without %q:\n%s", text, d.output.String())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("the demo does not come to %q:\n%s", text, d.output.String())
		}
	}
}

// expectEnd holds that the demo ends with an exit code, and leaves nothing behind.
func (d *demo) expectEnd(t *testing.T, reason string, code int) {
	t.Helper()
	select {
	case <-d.ended:
	case <-time.After(5 * time.Minute):
		t.Fatalf("%s\nthe demo does not end:\n%s", reason, d.output.String())
	}
	if got := d.cmd.ProcessState.ExitCode(); got != code {
		t.Errorf("%s\nexit code %d, want %d:\n%s", reason, got, code, d.output.String())
	}
	if left := processes(d.cmd.Process.Pid); len(left) > 0 {
		t.Errorf("%s\nstill running: %q", reason, left)
	}
	if left := files(t, d.temp); len(left) > 0 {
		t.Errorf("%s\nfiles are left: %q", reason, left)
	}
}

// processes lists the command lines in a session. Where there is no /proc, it sees none.
func processes(leader int) []string {
	var found []string
	paths, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range paths {
		stat, err := os.ReadFile(path)
		// After the name in parentheses come state, parent, group and session.
		_, rest, _ := strings.Cut(string(stat), ") ")
		if fields := strings.Fields(rest); err == nil && fields[3] == fmt.Sprint(leader) {
			line, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

// files lists what is in a folder, without the lock that all clusters have in
// common, which stays.
func files(t *testing.T, folder string) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{"*", "lintel-clusters-*/*"} {
		paths, err := filepath.Glob(filepath.Join(folder, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if name := filepath.Base(path); name != "lock" && !strings.HasPrefix(name, "lintel-clusters-") {
				found = append(found, path)
			}
		}
	}
	return found
}

// A transcript is what a demo has printed so far.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

func TestWithoutTerminal(t *testing.T) {
	d := newDemo(t, itself(t))
	d.start(t)
	d.expectEnd(t, "Without a terminal, the demo ends by itself when it has shown everything.", 0)
	output := d.output.String()
	for _, want := range []string{
		`admission webhook "deny.lintel.dev" denied the request: Deployment shop/web breaks 3 policies (8 violations):`,
		"\nWarning: probes: spec.template.spec.containers[0] (web): no livenessProbe\n",
		"$ kubectl apply -n shop-dev -f e2e/demo/web-first-try.yaml\ndeployment.apps/web created\n\n",
		`"recorded": "probes,required-labels,resources"`,
		`{"app":"web","environment":"production","service":"storefront","team":"checkout"}`,
		"\n+     environment: production\n",
		"\n4 objects: 1 denied, 1 patched\n",
		"\nAll went as it should.\n",
	} {
		if !strings.Contains(output, want) {
			t.Errorf("the demo does not show %q:\n%s", want, output)
		}
	}
	for _, unwanted := range []string{"UNEXPECTED", "KUBECONFIG="} {
		if strings.Contains(output, unwanted) {
			t.Errorf("the demo says %s:\n%s", unwanted, output)
		}
	}
}

func TestInterrupted(t *testing.T) {
	d := newDemo(t, itself(t))
	d.start(t)
	d.await(t, "Starting lintel serve")
	if err := syscall.Kill(-d.cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	d.expectEnd(t, "A demo that is not given to its end is not given, and leaves nothing either.", 2)
	if want := "demo: interrupted\n"; !strings.HasSuffix(d.output.String(), want) {
		t.Errorf("the demo does not end by %q:\n%s", want, d.output.String())
	}
}

func TestTypedKubectl(t *testing.T) {
	const own = "/cache/kubectl"
	t.Setenv("PATH", t.TempDir())
	if got, err := typedKubectl(own); err != nil || got != own {
		t.Errorf("with no kubectl on the PATH: got %q, %v, want %q", got, err, own)
	}
	if err := os.WriteFile(filepath.Join(os.Getenv("PATH"), "kubectl"), nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if got, err := typedKubectl(own); err != nil || got != "kubectl" {
		t.Errorf("with kubectl on the PATH: got %q, %v, want its name", got, err)
	}
}

func TestExitCode(t *testing.T) {
	cases := map[string]struct {
		reason string
		err    error
		want   int
	}{
		"Right":      {"All went as it should.", nil, 0},
		"Unexpected": {"What is shown is wrong.", errUnexpected, 1},
		"Both":       {"What is shown is wrong, whatever comes of its end.", errors.Join(errUnexpected, errors.New("stop")), 1},
		"CouldNot":   {"Nothing could be shown.", errors.New("build"), 2},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := exitCode(tc.err, &bytes.Buffer{}); got != tc.want {
				t.Errorf("%s\nexitCode(%v): got %d, want %d", tc.reason, tc.err, got, tc.want)
			}
		})
	}
}
