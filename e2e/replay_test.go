package e2e_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lintel-policy/lintel/e2e/gate"
	"github.com/lintel-policy/lintel/replay"
)

// TestReplay records what a real API server asks while people and controllers work,
// and holds that the same policies come to the same verdicts again, and others to
// what they would have said.
func TestReplay(t *testing.T) {
	s := newStage(t, "replayed")
	s.must(t, "apply", "-f", testdata("ratchet", "old.yaml"))
	recorded := t.TempDir()
	g, err := gate.Start(t.Context(), gate.Config{
		Binary: built.Path(t), Cluster: s.Cluster, Policies: []string{"embedded"}, Args: []string{"--record", recorded},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Stop() })
	s.work(t)
	if err := g.Stop(); err != nil {
		t.Fatal(err)
	}

	leaveOutProbes(t, recorded)

	same := replayed(t, recorded, "-p", "embedded")
	if same.Requests < 30 || same.Counts[replay.Same] != same.Requests || len(same.Policies) != 0 || same.Repeated != 0 {
		t.Errorf("by the same policies: %d requests, %v, %d repeated, policies %v, examples %+v; want 30 or more, all unchanged",
			same.Requests, same.Counts, same.Repeated, same.Policies, same.Examples)
	}
	milder := replayed(t, recorded, "-p", libraryWith(t, "enforcement: warn, patches: apply"))
	if milder.Counts[replay.NoLongerDenied] < 5 || milder.Counts[replay.NewlyDenied] != 0 {
		t.Errorf("by policies that warn: %v, want some that are no longer denied", milder.Counts)
	}
	if len(milder.Teams) == 0 || milder.Teams[0].Team != "checkout" || milder.Teams[0].Namespace != s.namespace {
		t.Errorf("by policies that warn: teams %v, want those of checkout in %s", milder.Teams, s.namespace)
	}
	stricter := replayed(t, recorded, "-p", libraryWith(t, "existing: enforce"))
	if stricter.Counts[replay.NewlyDenied] == 0 {
		t.Errorf("by policies without a ratchet: %v, want that some is newly denied", stricter.Counts)
	}
}

// leaveOutProbes takes the requests out of what was recorded by which the start of the
// gate was seen: of those the API server may have asked only one of the two doors.
func leaveOutProbes(t *testing.T, recorded string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(recorded, "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("list recorded files: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var kept strings.Builder
		for line := range strings.Lines(string(data)) {
			if !strings.Contains(line, `"lintel-probe"`) {
				kept.WriteString(line)
			}
		}
		if err := os.WriteFile(file, []byte(kept.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// work does what people do: right and wrong things, to new objects and old ones.
func (s *stage) work(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob(testdata("workloads", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("list workloads: %v", err)
	}
	for _, file := range files {
		s.kubectl(t, "apply", "-f", file)
	}
	for _, args := range [][]string{
		{"annotate", "deployment", "old", "note=checked"},
		{"scale", "deployment", "old", "--replicas=3"},
		{"label", "deployment", "deployment", "service-"},
		{"run", "bare", "--image=nginx", "--dry-run=server", "--env=PASSWORD=hunter2x9"},
		{"delete", "deployment", "old", "--wait=false"},
	} {
		s.kubectl(t, args...)
	}
}

// replayed returns what lintel replay says of what was recorded.
func replayed(t *testing.T, recorded string, args ...string) *replay.Summary {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), built.Path(t), append([]string{"replay", recorded, "-o", "json"}, args...)...).Output()
	var s replay.Summary
	if failed := json.Unmarshal(out, &s); failed != nil {
		t.Fatalf("lintel replay: %v, %v:\n%s", err, failed, out)
	}
	return &s
}
