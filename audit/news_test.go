package audit_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/audit"
	"github.com/lintel-policy/lintel/engine"
)

// A teller keeps the news that it was told, as the names of objects and what is new.
type teller struct{ said []string }

func (x *teller) tell(news []audit.News) {
	for _, n := range news {
		for _, v := range n.Violations {
			x.said = append(x.said, fmt.Sprintf("%s: %s", n.Finding.Ref.Name, v.Message))
		}
	}
}

// take returns what was said since it was last called.
func (x *teller) take() []string {
	said := x.said
	x.said = nil
	return said
}

// TestNews tells of what a report did not say before, to whichever leader writes it.
func TestNews(t *testing.T) {
	client := newClient(t)
	namespace(t, client, "news", nil)
	_, err := client.CoreV1().ConfigMaps("news").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "bare"}}, metav1.CreateOptions{})
	must(t, err)
	set := compile(t, owned)
	space := spaceOf(t, client, set, "news", time.Now())
	defineReports(t, newReports(client, set), space)
	x := &teller{}
	publish := func(space audit.Space, what string, want ...string) {
		t.Helper()
		reports := newReports(client, set) // of another leader
		reports.Tell = x.tell
		must(t, reports.Publish(t.Context(), space))
		if diff := cmp.Diff(want, x.take()); diff != "" {
			t.Errorf("%s: -want, +got:\n%s", what, diff)
		}
	}
	bare := audit.Finding{Ref: engine.ObjectRef{APIVersion: "v1", Kind: "ConfigMap", Namespace: "news", Name: "bare"}, Violations: violation(t, true)}
	recorded := bare
	recorded.Ref.Name, recorded.Violations = "recorded", violation(t, false)
	recorded.Violations[0].Enforcement = v1alpha1.DryRun
	space.Objects, space.Findings = 2, []audit.Finding{bare, recorded}
	publish(space, "at first", "bare: owner is missing")
	publish(space, "another leader")

	second := bare
	second.Violations = append(violation(t, true), violation(t, true)...)
	second.Violations[1].Message = "so is its keeper"
	space.Findings[0] = second
	publish(space, "more is found of the same", "bare: so is its keeper")
	space.Findings[1].Violations[0].Enforcement = v1alpha1.Warn
	publish(space, "a trial is over", "recorded: owner is missing")
	space.Findings[0].Opened = audit.Window{From: time.Now(), To: time.Now()}
	publish(space, "it came in while the gate was open")
	if r := reportIn(t, "news"); !strings.Contains(fmt.Sprint(r.Results[0].Properties), "openedGate:"+space.Findings[0].Opened.String()) {
		t.Errorf("properties %v", r.Results[0].Properties)
	}
	space.Findings = nil
	publish(space, "all is well")
	space.Findings = []audit.Finding{bare}
	publish(space, "it is back", "bare: owner is missing")

	space.Findings = nil
	for i := range 10_000 {
		f := bare
		f.Ref.Name = fmt.Sprintf("bare-%05d", i)
		space.Findings = append(space.Findings, f)
	}
	reports := newReports(client, set)
	reports.Tell = x.tell
	must(t, reports.Publish(t.Context(), space))
	if got, want := len(x.take()), len(reportIn(t, "news").Results)-1; got != want || want > 1000 {
		t.Errorf("%d news of 10,000 violations where the report has room for %d", got, want)
	}
	publish(space, "the same crowd")
	space.Objects, space.Findings = 0, nil
	publish(space, "nothing is left") // so that no report is in the way of other tests
}
