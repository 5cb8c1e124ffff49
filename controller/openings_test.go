package controller_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lintel-policy/lintel/controller"
)

// newAudited is newGlass where it is told what came in while the gate was open.
func newAudited(t *testing.T, name string) *glass {
	t.Helper()
	g := newGlass(t, name)
	g.cfg.Audited = g.client.EventsV1()
	return g
}

// over waits for times that the gate was open, the last first, and returns them.
func over(t *testing.T, r watched, want int) []controller.Opened {
	t.Helper()
	var times []controller.Opened
	eventually(t, "the gate to have been open", func() bool {
		times, _ = r.Opened()
		return len(times) >= want
	})
	if len(times) != want {
		t.Fatalf("the gate was open %d times, want %d: %v", len(times), want, times)
	}
	return times
}

// isUntold reports whether it is to be told what came in.
func isUntold(r watched) bool {
	_, untold := r.Opened()
	return untold
}

// TestOpened remembers from when on the gate was open, over changes of the leader, and
// has it told once what came in, whoever leads.
func TestOpened(t *testing.T) {
	g := newAudited(t, "opened")
	r := g.start(t)
	began := time.Now().Truncate(time.Second) // it is the API server that says when, and not the clock of the test
	g.opens(t, 30*time.Minute, "INC-1")
	eventually(t, "the opening to be remembered", func() bool { return g.kept(t)["openings"] != "" })
	r.stop()
	r = g.start(t)
	if times, untold := r.Opened(); len(times) > 0 || untold {
		t.Errorf("while the gate is open it is over: %v", times)
	}
	g.clock.advance(30 * time.Minute)
	eventually(t, "the gate to be closed", func() bool { return g.stands(t) == "closed" })
	eventually(t, "that to be remembered", func() bool { return !strings.HasSuffix(g.kept(t)["openings"], "/") })
	if _, untold := r.Opened(); untold {
		t.Error("it is over before all API servers have closed the gate")
	}
	g.clock.advance(6 * time.Second)
	r.stop()
	r = g.start(t)
	last := over(t, r, 1)[0]
	if now := time.Now(); last.From.Before(began) || last.From.After(now) || !last.To.Equal(time.Date(2027, 1, 1, 0, 30, 5, 0, time.UTC)) || !isUntold(r) {
		t.Errorf("open from %s to %s, to be told: %t; it was opened after %s", last.From, last.To, isUntold(r), began)
	}

	tell(t, r, last, true)
	if isUntold(r) {
		t.Error("it was told, and is to be told")
	}
	tell(t, r, last, false)
	r.stop()
	r = g.start(t)
	if over(t, r, 1); isUntold(r) {
		t.Error("for another leader it was not told")
	}
	r.stop()

	// A leader that ends before it has written down that it told leaves the Event.
	kubectl(t, "patch", "configmap", g.name, "--type=merge", `-p={"data":{"openings":"`+strings.TrimSuffix(g.kept(t)["openings"], " told")+`"}}`)
	r = g.start(t)
	tell(t, r, over(t, r, 1)[0], false)
	if diff := cmp.Diff(twice("3 objects"), notes(t, g.client, g.name, "OpenGateAudited", 2)); diff != "" {
		t.Errorf("Events: -want, +got:\n%s", diff)
	}
	if isUntold(r) {
		t.Error("what another had told is still to be told")
	}
}

func tell(t *testing.T, r watched, last controller.Opened, want bool) {
	t.Helper()
	first, err := r.TellOpened(t.Context(), last, corev1.EventTypeWarning, "3 objects")
	must(t, "tell", err)
	if first != want {
		t.Errorf("told first: %t, want %t", first, want)
	}
}

// TestOpenedByDeletion remembers it of a registration that was deleted, and that what
// nobody was told of goes on when the gate is opened again.
func TestOpenedByDeletion(t *testing.T) {
	g := newAudited(t, "opened-deleted")
	g.cfg.Refresh = 200 * time.Millisecond // which is how long before the look it may have been
	r := g.start(t)
	deleteAndWait := func() {
		t.Helper()
		kubectl(t, "delete", "validatingwebhookconfiguration", g.name)
		eventually(t, "the deletion to be seen", func() bool { return g.kept(t)["open-until"] != "" })
		g.clock.advance(30 * time.Minute)
		eventually(t, "the gate to be closed", func() bool { return g.stands(t) == "closed" && g.kept(t)["open-until"] == "" })
		g.clock.advance(10 * time.Second)
	}
	at := func(minutes, seconds int) time.Time { return time.Date(2027, 1, 1, 0, minutes, seconds, 0, time.UTC) }
	before := at(0, 0).Add(-time.Second)
	deleteAndWait()
	want := []controller.Opened{{From: before, To: at(30, 5)}}
	if diff := cmp.Diff(want, over(t, r, 1)); diff != "" {
		t.Errorf("once: -want, +got:\n%s", diff)
	}
	first := want[0]
	deleteAndWait()
	want[0].To = at(60, 15)
	if diff := cmp.Diff(want, over(t, r, 1)); diff != "" {
		t.Errorf("again, before it was told: -want, +got:\n%s", diff)
	}
	tell(t, r, first, false)
	if !isUntold(r) {
		t.Error("to tell of the first time is taken for both")
	}
	tell(t, r, want[0], true)
	deleteAndWait()
	want = append([]controller.Opened{{From: at(60, 19), To: at(90, 25)}}, want...)
	if diff := cmp.Diff(want, over(t, r, 2)); diff != "" {
		t.Errorf("again, after it was told: -want, +got:\n%s", diff)
	}
	r.stop()
	r = g.start(t)
	if diff := cmp.Diff(want, over(t, r, 2)); diff != "" || !isUntold(r) {
		t.Errorf("by another leader, untold %t: -want, +got:\n%s", isUntold(r), diff)
	}
	for range 10 {
		tell(t, r, over(t, r, min(len(want), 8))[0], true)
		deleteAndWait()
		want = append(want, controller.Opened{})
	}
	if got := strings.Count(g.kept(t)["openings"], "\n") + 1; got != 8 {
		t.Errorf("%d times are remembered, want 8", got)
	}
}

// TestOpenedByAnotherClock puts right what a clock that was wrong has left: nothing can
// have been open after now.
func TestOpenedByAnotherClock(t *testing.T) {
	g := newAudited(t, "opened-clock")
	kubectl(t, "patch", "configmap", g.name, "--type=merge", `-p={"data":{"openings":"2098-01-01T00:00:00Z/2099-01-01T00:00:00Z"}}`)
	r := g.start(t)
	g.clock.advance(time.Minute)
	from := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	if diff := cmp.Diff([]controller.Opened{{From: from, To: from.Add(5 * time.Second)}}, over(t, r, 1)); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

// TestNotAudited keeps nothing where nobody tells what came in, so that an audit that is
// turned on tells of nothing that was long ago.
func TestNotAudited(t *testing.T) {
	g := newAudited(t, "not-audited")
	_, err := g.client.CoreV1().ConfigMaps("default").Patch(t.Context(), g.name, "application/merge-patch+json", []byte(`{"data":{"openings":"2026-01-01T00:00:00Z/"}}`), metav1.PatchOptions{})
	must(t, "patch", err)
	g.cfg.Audited = nil
	g.start(t)
	eventually(t, "the old time to be forgotten", func() bool { return cmp.Equal(map[string]string{"registered": "true"}, g.kept(t)) })
}
