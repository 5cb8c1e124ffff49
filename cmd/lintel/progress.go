package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// progressAfter is how long work may take before anything is said of it.
	progressAfter = time.Second
	// progressEvery is how often the line is written again. Faster is unreadable.
	progressEvery = 100 * time.Millisecond
)

// A progress says on a terminal how far the work is, in one line that is cleared
// at the end. A nil progress says nothing.
type progress struct {
	w     io.Writer
	total atomic.Int64 // of objects; 0 while files are read
	done  atomic.Int64
	end   chan struct{}
	ended sync.WaitGroup
}

// startProgress returns the progress of work that begins now, nil if w is no terminal.
func startProgress(w io.Writer) *progress {
	if !isTerminal(w) || os.Getenv("TERM") == "dumb" {
		return nil
	}
	return newProgress(w)
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w, end: make(chan struct{})}
	p.ended.Go(p.run)
	return p
}

// judging says that so many objects are judged from now on.
func (p *progress) judging(objects int) {
	if p != nil {
		p.total.Store(int64(objects))
	}
}

// judged says that one more object has been judged.
func (p *progress) judged() {
	if p != nil {
		p.done.Add(1)
	}
}

// stop clears the line. Nothing is written after it returns.
func (p *progress) stop() {
	if p != nil {
		close(p.end)
		p.ended.Wait()
	}
}

func (p *progress) run() {
	select {
	case <-p.end:
		return
	case <-time.After(progressAfter):
	}
	ticker := time.NewTicker(progressEvery)
	defer ticker.Stop()
	for {
		fmt.Fprintf(p.w, "\r\x1b[K%s", p)
		select {
		case <-p.end:
			fmt.Fprint(p.w, "\r\x1b[K")
			return
		case <-ticker.C:
		}
	}
}

// String returns the line.
func (p *progress) String() string {
	total := p.total.Load()
	if total == 0 {
		return "reading files"
	}
	return fmt.Sprintf("checked %s of %s objects", thousands(p.done.Load()), thousands(total))
}

// thousands writes a number as people read it, such as 12,345.
func thousands(n int64) string {
	digits := strconv.FormatInt(n, 10)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}
