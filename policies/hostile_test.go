package policies_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
)

// TestLargeObjects gives the library objects as large as the API server takes.
// Each is judged, or it is said by name which policy ran out of time; the caller
// is answered by the deadline, and nothing is admitted by default.
func TestLargeObjects(t *testing.T) {
	container := func(i int) object { return object{"name": fmt.Sprintf("c%d", i), "image": "x"} }
	many := func(n int, item func(int) object) []any {
		list := []any{}
		for i := range n {
			list = append(list, item(i))
		}
		return list
	}
	labels := object{}
	for i := range 10_000 {
		labels[fmt.Sprintf("label-%d", i)] = "x"
	}
	cases := map[string]object{
		"Containers": {"containers": many(10_000, container)},
		"Env": {"containers": []any{object{"name": "web", "env": many(100_000, func(i int) object {
			return object{"name": fmt.Sprintf("E%d", i), "value": "x"}
		})}}},
		"Volumes": {"containers": []any{container(0)}, "volumes": many(10_000, container)},
		"Spread": {"containers": []any{container(0)}, "topologySpreadConstraints": many(10_000, func(int) object {
			return object{"topologyKey": "topology.kubernetes.io/zone", "maxSkew": 1, "labelSelector": object{"matchLabels": object{"app": "other"}}}
		})},
		"Labels": {"containers": []any{container(0)}},
	}
	embedded, err := policies.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	set, err := engine.Compile(engine.Config{Policies: embedded})
	if err != nil {
		t.Fatal(err)
	}
	for name, spec := range cases {
		t.Run(name, func(t *testing.T) {
			meta := object{"name": "web"}
			if name == "Labels" {
				meta["labels"], meta["annotations"] = labels, labels
			}
			made, err := json.Marshal(object{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta,
				"spec": object{"replicas": 3, "selector": object{"matchLabels": object{"app": "web"}}, "template": object{"metadata": object{"labels": labels}, "spec": spec}}})
			if err != nil {
				t.Fatal(err)
			}
			judgeInTime(t, set, made)
		})
	}
}

func judgeInTime(t *testing.T, set *engine.Set, made []byte) {
	t.Helper()
	req, err := engine.NewRequest(made, "shop")
	if err != nil {
		t.Fatal(err)
	}
	namespace, err := engine.DecodeObject([]byte(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop"}}`))
	if err != nil {
		t.Fatal(err)
	}
	const limit = 3 * time.Second
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	begin := time.Now()
	d, err := set.Review(ctx, req.At(time.Now()).In(namespace), nil)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 10*limit {
		t.Errorf("Review(...) of %d KiB took %v, with a deadline of %v", len(made)>>10, took, limit)
	}
	if d.Allowed() {
		t.Errorf("Review(...) allows an object without probes, requests and labels")
	}
	if message := d.Message(); len(message) > 4<<10 {
		t.Errorf("Message() has %d bytes, want at most 4 KiB", len(message))
	}
}
