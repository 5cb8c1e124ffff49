package controller_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
)

// TestRegistrationOfLibrary holds what the API server is told for the library to
// what is written down: who reviews a change of the file sees what is asked about,
// what is not, and what fails how. LINTEL_UPDATE=1 writes the file.
func TestRegistrationOfLibrary(t *testing.T) {
	cfg, client := registrar(t, "golden")
	library, err := policies.Embedded()
	must(t, "read library", err)
	set, err := engine.Compile(engine.Config{Policies: library})
	must(t, "compile", err)
	cfg.Set = func() *engine.Set { return set }
	r, err := controller.NewRegistrar(cfg)
	must(t, "make registrar", err)
	reg, err := r.Register(t.Context())
	must(t, "register", err)

	v := validating(t, client, "golden")
	m, err := client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(t.Context(), "golden", metav1.GetOptions{})
	must(t, "get", err)
	var text strings.Builder
	for _, w := range v.Webhooks {
		writeEntry(&text, asMutating(w))
	}
	for _, w := range m.Webhooks {
		writeEntry(&text, w)
	}
	fmt.Fprintf(&text, "pending\n")
	for _, p := range reg.Pending {
		fmt.Fprintf(&text, "  %s %s %s\n", p.Policy, p.Kind.Group, p.Kind.Kind)
	}
	golden(t, "registration.txt", text.String())
	catalog, err := controller.ReadCatalog(t.Context(), client.DiscoveryClient, nil)
	must(t, "read catalog", err)
	for _, rules := range [][]admissionv1.RuleWithOperations{v.Webhooks[0].Rules, v.Webhooks[1].Rules, m.Webhooks[0].Rules} {
		must(t, "check rules against discovery", controller.Check(rules, catalog))
	}
}

// golden holds text to a file of testdata, which LINTEL_UPDATE=1 writes.
func golden(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if os.Getenv("LINTEL_UPDATE") != "" {
		must(t, "write", os.WriteFile(file, []byte(text), 0o600))
	}
	want, err := os.ReadFile(file)
	must(t, "read", err)
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("%s: -want, +got:\n%s", name, diff)
	}
}

// TestRegistrationOfOwn holds the entry by which Lintel's own objects are checked to
// what is written down. It is there as soon as their kinds are, without any policy.
func TestRegistrationOfOwn(t *testing.T) {
	cfg, client := registrar(t, "own")
	set, err := engine.Compile(engine.Config{})
	must(t, "compile nothing", err)
	cfg.Set, cfg.Own = func() *engine.Set { return set }, true
	r, err := controller.NewRegistrar(cfg)
	must(t, "make registrar", err)
	entries := func() []admissionv1.ValidatingWebhook {
		_, err := r.Register(t.Context())
		must(t, "register", err)
		return validating(t, client, "own").Webhooks
	}
	if got := entries(); len(got) != 0 {
		t.Errorf("without the kinds there are %d entries, want none", len(got))
	}
	define(t)
	var text strings.Builder
	eventually(t, "the entry", func() bool { return len(entries()) == 1 })
	writeEntry(&text, asMutating(entries()[0]))
	golden(t, "registration_own.txt", text.String())
}

// asMutating is what both kinds of entry have in common.
func asMutating(w admissionv1.ValidatingWebhook) admissionv1.MutatingWebhook {
	return admissionv1.MutatingWebhook{
		Name: w.Name, ClientConfig: w.ClientConfig, Rules: w.Rules, FailurePolicy: w.FailurePolicy, MatchPolicy: w.MatchPolicy,
		NamespaceSelector: w.NamespaceSelector, ObjectSelector: w.ObjectSelector, SideEffects: w.SideEffects, TimeoutSeconds: w.TimeoutSeconds,
		AdmissionReviewVersions: w.AdmissionReviewVersions, MatchConditions: w.MatchConditions,
	}
}

// writeEntry writes an entry for people to read.
func writeEntry(to *strings.Builder, w admissionv1.MutatingWebhook) {
	fmt.Fprintf(to, "%s %s\n", w.Name, strings.TrimPrefix(*w.ClientConfig.URL, "https://127.0.0.1:1"))
	fmt.Fprintf(to, "  %s, %d s, %s, side effects %s, reviews %v\n", *w.FailurePolicy, *w.TimeoutSeconds, *w.MatchPolicy, *w.SideEffects, w.AdmissionReviewVersions)
	if w.ReinvocationPolicy != nil {
		fmt.Fprintf(to, "  reinvoked %s\n", *w.ReinvocationPolicy)
	}
	fmt.Fprintf(to, "  namespaces %s\n", metav1.FormatLabelSelector(w.NamespaceSelector))
	fmt.Fprintf(to, "  objects %s\n", metav1.FormatLabelSelector(w.ObjectSelector))
	for _, c := range w.MatchConditions {
		fmt.Fprintf(to, "  if %s\n    %s\n", c.Name, c.Expression)
	}
	for _, line := range written(w.Rules) {
		fmt.Fprintf(to, "  %s\n", line)
	}
}

// TestLibraryIsAsked makes a request of each kind that is registered for the
// library: the API server takes rules that it never asks by.
func TestLibraryIsAsked(t *testing.T) {
	library, err := policies.Embedded()
	must(t, "read library", err)
	g := start(t, library...)
	kubectl(t, "create", "namespace", "matrix")
	kubectl(t, "label", "namespace", "matrix", "environment=test", "team=test")
	kubectl(t, "create", "serviceaccount", "default", "-n", "matrix")

	want := map[string]bool{}
	for _, w := range validating(t, g.client, "lintel").Webhooks {
		expand(want, w.Name, w.Rules)
	}
	m, err := g.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(t.Context(), "lintel", metav1.GetOptions{})
	must(t, "get", err)
	expand(want, controller.PatchWebhook, m.Webhooks[0].Rules)
	maps.DeleteFunc(want, func(line string, _ bool) bool {
		// A person who scales asks nobody who could hold them up, and nothing that a
		// person does otherwise is only recorded by the library.
		return strings.HasPrefix(line, "warn ") && !strings.HasSuffix(line, "/scale")
	})
	delete(want, "deny UPDATE deployments/status") // the API server itself keeps their labels

	files, err := filepath.Glob("../e2e/testdata/workloads/*-mended.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no workloads: %v", err)
	}
	calls := g.callsOf(func() {
		for _, file := range files {
			kubectl(t, "apply", "-n", "matrix", "-f", file)
			kubectl(t, "annotate", "-n", "matrix", "-f", file, "looked-at=yes")
			if !strings.Contains(file, "podtemplate") { // which has no status
				kubectl(t, "patch", "-n", "matrix", "-f", file, "--subresource=status", "--type=merge", "-p", `{"metadata":{"labels":{"another":"label"}}}`)
			}
		}
		kubectl(t, "create", "configmap", "settings", "-n", "matrix", "--from-literal=level=debug")
		kubectl(t, "annotate", "configmap", "settings", "-n", "matrix", "looked-at=yes")
		kubectl(t, "debug", "pod/pod", "-n", "matrix", "--image=busybox:1.36", "--attach=false", "--quiet")
		kubectl(t, "scale", "-n", "matrix", "--replicas=4", "deployment/deployment", "statefulset/statefulset")
		kubectl(t, "patch", "-n", "matrix", "pod/pod", "--subresource=resize", "-p", `{"spec":{"containers":[{"name":"web","resources":{"requests":{"cpu":"200m"}}}]}}`)
	})
	got := map[string]bool{}
	for _, c := range calls {
		operation, rest, _ := strings.Cut(c.what, " ")
		resource, _, _ := strings.Cut(rest, " ")
		got[c.entry+" "+operation+" "+resource] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("asked about: -registered, +asked:\n%s", diff)
	}
}

// expand adds what rules ask about, one by one. Through the subresources of the
// library nothing is created.
func expand(to map[string]bool, webhook string, rules []admissionv1.RuleWithOperations) {
	entry, _, _ := strings.Cut(webhook, ".")
	for _, rule := range rules {
		for _, resource := range rule.Resources {
			for _, operation := range rule.Operations {
				if operation == admissionv1.Update || !strings.Contains(resource, "/") {
					to[entry+" "+string(operation)+" "+resource] = true
				}
			}
		}
	}
}
