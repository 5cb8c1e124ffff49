package audit

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/report"
)

// perObject is how long the policies may take for one object, which takes a few
// milliseconds at most. What takes longer is an error, not a hang.
const perObject = 10 * time.Second

// A reviewer reviews objects as if they were made now.
type reviewer struct {
	set       *engine.Set
	namespace func(name string) *engine.Object // nil for one that is not known
	inventory *engine.Inventory
	claims    claims
	labels    []string // keys of the labels that objects are counted by
	now       time.Time
}

// review returns what is found of an object, false for one that is on its way out,
// which nobody can put right any more.
func (v *reviewer) review(ctx context.Context, kind Kind, object []byte) (report.Object, bool) {
	req, err := engine.NewRequest(object, "")
	if err != nil {
		id, _ := identify(object) // what says who it is may be well
		return report.Object{Ref: engine.ObjectRef{APIVersion: kind.GroupVersion().String(), Kind: kind.Kind, Namespace: id.Namespace, Name: id.Name}, Err: err}, true
	}
	if req.Deleted() {
		return report.Object{}, false
	}
	req = v.asMade(req).At(v.now)
	if name := req.Namespace(); name != "" {
		req = req.In(v.namespace(name))
	}
	d, m, err := v.decide(ctx, req)
	if err != nil {
		return report.Object{Ref: req.Ref(), Err: errors.New("could not be reviewed: " + err.Error())}, true
	}
	found := detached(report.NewObject(d, m, nil))
	for _, key := range v.labels {
		found.Labels = append(found.Labels, strings.Clone(req.Label(key)))
	}
	return found, true
}

// decide decides within perObject. Where far more time has gone by, this process was
// stopped meanwhile, which is not the object's fault, so it is decided once more.
func (v *reviewer) decide(ctx context.Context, req *engine.Request) (*engine.Decision, *engine.Mutation, error) {
	within := func() (*engine.Decision, *engine.Mutation, error) {
		ctx, cancel := context.WithTimeout(ctx, perObject)
		defer cancel()
		return v.set.Decide(ctx, req, v.inventory)
	}
	began := time.Now()
	d, m, err := within()
	if time.Since(began) > 2*perObject {
		return within()
	}
	return d, m, err
}

// detached returns an object of a report whose texts do not hold on to the text of the
// object that they were read from: of most objects there is little to keep.
func detached(o report.Object) report.Object {
	r := &o.Ref
	r.APIVersion, r.Kind, r.Namespace, r.Name = strings.Clone(r.APIVersion), strings.Clone(r.Kind), strings.Clone(r.Namespace), strings.Clone(r.Name)
	for i := range o.Violations {
		v := &o.Violations[i]
		v.Message, v.Subject, v.Fix = strings.Clone(v.Message), strings.Clone(v.Subject), strings.Clone(v.Fix)
		for k, step := range v.Path {
			if name, ok := step.(string); ok {
				v.Path[k] = strings.Clone(name)
			}
		}
	}
	return o
}
