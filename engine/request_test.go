package engine_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

const envelope = `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":%}`

func TestDecode(t *testing.T) {
	body := strings.Replace(envelope, "%", `{"uid":"u","kind":{"group":"apps","version":"v1","kind":"Deployment"},
		"resource":{"group":"apps","version":"v1","resource":"deployments"},"subResource":"status","name":"web","namespace":"shop",
		"operation":"UPDATE","userInfo":{"username":"jane"},"dryRun":true,"object":{"metadata":{"name":"web"}},"oldObject":null}`, 1)
	req, err := engine.Decode([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	got := []any{req.UID(), req.Operation(), req.Kind().String(), req.Resource().String(), req.Subresource(), req.Namespace(), req.User(), req.DryRun(), req.Ref().String()}
	want := []any{"u", v1alpha1.Update, "apps/v1, Kind=Deployment", "apps/v1, Resource=deployments", "status", "shop", "jane", true, "Deployment shop/web"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Decode(...): -want, +got:\n%s", diff)
	}
}

// TestNameOfCollection holds that what goes with a collection has its name, which
// the API server does not say then.
func TestNameOfCollection(t *testing.T) {
	body := strings.Replace(envelope, "%", `{"uid":"u","kind":{"version":"v1","kind":"ConfigMap"},"namespace":"shop","name":"",
		"operation":"DELETE","object":null,"oldObject":{"metadata":{"name":"kept","generateName":"k"}}}`, 1)
	req, err := engine.Decode([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := req.Ref().String(), "ConfigMap shop/kept"; got != want {
		t.Errorf("Ref(): got %q, want %q", got, want)
	}
}

func TestDecodeRefuses(t *testing.T) {
	const request = `{"uid":"u","operation":"CREATE","kind":{"kind":"Pod","version":"v1"},"object":{}}`
	review := func(request string) string { return strings.Replace(envelope, "%", request, 1) }
	if _, err := engine.Decode([]byte(review(request))); err != nil {
		t.Fatalf("the request that the others are made from is refused: %v", err)
	}
	cases := map[string]string{
		"Empty":             ``,
		"EmptyObject":       `{}`,
		"Array":             `[]`,
		"NoRequest":         `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}`,
		"NullRequest":       review(`null`),
		"RequestIsText":     review(`"x"`),
		"OtherCase":         strings.Replace(review(request), `"request"`, `"Request"`, 1),
		"OtherKind":         strings.Replace(review(request), "AdmissionReview", "Pod", 1),
		"OtherVersion":      strings.Replace(review(request), "admission.k8s.io/v1", "admission.k8s.io/v2", 1),
		"OldVersion":        strings.Replace(review(request), "admission.k8s.io/v1", "admission.k8s.io/v1beta1", 1),
		"NoUID":             review(strings.Replace(request, `"u"`, `""`, 1)),
		"UIDOfOtherCase":    review(strings.Replace(request, `"uid"`, `"UID"`, 1)),
		"NoOperation":       review(strings.Replace(request, `"operation":"CREATE",`, ``, 1)),
		"UnknownOperation":  review(strings.Replace(request, "CREATE", "PATCH", 1)),
		"NoKind":            review(strings.Replace(request, `"kind":"Pod"`, `"kind":""`, 1)),
		"ObjectIsArray":     review(strings.Replace(request, `"object":{}`, `"object":[]`, 1)),
		"ObjectIsText":      review(strings.Replace(request, `"object":{}`, `"object":"x"`, 1)),
		"TrailingData":      review(request) + "{}",
		"SecondRequestNull": strings.Replace(review(request), `"request":`, `"request":`+request+`,"request":null,"x":`, 1),
		"YAML":              "apiVersion: admission.k8s.io/v1\nkind: AdmissionReview\n",
	}
	for name, body := range cases {
		t.Run(name, func(t *testing.T) {
			if req, err := engine.Decode([]byte(body)); err == nil {
				t.Errorf("Decode(%q): got the request %s, want an error", body, req.UID())
			}
			if req, err := engine.DecodeHead([]byte(body)); err == nil && !strings.HasPrefix(name, "ObjectIs") {
				t.Errorf("DecodeHead(%q): got the request %s, want an error", body, req.UID())
			}
		})
	}
}

func TestNewRequest(t *testing.T) {
	cases := map[string]struct {
		reason string
		object string
		want   string // namespace, kind and name
		review string // what a policy sees of it
	}{
		"InDefault":     {"An object without a namespace is in the one that is given.", `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"}}`, "Deployment shop/web", ""},
		"OwnNamespace":  {"Its own namespace goes before.", `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"x"}}`, "Deployment x/web", ""},
		"ClusterScoped": {"Some kinds are in none.", `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRole","metadata":{"name":"r"}}`, "ClusterRole r", ""},
		"GenerateName":  {"A name that is not known yet begins as it will.", `{"apiVersion":"v1","kind":"Pod","metadata":{"generateName":"p-"}}`, "Pod shop/p-…", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			req, err := engine.NewRequest([]byte(tc.object), "shop")
			if err != nil {
				t.Fatal(err)
			}
			if got := req.Ref().String(); got != tc.want {
				t.Errorf("%s\nNewRequest(...).Ref(): got %s, want %s", tc.reason, got, tc.want)
			}
		})
	}
	for _, bad := range []string{`{}`, `{"kind":"Pod"}`, `{"apiVersion":"v1"}`, `{"apiVersion":"a/b/c","kind":"Pod"}`, `[]`, `x`} {
		if _, err := engine.NewRequest([]byte(bad), "shop"); err == nil {
			t.Errorf("NewRequest(%s): want an error", bad)
		}
	}
}

// TestNewRequestIsLikeDecode holds the request that the command line makes to the
// one that an API server sends.
func TestNewRequestIsLikeDecode(t *testing.T) {
	set := setOf(t, policy("a", `violation contains {"msg": sprintf("%v", [object.remove(input.review, ["uid", "userInfo", "options", "subResource", "oldObject"])])}`))
	manifest := deployment(object{"replicas": 1})
	data, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	made, err := engine.NewRequest(data, "shop")
	if err != nil {
		t.Fatal(err)
	}
	kind := object{"group": "apps", "version": "v1", "kind": "Deployment"}
	resource := object{"group": "apps", "version": "v1", "resource": "deployments"}
	body, err := json.Marshal(object{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": object{
		"uid": "u", "kind": kind, "requestKind": kind, "resource": resource, "requestResource": resource, "name": "web", "namespace": "shop",
		"operation": "CREATE", "userInfo": object{}, "object": manifest, "oldObject": nil, "dryRun": false, "options": nil,
	}})
	if err != nil {
		t.Fatal(err)
	}
	sent, err := engine.Decode(body)
	if err != nil {
		t.Fatal(err)
	}
	var messages []string
	for _, req := range []*engine.Request{made, sent} {
		d, err := set.Review(t.Context(), req.At(now), nil)
		if err != nil || len(d.Violations) != 1 {
			t.Fatalf("Review(...): %v, %v", summary(d), err)
		}
		messages = append(messages, d.Violations[0].Message)
	}
	if diff := cmp.Diff(messages[1], messages[0]); diff != "" {
		t.Errorf("a policy sees a difference: -API server, +command line:\n%s", diff)
	}
}
