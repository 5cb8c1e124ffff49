package controller

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	admissionclient "k8s.io/client-go/kubernetes/typed/admissionregistration/v1"
	"k8s.io/client-go/util/retry"
)

// A Glass lets an operator open the gate by rights of their own, whether Lintel runs
// or not: each configuration is changed by one request, so that none of its entries is
// ever asked, and says until when, why and by whom.
type Glass struct {
	Client admissionclient.AdmissionregistrationV1Interface
	// Name is that of both webhook configurations. If empty, "lintel".
	Name string
}

// A Pane is how one of the configurations stands.
type Pane struct {
	Kind string
	// Missing says that there is no such configuration, so that nothing of it is asked.
	Missing bool
	// Opening is what its annotations say; the zero one if they are none, or broken.
	Opening Opening
	// Broken says what is wrong with the annotations. If nil, nothing is.
	Broken error
	// Entries is how many there are, and Open how many of them are never asked.
	Entries, Open int
}

// IsOpen reports whether nothing of the configuration stands in the way.
func (p Pane) IsOpen() bool { return p.Open == p.Entries }

// glassManager is the owner of the fields that an operator changes.
const glassManager = "lintel-breakglass"

// Look returns how the configurations stand. What could be read is in the result
// beside an error.
func (g Glass) Look(ctx context.Context) ([]Pane, error) {
	return g.each(ctx, func(context.Context, half) error { return nil })
}

// Break opens the gate and returns how the configurations stand then. One that it
// cannot open is in the error, and the other is opened all the same.
func (g Glass) Break(ctx context.Context, o Opening) ([]Pane, error) {
	return g.each(ctx, func(ctx context.Context, h half) error { return h.breakOpen(ctx, o) })
}

// End undoes Break, and returns how the configurations stand then.
func (g Glass) End(ctx context.Context) ([]Pane, error) {
	return g.each(ctx, func(ctx context.Context, h half) error { return h.end(ctx) })
}

// each does something to both configurations, anew where somebody else has changed one
// meanwhile.
func (g Glass) each(ctx context.Context, do func(context.Context, half) error) ([]Pane, error) {
	var panes []Pane
	var errs []error
	for _, side := range []struct {
		kind string
		read func(context.Context) (half, error)
	}{{validatingKind, g.validating}, {mutatingKind, g.mutating}} {
		pane, err := onHalf(ctx, side.read, do)
		switch {
		case err == nil:
			panes = append(panes, pane)
		case apierrors.IsNotFound(err):
			panes = append(panes, Pane{Kind: side.kind, Missing: true})
		default:
			errs = append(errs, err)
		}
	}
	return panes, errors.Join(errs...)
}

// onHalf reads a configuration, does something to it, and returns how it stands then.
func onHalf(ctx context.Context, read func(context.Context) (half, error), do func(context.Context, half) error) (pane Pane, err error) {
	err = retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		h, err := read(ctx)
		if err != nil {
			return err
		}
		if err := do(ctx, h); err != nil {
			return err
		}
		h, err = read(ctx)
		pane = h.pane()
		return err
	})
	return pane, err
}

func (g Glass) name() string {
	if g.Name == "" {
		return "lintel"
	}
	return g.Name
}

func (g Glass) validating(ctx context.Context) (half, error) {
	client := g.Client.ValidatingWebhookConfigurations()
	c, err := client.Get(ctx, g.name(), metav1.GetOptions{})
	if err != nil {
		return half{}, fmt.Errorf("read %s %q: %w", validatingKind, g.name(), err)
	}
	return validatingHalf(client, c, glassManager), nil
}

func (g Glass) mutating(ctx context.Context) (half, error) {
	client := g.Client.MutatingWebhookConfigurations()
	c, err := client.Get(ctx, g.name(), metav1.GetOptions{})
	if err != nil {
		return half{}, fmt.Errorf("read %s %q: %w", mutatingKind, g.name(), err)
	}
	return mutatingHalf(client, c, glassManager), nil
}

func (h half) pane() Pane {
	opening, err := openingOf(h.meta.Annotations)
	return Pane{Kind: h.kind, Opening: opening, Broken: err, Entries: len(h.entries), Open: h.open()}
}
