package cluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	sigStop = syscall.SIGSTOP
	sigCont = syscall.SIGCONT

	// grace is how long a component may take to end when asked. It takes one
	// second, but an API server with watches open would wait for their clients.
	grace = 2 * time.Second

	// drain is how long output may still come after a process has ended.
	drain = time.Second

	// tailSize is how much of a log an error carries, in bytes: enough for a
	// component's last words, short enough to read.
	tailSize = 4 << 10
)

// A process is one run of one component.
type process struct {
	name     Component
	cmd      *exec.Cmd
	log      *os.File
	logStart int64         // where in the log this run begins
	done     chan struct{} // closed when it has ended
	err      error         // how it ended, once done is closed
	expected atomic.Bool   // whether its end was asked for
}

// startProcess starts the binary with args and keeps what it prints in the file
// logPath, which may have the output of runs before.
func startProcess(name Component, binary string, args, env []string, logPath string, out *output) (*process, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", name, err)
	}
	info, err := log.Stat()
	if err != nil {
		log.Close()
		return nil, fmt.Errorf("look at the log of %s: %w", name, err)
	}
	p := &process{name: name, log: log, logStart: info.Size(), done: make(chan struct{})}
	p.cmd = exec.Command(binary, args...) //nolint:noctx // it outlives the context that Start has
	p.cmd.Env = env
	p.cmd.SysProcAttr = tied()
	p.cmd.WaitDelay = drain
	writer := out.to(name, log)
	p.cmd.Stdout, p.cmd.Stderr = writer, writer
	started := make(chan error)
	go p.run(started)
	if err := <-started; err != nil {
		log.Close()
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// run starts the process, reports whether that went well, and waits for its
// end. The kernel ties a child's life to the thread that started it, not to the
// process, so the goroutine keeps its thread until the child has ended.
func (p *process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	p.err = p.cmd.Wait()
	close(p.done)
}

// ended says whether the process has ended.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// signal sends a signal to the process.
func (p *process) signal(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("send %v to %s: %w", sig, p.name, err)
	}
	return nil
}

// kill ends the process without asking, and waits until it has ended.
func (p *process) kill() {
	p.expected.Store(true)
	_ = p.signal(syscall.SIGKILL) // fails only if it has ended
	<-p.done
}

// stop ends the process: it asks, lets a paused one hear that, and kills after
// a grace period. The error reports that it had ended unasked.
func (p *process) stop() error {
	defer p.log.Close()
	if p.ended() && !p.expected.Load() {
		return p.failure()
	}
	p.expected.Store(true)
	_ = p.signal(syscall.SIGTERM) // fails only if it has ended
	_ = p.signal(sigCont)
	select {
	case <-p.done:
	case <-time.After(grace):
		p.kill()
	}
	return nil
}

// errBind reports that a component ended because somebody else has its port.
var errBind = errors.New("port is in use")

// failure describes why a process that has ended did so.
func (p *process) failure() error {
	tail := p.tail()
	if strings.Contains(tail, "address already in use") {
		return fmt.Errorf("%s ended: %w%s", p.name, errBind, tail)
	}
	if p.err == nil {
		return fmt.Errorf("%s ended by itself%s", p.name, tail)
	}
	return fmt.Errorf("%s ended: %w%s", p.name, p.err, tail)
}

// tail is the end of what this run printed, on lines of its own.
func (p *process) tail() string {
	info, err := p.log.Stat()
	if err != nil {
		return fmt.Sprintf("\n(no log: %v)", err)
	}
	from := max(p.logStart, info.Size()-tailSize)
	text := make([]byte, info.Size()-from)
	n, err := p.log.ReadAt(text, from)
	if n == 0 {
		return fmt.Sprintf("\n(it printed nothing: %v)", err)
	}
	return fmt.Sprintf("\nend of the log of %s:\n%s", p.name, strings.TrimRight(string(text[:n]), "\n"))
}

// signal sends a signal to a component.
func (c *Cluster) signal(name Component, sig syscall.Signal) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.processes[name]
	if p == nil {
		return fmt.Errorf("send %v to %s: %w", sig, name, ErrNotRunning)
	}
	return p.signal(sig)
}
