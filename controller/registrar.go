package controller

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	admissionclient "k8s.io/client-go/kubernetes/typed/admissionregistration/v1"

	"github.com/lintel-policy/lintel/engine"
)

// fieldManager is the owner of the fields that are applied.
const fieldManager = "lintel"

// RegistrarConfig configures a [Registrar]. Client, Discovery, Policies and Target
// are required.
type RegistrarConfig struct {
	Client    admissionclient.AdmissionregistrationV1Interface
	Discovery discovery.ServerResourcesInterfaceWithContext
	// Policies returns those in force.
	Policies func() []engine.Info
	// Target is where the API server finds the webhook.
	Target Target
	// APIServer is its host, as a rest.Config has it. A webhook on loopback is
	// refused unless this is loopback too.
	APIServer string
	// Name is that of both webhook configurations. If empty, "lintel".
	Name string
	// FailClosed refuses what cannot be judged because the webhook does not
	// answer. If false, such requests pass.
	FailClosed bool
	// ExcludedNamespaces are never asked about, besides those of Kubernetes itself.
	ExcludedNamespaces []string
	// Refresh is how often discovery is read for kinds that have come or gone. If
	// zero, 30 seconds.
	Refresh time.Duration
	// Discovered is called with each catalog that was read, before anything is
	// registered by it. If nil, nothing is.
	Discovered func(*Catalog)
	// Log says what is registered and what is pending. If nil, nothing is logged.
	Log *zap.Logger
}

// A Registrar registers the webhook for what its policies match.
type Registrar struct {
	cfg RegistrarConfig

	mu         sync.Mutex
	catalog    *Catalog
	registered []byte            // what the API server was told last; nil if nothing
	uids       map[string]string // of the configurations that were made, by kind
}

// NewRegistrar returns a Registrar for cfg. It refuses a target that the API
// server cannot reach.
func NewRegistrar(cfg RegistrarConfig) (*Registrar, error) {
	switch {
	case cfg.Client == nil || cfg.Discovery == nil || cfg.Policies == nil:
		return nil, errors.New("controller: RegistrarConfig lacks Client, Discovery or Policies")
	case cfg.Refresh < 0:
		return nil, errors.New("controller: RegistrarConfig.Refresh is negative")
	}
	if err := cfg.Target.checkForm(); err != nil {
		return nil, err
	}
	if err := cfg.Target.check(cfg.APIServer); err != nil {
		return nil, err
	}
	if cfg.Name == "" {
		cfg.Name = "lintel"
	}
	if cfg.Refresh == 0 {
		cfg.Refresh = 30 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	return &Registrar{cfg: cfg, uids: map[string]string{}}, nil
}

// Register reads discovery and tells the API server what the policies match now,
// unless it has been told already. A policy that asks for what cannot be is an
// error, and the others are registered all the same.
func (r *Registrar) Register(ctx context.Context) (Registration, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	catalog, err := ReadCatalog(ctx, r.cfg.Discovery, r.catalog)
	if err != nil {
		return Registration{}, err
	}
	r.catalog = catalog
	if r.cfg.Discovered != nil {
		r.cfg.Discovered(catalog)
	}
	policies := r.cfg.Policies()
	review, reviewErr := ReviewRules(policies, catalog)
	patch, patchErr := PatchRules(policies, catalog)
	reg := r.cfg.register(review, patch)
	if err := r.apply(ctx, reg); err != nil {
		return Registration{}, err
	}
	return reg, errors.Join(reviewErr, patchErr)
}

// apply tells the API server, patching last: what is patched is to be judged.
func (r *Registrar) apply(ctx context.Context, reg Registration) error {
	validating, err := json.Marshal(reg.Validating)
	if err != nil {
		return fmt.Errorf("encode registration: %w", err)
	}
	mutating, err := json.Marshal(reg.Mutating)
	if err != nil {
		return fmt.Errorf("encode registration: %w", err)
	}
	told := bytes.Join([][]byte{validating, mutating}, []byte("\n"))
	if bytes.Equal(told, r.registered) {
		return nil
	}
	options := metav1.PatchOptions{FieldManager: fieldManager, Force: ptr(true)}
	v, err := r.cfg.Client.ValidatingWebhookConfigurations().Patch(ctx, r.cfg.Name, types.ApplyPatchType, validating, options)
	if err != nil {
		return fmt.Errorf("register validating webhook: %w", err)
	}
	r.uids["validating"] = string(v.UID)
	m, err := r.cfg.Client.MutatingWebhookConfigurations().Patch(ctx, r.cfg.Name, types.ApplyPatchType, mutating, options)
	if err != nil {
		return fmt.Errorf("register patching webhook: %w", err)
	}
	r.uids["mutating"] = string(m.UID)
	r.registered = told
	r.log(reg)
	return nil
}

// log says what has been registered.
func (r *Registrar) log(reg Registration) {
	r.cfg.Log.Info("registered", zap.String("name", r.cfg.Name),
		zap.Int("validating", len(reg.Validating.Webhooks)), zap.Int("mutating", len(reg.Mutating.Webhooks)), zap.Int("pending", len(reg.Pending)))
	for _, p := range reg.Pending {
		r.cfg.Log.Debug("kind does not exist yet", zap.String("policy", p.Policy), zap.Stringer("kind", p.Kind))
	}
	for _, p := range reg.Never {
		r.cfg.Log.Info("kind is never asked about", zap.String("policy", p.Policy), zap.Stringer("kind", p.Kind))
	}
}

// Run registers, keeps the registration up with what exists in the cluster until
// ctx ends, and removes it. The webhook has to be served until Run has returned.
// The error says that it could not register at all, or not remove.
func (r *Registrar) Run(ctx context.Context) error {
	_, err := r.Register(ctx)
	if err != nil && !r.isRegistered() {
		return errors.Join(err, r.Remove(ctx))
	}
	r.complain(err)
	ticker := time.NewTicker(r.cfg.Refresh)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return r.Remove(ctx)
		case <-ticker.C:
			_, err := r.Register(ctx)
			r.complain(err)
		}
	}
}

func (r *Registrar) isRegistered() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.registered != nil
}

func (r *Registrar) complain(err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		r.cfg.Log.Error("registering", zap.Error(err))
	}
}

// removeTimeout bounds the removal, which has to work although the process was
// told to end.
const removeTimeout = 10 * time.Second

// Remove removes what was registered by this Registrar and not made anew by
// somebody else. It goes on where ctx has ended.
func (r *Registrar) Remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	r.mu.Lock()
	defer r.mu.Unlock()
	err := errors.Join(
		r.remove(ctx, "mutating", r.cfg.Client.MutatingWebhookConfigurations().Delete),
		r.remove(ctx, "validating", r.cfg.Client.ValidatingWebhookConfigurations().Delete),
	)
	if err == nil {
		r.registered = nil
	}
	return err
}

func (r *Registrar) remove(ctx context.Context, kind string, del func(context.Context, string, metav1.DeleteOptions) error) error {
	uid, ok := r.uids[kind]
	if !ok {
		return nil
	}
	err := del(ctx, r.cfg.Name, metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(uid)})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("remove registration of %s webhook: %w", kind, err)
	}
	delete(r.uids, kind)
	return nil
}
