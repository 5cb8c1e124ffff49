package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// usePause is how long the use of an exception is not written again: a workload that
// scales up and down would else write for each of its pods.
const usePause = time.Minute

// uses are what exceptions last excused, and not yet in their objects. There is one
// entry for an exception, and none for one that is gone.
type uses struct {
	mu   sync.Mutex
	last map[string]*use // by namespace/name
}

// A use is what an exception last excused.
type use struct {
	at      time.Time
	what    string
	waits   bool      // it is not written yet
	written time.Time // when one was, by this replica
}

// Excused notes what exceptions kept policies from being asked about. It writes
// nothing, so that a request may wait for it.
func (x *Exceptions) Excused(object engine.ObjectRef, at time.Time, excused []engine.Excuse) {
	policies := map[string][]string{}
	for _, e := range excused {
		if !e.Expires.IsZero() {
			policies[e.Exception] = append(policies[e.Exception], e.Policy)
		}
	}
	x.uses.mu.Lock()
	defer x.uses.mu.Unlock()
	for exception, from := range policies {
		x.uses.note(exception, at, object.Printable()+" from "+strings.Join(from, ", "))
	}
}

// note keeps a use unless a later one is known. u is locked.
func (u *uses) note(exception string, at time.Time, what string) {
	if u.last == nil {
		u.last = map[string]*use{}
	}
	last := u.last[exception]
	if last == nil {
		last = &use{}
		u.last[exception] = last
	}
	if at.After(last.at) {
		last.at, last.what, last.waits = at, what, true
	}
}

// WriteUses writes into exceptions when they last excused something, and what. Every
// replica does it for what it was asked; the later time wins. Each exception is written
// at most once a minute, by all replicas together, but for the last word: then all that
// waits is.
func (x *Exceptions) WriteUses(ctx context.Context, now time.Time, last bool) error {
	known := map[string]v1alpha1.PolicyException{}
	for _, e := range x.policies.Objects().Exceptions {
		known[e.Namespace+"/"+e.Name] = e
	}
	var errs []error
	for name, u := range x.uses.waiting(known) {
		e := known[name]
		if !last && !u.isDue(e, now) {
			continue
		}
		written, err := x.writeUse(ctx, e, u)
		if err != nil {
			errs = append(errs, err)
		}
		if written {
			x.uses.wrote(name, u.at, now)
		}
	}
	return errors.Join(errs...)
}

// isDue reports whether no use was written for so long that this one may be.
func (u use) isDue(e v1alpha1.PolicyException, now time.Time) bool {
	used := e.Status.LastUsed
	return now.Sub(u.written) >= usePause && (used == nil || now.Sub(used.Time) >= usePause)
}

// writeUse writes a use, unless a later one is there already, and reports whether one
// of them is there now. Of two replicas that write at once one reads again.
func (x *Exceptions) writeUse(ctx context.Context, e v1alpha1.PolicyException, u use) (bool, error) {
	const tries = 3
	for range tries {
		if used := e.Status.LastUsed; used != nil && !u.at.Truncate(time.Second).After(used.Time) {
			return true, nil
		}
		err := x.write(ctx, e, map[string]any{"lastUsed": metav1.NewTime(u.at), "lastExcused": u.what})
		if !apierrors.IsConflict(err) {
			return err == nil, err
		}
		read, err := x.client.Resource(exceptionsResource).Namespace(e.Namespace).Get(ctx, e.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return true, nil
		} else if err != nil {
			return false, fmt.Errorf("read exception %s/%s: %w", e.Namespace, e.Name, err)
		}
		if e, err = typed[v1alpha1.PolicyException](read); err != nil {
			return false, err
		}
	}
	return false, nil
}

// waiting returns a copy of the uses that are not written yet, and forgets those of
// exceptions that are gone.
func (u *uses) waiting(known map[string]v1alpha1.PolicyException) map[string]use {
	u.mu.Lock()
	defer u.mu.Unlock()
	waiting := map[string]use{}
	for name, last := range u.last {
		if _, ok := known[name]; !ok {
			delete(u.last, name)
		} else if last.waits {
			waiting[name] = *last
		}
	}
	return waiting
}

// wrote notes that the use of a time is written. One that has come since then waits.
func (u *uses) wrote(exception string, at, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if last := u.last[exception]; last != nil {
		last.written = now
		last.waits = last.at.After(at)
	}
}
