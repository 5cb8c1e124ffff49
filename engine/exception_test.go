package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// except returns an exception of namespace shop, for an hour, from policies.
func except(name string, objects v1alpha1.Objects, policies ...string) v1alpha1.PolicyException {
	return v1alpha1.PolicyException{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
		Spec:       v1alpha1.PolicyExceptionSpec{Policies: policies, Objects: objects, Reason: "r", Owner: "o", Expires: timeAt(now.Add(time.Hour))},
	}
}

func named(names ...string) v1alpha1.Objects { return v1alpha1.Objects{Names: names} }

// ending returns e with another end.
func ending(e v1alpha1.PolicyException, at time.Time) v1alpha1.PolicyException {
	e.Spec.Expires = timeAt(at)
	return e
}

// honouring returns policies that deny each Deployment and honour exceptions.
func honouring(names ...string) []engine.Policy {
	policies := make([]engine.Policy, len(names))
	for i, name := range names {
		policies[i] = policy(name, `violation contains {"msg": "m"}`)
		policies[i].Spec.Exceptions = &v1alpha1.Exceptions{}
	}
	return policies
}

// verdict returns what denies and what is excused of a decision.
func verdict(d *engine.Decision) string {
	var denied, excused []string
	for _, v := range d.Violations {
		denied = append(denied, v.Policy)
	}
	for _, e := range d.Excused {
		excused = append(excused, e.Policy+" by "+e.Exception)
	}
	return fmt.Sprintf("denied %s, excused %s", denied, excused)
}

func TestExceptionsAreNotCombined(t *testing.T) {
	cases := map[string]struct {
		reason     string
		exceptions []v1alpha1.PolicyException
		want       string
	}{
		"Overlapping": {
			reason:     "Each excuses from what it names itself.",
			exceptions: []v1alpha1.PolicyException{except("x", named("web"), "a"), except("y", named("w*"), "b")},
			want:       "denied [c], excused [a by shop/x b by shop/y]",
		},
		"NotTheUnion": {
			reason:     "The objects of one and the policies of another make no exception.",
			exceptions: []v1alpha1.PolicyException{except("x", named("web"), "a"), except("y", named("other"), "a", "b", "c")},
			want:       "denied [b c], excused [a by shop/x]",
		},
		"ExpiredBesideLive": {
			reason:     "One that lasts does not bring back one that has expired.",
			exceptions: []v1alpha1.PolicyException{ending(except("x", named("web"), "a", "b"), now), except("y", named("web"), "a")},
			want:       "denied [b c], excused [a by shop/y]",
		},
		"LastOne": {
			reason:     "Of several that excuse from one policy, the one is named whose end matters.",
			exceptions: []v1alpha1.PolicyException{except("x", named("web"), "a"), ending(except("y", named("web"), "a"), now.Add(2*time.Hour)), except("z", named("web"), "a")},
			want:       "denied [b c], excused [a by shop/y]",
		},
		"NarrowObjects": {
			reason: "All that is given of spec.objects has to match.",
			exceptions: []v1alpha1.PolicyException{
				except("x", v1alpha1.Objects{Names: []string{"web"}, Kinds: []string{"StatefulSet"}}, "a"),
				except("y", v1alpha1.Objects{Names: []string{"web"}, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"legacy": "yes"}}}, "b"),
			},
			want: "denied [a b c], excused []",
		},
		"UnknownPolicy": {
			reason:     "A name that no policy has excuses from no other.",
			exceptions: []v1alpha1.PolicyException{except("x", named("web"), "d")},
			want:       "denied [a b c], excused []",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for range 2 { // whatever order they come in
				set := compile(t, engine.Config{Policies: honouring("a", "b", "c"), Exceptions: tc.exceptions})
				if got := verdict(review(t, set, ask{object: deployment(object{})})); got != tc.want {
					t.Errorf("%s\nReview(...): got %s, want %s", tc.reason, got, tc.want)
				}
				slices.Reverse(tc.exceptions)
			}
		})
	}
}

// TestExceptionBeforeItsPolicy adds a policy that an exception names already: its
// Policy alone says whether exceptions are honoured.
func TestExceptionBeforeItsPolicy(t *testing.T) {
	of := []v1alpha1.PolicyException{except("x", named("web"), "new")}
	newer := policy("new", `violation contains {"msg": "m"}`)
	cases := map[string]struct {
		exceptions *v1alpha1.Exceptions
		want       string
	}{
		"Honours":        {&v1alpha1.Exceptions{}, "denied [], excused [new by shop/x]"},
		"HonoursNothing": {nil, "denied [new], excused []"},
	}
	for name, tc := range cases {
		newer.Spec.Exceptions = tc.exceptions
		set := compile(t, engine.Config{Policies: []engine.Policy{newer}, Exceptions: of})
		if got := verdict(review(t, set, ask{object: deployment(object{})})); got != tc.want {
			t.Errorf("%s: got %s, want %s", name, got, tc.want)
		}
	}
}

// TestExceptionByTheClockOfTheRequest moves the clock about: the time of the request
// decides, and nothing is remembered of another.
func TestExceptionByTheClockOfTheRequest(t *testing.T) {
	set := compile(t, engine.Config{Policies: honouring("a"), Exceptions: []v1alpha1.PolicyException{except("x", named("web"), "a")}})
	end := now.Add(time.Hour)
	for _, tc := range []struct {
		what string
		at   time.Time
		want bool
	}{
		{"at once", now, true},
		{"ten minutes before", end.Add(-10 * time.Minute), true},
		{"right before", end.Add(-1), true},
		{"at the end", end, false},
		{"ten minutes behind", end.Add(10 * time.Minute), false},
		{"after a jump back", end.Add(-10 * time.Minute), true},
		{"in another zone", end.In(time.FixedZone("", -3*3600)), false},
		{"years before", now.AddDate(-10, 0, 0), true},
	} {
		a := ask{object: deployment(object{}), at: tc.at}
		if got := len(review(t, set, a).Excused) == 1; got != tc.want {
			t.Errorf("%s: excused %t, want %t", tc.what, got, tc.want)
		}
		if x := explain(t, set, a); x.Exceptions[0].Excuses != tc.want {
			t.Errorf("%s: explained as excused %t, want %t", tc.what, x.Exceptions[0].Excuses, tc.want)
		}
	}
}

func TestExceptionKeepsFromPatching(t *testing.T) {
	patches := policy("a", add(`{"path": ["metadata", "labels", "colour"], "value": "red"}`))
	patches.Spec.Exceptions = &v1alpha1.Exceptions{}
	other := policy("b", add(`{"path": ["metadata", "labels", "size"], "value": "big"}`))
	set := compile(t, engine.Config{Policies: []engine.Policy{patches, other}, Exceptions: []v1alpha1.PolicyException{except("x", named("web"), "a")}})
	alone := compile(t, engine.Config{Policies: []engine.Policy{patches}, Exceptions: []v1alpha1.PolicyException{except("x", named("web"), "a")}})
	if m := patch(t, alone, ask{object: deployment(object{})}); m.Patch != nil || len(m.Excused) != 1 {
		t.Errorf("when no other policy patches: %d excused and patch %s", len(m.Excused), m.Patch)
	}
	cases := map[string]struct {
		at      time.Time
		want    []string
		excused int
	}{
		"Excused": {now, []string{"b"}, 1},
		"Expired": {now.Add(time.Hour), []string{"a", "b"}, 0},
	}
	for name, tc := range cases {
		m := patch(t, set, ask{object: deployment(object{}), at: tc.at})
		if diff := cmp.Diff(tc.want, m.Policies); diff != "" || len(m.Excused) != tc.excused {
			t.Errorf("%s: %d excused, want %d; policies that patch: -want, +got:\n%s", name, len(m.Excused), tc.excused, diff)
		}
	}
}

func TestEndingIsToldOf(t *testing.T) {
	warns, records := honouring("b")[0], honouring("c")[0]
	warns.Spec.Enforcement, records.Spec.Enforcement = v1alpha1.Warn, v1alpha1.DryRun
	records.Spec.Stages = []v1alpha1.Stage{{From: timeAt(now.Add(30 * 24 * time.Hour)), Enforcement: v1alpha1.Deny}}
	end := now.Add(engine.EndingSoon)
	set := compile(t, engine.Config{Policies: append(honouring("a"), warns, records), Exceptions: []v1alpha1.PolicyException{
		ending(except("x", named("web"), "a", "b", "c"), end),
	}})
	told := []string{"exception shop/x ends on 2026-06-15T12:00:00Z: from then on what it excuses is held to a (deny), b (warn)"}
	const controller = "system:serviceaccount:kube-system:deployment-controller"
	cases := map[string]struct {
		reason string
		ask    ask
		want   []string
	}{
		"Soon":       {"Whoever sends the object is told in time.", ask{}, told},
		"NotSoon":    {"A warning that comes for years is not read.", ask{at: now.Add(-time.Second)}, nil},
		"LastMoment": {"It is told of to the end.", ask{at: end.Add(-1)}, told},
		"Controller": {"A controller has nobody to tell.", ask{user: controller}, nil},
	}
	for name, tc := range cases {
		tc.ask.object = deployment(object{})
		d := review(t, set, tc.ask)
		if diff := cmp.Diff(tc.want, d.Warnings()); diff != "" {
			t.Errorf("%s: %s\nWarnings(): -want, +got:\n%s", name, tc.reason, diff)
		}
	}
	many := engine.Ending([]engine.Excuse{
		{Policy: "b", Exception: "shop/y", Expires: end, Then: v1alpha1.Deny}, {Policy: "a", Exception: "shop/x", Expires: end, Then: v1alpha1.Deny},
		{Policy: "a", Exception: "shop/x", Expires: end, Then: v1alpha1.Deny}, {Policy: "a", Exception: "spec.x"},
	}, now)
	if len(many) != 2 || !strings.Contains(many[0], "shop/x") || !strings.HasSuffix(many[0], "held to a (deny)") {
		t.Errorf("Ending(...): got %q, want one for each exception, in order", many)
	}
}

func TestEffects(t *testing.T) {
	p := honouring("a", "b", "c")
	allowed := object{"exceptions": "allowed"}
	p[0].Spec.Exceptions.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"exceptions": "allowed"}}
	p[1].Spec.Exceptions = nil
	set := compile(t, engine.Config{Policies: p, ExcludedNamespaces: []string{"infra"}})
	of := except("x", named("web"), "a", "b", "c", "d")
	elsewhere := of
	elsewhere.Namespace = "infra"
	namespace := func(labels object) *engine.Object {
		return objectOf(t, object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": "shop", "labels": labels}})
	}
	cases := map[string]struct {
		of   v1alpha1.PolicyException
		ns   *engine.Object
		want []string
	}{
		"Allowed": {of, namespace(allowed), []string{
			"a: ", "b: the policy honours no exceptions: its spec.exceptions is missing", "c: ", "d: no policy of that name is in force",
		}},
		"NotAllowed": {of, namespace(object{}), []string{
			"a: the policy's spec.exceptions does not select the namespace", "b: the policy honours no exceptions: its spec.exceptions is missing",
			"c: ", "d: no policy of that name is in force",
		}},
		"Unknown": {of, nil, []string{
			"a: the labels of the namespace are not known", "b: the policy honours no exceptions: its spec.exceptions is missing",
			"c: ", "d: no policy of that name is in force",
		}},
		"Excluded": {elsewhere, namespace(allowed), []string{
			"a: the namespace is judged by no policy", "b: the namespace is judged by no policy", "c: the namespace is judged by no policy",
			"d: no policy of that name is in force",
		}},
	}
	for name, tc := range cases {
		var got []string
		for _, e := range set.Effects(tc.of, tc.ns) {
			got = append(got, e.Policy+": "+e.Why)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: Effects(...): -want, +got:\n%s", name, diff)
		}
	}
}
