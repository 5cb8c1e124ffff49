package controller

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/webhook"
)

// OwnWebhook is the entry by which Lintel's own objects are checked.
const OwnWebhook = "own.lintel.dev"

const ownSeconds = 3 // whoever applies a policy can wait, but not for long

// specChanged leaves labels, annotations and finalizers to the API server alone. It
// cannot err, since has() is asked before each field.
const specChanged = "object == null || oldObject == null || !has(object.spec) || !has(oldObject.spec) || object.spec != oldObject.spec"

// ownRules returns the rules for those of Lintel's own kinds that there are. Their
// status is a resource of its own and not among them.
func ownRules(catalog *Catalog) []admissionv1.RuleWithOperations {
	var rules []admissionv1.RuleWithOperations
	for _, kind := range []string{"Policy", "PolicyException"} {
		gvk := v1alpha1.GroupVersion.WithKind(kind)
		gvr, ok := catalog.resource(gvk)
		if !ok {
			continue
		}
		scope := scopeOf(catalog.isNamespaced(gvk.GroupKind()))
		rules = append(rules, admissionv1.RuleWithOperations{
			Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
			Rule: admissionv1.Rule{
				APIGroups: []string{gvr.Group}, APIVersions: []string{gvr.Version}, Resources: []string{gvr.Resource}, Scope: &scope,
			},
		})
	}
	return rules
}

// isNamespaced reports whether the objects of a kind are in namespaces.
func (c *Catalog) isNamespaced(gk schema.GroupKind) bool {
	for _, r := range c.kinds[gk] {
		if r.namespaced {
			return true
		}
	}
	return false
}

// ownEntry is the entry that checks Lintel's own objects, in every namespace: an
// exception in one that is never judged has no effect, which is to be said. It lets
// all pass when nobody answers, since the status of an object says the same later.
func (p plan) ownEntry() admissionv1.ValidatingWebhook {
	w := p.validating(admissionv1.ValidatingWebhook{
		Name: OwnWebhook, ClientConfig: p.target.client(webhook.PathOwn), Rules: p.own,
		FailurePolicy: ptr(admissionv1.Ignore), TimeoutSeconds: ptr(int32(ownSeconds)),
		MatchConditions: []admissionv1.MatchCondition{{Name: "changes-spec", Expression: specChanged}},
	})
	w.NamespaceSelector, w.SideEffects = &metav1.LabelSelector{}, ptr(admissionv1.SideEffectClassNone)
	return w
}
