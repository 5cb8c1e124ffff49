package controller_test

import (
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
)

// asks returns what each entry asks about, and what the entry that records does
// beside the one that denies.
func asks(t *testing.T, client kubernetes.Interface, name string) string {
	t.Helper()
	var all []string
	entry := func(name string, rules []admissionv1.RuleWithOperations) {
		name, _, _ = strings.Cut(name, ".")
		for _, rule := range rules {
			name += " " + strings.Join(rule.Resources, " ")
		}
		all = append(all, name)
	}
	for _, w := range validating(t, client, name).Webhooks {
		entry(w.Name, w.Rules)
		for _, c := range w.MatchConditions {
			if _, recorded, ok := strings.Cut(c.Expression, `: "")) in [`); ok && c.Name == "not-answered-by-deny" {
				all = append(all, "recorded "+strings.TrimSuffix(recorded, "])"))
			}
		}
	}
	m, err := client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(t.Context(), name, metav1.GetOptions{})
	must(t, "get mutating configuration", err)
	for _, w := range m.Webhooks {
		entry(w.Name, w.Rules)
	}
	return strings.Join(all, ", ")
}

// TestWidening follows the registration while policies change that replicas serve at
// different times: nothing that any of them judges by is not asked about.
func TestWidening(t *testing.T) {
	const name = "widening"
	compile := func(policies ...engine.Policy) *engine.Set {
		set, err := engine.Compile(engine.Config{Policies: policies})
		must(t, "compile", err)
		return set
	}
	const violation, patch = `violation contains {"msg": "no"} if false`, `patch contains {"path": ["metadata", "labels", "seen"], "value": "yes"}`
	before := compile(about("PodTemplate", "deny", violation+"\n\n"+patch))
	after := compile(about("PodTemplate", "warn", violation), about("LimitRange", "deny", violation))
	const (
		narrowBefore = "deny podtemplates, warn podtemplates, patch podtemplates"
		wide         = `deny limitranges podtemplates, warn limitranges podtemplates, recorded "/podtemplates", patch podtemplates`
		narrowAfter  = `deny limitranges, warn limitranges podtemplates, recorded "/podtemplates"`
	)
	current, next, lagging := before, (*engine.Set)(nil), []string{}
	cfg, client := registrar(t, name)
	cfg.FailClosed = false
	cfg.Set, cfg.Next = func() *engine.Set { return current }, func() *engine.Set { return next }
	cfg.Lagging = func(string) []string { return lagging }
	r, err := controller.NewRegistrar(cfg)
	must(t, "make registrar", err)
	steps := []struct {
		reason string
		do     func()
		covers *engine.Set
		want   string
	}{
		{"One set is everywhere.", func() {}, before, narrowBefore},
		{"What is about to be in force is asked about before it is.", func() { next = after }, after, wide},
		{"It is in force here, and not everywhere.", func() { current, lagging = after, []string{"other"} }, after, wide},
		{"What somebody edits meanwhile is put right.", func() {
			_, err := cfg.Client.ValidatingWebhookConfigurations().Patch(t.Context(), name, types.JSONPatchType, []byte(`[{"op": "remove", "path": "/webhooks/0/rules/0"}]`), metav1.PatchOptions{})
			must(t, "edit", err)
		}, after, wide},
		{"Another leads, who does not know what was before, and leaves what is there.", func() {
			r, err = controller.NewRegistrar(cfg)
			must(t, "make registrar", err)
		}, after, strings.Replace(wide, `"/podtemplates"`, `"/limitranges", "/podtemplates"`, 1)},
		{"All have caught up.", func() { lagging = nil }, after, narrowAfter},
		{"Back again, all at once.", func() { current, next = before, before }, before, narrowBefore},
	}
	for _, step := range steps {
		step.do()
		_, err := r.Register(t.Context())
		must(t, "register", err)
		if got := asks(t, client, name); got != step.want {
			t.Errorf("%s\nregistered: got %s\nwant %s", step.reason, got, step.want)
		}
		if !r.Covers(step.covers.Revision()) || r.IsOpen() {
			t.Errorf("%s\nit is not covered, or open", step.reason)
		}
	}
	must(t, "delete", cfg.Client.ValidatingWebhookConfigurations().Delete(t.Context(), name, metav1.DeleteOptions{}))
	_, err = r.Register(t.Context())
	must(t, "register", err)
	if r.Covers(before.Revision()) || !r.IsOpen() {
		t.Error("what somebody has deleted is taken for registered")
	}
}
