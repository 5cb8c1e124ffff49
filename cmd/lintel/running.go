package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
)

// run serves until ctx ends, and then ends in order: nothing that has been asked
// for, or is still being asked for, goes without an answer.
func (g *gate) run(ctx context.Context) error {
	// What is beside the webhook goes on until that has ended.
	beside, stopBeside := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBeside()
	tasks, failed := errgroup.WithContext(beside)
	for _, server := range g.plain {
		tasks.Go(func() error { return server.run(failed) })
	}
	serving, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(failed, stop)() // without probes or metrics it is better to be started anew
	err := g.beginWebhook(serving)
	if err == nil {
		g.goBeside(failed, tasks)
		err = g.serveWebhook(serving)
	} else if serving.Err() != nil {
		err = nil // told to end before anything was served
	}
	stopBeside()
	if err := errors.Join(err, tasks.Wait()); err != nil {
		return err
	}
	g.log.Info("ended")
	return nil
}

// beginWebhook makes what is not there yet of the webhook.
func (g *gate) beginWebhook(ctx context.Context) error {
	if g.begin == nil {
		return nil
	}
	return g.begin(ctx)
}

// goBeside has done what is to be done as long as the webhook is served, by all replicas.
func (g *gate) goBeside(ctx context.Context, tasks *errgroup.Group) {
	if g.certificate.read != nil {
		tasks.Go(func() error { return g.follow(ctx) })
	}
	if g.kept != nil {
		tasks.Go(func() error { return g.keepUp(ctx) })
		tasks.Go(func() error { return g.keepUses(ctx) })
	}
	if g.admissions != nil {
		tasks.Go(func() error { return g.keepCounts(ctx) })
	}
	if g.denials != nil {
		tasks.Go(func() error { return g.denials.Run(ctx) })
	}
	if g.replicas != nil {
		tasks.Go(func() error { return g.replicas.report(ctx) })
	}
	if g.kept != nil && g.kept.lastGood != nil {
		tasks.Go(func() error { return g.kept.lastGood.follow(ctx) })
	}
}

// serveWebhook serves, and is registered, until ctx ends.
func (g *gate) serveWebhook(ctx context.Context) error {
	if g.mode == byURL {
		return g.serveByURL(ctx)
	}
	tasks, both := errgroup.WithContext(ctx)
	// The server lingers when ctx ends, and nobody else has to.
	tasks.Go(func() error { return g.server.Start(both) })
	if g.mode == byService {
		tasks.Go(func() error { return g.takePart(both) })
		tasks.Go(func() error {
			g.leaveRemoved(both)
			return nil
		})
	} else {
		tasks.Go(func() error { return g.renew(both) })
	}
	return tasks.Wait()
}

// takePart reads what to decide by, and then takes part in the election: who cannot
// decide does not lead.
func (g *gate) takePart(ctx context.Context) error {
	if err := g.read(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	return g.election.run(ctx, g.lead)
}

// lead does what one replica does for all: it registers and renews. It does not
// return before ctx ends, since nobody else could do it.
func (g *gate) lead(ctx context.Context) {
	// What another leader has renewed has to be known first: to register an authority
	// of yesterday would have every handshake fail.
	insist(ctx, func() error { return g.renewOnce(ctx) }, func(err error) { g.log.Error("renewing certificates", zap.Error(err)) })
	// Nor is anything to be taken back that another replica goes by.
	g.replicas.observe(ctx)
	var beside sync.WaitGroup
	beside.Go(func() { _ = g.renew(ctx) }) // it logs what goes wrong
	beside.Go(func() { g.replicas.watch(ctx) })
	if g.kept != nil {
		beside.Go(func() { g.tellStatus(ctx) })
		beside.Go(func() { g.tellExceptions(ctx) })
		beside.Go(func() { g.kept.lastGood.keep(ctx) })
	}
	if g.background != nil {
		beside.Go(func() { g.keepAudited(ctx) })
		if g.findings != nil {
			beside.Go(func() { g.findings.Run(ctx) })
		}
	}
	insist(ctx, func() error { return g.registrar.Run(ctx) }, func(err error) { g.log.Error("registering", zap.Error(err)) })
	beside.Wait()
}

// attempt does something that needs the cluster: once, or, as a replica, until it
// succeeds or ctx ends.
func (g *gate) attempt(ctx context.Context, do func() error) error {
	if g.mode != byService {
		return do()
	}
	insist(ctx, do, func(err error) { g.log.Error("not ready", zap.Error(err)) })
	return ctx.Err()
}

// insist does something until it succeeds or ctx ends, and tells of each failure.
func insist(ctx context.Context, do func() error, tell func(error)) {
	for ctx.Err() == nil {
		err := do()
		if err == nil || ctx.Err() != nil {
			return
		}
		tell(err)
		select {
		case <-ctx.Done():
		case <-time.After(retryPeriod):
		}
	}
}

// serveByURL registers as long as it serves. The registration goes first, so that
// nothing is asked of a server that has gone; what is in flight is answered.
func (g *gate) serveByURL(ctx context.Context) error {
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServing()
	registered, stopRegistering := context.WithCancel(ctx)
	defer stopRegistering()
	var tasks errgroup.Group
	tasks.Go(func() error {
		defer stopRegistering()
		return g.server.Start(serving)
	})
	tasks.Go(func() error { return g.renew(registered) })
	if g.kept != nil {
		go g.tellStatus(registered)
		go g.tellExceptions(registered)
	}
	err := errors.Join(g.registrar.Run(registered), g.registrar.Remove(ctx))
	stopRegistering()
	stopServing()
	return errors.Join(err, tasks.Wait())
}
