package doctor

import (
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"

	"github.com/lintel-policy/lintel/controller"
)

// checkLaterWebhooks tells of webhooks that change what Lintel patches or judges, and
// of what becomes of their changes.
func checkLaterWebhooks(s *Snapshot) []Finding {
	if !s.saw(seenMutating) || s.mutating() == nil {
		return nil
	}
	calls := s.calls()
	var before, after []entry
	passed := false
	for _, e := range s.entries() {
		switch {
		case e.kind != mutatingKind:
		case e.owner == lintel:
			passed = true
		case !slices.ContainsFunc(calls, func(c call) bool { return isAbout(e.rules, c, e.match == admissionv1.Equivalent) }):
		case passed:
			after = append(after, e)
		case e.reinvocation == admissionv1.NeverReinvocationPolicy:
			before = append(before, e)
		}
	}
	var found []Finding
	if len(after) > 0 {
		found = append(found, Finding{
			Check: "webhooks.later", Severity: Note, Object: "MutatingWebhookConfiguration " + lintel,
			Message: "others change objects after it: " + namesOf(after),
			Why:     "policies judge what comes out in the end; what Lintel patches it patches again where they changed something, so a patch of theirs and one of Lintel's may undo each other",
		})
	}
	if patches := slices.ContainsFunc(s.own(), func(e entry) bool { return e.name == controller.PatchWebhook }); patches && len(before) > 0 {
		found = append(found, Finding{
			Check: "webhooks.earlier", Severity: Note, Object: "MutatingWebhookConfiguration " + lintel,
			Message: "others do not look again at what it patches: " + namesOf(before),
			Why:     "they come first and have reinvocationPolicy Never, so they do not see what Lintel adds",
		})
	}
	return found
}

func namesOf(entries []entry) string {
	var names []string
	for _, e := range entries[:min(len(entries), shown)] {
		names = append(names, e.name)
	}
	if more := len(entries) - shown; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

// checkLockout finds other webhooks that can keep Lintel from coming back.
func checkLockout(s *Snapshot) []Finding {
	namespace, ok := s.namespace(s.Namespace)
	if !ok || s.Deployment == nil {
		return nil
	}
	needs := []call{
		{"", "v1", "pods", admissionv1.Create},
		{"coordination.k8s.io", "v1", "leases", admissionv1.Update},
		{"", "v1", "secrets", admissionv1.Update},
		{"", "v1", "configmaps", admissionv1.Update},
	}
	var found []Finding
	for _, e := range s.entries() {
		if e.owner == lintel || e.failure != admissionv1.Fail || !e.selectsNamespace(namespace.Labels) {
			continue
		}
		for _, c := range needs {
			if !isAbout(e.rules, c, e.match == admissionv1.Equivalent) || c.resource == "pods" && !selects(e.objects, s.Deployment.Spec.Template.Labels) {
				continue
			}
			f := Finding{
				Check: "webhooks.lockout", Severity: Warning, Object: e.object, Field: e.field("namespaceSelector"),
				Message: fmt.Sprintf("%s is asked about %s in %s, and has failurePolicy Fail", e.name, c, s.Namespace),
				Why:     "when it is away, Lintel cannot come back, and with it what policies can deny is refused",
			}
			if isEmpty(e.namespaces) {
				f.Command = patchEntry(e, "namespaceSelector", allBut([]string{s.Namespace}))
			}
			found = append(found, f)
			break // one is enough for each
		}
	}
	return found
}
