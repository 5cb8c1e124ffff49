package controller

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/flowcontrol"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/webhook"
)

// Bounds of what [Denials] writes. However much is denied, and for however long, a
// replica makes no more than an Event a second, which lives for an hour.
const (
	// denialPause is how long no more is said of the same: one object, policy and
	// operation. Who made it asks again and again.
	denialPause = time.Minute
	// maxPaused is how many of those are remembered.
	maxPaused = 1000
	// denialRate and denialBurst are how many Events a second are written, for long
	// and at once.
	denialRate  = 1
	denialBurst = 20
	// maxDenials is how many wait to be told of. More are dropped, and counted.
	maxDenials = 100
)

// maxNote is how long the note of an Event may be, in bytes.
const maxNote = 1024

// The reasons of Events.
const (
	reasonViolation = "PolicyViolation"
	reasonUndecided = "PolicyUndecided"
)

// DenialsConfig configures a [Denials]. All but Metrics is required.
type DenialsConfig struct {
	// Recorder returns what writes Events until ctx ends.
	Recorder func(ctx context.Context) events.EventRecorder
	Mapper   meta.RESTMapperWithContext // knows the kinds of the cluster
	Metadata metadata.Interface         // reads owners, as far as it may
	Metrics  prometheus.Registerer      // if nil, nothing is counted
}

// Denials tells of what was denied by Events: on the topmost owner of the object that
// can be found out, and else on the object itself. Who makes a pod is a controller,
// and what that is told nobody reads.
type Denials struct {
	cfg    DenialsConfig
	owners owners
	queue  chan denial
	counts *prometheus.CounterVec

	mu   sync.Mutex
	said map[paused]time.Time
}

// A denial is what an Event is to be written of.
type denial struct {
	made
	policy string
	reason string
	action string
	note   string
}

// A paused is of what no more is said for a while.
type paused struct{ namespace, subject, policy, action string }

// NewDenials returns a Denials that writes nothing before it runs.
func NewDenials(cfg DenialsConfig) (*Denials, error) {
	d := &Denials{
		cfg: cfg, owners: owners{cfg.Mapper, cfg.Metadata}, queue: make(chan denial, maxDenials), said: map[paused]time.Time{},
		counts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lintel_denial_events_total", Help: "Denials by whether an Event was written of them: written, repeated or dropped.",
		}, []string{"outcome"}),
	}
	if cfg.Metrics == nil {
		return d, nil
	}
	if err := cfg.Metrics.Register(d.counts); err != nil {
		return nil, fmt.Errorf("register metrics of events: %w", err)
	}
	return d, nil
}

// Tell has an Event written of a review if it was denied. It waits for nothing. A dry
// run has no effects, and none is written of it.
func (d *Denials) Tell(r webhook.Reviewed) {
	if r.Allowed || r.Decision == nil || r.Request.DryRun() {
		return
	}
	found := denialOf(r.Request, r.Decision)
	if found.object.Name == "" {
		return
	}
	if !d.isNews(found.key(), time.Now()) {
		d.counts.WithLabelValues("repeated").Inc()
		return
	}
	found.note = note(r.Decision.Message())
	select {
	case d.queue <- found:
	default:
		d.counts.WithLabelValues("dropped").Inc()
	}
}

// denialOf returns what is to be told, but for the note.
func denialOf(req *engine.Request, decision *engine.Decision) denial {
	found := denial{made: madeOf(req), reason: reasonUndecided, action: actionOf(req.Operation())}
	if denied := decision.With(v1alpha1.Deny); len(denied) > 0 {
		found.reason, found.policy = reasonViolation, denied[0].Policy
	} else if len(decision.Errors) > 0 {
		found.policy = decision.Errors[0].Policy
	}
	return found
}

// actionOf writes an operation as the actions of Events are written.
func actionOf(op v1alpha1.Operation) string {
	return string(op[:1]) + strings.ToLower(string(op[1:]))
}

func (n denial) key() paused {
	subject := n.object.Kind + "/" + n.object.Name
	if n.owner != nil {
		subject = string(n.owner.UID) // pods of one ReplicaSet have each another name
	}
	return paused{n.object.Namespace, subject, n.policy, n.action}
}

// isNews reports whether the same was not said a short while ago.
func (d *Denials) isNews(key paused, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if last, ok := d.said[key]; ok && now.Sub(last) < denialPause {
		return false
	}
	if len(d.said) >= maxPaused {
		clear(d.said) // saying some things twice costs less than remembering all
	}
	d.said[key] = now
	return true
}

// note returns as many lines of a message as an Event has room for.
func note(message string) string {
	if len(message) <= maxNote {
		return message
	}
	const more = "\n…"
	message = message[:maxNote-len(more)]
	if end := strings.LastIndexByte(message, '\n'); end > 0 {
		message = message[:end]
	}
	for !utf8.ValidString(message) { // a first line that is too long
		message = message[:len(message)-1]
	}
	return message + more
}

// Run writes Events until ctx ends.
func (d *Denials) Run(ctx context.Context) error {
	recorder := d.cfg.Recorder(ctx)
	limit := flowcontrol.NewTokenBucketRateLimiter(denialRate, denialBurst)
	for {
		select {
		case <-ctx.Done():
			return nil
		case next := <-d.queue:
			if limit.Wait(ctx) != nil {
				return nil
			}
			d.write(ctx, recorder, next)
		}
	}
}

// write writes an Event. The policy is what it is related to, so that those of several
// policies are told apart.
func (d *Denials) write(ctx context.Context, recorder events.EventRecorder, n denial) {
	ctx, cancel := context.WithTimeout(ctx, ownerTime)
	defer cancel()
	subject := d.owners.of(ctx, n.made)
	policy := &corev1.ObjectReference{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Policy", Name: n.policy}
	recorder.Eventf(&subject, policy, corev1.EventTypeWarning, n.reason, n.action, "%s", n.note)
	d.counts.WithLabelValues("written").Inc()
}
