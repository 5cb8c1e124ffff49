package main

import (
	"context"
	"errors"
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
	if g.certificate.read != nil {
		tasks.Go(func() error { return g.follow(failed) })
	}
	if g.kept != nil {
		tasks.Go(func() error { return g.keepUp(failed) })
		tasks.Go(func() error { return g.keepUses(failed) })
	}
	if g.denials != nil {
		tasks.Go(func() error { return g.denials.Run(failed) })
	}
	serving, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(failed, stop)() // without probes or metrics it is better to be started anew
	err := g.serveWebhook(serving)
	stopBeside()
	if err := errors.Join(err, tasks.Wait()); err != nil {
		return err
	}
	g.log.Info("ended")
	return nil
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
		tasks.Go(func() error { return g.election.run(both, g.lead) })
		tasks.Go(func() error {
			g.leaveRemoved(both)
			return nil
		})
	} else {
		tasks.Go(func() error { return g.renew(both) })
	}
	return tasks.Wait()
}

// lead does what one replica does for all: it registers and renews. It does not
// return before ctx ends, since nobody else could do it.
func (g *gate) lead(ctx context.Context) {
	// What another leader has renewed has to be known first: to register an authority
	// of yesterday would have every handshake fail.
	insist(ctx, func() error { return g.renewOnce(ctx) }, func(err error) { g.log.Error("renewing certificates", zap.Error(err)) })
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		_ = g.renew(ctx) // it logs what goes wrong
	}()
	if g.kept != nil {
		go g.tellStatus(ctx)
	}
	insist(ctx, func() error { return g.registrar.Run(ctx) }, func(err error) { g.log.Error("registering", zap.Error(err)) })
	<-renewed
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
	}
	err := errors.Join(g.registrar.Run(registered), g.registrar.Remove(ctx))
	stopRegistering()
	stopServing()
	return errors.Join(err, tasks.Wait())
}
