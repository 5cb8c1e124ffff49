package doctor

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
)

// definitions are the plurals of Lintel's kinds.
func definitions() []string { return []string{"policies", "policyexceptions"} }

// typeOf returns the Go type of the kind with a plural.
func typeOf(plural string) reflect.Type {
	if plural == "policies" {
		return reflect.TypeFor[v1alpha1.Policy]()
	}
	return reflect.TypeFor[v1alpha1.PolicyException]()
}

const applyDefinitions = "kubectl apply -f crds"

// checkDefinitions looks at the definitions of Policy and PolicyException.
func checkDefinitions(s *Snapshot) []Finding {
	if !s.saw(seenDefinitions) {
		return nil
	}
	var found []Finding
	for _, plural := range definitions() {
		crd := s.Definitions[plural]
		if crd == nil {
			if s.fromCluster() {
				found = append(found, Finding{
					Check: "definitions.missing", Severity: Problem, Object: "CustomResourceDefinition " + plural + ".lintel.dev", Message: "is not there",
					Why: "replicas read policies from the cluster, and do not start without", Command: applyDefinitions,
				})
			}
			continue
		}
		found = append(found, checkDefinition(crd, plural)...)
	}
	return found
}

func checkDefinition(crd *apiextensionsv1.CustomResourceDefinition, plural string) []Finding {
	f := Finding{Check: "definitions.version", Severity: Problem, Object: "CustomResourceDefinition " + crd.Name, Command: applyDefinitions}
	if !slices.ContainsFunc(crd.Status.Conditions, func(c apiextensionsv1.CustomResourceDefinitionCondition) bool {
		return c.Type == apiextensionsv1.Established && c.Status == apiextensionsv1.ConditionTrue
	}) {
		f.Check, f.Message, f.Why = "definitions.established", "is not established", "until it is, there are no such objects"
		f.Command = "kubectl describe crd " + crd.Name
		return []Finding{f}
	}
	at := slices.IndexFunc(crd.Spec.Versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool {
		return v.Name == v1alpha1.GroupVersion.Version && v.Served
	})
	if at < 0 {
		f.Field, f.Message, f.Why = "spec.versions", v1alpha1.GroupVersion.Version+" is not served", "that is the version that this Lintel reads"
		return []Finding{f}
	}
	schema := crd.Spec.Versions[at].Schema
	if schema == nil || schema.OpenAPIV3Schema == nil {
		return nil
	}
	if unknown := unknownFields(typeOf(plural), *schema.OpenAPIV3Schema, ""); len(unknown) > 0 {
		f.Message = "is of another version: it has no " + strings.Join(unknown, ", ")
		f.Why = "the API server drops such a field without a word, so that an object does not say what was written"
		return []Finding{f}
	}
	return nil
}

// unknownFields returns the fields of a type that a schema does not have, of those
// that are Lintel's own.
func unknownFields(t reflect.Type, schema apiextensionsv1.JSONSchemaProps, at string) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		if t.Kind() == reflect.Slice && schema.Items != nil && schema.Items.Schema != nil {
			schema = *schema.Items.Schema
		}
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t.PkgPath() != reflect.TypeFor[v1alpha1.Policy]().PkgPath() {
		return nil
	}
	var unknown []string
	for i := range t.NumField() {
		field := t.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" || name == "metadata" {
			continue
		}
		below, ok := schema.Properties[name]
		if !ok {
			unknown = append(unknown, at+name)
			continue
		}
		unknown = append(unknown, unknownFields(field.Type, below, at+name+".")...)
	}
	return unknown
}

// fresh is how old an object may be of which nobody has said anything yet.
const fresh = time.Minute

// checkPolicies repeats what Lintel says of Policy objects, and what replicas say in
// their logs of other policies.
func checkPolicies(s *Snapshot) []Finding {
	var found []Finding
	for _, err := range s.Broken {
		found = append(found, Finding{
			Check: "policies.broken", Severity: Problem, Object: s.installed(), Message: engine.PrintableLines(err.Error()),
			Why: "what is broken is not in force",
		})
	}
	if !s.fromCluster() {
		return append(found, s.checkIdle()...)
	}
	for i := range s.Objects.Policies {
		if f, ok := s.checkReady(&s.Objects.Policies[i]); ok {
			found = append(found, f)
		}
	}
	return found
}

// installed names what replicas are made from.
func (s *Snapshot) installed() string { return "Deployment " + s.Namespace + "/" + lintel }

// checkIdle finds Policy objects where nobody reads any.
func (s *Snapshot) checkIdle() []Finding {
	if len(s.Objects.Policies) == 0 {
		return nil
	}
	return []Finding{{
		Check: "policies.idle", Severity: Problem, Object: s.installed(), Field: "spec.template.spec.containers[0].args",
		Message: fmt.Sprintf("takes policies from %s alone, and there are Policy objects: %d", strings.Join(s.sources(), ", "), len(s.Objects.Policies)),
		Why:     "nobody reads those objects; --policies=cluster among the arguments has replicas do so",
	}}
}

// checkReady looks at the Ready condition of a Policy.
func (s *Snapshot) checkReady(p *v1alpha1.Policy) (Finding, bool) {
	f := Finding{Check: "policies.ready", Severity: Problem, Object: "Policy " + p.Name, Field: "status.conditions[Ready]", Why: "it is not in force as its spec says"}
	ready := meta.FindStatusCondition(p.Status.Conditions, "Ready")
	switch {
	case ready == nil && s.Now.Sub(p.CreationTimestamp.Time) < fresh:
		return f, false
	case ready == nil:
		f.Severity, f.Message, f.Why = Warning, "no replica has taken it up", "the leader says what became of each policy, within seconds"
		f.Command = "kubectl -n " + s.Namespace + " logs -l app.kubernetes.io/name=lintel --tail=50"
		return f, true
	case ready.Status == metav1.ConditionTrue && p.Status.ObservedGeneration < p.Generation:
		f.Severity, f.Field, f.Message, f.Why = Warning, "status.observedGeneration", "its last change has not been taken up", "what it said before is in force still"
		return f, true
	case ready.Status == metav1.ConditionTrue:
		return f, false
	case ready.Reason == "Pending" && s.waitsForKinds(p.Name):
		return f, false // policies.kinds says it
	case ready.Reason == "Pending":
		f.Severity = Warning
	}
	f.Message = ready.Reason + ": " + engine.PrintableLines(ready.Message)
	return f, true
}

// waitsForKinds reports whether a policy compiles and the cluster has none of the kinds
// that it matches.
func (s *Snapshot) waitsForKinds(name string) bool {
	if s.Set == nil {
		return false
	}
	for _, p := range s.Set.Policies() {
		if p.Name == name {
			rules, err := controller.RulesOf(p, s.Catalog)
			return err == nil && len(rules.Rules) == 0 && len(rules.Pending) > 0
		}
	}
	return false
}

// checkMatches finds policies that match nothing, or nothing that is judged.
func checkMatches(s *Snapshot) []Finding {
	if s.Set == nil {
		return nil
	}
	var found []Finding
	for _, p := range s.Set.Policies() {
		if onlyPlans(p) {
			continue
		}
		kinds, ok := s.checkKinds(p)
		found = append(found, kinds...)
		if ok && s.saw(seenNamespaces) && len(s.Namespaces) > 0 {
			found = append(found, s.checkNamespaces(p)...)
		}
	}
	return found
}

// onlyPlans reports whether a policy is about plans of Terraform alone.
func onlyPlans(p engine.Info) bool {
	return !slices.ContainsFunc(p.Match.Kinds, func(k v1alpha1.Kinds) bool {
		return slices.ContainsFunc(k.APIGroups, func(group string) bool { return group != engine.TerraformGroup })
	})
}

// checkKinds finds a policy that matches no kind. It reports whether it matches some.
func (s *Snapshot) checkKinds(p engine.Info) ([]Finding, bool) {
	rules, err := controller.RulesOf(p, s.Catalog)
	f := Finding{Check: "policies.kinds", Severity: Warning, Object: "Policy " + p.Name, Field: "spec.match.kinds"}
	switch {
	case err != nil:
		f.Severity, f.Message, f.Why = Problem, err.Error(), "it is asked about nothing of the kind"
	case len(rules.Rules) > 0 && len(rules.Never) == 0:
		return nil, true
	case len(rules.Never) > 0:
		f.Message = "names what is never judged: " + kindsOf(rules.Never)
		f.Why = "a cluster cannot do without those, so no policy is asked about them"
	default:
		f.Message = "matches no kind of this cluster: there is no " + kindsOf(rules.Pending)
		f.Why = "it is registered as soon as there is one, and does nothing until then"
	}
	return []Finding{f}, len(rules.Rules) > 0
}

func kindsOf(pending []controller.Pending) string {
	var names []string
	for _, p := range pending {
		names = append(names, p.Kind.GroupKind().String())
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}

// checkNamespaces finds a policy that matches no namespace, and scopes that select none.
func (s *Snapshot) checkNamespaces(p engine.Info) []Finding {
	var found []Finding
	matched, judged := s.matchedNamespaces(p.Match)
	if rules, _ := controller.RulesOf(p, s.Catalog); len(judged) == 0 && isNamespaced(rules) {
		f := Finding{
			Check: "policies.namespaces", Severity: Warning, Object: "Policy " + p.Name, Field: "spec.match",
			Message: "matches no namespace of this cluster", Why: "it judges nothing",
		}
		if len(matched) > 0 {
			f.Message = "matches excluded namespaces alone: " + strings.Join(matched, ", ")
			f.Why = "nothing in those is ever judged"
		}
		found = append(found, f)
	}
	for i, scope := range p.Spec.Scopes {
		if !slices.ContainsFunc(s.Namespaces, func(n corev1.Namespace) bool { return selects(scope.NamespaceSelector, n.Labels) }) {
			found = append(found, Finding{
				Check: "policies.scopes", Severity: Note, Object: "Policy " + p.Name, Field: fmt.Sprintf("spec.scopes[%d].namespaceSelector", i),
				Message: "selects no namespace of this cluster: " + metav1.FormatLabelSelector(scope.NamespaceSelector), Why: "the scope changes nothing",
			})
		}
	}
	return found
}
