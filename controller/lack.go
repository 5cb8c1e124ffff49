package controller

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lintel-policy/lintel/engine"
)

// A State is how far a kind that policies read is known.
type State string

// The states of a kind.
const (
	Synced    State = "synced"    // it is known
	Reading   State = "reading"   // it is being read for the first time
	Absent    State = "absent"    // the cluster has no such kind
	Forbidden State = "forbidden" // nobody has permitted Lintel to read it
	Failing   State = "failing"   // it could never be read, for another reason
	Stale     State = "stale"     // nothing has been heard of it for too long
)

// States are all there are.
func States() []State { return []State{Synced, Reading, Absent, Forbidden, Failing, Stale} }

// A lack is why a kind cannot be read, for people who meet it in a denial, in the
// status of a Policy or in the log. It repeats no answer of the API server.
type lack struct{ text string }

func (l *lack) Error() string { return l.text }

// slowAfter is how long the first reading of a kind is waited for. Tens of thousands of
// objects take less.
const slowAfter = 10 * time.Second

// lookEvery is how often is looked at what has grown old, at most.
const lookEvery = time.Second

// keepLooking looks, until ctx ends, whether anything has grown old.
func (i *Inventory) keepLooking(ctx context.Context) {
	tick := time.NewTicker(min(lookEvery, i.maxAge/10))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			i.mu.Lock()
			i.look()
			i.mu.Unlock()
		}
	}
}

// look finds out how far each kind is known, and shows and logs what has changed. i is locked.
func (i *Inventory) look() {
	changed := false
	for _, r := range i.kinds {
		if r.synced && r.contact.isStale() {
			r.renew()
		}
		state, lack := r.find()
		if state == r.state {
			continue
		}
		r.tell(r.state, state, lack)
		r.state, r.lack, changed = state, lack, true
	}
	if changed {
		i.current.Store(i.current.Load().Lacking(i.lacking()))
	}
}

// lacking returns why kinds are not known, of those that are not. i is locked.
func (i *Inventory) lacking() map[schema.GroupVersionKind]error {
	kinds := map[schema.GroupVersionKind]error{}
	for gvk, r := range i.kinds {
		if r.lack != nil {
			kinds[gvk] = r.lack
		}
	}
	return kinds
}

// find finds out how far the kind is known, and why it is not.
func (r *reading) find() (State, *lack) {
	if r.stop == nil {
		return Absent, &lack{"the cluster has no such kind"}
	}
	err, since := r.contact.failure()
	switch {
	case r.synced:
		return Synced, nil
	case apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err):
		return Forbidden, &lack{"forbidden: grant " + r.permission()}
	case apierrors.IsNotFound(err):
		return Absent, &lack{"the cluster has no such kind"}
	case !r.lost.IsZero():
		return Stale, &lack{"nothing has been heard of it since " + engine.Moment(r.lost)}
	case err != nil:
		return Failing, &lack{"the API server does not answer, since " + engine.Moment(since)}
	}
	return Reading, &lack{"it is being read for the first time"}
}

// permission is the rule that a role has to have.
func (r *reading) permission() string {
	return fmt.Sprintf(`{apiGroups: [%q], resources: [%q], verbs: ["get", "list", "watch"]}`, r.gvr.Group, r.gvr.Resource)
}

// isAwaited reports whether the kind is being read for the first time and may still
// come soon.
func (r *reading) isAwaited() bool {
	state, _ := r.find()
	return (state == Reading || state == Failing) && time.Since(r.contact.begun) < slowAfter
}

// tell logs that a kind cannot be read any more, or can be again.
func (r *reading) tell(before, now State, why *lack) {
	fields := []zap.Field{zap.String("kind", engine.Printable(r.gvk.Kind)), zap.String("api_version", engine.Printable(r.gvk.GroupVersion().String())), zap.String("state", string(now))}
	switch {
	case now == Reading:
		return // it will be synced, or something will be the matter
	case now == Synced && (before == "" || before == Reading):
		r.inventory.log.Debug("inventory is read", fields...)
		return
	case now == Synced:
		r.inventory.log.Info("inventory is read", fields...)
		return
	}
	fields = append(fields, zap.Bool("optional", r.optional), zap.String("reason", why.text))
	if r.contact != nil {
		if err, _ := r.contact.failure(); err != nil {
			fields = append(fields, zap.String("error", engine.Printable(err.Error())))
		}
	}
	if r.optional {
		r.inventory.log.Info("inventory is empty", fields...)
		return
	}
	r.inventory.log.Error("inventory cannot be read", fields...)
}

// errNotWatched reports a kind that is not watched.
var errNotWatched = errors.New("it is not watched")

// Lacks returns why a kind is not known, nil if it is.
func (i *Inventory) Lacks(kind engine.InventoryKind) error {
	if i == nil {
		return errNoCluster
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	r := i.kinds[schema.FromAPIVersionAndKind(kind.APIVersion, kind.Kind)]
	switch {
	case r == nil:
		return errNotWatched
	case r.lack != nil:
		return r.lack
	}
	return nil
}

// Absent returns the kinds that policies read and the cluster does not have.
func (i *Inventory) Absent() []schema.GroupVersionKind {
	i.mu.Lock()
	defer i.mu.Unlock()
	var absent []schema.GroupVersionKind
	for gvk, r := range i.kinds {
		if r.stop == nil {
			absent = append(absent, gvk)
		}
	}
	return absent
}
