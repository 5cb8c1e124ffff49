package main

import (
	"context"
	"fmt"

	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/events"

	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/webhook"
)

// newDenials makes what writes Events of what is denied, where there is a cluster.
func (c *serveCommand) newDenials(g *gate) error {
	if g.mode == alone || !c.events {
		return nil
	}
	reader, err := metadata.NewForConfig(g.config)
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	g.denials, err = controller.NewDenials(controller.DenialsConfig{
		Recorder: func(ctx context.Context) events.EventRecorder { return newRecorder(ctx, g.client) },
		Mapper:   restmapper.NewDeferredDiscoveryRESTMapperWithContext(memory.NewMemCacheClientWithContext(g.client.DiscoveryClient)),
		Metadata: reader, Metrics: g.metrics,
	})
	return err
}

// tellReviewed returns what each review is handed to, nil where nobody wants it.
func (c *serveCommand) tellReviewed(g *gate) func(webhook.Reviewed) {
	record := c.recordTo()
	switch {
	case g.denials == nil:
		return record
	case record == nil:
		return g.denials.Tell
	}
	return func(r webhook.Reviewed) {
		record(r)
		g.denials.Tell(r)
	}
}
