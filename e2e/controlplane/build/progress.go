package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// interval is how often progress is reported: often enough to see that a build
// is alive, seldom enough for a log.
const interval = 10 * time.Second

// kept is how much of a failed build's output is shown, in bytes. The compiler
// stops at ten errors a package, which fits.
const kept = 16 << 10

// A progress takes what go build -v prints, one line for each package as it is
// compiled, and reports how many there have been.
type progress struct {
	name    string
	stderr  io.Writer
	start   time.Time
	done    chan struct{}
	stopped sync.WaitGroup

	mu       sync.Mutex
	packages int
	tail     bytes.Buffer
}

// newProgress starts reporting to stderr, until stop.
func newProgress(name string, stderr io.Writer) *progress {
	p := &progress{name: name, stderr: stderr, start: time.Now(), done: make(chan struct{})}
	p.stopped.Go(p.report)
	return p
}

// Write counts lines and keeps the last of them for output.
func (p *progress) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.packages += bytes.Count(text, []byte("\n"))
	p.tail.Write(text)
	if over := p.tail.Len() - kept; over > 0 {
		p.tail.Next(over)
	}
	return len(text), nil
}

// report prints a line at each interval.
func (p *progress) report() {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-p.done:
			return
		case <-ticker.C:
			p.mu.Lock()
			packages := p.packages
			p.mu.Unlock()
			fmt.Fprintf(p.stderr, "controlplane: %s: %d packages compiled, %s so far\n",
				p.name, packages, time.Since(p.start).Round(time.Second))
		}
	}
}

// stop ends the reports and waits until none is being written.
func (p *progress) stop() {
	close(p.done)
	p.stopped.Wait()
}

// output is the end of what the build printed, on lines of its own, without
// the names of packages that merely were compiled.
func (p *progress) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var lines []string
	for line := range strings.Lines(p.tail.String()) {
		if strings.ContainsAny(strings.TrimSpace(line), " #") {
			lines = append(lines, strings.TrimRight(line, "\n"))
		}
	}
	if len(lines) == 0 {
		return ""
	}
	return "\n" + strings.Join(lines, "\n")
}
