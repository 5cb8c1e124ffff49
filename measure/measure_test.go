package measure_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/measure"
)

// policy is about a kind, with rules.
func policy(name, kind, rules string) engine.Policy {
	rego := "# METADATA\n# custom: {severity: high, match: {kinds: [{apiGroups: [\"\"], kinds: [" + kind + "]}]}}\npackage lintel." + name + "\n\n" + rules
	return engine.Policy{Name: name, Modules: []v1alpha1.Module{{Name: name + ".rego", Rego: rego}}}
}

func config(t *testing.T, policies ...engine.Policy) measure.Config {
	t.Helper()
	set, err := engine.Compile(engine.Config{Policies: policies})
	if err != nil {
		t.Fatalf("Compile(...): %v", err)
	}
	ns, err := engine.DecodeObject([]byte(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop"}}`))
	if err != nil {
		t.Fatal(err)
	}
	cfg := measure.Config{Policies: policies, Set: set, Now: time.Unix(0, 0), Time: time.Nanosecond}
	for _, o := range []string{
		`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"shop"}}`,
		`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b","namespace":"shop"},"data":{"n":"x"}}`,
		`{"apiVersion":"v1","kind":"Service","metadata":{"name":"c","namespace":"shop"}}`,
	} {
		cfg.Objects = append(cfg.Objects, measure.Object{JSON: []byte(o), Namespace: ns})
	}
	return cfg
}

// TestRun holds that each policy is measured with what it is asked about, and that
// what it cannot decide is told of and not measured.
func TestRun(t *testing.T) {
	cfg := config(t,
		policy("both", "ConfigMap", `violation contains {"msg": "m"} if input.review.object.metadata.namespace == "shop"`+"\n\n"+`patch contains {"path": ["metadata", "labels", "a"], "value": "b"}`),
		policy("errs", "ConfigMap", `violation contains {"msg": "m"} if to_number(input.review.object.data.n) == 1`),
		policy("other", "Secret", `violation contains {"msg": "m"}`),
	)
	r, err := measure.Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	want := []measure.Cost{
		{What: measure.Decode, Objects: 3, Calls: 30},
		{Policy: measure.All, What: measure.Review, Objects: 1, Calls: 10, Undecided: 1},
		{Policy: measure.All, What: measure.Patch, Objects: 1, Calls: 10, Undecided: 1},
		{Policy: "both", What: measure.Review, Objects: 2, Calls: 20},
		{Policy: "both", What: measure.Patch, Objects: 2, Calls: 20},
		{Policy: "errs", What: measure.Review, Objects: 1, Calls: 10, Undecided: 1},
		{Policy: "other", What: measure.Review},
	}
	measured := cmpopts.IgnoreFields(measure.Cost{}, "P50", "P99", "Best", "Median", "Allocs", "Bytes")
	if diff := cmp.Diff(want, r.Costs, measured); diff != "" {
		t.Errorf("Run(...): -want, +got:\n%s", diff)
	}
	for _, c := range r.Costs {
		if ok := c.P50 > 0 && c.P99 >= c.P50 && c.Best > 0 && c.Median >= c.Best && c.Allocs > 0 && c.Bytes > 0; ok != (c.Calls > 0) {
			t.Errorf("the numbers of %s %s cannot be: %+v", c.Policy, c.What, c)
		}
	}
	if r.Objects.Count != 3 || r.Machine.Go == "" || r.Machine.GOMAXPROCS == 0 || r.Revision != cfg.Set.Revision() {
		t.Errorf("got %+v, %+v of %s", r.Objects, r.Machine, r.Revision)
	}
}

// TestCostsDiffer holds that what does a thousand times the work is seen to cost more; how
// much longer it takes is for the machine to say.
func TestCostsDiffer(t *testing.T) {
	const busy = `violation contains {"msg": "m"} if count([1 | some i in numbers.range(1, N); i % 2 == 0]) < 0`
	cfg := config(t, policy("little", "ConfigMap", strings.Replace(busy, "N", "2", 1)), policy("much", "ConfigMap", strings.Replace(busy, "N", "2000", 1)))
	r, err := measure.Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	costs := map[string]measure.Cost{}
	for _, c := range r.Costs {
		costs[c.Policy] = c
	}
	if costs["much"].Allocs < 5*costs["little"].Allocs {
		t.Errorf("little: %+v\nmuch: %+v", costs["little"], costs["much"])
	}
}

func TestNothingToMeasure(t *testing.T) {
	cfg := config(t, policy("a", "ConfigMap", `violation contains {"msg": "m"}`))
	cfg.Objects = nil
	if _, err := measure.Run(t.Context(), cfg); err == nil {
		t.Error("nothing was measured, and that is no error")
	}
}

func TestCompare(t *testing.T) {
	saved := &measure.Report{Machine: measure.Machine{CPU: "a"}, Objects: measure.Objects{Hash: "x"}, Costs: []measure.Cost{
		{Policy: "p", What: measure.Review, Best: 100, Allocs: 10}, {Policy: "p", What: measure.Patch, Best: 100}, {Policy: "gone", What: measure.Review, Best: 1},
	}}
	now := &measure.Report{Machine: measure.Machine{CPU: "a"}, Objects: measure.Objects{Hash: "x"}, Costs: []measure.Cost{
		{Policy: "p", What: measure.Review, Best: 160, Allocs: 5}, {Policy: "p", What: measure.Patch, Best: 150}, {Policy: "new", What: measure.Review, Best: 1}, {Policy: "idle", What: measure.Review},
	}}
	got := measure.Compare(saved, now)
	want := measure.Comparison{Ratios: []measure.Ratio{{"p", measure.Review, 1.6, 0.5}, {"p", measure.Patch, 1.5, 0}}, Doubts: []string{}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Compare(...): -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(want.Ratios[:1], got.Above(1.5)); diff != "" {
		t.Errorf("Above(1.5): -want, +got:\n%s", diff)
	}
	now.Machine.CPU, now.Objects.Hash = "b", "y"
	if got := measure.Compare(saved, now); len(got.Doubts) != 2 {
		t.Errorf("another machine and other objects: doubts %q", got.Doubts)
	}
}

// TestSaved holds that a report reads as it was written, and that what is none is
// not taken for one.
func TestSaved(t *testing.T) {
	r := &measure.Report{Revision: "abc", Costs: []measure.Cost{{Policy: "p", What: measure.Review, Best: 3}}}
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := measure.Read(data)
	if diff := cmp.Diff(r, got); diff != "" || err != nil {
		t.Errorf("Read(...): %v: -want, +got:\n%s", err, diff)
	}
	for name, text := range map[string]string{"nothing": "", "other": `{"results":[]}`, "text": "POLICY"} {
		if _, err := measure.Read([]byte(text)); err == nil {
			t.Errorf("%s: it is taken for a saved run", name)
		}
	}
}
