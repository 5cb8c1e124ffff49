package engine_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
	"github.com/lintel-policy/lintel/resource"
)

// TestPlansAsTopdown holds plans to OPA's own evaluator: it asks both about all
// objects of the samples and of the corpus, for reviews and patches. LINTEL_CORPUS adds objects
// of yours.
func TestPlansAsTopdown(t *testing.T) {
	planned, topdown := bothSets(t)
	folders, err := filepath.Glob("../policies/*/testdata")
	if err != nil {
		t.Fatal(err)
	}
	folders = append(folders, "../e2e/testdata/corpus")
	if yours := os.Getenv("LINTEL_CORPUS"); yours != "" {
		folders = append(folders, yours)
	}
	objects := resource.Load(t.Context(), resource.Options{}, folders...).Objects
	inv := inventoryOf(objects)
	before, violations, patched := map[string][]byte{}, 0, 0
	for _, o := range objects {
		for _, review := range [][]byte{
			reviewOf(t, "CREATE", o, o.JSON, nil),
			reviewOf(t, "UPDATE", o, o.JSON, before[o.Kind]),
			reviewOf(t, "DELETE", o, nil, o.JSON),
		} {
			for _, inv := range []*engine.Inventory{nil, inv} {
				want, got := outcomeOf(t, topdown, review, inv), outcomeOf(t, planned, review, inv)
				if diff := gocmp.Diff(want, got); diff != "" {
					t.Errorf("%s:%d: -topdown, +plan:\n%s", o.File, o.Line, diff)
				}
				violations, patched = violations+len(want.Violations), patched+len(want.Patch)
			}
		}
		before[o.Kind] = o.JSON
	}
	t.Logf("%d objects with %d violations and %d bytes of patches", len(objects), violations, patched)
	if len(objects) < 150 || violations < 1000 || patched < 10_000 {
		t.Error("that is too little to tell")
	}
}

// TestLibraryIsPlanned holds the policies of the library to be evaluated by plans.
func TestLibraryIsPlanned(t *testing.T) {
	planned, _ := bothSets(t)
	for _, p := range planned.Policies() {
		if p.Unplanned != nil {
			t.Errorf("%s has no plan: %v", p.Name, p.Unplanned)
		}
	}
}

// bothSets returns the library as it is, and with topdown in place of plans.
func bothSets(t testing.TB) (planned, topdown *engine.Set) {
	t.Helper()
	suites, err := policies.LoadSuites("../policies")
	if err != nil {
		t.Fatalf("LoadSuites(...): %v", err)
	}
	var cfg engine.Config
	for _, s := range suites {
		cfg.Policies = append(cfg.Policies, s.Policy)
	}
	return bothOf(t, cfg)
}

func bothOf(t testing.TB, cfg engine.Config) (planned, topdown *engine.Set) {
	t.Helper()
	planned, err := engine.Compile(cfg)
	if err != nil {
		t.Fatalf("Compile(...): %v", err)
	}
	if topdown, err = engine.Compile(cfg); err != nil {
		t.Fatalf("Compile(...): %v", err)
	}
	return planned, engine.WithoutPlans(topdown)
}

// inventoryOf returns an inventory of all of the objects that can be in one.
func inventoryOf(objects []resource.Object) *engine.Inventory {
	var known []*engine.Object
	for _, o := range objects {
		if decoded, err := engine.DecodeObject(o.JSON); err == nil {
			known = append(known, decoded)
		}
	}
	return engine.NewInventory(known...)
}

// reviewOf returns an AdmissionReview about an object.
func reviewOf(t testing.TB, operation string, o resource.Object, object, old json.RawMessage) []byte {
	t.Helper()
	group, version, found := strings.Cut(o.APIVersion, "/")
	if !found {
		group, version = "", o.APIVersion
	}
	named := map[string]any{
		"uid": "u", "operation": operation, "namespace": cmp.Or(o.Namespace, "shop"), "name": o.Name, "object": object, "oldObject": old,
		"kind":     map[string]any{"group": group, "version": version, "kind": o.Kind},
		"resource": map[string]any{"group": group, "version": version, "resource": strings.ToLower(o.Kind) + "s"},
		"userInfo": map[string]any{"username": "jane"},
	}
	review, err := json.Marshal(map[string]any{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": named})
	if err != nil {
		t.Fatalf("encode the review: %v", err)
	}
	return review
}

// An outcome is all that a Set says of a request, its errors as text.
type outcome struct {
	Violations           []engine.Violation
	Excused              []engine.Excuse
	Patch, Recorded      string
	Policies, RecordedBy []string
	Evaluated            []string
	Errors, Warnings     []string
}

func outcomeOf(t testing.TB, set *engine.Set, review []byte, inv *engine.Inventory) outcome {
	t.Helper()
	req, err := engine.Decode(review)
	if err != nil {
		return outcome{Errors: []string{err.Error()}}
	}
	m, err := set.Patch(t.Context(), req, inv)
	if err != nil {
		return outcome{Errors: []string{err.Error()}}
	}
	d, err := set.Review(t.Context(), req, inv) // as it came, where more is wrong
	if err != nil {
		return outcome{Errors: []string{err.Error()}}
	}
	o := outcome{
		Violations: d.Violations, Excused: d.Excused, Evaluated: d.Evaluated, Warnings: m.Warnings,
		Patch: string(m.Patch), Recorded: string(m.Recorded), Policies: m.Policies, RecordedBy: m.RecordedPolicies,
	}
	for _, e := range slices.Concat(d.Errors, m.Errors) {
		o.Errors = append(o.Errors, fmt.Sprintf("%s: %v", e.OnError, e))
	}
	return o
}

// FuzzPlans changes objects at random, and holds the library's plans to topdown.
func FuzzPlans(f *testing.F) {
	planned, topdown := bothSets(f)
	for _, o := range resource.Load(f.Context(), resource.Options{}, "../e2e/testdata/corpus").Objects[:20] {
		f.Add(o.JSON)
	}
	f.Fuzz(func(t *testing.T, object []byte) {
		req, err := engine.NewRequest(object, "shop")
		if err != nil || len(object) > 16<<10 {
			t.Skip("no object, or one that would only slow the search down")
		}
		ref := req.Ref()
		review := reviewOf(t, "CREATE", resource.Object{APIVersion: ref.APIVersion, Kind: ref.Kind, Namespace: ref.Namespace, Name: ref.Name}, object, nil)
		if diff := gocmp.Diff(outcomeOf(t, topdown, review, nil), outcomeOf(t, planned, review, nil)); diff != "" {
			t.Errorf("-topdown, +plan:\n%s", diff)
		}
	})
}
