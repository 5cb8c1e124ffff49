package controller

import (
	"reflect"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"

	"github.com/lintel-policy/lintel/engine"
)

// coming returns the policies that are to be registered for: those that are about
// to be in force, or those that are.
func (r *Registrar) coming() *engine.Set {
	if r.cfg.Next != nil {
		if next := r.cfg.Next(); next != nil {
			return next
		}
	}
	return r.cfg.Set()
}

// isEverywhere reports whether all replicas judge by set, and by no other.
func (r *Registrar) isEverywhere(set *engine.Set) bool {
	if here := r.cfg.Set(); here == nil || here.Revision() != set.Revision() {
		return false
	}
	return r.cfg.Lagging == nil || len(r.cfg.Lagging(set.Revision())) == 0
}

// widen returns what to register so that no replica judges by policies whose kinds
// are not asked about: as long as some replica does not judge by set, what was
// registered before stays, and what set needs is added. Where that was registered by
// another process, it is what the API server has. r is locked.
func (r *Registrar) widen(set *engine.Set, needed entryRules, found configurations) entryRules {
	if r.isEverywhere(set) {
		r.wide = &needed
		return needed
	}
	before := found.rules()
	if r.wide != nil {
		before = *r.wide
	}
	wide := before.with(needed)
	r.wide = &wide
	return wide
}

// forget has what is registered read from the API server.
func (r *Registrar) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wide = nil
	r.covered.Store(nil)
}

// Covers reports whether the API server asks about all that the policies of a
// revision match.
func (r *Registrar) Covers(revision string) bool {
	covered := r.covered.Load()
	return covered != nil && *covered == revision
}

// IsOpen reports whether nothing is registered because somebody wants it so.
func (r *Registrar) IsOpen() bool { return r.openUntil.Load() != 0 }

// with returns rules that ask for all that both ask for. What is pending is so for
// the second.
func (e entryRules) with(more entryRules) entryRules {
	more.all.Rules = union(e.all.Rules, more.all.Rules)
	more.patch.Rules = union(e.patch.Rules, more.patch.Rules)
	more.deny = union(e.deny, more.deny)
	more.held, more.recorded = merge(e.held, more.held), merge(e.recorded, more.recorded)
	return more
}

// union returns rules for all that both are for: one for all resources that have the
// rest in common. Others may overlap: a request that several match is asked about once.
func union(one, other []admissionv1.RuleWithOperations) []admissionv1.RuleWithOperations {
	var all []admissionv1.RuleWithOperations
	for _, rule := range slices.Concat(one, other) {
		i := slices.IndexFunc(all, func(have admissionv1.RuleWithOperations) bool {
			have.Resources = rule.Resources
			return reflect.DeepEqual(have, rule)
		})
		if i < 0 {
			all = append(all, rule)
			continue
		}
		all[i].Resources = merge(all[i].Resources, rule.Resources)
	}
	slices.SortStableFunc(all, compareRules)
	return all
}

// merge returns what is in either, sorted.
func merge(one, other []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(one, other))))
}

// rules returns what the API server asks about. That what is recorded is to be asked
// of the entry for it as well says nothing of the entries: so all is.
func (c configurations) rules() entryRules {
	var e entryRules
	if c.validating != nil {
		for _, w := range c.validating.Webhooks {
			switch w.Name {
			case DenyWebhook:
				e.deny = w.Rules
			case WarnWebhook:
				e.all.Rules = w.Rules
			}
		}
	}
	if c.mutating != nil {
		for _, w := range c.mutating.Webhooks {
			if w.Name == PatchWebhook {
				e.patch.Rules = w.Rules
			}
		}
	}
	e.recorded = targetsOf(e.all.Rules)
	return e
}
