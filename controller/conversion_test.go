package controller_test

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/certs"
)

// turned denies what is red, and says in which versions it was sent and seen.
const turned = `# METADATA
# custom:
#   match: {kinds: [{apiGroups: [example.net], kinds: [Turner]}]}
package lintel.turned

violation contains {"msg": sprintf("sent as %s, seen as %s, before %s", [sent, seen, before])} if {
	input.review.object.spec.colour == "red"
	sent := input.review.requestKind.version
	seen := input.review.object.apiVersion
	before := object.get(input.review, ["oldObject", "spec", "colour"], "none")
}
`

// turnerCRD is served in two versions, which name a field otherwise.
const turnerCRD = `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"turners.example.net"},
"spec":{"group":"example.net","scope":"Namespaced","names":{"plural":"turners","singular":"turner","kind":"Turner","listKind":"TurnerList"},
"conversion":{"strategy":"Webhook","webhook":{"conversionReviewVersions":["v1"],"clientConfig":{"url":%q,"caBundle":%q}}},
"versions":[{"name":"v1beta1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}},
{"name":"v1","served":true,"storage":false,"schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}]}}`

// TestConversion has a webhook of somebody else convert between versions: policies see
// the one that is registered, the old object too, and what was sent is kept.
func TestConversion(t *testing.T) {
	url, bundle := converter(t)
	setup := &gate{config: unlimited(t)}
	setup.client = kubernetes.NewForConfigOrDie(setup.config)
	must(t, "create CRD", setup.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", fmt.Sprintf(turnerCRD, url, base64.StdEncoding.EncodeToString(bundle))))
	t.Cleanup(func() {
		_ = setup.delete("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/turners.example.net")
	})
	path := func(version string) string { return "/apis/example.net/" + version + "/namespaces/default/turners" }
	turner := func(version, name, field, colour string) string {
		return fmt.Sprintf(`{"apiVersion":"example.net/%s","kind":"Turner","metadata":{"name":%q},"spec":{%q:%q}}`, version, name, field, colour)
	}
	eventually(t, "the kind to be served and converted", func() bool {
		err := setup.create(path("v1"), turner("v1", "blue", "colour", "blue"))
		return err == nil || apierrors.IsAlreadyExists(err)
	})
	t.Cleanup(func() { _ = setup.delete(path("v1") + "/blue") })
	g := start(t, policy(turned, v1alpha1.PolicySpec{}), policy(labelled, v1alpha1.PolicySpec{Match: matchConfigMaps(), Enforcement: v1alpha1.DryRun}))

	for name, tc := range map[string]struct {
		do   func() error
		want string
	}{
		"New":      {func() error { return g.create(path("v1"), turner("v1", "red", "colour", "red")) }, "sent as v1, seen as example.net/v1, before none"},
		"Old":      {func() error { return g.create(path("v1beta1"), turner("v1beta1", "red", "color", "red")) }, "sent as v1beta1, seen as example.net/v1, before none"},
		"NewPatch": {func() error { return g.patch(path("v1")+"/blue", `{"spec":{"colour":"red"}}`) }, "sent as v1, seen as example.net/v1, before blue"},
		"OldPatch": {func() error { return g.patch(path("v1beta1")+"/blue", `{"spec":{"color":"red"}}`) }, "sent as v1beta1, seen as example.net/v1, before blue"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := tc.do(); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// converter serves a webhook that converts Turners, and returns its URL and whom to trust.
func converter(t *testing.T) (url string, bundle []byte) {
	t.Helper()
	authority, err := certs.NewAuthority(time.Now(), time.Hour)
	must(t, "make authority", err)
	pair, err := authority.Issue([]string{"127.0.0.1"}, time.Now(), time.Hour)
	must(t, "issue certificate", err)
	keys, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	must(t, "read certificate", err)
	server := httptest.NewUnstartedServer(http.HandlerFunc(convert))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{keys}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL, authority.Pair().Certificate
}

// convert answers a ConversionReview.
func convert(w http.ResponseWriter, r *http.Request) {
	var review struct {
		Request struct {
			UID               string           `json:"uid"`
			DesiredAPIVersion string           `json:"desiredAPIVersion"`
			Objects           []map[string]any `json:"objects"`
		} `json:"request"`
	}
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	from, to := "color", "colour"
	if strings.HasSuffix(review.Request.DesiredAPIVersion, "v1beta1") {
		from, to = to, from
	}
	for _, object := range review.Request.Objects {
		object["apiVersion"] = review.Request.DesiredAPIVersion
		spec, _ := object["spec"].(map[string]any)
		if value, ok := spec[from]; ok {
			spec[to] = value
			delete(spec, from)
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "response": map[string]any{
		"uid": review.Request.UID, "convertedObjects": review.Request.Objects, "result": map[string]any{"status": "Success"},
	}})
}
