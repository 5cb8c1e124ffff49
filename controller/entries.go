package controller

import (
	"errors"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"

	"github.com/lintel-policy/lintel/engine"
)

// entryRules are the rules of the entries of a registration, and the targets that
// match conditions tell apart.
type entryRules struct {
	all   Rules // what any policy judges
	patch Rules
	deny  []admissionv1.RuleWithOperations // what policies judge that can deny, without scaling
	// held are the targets of policies that hold the built-in controllers too, and
	// recorded those of policies that cannot deny, as group/resource/subresource.
	held, recorded []string
}

// newEntryRules resolves what policies match. The error joins one for each policy
// that asks for what cannot be; the rules are then those of the others.
func newEntryRules(policies []engine.Info, catalog *Catalog) (entryRules, error) {
	all, allErr := ReviewRules(policies, catalog)
	patch, patchErr := PatchRules(policies, catalog)
	part := func(in func(engine.Info) bool) []admissionv1.RuleWithOperations {
		// What is wrong with a policy has been said of it above.
		rules, _ := ReviewRules(slices.DeleteFunc(slices.Clone(policies), func(p engine.Info) bool { return !in(p) }), catalog)
		return rules.Rules
	}
	return entryRules{
		all:      all,
		patch:    patch,
		deny:     withoutScale(part(engine.Info.CanDeny)),
		held:     targetsOf(part(func(p engine.Info) bool { return p.CanDeny() && p.Controlled })),
		recorded: targetsOf(part(func(p engine.Info) bool { return !p.CanDeny() })),
	}, errors.Join(allErr, patchErr)
}

// withoutScale leaves out the subresource by which replicas are set.
func withoutScale(rules []admissionv1.RuleWithOperations) []admissionv1.RuleWithOperations {
	var kept []admissionv1.RuleWithOperations
	for _, rule := range rules {
		rule.Resources = slices.DeleteFunc(slices.Clone(rule.Resources), func(r string) bool {
			return strings.HasSuffix(r, "/"+engine.ScaleSubresource)
		})
		if len(rule.Resources) > 0 {
			kept = append(kept, rule)
		}
	}
	return kept
}

// targetsOf returns what rules are about, sorted.
func targetsOf(rules []admissionv1.RuleWithOperations) []string {
	var targets []string
	for _, rule := range rules {
		for _, resource := range rule.Resources {
			targets = append(targets, rule.APIGroups[0]+"/"+resource)
		}
	}
	slices.Sort(targets)
	return slices.Compact(targets)
}
