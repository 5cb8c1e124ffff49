package controller

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// An Opened is a time in which nothing was held to policies.
type Opened struct {
	From time.Time // at the earliest
	To   time.Time // at the latest; zero while it lasts
}

// maxOpened is how many such times are remembered. A gate that is opened more often
// than that before what came in is mended has a larger problem.
const maxOpened = 8

// closingTakes is how long API servers may go on as if the gate were open after it was
// closed: each learns of it by a watch of its own.
const closingTakes = 5 * time.Second

// Openings are the last times that the gate was open.
type Openings struct {
	Times [maxOpened]Opened // the last first
	Told  bool              // whether somebody was told what came in in the last one
}

// begin returns o with the gate open since a time. A time of which nobody was told goes
// on: what came in before is told of with what comes in now.
func (o Openings) begin(from time.Time) Openings {
	switch last := &o.Times[0]; {
	case last.From.IsZero(), o.Told:
		copy(o.Times[1:], o.Times[:maxOpened-1])
		o.Times[0], o.Told = Opened{From: from}, false
	default:
		last.To = time.Time{}
	}
	return o
}

// end returns o with the gate closed at a time.
func (o Openings) end(to time.Time) Openings {
	if last := &o.Times[0]; !last.From.IsZero() && last.To.IsZero() {
		last.To = to.Add(closingTakes).UTC().Truncate(time.Second)
	}
	return o
}

// right returns o as it can be at a time: what lies after that is by a clock that was wrong.
func (o Openings) right(now time.Time) Openings {
	now = now.UTC().Truncate(time.Second)
	last := &o.Times[0]
	if last.From.After(now) {
		last.From = now
	}
	if last.To.After(now.Add(closingTakes)) {
		last.To = now.Add(closingTakes)
	}
	return o
}

// toldMark is written after a time of which somebody was told what came in.
const toldMark = " told"

// String writes o as it is kept: a line for each time, such as
// "2027-01-01T00:00:00Z/2027-01-01T00:30:05Z told".
func (o Openings) String() string {
	var lines []string
	for _, t := range o.Times {
		if !t.From.IsZero() {
			lines = append(lines, timestamp(t.From)+"/"+timestamp(t.To))
		}
	}
	if o.Told && len(lines) > 0 {
		lines[0] += toldMark
	}
	return strings.Join(lines, "\n")
}

// parseOpenings reads what String writes.
func parseOpenings(text string) (o Openings, err error) {
	if text == "" {
		return o, nil
	}
	for i, line := range strings.SplitN(text, "\n", maxOpened) {
		if i == 0 {
			line, o.Told = strings.CutSuffix(line, toldMark)
		}
		from, to, _ := strings.Cut(line, "/")
		if o.Times[i].From, err = time.Parse(time.RFC3339, from); err != nil {
			return Openings{}, err
		}
		if to == "" && i == 0 {
			continue
		}
		if o.Times[i].To, err = time.Parse(time.RFC3339, to); err != nil {
			return Openings{}, err
		}
	}
	return o, nil
}

// openings returns the times that the gate was open, as of now: from when annotations
// came, or from the look before the one that found a configuration missing. r is locked.
func (r *Registrar) openings(standing Standing, now time.Time) Openings {
	switch before := r.standing.Openings.right(now); {
	case r.cfg.Audited == nil:
		return Openings{}
	case standing.Opening != (Opening{}):
		return before.begin(r.found.annotated(now).UTC().Truncate(time.Second))
	case !standing.OpenUntil.IsZero():
		return before.begin(now.Add(-r.cfg.Refresh).UTC().Truncate(time.Second))
	default:
		return before
	}
}

// closed returns what is known once the gate is closed. r is locked.
func (r *Registrar) closed() Standing {
	return Standing{Registered: true, Openings: r.standing.Openings.end(r.cfg.Now())}
}

// annotated returns when the annotations came that open the gate, by what the API server
// keeps of that: it is earlier than now where nobody was there to see it.
func (c configurations) annotated(now time.Time) time.Time {
	var fields []metav1.ManagedFieldsEntry
	if c.validating != nil {
		fields = append(fields, c.validating.ManagedFields...)
	}
	if c.mutating != nil {
		fields = append(fields, c.mutating.ManagedFields...)
	}
	first := now
	for _, of := range fields {
		if of.Time != nil && of.FieldsV1 != nil && of.Time.Time.Before(first) && bytes.Contains(of.FieldsV1.GetRawBytes(), []byte(`"f:`+UntilAnnotation+`"`)) {
			first = of.Time.Time
		}
	}
	return first
}

// Opened returns the times in which the gate was open and that are over, the last first,
// and whether what came in in the last one is still to be told of by
// [Registrar.TellOpened]. Only who leads knows of any.
func (r *Registrar) Opened() (over []Opened, untold bool) {
	o := r.opened.Load()
	if o == nil {
		return nil, false
	}
	now := r.cfg.Now()
	for i, t := range o.Times {
		if !t.To.IsZero() && t.To.Before(now) {
			over = append(over, t)
			untold = untold || i == 0 && !o.Told
		}
	}
	return over, untold
}

// openedAuditReason is the reason of Events about what came in while the gate was open.
const openedAuditReason = "OpenGateAudited"

// TellOpened tells once, by an Event on both configurations, what came in while the gate
// was open the last time, and remembers that it did. It returns whether it was the
// first to do so, whoever else may have led; where the gate was opened again meanwhile,
// it does nothing, since what came in then is to be told of as well.
func (r *Registrar) TellOpened(ctx context.Context, last Opened, kind, note string) (first bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if o := r.standing.Openings; r.cfg.Audited == nil || o.Told || o.Times[0] != last {
		return false, nil
	}
	for _, of := range r.references() {
		made, err := r.tellOnce(ctx, of, last, kind, note)
		if err != nil {
			return first, err
		}
		first = first || made
	}
	standing := r.standing
	standing.Openings.Told = true
	return first, r.keep(ctx, standing)
}

// tellOnce writes an Event whose name says what it tells of, and returns whether there
// was none: a recorder would write a second one for another leader.
func (r *Registrar) tellOnce(ctx context.Context, of *corev1.ObjectReference, last Opened, kind, note string) (bool, error) {
	event := &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: metav1.NamespaceDefault, // where the Events are of what is in no namespace
			Name:      fmt.Sprintf("%s.opened.%d.%d.%s", of.Name, last.From.Unix(), last.To.Unix(), strings.ToLower(of.Kind)),
		},
		EventTime: metav1.NewMicroTime(r.cfg.Now()), Type: kind, Reason: openedAuditReason, Action: "Audit", Note: note,
		Regarding: *of, ReportingController: fieldManager, ReportingInstance: fieldManager,
	}
	_, err := r.cfg.Audited.Events(event.Namespace).Create(ctx, event, metav1.CreateOptions{})
	switch {
	case apierrors.IsAlreadyExists(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("tell what came in while the gate was open: %w", err)
	}
	return true, nil
}
