package doctor

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
)

// slack is how long the leader may take to close the gate.
const slack = time.Minute

// logs returns the command that shows what replicas have logged of something, by the
// beginning of its word.
func (s *Snapshot) logs(of string) string {
	return "kubectl -n " + s.Namespace + " logs -l app.kubernetes.io/name=lintel --tail=200 | grep -i " + of
}

// validating returns Lintel's own configuration, nil if it is not there.
func (s *Snapshot) validating() *admissionv1.ValidatingWebhookConfiguration {
	at := slices.IndexFunc(s.Validating, func(c admissionv1.ValidatingWebhookConfiguration) bool { return c.Name == lintel })
	if at < 0 {
		return nil
	}
	return &s.Validating[at]
}

func (s *Snapshot) mutating() *admissionv1.MutatingWebhookConfiguration {
	at := slices.IndexFunc(s.Mutating, func(c admissionv1.MutatingWebhookConfiguration) bool { return c.Name == lintel })
	if at < 0 {
		return nil
	}
	return &s.Mutating[at]
}

// checkRegistered looks for the two configurations, and for whoever holds the gate open.
func checkRegistered(s *Snapshot) []Finding {
	if !s.saw(seenValidating) || !s.saw(seenMutating) {
		return nil
	}
	if f, ok := s.isOpen(); ok {
		return []Finding{f}
	}
	var found []Finding
	missing := func(object string) {
		found = append(found, Finding{
			Check: "registration.missing", Severity: Problem, Object: object, Message: "is not there",
			Why: "the API server asks nobody", Command: s.logs("regist"),
		})
	}
	if s.validating() == nil {
		missing("ValidatingWebhookConfiguration " + lintel)
	}
	if s.mutating() == nil {
		missing("MutatingWebhookConfiguration " + lintel)
	}
	return append(found, s.checkOwner()...)
}

// isOpen tells of a gate that somebody holds open, by an annotation or by having
// deleted the registration.
func (s *Snapshot) isOpen() (Finding, bool) {
	if f, ok := s.isHeldOpen(); ok {
		return f, true
	}
	return s.wasDeleted()
}

// isHeldOpen looks for the annotations of either configuration.
func (s *Snapshot) isHeldOpen() (Finding, bool) {
	f := Finding{Check: "registration.open", Severity: Warning, Field: "metadata.annotations[" + controller.UntilAnnotation + "]", Why: "nothing is held to policies until then", Command: "lintel breakglass --end"}
	var annotations map[string]string
	if m := s.mutating(); m != nil && m.Annotations[controller.UntilAnnotation] != "" {
		f.Object, annotations = "MutatingWebhookConfiguration "+lintel, m.Annotations
	}
	if v := s.validating(); v != nil && v.Annotations[controller.UntilAnnotation] != "" {
		f.Object, annotations = "ValidatingWebhookConfiguration "+lintel, v.Annotations
	}
	until := annotations[controller.UntilAnnotation]
	if until == "" {
		return f, false
	}
	f.Message = cmp.Or(annotations[controller.ByAnnotation], "somebody") + " holds the gate open until " + until
	if reason := annotations[controller.ReasonAnnotation]; reason != "" {
		f.Message += ": " + reason
	}
	if end, err := time.Parse(time.RFC3339, until); err != nil || s.Now.After(end.Add(slack)) {
		f.Severity, f.Why = Problem, "that time is over, and no Lintel that runs has closed the gate"
	}
	return f, true
}

// wasDeleted looks for a registration that was deleted by hand and is to be put back.
func (s *Snapshot) wasDeleted() (Finding, bool) {
	state := s.configMap(stateName)
	if state == nil || s.validating() != nil && s.mutating() != nil {
		return Finding{}, false
	}
	until, err := time.Parse(time.RFC3339, state.Data["open-until"])
	if err != nil || !s.Now.Before(until) {
		return Finding{}, false
	}
	object := "ValidatingWebhookConfiguration " + lintel
	if s.validating() != nil {
		object = "MutatingWebhookConfiguration " + lintel
	}
	return Finding{
		Check: "registration.open", Severity: Warning, Object: object, Message: "was deleted by hand, and is put back at " + engine.Moment(until),
		Why:     "what it is about is held to no policy until then",
		Command: fmt.Sprintf(`kubectl -n %[1]s patch configmap %[2]s --type=merge -p '{"data": null}' && kubectl -n %[1]s rollout restart deployment lintel`, s.Namespace, stateName),
	}, true
}

// checkOwner looks at what the registration goes with.
func (s *Snapshot) checkOwner() []Finding {
	v := s.validating()
	if v == nil || len(v.OwnerReferences) > 0 || s.isOutside() {
		return nil
	}
	return []Finding{{
		Check: "registration.owner", Severity: Warning, Object: "ValidatingWebhookConfiguration " + lintel, Field: "metadata.ownerReferences", Message: "nobody owns it",
		Why: "it stays when Lintel is removed, and then refuses what policies could deny", Command: s.logs("regist"),
	}}
}

// expected returns what should be registered, by the names of entries, and whether
// that can be told.
func (s *Snapshot) expected() (map[string]entry, bool) {
	if s.Set == nil {
		return nil, false
	}
	reg, _ := controller.Expect(s.Set, s.Catalog) // what cannot be, another check tells of
	entries := map[string]entry{}
	for _, e := range slices.Concat(validatingEntries(reg.Validating), mutatingEntries(reg.Mutating)) {
		entries[e.name] = e
	}
	if !s.fromCluster() {
		delete(entries, controller.OwnWebhook)
	}
	return entries, true
}

// checkCoverage compares what the API server asks about with what policies match.
func checkCoverage(s *Snapshot) []Finding {
	expected, ok := s.expected()
	if _, open := s.isOpen(); !ok || open || s.validating() == nil || s.mutating() == nil {
		return nil
	}
	var found []Finding
	there := map[string]bool{}
	for _, e := range s.own() {
		there[e.name] = true
		want, ok := expected[e.name]
		switch {
		case ok:
			found = append(found, s.checkRules(want, e)...)
		case s.Whole && len(s.Broken) == 0 && !isLintels(e.name):
			found = append(found, Finding{
				Check: "registration.foreign", Severity: Warning, Object: e.object, Field: e.field("name"), Message: "the entry " + e.name + " is not Lintel's",
				Why: "what others add is taken out again by a Lintel that runs; give it a configuration of its own", Command: s.logs("regist"),
			})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(expected)) {
		if !there[name] {
			found = append(found, s.checkRules(expected[name], entry{object: expected[name].object, name: name})...)
		}
	}
	return found
}

// isLintels reports whether an entry has a name of Lintel's.
func isLintels(name string) bool { return strings.HasSuffix(name, ".lintel.dev") }

// shown is how many of many are named.
const shown = 5

// checkRules finds what an entry should be asked about and is not.
func (s *Snapshot) checkRules(want, got entry) []Finding {
	var missing []call
	for _, c := range callsOf(want.rules) {
		if !isAbout(got.rules, c, false) {
			missing = append(missing, c)
		}
	}
	if len(missing) == 0 {
		return append(s.checkSurplus(want, got), s.checkConditions(want, got)...)
	}
	f := Finding{
		Check: "registration.rules", Severity: Warning, Object: got.object, Field: got.field("rules"),
		Message: "is not asked about " + listed(missing), Command: s.logs("regist"),
	}
	switch want.name {
	case controller.DenyWebhook:
		f.Severity, f.Why = Problem, s.matchers(missing, engine.Info.CanDeny)+" can deny that, and it passes unseen"
	case controller.WarnWebhook:
		f.Why = s.matchers(missing, func(p engine.Info) bool { return p.Reviews }) + " would warn about that, and it passes unseen"
	case controller.OwnWebhook:
		f.Why = "a Policy or an exception that is wrong is stored, and nothing but its status says so"
	default:
		f.Why = s.matchers(missing, func(p engine.Info) bool { return p.PatchesObjects }) + " would patch that, and it passes as it is"
	}
	return []Finding{f}
}

// listed names the first of many.
func listed(calls []call) string {
	var names []string
	for _, c := range calls[:min(len(calls), shown)] {
		names = append(names, c.String())
	}
	text := strings.Join(names, ", ")
	if more := len(calls) - shown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// matchers names the policies that match one of the calls.
func (s *Snapshot) matchers(calls []call, is func(engine.Info) bool) string {
	var names []string
	for _, p := range s.Set.Policies() {
		rules, _ := controller.RulesOf(p, s.Catalog)
		if is(p) && slices.ContainsFunc(calls, func(c call) bool { return isAbout(rules.Rules, c, false) }) {
			names = append(names, p.Name)
		}
	}
	if len(names) == 1 {
		return "policy " + names[0]
	}
	return "policies " + strings.Join(names, ", ")
}

// checkSurplus finds what an entry is asked about for no policy.
func (s *Snapshot) checkSurplus(want, got entry) []Finding {
	var surplus []call
	for _, c := range callsOf(got.rules) {
		if !isAbout(want.rules, c, false) {
			surplus = append(surplus, c)
		}
	}
	if len(surplus) == 0 || !s.Whole || len(s.Broken) > 0 {
		return nil
	}
	f := Finding{
		Check: "registration.surplus", Severity: Note, Object: got.object, Field: got.field("rules"),
		Message: "is asked about what no policy matches: " + listed(surplus), Why: "each such request waits for nothing", Command: s.logs("regist"),
	}
	if got.failure == admissionv1.Fail {
		f.Severity, f.Why = Warning, "each such request waits for nothing, and is refused when Lintel does not answer"
	}
	return []Finding{f}
}

// checkConditions finds conditions that others have added or changed, by which the
// API server may not ask.
func (s *Snapshot) checkConditions(want, got entry) []Finding {
	if !s.Whole || len(s.Broken) > 0 {
		return nil
	}
	var strange []string
	for _, c := range got.conditions {
		if !slices.Contains(want.conditions, c) {
			strange = append(strange, c.Name)
		}
	}
	if len(strange) == 0 {
		return nil
	}
	return []Finding{{
		Check: "registration.conditions", Severity: Warning, Object: got.object, Field: got.field("matchConditions"),
		Message: "has conditions that are not those of this Lintel: " + strings.Join(strange, ", "),
		Why:     "the API server asks only where all of them hold; replicas of another version have others", Command: s.logs("regist"),
	}}
}

// checkEntries finds ways around the webhook, and ways into an outage.
func checkEntries(s *Snapshot) []Finding {
	if _, open := s.isOpen(); open {
		return nil
	}
	var found []Finding
	for _, e := range s.own() {
		found = append(found, s.checkExcluded(e)...)
		found = append(found, s.checkSelectors(e)...)
		found = append(found, s.checkFailure(e)...)
	}
	return found
}

// checkExcluded finds namespaces that have to be left out and are not.
func (s *Snapshot) checkExcluded(e entry) []Finding {
	var held []string
	for _, name := range s.excluded() {
		if e.selectsNamespace(map[string]string{nameLabel: name}) {
			held = append(held, name)
		}
	}
	if len(held) == 0 || !isLintels(e.name) || e.name == controller.OwnWebhook || !slices.ContainsFunc(e.rules, isOfNamespaces) {
		return nil
	}
	return []Finding{{
		Check: "registration.excluded", Severity: Problem, Object: e.object, Field: e.field("namespaceSelector"),
		Message: "does not exclude " + strings.Join(held, ", "),
		Why:     "when Lintel is away, what brings the cluster or Lintel back is held up",
		Command: patchEntry(e, "namespaceSelector", allBut(s.excluded())),
	}}
}

// isOfNamespaces reports whether a rule is about objects in namespaces.
func isOfNamespaces(r admissionv1.RuleWithOperations) bool {
	return r.Scope == nil || *r.Scope != admissionv1.ClusterScope
}

// patchEntry returns the command that sets a field of an entry.
func patchEntry(e entry, field, value string) string {
	patch := fmt.Sprintf(`[{"op": "add", "path": "/webhooks/%d/%s", "value": %s}]`, e.index, field, value)
	return fmt.Sprintf("kubectl patch %s %s --type=json -p %s", e.kind, quoted(e.owner), quoted(patch))
}

// allBut returns the selector, as JSON, of all namespaces but some.
func allBut(names []string) string {
	return fmt.Sprintf(`{"matchExpressions": [{"key": %q, "operator": "NotIn", "values": ["%s"]}]}`, nameLabel, strings.Join(names, `", "`))
}

// checkSelectors finds labels by which anybody can get out, and versions that are not asked about.
func (s *Snapshot) checkSelectors(e entry) []Finding {
	var found []Finding
	out := func(check, field, message, why, value string) {
		found = append(found, Finding{Check: check, Severity: Problem, Object: e.object, Field: e.field(field), Message: message, Why: why, Command: patchEntry(e, field, value)})
	}
	if !isEmpty(e.objects) {
		out("registration.objectselector", "objectSelector", "goes by labels of objects: "+metav1.FormatLabelSelector(e.objects), "who makes an object sets its labels, and so is asked or not as he likes", "{}")
	}
	if keys := settableKeys(e.namespaces); len(keys) > 0 {
		out("registration.namespaceselector", "namespaceSelector", "goes by labels that can be set: "+strings.Join(keys, ", "), "who may label a namespace takes it out of all policies", allBut(s.excluded()))
	}
	if e.match != admissionv1.Equivalent {
		out("registration.matchpolicy", "matchPolicy", "is "+string(e.match), "the same object sent in another version of its API passes unseen", `"Equivalent"`)
	}
	if e.kind == mutatingKind && e.reinvocation != admissionv1.IfNeededReinvocationPolicy && isLintels(e.name) {
		out("registration.reinvocation", "reinvocationPolicy", "is "+string(e.reinvocation), "what later webhooks change is not patched again", `"IfNeeded"`)
	}
	return found
}

func isEmpty(selector *metav1.LabelSelector) bool {
	return selector == nil || len(selector.MatchLabels)+len(selector.MatchExpressions) == 0
}

// checkFailure finds entries that let pass, or hold up, what they should not.
func (s *Snapshot) checkFailure(e entry) []Finding {
	f := Finding{Check: "registration.failurepolicy", Severity: Problem, Object: e.object, Field: e.field("failurePolicy"), Message: "is " + string(e.failure)}
	switch {
	case e.name == controller.DenyWebhook && e.failure == admissionv1.Ignore && s.isOutside():
		f.Severity = Warning
		f.Why = "what policies can deny passes whenever Lintel does not answer; outside of the cluster it becomes Fail only with --fail-closed, when a first review has come in"
	case e.name == controller.DenyWebhook && e.failure == admissionv1.Ignore:
		f.Why = "what policies can deny passes whenever Lintel does not answer; it becomes Fail when a first review has come in at the replica that leads, so either none has (try more than once) or the API server does not reach it"
		f.Command = "kubectl create deployment lintel-probe --image=nginx --dry-run=server"
	case isLintels(e.name) && e.name != controller.DenyWebhook && e.failure == admissionv1.Fail:
		f.Why = "an outage of Lintel holds up what no policy would deny"
		f.Command = patchEntry(e, "failurePolicy", `"Ignore"`)
	default:
		return nil
	}
	return []Finding{f}
}
