package main

import (
	"context"
	"time"

	"go.uber.org/zap"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// removalTimeout bounds the removal of the registration, which is done while the
// replica still serves: less than it does so after SIGTERM.
const removalTimeout = 5 * time.Second

// leaveRemoved waits until ctx ends. Where the replica ends because its namespace is
// being deleted, it then removes the registration: all replicas end, so that what can
// be denied would be refused by nobody's decision until somebody finds out that the
// ClusterRole, which owns the registration, is there still.
func (g *gate) leaveRemoved(ctx context.Context) {
	<-ctx.Done()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removalTimeout)
	defer cancel()
	if !g.isRemoved(ctx) {
		return
	}
	g.log.Info("the namespace is being deleted: removing the registration", zap.String("namespace", g.election.namespace))
	for kind, remove := range map[string]func(context.Context, string, metav1.DeleteOptions) error{
		"mutating":   g.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Delete,
		"validating": g.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Delete,
	} {
		// Every replica does it, since any may be the last.
		if err := remove(ctx, installation, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			g.log.Error("removing registration", zap.String("webhook", kind), zap.Error(err))
		}
	}
}

// isRemoved reports whether the namespace is being deleted, or gone. Where that cannot
// be told it is not: a registration that stays can be removed by hand.
func (g *gate) isRemoved(ctx context.Context) bool {
	namespace, err := g.client.CoreV1().Namespaces().Get(ctx, g.election.namespace, metav1.GetOptions{})
	if err != nil {
		return apierrors.IsNotFound(err)
	}
	return !namespace.DeletionTimestamp.IsZero()
}
