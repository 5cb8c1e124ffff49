package engine_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/engine"
)

// dense returns reviews whose objects have as many values as fit into size bytes.
func dense(size int) map[string]string {
	keys := strings.Builder{}
	for i := 0; keys.Len() < size; i++ {
		fmt.Fprintf(&keys, `"%x":0,`, i)
	}
	specs := map[string]string{
		"Zeros":   "[" + strings.Repeat("0,", size/2) + "0]",
		"Numbers": "[" + strings.Repeat("10,", size/3) + "0]",
		"Strings": "[" + strings.Repeat(`"",`, size/3) + "0]",
		"Objects": "[" + strings.Repeat("{},", size/3) + "0]",
		"Arrays":  "[" + strings.Repeat("[],", size/3) + "0]",
		"Nested":  "[" + strings.Repeat("[[[[0]]]],", size/10) + "0]",
		"Members": "[" + strings.Repeat(`{"a":0},`, size/8) + "0]",
		"Keys":    "{" + keys.String() + `"":0}`,
		"Text":    `"` + strings.Repeat("x", size) + `"`,
		"Escapes": `"` + strings.Repeat(`\u003c`, size/6) + `"`,
		"Escape":  `"` + strings.Repeat("x", size) + `\n"`,
	}
	for name, spec := range specs {
		specs[name] = strings.Replace(envelope, "%", `{"uid":"u","operation":"CREATE","kind":{"group":"apps","version":"v1","kind":"Deployment"},`+
			`"name":"web","namespace":"shop","userInfo":{"username":"jane"},"object":{"kind":"Deployment","spec":{"x":`+spec+`}}}`, 1)
	}
	return specs
}

// held returns what make made, and how many bytes of memory that holds.
func held(made func() *engine.Request) (*engine.Request, int64) {
	live := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := live()
	req := made()
	return req, live() - before
}

// TestWeight holds that no review decodes to more than its weight, which leaves
// room for judging it, and that the weight of usual ones is small.
func TestWeight(t *testing.T) {
	const blocks = 64 << 10 // in which memory is allotted
	for name, body := range dense(300_000) {
		t.Run(name, func(t *testing.T) {
			review := []byte(body)
			req, bytes := held(func() *engine.Request {
				req, err := engine.Decode(review)
				if err != nil {
					t.Fatalf("Decode(...): %v", err)
				}
				return req
			})
			if weight := engine.Weight(review); bytes > weight+blocks || weight < int64(len(review)) {
				t.Errorf("Weight(...): got %d for a review of %d bytes that takes %d when it is decoded", weight, len(review), bytes)
			}
			runtime.KeepAlive(req)
		})
	}
	usual := ask{object: deployment(object{"template": object{"spec": object{"containers": []any{object{"name": "a", "image": "b", "args": []string{"c", "d"}}}}}})}.json(t)
	if weight := engine.Weight(usual); weight > 16<<10 {
		t.Errorf("Weight(...) of a small Deployment: got %d, want no more than 16 KiB", weight)
	}
}

// TestDecodeHead reads of dense reviews what they are about, in little memory.
func TestDecodeHead(t *testing.T) {
	for name, body := range dense(300_000) {
		t.Run(name, func(t *testing.T) {
			req, bytes := held(func() *engine.Request {
				req, err := engine.DecodeHead([]byte(body))
				if err != nil {
					t.Fatalf("DecodeHead(...): %v", err)
				}
				return req
			})
			got := []any{req.UID(), string(req.Operation()), req.User(), req.Ref().String()}
			if diff := cmp.Diff([]any{"u", "CREATE", "jane", "Deployment shop/web"}, got); diff != "" {
				t.Errorf("DecodeHead(...): -want, +got:\n%s", diff)
			}
			if most := int64(len(body)) + 64<<10; bytes > most {
				t.Errorf("DecodeHead(...) takes %d bytes, want no more than %d", bytes, most)
			}
		})
	}
	t.Run("Undecided", func(t *testing.T) {
		selective := policyWith("b", metadataOf+"#     objectSelector: {matchLabels: {x: \"y\"}}\n", `violation contains {"msg": "m"}`)
		req, err := engine.DecodeHead([]byte(dense(10)["Zeros"]))
		if err != nil {
			t.Fatalf("DecodeHead(...): %v", err)
		}
		d := setOf(t, policy("a", `violation contains {"msg": "m"}`), selective).Undecided(req.At(now), errors.New("too heavy"))
		want := []string{"error deny a: too heavy", "error deny b: the labels of the object are not known"}
		if diff := cmp.Diff(want, summary(d)); diff != "" {
			t.Errorf("What was not read is not taken for what no policy selects: -want, +got:\n%s", diff)
		}
	})
	t.Run("LargeHead", func(t *testing.T) {
		for _, field := range []string{`"extra":`, `"uid":`, `"kind":`} {
			body := strings.Replace(dense(10)["Zeros"], `"uid":"u"`, `"uid":"u",`+field+"["+strings.Repeat("{},", 30_000)+"0]", 1)
			if _, err := engine.DecodeHead([]byte(body)); err == nil {
				t.Errorf("DecodeHead(...) with a large %s: got no error", field)
			}
		}
	})
}
