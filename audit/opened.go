package audit

import (
	"cmp"
	"context"
	"slices"

	"github.com/lintel-policy/lintel/api/v1alpha1"
)

// A Gate is what holds requests to policies, and what somebody may have opened for a
// time, so that objects came in that nobody has judged.
type Gate interface {
	// Opened returns the times that it was open and that are over, the last first, and
	// whether nobody was told yet what came in in the last one.
	Opened() (over []Window, untold bool)
	// Tell tells of what came in. It is called again until Opened no longer asks for it.
	Tell(ctx context.Context, came Came) error
}

// Came is what came in while a gate was open and violates policies that deny or warn.
type Came struct {
	Window
	// Denied is how many objects would be denied, and Warned how many others would be
	// warned about.
	Denied, Warned int
	// Findings are what is found of them, worst first.
	Findings []Finding
}

// noteOpened has published anew where something came in while the gate was open, when
// another time of that is over than before.
func (b *Background) noteOpened() {
	if b.cfg.Gate == nil {
		return
	}
	over, _ := b.cfg.Gate.Opened()
	b.mu.Lock()
	defer b.mu.Unlock()
	if slices.Equal(over, b.opened) {
		return
	}
	for name, sp := range b.store.spaces {
		for _, e := range sp.objects {
			if e.found == nil {
				continue
			}
			if opened := lastOf(over, e.found); opened != e.found.Opened {
				e.found.Opened = opened
				b.store.mark(name)
			}
		}
	}
	b.opened = over
}

// lastOf returns the last of some times in which an object was made or changed, none
// if it was in none of them.
func lastOf(times []Window, f *Finding) Window {
	for _, w := range times {
		if w.has(f.Times) {
			return w
		}
	}
	return Window{}
}

// tellOpened tells of what came in while the gate was open. Before it does, all is
// listed once more: a watch may be behind. asked is the time for which that was done last.
func (b *Background) tellOpened(ctx context.Context, asked *Window) error {
	if b.cfg.Gate == nil || b.Progress().Pending > 0 {
		return nil
	}
	over, untold := b.cfg.Gate.Opened()
	switch {
	case !untold:
		return nil
	case *asked != over[0]:
		*asked = over[0]
		b.check()
		return nil
	}
	came, ok := b.cameIn(over[0])
	if !ok {
		return nil
	}
	return b.cfg.Gate.Tell(ctx, came)
}

// check has all listed.
func (b *Background) check() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.progress.began = b.cfg.Now()
	for _, f := range b.followers {
		f.check()
	}
}

// cameIn returns what came in in a time, false while not all has been seen.
func (b *Background) cameIn(w Window) (came Came, seen bool) {
	if came, seen = b.gather(w); seen {
		slices.SortFunc(came.Findings, func(a, b Finding) int {
			return cmp.Or(compareWorst(&a, &b), compareRefs(a.Ref, b.Ref))
		})
	}
	return came, seen
}

// gather does that in no order. It returns copies, which are put in order while others
// go on.
func (b *Background) gather(w Window) (Came, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	came := Came{Window: w}
	for _, f := range b.followers {
		if !f.isComplete() && f.failure == nil { // what cannot be listed holds up nothing
			return came, false
		}
	}
	for _, sp := range b.store.spaces {
		for _, e := range sp.objects {
			if e.found != nil && w.has(e.found.Times) {
				came.add(*e.found)
			}
		}
	}
	return came, true
}

// add counts what was found of an object, if a policy denies or warns.
func (c *Came) add(f Finding) {
	switch {
	case len(f.policies(v1alpha1.Deny)) > 0:
		c.Denied++
	case len(f.policies(v1alpha1.Warn)) > 0:
		c.Warned++
	default:
		return
	}
	f.Opened = c.Window
	c.Findings = append(c.Findings, f)
}

// compareWorst orders findings: what breaks the most policies that deny comes first, then
// the most that warn.
func compareWorst(a, b *Finding) int {
	return cmp.Or(
		cmp.Compare(len(b.policies(v1alpha1.Deny)), len(a.policies(v1alpha1.Deny))),
		cmp.Compare(len(b.policies(v1alpha1.Warn)), len(a.policies(v1alpha1.Warn))),
	)
}

// OpenGate returns how many objects that came in while the gate was open, the last times
// that are remembered, would be denied now, and how many others would be warned about.
func (b *Background) OpenGate() (denied, warned int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var came Came
	if len(b.opened) > 0 {
		for _, sp := range b.store.spaces {
			for _, e := range sp.objects {
				if e.found != nil && e.found.Opened != (Window{}) {
					came.add(*e.found)
				}
			}
		}
	}
	return came.Denied, came.Warned
}
