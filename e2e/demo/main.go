// Command demo shows Lintel in front of a real API server. With real kubectl one
// Deployment is denied in production with all that is wrong with it, warned about
// in staging and recorded in development; mended, it is admitted and patched.
//
// Usage, anywhere in a checkout:
//
//	go run ./e2e/demo
//
// It builds what it needs, starts a control plane and Lintel on this machine,
// prints each command as a user would type it with what comes of it, and checks
// what it shows. On a terminal everything then stays up for its user to go on
// with, until Ctrl-C. When it ends, it removes everything. Exit code 0: all went as
// it should; 1: something did not; 2: the demo could not be given.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

func main() { os.Exit(exitCode(run(os.Stdin, os.Stdout, os.Stderr), os.Stderr)) }

// errUnexpected reports that something did not go as it should.
var errUnexpected = errors.New("not all went as it should: see above")

// exitCode reports err, if there is one, and says how the process ends.
func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "demo: %v\n", err)
	if errors.Is(err, errUnexpected) {
		return 1
	}
	return 2
}

// run gives the demo, and leaves nothing behind.
func run(stdin, stdout *os.File, stderr io.Writer) (err error) {
	// A terminal that is closed hangs up.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := enterCheckout(ctx); err != nil {
		return err
	}
	s, err := open(ctx, stdout, stderr)
	if err != nil {
		return interrupted(ctx, err)
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.play(ctx); err != nil || !attended(stdin, stdout) {
		return interrupted(ctx, err)
	}
	return interrupted(ctx, s.stay(ctx, stdin))
}

// interrupted says instead of err that the demo was interrupted, where it was:
// what failed then failed because of that.
func interrupted(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return err
}

// enterCheckout changes to the folder of the module, from which the commands of
// the demo can be typed.
func enterCheckout(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return fmt.Errorf("find the checkout: %w", err)
	}
	root := filepath.Dir(strings.TrimSpace(string(out)))
	if _, err := os.Stat(filepath.Join(root, "e2e", "demo", "web.yaml")); err != nil {
		return fmt.Errorf("find the demo in the checkout: %w", err)
	}
	if err := os.Chdir(root); err != nil {
		return fmt.Errorf("enter the checkout: %w", err)
	}
	return nil
}
