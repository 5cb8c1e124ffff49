package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
)

// The condition of a Policy, and its reasons.
const (
	ready    = "Ready"
	compiled = "Compiled" // it is in force as its spec says
	broken   = "Broken"   // it is not, and has to be mended
	pending  = "Pending"  // it is not, and waits for something
)

// maxConditionMessage is what the API server takes.
const maxConditionMessage = 32 << 10

// WriteStatus tells each Policy what became of it. It writes what has changed only,
// and goes on where one cannot be written.
func (p *Policies) WriteStatus(ctx context.Context, out Outcome) error {
	inForce := map[string]engine.Info{}
	for _, info := range out.Set.Policies() {
		inForce[info.Name] = info
	}
	var errs []error
	for _, policy := range p.Objects().Policies {
		status := statusOf(policy, out, inForce)
		if equality.Semantic.DeepEqual(status, policy.Status) {
			continue
		}
		patch, err := json.Marshal(map[string]any{"status": status})
		if err != nil {
			return fmt.Errorf("encode status: %w", err)
		}
		_, err = p.client.Resource(policiesResource).Patch(ctx, policy.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: fieldManager}, "status")
		if err != nil && !apierrors.IsNotFound(err) { // it may be gone meanwhile
			errs = append(errs, fmt.Errorf("write status of policy %s: %w", policy.Name, err))
		}
	}
	return errors.Join(errs...)
}

// statusOf returns what is to be said of a policy.
func statusOf(policy v1alpha1.Policy, out Outcome, inForce map[string]engine.Info) v1alpha1.PolicyStatus {
	status := *policy.Status.DeepCopy()
	status.ObservedGeneration, status.Revision = policy.Generation, out.Set.Revision()
	status.Enforcement = inForce[policy.Name].Enforcement
	condition := metav1.Condition{
		Type: ready, Status: metav1.ConditionTrue, Reason: compiled, ObservedGeneration: policy.Generation,
		Message: "in force as its spec says",
	}
	if err := out.Broken[policy.Name]; err != nil {
		condition.Status, condition.Reason = metav1.ConditionFalse, broken
		if errors.Is(err, policies.ErrPending) {
			condition.Reason = pending
		}
		condition.Message = engine.PrintableLines(err.Error())
		if out.Kept[policy.Name] {
			condition.Message += "\nWhat was in force before is in force still."
		}
		condition.Message = strings.ToValidUTF8(condition.Message[:min(len(condition.Message), maxConditionMessage)], "")
	}
	status.Conditions = slices.Clone(status.Conditions)
	meta.SetStatusCondition(&status.Conditions, condition)
	return status
}
