package controller

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/webhook"
)

// The names of the webhooks, which people read in denials.
const (
	DenyWebhook  = "deny.lintel.dev"
	WarnWebhook  = "warn.lintel.dev"
	PatchWebhook = "patch.lintel.dev"
)

const (
	denySeconds  = 3
	warnSeconds  = 1 // nobody waits long for what holds nothing up
	patchSeconds = 2 // patching webhooks are asked one after another
)

// A Target is where the API server finds the webhook: a URL for one outside of
// the cluster, a Service for one in it.
type Target struct {
	URL     string                        // https://host:port; empty if Service is set
	Service *admissionv1.ServiceReference // its Path is not read
	// CABundle returns the authorities that vouch for the webhook now, as PEM.
	CABundle func() []byte
}

// check refuses what the API server cannot reach. apiServer is the host of the
// API server as a rest.Config has it.
func (t Target) check(apiServer string) error {
	if t.Service != nil {
		return nil
	}
	u, err := url.Parse(t.URL)
	if err != nil {
		return fmt.Errorf("read URL of webhook: %w", err)
	}
	switch {
	case u.Scheme != "https" || u.Hostname() == "":
		return fmt.Errorf("URL of webhook %q: not https://host:port", t.URL)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		return fmt.Errorf("URL of webhook %q: more than https://host:port", t.URL)
	case isUnspecified(u.Hostname()):
		return fmt.Errorf("URL of webhook %q: no address that can be called", t.URL)
	case isLoopback(u.Hostname()) && !isLoopback(hostOf(apiServer)):
		return fmt.Errorf("URL of webhook %q: the API server %q is on another machine and would call itself", t.URL, apiServer)
	}
	return nil
}

func isLoopback(host string) bool {
	if host = strings.TrimSuffix(strings.ToLower(host), "."); host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func isUnspecified(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsUnspecified()
}

// hostOf returns the host of an API server, which may be written as a URL, as
// host:port, or as a host.
func hostOf(apiServer string) string {
	if u, err := url.Parse(apiServer); err == nil && u.Hostname() != "" {
		return u.Hostname()
	}
	if host, _, err := net.SplitHostPort(apiServer); err == nil {
		return host
	}
	return apiServer
}

// client returns how the API server calls path.
func (t Target) client(path string) admissionv1.WebhookClientConfig {
	client := admissionv1.WebhookClientConfig{CABundle: t.CABundle()}
	if t.Service != nil {
		service := *t.Service
		service.Path = &path
		client.Service = &service
		return client
	}
	to := strings.TrimSuffix(t.URL, "/") + path
	client.URL = &to
	return client
}

// A Registration is what the API server is told.
type Registration struct {
	Validating *admissionv1.ValidatingWebhookConfiguration
	Mutating   *admissionv1.MutatingWebhookConfiguration
	// Pending and Never are what policies match and nobody is asked about: kinds
	// that do not exist yet, and resources that a cluster cannot do without.
	Pending, Never []Pending
}

// A plan is what a registration is made of.
type plan struct {
	set     *engine.Set
	rules   entryRules
	own     []admissionv1.RuleWithOperations // for Lintel's own objects
	failure admissionv1.FailurePolicyType    // of the entry that is waited for
	owners  []metav1.OwnerReference
	name    string
	target  Target
}

// register returns the registration of a plan. An entry without rules is left out.
func (p plan) register() Registration {
	reg := Registration{
		Validating: &admissionv1.ValidatingWebhookConfiguration{
			TypeMeta:   metav1.TypeMeta{APIVersion: "admissionregistration.k8s.io/v1", Kind: "ValidatingWebhookConfiguration"},
			ObjectMeta: p.objectMeta(),
		},
		Mutating: &admissionv1.MutatingWebhookConfiguration{
			TypeMeta:   metav1.TypeMeta{APIVersion: "admissionregistration.k8s.io/v1", Kind: "MutatingWebhookConfiguration"},
			ObjectMeta: p.objectMeta(),
		},
		Pending: sorted(slices.Concat(p.rules.all.Pending, p.rules.patch.Pending)),
		Never:   sorted(slices.Concat(p.rules.all.Never, p.rules.patch.Never)),
	}
	if len(p.rules.deny) > 0 {
		reg.Validating.Webhooks = append(reg.Validating.Webhooks, p.deny())
	}
	if len(p.rules.all.Rules) > 0 {
		reg.Validating.Webhooks = append(reg.Validating.Webhooks, p.warn())
	}
	if len(p.own) > 0 {
		reg.Validating.Webhooks = append(reg.Validating.Webhooks, p.ownEntry())
	}
	if len(p.rules.patch.Rules) > 0 {
		reg.Mutating.Webhooks = append(reg.Mutating.Webhooks, p.patch())
	}
	return reg
}

func (p plan) objectMeta() metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name:            p.name,
		Labels:          map[string]string{"app.kubernetes.io/name": "lintel", "app.kubernetes.io/managed-by": "lintel"},
		OwnerReferences: p.owners,
	}
}

// deny is the entry that is waited for.
func (p plan) deny() admissionv1.ValidatingWebhook {
	return p.validating(admissionv1.ValidatingWebhook{
		Name: DenyWebhook, ClientConfig: p.target.client(webhook.PathDeny), Rules: p.rules.deny,
		FailurePolicy: ptr(p.failure), TimeoutSeconds: ptr(int32(denySeconds)),
		MatchConditions: append(p.conditions(p.rules.deny), admissionv1.MatchCondition{
			Name: "not-controllers", Expression: either(not(userIn(p.set.Controllers())), resourceIn(p.rules.held)),
		}),
	})
}

// warn is the entry that holds nothing up when nobody answers: neither what would
// only be recorded, nor the built-in controllers, nor scaling.
func (p plan) warn() admissionv1.ValidatingWebhook {
	conditions := p.conditions(p.rules.all.Rules)
	if len(p.rules.deny) > 0 {
		conditions = append(conditions, admissionv1.MatchCondition{
			Name: "not-answered-by-deny", Expression: either(userIn(p.set.Controllers()), isScale, resourceIn(p.rules.recorded)),
		})
	}
	return p.validating(admissionv1.ValidatingWebhook{
		Name: WarnWebhook, ClientConfig: p.target.client(webhook.PathWarn), Rules: p.rules.all.Rules,
		FailurePolicy: ptr(admissionv1.Ignore), TimeoutSeconds: ptr(int32(warnSeconds)), MatchConditions: conditions,
	})
}

// validating adds what the validating entries have in common.
func (p plan) validating(w admissionv1.ValidatingWebhook) admissionv1.ValidatingWebhook {
	w.MatchPolicy = ptr(admissionv1.Equivalent)
	w.NamespaceSelector = p.namespaceSelector()
	w.ObjectSelector = &metav1.LabelSelector{}
	w.SideEffects = ptr(admissionv1.SideEffectClassNoneOnDryRun)
	w.AdmissionReviewVersions = []string{"v1"}
	return w
}

// patch fails open: what it would have mended, the validating ones judge.
func (p plan) patch() admissionv1.MutatingWebhook {
	return admissionv1.MutatingWebhook{
		Name:                    PatchWebhook,
		ClientConfig:            p.target.client(webhook.PathMutate),
		Rules:                   p.rules.patch.Rules,
		FailurePolicy:           ptr(admissionv1.Ignore),
		MatchPolicy:             ptr(admissionv1.Equivalent),
		NamespaceSelector:       p.namespaceSelector(),
		ObjectSelector:          &metav1.LabelSelector{},
		SideEffects:             ptr(admissionv1.SideEffectClassNoneOnDryRun),
		TimeoutSeconds:          ptr(int32(patchSeconds)),
		AdmissionReviewVersions: []string{"v1"},
		ReinvocationPolicy:      ptr(admissionv1.IfNeededReinvocationPolicy),
		MatchConditions:         p.conditions(p.rules.patch.Rules),
	}
}

// namespaceSelector leaves namespaces out by the one label that nobody can set.
func (p plan) namespaceSelector() *metav1.LabelSelector {
	names := slices.Concat(alwaysExcluded(), p.set.ExcludedNamespaces())
	slices.Sort(names)
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{
		Key: "kubernetes.io/metadata.name", Operator: metav1.LabelSelectorOpNotIn, Values: slices.Compact(names),
	}}}
}

// alwaysExcluded are the namespaces that a cluster cannot do without.
func alwaysExcluded() []string { return []string{"kube-node-lease", "kube-public", "kube-system"} }

func ptr[T any](v T) *T { return &v }

// checkForm refuses a target that is none, or two.
func (t Target) checkForm() error {
	switch {
	case (t.URL == "") == (t.Service == nil):
		return errors.New("controller: Target needs either URL or Service")
	case t.CABundle == nil || len(t.CABundle()) == 0:
		return errors.New("controller: Target.CABundle is nil or empty")
	}
	return nil
}
