package controller

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What others do to the registration: the reasons of Events, which are on the
// configuration that it was done to.
const (
	openedReason  = "BreakglassOpened"
	endedReason   = "BreakglassEnded"
	refusedReason = "BreakglassRefused"
	deletedReason = "RegistrationDeleted"
	backReason    = "RegistrationPutBack"
	editedReason  = "RegistrationEdited"
)

// incidentCounts count what others do to the registration.
type incidentCounts struct {
	openings *prometheus.CounterVec // by how
	edits    prometheus.Counter
}

// The ways to open the gate, as a metric has them.
const (
	byBreakglass = "breakglass"
	byDeletion   = "deleted"
)

func newIncidentCounts() incidentCounts {
	c := incidentCounts{
		openings: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lintel_registration_openings_total",
			Help: "How often somebody has opened the gate, by how: by breakglass, or by deleting a configuration.",
		}, []string{"by"}),
		edits: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "lintel_registration_edits_total",
			Help: "How often the registration was put right after somebody else had edited it.",
		}),
	}
	for _, by := range []string{byBreakglass, byDeletion} { // so that the first one is an increase
		c.openings.WithLabelValues(by)
	}
	return c
}

// registerMetrics registers what an alert watches.
func (r *Registrar) registerMetrics() error {
	if r.cfg.Metrics == nil {
		return nil
	}
	gauge := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "lintel_registration_open_until_seconds",
		Help: "Until when nothing is held to policies because somebody has opened the gate, in seconds since 1970; 0 if it is closed. Only the leader knows.",
	}, func() float64 { return float64(r.openUntil.Load()) })
	for _, c := range []prometheus.Collector{gauge, r.counts.openings, r.counts.edits} {
		if err := r.cfg.Metrics.Register(c); err != nil {
			return fmt.Errorf("register metric of registration: %w", err)
		}
	}
	return nil
}

// closing is sent to when the gate is to be closed; nil while it is. Where that did
// not succeed it is tried again, but not at once.
func (r *Registrar) closing() <-chan time.Time {
	r.mu.Lock()
	end := r.standing.ends()
	r.mu.Unlock()
	if end.IsZero() {
		return nil
	}
	return time.After(max(end.Sub(r.cfg.Now()), time.Second))
}

// tell tells of what is different now. r is locked.
func (r *Registrar) tell(before, now Standing) {
	if before.Registered && !now.Registered { // all has been removed, in order
		return
	}
	if now.Opening != before.Opening {
		if before.Opening != (Opening{}) {
			r.tellEnded(before)
		}
		if now.Opening != (Opening{}) {
			r.tellOpened(now)
		}
	}
	switch {
	case before.OpenUntil.IsZero() && !now.OpenUntil.IsZero():
		r.counts.openings.WithLabelValues(byDeletion).Inc()
		r.cfg.Log.Error("the registration was deleted by hand: nothing is held to policies until it is put back", zap.Time("open_until", now.OpenUntil))
		r.event(corev1.EventTypeWarning, deletedReason, "Open", "Deleted by hand: the gate is open until %s. Then it is put back.", timestamp(now.OpenUntil))
	case !before.OpenUntil.IsZero() && now.OpenUntil.IsZero():
		r.cfg.Log.Info("the registration that was deleted by hand is back")
		r.event(corev1.EventTypeNormal, backReason, "Close", "What was deleted by hand is there again.")
	}
}

func (r *Registrar) tellOpened(s Standing) {
	r.counts.openings.WithLabelValues(byBreakglass).Inc()
	r.cfg.Log.Error("the glass is broken: nothing is held to policies until it is over", zap.Time("open_until", s.openingEnds()),
		zap.Time("asked_until", s.Opening.Until), zap.String("reason", s.Opening.Reason), zap.String("by", s.Opening.By))
	r.event(corev1.EventTypeWarning, openedReason, "Open", "The gate is open until %s. By: %s. Reason: %s", timestamp(s.openingEnds()), s.Opening.Who(), s.Opening.Reason)
}

func (r *Registrar) tellEnded(s Standing) {
	how := "The time is over"
	if r.cfg.Now().Before(s.openingEnds()) {
		how = "Ended by hand"
	}
	r.cfg.Log.Info("the glass is whole again", zap.String("how", how), zap.Time("opened", s.Seen), zap.String("reason", s.Opening.Reason), zap.String("by", s.Opening.By))
	r.event(corev1.EventTypeNormal, endedReason, "Close", "%s. The gate was seen open at %s. By: %s. Reason: %s", how, timestamp(s.Seen), s.Opening.Who(), s.Opening.Reason)
}

// Who returns who has broken the glass, as they say.
func (o Opening) Who() string {
	if o.By == "" {
		return "unknown"
	}
	return o.By
}

// tellRefused tells of annotations that do not open the gate.
func (r *Registrar) tellRefused(err error) {
	r.cfg.Log.Error("the gate stays closed: its annotations are broken, and taken off", zap.Error(err))
	r.event(corev1.EventTypeWarning, refusedReason, "Close", "The gate stays closed, and the annotations are taken off: %s", readable(strings.ReplaceAll(err.Error(), "\n", "; ")))
}

// tellEdited tells of an edit that is being put right. r is locked.
func (r *Registrar) tellEdited(found configurations) {
	r.counts.edits.Inc()
	made := r.told.made
	edited := map[string][]string{
		validatingKind: append(editedEntries(made.validating.Webhooks, found.validating.Webhooks, validatingEntry), editedOwners(made.validating, found.validating)...),
		mutatingKind:   append(editedEntries(made.mutating.Webhooks, found.mutating.Webhooks, mutatingEntry), editedOwners(made.mutating, found.mutating)...),
	}
	for _, of := range r.references() {
		fields := edited[of.Kind]
		if len(fields) == 0 {
			continue
		}
		r.cfg.Log.Error("the registration was edited: putting it right", zap.String("kind", of.Kind), zap.Strings("fields", fields))
		r.eventOn(of, corev1.EventTypeWarning, editedReason, "Close", "Edited by somebody else, and put right: %s", readable(strings.Join(fields, ", ")))
	}
}

// editedEntries names the fields of entries that are not as they were made.
func editedEntries[T any](made, found []T, of func(T) entry) []string {
	was, is := fieldsOf(made, of), fieldsOf(found, of)
	var edited []string
	for field := range maps.Keys(was) {
		if !bytes.Equal(was[field], is[field]) {
			edited = append(edited, field)
		}
	}
	for field := range maps.Keys(is) {
		if _, ok := was[field]; !ok {
			edited = append(edited, field)
		}
	}
	slices.Sort(edited)
	return edited
}

// fieldsOf returns the fields of entries, by the names of both.
func fieldsOf[T any](entries []T, of func(T) entry) map[string]json.RawMessage {
	all := map[string]json.RawMessage{}
	for _, e := range entries {
		var fields map[string]json.RawMessage
		data, err := json.Marshal(e)
		if err == nil {
			err = json.Unmarshal(data, &fields)
		}
		if err != nil {
			continue // it is put right, which is what matters
		}
		for name, value := range fields {
			all[of(e).name+" "+name] = value
		}
	}
	return all
}

func editedOwners(made, found metav1.Object) []string {
	if equality.Semantic.DeepEqual(made.GetOwnerReferences(), found.GetOwnerReferences()) {
		return nil
	}
	return []string{"ownerReferences"}
}

// event records an Event on both configurations, which are one gate. r is locked.
func (r *Registrar) event(kind, reason, action, note string, args ...any) {
	for _, of := range r.references() {
		r.eventOn(of, kind, reason, action, note, args...)
	}
}

func (r *Registrar) eventOn(of *corev1.ObjectReference, kind, reason, action, note string, args ...any) {
	if r.cfg.Events != nil {
		r.cfg.Events.Eventf(of, nil, kind, reason, action, note, args...)
	}
}

// references returns references to both configurations, as they were found, or as they
// were made before somebody has deleted them. They have the version, by which recorders
// tell one incident from the next of its kind.
func (r *Registrar) references() []*corev1.ObjectReference {
	known := append(r.found.halves(r.cfg.Client, fieldManager), r.told.made.halves(r.cfg.Client, fieldManager)...)
	var both []*corev1.ObjectReference
	for _, kind := range []string{validatingKind, mutatingKind} {
		of := &corev1.ObjectReference{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: kind, Name: r.cfg.Name}
		if i := slices.IndexFunc(known, func(h half) bool { return h.kind == kind }); i >= 0 {
			of.UID, of.ResourceVersion = known[i].meta.UID, known[i].meta.ResourceVersion
		}
		both = append(both, of)
	}
	return both
}
