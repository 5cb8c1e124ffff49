package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A screen keeps what is written to it.
type screen struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

func TestProgress(t *testing.T) {
	t.Parallel()
	const cleared = "\r\x1b[K"
	synctest.Test(t, func(t *testing.T) {
		s := &screen{}
		p := newProgress(s)
		time.Sleep(progressAfter - time.Millisecond)
		if got := s.String(); got != "" {
			t.Errorf("in the first second: got %q, want nothing", got)
		}
		time.Sleep(2 * time.Millisecond)
		p.judging(12345)
		for range 1012 {
			p.judged()
		}
		time.Sleep(progressEvery)
		p.stop()
		want := cleared + "reading files" + cleared + "checked 1,012 of 12,345 objects" + cleared
		if got := s.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		time.Sleep(time.Hour)
		if got := s.String(); got != want {
			t.Errorf("after the end: got %q more", strings.TrimPrefix(got, want))
		}
	})
}

func TestProgressOfShortWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &screen{}
		p := newProgress(s)
		p.judging(1)
		p.judged()
		p.stop()
		if got := s.String(); got != "" {
			t.Errorf("got %q, want nothing", got)
		}
	})
}

// TestProgressInLogs holds it to silence where a file or a pipe is written to.
func TestProgressInLogs(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	for name, stderr := range map[string]io.Writer{"pipe": w, "buffer": &bytes.Buffer{}} {
		p := startProgress(stderr)
		if p != nil {
			t.Errorf("%s: there is a progress, want none", name)
		}
		p.judging(1) // a nil progress takes everything
		p.judged()
		p.stop()
	}
}
