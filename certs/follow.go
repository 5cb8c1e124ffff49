package certs

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// readTimeout bounds one reading, so that an API server that hangs is noticed.
const readTimeout = 10 * time.Second

// FollowConfig configures [Follow]. Source and Read are required.
type FollowConfig struct {
	Source *Source                             // gets each new pair
	Read   func(context.Context) (Pair, error) // reads what is to be served
	Every  time.Duration                       // how often; if zero, 5 seconds
	Now    func() time.Time                    // if nil, time.Now

	// Changed is called when what is read can no longer be served, or for another
	// reason than before, and with nil when it can be again. The first state is
	// that it can. If nil, nobody is told.
	Changed func(error)
}

// Follow keeps a Source at what is read until ctx ends. What cannot be read or
// served leaves it as it is: until the next reading, or for as long as it takes
// somebody to put right what is wrong.
func Follow(ctx context.Context, cfg FollowConfig) error {
	if cfg.Source == nil || cfg.Read == nil {
		return errors.New("certs: FollowConfig.Source or Read is nil")
	}
	if cfg.Every < 0 {
		return errors.New("certs: FollowConfig.Every is negative")
	}
	if cfg.Every == 0 {
		cfg.Every = 5 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Changed == nil {
		cfg.Changed = func(error) {}
	}
	tick := time.NewTicker(cfg.Every)
	defer tick.Stop()
	for before := ""; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		state, err := cfg.follow(ctx)
		if state != before && ctx.Err() == nil {
			cfg.Changed(err)
			before = state
		}
	}
}

// follow reads once. The state is empty if all is well. Errors of reading are one
// state, since their texts can differ each time, by the port of a connection.
func (c FollowConfig) follow(ctx context.Context) (state string, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	pair, err := c.Read(ctx)
	if err != nil {
		return "unreadable", fmt.Errorf("follow serving certificate: %w", err)
	}
	// The same bytes are looked at each time: they end one day.
	if err := c.Source.Replace(pair, c.Now()); err != nil {
		return err.Error(), fmt.Errorf("follow serving certificate: %w", err)
	}
	return "", nil
}
