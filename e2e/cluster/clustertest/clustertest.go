// Package clustertest shares one control plane among the tests of a package.
//
//	var shared = clustertest.New(cluster.Config{Controllers: true})
//
//	func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }
//
//	func TestApply(t *testing.T) {
//		c := shared.Cluster(t)
//		…
//	}
//
// It starts when a test first asks for it, so that tests which need none do not
// wait, and stops when the last has ended. Where it cannot start, each test
// that asks for it fails.
package clustertest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"testing"

	"github.com/lintel-policy/lintel/e2e/cluster"
)

// interrupted is the exit code of a run that a signal ended, as shells have it.
const interrupted = 130

// A Shared is a control plane that tests share.
type Shared struct {
	cfg cluster.Config

	mu      sync.Mutex
	cluster *cluster.Cluster
	err     error
}

// New returns a control plane that is to be started with cfg.
func New(cfg cluster.Config) *Shared { return &Shared{cfg: cfg} }

// Cluster is the control plane, which the first call starts. The test fails at
// once where that could not be done.
func (s *Shared) Cluster(tb testing.TB) *cluster.Cluster {
	tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cluster == nil && s.err == nil {
		s.cluster, s.err = cluster.Start(tb.Context(), s.cfg)
	}
	if s.err != nil {
		tb.Fatal(s.err)
	}
	return s.cluster
}

// Run runs the tests of m and then stops the control plane. It returns the exit
// code for the process, which is not 0 either where a component ended while
// tests ran. It also stops where the run is interrupted.
func (s *Shared) Run(m *testing.M) int {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		// A start that is under way holds the lock for a while; the kernel ends
		// what it started.
		if s.mu.TryLock() {
			_ = s.stop(os.Stderr)
		}
		os.Exit(interrupted)
	}()
	code := m.Run()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.stop(os.Stderr); err != nil && code == 0 {
		code = 1
	}
	return code
}

// errStopped is what tests get that ask after the end.
var errStopped = errors.New("the shared control plane has been stopped")

// stop stops the control plane, where there is one, and prints what went wrong.
func (s *Shared) stop(stderr io.Writer) error {
	if s.cluster == nil {
		return nil
	}
	err := s.cluster.Stop()
	s.cluster, s.err = nil, errStopped
	if err != nil {
		fmt.Fprintf(stderr, "stop the shared control plane: %v\n", err)
	}
	return err
}
