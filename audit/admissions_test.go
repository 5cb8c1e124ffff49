package audit_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/audit"
	"github.com/lintel-policy/lintel/engine"
)

// TestAdmissions sums up what two replicas have seen in a day.
func TestAdmissions(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 30, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	one, two := audit.NewAdmissions(clock), audit.NewAdmissions(clock)
	broken := func(policy string, e v1alpha1.Enforcement) engine.Violation {
		return engine.Violation{Policy: policy, Enforcement: e}
	}
	existing, controlled := broken("probes", v1alpha1.Warn), broken("probes", v1alpha1.DryRun)
	existing.Existing, controlled.Controlled = true, true

	now = now.Add(-24 * time.Hour) // of yesterday at this hour nothing is told
	one.Add(&engine.Decision{Violations: []engine.Violation{broken("probes", v1alpha1.Warn)}}, "search")
	now = now.Add(time.Hour)
	one.Add(&engine.Decision{Violations: []engine.Violation{broken("probes", v1alpha1.Warn), broken("probes", v1alpha1.Warn)}}, "checkout")
	now = now.Add(23 * time.Hour)
	one.Add(&engine.Decision{Violations: []engine.Violation{broken("probes", v1alpha1.DryRun), broken("resources", v1alpha1.Warn)}}, "checkout")
	one.Add(&engine.Decision{Violations: []engine.Violation{broken("labels", v1alpha1.Deny), existing, controlled}}, "checkout")
	for i := range 300 {
		two.Add(&engine.Decision{Violations: []engine.Violation{broken("resources", v1alpha1.Warn)}}, fmt.Sprintf("team-%03d", i))
	}
	a, err := one.Data()
	must(t, err)
	b, err := two.Data()
	must(t, err)
	got, err := audit.Merge(now, a, b)
	must(t, err)
	if want := (audit.Would{Requests: 2, Owners: map[string]int{"checkout": 2}}); !cmp.Equal(got["probes"], want) {
		t.Errorf("probes: got %+v, want %+v", got["probes"], want)
	}
	r := got["resources"]
	total := 0
	for _, n := range r.Owners {
		total += n
	}
	if len(got) != 2 || r.Requests != 301 || total != 301 || len(r.Owners) > 11 {
		t.Errorf("resources: got %+v of %d policies", r, len(got))
	}
	if len(b) > 1000 {
		t.Errorf("one policy takes %d bytes", len(b))
	}
	if got, err := audit.Merge(now, a, []byte("else")); err == nil || got["probes"].Requests != 2 {
		t.Errorf("with what is no data: %+v, %v", got, err)
	}
}
