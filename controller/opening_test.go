package controller_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"

	"github.com/lintel-policy/lintel/controller"
)

// A glass is what a Registrar has around it in tests of who breaks it.
type glass struct {
	controller.Glass
	name    string
	client  *kubernetes.Clientset
	cfg     controller.RegistrarConfig
	metrics *prometheus.Registry
	clock   *clock
}

// newGlass configures a Registrar that remembers, and tells what it sees.
func newGlass(t *testing.T, name string) *glass {
	t.Helper()
	cfg, client := registrar(t, name)
	_, err := client.CoreV1().ConfigMaps("default").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	must(t, "create ConfigMap", err)
	t.Cleanup(func() {
		_ = client.CoreV1().ConfigMaps("default").Delete(context.WithoutCancel(t.Context()), name, metav1.DeleteOptions{})
	})
	g := &glass{Glass: controller.Glass{Client: client.AdmissionregistrationV1(), Name: name}, name: name, client: client, clock: &clock{}}
	cfg.Memory = controller.ConfigMapMemory{Client: client.CoreV1().ConfigMaps("default"), Name: name}
	cfg.Now, cfg.Events = g.clock.now, recorder(t, client)
	g.cfg = cfg
	return g
}

// recorder returns what writes Events as long as the test runs.
func recorder(t *testing.T, client kubernetes.Interface) events.EventRecorder {
	t.Helper()
	broadcaster := events.NewBroadcaster(&events.EventSinkImpl{Interface: client.EventsV1()})
	must(t, "record Events", broadcaster.StartRecordingToSinkWithContext(t.Context()))
	t.Cleanup(broadcaster.Shutdown)
	return broadcaster.NewRecorder(scheme.Scheme, "lintel")
}

// start runs a Registrar, with metrics of its own, and waits until it has looked.
func (g *glass) start(t *testing.T) watched {
	t.Helper()
	g.metrics = prometheus.NewRegistry()
	g.cfg.Metrics = g.metrics
	w := watch(t, g.cfg)
	w.pass(t)
	return w
}

// kept returns what is remembered.
func (g *glass) kept(t *testing.T) map[string]string {
	t.Helper()
	cm, err := g.client.CoreV1().ConfigMaps("default").Get(t.Context(), g.name, metav1.GetOptions{})
	must(t, "get ConfigMap", err)
	return cm.Data
}

// both returns what matters of both configurations: entries, owners and annotations.
func (g *glass) both(t *testing.T) []any {
	t.Helper()
	v := validating(t, g.client, g.name)
	m, err := g.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(t.Context(), g.name, metav1.GetOptions{})
	must(t, "get patching configuration", err)
	return []any{v.Webhooks, m.Webhooks, v.OwnerReferences, m.OwnerReferences, v.Annotations, m.Annotations}
}

// stands says how the gate stands, as "closed", "open", or in numbers.
func (g *glass) stands(t *testing.T) string {
	t.Helper()
	panes, err := g.Look(t.Context())
	must(t, "look", err)
	var got []string
	for _, p := range panes {
		got = append(got, fmt.Sprintf("%d/%d", p.Open, p.Entries))
	}
	switch all := strings.Join(got, " "); all {
	case "2/2 1/1":
		return "open"
	case "0/2 0/1":
		return "closed"
	default:
		return all
	}
}

// annotate does what a person does.
func (g *glass) annotate(t *testing.T, kinds string, annotations ...string) {
	t.Helper()
	kubectl(t, append([]string{"annotate", "--overwrite", kinds, g.name}, annotations...)...)
}

const bothKinds = "validatingwebhookconfigurations,mutatingwebhookconfigurations"

func (g *glass) openings(t *testing.T, by string) int {
	t.Helper()
	return openings(t, g.metrics, by)
}

// openings returns how often somebody is said to have opened the gate, by a way.
func openings(t *testing.T, metrics prometheus.Gatherer, by string) int {
	t.Helper()
	families, err := metrics.Gather()
	must(t, "gather", err)
	for _, f := range families {
		if f.GetName() != "lintel_registration_openings_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			if m.GetLabel()[0].GetValue() == by {
				return int(m.GetCounter().GetValue())
			}
		}
	}
	t.Fatalf("there is no count of openings by %q", by)
	return 0
}

// notes returns the Events of a reason about this registration, each as its kind and
// note, as soon as there are as many as wanted.
func notes(t *testing.T, client kubernetes.Interface, name, reason string, want int) []string {
	t.Helper()
	var found []string
	eventually(t, fmt.Sprintf("%d Events %s", want, reason), func() bool {
		found = nil
		all, err := client.EventsV1().Events("default").List(t.Context(), metav1.ListOptions{FieldSelector: "reason=" + reason})
		must(t, "list Events", err)
		for _, e := range all.Items {
			if e.Regarding.Name == name {
				found = append(found, e.Regarding.Kind+": "+e.Note)
			}
		}
		return len(found) >= want
	})
	slices.Sort(found)
	return found
}

// twice returns a note on both configurations.
func twice(note string) []string {
	return []string{"MutatingWebhookConfiguration: " + note, "ValidatingWebhookConfiguration: " + note}
}

// opens opens the gate for a time, by the clock of the test.
func (g *glass) opens(t *testing.T, length time.Duration, reason string) {
	t.Helper()
	o, err := controller.NewOpening(g.clock.now(), length, reason, "jane")
	must(t, "make opening", err)
	_, err = g.Break(t.Context(), o)
	must(t, "break the glass", err)
}

// TestBreakglass follows an opening from its beginning to its end, which it outlives
// in no case: over a change of leaders, and against who closes an entry meanwhile.
func TestBreakglass(t *testing.T) {
	g := newGlass(t, "breakglass")
	r := g.start(t)
	before := g.both(t)

	g.opens(t, 30*time.Minute, "INC-1: nothing starts")
	if got := g.stands(t); got != "open" {
		t.Errorf("the gate that an operator opens stands %s at once", got)
	}
	eventually(t, "the opening to be remembered", func() bool { return g.kept(t)["breakglass-seen"] != "" })
	r.pass(t) // it remembers before it tells
	want := map[string]string{
		"registered": "true", "breakglass-until": "2027-01-01T00:30:00Z", "breakglass-reason": "INC-1: nothing starts",
		"breakglass-by": "jane", "breakglass-seen": "2027-01-01T00:00:00Z",
	}
	if diff := cmp.Diff(want, g.kept(t)); diff != "" {
		t.Errorf("what is remembered: -want, +got:\n%s", diff)
	}
	hasGauge(t, g.metrics, g.clock.now().Add(30*time.Minute).Unix())
	if got := g.openings(t, "breakglass"); got != 1 {
		t.Errorf("openings: got %d, want one", got)
	}
	opened := twice("The gate is open until 2027-01-01T00:30:00Z. By: jane. Reason: INC-1: nothing starts")
	if diff := cmp.Diff(opened, notes(t, g.client, g.name, "BreakglassOpened", 2)); diff != "" {
		t.Errorf("Events: -want, +got:\n%s", diff)
	}

	kubectl(t, "patch", "validatingwebhookconfiguration", g.name, "--type=json", `-p=[{"op": "replace", "path": "/webhooks/1/objectSelector", "value": {}}]`)
	eventually(t, "an entry that somebody closes to be opened again", func() bool { return g.stands(t) == "open" })
	g.clock.advance(30*time.Minute - time.Second)
	r.stop()
	r = g.start(t)
	if got := g.stands(t); got != "open" {
		t.Errorf("a second before the end, by another leader, the gate stands %s", got)
	}
	if got := g.openings(t, "breakglass"); got != 0 {
		t.Errorf("another leader counts %d openings, want none: it was counted", got)
	}
	g.clock.advance(time.Second)
	eventually(t, "the gate to be closed in time", func() bool { return g.stands(t) == "closed" })
	eventually(t, "the opening to be forgotten", func() bool { return cmp.Equal(map[string]string{"registered": "true"}, g.kept(t)) })
	r.pass(t)
	if diff := cmp.Diff(before, g.both(t)); diff != "" {
		t.Errorf("-before, +after the gate was open:\n%s", diff)
	}
	hasGauge(t, g.metrics, 0)
	ended := twice("The time is over. The gate was seen open at 2027-01-01T00:00:00Z. By: jane. Reason: INC-1: nothing starts")
	if diff := cmp.Diff(ended, notes(t, g.client, g.name, "BreakglassEnded", 2)); diff != "" {
		t.Errorf("Events: -want, +got:\n%s", diff)
	}
}

// count returns the value of a counter without labels.
func count(t *testing.T, metrics *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := metrics.Gather()
	must(t, "gather", err)
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

// TestBreakglassIsBounded holds that an opening ends an hour after it was seen,
// whatever it says, and that whoever goes on editing it does so in the open.
func TestBreakglassIsBounded(t *testing.T) {
	g := newGlass(t, "bounded")
	r := g.start(t)
	g.annotate(t, "validatingwebhookconfiguration", "lintel.dev/breakglass-until=2099-01-01T00:00:00Z", "lintel.dev/breakglass-reason=first")
	eventually(t, "annotations alone to open both", func() bool { return g.stands(t) == "open" })
	notes(t, g.client, g.name, "BreakglassOpened", 2)

	g.clock.advance(50 * time.Minute)
	g.annotate(t, "validatingwebhookconfiguration", "lintel.dev/breakglass-until=2098-01-01T00:00:00Z", "lintel.dev/breakglass-reason=second")
	eventually(t, "what is edited to be another opening", func() bool { return g.openings(t, "breakglass") == 2 })
	want := append(twice("The gate is open until 2027-01-01T01:00:00Z. By: unknown. Reason: first"),
		twice("The gate is open until 2027-01-01T01:50:00Z. By: unknown. Reason: second")...)
	slices.Sort(want)
	if diff := cmp.Diff(want, notes(t, g.client, g.name, "BreakglassOpened", 4)); diff != "" {
		t.Errorf("Events: -want, +got:\n%s", diff)
	}
	g.clock.advance(time.Hour - time.Second)
	r.stop()
	r = g.start(t)
	if got := g.stands(t); got != "open" {
		t.Errorf("a second before the hour is over the gate stands %s", got)
	}
	g.clock.advance(time.Second)
	eventually(t, "the gate to be closed after an hour", func() bool { return g.stands(t) == "closed" })
	eventually(t, "the annotations to be taken off", func() bool { return len(validating(t, g.client, g.name).Annotations) == 0 })
	r.pass(t)
	if got := g.stands(t); got != "closed" {
		t.Errorf("after that it stands %s", got)
	}
}

// TestOpenByAnotherClock has what is remembered lie in the future, as a clock that was
// wrong would leave it: the gate is open from now on for as long as ever, and no longer.
func TestOpenByAnotherClock(t *testing.T) {
	g := newGlass(t, "another-clock")
	r := g.start(t)
	g.annotate(t, "validatingwebhookconfiguration", "lintel.dev/breakglass-until=2099-01-01T00:00:00Z", "lintel.dev/breakglass-reason=first")
	eventually(t, "annotations to open both", func() bool { return g.stands(t) == "open" })
	r.stop()
	kubectl(t, "patch", "configmap", g.name, "--type=merge", `-p={"data":{"breakglass-seen":"2098-01-01T00:00:00Z"}}`)
	r = g.start(t)
	if got := g.stands(t); got != "open" {
		t.Errorf("before it is over the gate stands %s", got)
	}
	g.clock.advance(time.Hour)
	eventually(t, "the gate to be closed after an hour", func() bool { return g.stands(t) == "closed" })
	r.stop()

	kubectl(t, "patch", "configmap", g.name, "--type=merge", `-p={"data":{"open-until":"2099-01-01T00:00:00Z"}}`)
	kubectl(t, "delete", "validatingwebhookconfiguration", g.name)
	g.start(t)
	if got, want := g.kept(t)["open-until"], g.clock.now().Add(30*time.Minute).UTC().Format(time.RFC3339); got != want {
		t.Errorf("what was deleted is missed until %s, want half an hour, %s", got, want)
	}
}

// TestBreakglassEndsInTime holds that the end is not waited for until the next look.
func TestBreakglassEndsInTime(t *testing.T) {
	g := newGlass(t, "in-time")
	g.cfg.Now = time.Now
	r := g.start(t)
	before := g.both(t)
	r.stop()
	o, err := controller.NewOpening(time.Now(), 3*time.Second, "soon over", "jane")
	must(t, "make opening", err)
	_, err = g.Break(t.Context(), o)
	must(t, "break the glass", err)
	g.cfg.Refresh, g.cfg.Metrics = time.Hour, nil
	watch(t, g.cfg)
	eventually(t, "all to be as before", func() bool { return cmp.Equal(before, g.both(t)) })
	if now := time.Now(); now.Before(o.Until) {
		t.Errorf("the gate is closed %s too early", o.Until.Sub(now))
	}
}

// TestBreakglassAfterwards starts after an opening is over, or has been ended.
func TestBreakglassAfterwards(t *testing.T) {
	cases := map[string]struct {
		reason  string
		between func(*testing.T, *glass) // while nobody is there
		opened  int                      // Events
		ended   string
	}{
		"Over": {
			reason: "Nobody was there when it was over: the gate is closed, and what has been is told.",
			between: func(t *testing.T, g *glass) {
				t.Helper()
				g.opens(t, 10*time.Minute, "all down")
				g.clock.advance(11 * time.Minute)
			},
			opened: 2,
			ended:  "The time is over. The gate was seen open at 2027-01-01T00:11:00Z. By: jane. Reason: all down",
		},
		"Ended": {
			reason: "Who has ended it is not told on, if nobody has seen it.",
			between: func(t *testing.T, g *glass) {
				t.Helper()
				g.opens(t, 10*time.Minute, "all down")
				_, err := g.End(t.Context())
				must(t, "end", err)
				if got := g.stands(t); got != "closed" {
					t.Errorf("with nobody there, after its end the gate stands %s", got)
				}
			},
		},
		"Emptied": {
			reason: "Who has only kubectl leaves no entries, and they come back.",
			between: func(t *testing.T, g *glass) {
				t.Helper()
				for _, kind := range []string{"validating", "mutating"} {
					kubectl(t, "patch", kind+"webhookconfiguration", g.name, "--type=merge", `-p={"webhooks": [], "metadata": {"annotations": {`+
						`"lintel.dev/breakglass-until": "2027-01-01T00:10:00Z", "lintel.dev/breakglass-reason": "by hand", "lintel.dev/breakglass-by": "jane"}}}`)
				}
				r := g.start(t)
				if got := g.stands(t); got != "0/0 0/0" {
					t.Errorf("before it is over the gate stands %s, want it without entries", got)
				}
				r.stop()
				g.clock.advance(10 * time.Minute)
			},
			opened: 2,
			ended:  "The time is over. The gate was seen open at 2027-01-01T00:00:00Z. By: jane. Reason: by hand",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			g := newGlass(t, "afterwards-"+strings.ToLower(name))
			r := g.start(t)
			before := g.both(t)
			r.stop()
			tc.between(t, g)
			g.start(t)
			eventually(t, "all to be as before", func() bool { return cmp.Equal(before, g.both(t)) })
			notes(t, g.client, g.name, "BreakglassOpened", tc.opened)
			if tc.ended == "" {
				return
			}
			if diff := cmp.Diff(twice(tc.ended), notes(t, g.client, g.name, "BreakglassEnded", 2)); diff != "" {
				t.Errorf("%s\nEvents: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestBreakglassEndedByHand holds that whoever takes the annotations off closes the
// gate, and that it is told that they did.
func TestBreakglassEndedByHand(t *testing.T) {
	g := newGlass(t, "by-hand")
	g.start(t)
	before := g.both(t)
	g.opens(t, time.Hour, "why")
	eventually(t, "the opening to be seen", func() bool { return g.openings(t, "breakglass") == 1 })
	g.annotate(t, bothKinds, "lintel.dev/breakglass-until-", "lintel.dev/breakglass-reason-", "lintel.dev/breakglass-by-")
	eventually(t, "all to be as before", func() bool { return cmp.Equal(before, g.both(t)) })
	want := twice("Ended by hand. The gate was seen open at 2027-01-01T00:00:00Z. By: jane. Reason: why")
	if diff := cmp.Diff(want, notes(t, g.client, g.name, "BreakglassEnded", 2)); diff != "" {
		t.Errorf("Events: -want, +got:\n%s", diff)
	}
	if got := count(t, g.metrics, "lintel_registration_edits_total"); got != 0 {
		t.Errorf("the end of an opening is counted as %v edits", got)
	}
}

// TestBreakglassRefused holds that annotations which do not say until when, or why,
// open nothing, and that who wrote them is told so.
func TestBreakglassRefused(t *testing.T) {
	cases := map[string]struct {
		reason      string
		annotations []string
		want        string
	}{
		"NoTime": {
			reason:      "Nobody knows until when.",
			annotations: []string{"lintel.dev/breakglass-until=tomorrow\x1b[2J", "lintel.dev/breakglass-reason=r"},
			want:        `lintel.dev/breakglass-until is "tomorrow\\x1b[2J", which is no time as in "2027-01-31T14:00:00Z"`,
		},
		"NoUntil": {
			reason:      "Nor if it is not said at all.",
			annotations: []string{"lintel.dev/breakglass-by=jane"},
			want:        `lintel.dev/breakglass-until is "", which is no time as in "2027-01-31T14:00:00Z"`,
		},
		"NoReason": {
			reason:      "Somebody has to account for it.",
			annotations: []string{"lintel.dev/breakglass-until=2027-01-01T00:10:00Z", "lintel.dev/breakglass-reason= "},
			want:        "lintel.dev/breakglass-reason is missing",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			g := newGlass(t, "refused-"+strings.ToLower(name))
			r := g.start(t)
			before := g.both(t)
			g.annotate(t, "mutatingwebhookconfiguration", tc.annotations...)
			eventually(t, "the annotations to be taken off", func() bool { return cmp.Equal(before, g.both(t)) })
			got := notes(t, g.client, g.name, "BreakglassRefused", 2)
			if want := twice("The gate stays closed, and the annotations are taken off: " + tc.want); !slices.Contains(got, want[0]) {
				t.Errorf("%s\nEvents: got %q, want %q", tc.reason, got, want)
			}
			r.pass(t)
			if got := g.openings(t, "breakglass"); got != 0 {
				t.Errorf("%s\nit is counted as %d openings", tc.reason, got)
			}
		})
	}
}

// TestGlass opens what there is to be opened, with no Registrar there.
func TestGlass(t *testing.T) {
	g := newGlass(t, "glass")
	if panes, err := g.Look(t.Context()); err != nil || len(panes) != 2 || !panes[0].Missing || !panes[1].Missing {
		t.Errorf("where nothing is registered: got %+v, %v", panes, err)
	}
	r, err := controller.NewRegistrar(g.cfg)
	must(t, "make registrar", err)
	_, err = r.Register(t.Context())
	must(t, "register", err)
	before := g.both(t)
	g.opens(t, time.Minute, "first")
	g.opens(t, time.Minute, "second")
	if got := validating(t, g.client, "glass").Annotations["lintel.dev/breakglass-reason"]; got != "second" || g.stands(t) != "open" {
		t.Errorf("opened twice the gate stands %s, for the reason %q", g.stands(t), got)
	}
	for range 2 {
		_, err = g.End(t.Context())
		must(t, "end", err)
		if diff := cmp.Diff(before, g.both(t)); diff != "" {
			t.Errorf("-before, +after the gate was open:\n%s", diff)
		}
	}
	kubectl(t, "delete", "mutatingwebhookconfiguration", "glass")
	g.opens(t, time.Minute, "third")
	panes, err := g.Look(t.Context())
	must(t, "look", err)
	if len(panes) != 2 || !panes[0].IsOpen() || panes[0].Opening.By != "jane" || !panes[1].Missing {
		t.Errorf("where one is missing: got %+v, want the other to be open", panes)
	}
}

// TestNewOpening refuses what could not be read by those who look for the reason.
func TestNewOpening(t *testing.T) {
	cases := map[string]struct {
		reason string
		length time.Duration
		why    string
		want   string // the error; "" for none
	}{
		"Hour":     {"It is an hour at most.", time.Hour, "INC-1", ""},
		"Longer":   {"And no longer.", time.Hour + time.Second, "INC-1", "the gate cannot be open for 1h0m1s: give it a second at least and 1h0m0s at most"},
		"Nothing":  {"Nor for no time.", 0, "INC-1", "the gate cannot be open for 0s: give it a second at least and 1h0m0s at most"},
		"Backward": {"Nor in the past.", -time.Minute, "INC-1", "the gate cannot be open for -1m0s: give it a second at least and 1h0m0s at most"},
		"NoReason": {"Somebody asks why.", time.Minute, " \t", "the reason is missing: those who read the records have to know why the gate was open"},
		"Control":  {"Terminals do what they are told.", time.Minute, "a\x1b[2Jb", "the reason has characters that cannot be shown, such as a line break: leave them out"},
		"Line":     {"A record has one line.", time.Minute, "a\nb", "the reason has characters that cannot be shown, such as a line break: leave them out"},
		"Long":     {"An Event holds so much.", time.Minute, strings.Repeat("a", 301), "the reason has 301 bytes: 300 at most are kept"},
		"Full":     {"And no less.", time.Minute, strings.Repeat("a", 300), ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := controller.NewOpening(time.Now(), tc.length, tc.why, "jane")
			if got := fmt.Sprint(err); tc.want == "" && err != nil || tc.want != "" && got != tc.want {
				t.Errorf("%s\nNewOpening(...): got %v, want %q", tc.reason, err, tc.want)
			}
		})
	}
}

// TestEditsAreTold holds that edits are put right in time, by who runs as it comes,
// with an Event and a metric; the way out by a label of the object among them.
func TestEditsAreTold(t *testing.T) {
	cfg, client := registrar(t, "told")
	metrics := prometheus.NewRegistry()
	cfg.Refresh, cfg.Metrics, cfg.Events = 0, metrics, recorder(t, client)
	watch(t, cfg)
	eventually(t, "both configurations", func() bool { return exist(t, client, "told") == "both" })
	g := glass{name: "told", client: client, metrics: metrics}
	before := g.both(t)
	for kind, patch := range map[string]string{
		"validating": `[{"op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": "eQ=="},
			{"op": "replace", "path": "/webhooks/0/rules/0/operations", "value": ["CREATE"]},
			{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Ignore"},
			{"op": "replace", "path": "/webhooks/0/matchPolicy", "value": "Exact"},
			{"op": "replace", "path": "/webhooks/1/namespaceSelector", "value": {"matchLabels": {"a": "b"}}}]`,
		"mutating": `[{"op": "replace", "path": "/webhooks/0/objectSelector", "value": {"matchExpressions": [{"key": "skip", "operator": "DoesNotExist"}]}}]`,
	} {
		kubectl(t, "patch", kind+"webhookconfiguration", "told", "--type=json", "-p", patch)
	}
	began := time.Now()
	for !cmp.Equal(before, g.both(t)) {
		if time.Since(began) > 2*time.Minute {
			t.Fatal("edits are not put right after 30 s")
		}
		time.Sleep(100 * time.Millisecond)
	}
	want := []string{
		"MutatingWebhookConfiguration: Edited by somebody else, and put right: patch.lintel.dev objectSelector",
		"ValidatingWebhookConfiguration: Edited by somebody else, and put right: deny.lintel.dev clientConfig, deny.lintel.dev failurePolicy, " +
			"deny.lintel.dev matchPolicy, deny.lintel.dev rules, warn.lintel.dev namespaceSelector",
	}
	if diff := cmp.Diff(want, notes(t, client, "told", "RegistrationEdited", 2)); diff != "" {
		t.Errorf("Events: -want, +got:\n%s", diff)
	}
	if got := count(t, metrics, "lintel_registration_edits_total"); got < 1 {
		t.Errorf("edits: got %v, want one", got)
	}
	if problems, err := testutil.GatherAndLint(metrics); err != nil || len(problems) > 0 {
		t.Errorf("metrics: %v %v", problems, err)
	}
}
