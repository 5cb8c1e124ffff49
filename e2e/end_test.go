package e2e_test

import (
	"strings"
	"testing"

	"github.com/lintel-policy/lintel/e2e/gate"
)

// TestEnd holds that Lintel leaves a cluster as it found it, and that after a crash
// nothing slips through.
func TestEnd(t *testing.T) {
	s := newStage(t, "end")
	start := func() *gate.Gate {
		g, err := gate.Start(t.Context(), gate.Config{Binary: built.Path(t), Cluster: s.Cluster})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = g.Stop() })
		return g
	}
	broken := []string{"apply", "-f", testdata("workloads", "service-broken.yaml")}

	g := start()
	s.kubectl(t, broken...).denied(t, "Lintel is in front of the cluster.")
	g.Kill()
	if got := len(s.registrations(t)); got != 2 {
		t.Errorf("after a crash there are %d registrations, want 2", got)
	}
	r := s.kubectl(t, broken...)
	if want := `failed calling webhook "deny.lintel.dev"`; r.code != 1 || !strings.Contains(r.stderr, want) {
		t.Errorf("after a crash, exit code %d, want 1 and %q:\n%s", r.code, want, r.stderr)
	}

	g = start()
	s.kubectl(t, broken...).denied(t, "It takes its registration over.")
	if err := g.Stop(); err != nil {
		t.Errorf("Lintel does not end in order: %v", err)
	}
	if got := s.registrations(t); len(got) > 0 {
		t.Errorf("after the end there are still %q", got)
	}
	s.kubectl(t, broken...).admitted(t, "Without Lintel everything goes in.")
	if !s.exists(t, "service/service") {
		t.Error("what was admitted is not stored")
	}
}

// registrations names the webhook configurations that there are.
func (s *stage) registrations(t *testing.T) []string {
	t.Helper()
	return strings.Fields(s.must(t, "get", "validatingwebhookconfigurations,mutatingwebhookconfigurations", "-o", "name"))
}
