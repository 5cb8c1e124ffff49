package controller

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// Rules are what a webhook is to be asked about.
type Rules struct {
	Rules []admissionv1.RuleWithOperations
	// Pending are the kinds that policies match and that do not exist yet, sorted.
	Pending []Pending
	// Never are the resources that policies name and that are never asked about.
	Never []Pending
}

// A Pending is a kind that a policy matches.
type Pending struct {
	Policy string
	Kind   schema.GroupVersionKind // with a version only if the policy asks for one
}

// ReviewRules resolves what policies judge.
func ReviewRules(policies []engine.Info, catalog *Catalog) (Rules, error) {
	reviews := func(p engine.Info) bool { return p.Reviews }
	return resolve(policies, catalog, reviews, nil)
}

// PatchRules resolves what policies patch, or record that they would. Only what
// is created or updated can be patched.
func PatchRules(policies []engine.Info, catalog *Catalog) (Rules, error) {
	patches := func(p engine.Info) bool { return p.PatchesObjects && p.Spec.Patches != v1alpha1.PatchOff }
	return resolve(policies, catalog, patches, []v1alpha1.Operation{v1alpha1.Create, v1alpha1.Update})
}

// RulesOf resolves what one policy judges or patches. The error says that it asks for
// what cannot be; then there may be no rules.
func RulesOf(p engine.Info, catalog *Catalog) (Rules, error) {
	reviews, reviewErr := ReviewRules([]engine.Info{p}, catalog)
	patches, patchErr := PatchRules([]engine.Info{p}, catalog)
	return Rules{
		Rules:   slices.Concat(reviews.Rules, patches.Rules),
		Pending: sorted(slices.Concat(reviews.Pending, patches.Pending)),
		Never:   sorted(slices.Concat(reviews.Never, patches.Never)),
	}, cmp.Or(reviewErr, patchErr) // they say the same of the same kinds
}

// resolve returns the rules of the policies that are wanted. The error joins one
// for each policy that asks for what cannot be; the rules are then those of the
// others.
func resolve(policies []engine.Info, catalog *Catalog, wanted func(engine.Info) bool, only []v1alpha1.Operation) (Rules, error) {
	r := resolver{catalog: catalog, only: only, asked: map[target]map[admissionv1.OperationType]bool{}}
	var errs []error
	for _, p := range policies {
		if !wanted(p) {
			continue
		}
		if err := r.policy(p); err != nil {
			errs = append(errs, fmt.Errorf("policy %s: %w", p.Name, err))
		}
	}
	rules := Rules{Rules: r.rules(), Pending: sorted(r.pending), Never: sorted(r.never)}
	return rules, errors.Join(append(errs, Check(rules.Rules, catalog))...)
}

// A resolver collects what policies ask for.
type resolver struct {
	catalog        *Catalog
	only           []v1alpha1.Operation // if not nil, no others
	asked          map[target]map[admissionv1.OperationType]bool
	pending, never []Pending
}

// A target is a resource or subresource of one version.
type target struct {
	gvr        schema.GroupVersionResource // with the subresource, after a slash
	namespaced bool
}

func (r *resolver) policy(p engine.Info) error {
	var found []resource
	complete := true
	for _, kinds := range p.Match.Kinds {
		for _, group := range kinds.APIGroups {
			if group == engine.TerraformGroup {
				continue // it is in plans and never in a cluster
			}
			for _, kind := range kinds.Kinds {
				resources, all := r.resources(p.Name, group, kind, kinds.Versions)
				found = append(found, resources...)
				complete = complete && all
			}
		}
	}
	for _, subresource := range orDefault(p.Match.Subresources, "") {
		if !r.ask(found, subresource, p.Match.Operations) && complete && len(found) > 0 {
			return fmt.Errorf("no kind that it matches has the subresource %q", subresource)
		}
	}
	return nil
}

// resources returns those of the kinds that group and kind stand for, in the
// versions asked for, or in the preferred one, and whether all are there.
func (r *resolver) resources(policy, group, kind string, versions []string) ([]resource, bool) {
	kinds := r.catalog.matching(group, kind)
	if len(kinds) == 0 {
		r.pending = append(r.pending, Pending{policy, schema.GroupVersionKind{Group: group, Kind: kind}})
		return nil, false
	}
	var found []resource
	all := true
	for _, gk := range kinds {
		of := r.catalog.kinds[gk]
		if engine.NeverMatched(of[0].gvr.GroupResource()) {
			if kind != "*" && group != "*" {
				r.never = append(r.never, Pending{policy, gk.WithVersion("")})
			}
			continue
		}
		for _, version := range orDefault(versions, of[0].gvr.Version) {
			matched := inVersion(of, version)
			if len(matched) == 0 && kind != "*" && group != "*" {
				r.pending = append(r.pending, Pending{policy, gk.WithVersion(version)})
				all = false
			}
			found = append(found, matched...)
		}
	}
	return found, all
}

func inVersion(resources []resource, version string) []resource {
	var found []resource
	for _, r := range resources {
		if version == "*" || r.gvr.Version == version {
			found = append(found, r)
		}
	}
	return found
}

// ask asks for a subresource of resources and reports whether any has it.
func (r *resolver) ask(resources []resource, subresource string, operations []v1alpha1.Operation) bool {
	has := false
	for _, res := range resources {
		for _, name := range res.names(subresource) {
			has = true
			at := target{res.gvr.GroupVersion().WithResource(name), res.namespaced}
			for _, op := range r.operations(operations) {
				if r.asked[at] == nil {
					r.asked[at] = map[admissionv1.OperationType]bool{}
				}
				r.asked[at][op] = true
			}
		}
	}
	return has
}

// names returns the names under which rules ask for a subresource: "" is the
// resource itself and "*" is all, which rules have to name.
func (r resource) names(subresource string) []string {
	switch {
	case subresource == "":
		return []string{r.gvr.Resource}
	case subresource == "*":
		names := []string{r.gvr.Resource}
		for _, s := range r.subresources {
			names = append(names, r.gvr.Resource+"/"+s)
		}
		return names
	case slices.Contains(r.subresources, subresource):
		return []string{r.gvr.Resource + "/" + subresource}
	}
	return nil
}

func (r *resolver) operations(operations []v1alpha1.Operation) []admissionv1.OperationType {
	operations = orDefault(operations, v1alpha1.Create, v1alpha1.Update)
	if slices.Contains(operations, "*") {
		operations = []v1alpha1.Operation{v1alpha1.Create, v1alpha1.Update, v1alpha1.Delete, v1alpha1.Connect}
	}
	var found []admissionv1.OperationType
	for _, op := range operations {
		if r.only == nil || slices.Contains(r.only, op) {
			found = append(found, admissionv1.OperationType(op))
		}
	}
	return found
}

// rules sums up what was asked for: one rule for all that have group, version,
// scope and operations in common, sorted, so that the same policies make the same
// rules.
func (r *resolver) rules() []admissionv1.RuleWithOperations {
	type key struct{ group, version, scope, operations string }
	resources := map[key][]string{}
	for at, operations := range r.asked {
		k := key{at.gvr.Group, at.gvr.Version, string(scopeOf(at.namespaced)), joinOperations(operations)}
		if k.operations != "" {
			resources[k] = append(resources[k], at.gvr.Resource)
		}
	}
	var rules []admissionv1.RuleWithOperations
	for k, names := range resources {
		slices.Sort(names)
		scope := admissionv1.ScopeType(k.scope)
		rule := admissionv1.RuleWithOperations{Rule: admissionv1.Rule{
			APIGroups: []string{k.group}, APIVersions: []string{k.version}, Resources: names, Scope: &scope,
		}}
		for op := range strings.SplitSeq(k.operations, ",") {
			rule.Operations = append(rule.Operations, admissionv1.OperationType(op))
		}
		rules = append(rules, rule)
	}
	slices.SortFunc(rules, compareRules)
	return rules
}

func compareRules(a, b admissionv1.RuleWithOperations) int {
	return cmp.Or(
		cmp.Compare(a.APIGroups[0], b.APIGroups[0]),
		cmp.Compare(a.APIVersions[0], b.APIVersions[0]),
		slices.Compare(a.Resources, b.Resources),
		slices.Compare(a.Operations, b.Operations),
	)
}

func scopeOf(namespaced bool) admissionv1.ScopeType {
	if namespaced {
		return admissionv1.NamespacedScope
	}
	return admissionv1.ClusterScope
}

func joinOperations(operations map[admissionv1.OperationType]bool) string {
	var names []string
	for op := range operations {
		names = append(names, string(op))
	}
	slices.Sort(names)
	return strings.Join(names, ",")
}

// Check refuses rules that name what discovery does not know in that scope: the
// API server takes them, and never asks.
func Check(rules []admissionv1.RuleWithOperations, catalog *Catalog) error {
	known := map[target]bool{}
	for _, resources := range catalog.kinds {
		for _, r := range resources {
			for _, name := range r.names("*") {
				known[target{r.gvr.GroupVersion().WithResource(name), r.namespaced}] = true
			}
		}
	}
	var errs []error
	for _, rule := range rules {
		for _, name := range rule.Resources {
			gvr := schema.GroupVersionResource{Group: rule.APIGroups[0], Version: rule.APIVersions[0], Resource: name}
			if !known[target{gvr, *rule.Scope == admissionv1.NamespacedScope}] {
				errs = append(errs, fmt.Errorf("rule for %q: there is no such resource", gvr.String()))
			}
		}
	}
	return errors.Join(errs...)
}

func orDefault[T any](list []T, otherwise ...T) []T {
	if len(list) == 0 {
		return otherwise
	}
	return list
}

func sorted(list []Pending) []Pending {
	slices.SortFunc(list, func(a, b Pending) int {
		return cmp.Or(cmp.Compare(a.Policy, b.Policy), cmp.Compare(a.Kind.String(), b.Kind.String()))
	})
	return slices.Compact(list)
}
