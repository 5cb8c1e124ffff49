package audit

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// A follower lists one kind and then follows what changes.
type follower struct {
	b     *Background
	ctx   context.Context //nolint:containedctx // ends with the follower, which is given up before the rest
	stop  context.CancelFunc
	began time.Time
	again chan struct{} // has room for one

	// Guarded by b.mu.
	watched Watched
	pass    int      // counts the times that all is to be judged
	listed  int      // the pass in which all was last
	only    []string // namespaces in which all is to be judged anew
	asked   int      // counts the times that all is to be listed, judged or not
	checked int      // what asked was when the last list began
	failure error    // why it cannot be listed or watched; nil if it can
	said    string   // the failure that was logged last

	abandoned atomic.Bool // whether a StatefulSet is gone since StatefulSets were read
	claiming  sync.Mutex
	claimed   claims
	claimedAt string    // the version in which they were read; "" if they could not be
	readAt    time.Time // when that was
}

func (b *Background) newFollower(ctx context.Context, w Watched) *follower {
	ctx, stop := context.WithCancel(ctx)
	return &follower{b: b, ctx: ctx, stop: stop, began: b.cfg.Now(), again: make(chan struct{}, 1), watched: w, pass: 1}
}

// isPending reports whether the kind may yet be reviewed for the first time. What cannot
// be listed holds up nothing, unless that may pass in a moment: a report that leaves out
// what it had would be read as if that were mended. b is locked.
func (f *follower) isPending() bool {
	mayCome := f.failure == nil || !isRefused(f.failure) && f.b.cfg.Now().Sub(f.began) < maxRetry
	return f.listed == 0 && mayCome
}

// renew has all judged anew. b is locked.
func (f *follower) renew() {
	f.pass++
	f.poke()
}

// check has all listed, so that nothing is missing that is there now. b is locked.
func (f *follower) check() {
	f.asked++
	f.poke()
}

// isComplete reports whether all has been listed and judged since it last had to be. b is
// locked.
func (f *follower) isComplete() bool { return f.listed == f.pass && f.checked == f.asked }

// renewIn has what is in a namespace judged anew. b is locked.
func (f *follower) renewIn(namespace string) {
	if (namespace != "") == f.watched.Namespaced && !slices.Contains(f.only, namespace) {
		f.only = append(f.only, namespace)
		f.poke()
	}
}

func (f *follower) poke() {
	select {
	case f.again <- struct{}{}:
	default:
	}
}

// How long it is waited before trying again after a failure: twice as long each time.
const (
	minRetry = time.Second
	maxRetry = time.Minute
)

// errShort says that a watch is of no use: the API server ends it as soon as it begins.
var errShort = errors.New("the watch ended at once")

// run follows until ctx ends.
func (f *follower) run(ctx context.Context) {
	version, wait := "", minRetry
	for ctx.Err() == nil {
		began := time.Now()
		next, err := f.step(ctx, version)
		version = next
		if err == nil {
			continue
		}
		f.fail(ctx, err)
		if time.Since(began) > maxRetry {
			wait = minRetry // it was well for long
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, maxRetry)
	}
}

// step judges anew what has to be, and then follows from a version until there is more.
// It returns the version to go on from, "" if all is to be listed.
func (f *follower) step(ctx context.Context, version string) (string, error) {
	if version == "" || f.isOutdated() {
		var err error
		if version, err = f.list(ctx); err != nil {
			return "", err
		}
	}
	for _, name := range f.takeNamespaces() {
		if err := f.listIn(ctx, name); err != nil {
			return "", err
		}
	}
	next, err := f.watch(ctx, version)
	if err != nil {
		return "", err
	}
	return next, nil
}

// fail keeps what keeps the kind from being followed, and logs it once. A version that
// is forgotten does not: all is listed again.
func (f *follower) fail(ctx context.Context, err error) {
	if ctx.Err() != nil || errors.Is(err, errForgotten) {
		return
	}
	f.b.mu.Lock()
	defer f.b.mu.Unlock()
	if f.failure = err; f.said != err.Error() {
		f.said = err.Error()
		f.b.cfg.Log.Error("cannot audit a kind", zap.String("resource", f.watched.Resource), zap.String("group", f.watched.Group), zap.Error(err))
	}
}

// followed notes that the kind is.
func (f *follower) followed() {
	f.b.mu.Lock()
	defer f.b.mu.Unlock()
	f.failure = nil
}

// list reviews all objects of the kind, but for those that have been by the same
// policies, and forgets those that are gone.
func (f *follower) list(ctx context.Context) (version string, err error) {
	f.b.mu.Lock()
	kind, pass, asked := f.watched.Kind, f.pass, f.asked
	delete(f.b.store.unkept, kind)
	f.b.mu.Unlock()
	seen := seen{}
	version, err = f.review(ctx, &f.b.lister, kind, pass, seen)
	if err != nil || ctx.Err() != nil {
		return "", err
	}
	f.b.mu.Lock()
	defer f.b.mu.Unlock()
	f.b.store.keep(kind, seen)
	f.listed, f.checked = pass, asked
	f.b.finish()
	return version, nil
}

// listIn does the same for one namespace, whatever has been reviewed.
func (f *follower) listIn(ctx context.Context, namespace string) error {
	f.b.mu.Lock()
	kind, pass := f.watched.Kind, f.pass
	f.b.mu.Unlock()
	_, err := f.review(ctx, &lister{f.b.lister.client, namespace}, kind, pass, nil)
	return err
}

// review lists objects and waits until all have been reviewed.
func (f *follower) review(ctx context.Context, l *lister, kind Kind, pass int, seen seen) (string, error) {
	if f.b.listing.Acquire(ctx, 1) != nil {
		return "", ctx.Err()
	}
	defer f.b.listing.Release(1)
	var reviews sync.WaitGroup
	defer reviews.Wait()
	return l.list(ctx, kind, func(object []byte) {
		if it, err := f.item(kind, pass, object); err == nil {
			if seen != nil {
				seen[it.id.key()] = true
			}
			reviews.Add(1)
			it.done = reviews.Done
			f.hand(ctx, it)
		}
	})
}

// hand gives an item to whoever reviews next.
func (f *follower) hand(ctx context.Context, it item) {
	select {
	case <-ctx.Done():
		it.done()
	case f.b.items <- it:
	}
}

func (f *follower) item(kind Kind, pass int, object []byte) (item, error) {
	id, err := identify(object)
	return item{kind: kind, object: object, follower: f, pass: pass, id: id, done: func() {}}, err
}

// watch reviews what changes, until something has to be judged anew or the API server
// ends the watch. It returns the version to go on from.
func (f *follower) watch(ctx context.Context, version string) (string, error) {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	var poked sync.WaitGroup
	defer poked.Wait()
	poked.Go(func() {
		select {
		case <-watching.Done():
		case <-f.again:
			stop()
		}
	})
	f.b.mu.Lock()
	kind, pass := f.watched.Kind, f.pass
	f.b.mu.Unlock()
	began := time.Now()
	// What has come is reviewed to the end, whatever else there is to do: nobody tells of it again.
	version, err := f.b.lister.watch(watching, kind, version, f.followed, func(c change) { f.change(ctx, kind, pass, c) })
	switch {
	case watching.Err() != nil:
		err = nil
	case err == nil && time.Since(began) < minRetry:
		err = errShort
	}
	stop()
	return version, err
}

// isOutdated reports whether all has to be listed, to be judged anew or to be seen.
func (f *follower) isOutdated() bool {
	f.b.mu.Lock()
	defer f.b.mu.Unlock()
	return !f.isComplete()
}

// takeNamespaces returns the namespaces in which all is to be judged anew. What cannot
// be listed there now is judged when all of the kind is listed.
func (f *follower) takeNamespaces() []string {
	f.b.mu.Lock()
	defer f.b.mu.Unlock()
	names := f.only
	f.only = nil
	for _, name := range names {
		f.b.store.outdate(f.watched.Kind, name)
	}
	return names
}

// change takes up one event.
func (f *follower) change(ctx context.Context, kind Kind, pass int, c change) {
	it, err := f.item(kind, pass, c.Object)
	if err != nil {
		return // the watch has seen that it is no object
	}
	if c.Type == "DELETED" {
		f.b.mu.Lock()
		defer f.b.mu.Unlock()
		f.b.store.remove(kind, it.id)
		f.b.disown(kind, it.id.Namespace)
		return
	}
	done := make(chan struct{})
	it.done = func() { close(done) }
	f.hand(ctx, it)
	<-done // in their order: a later change must not be overtaken
}

// claims returns what StatefulSets claim, if f follows claims. A StatefulSet is there
// before its claims are, so those that were read after a claim came are all that may have
// made it. For one that is not known to be theirs they are read anew, but not all the time.
func (f *follower) claims(ctx context.Context, kind Kind, id identity) claims {
	if !kind.isClaims() || !isNumbered(id.Name) {
		return nil
	}
	f.claiming.Lock()
	defer f.claiming.Unlock()
	if f.abandoned.Swap(false) {
		f.claimed, f.claimedAt = nil, "0"
	}
	wait := time.Until(f.readAt.Add(minRetry))
	if f.claimed.has(id.Namespace, id.Name) || f.claimedAt != "" && !isNewer(id.ResourceVersion, f.claimedAt) || f.claimedAt == "" && wait > 0 {
		return f.claimed
	}
	select {
	case <-ctx.Done():
	case <-time.After(wait):
		f.claimed, f.claimedAt = f.b.lister.claims(ctx, []Kind{kind})
		f.readAt = time.Now()
	}
	return f.claimed
}

// disown has claims judged anew, when what may have made them is gone. b is locked.
func (b *Background) disown(kind Kind, namespace string) {
	if kind != statefulSetKind {
		return
	}
	for other, f := range b.followers {
		if other.isClaims() {
			f.abandoned.Store(true)
			f.renewIn(namespace)
		}
	}
}
