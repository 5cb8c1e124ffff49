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

// newTellers makes what counts what would be denied and what writes Events of what is,
// where there is a cluster, and of what an audit finds, where there is one.
func (c *serveCommand) newTellers(g *gate) error {
	if g.mode == alone {
		return nil
	}
	reader, err := metadata.NewForConfig(g.config)
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapperWithContext(memory.NewMemCacheClientWithContext(g.client.DiscoveryClient))
	g.owners = controller.NewOwners(mapper, reader)
	if err := c.newAdmissions(g); err != nil || !c.events {
		return err
	}
	recorder := func(ctx context.Context) events.EventRecorder { return newRecorder(ctx, g.client) }
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
	var all []func(webhook.Reviewed)
	if record := c.recordTo(); record != nil {
		all = append(all, record)
	}
	if g.denials != nil {
		all = append(all, g.denials.Tell)
	}
	if g.admissions != nil {
		all = append(all, g.count)
	}
	if len(all) == 0 {
		return nil
	}
	return func(r webhook.Reviewed) {
		for _, tell := range all {
			tell(r)
		}
	}
}
