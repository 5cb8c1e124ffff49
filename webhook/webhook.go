// Package webhook answers Kubernetes admission reviews.
//
// A [Handler] reads a review, asks its [Decider] and encodes the answer; a
// [Server] serves it over TLS. Neither holds a policy. A denial is an answer;
// failing to decide is answered too, by the caller's deadline, with the uid of
// the request and status code 500.
//
// What cannot be an AdmissionReview is refused with an HTTP error and never
// answered with "allowed": by method, path, content type, encoding, size and
// first byte, all before anything is decoded. Overload is 429 with Retry-After,
// which the API server obeys within the same call; a verdict would be a lie.
package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/lintel-policy/lintel/engine"
)

// The paths that a [Handler] answers. For one request each policy is answered on
// just one of PathDeny and PathWarn, which are registered apart because they fail
// apart; PathValidate answers all.
const (
	PathValidate = "/validate"
	PathDeny     = "/validate/deny"
	PathWarn     = "/validate/warn"
	PathMutate   = "/mutate"
)

// A Decider decides requests. It returns an error only when it could not decide
// at all: a denial is a Decision. It should return when ctx ends; where it does
// not, its caller is answered all the same.
type Decider interface {
	// Review asks the policies of one part.
	Review(ctx context.Context, part engine.Part, req *engine.Request) (*engine.Decision, error)
	Patch(ctx context.Context, req *engine.Request) (*engine.Mutation, error)
	// Undecided says at once what becomes of a request that Review did not decide
	// because of err, nil if it cannot tell: then it is refused.
	Undecided(part engine.Part, req *engine.Request, err error) *engine.Decision
}

// Funcs is a Decider made of functions. All but UndecidedFunc are needed.
type Funcs struct {
	ReviewFunc    func(context.Context, engine.Part, *engine.Request) (*engine.Decision, error)
	PatchFunc     func(context.Context, *engine.Request) (*engine.Mutation, error)
	UndecidedFunc func(engine.Part, *engine.Request, error) *engine.Decision
}

// Review calls ReviewFunc.
func (f Funcs) Review(ctx context.Context, part engine.Part, req *engine.Request) (*engine.Decision, error) {
	return f.ReviewFunc(ctx, part, req)
}

// Undecided calls UndecidedFunc if there is one.
func (f Funcs) Undecided(part engine.Part, req *engine.Request, err error) *engine.Decision {
	if f.UndecidedFunc == nil {
		return nil
	}
	return f.UndecidedFunc(part, req, err)
}

// Patch calls PatchFunc.
func (f Funcs) Patch(ctx context.Context, req *engine.Request) (*engine.Mutation, error) {
	return f.PatchFunc(ctx, req)
}

// Config configures a [Handler]. Only Decider is required.
type Config struct {
	Decider Decider
	// Checker checks Lintel's own objects at [PathOwn]. If nil, nothing is served there.
	Checker Checker
	// Timeout bounds one request where the API server gives it more or says
	// nothing. If zero, 8 seconds; at most [MaxTimeout].
	Timeout time.Duration
	// MaxBody is how many bytes a review may have. If zero, 32 MiB: the API server
	// takes requests of 3 MiB, escapes a byte as six, and sends the old object too.
	MaxBody int64
	// MaxBytes is how many bytes of all bodies together are held at a time. If
	// zero, twice MaxBody; it has to be more than MaxBody.
	MaxBytes int64
	// MaxMemory is how much memory those that are decided may take together, as
	// [engine.Weight] has it, in bytes. A review that weighs more is not judged: its
	// policies could not decide. If zero, half of GOMEMLIMIT, and 512 MiB where that
	// is not set; at least 64 MiB.
	MaxMemory int64
	// MaxConcurrent is how many requests are decided at a time. If zero, four for
	// each CPU: deciding keeps a CPU busy, save when it waits for a namespace.
	MaxConcurrent int
	// MaxQueue is how many requests may wait for their turn. If zero, 64 for each
	// that is decided at a time; more are shed.
	MaxQueue int
	// Revision returns that of the policies in force, for a metric. If nil, there
	// is none.
	Revision func() string
	// Record is given each review by the validating paths that was answered, before
	// the answer is sent. It must not wait for anything. If nil, nothing is recorded.
	Record func(Reviewed)
	// Metrics is where metrics are registered. If nil, nowhere.
	Metrics prometheus.Registerer
	// Log gets one record for each request that was decided. If nil, nothing is logged.
	Log *zap.Logger
}

// A Reviewed is a review and what was answered. It may be kept, but not changed.
type Reviewed struct {
	Door     string           // the path that was asked, in a word: validate, deny or warn
	Request  *engine.Request  // that was decided
	Body     []byte           // as it came in
	Allowed  bool             // what was answered
	Decision *engine.Decision // nil where nothing could be decided
}

// MaxTimeout is the longest that a request may take, so that its answer is
// written before the server's write deadline.
const MaxTimeout = ioTimeout - time.Second

// A Handler answers admission reviews at each of [Paths], and at [PathOwn].
type Handler struct {
	decider Decider
	checker Checker // nil if own objects are not checked
	timeout time.Duration
	maxBody int64
	gate    *gate
	crew    crew
	metrics *metrics
	keep    func(Reviewed) // nil if nothing is recorded
	log     *zap.Logger
}

// New returns a Handler for cfg.
func New(cfg Config) (*Handler, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	h := &Handler{
		decider: cfg.Decider,
		checker: cfg.Checker,
		timeout: cfg.Timeout,
		maxBody: cfg.MaxBody,
		gate:    newGate(cfg),
		crew:    newCrew(),
		keep:    cfg.Record,
		log:     cfg.Log,
	}
	var err error
	h.metrics, err = newMetrics(cfg, h.gate)
	return h, err
}

// Running returns how many requests are being decided.
func (h *Handler) Running() int64 { return h.gate.running.Load() }

func (cfg Config) withDefaults() Config {
	if cfg.Timeout == 0 {
		cfg.Timeout = 8 * time.Second
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = 32 << 20
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 2 * cfg.MaxBody
	}
	if cfg.MaxMemory == 0 {
		cfg.MaxMemory = defaultMemory()
	}
	if cfg.MaxConcurrent == 0 {
		cfg.MaxConcurrent = 4 * runtime.GOMAXPROCS(0)
	}
	if cfg.MaxQueue == 0 {
		cfg.MaxQueue = 64 * cfg.MaxConcurrent
	}
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	return cfg
}

// check refuses what no process can hold or wait for: such a value is a slip.
func (cfg Config) check() error {
	if cfg.Decider == nil {
		return errors.New("webhook: Config.Decider is nil")
	}
	if cfg.Timeout < 0 || cfg.Timeout > MaxTimeout {
		return fmt.Errorf("webhook: Config.Timeout is %s, not between 0 and %s", cfg.Timeout, MaxTimeout)
	}
	for _, f := range []struct {
		name               string
		value, least, most int64
	}{
		{"MaxBody", cfg.MaxBody, 0, 1 << 30},
		{"MaxBytes", cfg.MaxBytes, cfg.MaxBody + 1, 1 << 40},
		{"MaxMemory", cfg.MaxMemory, minMemory, 1 << 40},
		{"MaxConcurrent", int64(cfg.MaxConcurrent), 0, 10_000},
		{"MaxQueue", int64(cfg.MaxQueue), 0, 1_000_000},
	} {
		if f.value < f.least || f.value > f.most {
			return fmt.Errorf("webhook: Config.%s is %d, not between %d and %d", f.name, f.value, f.least, f.most)
		}
	}
	return nil
}

// ServeHTTP answers one review.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	accepted := time.Now()
	door := doorOf(r.URL.Path)
	if door == own && h.checker == nil {
		door = nowhere
	}
	code := h.serve(w, r, door, accepted)
	h.metrics.answered(door, code, time.Since(accepted))
}

// Paths returns the paths by which a [Handler] judges and patches.
func Paths() []string { return []string{PathValidate, PathDeny, PathWarn, PathMutate} }

// A door is a path by which reviews come in.
type door string

const (
	validate door = "validate"
	deny     door = "deny"
	warn     door = "warn"
	mutate   door = "mutate"
	own      door = "own"
	nowhere  door = "other"
)

func doorOf(path string) door {
	switch path {
	case PathValidate:
		return validate
	case PathDeny:
		return deny
	case PathWarn:
		return warn
	case PathMutate:
		return mutate
	case PathOwn:
		return own
	}
	return nowhere
}

// part is that of the policies which answer at the door.
func (at door) part() engine.Part {
	switch at {
	case deny:
		return engine.Enforcing
	case warn:
		return engine.Recording
	}
	return engine.Whole
}

// serve answers r and returns the HTTP status code.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, at door, accepted time.Time) int {
	t, refusal := h.admit(r, at, accepted)
	if refusal != nil {
		return h.refuse(w, r, refusal)
	}
	body, refusal := h.read(w, r, t)
	if refusal == nil {
		t.bytes, t.body = len(body), body
		refusal = h.weigh(r.Context(), t, body)
	}
	if refusal == nil {
		refusal = h.await(r.Context(), t)
	}
	if refusal != nil {
		t.leave()
		return h.refuse(w, r, refusal)
	}
	return h.write(w, r, h.answer(r.Context(), t, body))
}
