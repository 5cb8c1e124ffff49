package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/dynamic"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
	"github.com/lintel-policy/lintel/webhook"
)

// CheckerConfig configures a [Checker]. All but Now are required.
type CheckerConfig struct {
	// Client reads the ConfigMaps that policies name.
	Client dynamic.Interface
	// Compose is that of the [Keeper], so that both come to the same.
	Compose func(policies.Source) (engine.Config, error)
	// Policies, Set and Catalog return what there is now: objects, those in force, kinds.
	Policies func() policies.Objects
	Set      func() *engine.Set
	Catalog  func() *Catalog
	// Namespace returns a Namespace object.
	Namespace func(ctx context.Context, name string) (*engine.Object, error)
	Now       func() time.Time // if nil, time.Now
}

// A Checker says of Policies and PolicyExceptions, before they are stored, what a
// [Keeper] will make of them. It refuses what would not be in force and has to be
// mended, and warns of what is probably not meant. What may still come, such as a
// kind or a ConfigMap, is no mistake.
type Checker struct {
	cfg       CheckerConfig
	slots     chan struct{} // one for each that is compiled
	compiling singleflight.Group
}

var _ webhook.Checker = (*Checker)(nil)

// maxCompiling is how many policies are compiled at a time. Nothing stops the
// compiler, so there is another where one takes long, and no more than that.
const maxCompiling = 2

// NewChecker returns a Checker for cfg.
func NewChecker(cfg CheckerConfig) *Checker {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Checker{cfg: cfg, slots: make(chan struct{}, maxCompiling)}
}

// errBusy reports that other policies were being compiled all the time.
var errBusy = errors.New("other policies are being checked")

// Check checks the object of a request. One that leaves the spec alone always passes,
// so that finalizers can go and labels be set, whatever is wrong with it.
func (c *Checker) Check(ctx context.Context, req *engine.Request) (webhook.Finding, error) {
	if req.Kind().Group != v1alpha1.GroupVersion.Group || req.Subresource() != "" || !req.ChangesSpec() {
		return webhook.Finding{}, nil
	}
	switch req.Kind().Kind {
	case "Policy":
		p, err := objectOf[v1alpha1.Policy](req)
		if err != nil {
			return webhook.Finding{}, err
		}
		return c.policy(ctx, p)
	case "PolicyException":
		e, err := objectOf[v1alpha1.PolicyException](req)
		if err != nil {
			return webhook.Finding{}, err
		}
		return c.exception(ctx, e, req.Operation() == v1alpha1.Create), nil
	}
	return webhook.Finding{}, nil
}

// objectOf returns the object of a request as what it is in Go.
func objectOf[T any](req *engine.Request) (T, error) {
	object, err := typed[T](req.Object())
	if err != nil {
		return object, errors.New("it cannot be read as the kind that it is") // an error of the decoder repeats values
	}
	return object, nil
}

// refused is what is said of an object that would not be in force.
func refused(kind, name string, err error) webhook.Finding {
	text := strings.ReplaceAll(engine.PrintableLines(err.Error()), "\n", "\n  ")
	return webhook.Finding{Refusal: fmt.Sprintf("%s %s would not be in force:\n  %s", kind, engine.Printable(name), text)}
}

func (c *Checker) policy(ctx context.Context, p v1alpha1.Policy) (webhook.Finding, error) {
	objects := policies.Objects{Policies: []v1alpha1.Policy{p}}
	data, err := c.configMap(ctx, p.Spec.Source.ConfigMapRef)
	if err != nil {
		return webhook.Finding{Warnings: []string{fmt.Sprintf("%s: its Rego could not be checked: %v", p.Name, err)}}, nil
	}
	objects.ConfigMap = func(v1alpha1.ConfigMapRef) (map[string]string, bool) { return data, data != nil }
	done, err := c.inTurn(ctx, p, data, func() (engine.Info, error) { return c.compile(p.Name, objects) })
	switch {
	case err != nil:
		return webhook.Finding{}, err
	case errors.Is(done.err, policies.ErrPending):
		return webhook.Finding{Warnings: []string{p.Name + ": " + done.err.Error()}}, nil
	case done.err != nil:
		return refused("Policy", p.Name, done.err), nil
	}
	return webhook.Finding{Warnings: c.doubts(p, done.info)}, nil
}

// A compilation is what came of compiling a policy.
type compilation struct {
	info     engine.Info
	err      error // what is wrong with the policy
	panicked any
}

// inTurn compiles a policy when there is room, and returns by the end of ctx even
// where the compiler does not. The same policy that is sent again meanwhile, as
// whoever syncs does with what was refused, waits for the first and takes no more room.
func (c *Checker) inTurn(ctx context.Context, p v1alpha1.Policy, data map[string]string, compile func() (engine.Info, error)) (compilation, error) {
	key, err := json.Marshal([]any{p.Name, p.Spec, data})
	if err != nil {
		return compilation{}, fmt.Errorf("encode policy: %w", err)
	}
	results := c.compiling.DoChan(string(key), func() (any, error) {
		if err := c.await(ctx); err != nil {
			return nil, err
		}
		defer func() { <-c.slots }()
		return guarded(compile), nil
	})
	select {
	case <-ctx.Done():
		return compilation{}, ctx.Err()
	case r := <-results:
		done, _ := r.Val.(compilation)
		if done.panicked != nil {
			panic(done.panicked) //nolint:forbidigo // whoever asks has a guard, which the goroutine of the compiler has not
		}
		return done, r.Err
	}
}

// guarded keeps what compile panics with.
func guarded(compile func() (engine.Info, error)) (done compilation) {
	defer func() { done.panicked = recover() }()
	done.info, done.err = compile()
	return done
}

// configMap reads the ConfigMap that a policy names as it is now: that of a new policy
// is not watched yet. It is nil where it is not there, or none is named.
func (c *Checker) configMap(ctx context.Context, ref *v1alpha1.ConfigMapRef) (map[string]string, error) {
	if ref == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	data, err := readConfigMap(ctx, c.cfg.Client, *ref)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read ConfigMap %s/%s: %w", ref.Namespace, ref.Name, err)
	case data == nil:
		data = map[string]string{}
	}
	return data, nil
}

// await waits for its turn to compile, for a third of the time at most: the rest is
// for compiling.
func (c *Checker) await(ctx context.Context) error {
	wait := lookupTimeout
	if end, ok := ctx.Deadline(); ok {
		wait = time.Until(end) / 3
	}
	late := time.NewTimer(wait)
	defer late.Stop()
	select {
	case c.slots <- struct{}{}:
		return nil
	case <-late.C:
	case <-ctx.Done():
	}
	return errBusy
}

// compile compiles one policy as the Keeper does all. The error is of that policy
// alone.
func (c *Checker) compile(name string, objects policies.Objects) (engine.Info, error) {
	source, err := policies.FromObjects(objects)
	if err != nil {
		return engine.Info{}, ofPolicy(err)
	}
	cfg, err := c.cfg.Compose(source)
	cfg.Exceptions = nil
	cfg.Policies = slices.DeleteFunc(slices.Clone(cfg.Policies), func(p engine.Policy) bool { return p.Name != name })
	if len(cfg.Policies) == 0 {
		return engine.Info{}, fmt.Errorf("%w: give it another name", clashOf(name, err))
	}
	set, err := engine.Compile(cfg)
	if err != nil {
		return engine.Info{}, ofPolicy(err)
	}
	return set.Policies()[0], nil
}

// ofPolicy returns what is wrong with the one policy that an error is of.
func ofPolicy(err error) error {
	var of *engine.PolicyError
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

// clashOf returns which of the errors of a composition is of a policy.
func clashOf(name string, err error) error {
	out := Outcome{Broken: map[string]error{}}
	out.take(err)
	if of := out.Broken[name]; of != nil {
		return of
	}
	return errors.Join(out.Errors...)
}
