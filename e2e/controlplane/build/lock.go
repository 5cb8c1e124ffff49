package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// lockPoll is how often a run looks whether the one before it has ended. It is
// short beside a build and long beside a system call.
const lockPoll = 100 * time.Millisecond

// lock takes the lock on path, waiting for another run to end, and returns what
// gives it back. The kernel gives it back too when the process dies, however it
// dies, so a lock is never stale.
func lock(ctx context.Context, path string, stderr io.Writer) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the lock: %w", err)
	}
	for waiting := false; ; waiting = true {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { file.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			file.Close()
			return nil, fmt.Errorf("lock %q: %w", path, err)
		}
		if !waiting {
			fmt.Fprintln(stderr, "controlplane: another build is running in this folder, waiting for it")
		}
		select {
		case <-ctx.Done():
			file.Close()
			return nil, fmt.Errorf("wait for another build: %w", ctx.Err())
		case <-time.After(lockPoll):
		}
	}
}
