package engine_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// mutation is what tests compare of an engine.Mutation.
type mutation struct {
	Patch    string
	Policies []string
	Warnings []string
	Errors   []string
	Recorded string
}

func mutationOf(m *engine.Mutation) mutation {
	got := mutation{Patch: string(m.Patch), Policies: m.Policies, Warnings: m.Warnings, Recorded: string(m.Recorded)}
	for _, e := range m.Errors {
		got.Errors = append(got.Errors, e.Error())
	}
	return got
}

func patch(t testing.TB, set *engine.Set, a ask) *engine.Mutation {
	t.Helper()
	m, err := set.Patch(t.Context(), a.request(t), nil)
	if err != nil {
		t.Fatalf("Patch(...): %v", err)
	}
	return m
}

// add returns a patch rule with one result.
func add(result string) string { return "patch contains " + result + "\n" }

func TestPatch(t *testing.T) {
	web := deployment(object{"template": object{"spec": object{"containers": []any{object{"name": "a"}, object{"name": "b"}, object{"name": "c"}}}}})
	cases := map[string]struct {
		reason   string
		policies []engine.Policy
		object   object
		want     mutation
	}{
		"MissingParents": {
			reason:   "Parents that are missing are made, in one operation.",
			policies: []engine.Policy{policy("a", add(`{"path": ["metadata", "labels", "team"], "value": "x"}`))},
			object:   web,
			want:     mutation{Patch: `[{"op":"add","path":"/metadata/labels","value":{"team":"x"}}]`, Policies: []string{"a"}},
		},
		"NullParent": {
			reason:   "A null is as good as nothing.",
			policies: []engine.Policy{policy("a", add(`{"path": ["metadata", "labels", "team"], "value": "x"}`))},
			object:   object{"metadata": object{"labels": nil}},
			want:     mutation{Patch: `[{"op":"replace","path":"/metadata/labels","value":{"team":"x"}}]`, Policies: []string{"a"}},
		},
		"Escapes": {
			reason:   "Slashes and tildes in keys are escaped.",
			policies: []engine.Policy{policy("a", add(`{"path": ["metadata", "annotations", "example.com/a~b"], "value": "x"}`))},
			object:   object{"metadata": object{"annotations": object{}}},
			want:     mutation{Patch: `[{"op":"add","path":"/metadata/annotations/example.com~1a~0b","value":"x"}]`, Policies: []string{"a"}},
		},
		"DefaultKeeps": {
			reason:   "A default does not touch what is there.",
			policies: []engine.Policy{policy("a", add(`{"path": ["spec", "replicas"], "value": 3}`))},
			object:   deployment(object{"replicas": 0}),
		},
		"Set": {
			reason:   "A set replaces what is there.",
			policies: []engine.Policy{policy("a", add(`{"path": ["spec", "replicas"], "op": "set", "value": 3}`))},
			object:   deployment(object{"replicas": 0}),
			want:     mutation{Patch: `[{"op":"replace","path":"/spec/replicas","value":3}]`, Policies: []string{"a"}},
		},
		"SetOfTheSame": {
			reason:   "What changes nothing is no operation.",
			policies: []engine.Policy{policy("a", add(`{"path": ["spec", "replicas"], "op": "set", "value": 3}`))},
			object:   deployment(object{"replicas": 3}),
		},
		"AppendToNothing": {
			reason:   "A list that is missing is made.",
			policies: []engine.Policy{policy("a", add(`{"path": ["spec", "l"], "op": "append", "value": {"name": "x"}}`))},
			object:   deployment(object{}),
			want:     mutation{Patch: `[{"op":"add","path":"/spec/l","value":[{"name":"x"}]}]`, Policies: []string{"a"}},
		},
		"AppendByName": {
			reason:   "An item with the same name is there already.",
			policies: []engine.Policy{policy("a", add(`{"path": ["spec", "l"], "op": "append", "value": {"name": "x", "v": 1}}`))},
			object:   deployment(object{"l": []any{object{"name": "x"}}}),
		},
		"AppendByKey": {
			reason: "The key that tells items apart is the policy's to name; appends come in the order of policies.",
			policies: []engine.Policy{
				policy("b", add(`{"path": ["spec", "l"], "op": "append", "key": "k", "value": {"k": "x", "v": 2}}`)),
				policy("a", add(`{"path": ["spec", "l"], "op": "append", "key": "k", "value": {"k": "x", "v": 1}}`)),
				policy("c", add(`{"path": ["spec", "l"], "op": "append", "key": "k", "value": {"k": "y"}}`)),
			},
			object: deployment(object{"l": []any{object{"k": "z"}}}),
			want: mutation{Patch: `[{"op":"add","path":"/spec/l/1","value":{"k":"x","v":1}},{"op":"add","path":"/spec/l/2","value":{"k":"y"}}]`,
				Policies: []string{"a", "b", "c"}},
		},
		"RemoveItems": {
			reason: "Removing items from a list does not shift those that are still to go.",
			policies: []engine.Policy{policy("a", `patch contains c if {
	count(input.review.object.spec.template.spec.containers) == 3
	some c in [
		{"path": ["spec", "template", "spec", "containers", 0], "op": "remove"},
		{"path": ["spec", "template", "spec", "containers", 2], "op": "remove"},
		{"path": ["spec", "template", "spec", "containers", 1, "image"], "value": "x"},
	]
}`)},
			object: web,
			want: mutation{Patch: `[{"op":"add","path":"/spec/template/spec/containers/0/image","value":"x"},` +
				`{"op":"replace","path":"/spec/template/spec/containers/0/name","value":"b"},` +
				`{"op":"remove","path":"/spec/template/spec/containers/2"},{"op":"remove","path":"/spec/template/spec/containers/1"}]`, Policies: []string{"a"}},
		},
		"RemoveOnce": {
			reason: "Rules are asked again after a removal.",
			policies: []engine.Policy{policy("a", `patch contains {"path": ["spec", "template", "spec", "containers", i], "op": "remove"} if {
	some i, c in input.review.object.spec.template.spec.containers
	c.name != "b"
}`)},
			object: web,
			want: mutation{Patch: `[{"op":"replace","path":"/spec/template/spec/containers/0/name","value":"b"},` +
				`{"op":"remove","path":"/spec/template/spec/containers/2"},{"op":"remove","path":"/spec/template/spec/containers/1"}]`, Policies: []string{"a"}},
		},
		"Conflict": {
			reason: "Neither of two different values is applied, and nothing else is lost.",
			policies: []engine.Policy{
				policy("a", add(`{"path": ["spec", "x"], "op": "set", "value": 1}`)+add(`{"path": ["spec", "y"], "value": 1}`)),
				policy("b", add(`{"path": ["spec", "x"], "op": "set", "value": 2}`)),
			},
			object: deployment(object{}),
			want: mutation{Patch: `[{"op":"add","path":"/spec/y","value":1}]`, Policies: []string{"a"},
				Warnings: []string{"policies a and b ask for different patches of spec.x, so neither is applied"}},
		},
		"SetBeatsDefault": {
			reason: "A default is what you get when nobody says more.",
			policies: []engine.Policy{
				policy("a", add(`{"path": ["spec", "x"], "value": 1}`)),
				policy("b", add(`{"path": ["spec", "x"], "op": "set", "value": 2}`)),
			},
			object: deployment(object{}),
			want:   mutation{Patch: `[{"op":"add","path":"/spec/x","value":2}]`, Policies: []string{"b"}},
		},
		"EqualValues": {
			reason: "Equal values never conflict.",
			policies: []engine.Policy{
				policy("a", add(`{"path": ["spec", "x"], "value": 1}`)),
				policy("b", add(`{"path": ["spec", "x"], "value": 1}`)),
			},
			object: deployment(object{}),
			want:   mutation{Patch: `[{"op":"add","path":"/spec/x","value":1}]`, Policies: []string{"a"}},
		},
		"RemovedParent": {
			reason: "To remove what another writes into is a conflict.",
			policies: []engine.Policy{
				policy("a", add(`{"path": ["spec", "x"], "op": "remove"}`)),
				policy("b", add(`{"path": ["spec", "x", "y"], "op": "set", "value": 1}`)),
			},
			object: deployment(object{"x": object{"y": 0}}),
			want:   mutation{Warnings: []string{"policies a and b ask for different patches of spec.x, so neither is applied"}},
		},
		"ReplacedParentWithTheSame": {
			reason: "A parent that holds what another writes into it is no conflict.",
			policies: []engine.Policy{
				policy("a", add(`{"path": ["spec", "x"], "value": {"y": 1, "z": 2}}`)),
				policy("b", add(`{"path": ["spec", "x", "y"], "value": 1}`)),
			},
			object: deployment(object{}),
			want:   mutation{Patch: `[{"op":"add","path":"/spec/x","value":{"y":1,"z":2}}]`, Policies: []string{"a"}},
		},
		"Flows": {
			reason: "What one round wrote, the next round reads.",
			policies: []engine.Policy{
				policy("a", `patch contains {"path": ["spec", "template", "metadata", "labels", "team"], "value": input.review.object.metadata.labels.team}`),
				policy("b", add(`{"path": ["metadata", "labels", "team"], "value": "x"}`)),
			},
			object: deployment(object{}),
			want: mutation{Patch: `[{"op":"add","path":"/metadata/labels","value":{"team":"x"}},` +
				`{"op":"add","path":"/spec/template","value":{"metadata":{"labels":{"team":"x"}}}}]`, Policies: []string{"a", "b"}},
		},
		"Unsettled": {
			reason: "A policy that asks for something else each time is left out, and named; the others are not.",
			policies: []engine.Policy{
				policy("a", `patch contains {"path": ["spec", "n"], "op": "set", "value": n + 1} if n := object.get(input.review.object.spec, "n", 0)`),
				policy("b", add(`{"path": ["spec", "x"], "value": 1}`)),
			},
			object: deployment(object{}),
			want: mutation{Patch: `[{"op":"add","path":"/spec/x","value":1}]`, Policies: []string{"b"},
				Errors: []string{"policy a: its patches do not settle in 10 rounds and are left out"}},
		},
		"Broken": {
			reason: "A policy that fails is left out, and named; the others are not.",
			policies: []engine.Policy{
				policy("a", `patch contains {"path": ["spec", "x"], "value": 1 / 0}`),
				policy("b", add(`{"path": ["spec", "x"], "value": 1}`)),
			},
			object: deployment(object{}),
			want: mutation{Patch: `[{"op":"add","path":"/spec/x","value":1}]`, Policies: []string{"b"},
				Errors: []string{"policy a: patch: eval_builtin_error at a.rego:9"}},
		},
		"ThroughAString": {
			reason:   "A path that leads through a scalar leads nowhere.",
			policies: []engine.Policy{policy("a", add(`{"path": ["spec", "x", "y"], "value": 1}`))},
			object:   deployment(object{"x": "s"}),
			want:     mutation{Errors: []string{`policy a: patch: spec.x.y: what is there before "y" is not an object`}},
		},
		"ServerFields": {
			reason:   "What names the object, or is the server's, is never patched.",
			policies: []engine.Policy{policy("a", add(`{"path": ["metadata", "name"], "op": "set", "value": "x"}`)+add(`{"path": ["metadata"], "op": "remove"}`))},
			object:   deployment(object{}),
		},
		"Owned": {
			reason:   "What a controller keeps equal to its template is never patched.",
			policies: []engine.Policy{policy("a", add(`{"path": ["spec", "x"], "value": 1}`))},
			object:   object{"metadata": object{"ownerReferences": []any{object{"controller": true, "kind": "Rollout", "name": "x"}}}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := mutationOf(patch(t, setOf(t, tc.policies...), ask{object: tc.object}))
			if name == "AppendByKey" {
				got.Policies = tc.want.Policies // who brought an item that two bring is not of interest here
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nPatch(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestPatchModes(t *testing.T) {
	rule := add(`{"path": ["spec", "x"], "value": 1}`)
	with := func(e v1alpha1.Enforcement, p v1alpha1.PatchMode) engine.Policy {
		p1 := policy("a", rule)
		p1.Spec = v1alpha1.PolicySpec{Enforcement: e, Patches: p}
		return p1
	}
	const change = `[{"op":"add","path":"/spec/x","value":1}]`
	cases := map[string]struct {
		reason string
		policy engine.Policy
		want   mutation
	}{
		"Deny":      {"A policy that denies patches too.", with(v1alpha1.Deny, ""), mutation{Patch: change, Policies: []string{"a"}}},
		"Warn":      {"Trying Lintel changes nothing.", with(v1alpha1.Warn, ""), mutation{Recorded: change}},
		"DryRun":    {"Trying Lintel changes nothing.", with(v1alpha1.DryRun, ""), mutation{Recorded: change}},
		"WarnApply": {"The operator may have it otherwise.", with(v1alpha1.Warn, v1alpha1.PatchApply), mutation{Patch: change, Policies: []string{"a"}}},
		"Off":       {"The operator may have it otherwise.", with(v1alpha1.Deny, v1alpha1.PatchOff), mutation{}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := mutationOf(patch(t, setOf(t, tc.policy), ask{object: deployment(object{})}))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nPatch(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestPatchOnUpdate(t *testing.T) {
	template := func(labels object, image string) object {
		return object{"metadata": object{"labels": labels}, "spec": object{"containers": []any{object{"name": "web", "image": image}}}}
	}
	rules := add(`{"path": ["spec", "template", "metadata", "labels", "team"], "value": "new"}`) +
		add(`{"path": ["metadata", "labels", "team"], "value": "new"}`)
	old := deployment(object{"template": template(object{}, "web:1")})
	patched := with(deployment(object{"template": template(object{"team": "old"}, "web:1")}),
		object{"metadata": object{"name": "web", "labels": object{"team": "old"}}})

	cases := map[string]struct {
		reason   string
		old, new object
		want     string
	}{
		"TemplateUntouched": {
			"To annotate an old workload must not roll it out.",
			old, with(old, object{"metadata": object{"name": "web", "annotations": object{"a": "b"}}}),
			`[{"op":"add","path":"/metadata/labels","value":{"team":"new"}}]`,
		},
		"TemplateTouched": {
			"A template that changes anyway is patched.",
			old, deployment(object{"template": template(object{}, "web:2")}),
			`[{"op":"add","path":"/metadata/labels","value":{"team":"new"}},{"op":"add","path":"/spec/template/metadata/labels/team","value":"new"}]`,
		},
		"WriterThatPuts": {
			"A writer that knows nothing of patches gets what the last one got, and nothing rolls out.",
			patched, deployment(object{"template": template(object{}, "web:1")}),
			`[{"op":"add","path":"/metadata/labels","value":{"team":"old"}},{"op":"add","path":"/spec/template/metadata/labels/team","value":"old"}]`,
		},
	}
	set := setOf(t, policy("a", rules))
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := patch(t, set, ask{operation: "UPDATE", old: tc.old, object: tc.new})
			if diff := cmp.Diff(tc.want, string(got.Patch)); diff != "" {
				t.Errorf("%s\nPatch(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
	t.Run("ImmutableAsBefore", func(t *testing.T) {
		metadata := strings.Replace(metadataOf, "Deployment", "StatefulSet", 1)
		sets := setOf(t, policyWith("a", metadata, add(`{"path": ["spec", "volumeClaimTemplates", 0, "metadata", "labels", "team"], "value": "new"}`)+
			add(`{"path": ["spec", "volumeClaimTemplates", 1, "metadata", "labels", "team"], "value": "new"}`)))
		claims := func(labels ...any) object {
			list := []any{}
			for i, l := range labels {
				list = append(list, object{"metadata": object{"name": fmt.Sprintf("claim-%d", i), "labels": l}})
			}
			return object{"metadata": object{"name": "db"}, "spec": object{"volumeClaimTemplates": list}}
		}
		got := patch(t, sets, ask{operation: "UPDATE", kind: "StatefulSet", old: claims(object{"team": "old"}, object{}), object: claims(object{}, object{})})
		if want := `[{"op":"add","path":"/spec/volumeClaimTemplates/0/metadata/labels/team","value":"old"}]`; string(got.Patch) != want {
			t.Errorf("What was patched in is put back, what was not is left alone.\nPatch(...): got %s, want %s", got.Patch, want)
		}
	})
	t.Run("Immutable", func(t *testing.T) {
		metadata := `# METADATA
# custom:
#   match: {kinds: [{apiGroups: [""], kinds: [Pod]}]}
`
		pods := setOf(t, policyWith("a", metadata, add(`{"path": ["spec", "x"], "value": 1}`)+add(`{"path": ["metadata", "labels", "x"], "value": "1"}`)))
		pod := object{"metadata": object{"name": "p", "labels": object{}}, "spec": object{"a": 1}}
		got := patch(t, pods, ask{operation: "UPDATE", group: "core", kind: "Pod", old: pod, object: with(pod, object{"spec": object{"a": 2}})})
		if want := `[{"op":"add","path":"/metadata/labels/x","value":"1"}]`; string(got.Patch) != want {
			t.Errorf("A pod's spec cannot be changed, its labels can.\nPatch(...): got %s, want %s", got.Patch, want)
		}
	})
}

// TestPatchSettles holds thousands of random objects and rules to what the patch
// promises: applying it gives what the rules were asked about last, no operation
// can be left out, and patching the result changes nothing.
func TestPatchSettles(t *testing.T) {
	const sets, objects = 200, 20
	for seed := range uint64(sets) {
		g := newGenerator(seed)
		var policies []engine.Policy
		for i := range 1 + g.IntN(3) {
			policies = append(policies, policy(fmt.Sprintf("p%d", i), g.patchRules()))
		}
		set := setOf(t, policies...)
		for range objects {
			a := ask{object: deployment(g.object(3))}
			if g.IntN(3) == 0 {
				a.operation, a.old = "UPDATE", deployment(g.object(3))
			}
			assertSettled(t, set, a)
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func assertSettled(t *testing.T, set *engine.Set, a ask) {
	t.Helper()
	m := patch(t, set, a)
	if m.Patch == nil {
		return
	}
	result := applied(t, a.object, m.Patch)
	assertNoneSuperfluous(t, a.object, m.Patch, result)
	original := a.object
	a.object = result
	if again := patch(t, set, a); again.Patch != nil {
		t.Errorf("patching the result changes it again\nobject %v\nfirst  %s\nsecond %s", original, m.Patch, again.Patch)
	}
}

// applied returns what an independent library makes of o by a patch.
func applied(t testing.TB, o object, patch []byte) object {
	t.Helper()
	data, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	ops, err := jsonpatch.DecodePatch(patch)
	if err != nil {
		t.Fatalf("decode %s: %v", patch, err)
	}
	result, err := ops.Apply(data)
	if err != nil {
		t.Fatalf("apply %s to %s: %v", patch, data, err)
	}
	var got object
	if err := json.Unmarshal(result, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

// assertNoneSuperfluous fails if the patch without one of its operations leads to
// the same result.
func assertNoneSuperfluous(t testing.TB, o object, patch []byte, want object) {
	t.Helper()
	data, _ := json.Marshal(o)
	var ops []json.RawMessage
	if err := json.Unmarshal(patch, &ops); err != nil {
		t.Fatal(err)
	}
	for i := range ops {
		rest, _ := json.Marshal(slices.Delete(slices.Clone(ops), i, i+1))
		decoded, err := jsonpatch.DecodePatch(rest)
		if err != nil {
			t.Fatal(err)
		}
		result, err := decoded.Apply(data)
		if err != nil {
			continue // the others need it
		}
		var got object
		if err := json.Unmarshal(result, &got); err != nil {
			t.Fatal(err)
		}
		if cmp.Equal(got, want) {
			t.Errorf("operation %d of %s can be left out", i, patch)
		}
	}
}
