package main

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/events"

	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/webhook"
)

// newTellers makes what writes Events of what is denied, where there is a cluster, and
// of what an audit finds, where there is one.
func (c *serveCommand) newTellers(g *gate) error {
	if g.mode == alone || !c.events {
		return nil
	}
	reader, err := metadata.NewForConfig(g.config)
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	recorder := func(ctx context.Context) events.EventRecorder { return newRecorder(ctx, g.client) }
	mapper := restmapper.NewDeferredDiscoveryRESTMapperWithContext(memory.NewMemCacheClientWithContext(g.client.DiscoveryClient))
	g.denials, err = controller.NewDenials(controller.DenialsConfig{Recorder: recorder, Mapper: mapper, Metadata: reader, Metrics: g.metrics})
	if err != nil || !c.audit {
		return err
	}
	g.findings, err = controller.NewFindings(controller.FindingsConfig{Recorder: recorder, Mapper: mapper, Metadata: reader, PolicyUID: g.policyUID, Metrics: g.metrics})
	return err
}

// policyUID returns the uid of the Policy object of a name, "" if there is none.
func (g *gate) policyUID(name string) types.UID {
	for _, p := range g.kept.policies.Objects().Policies {
		if p.Name == name {
			return p.UID
		}
	}
	return ""
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
