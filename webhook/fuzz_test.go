package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
	"github.com/lintel-policy/lintel/webhook"
)

// FuzzReview sends anything to both doors. What comes back is an HTTP error or a
// well-formed AdmissionReview with the uid that was sent, and an object is only
// allowed to be created if it could be read.
func FuzzReview(f *testing.F) {
	const frame = `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u-1","operation":"CREATE",` +
		`"kind":{"group":"apps","version":"v1","kind":"Deployment"},"resource":{"group":"apps","version":"v1","resource":"deployments"},"namespace":"shop","object":`
	for _, object := range []string{
		`{}`, `null`, `[]`, `{"metadata":{"labels":{"team":"x"}},"spec":{"replicas":2,"template":{"spec":{"containers":[{"name":"a"}]}}}}`,
		`{"kind":"Deployment","spec":{"template":{"spec":{"containers":[null,1,{"resources":{"limits":{"memory":"lots"}}}]}}}}`,
		`{"a":1e400}`, `{"metadata":{"managedFields":[{}]}}`, `"\ud800"`,
	} {
		f.Add(frame + object + `}}`)
	}
	f.Add(`{}`)
	f.Add(`{"request":null}`)
	f.Add("apiVersion: v1")
	handler := fuzzedHandler(f)
	f.Fuzz(func(t *testing.T, body string) {
		for _, path := range []string{webhook.PathValidate, webhook.PathMutate} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, bytes.NewReader([]byte(body)))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			assertAnswer(t, path, body, w)
		}
	})
}

func fuzzedHandler(f *testing.F) http.Handler {
	embedded, err := policies.Embedded()
	if err != nil {
		f.Fatal(err)
	}
	set, err := engine.Compile(engine.Config{Policies: embedded})
	if err != nil {
		f.Fatal(err)
	}
	namespace, err := engine.DecodeObject([]byte(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop"}}`))
	if err != nil {
		f.Fatal(err)
	}
	at := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	handler, err := webhook.New(webhook.Config{Decider: webhook.Funcs{
		ReviewFunc: func(ctx context.Context, _ engine.Part, req *engine.Request) (*engine.Decision, error) {
			return set.Review(ctx, req.At(at).In(namespace), nil)
		},
		PatchFunc: func(ctx context.Context, req *engine.Request) (*engine.Mutation, error) {
			return set.Patch(ctx, req.At(at).In(namespace), nil)
		},
	}})
	if err != nil {
		f.Fatal(err)
	}
	return handler
}

func assertAnswer(t *testing.T, path, body string, w *httptest.ResponseRecorder) {
	t.Helper()
	if w.Code != http.StatusOK {
		if w.Code < 400 || w.Code > 499 || bytes.Contains(w.Body.Bytes(), []byte("allowed")) {
			t.Fatalf("%s %q: HTTP %d %s, want a refusal of the request", path, body, w.Code, w.Body)
		}
		return
	}
	var answer admissionv1.AdmissionReview
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Response == nil {
		t.Fatalf("%s %q: %s is no AdmissionReview: %v", path, body, w.Body, err)
	}
	var sent struct {
		Request struct {
			UID    string         `json:"uid"`
			Object map[string]any `json:"object"`
		} `json:"request"`
	}
	if err := utiljson.Unmarshal([]byte(body), &sent); err != nil {
		t.Fatalf("%s %q was decided, but apimachinery cannot read it: %v", path, body, err)
	}
	if string(answer.Response.UID) != sent.Request.UID {
		t.Errorf("%s %q: uid %q, want that of the request", path, body, answer.Response.UID)
	}
	if !answer.Response.Allowed && answer.Response.Result.Message == "" {
		t.Errorf("%s %q: denied without a word", path, body)
	}
}
