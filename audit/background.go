package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"
	"k8s.io/client-go/rest"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/report"
)

// A Watched is a kind that policies in force match.
type Watched struct {
	Kind
	// Revision is that of the policies which match it: where it changes, objects of the
	// kind are judged anew.
	Revision string
	// Reads says that one of them reads an inventory.
	Reads bool
}

// BackgroundConfig configures a [Background]. Those up to Publisher are required.
type BackgroundConfig struct {
	// Client is any client of the cluster: only paths are asked of it.
	Client rest.Interface
	// Set returns the policies in force, Kinds what they match.
	Set   func() *engine.Set
	Kinds func(*engine.Set) []Watched
	// Namespace returns a Namespace object, nil for one that is not known. It is another
	// object whenever the Namespace has changed.
	Namespace func(ctx context.Context, name string) *engine.Object
	// Inventory returns what policies read beside an object. It is another one whenever
	// something in it has changed.
	Inventory func() *engine.Inventory
	// Publisher is told what is found.
	Publisher Publisher
	// Changed is sent to when other policies are in force. If nil, that is seen at an interval.
	Changed <-chan struct{}
	// Interval is how often it is looked for what no event tells of: other labels of a
	// namespace, another inventory, another time. If zero, a minute.
	Interval time.Duration
	// PublishEvery is how often changes are published: what changes many times in between
	// is published once. If zero, five seconds.
	PublishEvery time.Duration
	// Memory is how many bytes an audit may take, as far as that can be told beforehand:
	// for what is reviewed at a time, as [engine.Weight] has it, for what is known of
	// objects, and for what was found. Objects too many are not known, and are counted in
	// [Progress]; one that is too heavy is not judged, which is found of it as an error;
	// of findings too many it is only told which policies are broken. If zero, 256 MiB.
	Memory int64
	// Busy reports whether there is something more urgent to do, which is waited for
	// between two objects, though not for ever. If nil, there never is.
	Busy func() bool
	// Gate is what somebody may have opened. If nil, nobody can.
	Gate Gate
	// Now is the clock. If nil, time.Now.
	Now func() time.Time
	// Log is told of what cannot be listed. If nil, nobody is.
	Log *zap.Logger
}

// maxListing is how many kinds are listed at a time: while one is being waited for,
// objects of the other are reviewed.
const maxListing = 2

// A Publisher is told of what a [Background] finds.
type Publisher interface {
	// Publish is called when what is known of a namespace has changed, and not before all
	// has been reviewed once. Where it fails it is called again. [ErrNoReports] says that
	// nothing can be published at all.
	Publish(ctx context.Context, space Space) error
	// Foreign returns the namespaces of which something else is published than Publish
	// would publish now, though nothing has changed of what it was called with last.
	Foreign(ctx context.Context) ([]string, error)
}

// A Background reviews all that is in a cluster and then what changes, as long as it
// runs. Of several in one cluster one may run at a time.
type Background struct {
	cfg    BackgroundConfig
	lister lister
	budget *budget
	// listing bounds how many kinds are listed at a time: of each, the connection holds
	// some megabytes that wait to be read.
	listing *semaphore.Weighted
	items   chan item

	mu        sync.Mutex
	followers map[Kind]*follower
	following bool // whether followers are what policies match
	store     store
	inventory *engine.Inventory // that was last gone by at an interval
	progress  Progress
	opened    []Window // the times that the gate was open, as last gone by
}

// Progress says how far a [Background] is.
type Progress struct {
	// Objects are those that are known, Reviews how often one was reviewed.
	Objects, Reviews int
	// Unlisted are the kinds that could not be listed or watched, Pending those that
	// have not been reviewed once.
	Unlisted, Pending int
	// Unkept are objects that there was no more memory for, and Cut those of which it is
	// only known which policies they break.
	Unkept, Cut int
	// Errors counts policies that could not decide about an object, and objects that
	// could not be judged at all.
	Errors int
	// Unpublished are the namespaces of which something else is known than was published.
	Unpublished int
	// Finished is when all had been reviewed last, and Took how long that was from when
	// it began. Both are zero before.
	Finished time.Time
	Took     time.Duration

	began time.Time
}

// NewBackground returns a Background that knows nothing yet.
func NewBackground(cfg BackgroundConfig) (*Background, error) {
	switch {
	case cfg.Client == nil || cfg.Set == nil || cfg.Kinds == nil || cfg.Namespace == nil || cfg.Inventory == nil || cfg.Publisher == nil:
		return nil, errors.New("audit: BackgroundConfig lacks Client, Set, Kinds, Namespace, Inventory or Publisher")
	case cfg.Interval < 0 || cfg.PublishEvery < 0 || cfg.Memory < 0:
		return nil, errors.New("audit: BackgroundConfig.Interval, PublishEvery or Memory is negative")
	}
	cfg.Memory = cmp.Or(cfg.Memory, defaultMemory)
	cfg.Interval, cfg.PublishEvery = cmp.Or(cfg.Interval, time.Minute), cmp.Or(cfg.PublishEvery, 5*time.Second)
	if cfg.Busy == nil {
		cfg.Busy = func() bool { return false }
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	return &Background{cfg: cfg, lister: lister{client: cfg.Client}, budget: newBudget(cfg.Memory / 2), listing: semaphore.NewWeighted(maxListing)}, nil
}

// Run reviews until ctx ends, and begins from nothing each time that it is called:
// meanwhile somebody else may have been at it.
func (b *Background) Run(ctx context.Context) {
	b.begin()
	defer b.begin() // what it knew is of no more use than what another knows
	b.mu.Lock()
	b.items = make(chan item) // no buffer: an object is read when there is somebody to review it
	b.mu.Unlock()
	var workers sync.WaitGroup
	defer workers.Wait()
	for range backgroundWorkers() {
		workers.Go(func() { b.work(ctx) })
	}
	workers.Go(func() { b.publish(ctx) })
	b.follow(ctx, &workers)
	tick := time.NewTicker(b.cfg.Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.cfg.Changed:
			b.follow(ctx, &workers)
		case <-tick.C:
			b.follow(ctx, &workers)
			b.lookAround(ctx)
		}
	}
}

// begin forgets all.
func (b *Background) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.followers, b.following, b.store, b.inventory, b.opened = map[Kind]*follower{}, false, newStore(int(b.cfg.Memory/2)), b.cfg.Inventory(), nil
	b.progress = Progress{began: b.cfg.Now()}
}

// follow follows just the kinds that policies match now, and has those judged anew
// whose policies have changed.
func (b *Background) follow(ctx context.Context, running *sync.WaitGroup) {
	b.mu.Lock()
	defer b.mu.Unlock()
	wanted := map[Kind]bool{}
	began := b.cfg.Now()
	for _, w := range b.cfg.Kinds(b.cfg.Set()) {
		wanted[w.Kind] = true
		f := b.followers[w.Kind]
		switch {
		case f == nil:
			f = b.newFollower(ctx, w)
			b.followers[w.Kind] = f
			running.Go(func() { f.run(f.ctx) })
		case f.watched.Revision != w.Revision:
			f.watched = w
			f.renew()
			b.progress.began = began
		}
	}
	for kind, f := range b.followers {
		if !wanted[kind] {
			f.stop()
			delete(b.followers, kind)
			b.store.forget(kind)
		}
	}
	b.following = true
}

// lookAround has judged anew what depends on something that has changed beside it.
func (b *Background) lookAround(ctx context.Context) {
	namespaces := map[string]*engine.Object{}
	for _, name := range b.spaces() {
		namespaces[name] = b.namespaceOf(ctx, name) // which may ask the API server
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.store.hasRoom() {
		for _, f := range b.followers {
			f.renew()
		}
	}
	if inventory := b.cfg.Inventory(); inventory != b.inventory {
		b.inventory = inventory
		for _, f := range b.followers {
			if f.watched.Reads {
				f.renew()
			}
		}
	}
	for name, ns := range namespaces {
		if b.store.isOutdated(name, ns) {
			for _, f := range b.followers {
				f.renewIn(name)
			}
		}
	}
}

func (b *Background) spaces() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.store.names()
}

// work reviews what is listed and what changes.
func (b *Background) work(ctx context.Context) {
	lowerPriority()
	for {
		select {
		case <-ctx.Done():
			return
		case it := <-b.items:
			b.review(ctx, it)
			it.done()
		}
	}
}

// review reviews an object, unless that has been done in this version by these policies.
func (b *Background) review(ctx context.Context, it item) {
	b.mu.Lock()
	known := b.store.refresh(it)
	b.mu.Unlock()
	if known {
		return
	}
	b.makeWay(ctx)
	release, fits := b.budget.take(ctx, it.object)
	defer release()
	if ctx.Err() != nil {
		return
	}
	ns := b.namespaceOf(ctx, it.id.Namespace)
	v := reviewer{
		set: b.cfg.Set(), namespace: func(string) *engine.Object { return ns }, inventory: b.cfg.Inventory(), claims: it.follower.claims(ctx, it.kind, it.id), now: b.cfg.Now(),
	}
	reviewed, ok := report.Object{Err: b.budget.tooHeavy()}, true
	if fits {
		reviewed, ok = v.review(ctx, it.kind, it.object)
	}
	if ctx.Err() != nil {
		return // it was not reviewed to the end
	}
	reviewed.Ref = it.ref() // whose texts are those that the store has anyway
	found := newFinding(&reviewed, it.object, v.now)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.progress.Reviews++
	switch {
	case b.followers[it.kind] != it.follower: // the kind was given up, and what another knows of it by now stays
	case !ok:
		b.store.remove(it.kind, it.id)
	default:
		if found != nil {
			found.Opened = lastOf(b.opened, found)
		}
		b.store.put(it, ns, len(reviewed.Asked), found)
	}
}

func (b *Background) namespaceOf(ctx context.Context, name string) *engine.Object {
	if name == "" {
		return nil
	}
	return b.cfg.Namespace(ctx, name)
}

// publish publishes what has changed, once all has been reviewed. Where nothing can be
// published it is tried ever more rarely.
func (b *Background) publish(ctx context.Context) {
	var p publishing
	var asked Window
	said := ""
	for wait := b.cfg.PublishEvery; ctx.Err() == nil; {
		err := errors.Join(b.publishOnce(ctx, &p), b.tellOpened(ctx, &asked))
		if err == nil {
			said = ""
		} else if ctx.Err() == nil && err.Error() != said {
			said = err.Error() // once
			b.cfg.Log.Error("publishing what was found", zap.Error(err))
		}
		if err == nil || isRefused(err) {
			wait = b.cfg.PublishEvery
		} else {
			wait = min(2*wait, max(b.cfg.Interval, b.cfg.PublishEvery))
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// publishing is what is kept between one time of publishing and the next.
type publishing struct {
	checked time.Time // when it was last looked for what somebody else has changed
	refused []string  // namespaces whose reports the API server would not take
}

// publishOnce publishes what has changed and, once in an interval, what somebody else
// has changed. Where one report is refused, the others are published all the same, and
// it is tried again an interval later. Any other failure is one of all.
func (b *Background) publishOnce(ctx context.Context, p *publishing) error {
	if b.Progress().Pending > 0 {
		return nil
	}
	b.noteOpened()
	if now := b.cfg.Now(); now.Sub(p.checked) >= b.cfg.Interval {
		foreign, err := b.cfg.Publisher.Foreign(ctx)
		if err != nil {
			return err
		}
		b.mark(append(foreign, p.refused...)...)
		p.checked, p.refused = now, nil
	}
	var refused error
	spaces := b.changedSpaces()
	for i, space := range spaces {
		err := b.cfg.Publisher.Publish(ctx, space)
		if err == nil {
			continue
		}
		err = fmt.Errorf("namespace %q: %w", space.Namespace, err)
		if !isRefused(err) {
			for _, left := range spaces[i:] {
				b.mark(left.Namespace)
			}
			return err
		}
		p.refused, refused = append(p.refused, space.Namespace), cmp.Or(refused, err)
	}
	return refused
}

// mark has namespaces published once more.
func (b *Background) mark(namespaces ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range namespaces {
		b.store.mark(name)
	}
}

// changedSpaces returns what has changed since it was last called, nothing before all
// has been reviewed.
func (b *Background) changedSpaces() []Space {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pending() > 0 || !b.following {
		return nil
	}
	return b.store.takeChanged()
}

// pending returns how many kinds have not been reviewed once. b is locked.
func (b *Background) pending() int {
	n := 0
	for _, f := range b.followers {
		if f.isPending() {
			n++
		}
	}
	return n
}

// finish notes that all has been reviewed, if it has. b is locked.
func (b *Background) finish() {
	for _, f := range b.followers {
		if !f.isComplete() && f.failure == nil {
			return
		}
	}
	b.progress.Finished = b.cfg.Now()
	b.progress.Took = b.progress.Finished.Sub(b.progress.began)
}

// Spaces returns what is known now, by namespace.
func (b *Background) Spaces() []Space {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []Space
	for _, name := range b.store.names() {
		all = append(all, b.store.space(name))
	}
	return all
}

// Progress returns how far the audit is.
func (b *Background) Progress() Progress {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.progress
	p.Objects, p.Pending, p.Errors, p.Cut = b.store.size, b.pending(), b.store.errors, b.store.found.cut
	p.Unkept = b.store.allUnkept()
	for _, sp := range b.store.spaces {
		if sp.changed {
			p.Unpublished++
		}
	}
	for _, f := range b.followers {
		if f.failure != nil {
			p.Unlisted++
		}
	}
	return p
}
