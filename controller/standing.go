package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/lintel-policy/lintel/engine"
)

// A Standing is what a [Registrar] has to know after a restart.
type Standing struct {
	// Registered says that the configurations have been made: where one is missing,
	// somebody has deleted it.
	Registered bool
	// OpenUntil is until when a deletion by hand is respected. If zero, there was none.
	OpenUntil time.Time
	// Opening is what the annotations said when they were read last, and Seen when
	// they were first seen to say so. If zero, they said nothing.
	Opening Opening
	Seen    time.Time
	// Openings are the times that the gate was open, as far as an audit goes by them.
	Openings Openings
}

// openingEnds returns until when the opening is respected.
func (s Standing) openingEnds() time.Time {
	if end := s.Seen.Add(MaxOpening); end.Before(s.Opening.Until) {
		return end
	}
	return s.Opening.Until
}

// ends returns until when the gate is open. If zero, it is not.
func (s Standing) ends() time.Time {
	if end := s.openingEnds(); end.After(s.OpenUntil) {
		return end
	}
	return s.OpenUntil
}

// A Memory keeps a [Standing]. Before the first Write, Read returns the zero one.
type Memory interface {
	Read(ctx context.Context) (Standing, error)
	Write(ctx context.Context, s Standing) error
}

// A ConfigMapMemory keeps a [Standing] in a ConfigMap, which has to exist.
type ConfigMapMemory struct {
	Client coreclient.ConfigMapInterface
	Name   string
}

// The keys of the ConfigMap.
const (
	registeredKey = "registered"
	openUntilKey  = "open-until"
	untilKey      = "breakglass-until"
	reasonKey     = "breakglass-reason"
	byKey         = "breakglass-by"
	seenKey       = "breakglass-seen"
	openingsKey   = "openings"
)

// Read reads the ConfigMap.
func (m ConfigMapMemory) Read(ctx context.Context) (Standing, error) {
	kept, err := m.Client.Get(ctx, m.Name, metav1.GetOptions{})
	if err != nil {
		return Standing{}, fmt.Errorf("read what was registered: %w", err)
	}
	s := Standing{
		Registered: kept.Data[registeredKey] == "true",
		Opening:    Opening{Reason: kept.Data[reasonKey], By: kept.Data[byKey]},
	}
	for key, at := range map[string]*time.Time{openUntilKey: &s.OpenUntil, untilKey: &s.Opening.Until, seenKey: &s.Seen} {
		text := kept.Data[key]
		if text == "" {
			continue
		}
		if *at, err = time.Parse(time.RFC3339, text); err != nil {
			return Standing{}, fmt.Errorf("read what was registered: ConfigMap %q: %s is no time: remove it", m.Name, key)
		}
	}
	if s.Openings, err = parseOpenings(kept.Data[openingsKey]); err != nil {
		return Standing{}, fmt.Errorf("read what was registered: ConfigMap %q: %s are no times: remove it", m.Name, openingsKey)
	}
	return s, nil
}

// Write writes the ConfigMap.
func (m ConfigMapMemory) Write(ctx context.Context, s Standing) error {
	kept, err := m.Client.Get(ctx, m.Name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("keep what is registered: %w", err)
	}
	s.writeTo(kept)
	if _, err := m.Client.Update(ctx, kept, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("keep what is registered: %w", err)
	}
	return nil
}

func (s Standing) writeTo(kept *corev1.ConfigMap) {
	if kept.Data == nil {
		kept.Data = map[string]string{}
	}
	registered := ""
	if s.Registered {
		registered = "true"
	}
	for key, text := range map[string]string{
		registeredKey: registered, openUntilKey: timestamp(s.OpenUntil),
		untilKey: timestamp(s.Opening.Until), reasonKey: s.Opening.Reason, byKey: s.Opening.By, seenKey: timestamp(s.Seen),
		openingsKey: s.Openings.String(),
	} {
		if kept.Data[key] = text; text == "" {
			delete(kept.Data, key)
		}
	}
}

// timestamp writes a time as it is kept, and "" for the zero one.
func timestamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return engine.Moment(t)
}

// recall reads what is known from before.
func (r *Registrar) recall(ctx context.Context) error {
	if r.cfg.Memory == nil {
		return nil
	}
	standing, err := r.cfg.Memory.Read(ctx)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stand(standing)
	return nil
}

// keep makes standing what holds, and writes it down first. r is locked.
func (r *Registrar) keep(ctx context.Context, standing Standing) error {
	if standing == r.standing {
		return nil
	}
	if r.cfg.Memory != nil {
		if err := r.cfg.Memory.Write(ctx, standing); err != nil {
			return err
		}
	}
	before := r.standing
	r.stand(standing)
	r.tell(before, standing)
	return nil
}

func (r *Registrar) stand(standing Standing) {
	r.standing = standing
	until := int64(0)
	if end := standing.ends(); !end.IsZero() {
		until = end.Unix()
	}
	r.openUntil.Store(until)
	r.opened.Store(&standing.Openings)
}

// isOpen reports whether somebody wants the gate open, and has it so: because the
// annotations of a configuration say so, or because one that had been made is missing
// and it is not half an hour since that was seen. Where the annotations no longer
// hold, it takes them off. r is locked.
func (r *Registrar) isOpen(ctx context.Context, found configurations) (bool, error) {
	now := r.cfg.Now()
	r.found = found
	opening, refused := found.opening()
	if refused != nil {
		r.tellRefused(refused)
	}
	standing := r.standing
	standing.OpenUntil = r.deletion(now)
	if opening != standing.Opening || standing.Seen.After(now) {
		standing.Opening, standing.Seen = opening, time.Time{}
		if opening != (Opening{}) {
			standing.Seen = now.UTC().Truncate(time.Second)
		}
	}
	standing.Openings = r.openings(standing, now)
	if err := r.keep(ctx, standing); err != nil {
		return false, err
	}
	halves := found.halves(r.cfg.Client, fieldManager)
	switch {
	case now.Before(standing.openingEnds()):
		r.untell()
		return true, eachHalf(halves, func(h half) error { return h.keepOpen(ctx) })
	case now.Before(standing.OpenUntil):
		r.untell()
		return true, nil
	case found.hasOpening():
		r.untell()
		return false, eachHalf(halves, func(h half) error { return h.end(ctx) })
	}
	return false, nil
}

// deletion returns until when the gate is open because a configuration is missing.
// What has been seen to be missing stays so until all has been made again.
func (r *Registrar) deletion(now time.Time) time.Time {
	switch {
	case !r.standing.Registered || r.found.isWhole():
		return time.Time{}
	case r.standing.OpenUntil.IsZero() || r.standing.OpenUntil.After(now.Add(openFor)): // a clock was wrong, or somebody wrote it
		return now.Add(openFor).UTC().Truncate(time.Second)
	}
	return r.standing.OpenUntil
}

// untell has the API server told anew, of what it was told before too: what others
// have changed meanwhile was no edit that nobody accounts for.
func (r *Registrar) untell() { r.told = told{made: r.told.made} }

// opening returns what the annotations say: of two openings the one that ends later.
// The error says what is wrong with them, where there is none.
func (c configurations) opening() (Opening, error) {
	var last Opening
	var errs []error
	for _, annotations := range c.annotations() {
		o, err := openingOf(annotations)
		if o.Until.After(last.Until) {
			last = o
		}
		errs = append(errs, err)
	}
	if last != (Opening{}) {
		return last, nil
	}
	return Opening{}, errors.Join(errs...)
}

// hasOpening reports whether a configuration has any of the annotations.
func (c configurations) hasOpening() bool { return slices.ContainsFunc(c.annotations(), hasOpening) }

func (c configurations) annotations() []map[string]string {
	var all []map[string]string
	if c.validating != nil {
		all = append(all, c.validating.Annotations)
	}
	if c.mutating != nil {
		all = append(all, c.mutating.Annotations)
	}
	return all
}

// eachHalf does something to all halves, to the others too where it fails.
func eachHalf(halves []half, do func(half) error) error {
	var errs []error
	for _, h := range halves {
		errs = append(errs, do(h))
	}
	return errors.Join(errs...)
}
