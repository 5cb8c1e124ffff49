package main

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
)

const (
	// keepPeriod is how often at most policies are written as they last compiled.
	keepPeriod = time.Second
	// repairPeriod is how soon what others have changed there is put right.
	repairPeriod = 30 * time.Second
	// followPeriod is how long a policy has to be broken before a replica goes by what
	// the leader has kept of it, which has written it by then.
	followPeriod = 3 * time.Second
)

// lastGood is what policies last were, over restarts and for all replicas. The nil one
// keeps nothing.
type lastGood struct {
	gate    *gate
	store   controller.LastGood
	changed chan struct{} // sent to at each outcome, for the leader
	again   chan struct{} // the same, for the others

	mu    sync.Mutex
	taken map[string]engine.Policy // from the leader, and not compiled yet
	large map[string]bool          // policies there is no room for
}

// newLastGood returns what is kept in namespace.
func newLastGood(g *gate, namespace string) *lastGood {
	return &lastGood{
		gate: g, store: controller.LastGood{Client: g.client.CoreV1().ConfigMaps(namespace), Name: lastGoodName},
		changed: make(chan struct{}, 1), again: make(chan struct{}, 1),
	}
}

// recall takes policies for what they last were when Lintel ran before. Where that may
// not be read, or was never kept, what is broken is in force in no form.
func (k *lastGood) recall(ctx context.Context, keeper *controller.Keeper) error {
	if k == nil {
		return nil
	}
	policies, broken, err := k.store.Read(ctx)
	switch {
	case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
		k.gate.log.Error("policies that are broken are in force in no form", zap.Error(err))
		return nil
	case err != nil:
		return err
	}
	for _, err := range broken {
		k.gate.log.Error("ignoring what cannot be read", zap.Error(err))
	}
	keeper.Recall(policies)
	return nil
}

// wake has it known that something has been compiled.
func (k *lastGood) wake() {
	if k != nil {
		wake(k.changed)
		wake(k.again)
	}
}

// keep writes what policies last were, as the one replica that does so, until ctx ends.
func (k *lastGood) keep(ctx context.Context) {
	for k != nil && ctx.Err() == nil {
		if out := k.gate.kept.outcome.Load(); out != nil {
			left, err := k.store.Write(ctx, out.Well)
			if err != nil && ctx.Err() == nil {
				k.gate.log.Error("keeping policies as they compiled", zap.Error(err))
			}
			if err == nil {
				k.leave(left)
			}
		}
		pause(ctx, keepPeriod)
		select {
		case <-ctx.Done():
		case <-k.changed:
		case <-time.After(repairPeriod):
		}
	}
}

// leave notes for which policies there is no room.
func (k *lastGood) leave(names []string) {
	large := map[string]bool{}
	for _, name := range names {
		large[name] = true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !maps.Equal(k.large, large) {
		if len(large) > 0 {
			k.gate.log.Error("there is no room to keep policies as they compiled", zap.Strings("policies", names))
		}
		k.large = large
		wake(k.gate.kept.told)
	}
}

// tooLarge returns the policies for which there is no room.
func (k *lastGood) tooLarge() map[string]bool {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.large
}

// follow has this replica go by what the leader has kept of policies that are broken,
// until ctx ends. What each last was depends on which changes came together, and
// replicas may have seen that differently.
func (k *lastGood) follow(ctx context.Context) error {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-k.again:
		case <-time.After(followPeriod):
			if err := k.take(ctx); err != nil && ctx.Err() == nil {
				k.gate.log.Error("going by what the leader has kept", zap.Error(err))
			}
		}
	}
	return nil
}

// take takes from the leader what is broken here and was something else there.
func (k *lastGood) take(ctx context.Context) error {
	out := k.gate.kept.outcome.Load()
	if out == nil || len(out.Broken) == 0 || k.gate.leads() {
		return nil
	}
	policies, _, err := k.store.Read(ctx) // what cannot be read has been told of at the start
	if err != nil {
		return err
	}
	theirs := map[string]engine.Policy{}
	for name := range out.Broken {
		if p, ok := policies[name]; ok && !equality.Semantic.DeepEqual(p, out.Well[name]) {
			theirs[name] = p
		}
	}
	if len(theirs) == 0 {
		return nil
	}
	k.gate.log.Info("going by what the leader has kept", zap.Strings("policies", slices.Sorted(maps.Keys(theirs))))
	k.mu.Lock()
	defer k.mu.Unlock()
	k.taken = theirs
	k.gate.kept.policies.Again()
	return nil
}

// takeOver returns what was taken since it was asked last.
func (k *lastGood) takeOver() map[string]engine.Policy {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	taken := k.taken
	k.taken = nil
	return taken
}

// pause waits for a time, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
