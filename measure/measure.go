// Package measure finds out what policies cost.
//
// A machine is noisy, and noise comes in waves. So everything that is measured is
// measured in short rounds that take turns, and each meets the same waves. Of the
// rounds the fastest says most about the code, since noise only ever adds; how far
// the median is from it says how noisy it was.
package measure

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/lintel-policy/lintel/engine"
)

const (
	// rounds is how often each thing that is measured has its turn.
	rounds = 10
	// maxSamples bounds the times of one round that percentiles are made of.
	maxSamples = 20_000
	// perCall is how long the first call may take with each object, which says whether
	// it is measured: what cannot be decided in that time is not.
	perCall = 10 * time.Second
)

// What is measured.
const (
	Review = "review" // what a policy finds
	Patch  = "patch"  // what it patches
	Decode = "decode" // reading the AdmissionReview, before any policy is asked
)

// All is the name of all policies together.
const All = "(all)"

// Config says what to measure. All but Inventory and Time are required.
type Config struct {
	Policies  []engine.Policy // each by itself
	Set       *engine.Set     // all of them together
	Objects   []Object
	Inventory *engine.Inventory
	Now       time.Time     // of the requests
	Time      time.Duration // for each thing that is measured; if zero, a second
}

// An Object is created by the requests that are measured.
type Object struct {
	JSON      []byte
	Namespace *engine.Object // that it is in; nil if it is in none
}

// A Report is what was measured.
type Report struct {
	Revision string  `json:"revision"` // of all policies
	Objects  Objects `json:"objects"`
	Machine  Machine `json:"machine"`
	Costs    []Cost  `json:"costs"`
}

// Objects says of what objects it was measured, so that two reports can be told to
// be of the same ones.
type Objects struct {
	Count int    `json:"count"`
	Bytes int    `json:"bytes"`
	Hash  string `json:"hash"`
}

// A Machine is what it was measured on.
type Machine struct {
	CPU        string `json:"cpu"`
	GOMAXPROCS int    `json:"gomaxprocs"`
	Go         string `json:"go"`
	Platform   string `json:"platform"`
}

// A Cost is that of one call for one object. Times are in nanoseconds.
type Cost struct {
	Policy  string `json:"policy"` // empty for decoding
	What    string `json:"what"`
	Objects int    `json:"objects"` // that the policy is asked about
	Calls   int    `json:"calls"`
	// Undecided is about how many more it could not decide. These are not measured.
	Undecided int   `json:"undecided"`
	P50       int64 `json:"p50"` // of single calls
	P99       int64 `json:"p99"`
	// Best and Median are of the means of rounds.
	Best   int64 `json:"best"`
	Median int64 `json:"median"`
	Allocs int64 `json:"allocs"`
	Bytes  int64 `json:"bytes"`
}

// A task is one thing that is measured.
type task struct {
	cost    Cost
	calls   []func(context.Context) error // one for each object
	samples []time.Duration
	means   []time.Duration // of rounds
	allocs  uint64
	bytes   uint64
}

// Run measures. What takes part in nothing has no calls.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	if cfg.Time == 0 {
		cfg.Time = time.Second
	}
	requests, report, err := cfg.requests()
	if err != nil {
		return nil, err
	}
	tasks, err := cfg.tasks(ctx, requests)
	if err != nil {
		return nil, err
	}
	for range rounds {
		for _, t := range tasks {
			if err := t.round(ctx, cfg.Time/rounds); err != nil {
				return nil, err
			}
		}
	}
	for _, t := range tasks {
		report.Costs = append(report.Costs, t.done())
	}
	return report, nil
}

// A request is an object on its way through admission.
type request struct {
	body []byte
	*engine.Request
}

// requests decodes each object as it comes in.
func (cfg *Config) requests() ([]request, *Report, error) {
	report := &Report{Revision: cfg.Set.Revision(), Machine: thisMachine(), Costs: []Cost{}}
	hash := sha256.New()
	var all []request
	for _, o := range cfg.Objects {
		body, err := reviewOf(o)
		if err != nil {
			return nil, nil, err
		}
		req, err := engine.Decode(body)
		if err != nil {
			return nil, nil, err
		}
		if req = req.At(cfg.Now); o.Namespace != nil {
			req = req.In(o.Namespace)
		}
		hash.Write(body)
		report.Objects.Bytes += len(o.JSON)
		all = append(all, request{body, req})
	}
	if len(all) == 0 {
		return nil, nil, errors.New("there are no objects to measure with")
	}
	report.Objects.Count, report.Objects.Hash = len(all), hex.EncodeToString(hash.Sum(nil)[:6])
	return all, report, nil
}

// tasks returns what is measured: decoding, all policies together, and each.
func (cfg *Config) tasks(ctx context.Context, requests []request) ([]*task, error) {
	decode := &task{cost: Cost{What: Decode, Objects: len(requests)}}
	for _, r := range requests {
		decode.calls = append(decode.calls, func(context.Context) error {
			_, err := engine.Decode(r.body)
			return err
		})
	}
	tasks := append([]*task{decode}, cfg.of(ctx, All, cfg.Set, requests)...)
	for _, p := range cfg.Policies {
		set, err := engine.Compile(engine.Config{Policies: []engine.Policy{p}})
		if err != nil {
			continue // who compiled the whole set was told
		}
		tasks = append(tasks, cfg.of(ctx, p.Name, set, requests)...)
	}
	return tasks, ctx.Err()
}

// of returns what is measured of a set: its reviews and its patches of the objects
// that some policy of it is asked about.
func (cfg *Config) of(ctx context.Context, name string, set *engine.Set, requests []request) []*task {
	review, patch := &task{cost: Cost{Policy: name, What: Review}}, &task{cost: Cost{Policy: name, What: Patch}}
	var reviews, patches bool
	for _, info := range set.Policies() {
		reviews, patches = reviews || info.Reviews, patches || info.PatchesObjects
	}
	for _, r := range requests {
		asked, decided := cfg.probe(ctx, set, r)
		if !asked && reviews {
			continue
		}
		if !decided {
			review.cost.Undecided++
			patch.cost.Undecided++
			continue
		}
		review.calls = append(review.calls, func(ctx context.Context) error {
			_, err := set.Review(ctx, r.Request, cfg.Inventory)
			return err
		})
		patch.calls = append(patch.calls, func(ctx context.Context) error {
			_, err := set.Patch(ctx, r.Request, cfg.Inventory)
			return err
		})
	}
	review.cost.Objects, patch.cost.Objects = len(review.calls), len(patch.calls)
	var tasks []*task
	if reviews {
		tasks = append(tasks, review)
	}
	if patches {
		tasks = append(tasks, patch)
	}
	return tasks
}

// probe reports whether some policy of a set is asked about a request, and whether
// all that are decide.
func (cfg *Config) probe(ctx context.Context, set *engine.Set, r request) (asked, decided bool) {
	ctx, cancel := context.WithTimeout(ctx, perCall)
	defer cancel()
	d, err := set.Review(ctx, r.Request, cfg.Inventory)
	if err != nil {
		return true, false
	}
	m, err := set.Patch(ctx, r.Request, cfg.Inventory)
	return len(d.Evaluated) > 0, err == nil && len(d.Errors)+len(m.Errors) == 0
}

// round makes all calls, again and again for as long as a turn is: a round that met
// some of the objects only would be no measure of the others.
func (t *task) round(ctx context.Context, turn time.Duration) error {
	if len(t.calls) == 0 {
		return ctx.Err()
	}
	samples := make([]time.Duration, 0, maxSamples)
	runtime.GC() // what others left behind is not this one's
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n, began, last := 0, time.Now(), time.Duration(0)
	for n == 0 || last < turn {
		for _, call := range t.calls {
			if err := call(ctx); err != nil {
				return fmt.Errorf("measure %s %s: %w", t.cost.Policy, t.cost.What, err)
			}
			now := time.Since(began)
			if n++; len(samples) < maxSamples {
				samples = append(samples, now-last)
			}
			last = now
		}
	}
	runtime.ReadMemStats(&after)
	t.allocs += after.Mallocs - before.Mallocs
	t.bytes += after.TotalAlloc - before.TotalAlloc
	t.cost.Calls += n
	t.samples = append(t.samples, samples...)
	t.means = append(t.means, last/time.Duration(n))
	return ctx.Err()
}

// done sums the rounds up.
func (t *task) done() Cost {
	if t.cost.Calls == 0 {
		return t.cost
	}
	slices.Sort(t.samples)
	slices.Sort(t.means)
	t.cost.P50 = t.samples[len(t.samples)/2].Nanoseconds()
	t.cost.P99 = t.samples[len(t.samples)*99/100].Nanoseconds()
	t.cost.Best, t.cost.Median = t.means[0].Nanoseconds(), t.means[len(t.means)/2].Nanoseconds()
	t.cost.Allocs, t.cost.Bytes = int64(t.allocs)/int64(t.cost.Calls), int64(t.bytes)/int64(t.cost.Calls)
	return t.cost
}
