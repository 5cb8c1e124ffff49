package main

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
)

// exceptions is what tells the exceptions of a cluster what became of them.
type exceptions struct {
	*controller.Exceptions
	client *kubernetes.Clientset // for Events
}

// exceptionsQPS is how many requests a second are made to tell exceptions.
const exceptionsQPS = 20

// newExceptions makes it. Its requests have a limit of their own: neither the leader's
// lease nor a request that asks for a new namespace waits for a status.
func (g *gate) newExceptions() (*exceptions, error) {
	config := rest.CopyConfig(g.config)
	config.QPS, config.Burst = exceptionsQPS, 2*exceptionsQPS
	writer, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	return &exceptions{controller.NewExceptions(writer, g.kept.policies), client}, nil
}

// excused notes what exceptions kept policies from being asked about, where they are
// objects of a cluster.
func (g *gate) excused(object engine.ObjectRef, at time.Time, excused []engine.Excuse) {
	if g.exceptions != nil {
		g.exceptions.Excused(object, at, excused)
	}
}

const (
	// usesPeriod is how often it is looked for uses that are to be written.
	usesPeriod = 2 * time.Second
	// lastUsesTime bounds writing what is left of them at the end.
	lastUsesTime = 3 * time.Second
)

// keepUses writes into exceptions when they were last used, until ctx ends, and then
// what is not written yet.
func (g *gate) keepUses(ctx context.Context) error {
	tick := time.NewTicker(usesPeriod)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastUsesTime)
			defer cancel()
			g.writeUses(ending, true)
			return nil
		case <-tick.C:
			g.writeUses(ctx, false)
		}
	}
}

func (g *gate) writeUses(ctx context.Context, last bool) {
	if err := g.exceptions.WriteUses(ctx, time.Now(), last); err != nil && (last || ctx.Err() == nil) {
		g.log.Error("writing when exceptions were used", zap.Error(err))
	}
}

// tellExceptions writes the conditions of exceptions, and Events of what is new, until
// ctx ends. There may be thousands of them, and no Policy waits for that.
func (g *gate) tellExceptions(ctx context.Context) {
	recorder := newRecorder(ctx, g.exceptions.client)
	tick := time.NewTicker(retryPeriod)
	defer tick.Stop()
	for {
		if out := g.kept.outcome.Load(); out != nil {
			g.tellExceptionsOnce(ctx, *out, recorder)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (g *gate) tellExceptionsOnce(ctx context.Context, out controller.Outcome, recorder events.EventRecorder) {
	notices, err := g.exceptions.WriteConditions(ctx, out, g.namespaces, time.Now())
	if err != nil && ctx.Err() == nil {
		g.log.Error("writing status", zap.Error(err))
	}
	for i := range notices {
		n := &notices[i]
		n.Exception.APIVersion, n.Exception.Kind = v1alpha1.GroupVersion.String(), "PolicyException"
		recorder.Eventf(&n.Exception, nil, corev1.EventTypeWarning, n.Reason, "Tell", "%s", n.Text)
	}
}
