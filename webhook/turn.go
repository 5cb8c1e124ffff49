package webhook

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// A turn is one request's way through the handler: when it has to be answered
// and what it holds meanwhile.
type turn struct {
	door     door
	accepted time.Time
	decideBy time.Time // the decider's deadline
	answerBy time.Time // ours, a little later
	bytes    int
	body     []byte
	tooHeavy bool // to be judged
	queued   time.Duration

	gate    *gate
	held    int64 // bytes
	memory  int64 // bytes
	slot    bool
	once    sync.Once
	claimed atomic.Bool
}

// claim reports whether the caller is who answers: the first of those who could.
func (t *turn) claim() bool { return t.claimed.CompareAndSwap(false, true) }

// leave gives back what the turn holds. It may be called more than once.
func (t *turn) leave() {
	t.once.Do(func() {
		if t.slot {
			t.gate.running.Add(-1)
			t.gate.slots.Release(1)
		}
		if t.memory > 0 {
			t.gate.memory.Release(t.memory)
		}
		if t.held > 0 {
			t.gate.bytes.Release(t.held)
			t.gate.held.Add(-t.held)
		}
	})
}

// admit refuses what can be refused by its head alone, and sets the deadlines.
func (h *Handler) admit(r *http.Request, at door, accepted time.Time) (*turn, *refusal) {
	if what := h.checkHead(r, at); what != nil {
		return nil, what
	}
	budget, ok := h.budget(r.URL.Query())
	if !ok {
		return nil, refuse(http.StatusBadRequest, "timeout", "the timeout parameter is no positive duration")
	}
	keep := reserve(budget)
	if at == own {
		keep = budget / 3 // what is not checked by then is refused, for which there has to be time
	}
	return &turn{
		door: at, accepted: accepted, gate: h.gate,
		decideBy: accepted.Add(budget - keep),
		answerBy: accepted.Add(budget - keep/2),
	}, nil
}

// budget is the time from accepting a request to when its caller gives up.
func (h *Handler) budget(query url.Values) (time.Duration, bool) {
	text := query.Get("timeout")
	if text == "" {
		return h.timeout, true
	}
	asked, err := time.ParseDuration(text)
	if err != nil || asked <= 0 {
		return 0, false
	}
	return min(asked, h.timeout), true
}

// reserve is the part of a budget that is kept for encoding the answer and for
// its way back: a tenth, and no more than 250 ms.
func reserve(budget time.Duration) time.Duration {
	return min(budget/10, 250*time.Millisecond)
}

// share is when a part of the budget is used up.
func (t *turn) share(percent time.Duration) time.Time {
	return t.accepted.Add(t.decideBy.Sub(t.accepted) * percent / 100)
}

// A gate bounds what is held and decided at a time. Each bound is first come,
// first served. They are passed in this order: bytes of bodies, memory for heavy
// reviews, slots; what waits for one holds nothing of those after it, so that none
// waits in a circle.
type gate struct {
	bytes, memory, slots *semaphore.Weighted
	maxMemory, minHeavy  int64
	maxQueue             int64
	held                 atomic.Int64 // bytes
	waiting              atomic.Int64 // requests
	running              atomic.Int64 // requests
}

func newGate(cfg Config) *gate {
	return &gate{
		bytes:     semaphore.NewWeighted(cfg.MaxBytes),
		memory:    semaphore.NewWeighted(cfg.MaxMemory),
		slots:     semaphore.NewWeighted(int64(cfg.MaxConcurrent)),
		maxMemory: cfg.MaxMemory,
		minHeavy:  cfg.MaxMemory / int64(max(1, cfg.MaxConcurrent/2)),
		maxQueue:  int64(cfg.MaxQueue),
	}
}

// errFull reports that there is no room now, nor in time.
var errFull = errors.New("no room")

// take waits for n of what sem bounds until a time, if so many do not wait yet.
func (g *gate) take(ctx context.Context, until time.Time, sem *semaphore.Weighted, n int64) error {
	if sem.TryAcquire(n) {
		return nil
	}
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	if g.waiting.Add(1) > g.maxQueue {
		g.waiting.Add(-1)
		return errFull
	}
	defer g.waiting.Add(-1)
	if sem.Acquire(ctx, n) != nil {
		return errFull
	}
	return nil
}

// overloaded asks the API server to try again, which it does within its call.
func overloaded(reason string) *refusal {
	return refuse(http.StatusTooManyRequests, reason, "too many requests at once; try again")
}

// await waits until the request may be decided: at most for a third of its time,
// because what is decided too late is decided for nobody.
func (h *Handler) await(ctx context.Context, t *turn) *refusal {
	began := time.Now()
	if h.gate.take(ctx, t.share(33), h.gate.slots, 1) != nil {
		return overloaded("queue")
	}
	t.slot = true
	h.gate.running.Add(1)
	t.queued = time.Since(began)
	return nil
}

// firstRead is how many bytes of a body are allotted before it is known how many
// come: enough for most reviews.
const firstRead = 64 << 10

// read reads the body for as long as half of the time is not used up.
func (h *Handler) read(w http.ResponseWriter, r *http.Request, t *turn) (body []byte, what *refusal) {
	conn := http.NewResponseController(w)
	passed := make(chan struct{})
	// Hardly ever does it come to that. A deadline that is set at once, and lifted
	// afterwards, has to be told to the goroutine of an HTTP/2 connection each time.
	late := time.AfterFunc(time.Until(t.share(50)), func() {
		defer close(passed)
		// Where the deadline cannot be set, the server's own holds.
		_ = conn.SetReadDeadline(time.Now())
	})
	body, what = h.readAll(r, t)
	inTime := late.Stop()
	if !inTime {
		<-passed // w must not be used after this request
	}
	switch {
	case what != nil:
		// Where the rest of a body does not come, the server must not wait for it either.
		_ = conn.SetReadDeadline(t.share(50))
	case !inTime:
		_ = conn.SetReadDeadline(time.Time{})
	}
	return body, what
}

// readAll reads the body. Bytes are weighed as they come and not as they are
// announced, so that who announces much and sends little holds little.
func (h *Handler) readAll(r *http.Request, t *turn) ([]byte, *refusal) {
	var body []byte
	for {
		grown, what := h.grow(r.Context(), t, body, r.ContentLength)
		if what != nil {
			return nil, what
		}
		body = grown
		n, err := io.ReadFull(r.Body, body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > h.maxBody:
			return nil, h.tooLarge()
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF) && isWhole(r, body):
			return body, nil
		case err != nil:
			return nil, unreadable(err)
		}
	}
}

// isWhole tells the end of a body from the end of a connection in the midst of it.
func isWhole(r *http.Request, body []byte) bool {
	return r.ContentLength < 0 || int64(len(body)) == r.ContentLength
}

// grow returns body with room for more: for all of it and the byte that shows its
// end if that is little, else for twice what there is.
func (h *Handler) grow(ctx context.Context, t *turn, body []byte, announced int64) ([]byte, *refusal) {
	if announced < 0 {
		announced = h.maxBody
	}
	size := min(max(firstRead, 2*int64(cap(body))), announced+1)
	more := size - int64(cap(body))
	if t.gate.take(ctx, t.share(50), t.gate.bytes, more) != nil {
		return nil, overloaded("bytes")
	}
	t.held += more
	t.gate.held.Add(more)
	return append(make([]byte, 0, size), body...), nil
}

func unreadable(err error) *refusal {
	var timeout net.Error
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return refuse(http.StatusRequestTimeout, "slow_body", "the body did not come in time")
	}
	return refuse(http.StatusBadRequest, "body", "the body could not be read")
}
