package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lintel-policy/lintel/engine"
)

// perRequest is how long the policies may take for one request, which takes them a
// few milliseconds. What takes longer could not be decided.
const perRequest = 10 * time.Second

// Options say how reviews are judged again. Only Set is required.
type Options struct {
	Set *engine.Set
	// Baseline judges what is compared with. If nil, that is what was recorded.
	Baseline *engine.Set
	// Inventory is what policies read beside a request. If nil, nothing is there.
	Inventory *engine.Inventory
	// At is the time that stages and exceptions go by. If zero, that of each request.
	At time.Time
	// Now is the time of requests that do not say theirs. If zero, they have none.
	Now time.Time
	// TeamLabel is the label of an object, or else of its namespace, that says whose
	// it is. If empty, "team".
	TeamLabel string
	// Examples is how many requests of each class are shown. If zero, none is.
	Examples int
}

// Run judges what is in sources, on all processors, and says what changes. It holds
// a few requests at a time, however many there are. What cannot be read or judged is
// in the summary; the error is that of the context.
func Run(ctx context.Context, opts Options, sources ...Source) (*Summary, error) {
	if opts.TeamLabel == "" {
		opts.TeamLabel = "team"
	}
	s := newSummary(opts)
	tasks, ctx := errgroup.WithContext(ctx)
	workers := runtime.GOMAXPROCS(0)
	todo, inOrder := make(chan *job, workers), make(chan *job, 4*workers)
	var mu sync.Mutex // of the summary: errors of reading come between outcomes
	m := newMerger(sources, func(e *entry) error { return hand(ctx, &job{entry: e, done: make(chan struct{})}, inOrder, todo) }, func(e *Error) {
		mu.Lock()
		defer mu.Unlock()
		s.fail(e)
	})
	tasks.Go(func() error {
		defer close(todo)
		defer close(inOrder)
		return m.run(ctx)
	})
	for range workers {
		tasks.Go(func() error {
			for j := range todo {
				j.outcome = opts.judge(ctx, j.entry)
				close(j.done)
			}
			return nil
		})
	}
	for j := range inOrder {
		select {
		case <-j.done:
			mu.Lock()
			s.add(&j.outcome)
			mu.Unlock()
		case <-ctx.Done():
		}
	}
	if err := tasks.Wait(); err != nil {
		return nil, err
	}
	s.Repeated = m.repeated
	s.finish()
	return s, nil
}

// A job is a review that is judged.
type job struct {
	*entry
	outcome outcome
	done    chan struct{}
}

// hand gives a job to who gathers the outcomes in order, and to who does it.
func hand(ctx context.Context, j *job, to ...chan<- *job) error {
	for _, c := range to {
		select {
		case c <- j:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// An outcome is what became of one review.
type outcome struct {
	Example
	class     Class
	noVerdict bool // what was answered is not known
	noLabels  bool // those of the namespace are not known
	err       error
}

// judge judges one review again.
func (o *Options) judge(ctx context.Context, e *entry) (out outcome) {
	out.Source = e.place
	req, err := engine.Decode(e.data)
	if err != nil {
		out.err = err
		return out
	}
	req, namespace, err := o.complete(req, e.note, &out)
	if err != nil {
		out.err = err
		return out
	}
	before, err := o.before(ctx, req, e.note, &out)
	if err != nil {
		out.err = err
		return out
	}
	d, err := o.decide(ctx, o.Set, req)
	if err != nil {
		out.err = err
		return out
	}
	out.class, out.Changes = compare(before, d)
	out.Object, out.Operation, out.User, out.Team = req.Ref(), string(req.Operation()), req.User(), o.team(e.data, namespace)
	if e.note != nil {
		out.Time = e.note.Time
	}
	return out
}

// complete adds to a request what was known when it came in. It also returns the
// Namespace, nil if that is not known.
func (o *Options) complete(req *engine.Request, note *Note, out *outcome) (*engine.Request, json.RawMessage, error) {
	at, namespace := o.Now, json.RawMessage(nil)
	if note != nil {
		at, namespace = note.Time, note.Namespace
	}
	if !o.At.IsZero() {
		at = o.At
	}
	req = req.At(at)
	if note == nil && req.Namespace() != "" {
		out.noLabels = true
		var err error
		if namespace, err = unlabelled(req.Namespace()); err != nil {
			return nil, nil, err
		}
	}
	if namespace == nil {
		return req, nil, nil
	}
	decoded, err := engine.DecodeObject(namespace)
	if err != nil {
		return nil, nil, fmt.Errorf("read namespace: %w", err)
	}
	return req.In(decoded), namespace, nil
}

// unlabelled returns a Namespace of which nothing but the name is known.
func unlabelled(name string) (json.RawMessage, error) {
	return json.Marshal(map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{
		"name": name, "labels": map[string]string{"kubernetes.io/metadata.name": name},
	}})
}

// before returns the verdict that is compared with. What nobody judged was admitted.
func (o *Options) before(ctx context.Context, req *engine.Request, note *Note, out *outcome) (Verdict, error) {
	if o.Baseline != nil {
		d, err := o.decide(ctx, o.Baseline, req)
		if err != nil {
			return Verdict{}, err
		}
		return newVerdict(d, d.Allowed()), nil
	}
	if note == nil {
		out.noVerdict = true
		return Verdict{Allowed: true}, nil
	}
	return note.Verdict, nil
}

// decide does what a cluster would do: what policies patch is patched before it is
// judged. What the policies of the time patched is in the object already.
func (o *Options) decide(ctx context.Context, set *engine.Set, req *engine.Request) (*engine.Decision, error) {
	ctx, cancel := context.WithTimeout(ctx, perRequest)
	defer cancel()
	d, _, err := set.Decide(ctx, req, o.Inventory)
	return d, err
}

// labelled is what has labels.
type labelled struct {
	Metadata struct{ Labels map[string]any }
}

// team returns whose the object of a review is, "" where nobody says. What has no
// labels of the right form has none.
func (o *Options) team(review, namespace []byte) string {
	var r struct {
		Request struct{ Object, OldObject labelled }
	}
	var ns labelled
	_ = json.Unmarshal(review, &r)
	_ = json.Unmarshal(namespace, &ns)
	for _, from := range []labelled{r.Request.Object, r.Request.OldObject, ns} {
		if team, _ := from.Metadata.Labels[o.TeamLabel].(string); team != "" {
			return team
		}
	}
	return ""
}
