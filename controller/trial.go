package controller

import (
	"cmp"
	"maps"
	"reflect"
	"time"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
)

const (
	// defaultPatience is how long is waited for policies to compile. One of the library
	// takes a hundredth of a second, and what takes two is refused before it is stored,
	// save where the Rego is in a ConfigMap, of which nobody is asked.
	defaultPatience = 2 * time.Second
	// atFirst is how many times as long is waited when nothing is in force yet that could
	// go on meanwhile.
	atFirst = 5
)

// A compiling error reports a policy that is not in force since it has not been
// compiled yet. It is pending.
type compiling struct{}

func (compiling) Error() string {
	return "it is still being compiled: smaller rules would take less long"
}

func (compiling) Is(target error) bool { return target == policies.ErrPending }

// A trial is a policy of an object that is compiled by itself. Nothing stops the
// compiler: where it takes too long, all others go on without that policy.
type trial struct {
	source engine.Policy
	done   chan struct{} // closed when the rest is there
	set    *engine.Set   // has the policy, unless it is broken
	err    error         // what is wrong with it
	isSlow bool
}

// isGoing reports whether p has not been compiled yet: because it, or another form of
// it, is being compiled.
func (t *trial) isGoing(p engine.Policy) bool { return !t.isDone() || !reflect.DeepEqual(t.source, p) }

func (t *trial) isDone() bool {
	select {
	case <-t.done:
		return true
	default:
		return false
	}
}

// try compiles the policies of objects that are not as they were, and returns those of
// all that are well. It waits for them, save for one that has been slow before: who
// changes that again and again would hold up all others each time.
func (k *Keeper) try(all []engine.Policy, out *Outcome) (well []engine.Policy) {
	k.forget(out)
	for _, p := range all {
		if _, isObject := out.Generations[p.Name]; isObject {
			k.begin(p)
		}
	}
	expired := make(chan struct{})
	defer time.AfterFunc(k.patience(), func() { close(expired) }).Stop()
	for _, p := range all {
		t := k.tried[p.Name]
		if t == nil {
			well = append(well, p)
			continue
		}
		if !k.slow[p.Name] {
			select {
			case <-t.done:
			case <-expired:
			}
		}
		switch {
		case t.isGoing(p):
			k.slow[p.Name] = true
			out.take(&engine.PolicyError{Policy: p.Name, Err: compiling{}})
		case t.err != nil:
			out.take(t.err)
		default:
			well = append(well, p)
		}
	}
	return well
}

// begin compiles a policy, unless it has been compiled as it is, or is being compiled
// in whatever form: of each there is one at a time.
func (k *Keeper) begin(p engine.Policy) {
	if before := k.tried[p.Name]; before != nil && (!before.isDone() || !before.isGoing(p)) {
		return
	}
	t := &trial{source: p, done: make(chan struct{})}
	k.tried[p.Name] = t
	cfg := engine.Config{Policies: []engine.Policy{p}, Compiled: k.compiled()}
	began, patience, isAwaited := time.Now(), k.patience(), !k.slow[p.Name]
	go func() {
		t.set, t.err = engine.Compile(cfg)
		t.isSlow = time.Since(began) >= patience
		close(t.done)
		if k.Again != nil && (t.isSlow || !isAwaited) {
			k.Again()
		}
	}()
}

func (k *Keeper) patience() time.Duration {
	patience := cmp.Or(k.Patience, defaultPatience)
	if k.last == nil {
		patience *= atFirst
	}
	return patience
}

// compiled returns Sets with the policies that need not be compiled anew.
func (k *Keeper) compiled() []*engine.Set {
	sets := []*engine.Set{k.last}
	for _, t := range k.tried {
		if t.isDone() {
			sets = append(sets, t.set)
		}
	}
	return sets
}

// forget drops what was tried of objects that are gone, when it has ended.
func (k *Keeper) forget(out *Outcome) {
	if k.tried == nil {
		k.tried, k.slow = map[string]*trial{}, map[string]bool{}
	}
	maps.DeleteFunc(k.tried, func(name string, t *trial) bool {
		_, isObject := out.Generations[name]
		return !isObject && t.isDone()
	})
	maps.DeleteFunc(k.slow, func(name string, _ bool) bool { return k.tried[name] == nil })
}
