package replay

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/secrets"
)

const (
	// maxPending is how many bytes of reviews wait to be written: a second of a busy
	// webhook, and little beside what it holds of reviews that it decides.
	maxPending = 16 << 20
	// maxQueue is how many reviews wait.
	maxQueue = 4096
)

// Config configures a [Recorder]. Only Path is required.
type Config struct {
	// Path is the file to write to, or a folder to write the file "reviews.jsonl" in.
	Path string
	// Limit is how many bytes are kept, the older half of them in a second file with
	// ".1" after its name. If zero, 256 MiB; at least 1 MiB.
	Limit int64
	// Log is told when writing fails and when it goes on. If nil, nobody is.
	Log *zap.Logger
}

// A Recorder writes reviews to a file. It never keeps who gives it one waiting:
// redacting and writing happen on one goroutine, and what there is no room for is
// dropped and counted.
type Recorder struct {
	file    *file
	redact  *redactor
	log     *zap.Logger
	queue   chan event
	pending atomic.Int64 // bytes
	stop    chan struct{}
	ended   sync.Once
	done    chan struct{}
	failing bool

	written atomic.Int64
	dropped [numReasons]atomic.Int64
}

// Why reviews are dropped.
const (
	full = iota
	large
	unreadable
	unwritable
	numReasons
)

// Reasons returns why reviews are dropped, in the order of [Recorder.Dropped].
func Reasons() []string { return []string{"full", "large", "unreadable", "unwritable"} }

// A Reviewed is a review that was answered.
type Reviewed struct {
	Door     string // that was asked: validate, deny or warn
	Body     []byte // must not change any more
	Allowed  bool
	Decision *engine.Decision // nil where nothing could be decided
}

// An event is a review that waits to be written.
type event struct {
	body      []byte
	note      Note
	namespace *engine.Object
}

// size is how many bytes of memory are held. A body of which nobody knew how long it
// would be is in more than it has.
func (e *event) size() int64 { return int64(cap(e.body)) }

// maxRecordWeight is how much memory redacting may take about, in bytes, as
// [engine.Weight] has it: what decisions need is not to be taken away from them.
const maxRecordWeight = 64 << 20

// Open returns a Recorder that appends to the file of cfg, which it makes readable
// for its owner alone.
func Open(cfg Config) (*Recorder, error) {
	if cfg.Limit == 0 {
		cfg.Limit = 256 << 20
	}
	if cfg.Limit < 1<<20 {
		return nil, errors.New("less than 1 MiB is too little to keep reviews in")
	}
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	redact, err := newRedactor()
	if err != nil {
		return nil, err
	}
	f, err := openFile(cfg.Path, cfg.Limit/2)
	if err != nil {
		return nil, fmt.Errorf("open %s to record reviews: %w", cfg.Path, err)
	}
	r := &Recorder{file: f, redact: redact, log: cfg.Log, queue: make(chan event, maxQueue), stop: make(chan struct{}), done: make(chan struct{})}
	go r.run()
	return r, nil
}

// Record takes a review or drops it.
func (r *Recorder) Record(rv Reviewed) {
	if len(rv.Body) > maxBody {
		r.dropped[large].Add(1)
		return
	}
	e := event{body: rv.Body, note: Note{Version: formatVersion, Time: time.Now().UTC(), Door: rv.Door, Verdict: newVerdict(rv.Decision, rv.Allowed)}}
	if d := rv.Decision; d != nil {
		if e.namespace = d.Namespace; !d.Time.IsZero() {
			e.note.Time = d.Time.UTC()
		}
	}
	size := e.size()
	if r.pending.Add(size) > maxPending {
		r.pending.Add(-size)
		r.dropped[full].Add(1)
		return
	}
	select {
	case r.queue <- e:
	default:
		r.pending.Add(-size)
		r.dropped[full].Add(1)
	}
}

// Written returns how many reviews were written.
func (r *Recorder) Written() int64 { return r.written.Load() }

// Dropped returns how many reviews were dropped for one of [Reasons], by its index.
func (r *Recorder) Dropped(reason int) int64 { return r.dropped[reason].Load() }

// Close writes what waits, for as long as that may take, and takes no more.
func (r *Recorder) Close(within time.Duration) {
	r.ended.Do(func() { close(r.stop) })
	select {
	case <-r.done:
	case <-time.After(within):
	}
}

// run writes what comes until the end, and then what is still there.
func (r *Recorder) run() {
	defer close(r.done)
	defer r.file.close()
	for {
		select {
		case e := <-r.queue:
			r.write(e)
			continue
		case <-r.stop:
		}
		for {
			select {
			case e := <-r.queue:
				r.write(e)
			default:
				return
			}
		}
	}
}

func (r *Recorder) write(e event) {
	defer r.pending.Add(-e.size())
	if engine.Weight(e.body) > maxRecordWeight {
		r.dropped[large].Add(1)
		return
	}
	line, err := r.line(e)
	switch {
	case errors.Is(err, secrets.ErrTooLarge), int64(len(line)) > r.file.most:
		r.dropped[large].Add(1)
		return
	case err != nil:
		r.dropped[unreadable].Add(1)
		return
	}
	r.keep(line)
}

// keep writes a line, and says when that begins to fail and when it works again.
func (r *Recorder) keep(line []byte) {
	err := r.file.write(line)
	if failing := err != nil; failing != r.failing {
		if r.failing = failing; failing {
			r.log.Error("reviews are not recorded", zap.Error(err))
		} else {
			r.log.Info("reviews are recorded again")
		}
	}
	if err != nil {
		r.dropped[unwritable].Add(1)
		return
	}
	r.written.Add(1)
}

// line returns what is written of an event. What a review makes the redactor do
// must not end the webhook.
func (r *Recorder) line(e event) (line []byte, err error) {
	defer func() {
		if recover() != nil {
			line, err = nil, errors.New("redact review: a defect in Lintel")
		}
	}()
	if e.namespace != nil {
		if e.note.Namespace, err = e.namespace.MarshalJSON(); err != nil {
			return nil, fmt.Errorf("encode namespace: %w", err)
		}
	}
	return r.redact.line(e.body, e.note)
}
