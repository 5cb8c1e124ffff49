package e2e_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	registrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lintel-policy/lintel/certs"
)

// TestLaterWebhook holds that what another webhook makes of an object after it was
// patched is judged, and patched again.
func TestLaterWebhook(t *testing.T) {
	s := newStage(t, "later")
	s.guard(t, testdata("policies"))
	s.interfere(t)
	cases := map[string]struct {
		reason string
		change string // made by the other webhook
		want   string // the line of the denial; empty: it is admitted
	}{
		"Nothing":  {"The pod itself is well.", "", ""},
		"Image":    {"An image that is put in later is judged.", `{"op": "replace", "path": "/spec/containers/0/image", "value": "evil/x"}`, `images  spec.containers[0].image (a): image "evil/x" is from elsewhere`},
		"Sidecar":  {"So is a container.", `{"op": "add", "path": "/spec/initContainers", "value": [{"name": "b", "image": "evil/y"}]}`, `images  spec.initContainers[0].image (b): image "evil/y" is from elsewhere`},
		"TakeBack": {"What was patched in and taken out again is patched in again.", `{"op": "remove", "path": "/metadata/labels/team"}`, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			pod := decode(t, wellPod(strings.ToLower(name), "", ""))
			at(pod, "metadata").(map[string]any)["annotations"] = map[string]string{"change": tc.change}
			r := s.kubectlWith(t, encode(t, pod), "create", "-f", "-")
			if tc.want != "" {
				if d := r.denied(t, tc.reason); d.lines[0] != tc.want {
					t.Errorf("%s\ngot %q, want %q first", tc.reason, d.lines, tc.want)
				}
				return
			}
			r.admitted(t, tc.reason)
			stored := s.get(t, "pod/"+strings.ToLower(name))
			if at(stored, "metadata", "labels", "team") != "checkout" || at(stored, "metadata", "labels", "seen") != "yes" {
				t.Errorf("%s\nlabels: got %v, want those of both webhooks", tc.reason, at(stored, "metadata", "labels"))
			}
		})
	}
}

// interfere puts another webhook behind Lintel, which makes the change of pods that
// they say themselves, and marks them.
func (s *stage) interfere(t *testing.T) {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		var pod metav1.PartialObjectMetadata
		body, _ := io.ReadAll(r.Body)
		if json.Unmarshal(body, &review) != nil || json.Unmarshal(review.Request.Object.Raw, &pod) != nil {
			http.Error(w, "no review", http.StatusBadRequest)
			return
		}
		kind := admissionv1.PatchTypeJSONPatch
		changes := []string{`{"op": "add", "path": "/metadata/labels/seen", "value": "yes"}`}
		if change := pod.Annotations["change"]; change != "" {
			changes = append(changes, change)
		}
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true, PatchType: &kind, Patch: []byte("[" + strings.Join(changes, ",") + "]")}
		review.Request = nil
		_ = json.NewEncoder(w).Encode(review)
	}))
	authority, err := certs.NewAuthority(time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := authority.Issue([]string{"127.0.0.1"}, time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	server.TLS = &tls.Config{Certificates: []tls.Certificate{keys}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	s.registerLater(t, server.URL, authority.Pair().Certificate)
}

// registerLater registers a patching webhook that is asked after Lintel: the API
// server goes by the names of configurations.
func (s *stage) registerLater(t *testing.T, url string, bundle []byte) {
	t.Helper()
	name, fail, none := "zz-later", registrationv1.Fail, registrationv1.SideEffectClassNone
	registration := registrationv1.MutatingWebhookConfiguration{
		TypeMeta:   metav1.TypeMeta{APIVersion: "admissionregistration.k8s.io/v1", Kind: "MutatingWebhookConfiguration"},
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Webhooks: []registrationv1.MutatingWebhook{{
			Name: "later.example.com", ClientConfig: registrationv1.WebhookClientConfig{URL: &url, CABundle: bundle}, FailurePolicy: &fail, SideEffects: &none,
			AdmissionReviewVersions: []string{"v1"}, NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": s.namespace}},
			Rules: []registrationv1.RuleWithOperations{{
				Operations: []registrationv1.OperationType{registrationv1.Create},
				Rule:       registrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}},
		}},
	}
	if r := s.kubectlWith(t, encode(t, registration), "create", "-f", "-"); r.code != 0 {
		t.Fatal(r.stderr)
	}
	t.Cleanup(func() {
		s.Kubectl(context.WithoutCancel(t.Context()), nil, "delete", "mutatingwebhookconfiguration", name)
	})
	await(t, "the other webhook is asked", func() bool {
		return strings.Contains(s.kubectlWith(t, wellPod("probe", "", ""), "create", "--dry-run=server", "-o", "json", "-f", "-").stdout, `"seen": "yes"`)
	})
}
