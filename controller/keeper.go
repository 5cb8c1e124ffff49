package controller

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
)

// A Keeper compiles what the policies of a cluster are made of, and keeps each as
// it last was well: one that is broken goes on as before and never stops the others.
type Keeper struct {
	// Compose adds to what the objects of the cluster say all else that a Set is made of.
	Compose func(policies.Source) (engine.Config, error)
	// Patience is how long what is new may take to compile before all else is in force
	// without it. If zero, 2 seconds. At first it is five times as long.
	Patience time.Duration
	// Again is called, by any goroutine, when what was not waited for has been compiled.
	// If nil, nothing is.
	Again func()

	well  map[string]engine.Policy // by name
	last  *engine.Set              // what Compile returned last
	tried map[string]*trial        // the policies of objects as they are, by name
	slow  map[string]bool          // those that took too long, in some form
}

// An Outcome is what became of the policies of a cluster.
type Outcome struct {
	Set *engine.Set
	// Broken has an error for each policy that is not in force as its object says,
	// by name; it wraps [policies.ErrPending] where it may still come right.
	Broken map[string]error
	// Kept names those of them that are in force as they last were.
	Kept map[string]bool
	// Generations are those of the Policy objects that were compiled, by name.
	Generations map[string]int64
	// Well has the policies of objects as they are, or last were, well, by name.
	Well map[string]engine.Policy
	// Errors are of no policy: exceptions that are broken, or names that clash.
	Errors []error
}

// Count returns how many policies are broken, and how many wait for something.
func (o *Outcome) Count() (isBroken, isPending int) {
	for _, err := range o.Broken {
		if errors.Is(err, policies.ErrPending) {
			isPending++
		} else {
			isBroken++
		}
	}
	return isBroken, isPending
}

// Compile makes a Set of objects.
func (k *Keeper) Compile(objects policies.Objects) Outcome {
	source, err := policies.FromObjects(objects)
	out := Outcome{Broken: map[string]error{}, Kept: map[string]bool{}, Generations: map[string]int64{}}
	for _, p := range objects.Policies {
		out.Generations[p.Name] = p.Generation
	}
	out.take(err)
	cfg, err := k.Compose(source)
	out.take(err)
	// What is broken as an object is not what another source has under that name.
	cfg.Policies = slices.DeleteFunc(cfg.Policies, func(p engine.Policy) bool { return out.Broken[p.Name] != nil })
	cfg.Policies = k.try(cfg.Policies, &out)
	cfg.Compiled = k.compiled()
	out.Set, err = engine.Compile(cfg)
	out.take(err)
	for kept := k.keep(cfg, &out); len(kept) > 0; kept = k.still(kept) {
		with := cfg
		with.Policies = slices.DeleteFunc(slices.Clone(cfg.Policies), func(p engine.Policy) bool { return out.Kept[p.Name] })
		with.Policies = append(with.Policies, kept...)
		// What has been told of before is wrong still, and nothing else but what is kept.
		var all error
		if out.Set, all = engine.Compile(with); !k.discard(all, &out) {
			break
		}
		out.Set, _ = engine.Compile(cfg)
	}
	out.Well, k.last = maps.Clone(k.well), out.Set
	return out
}

// Recall has policies taken for what they last were, by name, as another process has
// kept them.
func (k *Keeper) Recall(good map[string]engine.Policy) {
	if k.well == nil {
		k.well = map[string]engine.Policy{}
	}
	maps.Copy(k.well, good)
}

// discard forgets what is kept and does not compile, which another version of Lintel
// may have compiled, and reports whether there was any.
func (k *Keeper) discard(err error, out *Outcome) bool {
	of := Outcome{Broken: map[string]error{}}
	of.take(err)
	found := false
	for name, err := range of.Broken {
		if out.Kept[name] {
			found = true
			delete(out.Kept, name)
			delete(k.well, name)
			out.Broken[name] = errors.Join(out.Broken[name], fmt.Errorf("nor does it compile as it last was: %w", err))
		}
	}
	return found
}

// still returns those that have not been discarded.
func (k *Keeper) still(kept []engine.Policy) []engine.Policy {
	return slices.DeleteFunc(kept, func(p engine.Policy) bool {
		_, there := k.well[p.Name]
		return !there
	})
}

// take keeps errors by the policies that they are of.
func (o *Outcome) take(err error) {
	for _, e := range engine.EachError(err) {
		var policy *engine.PolicyError
		switch {
		case !errors.As(e, &policy):
			o.Errors = append(o.Errors, e)
		case o.Broken[policy.Policy] == nil:
			o.Broken[policy.Policy] = policy.Err
		}
	}
}

// keep notes the policies of objects that are well, and returns those that are
// broken as they last were. What is no object any more is forgotten.
func (k *Keeper) keep(cfg engine.Config, out *Outcome) []engine.Policy {
	if k.well == nil {
		k.well = map[string]engine.Policy{}
	}
	for _, p := range cfg.Policies {
		// What is slow would hold up whoever went by it, a replica that starts above all.
		if t := k.tried[p.Name]; out.Broken[p.Name] == nil && (t == nil || !t.isSlow) {
			k.well[p.Name] = p
		}
	}
	maps.DeleteFunc(k.well, func(name string, _ engine.Policy) bool {
		_, isObject := out.Generations[name]
		return !isObject
	})
	var kept []engine.Policy
	for _, name := range slices.Sorted(maps.Keys(out.Broken)) {
		t := k.tried[name]
		if p, ok := k.well[name]; ok && (t == nil || t.isDone() || !reflect.DeepEqual(t.source, p)) {
			kept = append(kept, p)
			out.Kept[name] = true
		}
	}
	return kept
}
