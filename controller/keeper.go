package controller

import (
	"errors"
	"maps"
	"slices"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
)

// A Keeper compiles what the policies of a cluster are made of, and keeps each as
// it last was well: one that is broken goes on as before and never stops the others.
type Keeper struct {
	// Compose adds to what the objects of the cluster say all else that a Set is made of.
	Compose func(policies.Source) (engine.Config, error)

	well map[string]engine.Policy // by name
}

// An Outcome is what became of the policies of a cluster.
type Outcome struct {
	Set *engine.Set
	// Broken has an error for each policy that is not in force as its object says,
	// by name; it wraps [policies.ErrPending] where it may still come right.
	Broken map[string]error
	// Kept names those of them that are in force as they last were.
	Kept map[string]bool
	// Errors are of no policy: exceptions that are broken, or names that clash.
	Errors []error
}

// Compile makes a Set of objects.
func (k *Keeper) Compile(objects policies.Objects) Outcome {
	source, err := policies.FromObjects(objects)
	out := Outcome{Broken: map[string]error{}, Kept: map[string]bool{}}
	out.take(err)
	cfg, err := k.Compose(source)
	out.take(err)
	// What is broken as an object is not what another source has under that name.
	cfg.Policies = slices.DeleteFunc(cfg.Policies, func(p engine.Policy) bool { return out.Broken[p.Name] != nil })
	out.Set, err = engine.Compile(cfg)
	out.take(err)
	if kept := k.keep(cfg, named(objects), &out); len(kept) > 0 {
		cfg.Policies = slices.DeleteFunc(slices.Clone(cfg.Policies), func(p engine.Policy) bool { return out.Kept[p.Name] })
		cfg.Policies = append(cfg.Policies, kept...)
		// What compiled once does so again; an error is one that has been told of.
		out.Set, _ = engine.Compile(cfg)
	}
	return out
}

// take keeps errors by the policies that they are of.
func (o *Outcome) take(err error) {
	if err == nil {
		return
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // one that wraps is one error
		for _, e := range joined.Unwrap() {
			o.take(e)
		}
		return
	}
	var policy *engine.PolicyError
	if !errors.As(err, &policy) {
		o.Errors = append(o.Errors, err)
		return
	}
	if o.Broken[policy.Policy] == nil {
		o.Broken[policy.Policy] = policy.Err
	}
}

// named returns the names of the policies that are objects.
func named(objects policies.Objects) map[string]bool {
	names := map[string]bool{}
	for _, p := range objects.Policies {
		names[p.Name] = true
	}
	return names
}

// keep notes the policies of objects that are well, and returns those that are
// broken as they last were. What is no object any more is forgotten.
func (k *Keeper) keep(cfg engine.Config, objects map[string]bool, out *Outcome) []engine.Policy {
	if k.well == nil {
		k.well = map[string]engine.Policy{}
	}
	for _, p := range cfg.Policies {
		if out.Broken[p.Name] == nil {
			k.well[p.Name] = p
		}
	}
	maps.DeleteFunc(k.well, func(name string, _ engine.Policy) bool { return !objects[name] })
	var kept []engine.Policy
	for _, name := range slices.Sorted(maps.Keys(out.Broken)) {
		if p, ok := k.well[name]; ok {
			kept = append(kept, p)
			out.Kept[name] = true
		}
	}
	return kept
}
