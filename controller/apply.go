package controller

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// configurations are what the API server has; nil for what it has not.
type configurations struct {
	validating *admissionv1.ValidatingWebhookConfiguration
	mutating   *admissionv1.MutatingWebhookConfiguration
}

func (c configurations) isWhole() bool { return c.validating != nil && c.mutating != nil }

// isClosed reports whether requests that can be denied are refused when nobody answers.
func (c configurations) isClosed() bool {
	return c.validating != nil && slices.ContainsFunc(c.validating.Webhooks, func(w admissionv1.ValidatingWebhook) bool {
		return w.Name == DenyWebhook && w.FailurePolicy != nil && *w.FailurePolicy == admissionv1.Fail
	})
}

// told is what the API server was told last, and made of it.
type told struct {
	validating, mutating []byte
	made                 configurations
}

// read reads what the API server has.
func (r *Registrar) read(ctx context.Context) (configurations, error) {
	var found configurations
	v, err := r.cfg.Client.ValidatingWebhookConfigurations().Get(ctx, r.cfg.Name, metav1.GetOptions{})
	if err == nil {
		found.validating = v
	} else if !apierrors.IsNotFound(err) {
		return configurations{}, fmt.Errorf("read validating registration: %w", err)
	}
	m, err := r.cfg.Client.MutatingWebhookConfigurations().Get(ctx, r.cfg.Name, metav1.GetOptions{})
	if err == nil {
		found.mutating = m
	} else if !apierrors.IsNotFound(err) {
		return configurations{}, fmt.Errorf("read patching registration: %w", err)
	}
	return found, nil
}

// apply tells the API server, unless it still has what it was told, patching last:
// what is patched is to be judged. r is locked.
func (r *Registrar) apply(ctx context.Context, reg Registration, found configurations) error {
	validating, err := json.Marshal(reg.Validating)
	if err != nil {
		return fmt.Errorf("encode registration: %w", err)
	}
	mutating, err := json.Marshal(reg.Mutating)
	if err != nil {
		return fmt.Errorf("encode registration: %w", err)
	}
	same := bytes.Equal(validating, r.told.validating) && bytes.Equal(mutating, r.told.mutating)
	if same && found.equals(r.told.made) {
		return r.keep(ctx, r.closed())
	}
	if same {
		r.tellEdited(found)
	}
	ctx, cancel := finishing(ctx)
	defer cancel()
	made, err := r.write(ctx, reg, validating, mutating)
	if err != nil {
		r.told = told{made: made.or(r.told.made)}
		return err
	}
	r.told = told{validating, mutating, made}
	r.log(reg)
	return r.keep(ctx, r.closed())
}

// finishTime is how long what is being written may still take when it is to end: less
// than it takes another replica to lead after one has lost the lead, which is 5 seconds.
const finishTime = 4 * time.Second

// finishing returns a context for writes, which ends a while after ctx: of a write that
// is cut off nobody knows whether the API server has done it, and [Registrar.Remove] has
// to know.
func finishing(ctx context.Context) (context.Context, context.CancelFunc) {
	writing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(finishTime, cancel) })
	return writing, func() {
		stop()
		cancel()
	}
}

// or is c, and of what it lacks what was made before.
func (c configurations) or(before configurations) configurations {
	return configurations{cmp.Or(c.validating, before.validating), cmp.Or(c.mutating, before.mutating)}
}

// equals reports whether nobody has changed what is registered.
func (c configurations) equals(made configurations) bool {
	return c.isWhole() && made.isWhole() &&
		equality.Semantic.DeepEqual(c.validating.Webhooks, made.validating.Webhooks) &&
		equality.Semantic.DeepEqual(c.mutating.Webhooks, made.mutating.Webhooks) &&
		equality.Semantic.DeepEqual(c.validating.OwnerReferences, made.validating.OwnerReferences) &&
		equality.Semantic.DeepEqual(c.mutating.OwnerReferences, made.mutating.OwnerReferences)
}

// write applies both configurations. What others have added, such as a condition
// or an entry of theirs, server-side apply leaves in; then the whole is replaced. On
// an error it returns what has been made until then.
func (r *Registrar) write(ctx context.Context, reg Registration, validating, mutating []byte) (made configurations, err error) {
	if made.validating, err = r.writeValidating(ctx, reg.Validating.Webhooks, validating); err != nil {
		return made, fmt.Errorf("register validating webhook: %w", err)
	}
	if made.mutating, err = r.writeMutating(ctx, reg.Mutating.Webhooks, mutating); err != nil {
		return made, fmt.Errorf("register patching webhook: %w", err)
	}
	return made, nil
}

func (r *Registrar) writeValidating(ctx context.Context, wanted []admissionv1.ValidatingWebhook, told []byte) (*admissionv1.ValidatingWebhookConfiguration, error) {
	client := r.cfg.Client.ValidatingWebhookConfigurations()
	made, err := client.Patch(ctx, r.cfg.Name, types.ApplyPatchType, told, applying())
	if err != nil {
		return nil, err
	}
	if sameEntries(wanted, made.Webhooks, validatingEntry) {
		return made, nil
	}
	made.Webhooks = wanted
	return client.Update(ctx, made, metav1.UpdateOptions{FieldManager: fieldManager})
}

func (r *Registrar) writeMutating(ctx context.Context, wanted []admissionv1.MutatingWebhook, told []byte) (*admissionv1.MutatingWebhookConfiguration, error) {
	client := r.cfg.Client.MutatingWebhookConfigurations()
	made, err := client.Patch(ctx, r.cfg.Name, types.ApplyPatchType, told, applying())
	if err != nil {
		return nil, err
	}
	if sameEntries(wanted, made.Webhooks, mutatingEntry) {
		return made, nil
	}
	made.Webhooks = wanted
	return client.Update(ctx, made, metav1.UpdateOptions{FieldManager: fieldManager})
}

func applying() metav1.PatchOptions {
	return metav1.PatchOptions{FieldManager: fieldManager, Force: ptr(true)}
}

// An entry is what others can add to and server-side apply leaves in.
type entry struct {
	name       string
	conditions []admissionv1.MatchCondition
}

func validatingEntry(w admissionv1.ValidatingWebhook) entry { return entry{w.Name, w.MatchConditions} }

func mutatingEntry(w admissionv1.MutatingWebhook) entry { return entry{w.Name, w.MatchConditions} }

// sameEntries reports whether nobody else has added anything.
func sameEntries[T any](wanted, made []T, of func(T) entry) bool {
	return slices.EqualFunc(wanted, made, func(a, b T) bool {
		return of(a).name == of(b).name && slices.Equal(of(a).conditions, of(b).conditions)
	})
}

// log says what has been registered.
func (r *Registrar) log(reg Registration) {
	r.cfg.Log.Info("registered", zap.String("name", r.cfg.Name), zap.Strings("entries", reg.entries()), zap.Int("pending", len(reg.Pending)))
	for _, p := range reg.Pending {
		r.cfg.Log.Debug("kind does not exist yet", zap.String("policy", p.Policy), zap.Stringer("kind", p.Kind))
	}
	for _, p := range reg.Never {
		r.cfg.Log.Info("kind is never asked about", zap.String("policy", p.Policy), zap.Stringer("kind", p.Kind))
	}
}

// entries names the entries with what becomes of requests when nobody answers.
func (reg Registration) entries() []string {
	var names []string
	for _, w := range reg.Validating.Webhooks {
		names = append(names, w.Name+"="+string(*w.FailurePolicy))
	}
	for _, w := range reg.Mutating.Webhooks {
		names = append(names, w.Name+"="+string(*w.FailurePolicy))
	}
	return names
}

// removeTimeout bounds the removal, which has to work although the process was
// told to end.
const removeTimeout = 10 * time.Second

// Remove removes what was registered by this Registrar and not made anew by
// somebody else. It goes on where ctx has ended. The webhook has to be served until
// it has returned.
func (r *Registrar) Remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	r.mu.Lock()
	defer r.mu.Unlock()
	made := r.told.made
	if m := made.mutating; m != nil {
		if err := remove(ctx, m.UID, r.cfg.Name, r.cfg.Client.MutatingWebhookConfigurations().Delete); err != nil {
			return fmt.Errorf("remove registration of patching webhook: %w", err)
		}
	}
	if v := made.validating; v != nil {
		if err := remove(ctx, v.UID, r.cfg.Name, r.cfg.Client.ValidatingWebhookConfigurations().Delete); err != nil {
			return fmt.Errorf("remove registration of validating webhook: %w", err)
		}
	}
	r.told = told{}
	return r.keep(ctx, Standing{})
}

func remove(ctx context.Context, uid types.UID, name string, del func(context.Context, string, metav1.DeleteOptions) error) error {
	err := del(ctx, name, metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(uid))})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}
