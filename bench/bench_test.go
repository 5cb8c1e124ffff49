// Package bench_test measures what deciding costs, beside json.Unmarshal of the
// same bytes into any. Machines are noisy, so the two are run in turns, and what
// counts is the ratio of their medians.
package bench_test

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
)

// BenchmarkDecision takes a compliant Deployment of 3 KB from the bytes of its
// AdmissionReview to the verdict of the library's policies, and each step of the way.
func BenchmarkDecision(b *testing.B) {
	body := review(b, deployment(b))
	bench := &bench{
		set:       library(b),
		namespace: namespace(b),
		baseline:  func() { unmarshal(b, body) },
	}
	request := bench.decode(b, body)
	other := bench.decode(b, []byte(strings.NewReplacer(`"deployments"`, `"things"`, `"Deployment"`, `"Thing"`).Replace(string(body))))

	bench.run(b, "decode", func() { bench.decode(b, body) })
	bench.run(b, "match", func() { bench.review(b, other) })
	bench.run(b, "evaluate", func() { bench.review(b, request) })
	bench.run(b, "patch", func() { bench.patch(b, request) })
	bench.run(b, "bytes-to-decision", func() { bench.review(b, bench.decode(b, body)) })
}

// BenchmarkDenial takes a Deployment that breaks all of the policies from bytes to
// the message that its author reads.
func BenchmarkDenial(b *testing.B) {
	body := review(b, []byte(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop"},
		"spec":{"replicas":3,"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},
		"spec":{"containers":[{"name":"web","image":"nginx"},{"name":"proxy","image":"envoy"}]}}}}`))
	bench := &bench{set: library(b), namespace: namespace(b), baseline: func() { unmarshal(b, body) }}
	bench.run(b, "bytes-to-message", func() {
		d, err := bench.set.Review(b.Context(), bench.decode(b, body), nil)
		if err != nil || d.Message() == "" {
			b.Fatalf("Review(...): %v, want a denial", err)
		}
	})
}

// A bench runs what is measured in turns with its baseline.
type bench struct {
	set       *engine.Set
	namespace *engine.Object
	baseline  func()
}

// run reports the time of subject, its allocations, and how many times longer it
// takes than the baseline.
func (bn *bench) run(b *testing.B, name string, subject func()) {
	b.Run(name, func(b *testing.B) {
		const turn = 20 // long enough for the clock, short enough for both to meet the same noise
		var baseline, measured []time.Duration
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			baseline = append(baseline, timed(turn, bn.baseline))
			b.StartTimer()
			measured = append(measured, timed(turn, subject))
		}
		b.ReportMetric(float64(median(measured).Nanoseconds())/turn, "ns/object")
		b.ReportMetric(float64(median(measured))/float64(median(baseline)), "x-json")
	})
}

func timed(turn int, f func()) time.Duration {
	begin := time.Now()
	for range turn {
		f()
	}
	return time.Since(begin)
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

func (bn *bench) decode(b *testing.B, body []byte) *engine.Request {
	request, err := engine.Decode(body)
	if err != nil {
		b.Fatal(err)
	}
	return request.At(time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)).In(bn.namespace)
}

func (bn *bench) review(b *testing.B, request *engine.Request) {
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	d, err := bn.set.Review(ctx, request, nil)
	if err != nil || !d.Allowed() || len(d.Errors) > 0 {
		b.Fatalf("Review(...): %v, %s, want it allowed", err, d.Message())
	}
}

func (bn *bench) patch(b *testing.B, request *engine.Request) {
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	if m, err := bn.set.Patch(ctx, request, nil); err != nil || m.Patch != nil {
		b.Fatalf("Patch(...): %v, %s, want nothing", err, m.Patch)
	}
}

// library returns the policies that are in the binary.
func library(b *testing.B) *engine.Set {
	embedded, err := policies.Embedded()
	if err != nil {
		b.Fatal(err)
	}
	set, err := engine.Compile(engine.Config{Policies: embedded})
	if err != nil {
		b.Fatal(err)
	}
	return set
}

func namespace(b *testing.B) *engine.Object {
	o, err := engine.DecodeObject([]byte(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop","labels":{"team":"checkout"}}}`))
	if err != nil {
		b.Fatal(err)
	}
	return o
}

// deployment returns the compliant Deployment.
func deployment(b *testing.B) []byte {
	object, err := os.ReadFile("testdata/deployment.json")
	if err != nil {
		b.Fatal(err)
	}
	return object
}

// uid is that of every request.
const uid = "705ab4f5-6393-11e8-b7cc-42010a800002"

// review returns the body that an API server sends when a Deployment is created.
func review(b *testing.B, object []byte) []byte {
	kind := map[string]string{"group": "apps", "version": "v1", "kind": "Deployment"}
	resource := map[string]string{"group": "apps", "version": "v1", "resource": "deployments"}
	body, err := json.Marshal(map[string]any{
		"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
		"request": map[string]any{
			"uid": uid, "operation": "CREATE", "name": "web", "namespace": "shop",
			"kind": kind, "requestKind": kind, "resource": resource, "requestResource": resource,
			"userInfo": map[string]any{"username": "jane", "groups": []string{"system:authenticated"}},
			"options":  map[string]any{"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
			"object":   json.RawMessage(object), "oldObject": nil, "dryRun": false,
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	return body
}

func unmarshal(b *testing.B, body []byte) {
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		b.Fatal(err)
	}
}
