package controller

import (
	"sync"
	"time"
)

// A contact knows when the API server was last heard of what is watched: a list, an
// event, or word that nothing has changed. That a connection is open proves nothing.
type contact struct {
	maxAge time.Duration

	mu    sync.Mutex
	begun time.Time
	heard time.Time // zero before the first time
	err   error     // why there is nothing to be heard, if something has said so since
	since time.Time // when it was said first
}

func newContact(maxAge time.Duration) *contact { return &contact{maxAge: maxAge, begun: time.Now()} }

func (c *contact) hear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard, c.err = time.Now(), nil
}

func (c *contact) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.since = time.Now()
	}
	c.err = err
}

// failure returns why nothing is heard and since when, nil if nobody has said so.
func (c *contact) failure() (error, time.Time) { //nolint:revive // the error is what is asked for
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err, c.since
}

// age is how long ago something was heard, or how long it has been tried in vain.
func (c *contact) age() time.Duration { return time.Since(c.last()) }

func (c *contact) last() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.heard.IsZero() {
		return c.begun
	}
	return c.heard
}

// isStale reports whether what was heard does not count any more.
func (c *contact) isStale() bool { return c.age() > c.maxAge }
