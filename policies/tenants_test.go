package policies_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/lintel-policy/lintel/engine"
)

// tell are in all that another tenant has: what of it is told is found by them.
var tell = []string{"canary", "4711"}

// TestOtherTenants holds that nobody is told what another namespace has, neither names
// nor amounts, by policies that read more than the object: not by messages, fixes,
// details, patches or errors. What the own namespace has may be told, and is.
func TestOtherTenants(t *testing.T) {
	set := library(t)
	told := 0 // of the own namespace
	for _, name := range names() {
		for _, s := range allSamples(t, name) {
			own := request(t, s.object).Namespace()
			if spec, ok := s.object["spec"].(object); ok {
				delete(spec, "replicas") // so that the autoscaler has a say
			}
			for _, namespace := range []string{"canary", own} {
				said := saidOf(t, set, s.object, engine.NewInventory(having(t, set, s.object, namespace)...))
				for _, text := range tell {
					if !strings.Contains(said, text) {
						continue
					}
					if namespace == own {
						told++
					} else {
						t.Errorf("%s: of another namespace is told %q:\n%s", s.name, text, said)
					}
				}
			}
		}
	}
	if told == 0 {
		t.Error("of no own namespace anything is told: this test says nothing")
	}
}

// having is what a namespace may have that is about an object: of each kind that policies
// read one of its very name, one of its contents, and one that scales and measures it.
func having(t *testing.T, set *engine.Set, about object, namespace string) []*engine.Object {
	t.Helper()
	meta, _ := about["metadata"].(object)
	target := object{"apiVersion": about["apiVersion"], "kind": about["kind"], "name": meta["name"]}
	var measured []any
	for name := range containerNames(about) {
		measured = append(measured, object{"containerName": name, "target": object{"cpu": "4711m", "memory": "4711Mi"}})
	}
	scales := object{
		"metadata": object{"name": "canary-scaler"},
		"spec":     object{"scaleTargetRef": target, "targetRef": target, "minReplicas": 4711},
		"status":   object{"recommendation": object{"containerRecommendations": measured}},
	}
	var all []*engine.Object
	for _, kind := range set.Inventory() {
		for i, o := range []object{about, about, scales} {
			o, meta := maps.Clone(o), object{"namespace": namespace, "name": fmt.Sprintf("canary-%d", i), "labels": object{"app": "canary"}}
			if i == 0 {
				meta["name"] = target["name"]
			}
			o["apiVersion"], o["kind"], o["metadata"] = kind.APIVersion, kind.Kind, meta
			all = append(all, objectOf(t, o))
		}
	}
	return all
}

// containerNames returns the names of what is in lists of the name containers, anywhere.
func containerNames(value any) map[string]bool {
	names := map[string]bool{}
	switch value := value.(type) {
	case object:
		for key, child := range value {
			list, _ := child.([]any)
			for _, item := range list {
				container, _ := item.(object)
				if name, ok := container["name"].(string); ok && key == "containers" {
					names[name] = true
				}
			}
			maps.Copy(names, containerNames(child))
		}
	case []any:
		for _, child := range value {
			maps.Copy(names, containerNames(child))
		}
	}
	return names
}

// saidOf returns all that is said of the creation of an object, as it is and patched.
func saidOf(t *testing.T, set *engine.Set, o object, inventory *engine.Inventory) string {
	t.Helper()
	d, m, err := set.Decide(t.Context(), request(t, o), inventory)
	if err != nil {
		t.Fatalf("Decide(...): %v", err)
	}
	bare, err := set.Review(t.Context(), request(t, o), inventory)
	if err != nil {
		t.Fatalf("Review(...): %v", err)
	}
	said := fmt.Sprintf("%s %s %s %v\n", m.Patch, m.Recorded, m.Warnings, m.Errors)
	for _, d := range []*engine.Decision{d, bare} {
		said += fmt.Sprintf("%s %s %v\n", d.Message(), d.Warnings(), d.Errors)
		for _, v := range d.Violations {
			said += fmt.Sprintf("%s %s %s %s\n%s\n", v.Path, v.Subject, v.Message, v.Details, v.Fix)
		}
	}
	return said
}
