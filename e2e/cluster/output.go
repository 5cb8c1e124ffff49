package cluster

import (
	"bytes"
	"io"
	"os"
	"sync"
)

// An output copies what components print, line by line, to one writer.
type output struct {
	mu sync.Mutex
	w  io.Writer // nil: nobody wants it
}

func newOutput(w io.Writer) *output { return &output{w: w} }

// to returns a writer into a component's log, and to the output if there is one.
// Without one it is the file itself, so that no copy is made on the way.
func (o *output) to(name Component, log *os.File) io.Writer {
	if o.w == nil {
		return log
	}
	return io.MultiWriter(log, &lines{out: o, prefix: string(name) + ": "})
}

// lines passes whole lines on, each after a prefix.
type lines struct {
	out    *output
	prefix string
	rest   []byte // the beginning of a line that has not ended
}

// Write never fails: a component must not end because nobody can read its log.
func (l *lines) Write(text []byte) (int, error) {
	l.rest = append(l.rest, text...)
	end := bytes.LastIndexByte(l.rest, '\n') + 1
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	for line := range bytes.Lines(l.rest[:end]) {
		_, _ = l.out.w.Write(append([]byte(l.prefix), line...))
	}
	l.rest = append([]byte(nil), l.rest[end:]...)
	return len(text), nil
}
