// Package gate runs the real lintel binary as the admission webhook of a
// cluster, for tests, the demo and benchmarks.
//
// What is decided here, and why:
//
//   - It is the binary that users run, as a process of its own: flags, signals,
//     exit code and registration are part of what is tried.
//   - Start returns when the API server asks Lintel, not when Lintel says that
//     it is registered: API servers learn of a registration by a watch, and what
//     comes before that passes unseen.
//   - On Linux the kernel ends Lintel when the process that started it ends,
//     however it ends. Its process group is its own, so that Ctrl-C in a terminal
//     does not end it before its owner has it deregister.
package gate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/lintel-policy/lintel/e2e/cluster"
)

// grace is how long Lintel may take to end: it deregisters and answers what is
// in flight, which takes a little more than a second.
const grace = 20 * time.Second

// Config configures a [Gate]. Binary and Cluster are required.
type Config struct {
	Binary   string           // path of lintel; see Build
	Cluster  *cluster.Cluster // that it stands in front of
	Policies []string         // values of --policies; if empty, the library in the binary; one has to judge Deployments, and one to patch them, or Start cannot tell that requests come through
	Args     []string         // further flags
	Log      io.Writer        // gets what it prints; if nil, that is only kept for errors
	Timeout  time.Duration    // bounds Start; if zero, one minute
}

// A Gate is a running `lintel serve`, which refuses what it cannot be asked about.
type Gate struct {
	cmd  *exec.Cmd
	log  *log
	done chan struct{} // closed when it has ended
	err  error         // how it ended, once done is closed
}

// Signal sends a signal to Lintel.
func (g *Gate) Signal(s os.Signal) error { return g.cmd.Process.Signal(s) }

// Build builds lintel from the checkout that the working directory is in, into a
// folder, and returns the path of the binary.
func Build(ctx context.Context, folder string) (string, error) {
	binary := filepath.Join(folder, "lintel")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/lintel-policy/lintel/cmd/lintel")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as in the image: it needs nothing beside itself
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build lintel: %w\n%s", err, out)
	}
	return binary, nil
}

// Start starts Lintel and returns when every request to the cluster that it asks
// for comes through it. ctx bounds the start only. Where it does not come to
// that, the error has what it printed, and nothing is left running.
func Start(ctx context.Context, cfg Config) (*Gate, error) {
	if cfg.Timeout == 0 {
		cfg.Timeout = time.Minute
	}
	if len(cfg.Policies) == 0 {
		cfg.Policies = []string{"embedded"}
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	g, err := Launch(Process{Binary: cfg.Binary, Args: cfg.args(), Log: cfg.Log})
	if err != nil {
		return nil, err
	}
	if err := g.await(ctx, cfg.Cluster); err != nil {
		return nil, errors.Join(fmt.Errorf("start lintel: %w", err), g.Stop())
	}
	return g, nil
}

// args is the command line.
func (cfg Config) args() []string {
	args := []string{"serve", "--kubeconfig", cfg.Cluster.Kubeconfig(), "--address", "127.0.0.1:0", "--fail-closed"}
	for _, from := range cfg.Policies {
		args = append(args, "--policies", from)
	}
	return append(args, cfg.Args...)
}

// A Process is how lintel is run. Binary and Args are required.
type Process struct {
	Binary string    // path of lintel, in Root if that is given
	Args   []string  // its command line
	Env    []string  // its environment; if nil, this process's
	Root   string    // the folder that it takes for /; if empty, no other
	User   uint32    // as whom it runs, and in which group; if 0, as this process
	Log    io.Writer // gets what it prints; if nil, that is only kept
}

// Launch starts lintel and does not wait for anything.
func Launch(p Process) (*Gate, error) {
	g := &Gate{log: &log{to: p.Log}, done: make(chan struct{})}
	g.cmd = exec.Command(p.Binary, p.Args...) //nolint:noctx // it outlives the context that Start has
	g.cmd.Env = p.Env
	g.cmd.Stdout, g.cmd.Stderr = g.log, g.log
	g.cmd.SysProcAttr = tied()
	g.cmd.SysProcAttr.Chroot = p.Root
	if p.Root != "" {
		g.cmd.Dir = "/"
	}
	if p.User != 0 {
		g.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: p.User, Gid: p.User}
	}
	started := make(chan error)
	go g.run(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start lintel: %w", err)
	}
	return g, nil
}

// run starts the process, reports whether that went well, and waits for its
// end. The kernel ties its life to the thread that started it, so the goroutine
// keeps the thread.
func (g *Gate) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := g.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	g.err = g.cmd.Wait()
	close(g.done)
}

// probe breaks policies of the library and has something to patch.
const probe = `{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "lintel-probe", "namespace": "default"}, "spec": {
	"replicas": 2, "selector": {"matchLabels": {"app": "a"}}, "template": {
	"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "a", "image": "a"}]}}}}`

// await waits until the API server asks both to patch and to judge, and refuses
// what it cannot ask about.
func (g *Gate) await(ctx context.Context, c *cluster.Cluster) error {
	for {
		_, stderr, _ := c.Kubectl(ctx, strings.NewReader(probe), "create", "--dry-run=server", "-f", "-")
		if g.isAsked() {
			return nil
		}
		select {
		case <-g.done:
			return fmt.Errorf("it ended: %w\n%s", g.err, g.log.tail())
		case <-ctx.Done():
			return fmt.Errorf("wait until requests come through it: %w; last answer: %s\n%s", ctx.Err(), stderr, g.log.tail())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// isAsked reports whether a request has come in by each of the two registrations,
// and what cannot be asked about is refused from now on. It is read in the log,
// because what only warns and patches nothing leaves no other trace.
func (g *Gate) isAsked() bool {
	log := g.Log()
	judged := strings.Contains(log, `"door":"deny"`) || strings.Contains(log, `"door":"warn"`)
	closed := strings.Contains(log, "deny.lintel.dev=Fail") || !strings.Contains(log, "deny.lintel.dev=")
	return strings.Contains(log, `"door":"mutate"`) && judged && closed
}

// Stop has Lintel deregister and end, as SIGTERM does, and returns when it has
// ended. The error reports any exit code but 0, and an end that had come before.
// A second Stop reports the same.
func (g *Gate) Stop() error {
	select {
	case <-g.done:
	default:
		_ = g.cmd.Process.Signal(syscall.SIGTERM) // fails only if it has ended
		select {
		case <-g.done:
		case <-time.After(grace):
			_ = g.cmd.Process.Kill()
			<-g.done
		}
	}
	if g.err != nil {
		return fmt.Errorf("lintel ended: %w\n%s", g.err, g.log.tail())
	}
	return nil
}

// Kill ends Lintel without asking, as a crash does: its registration stays.
func (g *Gate) Kill() {
	_ = g.cmd.Process.Kill() // fails only if it has ended
	<-g.done
}

// Ended is closed when Lintel has ended.
func (g *Gate) Ended() <-chan struct{} { return g.done }

// Log is what Lintel has printed so far.
func (g *Gate) Log() string { return g.log.String() }

// A log keeps what a process prints, and may pass it on.
type log struct {
	to io.Writer

	mu   sync.Mutex
	text strings.Builder
}

// Write implements io.Writer.
func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	if l.to != nil {
		return l.to.Write(p)
	}
	return len(p), nil
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// tailSize is how much of the log an error carries, in bytes.
const tailSize = 4 << 10

// tail is the end of the log, from the beginning of a line.
func (l *log) tail() string {
	text := l.String()
	if len(text) <= tailSize {
		return text
	}
	text = text[len(text)-tailSize:]
	return text[strings.Index(text, "\n")+1:]
}
