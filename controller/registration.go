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

	"github.com/lintel-policy/lintel/webhook"
)

// The names of the webhooks, which people read in denials.
const (
	ValidateWebhook = "validate.lintel.dev"
	PatchWebhook    = "patch.lintel.dev"
)

const (
	validateSeconds = 3
	patchSeconds    = 2 // patching webhooks are asked one after another
)

// A Target is where the API server finds the webhook: a URL for one outside of
// the cluster, a Service for one in it.
type Target struct {
	URL      string                        // https://host:port; empty if Service is set
	Service  *admissionv1.ServiceReference // its Path is not read
	CABundle []byte                        // PEM of the authorities that vouch for the webhook
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
	client := admissionv1.WebhookClientConfig{CABundle: t.CABundle}
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

// register returns the registration for rules. An entry without rules is left out.
func (cfg RegistrarConfig) register(review, patch Rules) Registration {
	reg := Registration{
		Validating: &admissionv1.ValidatingWebhookConfiguration{
			TypeMeta:   metav1.TypeMeta{APIVersion: "admissionregistration.k8s.io/v1", Kind: "ValidatingWebhookConfiguration"},
			ObjectMeta: cfg.objectMeta(),
		},
		Mutating: &admissionv1.MutatingWebhookConfiguration{
			TypeMeta:   metav1.TypeMeta{APIVersion: "admissionregistration.k8s.io/v1", Kind: "MutatingWebhookConfiguration"},
			ObjectMeta: cfg.objectMeta(),
		},
		Pending: sorted(slices.Concat(review.Pending, patch.Pending)),
		Never:   sorted(slices.Concat(review.Never, patch.Never)),
	}
	if len(review.Rules) > 0 {
		reg.Validating.Webhooks = []admissionv1.ValidatingWebhook{cfg.validating(review.Rules)}
	}
	if len(patch.Rules) > 0 {
		reg.Mutating.Webhooks = []admissionv1.MutatingWebhook{cfg.mutating(patch.Rules)}
	}
	return reg
}

func (cfg RegistrarConfig) objectMeta() metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: cfg.Name, Labels: map[string]string{"app.kubernetes.io/name": "lintel", "app.kubernetes.io/managed-by": "lintel"}}
}

func (cfg RegistrarConfig) validating(rules []admissionv1.RuleWithOperations) admissionv1.ValidatingWebhook {
	failure := admissionv1.Ignore
	if cfg.FailClosed {
		failure = admissionv1.Fail
	}
	return admissionv1.ValidatingWebhook{
		Name:                    ValidateWebhook,
		ClientConfig:            cfg.Target.client(webhook.PathValidate),
		Rules:                   rules,
		FailurePolicy:           &failure,
		MatchPolicy:             ptr(admissionv1.Equivalent),
		NamespaceSelector:       cfg.namespaceSelector(),
		ObjectSelector:          &metav1.LabelSelector{},
		SideEffects:             ptr(admissionv1.SideEffectClassNoneOnDryRun),
		TimeoutSeconds:          ptr(int32(validateSeconds)),
		AdmissionReviewVersions: []string{"v1"},
		MatchConditions:         matchConditions(rules),
	}
}

// mutating fails open: what it would have mended, the validating one judges.
func (cfg RegistrarConfig) mutating(rules []admissionv1.RuleWithOperations) admissionv1.MutatingWebhook {
	return admissionv1.MutatingWebhook{
		Name:                    PatchWebhook,
		ClientConfig:            cfg.Target.client(webhook.PathMutate),
		Rules:                   rules,
		FailurePolicy:           ptr(admissionv1.Ignore),
		MatchPolicy:             ptr(admissionv1.Equivalent),
		NamespaceSelector:       cfg.namespaceSelector(),
		ObjectSelector:          &metav1.LabelSelector{},
		SideEffects:             ptr(admissionv1.SideEffectClassNoneOnDryRun),
		TimeoutSeconds:          ptr(int32(patchSeconds)),
		AdmissionReviewVersions: []string{"v1"},
		ReinvocationPolicy:      ptr(admissionv1.IfNeededReinvocationPolicy),
		MatchConditions:         matchConditions(rules),
	}
}

// namespaceSelector leaves namespaces out by the one label that nobody can set.
func (cfg RegistrarConfig) namespaceSelector() *metav1.LabelSelector {
	names := append(alwaysExcluded(), cfg.ExcludedNamespaces...)
	slices.Sort(names)
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{
		Key: "kubernetes.io/metadata.name", Operator: metav1.LabelSelectorOpNotIn, Values: slices.Compact(names),
	}}}
}

// alwaysExcluded are the namespaces that a cluster cannot do without.
func alwaysExcluded() []string { return []string{"kube-node-lease", "kube-public", "kube-system"} }

// notAPIServer leaves out what the API server does for itself: to hold that up,
// such as the Service "kubernetes", cuts the cluster off from itself.
const notAPIServer = `!has(request.userInfo) || !has(request.userInfo.username) || request.userInfo.username != "system:apiserver"`

// labelsChange leaves out updates of a status that leave the labels alone, which
// are most of what nodes and controllers write. Updates of a pod's status can
// change its labels. A condition that errs holds up a request or lets it by
// without asking, so each field is looked for before it is read.
const labelsChange = `!has(request.subResource) || request.subResource != "status" || object == null || oldObject == null || ` +
	`(has(object.metadata) && has(object.metadata.labels) ? object.metadata.labels : {}) != ` +
	`(has(oldObject.metadata) && has(oldObject.metadata.labels) ? oldObject.metadata.labels : {})`

func matchConditions(rules []admissionv1.RuleWithOperations) []admissionv1.MatchCondition {
	conditions := []admissionv1.MatchCondition{{Name: "not-api-server", Expression: notAPIServer}}
	for _, rule := range rules {
		if slices.ContainsFunc(rule.Resources, func(r string) bool { return strings.HasSuffix(r, "/status") }) {
			return append(conditions, admissionv1.MatchCondition{Name: "status-changes-labels", Expression: labelsChange})
		}
	}
	return conditions
}

func ptr[T any](v T) *T { return &v }

// checkForm refuses a target that is none, or two.
func (t Target) checkForm() error {
	switch {
	case (t.URL == "") == (t.Service == nil):
		return errors.New("controller: Target needs either URL or Service")
	case len(t.CABundle) == 0:
		return errors.New("controller: Target.CABundle is empty")
	}
	return nil
}
