package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// The conditions of a PolicyException, and their reasons.
const (
	honoured       = "Honoured"       // whether it excuses anything
	partlyHonoured = "PartlyHonoured" // from some of the policies that it names
	notHonoured    = "NotHonoured"    // the Policies do not allow that
	unknownPolicy  = "UnknownPolicy"  // no policies are in force that it names
	expired        = "Expired"        // its time is over

	endsSoon = "EndsSoon" // whether people are warned of its end
	ending   = "Ending"   // it ends within engine.EndingSoon
	lasting  = "Lasting"  // it does not, or nothing would change

	unused  = "Unused"  // whether it seems to be needed no longer
	idle    = "Idle"    // it has excused nothing for idleTime
	inUse   = "InUse"   // it has
	waiting = "Waiting" // it has not, and is not old enough for that to say anything
)

// idleTime is how long an exception may excuse nothing before people are asked
// whether it is needed: five weeks, which is more than from one monthly job to the next.
const idleTime = 35 * 24 * time.Hour

// Exceptions tells PolicyException objects what became of them.
type Exceptions struct {
	client   dynamic.Interface
	policies *Policies
	uses     uses
}

// NewExceptions returns an Exceptions for the objects that policies knows. What it
// writes, it writes by client, which nothing that requests wait for should share.
func NewExceptions(client dynamic.Interface, policies *Policies) *Exceptions {
	return &Exceptions{client: client, policies: policies}
}

// A Notice is what people should know of an exception.
type Notice struct {
	Exception v1alpha1.PolicyException
	Reason    string // in one word, as Events have it
	Text      string // as much of it as an Event has room for
}

// WriteConditions tells each exception whether it excuses anything, ends soon, and is
// used. It writes what has changed only, and goes on where one cannot be written. One
// replica does it for all. It returns what is new for people: for one exception at
// most once a day that it ends soon, and that it is not used, over restarts as well,
// because the conditions say of which day they are.
func (x *Exceptions) WriteConditions(ctx context.Context, out Outcome, namespaces *Namespaces, now time.Time) ([]Notice, error) {
	var notices []Notice
	var errs []error
	for _, e := range x.policies.Objects().Exceptions {
		conditions := conditionsOf(e, out.Set.Effects(e, namespaces.known(e.Namespace)), now)
		if e.Status.ObservedGeneration == e.Generation && equality.Semantic.DeepEqual(conditions, e.Status.Conditions) {
			continue
		}
		status := map[string]any{"observedGeneration": e.Generation, "conditions": conditions}
		switch err := x.write(ctx, e, status); {
		case err == nil:
			notices = append(notices, noticesOf(e, conditions)...)
		case !apierrors.IsConflict(err): // what is known of it is old, and renewed in a moment
			errs = append(errs, err)
		}
	}
	return notices, errors.Join(errs...)
}

// write writes fields of the status of an exception, if that is as it is known. It is
// no error if the exception is gone.
func (x *Exceptions) write(ctx context.Context, e v1alpha1.PolicyException, status map[string]any) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"resourceVersion": e.ResourceVersion}, "status": status})
	if err != nil {
		return fmt.Errorf("encode status: %w", err)
	}
	client := x.client.Resource(exceptionsResource).Namespace(e.Namespace)
	_, err = client.Patch(ctx, e.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: fieldManager}, "status")
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("write status of exception %s/%s: %w", e.Namespace, e.Name, err)
	}
	return nil
}

// conditionsOf returns what is to be said of an exception with such effects.
func conditionsOf(e v1alpha1.PolicyException, effects []engine.Effect, now time.Time) []metav1.Condition {
	conditions := slices.Clone(e.Status.Conditions)
	excuses := slices.DeleteFunc(slices.Clone(effects), func(e engine.Effect) bool { return e.Why != "" })
	is := honouredCondition(e, effects, len(excuses), now)
	lives := is.Status == metav1.ConditionTrue
	for _, c := range []metav1.Condition{is, endsCondition(e, excuses, lives, now), unusedCondition(e, lives, now)} {
		c.ObservedGeneration, c.LastTransitionTime = e.Generation, metav1.NewTime(now)
		c.Message = conditionMessage(c.Message)
		meta.SetStatusCondition(&conditions, c)
	}
	return conditions
}

// honouredCondition says whether an exception excuses from anything, and why not.
func honouredCondition(e v1alpha1.PolicyException, effects []engine.Effect, excuses int, now time.Time) metav1.Condition {
	c := metav1.Condition{Type: honoured, Status: metav1.ConditionFalse, Reason: notHonoured, Message: effectsText(effects)}
	err := engine.CheckException(e)
	switch {
	case err != nil:
		c.Reason, c.Message = broken, err.Error()
	case !now.Before(e.Spec.Expires.Time):
		c.Reason, c.Message = expired, "it expired on "+engine.Moment(e.Spec.Expires.Time)
	case excuses == len(effects):
		c.Status, c.Reason = metav1.ConditionTrue, honoured
	case excuses > 0:
		c.Status, c.Reason = metav1.ConditionTrue, partlyHonoured
	case !slices.ContainsFunc(effects, func(e engine.Effect) bool { return !e.Unknown }):
		c.Reason = unknownPolicy
	}
	return c
}

// effectsText says of each policy what the exception does to it.
func effectsText(effects []engine.Effect) string {
	lines := make([]string, len(effects))
	for i, e := range effects {
		what := "excused until " + engine.Moment(e.Expires)
		if e.Why != "" {
			what = "not excused: " + e.Why
		}
		lines[i] = engine.Printable(e.Policy) + ": " + what
	}
	return strings.Join(lines, "\n")
}

// endsCondition says whether the exception ends soon.
func endsCondition(e v1alpha1.PolicyException, effects []engine.Effect, lives bool, now time.Time) metav1.Condition {
	c := metav1.Condition{Type: endsSoon, Status: metav1.ConditionFalse, Reason: lasting, Message: "nothing changes soon"}
	excuses := make([]engine.Excuse, len(effects))
	for i := range effects {
		excuses[i] = effects[i].Excuse
	}
	if told := engine.Ending(excuses, now); lives && len(told) > 0 {
		c.Status, c.Reason = metav1.ConditionTrue, ending
		c.Message = fmt.Sprintf("%s (%s left)", told[0], days(math.Ceil(e.Spec.Expires.Sub(now).Hours()/24)))
	}
	return c
}

// unusedCondition says whether the exception seems to be needed no longer.
func unusedCondition(e v1alpha1.PolicyException, lives bool, now time.Time) metav1.Condition {
	c := metav1.Condition{Type: unused, Status: metav1.ConditionFalse, Reason: waiting, Message: "it has excused nothing yet"}
	since, what := e.CreationTimestamp.Time, "since it was made"
	if used := e.Status.LastUsed; used != nil {
		c.Reason, c.Message = inUse, "status.lastUsed says when it last excused something"
		since, what = used.Time, "since it last did"
	}
	if idleFor := now.Sub(since); lives && idleFor >= idleTime {
		c.Status, c.Reason = metav1.ConditionTrue, idle
		c.Message = fmt.Sprintf("it has excused nothing for %s, %s: if it is not needed, delete it", days(idleFor.Hours()/24), what)
	}
	return c
}

// days writes a number of days.
func days(n float64) string { return engine.Counted(int(n), "day", "days") }

// noticesOf returns what is new for people in conditions.
func noticesOf(e v1alpha1.PolicyException, conditions []metav1.Condition) []Notice {
	var notices []Notice
	for _, c := range conditions {
		if isNews(c, meta.FindStatusCondition(e.Status.Conditions, c.Type)) {
			notices = append(notices, Notice{Exception: e, Reason: c.Reason, Text: note(c.Message)})
		}
	}
	return notices
}

// isNews reports whether people should know of a condition as it is now: that an
// exception is not honoured once for each reason, and a warning once for each text,
// which counts days.
func isNews(c metav1.Condition, before *metav1.Condition) bool {
	if c.Type == honoured {
		return c.Status == metav1.ConditionFalse && (before == nil || before.Reason != c.Reason)
	}
	return c.Status == metav1.ConditionTrue && (before == nil || before.Status != c.Status || before.Message != c.Message)
}
