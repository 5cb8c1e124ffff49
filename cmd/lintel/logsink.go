package main

import (
	"bytes"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// maxPending is how many bytes of the log wait to be written, and as many may be
	// being written: some thousand lines, a second of a busy webhook.
	maxPending = 1 << 20
	// flushTime is how long the end of the process waits for the log.
	flushTime = time.Second
)

// A logSink writes the log without ever waiting for it. What reads a log may stop
// to, and a disk may be full; decisions are not to stop with it. Lines for which
// there is no room, or that cannot be written, are dropped and counted.
type logSink struct {
	to      io.Writer
	dropped atomic.Int64
	wake    chan struct{}
	done    chan struct{}

	mu      sync.Mutex
	pending []byte
	ended   bool
}

// newLogSink returns a logSink that writes to w until its end is called.
func newLogSink(w io.Writer) *logSink {
	s := &logSink{to: w, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go s.run()
	return s
}

// Dropped returns how many lines were dropped.
func (s *logSink) Dropped() int64 { return s.dropped.Load() }

// metric counts the lines that were dropped.
func (s *logSink) metric() prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "lintel_log_dropped_total", Help: "Lines of the log that could not be written.",
	}, func() float64 { return float64(s.Dropped()) })
}

// Write takes one line or drops it. It never fails: there is nowhere to tell.
func (s *logSink) Write(line []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || len(s.pending)+len(line) > maxPending {
		s.dropped.Add(1)
		return len(line), nil
	}
	s.pending = append(s.pending, line...)
	select {
	case s.wake <- struct{}{}:
	default: // it is awake
	}
	return len(line), nil
}

// Sync does nothing: who logs does not wait.
func (s *logSink) Sync() error { return nil }

// end writes what is pending, for as long as that may take, and takes no more.
func (s *logSink) end(within time.Duration) {
	s.mu.Lock()
	if !s.ended {
		s.ended = true
		close(s.wake)
	}
	s.mu.Unlock()
	select {
	case <-s.done:
	case <-time.After(within):
	}
}

func (s *logSink) run() {
	defer close(s.done)
	var batch []byte
	torn := false
	for range s.wake {
		s.mu.Lock()
		batch, s.pending = s.pending, batch[:0]
		s.mu.Unlock()
		torn = s.write(batch, torn)
	}
}

// write writes whole lines, and reports whether the last one was torn. A line
// after one that was torn begins anew.
func (s *logSink) write(lines []byte, torn bool) bool {
	if torn {
		if _, err := s.to.Write([]byte{'\n'}); err != nil {
			s.dropped.Add(int64(bytes.Count(lines, []byte{'\n'})))
			return true
		}
	}
	n, err := s.to.Write(lines)
	if err == nil {
		return false
	}
	n = max(0, min(n, len(lines)))
	s.dropped.Add(int64(bytes.Count(lines[n:], []byte{'\n'})))
	return n > 0 && lines[n-1] != '\n'
}
