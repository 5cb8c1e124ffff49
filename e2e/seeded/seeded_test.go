package seeded_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lintel-policy/lintel/e2e/seeded"
)

// TestNew makes the same of the same number, of all kinds, and enough of each.
func TestNew(t *testing.T) {
	seeds, again, other := seeded.New(1), seeded.New(1), seeded.New(2)
	if diff := cmp.Diff(objectsOf(seeds), objectsOf(again)); diff != "" {
		t.Errorf("the same number made something else: %s", diff)
	}
	if cmp.Equal(objectsOf(seeds), objectsOf(other)) {
		t.Error("another number made the same")
	}
	made := map[string]int{}
	for _, o := range seeds.Objects {
		made[o.Kind.Kind]++
	}
	for _, k := range seeded.Kinds() {
		if made[k.Kind] < 5 {
			t.Errorf("%d are of kind %s", made[k.Kind], k.Kind)
		}
	}
}

func objectsOf(seeds *seeded.Seeds) []unstructured.Unstructured {
	var all []unstructured.Unstructured
	for _, o := range seeds.Objects {
		all = append(all, *o.Unstructured)
	}
	return all
}

// TestRight finds something wrong with most of what is seeded, and nothing with its right
// versions.
func TestRight(t *testing.T) {
	seeds := seeded.New(1)
	state := &seeded.State{Namespaces: map[string]map[string]string{}, Secrets: seeds.Secrets, Patched: true}
	for _, ns := range seeds.Namespaces {
		state.Namespaces[ns.GetName()] = ns.GetLabels()
	}
	right := *state
	for _, o := range seeds.Objects {
		state.Objects = append(state.Objects, *o.Unstructured)
		if o.Right != nil {
			right.Objects = append(right.Objects, *o.Right)
		}
	}
	wrong := map[string]bool{}
	for _, v := range state.Verdicts() {
		for _, f := range v.Findings {
			wrong[f.Kind+" "+f.Name] = true
		}
	}
	if n, of := len(wrong), len(seeds.Objects); n < of/3 || n > of*9/10 {
		t.Errorf("%d of %d objects are wrong", n, of)
	}
	for _, v := range right.Verdicts() {
		for _, f := range v.Findings {
			t.Errorf("it is right, and there is %+v", f)
		}
	}
}
