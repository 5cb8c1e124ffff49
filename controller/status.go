package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
)

// The conditions of a Policy, and their reasons.
const (
	ready    = "Ready"
	stalled  = "Stalled"  // there only where waiting is of no use, as kstatus has it
	compiled = "Compiled" // it is in force as its spec says
	broken   = "Broken"   // it is not, and has to be mended
	pending  = "Pending"  // it is not, and waits for something
	// spreading says that it compiles and is not in force everywhere yet.
	spreading = "Spreading"

	inventoryReady = "InventoryReady" // of policies that read an inventory
	allReadable    = "Readable"       // all that they cannot do without is known
	someUnreadable = "Unreadable"     // it is not, so they cannot decide
)

// A Reach is how far an [Outcome] has come.
type Reach struct {
	// Awaits says what is missing until it is registered and served by every replica.
	// If empty, nothing is.
	Awaits string
	// TooLarge names the policies that cannot be kept for a restart.
	TooLarge map[string]bool
	// Inventory is what the policies read. If nil, there is none.
	Inventory *Inventory
	// Catalog is which kinds the cluster has. If nil, it has all that policies match.
	Catalog *Catalog
	// LastDay returns what a policy would have denied of late, nil where nothing is to be
	// said of that, and whether it is known: else the status stays as it is. If nil, it
	// never is.
	LastDay func(engine.Info) (*v1alpha1.LastDay, bool)
}

// A report is all that the statuses of policies are made from.
type report struct {
	Outcome
	Reach
	inForce map[string]engine.Info // by name
	now     time.Time
}

// maxConditionMessage is what the API server takes.
const maxConditionMessage = 32 << 10

// WriteStatus tells each Policy what became of it, and in which stage it is now. It
// writes what has changed only, and goes on where one cannot be written. A Policy is
// ready when it is in force everywhere, and stays so while others change.
func (p *Policies) WriteStatus(ctx context.Context, out Outcome, reach Reach, now time.Time) error {
	r := report{Outcome: out, Reach: reach, inForce: map[string]engine.Info{}, now: now}
	for _, info := range out.Set.Policies() {
		r.inForce[info.Name] = info
	}
	var errs []error
	for _, policy := range p.Objects().Policies {
		if generation, known := out.Generations[policy.Name]; !known || generation != policy.Generation {
			continue // it has changed since, and is compiled in a moment
		}
		if reach.Awaits != "" && p.isSettled(policy, out) {
			continue
		}
		status := r.statusOf(policy)
		if equality.Semantic.DeepEqual(status, policy.Status) {
			continue
		}
		patch, err := statusPatch(policy.Status, status)
		if err != nil {
			return err
		}
		_, err = p.client.Resource(policiesResource).Patch(ctx, policy.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: fieldManager}, "status")
		if err != nil && !apierrors.IsNotFound(err) { // it may be gone meanwhile
			errs = append(errs, fmt.Errorf("write status of policy %s: %w", policy.Name, err))
		}
	}
	if reach.Awaits == "" {
		p.settled = out.Well
	}
	return errors.Join(errs...)
}

// statusPatch returns the merge patch that makes one status of another. It names what
// is to be taken out, such as the next stage once the last has begun.
func statusPatch(from, to v1alpha1.PolicyStatus) ([]byte, error) {
	before, err := json.Marshal(map[string]any{"status": from})
	if err != nil {
		return nil, fmt.Errorf("encode status: %w", err)
	}
	after, err := json.Marshal(map[string]any{"status": to})
	if err != nil {
		return nil, fmt.Errorf("encode status: %w", err)
	}
	patch, err := jsonpatch.CreateMergePatch(before, after)
	if err != nil {
		return nil, fmt.Errorf("encode status: %w", err)
	}
	return patch, nil
}

// isSettled reports whether a policy was ready and is as it was then: it is in force
// everywhere, though not everywhere with the same others. What it was then is not
// known to who leads since a moment; then its generation has to do.
func (p *Policies) isSettled(policy v1alpha1.Policy, out Outcome) bool {
	is := meta.FindStatusCondition(policy.Status.Conditions, ready)
	if out.Broken[policy.Name] != nil || is == nil || is.Status != metav1.ConditionTrue || is.ObservedGeneration != policy.Generation {
		return false
	}
	was, known := p.settled[policy.Name]
	return p.settled == nil || known && equality.Semantic.DeepEqual(was, out.Well[policy.Name])
}

// statusOf returns what is to be said of a policy.
func (r report) statusOf(policy v1alpha1.Policy) v1alpha1.PolicyStatus {
	status := *policy.Status.DeepCopy()
	status.ObservedGeneration, status.Revision = policy.Generation, r.Set.Revision()
	info := r.inForce[policy.Name]
	status.Enforcement, status.NextStage = info.EnforcementAt(r.now), info.NextStage(r.now)
	if r.LastDay != nil {
		if day, known := r.LastDay(info); known {
			status.LastDay = day
		}
	}
	condition := metav1.Condition{
		Type: ready, Status: metav1.ConditionTrue, Reason: compiled, ObservedGeneration: policy.Generation,
		Message: "in force as its spec says",
	}
	if r.Awaits != "" {
		condition.Status, condition.Reason = metav1.ConditionUnknown, spreading
		condition.Message = engine.Printable("in force as its spec says, but not everywhere yet: " + r.Awaits)
	}
	if kinds := absentKinds(info, r.Catalog); kinds != "" {
		condition.Status, condition.Reason = metav1.ConditionFalse, pending
		condition.Message = "spec.match.kinds: waits for what it matches, of which this cluster has nothing: there is no " + kinds
	}
	if err := r.Broken[policy.Name]; err != nil {
		condition.Status, condition.Reason = metav1.ConditionFalse, broken
		if errors.Is(err, policies.ErrPending) {
			condition.Reason = pending
		}
		text := err.Error()
		if r.Kept[policy.Name] {
			text += "\nWhat was in force before is in force still."
		}
		condition.Message = text
	}
	if r.TooLarge[policy.Name] {
		condition.Message += "\nIt is too large to be kept: should it be broken when Lintel starts, it is in force in no form."
	}
	condition.Message = conditionMessage(condition.Message)
	status.Conditions = slices.Clone(status.Conditions)
	meta.SetStatusCondition(&status.Conditions, condition)
	setStalled(&status.Conditions, policy.Spec.Source, condition)
	setInventory(&status, info.Inventory, r.Inventory)
	return status
}

// setInventory says whether what a policy reads can be read, if it reads anything.
func setInventory(status *v1alpha1.PolicyStatus, kinds []engine.InventoryKind, inventory *Inventory) {
	if len(kinds) == 0 {
		meta.RemoveStatusCondition(&status.Conditions, inventoryReady)
		return
	}
	condition := inventoryCondition(kinds, inventory)
	condition.ObservedGeneration = status.ObservedGeneration
	meta.SetStatusCondition(&status.Conditions, condition)
}

// setStalled says where Ready is false until somebody changes the spec, so that who
// waits for it need not. What is in a ConfigMap may be mended without the Policy, whose
// generation would not say so.
func setStalled(conditions *[]metav1.Condition, source v1alpha1.Source, is metav1.Condition) {
	if is.Reason != broken || source.ConfigMapRef != nil {
		meta.RemoveStatusCondition(conditions, stalled)
		return
	}
	is.Type, is.Status = stalled, metav1.ConditionTrue
	meta.SetStatusCondition(conditions, is)
}

// inventoryCondition says of the kinds that a policy reads which cannot be read, and why.
func inventoryCondition(kinds []engine.InventoryKind, inventory *Inventory) metav1.Condition {
	condition := metav1.Condition{Type: inventoryReady, Status: metav1.ConditionTrue, Reason: allReadable, Message: "what it reads is known"}
	var lacks []string
	for _, kind := range kinds {
		err := inventory.Lacks(kind)
		switch {
		case err == nil:
			continue
		case kind.Optional:
			lacks = append(lacks, fmt.Sprintf("%s %s reads as empty: %v", kind.APIVersion, kind.Kind, err))
			continue
		}
		condition.Status, condition.Reason = metav1.ConditionFalse, someUnreadable
		lacks = append(lacks, fmt.Sprintf("%s %s cannot be read, so the policy cannot decide: %v", kind.APIVersion, kind.Kind, err))
	}
	if len(lacks) > 0 {
		condition.Message = conditionMessage(strings.Join(lacks, "\n"))
	}
	return condition
}

// conditionMessage is text as the API server takes it.
func conditionMessage(text string) string {
	text = engine.PrintableLines(text)
	return strings.ToValidUTF8(text[:min(len(text), maxConditionMessage)], "")
}
