package doctor

import (
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// An entry is a webhook of either kind of configuration.
type entry struct {
	object       string // the configuration that it is in
	owner        string // name of that
	kind         string // resource of that, as kubectl names it
	index        int    // in its list
	name         string
	client       admissionv1.WebhookClientConfig
	rules        []admissionv1.RuleWithOperations
	failure      admissionv1.FailurePolicyType
	match        admissionv1.MatchPolicyType
	namespaces   *metav1.LabelSelector
	objects      *metav1.LabelSelector
	seconds      int32
	conditions   []admissionv1.MatchCondition
	reinvocation admissionv1.ReinvocationPolicyType // "" for validating ones
}

const (
	validatingKind = "validatingwebhookconfiguration"
	mutatingKind   = "mutatingwebhookconfiguration"
)

// field names a field of the entry.
func (e entry) field(name string) string { return fmt.Sprintf("webhooks[%s].%s", e.name, name) }

// validatingEntries returns the entries of a configuration, with the defaults of the
// API server.
func validatingEntries(c *admissionv1.ValidatingWebhookConfiguration) []entry {
	var entries []entry
	for i, w := range c.Webhooks {
		entries = append(entries, entry{
			object: "ValidatingWebhookConfiguration " + c.Name, owner: c.Name, kind: validatingKind, index: i, name: w.Name, client: w.ClientConfig,
			rules: w.Rules, failure: or(w.FailurePolicy, admissionv1.Fail), match: or(w.MatchPolicy, admissionv1.Equivalent),
			namespaces: w.NamespaceSelector, objects: w.ObjectSelector, seconds: or(w.TimeoutSeconds, defaultSeconds), conditions: w.MatchConditions,
		})
	}
	return entries
}

func mutatingEntries(c *admissionv1.MutatingWebhookConfiguration) []entry {
	var entries []entry
	for i, w := range c.Webhooks {
		entries = append(entries, entry{
			object: "MutatingWebhookConfiguration " + c.Name, owner: c.Name, kind: mutatingKind, index: i, name: w.Name, client: w.ClientConfig,
			rules: w.Rules, failure: or(w.FailurePolicy, admissionv1.Fail), match: or(w.MatchPolicy, admissionv1.Equivalent),
			namespaces: w.NamespaceSelector, objects: w.ObjectSelector, seconds: or(w.TimeoutSeconds, defaultSeconds), conditions: w.MatchConditions,
			reinvocation: or(w.ReinvocationPolicy, admissionv1.NeverReinvocationPolicy),
		})
	}
	return entries
}

// defaultSeconds is the timeout of a webhook that does not say it.
const defaultSeconds = int32(10)

func or[T any](v *T, otherwise T) T {
	if v == nil {
		return otherwise
	}
	return *v
}

// own returns Lintel's own entries.
func (s *Snapshot) own() []entry {
	return slices.DeleteFunc(s.entries(), func(e entry) bool { return e.owner != lintel })
}

// entries returns all of them, mutating ones in the order in which they are asked.
func (s *Snapshot) entries() []entry {
	var all []entry
	for i := range s.Validating {
		all = append(all, validatingEntries(&s.Validating[i])...)
	}
	sorted := slices.Clone(s.Mutating)
	slices.SortStableFunc(sorted, func(a, b admissionv1.MutatingWebhookConfiguration) int { return strings.Compare(a.Name, b.Name) })
	for i := range sorted {
		all = append(all, mutatingEntries(&sorted[i])...)
	}
	return all
}

// A call is what the API server may ask a webhook about.
type call struct {
	group, version, resource string // with the subresource
	operation                admissionv1.OperationType
}

func (c call) String() string {
	name := c.resource
	if c.group != "" {
		resource, sub, _ := strings.Cut(c.resource, "/")
		name = strings.TrimSuffix(resource+"."+c.group+"/"+sub, "/")
	}
	return string(c.operation) + " " + name
}

// callsOf returns what rules ask about that have no wildcards, as Lintel's have none.
func callsOf(rules []admissionv1.RuleWithOperations) []call {
	var calls []call
	for _, r := range rules {
		for _, group := range r.APIGroups {
			for _, version := range r.APIVersions {
				for _, resource := range r.Resources {
					for _, op := range r.Operations {
						calls = append(calls, call{group, version, resource, op})
					}
				}
			}
		}
	}
	return calls
}

// isAbout reports whether rules ask about a call. With matchPolicy Equivalent that is
// so in any version.
func isAbout(rules []admissionv1.RuleWithOperations, c call, anyVersion bool) bool {
	return slices.ContainsFunc(rules, func(r admissionv1.RuleWithOperations) bool {
		return hasOrAll(r.APIGroups, c.group) && (anyVersion || hasOrAll(r.APIVersions, c.version)) &&
			slices.ContainsFunc(r.Resources, func(pattern string) bool { return matchesResource(pattern, c.resource) }) &&
			hasOrAll(r.Operations, c.operation)
	})
}

func hasOrAll[T ~string](list []T, value T) bool {
	return slices.Contains(list, value) || slices.Contains(list, "*")
}

// matchesResource reports whether a pattern of a rule is about a resource or
// subresource, as the API server has it: "*" is about no subresource.
func matchesResource(pattern, resource string) bool {
	name, sub, _ := strings.Cut(resource, "/")
	patternName, patternSub, hasSub := strings.Cut(pattern, "/")
	if patternName != "*" && patternName != name {
		return false
	}
	return patternSub == sub || hasSub && patternSub == "*"
}

// selectsNamespace reports whether the entry is asked about objects in a namespace.
func (e entry) selectsNamespace(labels map[string]string) bool {
	return selects(e.namespaces, labels)
}
