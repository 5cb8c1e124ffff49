package replay

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"
)

const (
	// together is how far apart the lines of one request may be. The API server asks
	// at all doors at once, and waits 30 s at most.
	together = time.Minute
	// maxWaiting and maxWaitingBytes bound the requests whose other line may come yet.
	maxWaiting      = 20_000
	maxWaitingBytes = 64 << 20
)

// A merger reads sources in the order of time, and makes one of the lines of each
// request: those that can deny and those that cannot are asked apart, perhaps of
// different replicas, and each answers for its own policies.
type merger struct {
	readers []*reader
	heads   []*entry // the next of each reader; nil where that is not read yet
	emit    func(*entry) error
	fail    func(*Error)

	waiting  []*pending // oldest first
	known    map[string]*pending
	bytes    int
	repeated int
}

// A pending is a request that was read, until no other line of it can come.
type pending struct {
	*entry
	doors map[string]bool
	given bool // to be judged
}

func newMerger(sources []Source, emit func(*entry) error, fail func(*Error)) *merger {
	m := &merger{emit: emit, fail: fail, known: map[string]*pending{}, heads: make([]*entry, len(sources))}
	for _, s := range sources {
		m.readers = append(m.readers, newReader(s))
	}
	return m
}

// run emits each request once.
func (m *merger) run(ctx context.Context) error {
	for ctx.Err() == nil {
		e := m.next()
		if e == nil {
			return m.flush(func(*pending) bool { return true })
		}
		if err := m.add(e); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// next returns the oldest of what is to be read next, nil at the end. What has no
// time comes first.
func (m *merger) next() *entry {
	oldest := -1
	for i := range m.readers {
		if m.heads[i] == nil {
			m.heads[i] = m.read(i)
		}
		if e := m.heads[i]; e != nil && (oldest < 0 || e.time().Before(m.heads[oldest].time())) {
			oldest = i
		}
	}
	if oldest < 0 {
		return nil
	}
	e := m.heads[oldest]
	m.heads[oldest] = nil
	return e
}

// read returns the next review of a reader, nil at its end.
func (m *merger) read(i int) *entry {
	for m.readers[i] != nil {
		e, err := m.readers[i].next()
		var broken *Error
		switch {
		case err == nil:
			return e
		case errors.Is(err, io.EOF):
			m.readers[i] = nil
		case errors.As(err, &broken):
			m.fail(broken)
			if broken.isEnd {
				m.readers[i] = nil
			}
		}
	}
	return nil
}

func (e *entry) time() time.Time {
	if e.note == nil {
		return time.Time{}
	}
	return e.note.Time
}

// add takes the next review.
func (m *merger) add(e *entry) error {
	if e.note == nil || e.uid == "" {
		return m.emit(e)
	}
	if err := m.flush(func(p *pending) bool {
		return e.time().Sub(p.time()) > together || len(m.waiting) > maxWaiting || m.bytes > maxWaitingBytes
	}); err != nil {
		return err
	}
	p, ok := m.known[e.uid]
	switch {
	case !ok:
		p = &pending{entry: e, doors: map[string]bool{}}
		m.known[e.uid] = p
		m.waiting = append(m.waiting, p)
		m.bytes += len(e.data)
	case p.given || p.doors[e.note.Door]:
		m.repeated++ // the API server asks again where no answer arrives
		return nil
	default:
		p.note.Verdict = p.note.Verdict.and(e.note.Verdict)
	}
	p.doors[e.note.Door] = true
	if p.doors["validate"] || p.doors["deny"] && p.doors["warn"] {
		return m.give(p)
	}
	return nil
}

// flush gives the oldest requests as long as they are done.
func (m *merger) flush(done func(*pending) bool) error {
	for len(m.waiting) > 0 && done(m.waiting[0]) {
		p := m.waiting[0]
		m.waiting = m.waiting[1:]
		delete(m.known, p.uid)
		if err := m.give(p); err != nil {
			return err
		}
	}
	return nil
}

func (m *merger) give(p *pending) error {
	if p.given {
		return nil
	}
	p.given = true
	m.bytes -= len(p.data)
	e := *p.entry
	p.data = nil
	return m.emit(&e)
}

// and returns the verdict of both doors together.
func (v Verdict) and(other Verdict) Verdict {
	v.Allowed = v.Allowed && other.Allowed
	v.Unjudged = v.Unjudged || other.Unjudged
	v.Policies = slices.Concat(v.Policies, other.Policies)
	v.Findings = slices.Concat(v.Findings, other.Findings)
	v.Undecided = slices.Concat(v.Undecided, other.Undecided)
	v.Excused = slices.Concat(v.Excused, other.Excused)
	return v
}
