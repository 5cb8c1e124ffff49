package replay_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/replay"
)

// sized has a policy of each name that finds something in ConfigMaps whose data has
// its key.
func sized(t testing.TB, enforcements map[string]v1alpha1.Enforcement) *engine.Set {
	t.Helper()
	var cfg engine.Config
	for name, enforcement := range enforcements {
		rego := `# METADATA
# custom: {severity: high, match: {operations: [CREATE, UPDATE, DELETE], kinds: [{apiGroups: [""], kinds: [ConfigMap]}]}}
package lintel.` + name + `

violation contains {"msg": "has NAME", "path": ["data", "NAME"]} if input.review.object.data.NAME
`
		cfg.Policies = append(cfg.Policies, engine.Policy{Name: name, Modules: []v1alpha1.Module{{Name: name + ".rego", Rego: strings.ReplaceAll(rego, "NAME", name)}},
			Spec: v1alpha1.PolicySpec{Enforcement: enforcement}})
	}
	set, err := engine.Compile(cfg)
	if err != nil {
		t.Fatalf("Compile(...): %v", err)
	}
	return set
}

// recorded returns the line of a ConfigMap with keys, as a door has recorded it.
func recorded(t testing.TB, uid, door string, at time.Time, keys string, v replay.Verdict) string {
	t.Helper()
	data := map[string]string{}
	for _, key := range strings.Fields(keys) {
		data[key] = "1"
	}
	object, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": uid, "namespace": "shop"}, "data": data})
	if err != nil {
		t.Fatal(err)
	}
	return noted(t, review(t, uid, string(object)), door, at, v)
}

func noted(t testing.TB, review, door string, at time.Time, v replay.Verdict) string {
	t.Helper()
	note, err := json.Marshal(replay.Note{Version: 1, Time: at, Door: door, Verdict: v,
		Namespace: json.RawMessage(`{"kind":"Namespace","metadata":{"name":"shop","labels":{"team":"checkout"}}}`)})
	if err != nil {
		t.Fatal(err)
	}
	return `{"lintel":` + string(note) + `,` + review[1:]
}

// run judges sources again.
func run(t testing.TB, opts replay.Options, sources ...string) *replay.Summary {
	t.Helper()
	var from []replay.Source
	for i, text := range sources {
		from = append(from, replay.Source{Name: fmt.Sprint("file", i), Reader: strings.NewReader(text)})
	}
	s, err := replay.Run(t.Context(), opts, from...)
	if err != nil {
		t.Fatalf("Run(...): %v", err)
	}
	return s
}

func finding(policy string, e v1alpha1.Enforcement) replay.Finding {
	return replay.Finding{Policy: policy, Enforcement: e}
}

func TestClasses(t *testing.T) {
	const deny, warn, dryrun = v1alpha1.Deny, v1alpha1.Warn, v1alpha1.DryRun
	verdict := func(allowed bool, findings ...replay.Finding) replay.Verdict {
		return replay.Verdict{Allowed: allowed, Findings: findings}
	}
	cases := map[string]struct {
		reason string
		keys   string // what of a (deny), b (warn) and c (dryrun) is found now
		before replay.Verdict
		want   replay.Class
		policy map[string]replay.Class
	}{
		"Unchanged":         {reason: "Nothing then and nothing now.", before: verdict(true), want: replay.Same},
		"SameFinding":       {reason: "What was denied is denied, by the same policy.", keys: "a", before: verdict(false, finding("a", deny)), want: replay.Same},
		"NewlyDenied":       {reason: "This is what people want to know.", keys: "a", before: verdict(true), want: replay.NewlyDenied, policy: map[string]replay.Class{"a": replay.NewlyDenied}},
		"DeniedAfterWarned": {reason: "A policy was tried as a warning.", keys: "a", before: verdict(true, finding("a", warn)), want: replay.NewlyDenied, policy: map[string]replay.Class{"a": replay.NewlyDenied}},
		"DeniedForOther": {reason: "Another policy denies what was denied: the request fares as before, the policies do not.", keys: "a",
			before: verdict(false, finding("old", deny)), want: replay.Otherwise, policy: map[string]replay.Class{"a": replay.NewlyDenied, "old": replay.NoLongerDenied}},
		"NoLongerDenied":   {reason: "The policy that denied is no more.", before: verdict(false, finding("old", deny)), want: replay.NoLongerDenied, policy: map[string]replay.Class{"old": replay.NoLongerDenied}},
		"WarnedAfterDeny":  {reason: "It was denied, and is warned about.", keys: "b", before: verdict(false, finding("b", deny)), want: replay.NoLongerDenied, policy: map[string]replay.Class{"b": replay.NoLongerDenied}},
		"RefusedUndecided": {reason: "It was refused because nobody could decide, and is allowed.", before: replay.Verdict{Unjudged: true}, want: replay.NoLongerDenied},
		"NewlyWarned":      {reason: "Somebody sees a new warning.", keys: "b", before: verdict(true, finding("b", dryrun)), want: replay.NewlyWarned, policy: map[string]replay.Class{"b": replay.NewlyWarned}},
		"NoLongerWarned":   {reason: "Nobody sees the warning any more.", before: verdict(true, finding("b", warn)), want: replay.NoLongerWarned, policy: map[string]replay.Class{"b": replay.NoLongerWarned}},
		"Recorded":         {reason: "It is recorded, which nobody but an operator sees.", keys: "c", before: verdict(true), want: replay.Otherwise, policy: map[string]replay.Class{"c": replay.Otherwise}},
		"WorstOfPolicy": {reason: "A policy that denied and warned denied.", before: verdict(false, finding("b", deny), finding("b", warn)), keys: "b",
			want: replay.NoLongerDenied, policy: map[string]replay.Class{"b": replay.NoLongerDenied}},
	}
	set := sized(t, map[string]v1alpha1.Enforcement{"a": deny, "b": warn, "c": dryrun})
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := run(t, replay.Options{Set: set}, recorded(t, "u", "validate", now(), tc.keys, tc.before))
			if s.Counts[tc.want] != 1 || s.Requests != 1 {
				t.Errorf("%s\nRun(...): want one that is %s, got %v %v", tc.reason, tc.want, s.Counts, s.Errors)
			}
			got := map[string]replay.Class{}
			for _, p := range s.Policies {
				for class, n := range p.Counts {
					if n > 0 {
						got[p.Policy] = class
					}
				}
			}
			if len(tc.policy)+len(got) > 0 && !cmp.Equal(tc.policy, got) {
				t.Errorf("%s\nRun(...): policies: want %v, got %v", tc.reason, tc.policy, got)
			}
		})
	}
}

// TestUndecided holds that a policy that cannot decide is never taken for one that
// finds nothing.
func TestUndecided(t *testing.T) {
	set, err := engine.Compile(engine.Config{Policies: []engine.Policy{{Name: "errs", Modules: []v1alpha1.Module{{Name: "errs.rego", Rego: `# METADATA
# custom: {severity: high, match: {kinds: [{apiGroups: [""], kinds: [ConfigMap]}]}}
package lintel.errs

violation contains {"msg": "m"} if to_number(input.review.object.data.a) == 1
`}}}}})
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Replace(recorded(t, "u", "validate", now(), "a", replay.Verdict{Allowed: true}), `"a":"1"`, `"a":"x"`, 1)
	s := run(t, replay.Options{Set: set, Examples: 1}, line)
	if s.Counts[replay.Unsure] != 1 || len(s.Examples) != 1 || s.Examples[0].Changes[0].To != "undecided" {
		t.Errorf("got %v, %v", s.Counts, s.Examples)
	}
}

// TestRequestIsKept holds that a request is judged as it came in: a deletion as
// one, a change by what it changes, a controller as one, at its time.
func TestRequestIsKept(t *testing.T) {
	set := sized(t, map[string]v1alpha1.Enforcement{"a": v1alpha1.Deny})
	created := recorded(t, "u", "validate", now(), "a", replay.Verdict{Allowed: true})
	object := `{"data":{"a":"1"},"kind":"ConfigMap"}`
	cases := map[string]struct {
		reason string
		line   string
		want   replay.Class
	}{
		"Created": {"A new object is denied.", created, replay.NewlyDenied},
		"Update": {"What was there before is warned about, not denied.",
			strings.Replace(strings.Replace(created, `"oldObject":null`, `"oldObject":`+object, 1), "CREATE", "UPDATE", 1), replay.NewlyWarned},
		"Delete": {"What is deleted has no object.",
			strings.Replace(strings.Replace(strings.Replace(created, `"object":`, `"x":`, 1), `"oldObject":null`, `"oldObject":`+object, 1), "CREATE", "DELETE", 1), replay.Same},
		"Deleting": {"What is being deleted can go.", strings.Replace(strings.Replace(created, "CREATE", "UPDATE", 1), `"oldObject":null`,
			`"oldObject":{"apiVersion":"v1","data":{"a":"1"},"kind":"ConfigMap","metadata":{"deletionTimestamp":"2026-01-01T00:00:00Z"}}`, 1), replay.Same},
		"Controller": {"What a controller makes is only recorded.", strings.Replace(created, `"ann"`, `"system:kube-controller-manager"`, 1), replay.Otherwise},
		"Excluded":   {"An excluded namespace is not judged.", strings.Replace(created, `"namespace":"shop","object"`, `"namespace":"kube-system","object"`, 1), replay.Same},
	}
	for name, tc := range cases {
		s := run(t, replay.Options{Set: set}, tc.line)
		if s.Counts[tc.want] != 1 {
			t.Errorf("%s: %s Want %s, got %v %v", name, tc.reason, tc.want, s.Counts, s.Errors)
		}
	}
}

// TestTime holds that stages go by the time of the request, unless another is given.
func TestTime(t *testing.T) {
	staged, err := engine.Compile(engine.Config{Policies: []engine.Policy{{Name: "a", Modules: []v1alpha1.Module{{Name: "a.rego", Rego: `# METADATA
# custom: {severity: high, match: {kinds: [{apiGroups: [""], kinds: [ConfigMap]}]}}
package lintel.a

violation contains {"msg": "m"}
`}}, Spec: v1alpha1.PolicySpec{Enforcement: v1alpha1.DryRun, Stages: []v1alpha1.Stage{{From: metav1.NewTime(now().Add(time.Hour)), Enforcement: v1alpha1.Deny}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	line := recorded(t, "u", "validate", now(), "", replay.Verdict{Allowed: true})
	if s := run(t, replay.Options{Set: staged}, line); s.Counts[replay.NewlyDenied] != 0 {
		t.Errorf("before the stage it is denied: %v", s.Counts)
	}
	if s := run(t, replay.Options{Set: staged, At: now().Add(2 * time.Hour)}, line); s.Counts[replay.NewlyDenied] != 1 {
		t.Errorf("as of a time after the stage it is not denied: %v %v", s.Counts, s.Errors)
	}
}

// TestDoorsAreOne holds that what two replicas recorded of one request counts as
// one, with all that was found, in whatever files it is.
func TestDoorsAreOne(t *testing.T) {
	set := sized(t, map[string]v1alpha1.Enforcement{"a": v1alpha1.Deny, "b": v1alpha1.Warn})
	var one, two []string
	for i := range 100 {
		uid, at := fmt.Sprint("u", i), now().Add(time.Duration(i)*time.Second)
		denied := recorded(t, uid, "deny", at, "a b", replay.Verdict{Findings: []replay.Finding{finding("a", v1alpha1.Deny)}})
		warned := recorded(t, uid, "warn", at.Add(time.Millisecond), "a b", replay.Verdict{Allowed: true, Findings: []replay.Finding{finding("b", v1alpha1.Warn)}})
		if i%2 == 0 {
			denied, warned = warned, denied
		}
		one, two = append(one, denied), append(two, warned)
	}
	for name, sources := range map[string][]string{
		"two files":        {strings.Join(one, "\n"), strings.Join(two, "\n")},
		"one file":         {strings.Join(append(append([]string{}, one[:50]...), two[:50]...), "\n"), strings.Join(append(append([]string{}, one[50:]...), two[50:]...), "\n")},
		"asked repeatedly": {strings.Join(one, "\n"), strings.Join(two, "\n"), strings.Join(one, "\n")},
	} {
		s := run(t, replay.Options{Set: set}, sources...)
		if s.Requests != 100 || s.Counts[replay.Same] != 100 {
			t.Errorf("%s: got %d requests, %v, want 100 that are unchanged", name, s.Requests, s.Counts)
		}
		if want := map[string]int{"asked repeatedly": 100}[name]; s.Repeated != want {
			t.Errorf("%s: %d repeated, want %d", name, s.Repeated, want)
		}
	}
	// One of the doors alone is judged by all policies.
	s := run(t, replay.Options{Set: set}, strings.Join(one, "\n"))
	if s.Requests != 100 || s.Counts[replay.NewlyDenied] != 50 {
		t.Errorf("lines of one door: got %v", s.Counts)
	}
}

// TestBaseline holds that another set judges what is compared with.
func TestBaseline(t *testing.T) {
	before, after := sized(t, map[string]v1alpha1.Enforcement{"a": v1alpha1.Warn}), sized(t, map[string]v1alpha1.Enforcement{"a": v1alpha1.Deny})
	s := run(t, replay.Options{Set: after, Baseline: before, Examples: 3}, review(t, "u", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"namespace":"shop","labels":{"team":"x"}},"data":{"a":"1"}}`))
	if s.Counts[replay.NewlyDenied] != 1 || s.Baseline != before.Revision() {
		t.Fatalf("got %v, compared with %q", s.Counts, s.Baseline)
	}
	want := []replay.Change{{Policy: "a", From: "warn", To: "deny", Path: "data.a", Message: "has a"}}
	if diff := cmp.Diff(want, s.Examples[0].Changes); diff != "" || s.Examples[0].Team != "x" {
		t.Errorf("example of %s: -want, +got:\n%s", s.Examples[0].Team, diff)
	}
}

// TestBrokenLines holds that what is no review is named by its line and that the
// others count.
func TestBrokenLines(t *testing.T) {
	set := sized(t, map[string]v1alpha1.Enforcement{"a": v1alpha1.Deny})
	good := recorded(t, "u", "validate", now(), "a", replay.Verdict{})
	cases := map[string]struct {
		text     string
		requests int
		want     []string
	}{
		"cut":             {good + "\n" + good[:100] + "\n\n" + strings.Replace(good, `"uid":"u"`, `"uid":"v"`, 1), 2, []string{"file0:2: no AdmissionReview in JSON"}},
		"cut at first":    {good[:100] + "\n" + good, 1, []string{"file0:1: no AdmissionReview in JSON"}},
		"no request":      {"{}\n" + good, 1, []string{"file0:1: decode AdmissionReview: apiVersion is not admission.k8s.io/v1"}},
		"other version":   {strings.Replace(good, `"version":1`, `"version":2`, 1), 0, []string{"file0:1: recorded by another version of Lintel: format 2, not 1"}},
		"too long":        {strings.Repeat("x", 33<<20) + "\n" + good, 1, []string{"file0:1: longer than 32 MiB"}},
		"too heavy":       {`{"a":[` + strings.Repeat("0,", 3<<20) + "0]}\n" + good, 1, []string{"file0:1: judging it would take too much memory"}},
		"several in many": {indent(t, good) + "\n" + indent(t, strings.Replace(good, `"uid":"u"`, `"uid":"v"`, 1)), 2, nil},
		"no newline":      {good, 1, nil},
		"windows":         {good + "\r\n", 1, nil},
		"empty":           {"", 0, nil},
	}
	for name, tc := range cases {
		s := run(t, replay.Options{Set: set}, tc.text)
		var got []string
		for _, e := range s.Errors {
			got = append(got, fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message))
		}
		if diff := cmp.Diff(tc.want, got); diff != "" || s.Requests != tc.requests {
			t.Errorf("%s: %d requests, want %d; errors: -want, +got:\n%s", name, s.Requests, tc.requests, diff)
		}
	}
	broken := io.MultiReader(strings.NewReader(good+"\n"), iotest.ErrReader(errors.New("disk fell out")))
	s, err := replay.Run(t.Context(), replay.Options{Set: set}, replay.Source{Name: "f", Reader: broken})
	if err != nil || s.Requests != 1 || len(s.Errors) != 1 {
		t.Errorf("a file that cannot be read to its end: %v, %v", s, err)
	}
}

func indent(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(text), "", "  "); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestPatchedFirst holds that what the policies would mend is not counted as denied.
func TestPatchedFirst(t *testing.T) {
	set, err := engine.Compile(engine.Config{Policies: []engine.Policy{{Name: "a", Modules: []v1alpha1.Module{{Name: "a.rego", Rego: `# METADATA
# custom: {severity: high, match: {kinds: [{apiGroups: [""], kinds: [ConfigMap]}]}}
package lintel.a

violation contains {"msg": "m"} if not input.review.object.metadata.labels.owner

patch contains {"path": ["metadata", "labels", "owner"], "value": "me"}
`}}, Spec: v1alpha1.PolicySpec{Patches: v1alpha1.PatchApply}}}})
	if err != nil {
		t.Fatal(err)
	}
	if s := run(t, replay.Options{Set: set}, recorded(t, "u", "validate", now(), "", replay.Verdict{Allowed: true})); s.Counts[replay.Same] != 1 {
		t.Errorf("got %v %v, want it unchanged: the policy adds the label", s.Counts, s.Errors)
	}
}
