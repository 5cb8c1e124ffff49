package doctor

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	policyv1 "k8s.io/api/policy/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
)

// Config says what to look at. REST is required.
type Config struct {
	REST      *rest.Config // of the cluster, as the caller
	Namespace string       // of the installation; if empty, lintel-system
	Account   string       // user name of Lintel's account; if empty, that of the Deployment
	Version   string       // of this binary; if empty, it is not compared
	Now       time.Time    // if zero, the time at which it is read
}

// A Snapshot is what was read of a cluster. What there is not is nil; what could not
// be seen is nil too, and in Unseen.
type Snapshot struct {
	Now        time.Time
	Namespace  string
	Account    string
	Version    string
	Server     string // version of the API server
	Catalog    *controller.Catalog
	Namespaces []corev1.Namespace

	Deployment *appsv1.Deployment
	Pods       []corev1.Pod // of the Deployment
	Budgets    []policyv1.PodDisruptionBudget
	Endpoints  []discoveryv1.EndpointSlice // of the Service
	ConfigMaps []corev1.ConfigMap          // in the namespace
	Lease      *coordinationv1.Lease

	Definitions map[string]*apiextensionsv1.CustomResourceDefinition // by plural
	Objects     policies.Objects                                     // of the cluster
	Exceptions  []v1alpha1.PolicyException                           // that hold
	Set         *engine.Set                                          // nil where no policy could be read
	Broken      []error                                              // of sources that are no objects
	Whole       bool                                                 // whether Set is what replicas have, as far as can be told
	Excused     map[string]bool                                      // whether an exception excuses an object that is there, by namespace/name; absent if not known

	Rights []Right
	Excess []Need
	Grants []Grant // read only where there is excess

	Validating   []admissionv1.ValidatingWebhookConfiguration
	Mutating     []admissionv1.MutatingWebhookConfiguration
	Guard        *admissionv1.ValidatingAdmissionPolicy
	GuardBinding *admissionv1.ValidatingAdmissionPolicyBinding

	NoSecret    bool                // whether the Secret is not there that replicas share certificates in
	Serving     []*x509.Certificate // the leaf first; nil if it is not known
	ServingName string              // by which the API server calls it
	ServingFrom string              // where it was seen

	Unseen []Unseen
	hidden map[string]bool // what is in Unseen
}

// What can be unseen, and is asked for by checks.
const (
	seenDeployment  = "the Deployment"
	seenPods        = "the pods"
	seenBudgets     = "PodDisruptionBudgets"
	seenEndpoints   = "EndpointSlices"
	seenConfigMaps  = "ConfigMaps"
	seenLease       = "the Lease"
	seenNamespaces  = "namespaces"
	seenDefinitions = "CustomResourceDefinitions"
	seenObjects     = "Policies and PolicyExceptions"
	seenValidating  = "ValidatingWebhookConfigurations"
	seenMutating    = "MutatingWebhookConfigurations"
	seenGuard       = "ValidatingAdmissionPolicies"
	seenServing     = "the serving certificate"
)

// A reader fills a Snapshot.
type reader struct {
	s          *Snapshot
	client     *kubernetes.Clientset
	dynamic    dynamic.Interface
	extensions *clientset.Clientset
	metadata   metadata.Interface
}

// Read reads a cluster. The error says that nothing of it can be seen.
func Read(ctx context.Context, cfg Config) (*Snapshot, error) {
	s := &Snapshot{
		Now: cfg.Now, Namespace: cfg.Namespace, Account: cfg.Account, Version: cfg.Version,
		Definitions: map[string]*apiextensionsv1.CustomResourceDefinition{}, Excused: map[string]bool{}, hidden: map[string]bool{},
	}
	if s.Now.IsZero() {
		s.Now = time.Now()
	}
	if s.Namespace == "" {
		s.Namespace = "lintel-system"
	}
	r, err := newReader(cfg.REST, s)
	if err != nil {
		return nil, err
	}
	if s.Catalog, err = controller.ReadCatalog(ctx, r.client.DiscoveryClient, nil); err != nil {
		return nil, fmt.Errorf("reach the cluster: %w", err)
	}
	if v, err := r.client.ServerVersion(); err == nil { //nolint:contextcheck // it takes none
		s.Server = v.GitVersion
	}
	r.readInstallation(ctx)
	r.readRegistration(ctx)
	r.readPolicies(ctx)
	r.readExcused(ctx)
	r.readRights(ctx)
	r.readServing(ctx)
	return s, ctx.Err()
}

func newReader(config *rest.Config, s *Snapshot) (*reader, error) {
	if config == nil {
		return nil, errors.New("doctor: Config.REST is nil")
	}
	config = rest.CopyConfig(config)
	config.QPS = -1 // some fifty requests, once; the API server says when it is too much
	client, errC := kubernetes.NewForConfig(config)
	dyn, errD := dynamic.NewForConfig(config)
	ext, errE := clientset.NewForConfig(config)
	meta, errM := metadata.NewForConfig(config)
	if err := errors.Join(errC, errD, errE, errM); err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	return &reader{s, client, dyn, ext, meta}, nil
}

// see reads something and reports whether it is there.
func see[T any](s *Snapshot, what string, read func() (T, error)) (T, bool) {
	v, err := read()
	if err == nil {
		return v, true
	}
	if !apierrors.IsNotFound(err) {
		s.unsee(what, err.Error())
	}
	var none T
	return none, false
}

// unsee notes what could not be seen.
func (s *Snapshot) unsee(what, why string) {
	if !s.hidden[what] {
		s.hidden[what] = true
		s.Unseen = append(s.Unseen, Unseen{what, why})
	}
}

// saw reports whether what is not there is not there.
func (s *Snapshot) saw(what string) bool { return !s.hidden[what] }

// IsBlind reports whether nothing of Lintel could be seen: neither what runs, nor what
// the API server is told.
func (s *Snapshot) IsBlind() bool {
	return !s.saw(seenDeployment) && !s.saw(seenValidating) && !s.saw(seenMutating)
}

// items returns what a list has, nil where there is none.
func items[L, T any](list *L, of func(*L) []T) []T {
	if list == nil {
		return nil
	}
	return of(list)
}

func (r *reader) readInstallation(ctx context.Context) {
	s, all := r.s, metav1.ListOptions{}
	s.Deployment, _ = see(s, seenDeployment, func() (*appsv1.Deployment, error) {
		return r.client.AppsV1().Deployments(s.Namespace).Get(ctx, lintel, metav1.GetOptions{})
	})
	if s.Account == "" && s.Deployment != nil {
		s.Account = accountPrefix + s.Namespace + ":" + cmp.Or(s.Deployment.Spec.Template.Spec.ServiceAccountName, "default")
	}
	if s.Deployment != nil {
		pods, _ := see(s, seenPods, func() (*corev1.PodList, error) {
			return r.client.CoreV1().Pods(s.Namespace).List(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(s.Deployment.Spec.Selector)})
		})
		s.Pods = items(pods, func(l *corev1.PodList) []corev1.Pod { return l.Items })
	}
	budgets, _ := see(s, seenBudgets, func() (*policyv1.PodDisruptionBudgetList, error) {
		return r.client.PolicyV1().PodDisruptionBudgets(s.Namespace).List(ctx, all)
	})
	s.Budgets = items(budgets, func(l *policyv1.PodDisruptionBudgetList) []policyv1.PodDisruptionBudget { return l.Items })
	endpoints, _ := see(s, seenEndpoints, func() (*discoveryv1.EndpointSliceList, error) {
		return r.client.DiscoveryV1().EndpointSlices(s.Namespace).List(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + lintel})
	})
	s.Endpoints = items(endpoints, func(l *discoveryv1.EndpointSliceList) []discoveryv1.EndpointSlice { return l.Items })
	maps, _ := see(s, seenConfigMaps, func() (*corev1.ConfigMapList, error) {
		return r.client.CoreV1().ConfigMaps(s.Namespace).List(ctx, all)
	})
	s.ConfigMaps = items(maps, func(l *corev1.ConfigMapList) []corev1.ConfigMap { return l.Items })
	s.Lease, _ = see(s, seenLease, func() (*coordinationv1.Lease, error) {
		return r.client.CoordinationV1().Leases(s.Namespace).Get(ctx, lintel, metav1.GetOptions{})
	})
	namespaces, _ := see(s, seenNamespaces, func() (*corev1.NamespaceList, error) { return r.client.CoreV1().Namespaces().List(ctx, all) })
	s.Namespaces = items(namespaces, func(l *corev1.NamespaceList) []corev1.Namespace { return l.Items })
}

func (r *reader) readRegistration(ctx context.Context) {
	s, client, all := r.s, r.client.AdmissionregistrationV1(), metav1.ListOptions{}
	validating, _ := see(s, seenValidating, func() (*admissionv1.ValidatingWebhookConfigurationList, error) {
		return client.ValidatingWebhookConfigurations().List(ctx, all)
	})
	s.Validating = items(validating, func(l *admissionv1.ValidatingWebhookConfigurationList) []admissionv1.ValidatingWebhookConfiguration {
		return l.Items
	})
	mutating, _ := see(s, seenMutating, func() (*admissionv1.MutatingWebhookConfigurationList, error) {
		return client.MutatingWebhookConfigurations().List(ctx, all)
	})
	s.Mutating = items(mutating, func(l *admissionv1.MutatingWebhookConfigurationList) []admissionv1.MutatingWebhookConfiguration {
		return l.Items
	})
	s.Guard, _ = see(s, seenGuard, func() (*admissionv1.ValidatingAdmissionPolicy, error) {
		return client.ValidatingAdmissionPolicies().Get(ctx, guardName, metav1.GetOptions{})
	})
	s.GuardBinding, _ = see(s, seenGuard, func() (*admissionv1.ValidatingAdmissionPolicyBinding, error) {
		return client.ValidatingAdmissionPolicyBindings().Get(ctx, guardName, metav1.GetOptions{})
	})
	for _, plural := range definitions() {
		crd, ok := see(s, seenDefinitions, func() (*apiextensionsv1.CustomResourceDefinition, error) {
			return r.extensions.ApiextensionsV1().CustomResourceDefinitions().Get(ctx, plural+"."+v1alpha1.GroupVersion.Group, metav1.GetOptions{})
		})
		if ok {
			s.Definitions[plural] = crd
		}
	}
}

// configMap returns a ConfigMap in the namespace, nil if it is not there.
func (s *Snapshot) configMap(name string) *corev1.ConfigMap {
	at := slices.IndexFunc(s.ConfigMaps, func(m corev1.ConfigMap) bool { return m.Name == name })
	if at < 0 {
		return nil
	}
	return &s.ConfigMaps[at]
}

func (s *Snapshot) configMapNames() map[string]bool {
	names := map[string]bool{}
	for _, m := range s.ConfigMaps {
		names[m.Name] = true
	}
	return names
}
