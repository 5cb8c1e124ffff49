package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/term"
)

// attended says whether there is somebody who reads and can press Ctrl-C.
func attended(in, out *os.File) bool {
	return term.IsTerminal(int(in.Fd())) && term.IsTerminal(int(out.Fd()))
}

// stay leaves everything up until Ctrl-C. That is read as a key here: as a signal
// it would reach make too, whose exit code then says that something went wrong.
func (s *session) stay(ctx context.Context, terminal *os.File) error {
	advice, err := s.advice(ctx)
	if err != nil {
		return err
	}
	before, err := term.MakeRaw(int(terminal.Fd()))
	if err != nil {
		return fmt.Errorf("listen for Ctrl-C: %w", err)
	}
	defer func() {
		_ = term.Restore(int(terminal.Fd()), before) // a terminal that has gone needs none
		s.say("Ending ...")
	}()
	// A raw terminal does not begin a new line at its left end by itself.
	s.say("%s\r", strings.ReplaceAll(advice, "\n", "\r\n"))
	select {
	case <-pressed(terminal):
	case <-ctx.Done():
	case <-s.gate.Ended():
		return errors.New("lintel has ended by itself")
	}
	return nil
}

// ctrlC is what a raw terminal sends for Ctrl-C.
const ctrlC = 0x03

// pressed is closed when somebody presses Ctrl-C or the terminal has gone.
func pressed(terminal io.Reader) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		key := make([]byte, 1)
		for key[0] != ctrlC {
			if _, err := terminal.Read(key); err != nil {
				return
			}
		}
	}()
	return done
}

// advice says how to go on.
func (s *session) advice(ctx context.Context) (string, error) {
	metrics, err := s.metricsAddress(ctx)
	if err != nil {
		return "", err
	}
	kubectl, err := typedKubectl(s.cluster.KubectlPath())
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`
It stays up until Ctrl-C. To go on, in another terminal:

  export KUBECONFIG=%s
  %s create deployment try --image=nginx -n %s

That is denied; with -n %s it is warned about, with -n %s recorded.

  tail -f %s
  curl -s http://%s/metrics | grep decisions_total
`, s.cluster.Kubeconfig(), kubectl, production, staging, development, s.log.Name(), metrics), nil
}

// typedKubectl is how kubectl is typed: where there is none on the PATH, it is the
// demo's own, with its whole path.
func typedKubectl(own string) (string, error) {
	if _, err := exec.LookPath("kubectl"); err == nil {
		return "kubectl", nil
	}
	path, err := filepath.Abs(own)
	if err != nil {
		return "", fmt.Errorf("find kubectl: %w", err)
	}
	return path, nil
}
