package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A stubborn writer takes what it is let take, and then blocks or errs.
type stubborn struct {
	mu   sync.Mutex
	got  bytes.Buffer
	room int
	then func() error
}

func (s *stubborn) Write(p []byte) (int, error) {
	s.mu.Lock()
	n := min(s.room, len(p))
	s.room -= n
	s.got.Write(p[:n])
	s.mu.Unlock()
	if n < len(p) {
		return n, s.then()
	}
	return n, nil
}

func (s *stubborn) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got.String()
}

func (s *stubborn) giveRoom() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.room = 100 << 20
}

// writeLines writes n lines of a kibibyte each.
func writeLines(w io.Writer, n int) {
	for i := range n {
		_, _ = fmt.Fprintf(w, "%08d%s\n", i, strings.Repeat("x", 1015))
	}
}

func TestLogSink(t *testing.T) {
	to := &stubborn{room: 100 << 20}
	sink := newLogSink(to)
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() { writeLines(sink, 50) })
	}
	group.Wait()
	sink.end(time.Minute)
	if got := strings.Count(to.text(), "\n"); got != 500 || sink.Dropped() != 0 {
		t.Errorf("got %d of 500 lines at the end, and %d dropped", got, sink.Dropped())
	}
	for line := range strings.Lines(to.text()) {
		if len(line) != 1024 {
			t.Fatalf("a line has %d bytes: %.20q…", len(line), line)
		}
	}
	writeLines(sink, 1)
	sink.end(time.Minute)
	if sink.Dropped() != 1 {
		t.Errorf("a line after the end is dropped: want 1, got %d", sink.Dropped())
	}
}

// TestLogSinkBlocked has a reader that stops to read, and then reads on.
func TestLogSinkBlocked(t *testing.T) {
	release := make(chan struct{})
	to := &stubborn{then: func() error {
		<-release
		return nil
	}}
	sink := newLogSink(to)
	const lines = 10_000
	writeLines(sink, lines) // would never return if it waited
	if kept := lines - sink.Dropped(); kept < 1000 || kept > 2*maxPending>>10 {
		t.Errorf("of %d KiB %d are kept, want at least 1000 and no more than two times %d", lines, kept, maxPending>>10)
	}
	sink.end(10 * time.Millisecond) // nor would this
	to.giveRoom()
	close(release)
	sink.end(time.Minute)
	if sink.Dropped() == 0 || to.text() == "" {
		t.Errorf("%d lines dropped, %d bytes written after all: want some of both", sink.Dropped(), len(to.text()))
	}
}

// TestLogSinkErrs has a disk that is full for a while.
func TestLogSinkErrs(t *testing.T) {
	to := &stubborn{room: 1024 + 512, then: func() error { return errors.New("no space") }}
	sink := newLogSink(to)
	writeLines(sink, 10)
	for began := time.Now(); sink.Dropped() < 9; time.Sleep(time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatalf("lines dropped: want 9, got %d", sink.Dropped())
		}
	}
	to.giveRoom()
	writeLines(sink, 2)
	sink.end(time.Minute)
	if sink.Dropped() != 9 {
		t.Errorf("lines dropped: want 9, got %d", sink.Dropped())
	}
	whole := 0
	for line := range strings.Lines(to.text()) {
		if len(line) == 1024 {
			whole++
		}
	}
	if whole != 3 {
		t.Errorf("whole lines: want 1 before and 2 after the disk was full, got %d", whole)
	}
}

// dropped matches the metric of lines that were dropped, if there are any.
var dropped = regexp.MustCompile(`(?m)^lintel_log_dropped_total [1-9]`)

// TestLogIsNotWaitedFor serves while nobody reads the log, nobody can, and nothing
// can be written.
func TestLogIsNotWaitedFor(t *testing.T) {
	cases := map[string]struct {
		reason string
		stderr func(*testing.T) (w *os.File, begun func())
	}{
		"Blocked": {"A pipe that is full stops nothing.", func(t *testing.T) (*os.File, func()) {
			_, w := pipe(t)
			return w, func() {}
		}},
		"Closed": {"A pipe that nobody reads any more ends nothing.", func(t *testing.T) (*os.File, func()) {
			r, w := pipe(t)
			return w, func() { must(r.Close()) }
		}},
		"Full": {"A disk that is full stops nothing.", func(t *testing.T) (*os.File, func()) {
			w, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
			if err != nil {
				t.Skip("this system has no /dev/full")
			}
			return w, func() {}
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			stderr, begun := tc.stderr(t)
			webhook, metrics := freeAddress(t), freeAddress(t)
			cmd := exec.Command("lintel", "serve", "--standalone", "-p", owners(t), "--address", webhook, "--metrics-address", metrics)
			cmd.Stderr = stderr
			must(cmd.Start())
			must(stderr.Close())
			t.Cleanup(func() { _ = cmd.Process.Kill() })
			awaitPage(t, "http://"+metrics+"/metrics", regexp.MustCompile("lintel_log_dropped_total"))
			begun()
			client := insecure()
			for i := range 4000 { // more than pipe and buffers hold
				if got := decide(t, client, webhook, "/validate"); got.Allowed || got.Result.Code != http.StatusForbidden {
					t.Fatalf("%s\nreview %d: got %+v, want a denial", tc.reason, i, got)
				}
			}
			awaitPage(t, "http://"+metrics+"/metrics", dropped)
			must(cmd.Process.Signal(syscall.SIGTERM))
			if err := cmd.Wait(); err != nil {
				t.Errorf("%s\nend: %v, want exit code 0", tc.reason, err)
			}
		})
	}
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	must(err)
	t.Cleanup(func() { _ = r.Close() })
	return r, w
}

// freeAddress returns an address of loopback that was free just now.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	defer listener.Close()
	return listener.Addr().String()
}

// awaitPage waits until a page matches.
func awaitPage(t *testing.T, url string, want *regexp.Regexp) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		_, body := get(t, url)
		if want.MatchString(body) {
			return
		}
		if time.Since(began) > 2*time.Minute {
			t.Fatalf("%s: never matches %q:\n%s", url, want, body)
		}
	}
}
