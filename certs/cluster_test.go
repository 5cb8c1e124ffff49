package certs_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	registrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/lintel-policy/lintel/certs"
)

// A hook is a webhook in front of a real API server, which makes a new
// connection for each review, and refuses what it gets no answer for. It is
// registered under another path each time, so that the reviews tell which
// registration, and so which caBundle, the API server goes by.
type hook struct {
	admin     *kubernetes.Clientset
	namespace string
	url       string
	seen      sync.Map // paths of reviews
	versions  int

	workers []*worker
	stop    func()
}

// A worker creates objects, one after the other, as dry runs.
type worker struct {
	made   atomic.Int64
	failed []error // to be read when it has stopped
}

func newHook(t *testing.T, p *place, source *certs.Source) *hook {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: source.GetCertificate})
	must(t, "listen", err)
	h := &hook{admin: p.admin, namespace: p.namespace, url: "https://" + listener.Addr().String()}
	// A failed handshake is seen as a request that is refused.
	server := &http.Server{Handler: http.HandlerFunc(h.review), ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	server.SetKeepAlivesEnabled(false)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return h
}

func (h *hook) review(w http.ResponseWriter, r *http.Request) {
	h.seen.Store(r.URL.Path, true)
	var review admissionv1.AdmissionReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
	_ = json.NewEncoder(w).Encode(review)
}

// register registers the hook with a caBundle and returns when the API server
// goes by it, whatever the request.
func (h *hook) register(t *testing.T, bundle []byte) {
	t.Helper()
	h.versions++
	path := fmt.Sprintf("/%d", h.versions)
	url, fail, none := h.url+path, registrationv1.Fail, registrationv1.SideEffectClassNone
	config := &registrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: h.namespace},
		Webhooks: []registrationv1.ValidatingWebhook{{
			Name: "certs.lintel.dev", FailurePolicy: &fail, SideEffects: &none, AdmissionReviewVersions: []string{"v1"},
			ClientConfig:      registrationv1.WebhookClientConfig{URL: &url, CABundle: bundle},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": h.namespace}},
			Rules: []registrationv1.RuleWithOperations{{
				Operations: []registrationv1.OperationType{registrationv1.Create},
				Rule:       registrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}},
			}},
		}},
	}
	configs := h.admin.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	if h.versions == 1 {
		_, err := configs.Create(t.Context(), config, metav1.CreateOptions{})
		must(t, "register", err)
		t.Cleanup(func() { _ = configs.Delete(context.WithoutCancel(t.Context()), h.namespace, metav1.DeleteOptions{}) })
		h.work(t)
	} else {
		before, err := configs.Get(t.Context(), h.namespace, metav1.GetOptions{})
		must(t, "get registration", err)
		config.ResourceVersion = before.ResourceVersion
		_, err = configs.Update(t.Context(), config, metav1.UpdateOptions{})
		must(t, "register", err)
	}
	eventually(t, "the API server going by the registration", func() bool {
		_, ok := h.seen.Load(path)
		return ok
	})
	h.goOn(t)
}

// work begins to create objects all the time.
func (h *hook) work(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for range 4 {
		w := &worker{}
		h.workers = append(h.workers, w)
		running.Go(func() {
			for ctx.Err() == nil {
				object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "a-"}}
				_, err := h.admin.CoreV1().ConfigMaps(h.namespace).Create(ctx, object, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
				if err != nil && ctx.Err() == nil {
					w.failed = append(w.failed, err)
				}
				w.made.Add(1)
			}
		})
	}
	h.stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(h.stop)
}

// goOn waits until every request that is under way has ended, and some more.
func (h *hook) goOn(t *testing.T) {
	t.Helper()
	for _, w := range h.workers {
		before := w.made.Load()
		eventually(t, "requests being made", func() bool { return w.made.Load() > before+5 })
	}
}

func (h *hook) failures() (made int64, err error) {
	h.stop()
	for _, w := range h.workers {
		made += w.made.Load()
		err = errors.Join(append(w.failed, err)...)
	}
	return made, err
}

// TestRotationInFrontOfAPIServer replaces the certificate, then the authority, as
// a leader does, while the API server calls a replica that follows the Secret.
func TestRotationInFrontOfAPIServer(t *testing.T) {
	p := newPlace(t)
	store := p.store(t, "127.0.0.1")
	// What is waited for passes on the leader's clock alone, which is behind the
	// API server's and catches up.
	clock := time.Now().Add(-time.Hour)
	k, err := store.Load(t.Context(), clock)
	must(t, "Load(...)", err)
	source := newSource(t, k.Serving(), time.Now())
	startFollowing(t, p.store(t, "127.0.0.1"), source)
	h := newHook(t, p, source)
	h.register(t, k.Bundle())

	lead := func(store *certs.Store, registered []byte, phase certs.Phase) {
		t.Helper()
		clock = clock.Add(certs.Settle)
		k, err = store.Step(t.Context(), clock, registered)
		must(t, "Step(...)", err)
		if k.Phase() != phase {
			t.Fatalf("phase: want %s, got %s", phase, k.Phase())
		}
		eventually(t, "the replica serving what is stored", func() bool { return isServed(t, source, k.Serving()) })
		h.goOn(t)
	}
	first := k.Serving()
	lead(p.store(t, "127.0.0.1", "more.test"), k.Bundle(), certs.Steady)
	second := k.Serving()
	store = p.store(t, "127.0.0.1", "more.test")
	p.remove(t, "/data/ca.key")
	lead(store, k.Bundle(), certs.Announced)
	h.register(t, k.Bundle())
	lead(store, k.Bundle(), certs.Trusted)
	lead(store, k.Bundle(), certs.Retiring)
	third := k.Serving()
	lead(store, k.Bundle(), certs.Steady)
	h.register(t, k.Bundle())

	if string(first.Certificate) == string(second.Certificate) || string(second.Certificate) == string(third.Certificate) {
		t.Error("certificates: want three, one after the other")
	}
	if strings.Count(string(k.Bundle()), "BEGIN") != 1 {
		t.Error("bundle: want the new authority alone at the end")
	}
	made, err := h.failures()
	if err != nil {
		t.Errorf("of %d requests some failed:\n%v", made, err)
	}
}

// startFollowing keeps source at what a store holds, until the test ends.
func startFollowing(t *testing.T, store *certs.Store, source *certs.Source) {
	t.Helper()
	var running sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	running.Go(func() {
		err := certs.Follow(ctx, certs.FollowConfig{
			Source: source, Every: 10 * time.Millisecond, Read: store.Pair,
			Changed: func(err error) { t.Errorf("told: %v", err) },
		})
		if err != nil {
			t.Errorf("Follow(...): %v", err)
		}
	})
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
}

// isServed reports whether source serves pair now.
func isServed(t *testing.T, source *certs.Source, pair certs.Pair) bool {
	t.Helper()
	shown, err := source.GetCertificate(nil)
	must(t, "GetCertificate(...)", err)
	return shown.Leaf.SerialNumber.String() == serial(t, pair)
}
