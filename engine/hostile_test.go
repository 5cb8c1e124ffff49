package engine_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/engine"
)

// reviewRaw reviews the creation of a Deployment whose spec is given as JSON,
// with two seconds to do so.
func reviewRaw(t *testing.T, set *engine.Set, spec string) (*engine.Decision, time.Duration) {
	t.Helper()
	body := strings.Replace(string(ask{object: deployment(object{"x": "SPEC"})}.json(t)), `{"x":"SPEC"}`, spec, 1)
	req, err := engine.Decode([]byte(body))
	if err != nil {
		t.Fatalf("Decode(...): %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	begin := time.Now()
	d, err := set.Review(ctx, req.At(now), nil)
	if err != nil {
		t.Fatalf("Review(...): %v", err)
	}
	return d, time.Since(begin)
}

func TestDeepObjects(t *testing.T) {
	const levels = 9000
	deep := strings.Repeat(`{"a":`, levels) + `"bottom"` + strings.Repeat("}", levels)
	cases := map[string]struct {
		reason string
		rule   string
		want   []string
	}{
		"Read": {
			"An object as deep as the API server takes is judged.",
			`violation contains {"msg": "m", "path": ["spec", "a"]} if input.review.object.spec.a`,
			[]string{"deny a spec.a: m"},
		},
		"Compared": {
			"Values are compared to their bottom.",
			`violation contains {"msg": "m"} if input.review.object.spec == input.review.object.spec`,
			[]string{"deny a : m"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			d, _ := reviewRaw(t, setOf(t, policy("a", tc.rule)), deep)
			if diff := cmp.Diff(tc.want, summary(d)); diff != "" {
				t.Errorf("%s\nReview(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
	t.Run("Walked", func(t *testing.T) {
		set := setOf(t, policy("a", `violation contains {"msg": "found"} if {
	some path
	walk(input.review.object, [path, "bottom"])
	count(path) > 0
}`))
		d, took := reviewRaw(t, set, deep)
		got := summary(d)
		if !cmp.Equal(got, []string{"deny a : found"}) && !cmp.Equal(got, []string{"error deny a: ran out of time"}) {
			t.Errorf("a walk to the bottom: got %v, want it found or out of time", got)
		}
		if took > 20*time.Second {
			t.Errorf("Review(...) took %v with a deadline of 2 s", took)
		}
	})
}

func TestPatchesOfDeepObjects(t *testing.T) {
	const levels = 9000
	set := setOf(t, policy("a", add(`{"path": ["metadata", "labels", "team"], "value": "x"}`)))
	deep := json.RawMessage(strings.Repeat(`{"a":`, levels) + `1` + strings.Repeat("}", levels))
	body, err := json.Marshal(map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": object{"name": "web"}, "spec": deep})
	if err != nil {
		t.Fatal(err)
	}
	req, err := engine.NewRequest(body, "shop")
	if err != nil {
		t.Fatal(err)
	}
	m, err := set.Patch(t.Context(), req.At(now), nil)
	if want := `[{"op":"add","path":"/metadata/labels","value":{"team":"x"}}]`; err != nil || string(m.Patch) != want {
		t.Errorf("Patch(...): got %s, %v, want %s", m.Patch, err, want)
	}
}

// TestStrings follows text that has broken others from the bytes of a request to
// the message and the patch.
func TestStrings(t *testing.T) {
	set := setOf(t, policy("a", `violation contains {"msg": input.review.object.spec.text, "path": ["spec", input.review.object.spec.text]}`))
	cases := map[string]struct{ sent, want string }{
		"NUL":           {`"a\u0000b"`, "a\x00b"},
		"LoneSurrogate": {`"\ud800"`, "\ufffd"},
		"Pair":          {`"\ud83d\ude00"`, "😀"},
		"LineSeparator": {`"a\u2028b"`, "a\u2028b"},
		"InvalidUTF8":   {"\"\xff\xfe\"", "\ufffd\ufffd"},
		"Escaped":       {`"\u003cscript\u003e"`, "<script>"},
		"Format":        {`"%s %d %!"`, "%s %d %!"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			d, _ := reviewRaw(t, set, `{"text":`+tc.sent+`}`)
			if len(d.Violations) != 1 || d.Violations[0].Message != tc.want {
				t.Fatalf("Review(...): got %q, want the message %q", summary(d), tc.want)
			}
			if message := d.Message(); strings.ContainsAny(message, "\x00\u2028\ufffd") || strings.Count(message, "\n") != 2 {
				t.Errorf("Message(): %q has characters that break a line or a terminal", message)
			}
		})
	}
}

// tiny and tinier are numbers that JSON permits and that big.Rat, by which OPA
// compares, does not read: it panics.
const tiny, tinier = "1e-2000000", "1e-2000001"

// TestPanics has policies that make the evaluator panic among others, for
// requests that are judged on the caller's goroutine and on one of their own: a
// panic on that one would end the process.
func TestPanics(t *testing.T) {
	const at = `"path": ["spec", "x"]`
	set := setOf(t,
		policy("a", `violation contains {"msg": "here"}`),
		policy("compares", `violation contains {"msg": "m"} if input.review.object.spec.x > 0.5`),
		policy("ratchets", `violation contains {"msg": "m", `+at+`} if input.review.object.spec.x`),
		policy("z", `violation contains {"msg": "here"}`),
		policy("patches", add(`{"path": ["metadata", "labels", "team"], "value": "x"}`)),
		policy("sets", add(`{`+at+`, "op": "set", "value": input.review.oldObject.spec.x}`)),
	)
	for name, size := range map[string]int{"Small": 1, "Large": 20_000} {
		t.Run(name, func(t *testing.T) {
			body := string(ask{operation: "UPDATE", object: deployment(object{"x": "NOW", "pad": strings.Repeat("y", size)}), old: deployment(object{"x": "OLD"})}.json(t))
			req, err := engine.Decode([]byte(strings.NewReplacer(`"NOW"`, tiny, `"OLD"`, tinier).Replace(body)))
			if err != nil {
				t.Fatalf("Decode(...): %v", err)
			}
			d, err := set.Review(t.Context(), req.At(now), nil)
			if err != nil {
				t.Fatalf("Review(...): %v", err)
			}
			want := []string{"deny a : here", "deny z : here", "error deny compares: the evaluator panicked", "error deny ratchets: the evaluator panicked"}
			if diff := cmp.Diff(want, summary(d)); diff != "" {
				t.Errorf("A panic is the error of one policy: -want, +got:\n%s", diff)
			}
			leaving, err := engine.Decode([]byte(strings.NewReplacer(`"NOW"`, tiny, `"OLD"`, tinier, `"namespace":"shop"}`, `"namespace":"shop","deletionTimestamp":"2026-06-01T12:00:00Z"}`).Replace(body)))
			if err != nil {
				t.Fatalf("Decode(...): %v", err)
			}
			if d, err := set.Review(t.Context(), leaving.At(now), nil); err != nil || d.Allowed() {
				t.Errorf("Review(...) of an object that is being deleted and changed: got %v, %v", d, err)
			}
			m, err := set.Patch(t.Context(), req.At(now), nil)
			if err != nil {
				t.Fatalf("Patch(...): %v", err)
			}
			patched := mutation{
				Patch: `[{"op":"add","path":"/metadata/labels","value":{"team":"x"}}]`, Policies: []string{"patches"},
				Errors: []string{"policy sets: patch: the evaluator panicked"},
			}
			if diff := cmp.Diff(patched, mutationOf(m)); diff != "" {
				t.Errorf("A panic is the error of one policy: -want, +got:\n%s", diff)
			}
		})
	}
}
