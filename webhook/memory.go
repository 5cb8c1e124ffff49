package webhook

import (
	"context"
	"errors"
	"math"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"time"

	"github.com/lintel-policy/lintel/engine"
)

const (
	// light is the weight up to which a review needs no room of its own: so many as
	// are decided at a time do not add up to much. Nearly all are: it takes 4,000
	// values, or half a megabyte of text, to weigh more.
	light = 1 << 20
	// minMemory is the least that heavy reviews may take together.
	minMemory = 64 << 20
	// lookEvery is how often it is looked whether memory is short, while a request
	// is decided. Few take so long.
	lookEvery = 20 * time.Millisecond
)

var (
	errTooHeavy = errors.New("judging it would take too much memory")
	errMemory   = errors.New("memory ran short")
)

// defaultMemory is how much memory heavy reviews may take where nobody says: half
// of what the runtime may use. The rest is for policies, inventory and garbage.
func defaultMemory() int64 {
	if limit := memoryLimit(); limit != math.MaxInt64 {
		return max(limit/2, minMemory)
	}
	return 512 << 20
}

// memoryLimit is GOMEMLIMIT, math.MaxInt64 where there is none.
func memoryLimit() int64 { return debug.SetMemoryLimit(-1) }

// weigh waits for the memory that it takes to judge a heavy review. Half of the
// slots are the most that heavy ones get, so that they do not keep out all others;
// one that would never fit needs none, because only its head is read.
func (h *Handler) weigh(ctx context.Context, t *turn, body []byte) *refusal {
	weight := engine.Weight(body)
	t.tooHeavy = weight > h.gate.maxMemory
	if weight <= light || t.tooHeavy {
		return nil
	}
	weight = max(weight, h.gate.minHeavy)
	if isMemoryShort() || h.gate.take(ctx, t.share(33), h.gate.memory, weight) != nil {
		return overloaded("memory")
	}
	t.memory = weight
	return nil
}

// isMemoryShort reports whether the process uses more memory than GOMEMLIMIT. The
// collector keeps it below for as long as it finds something to free.
func isMemoryShort() bool {
	limit := memoryLimit()
	if limit == math.MaxInt64 {
		return false
	}
	used := []runtimemetrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	runtimemetrics.Read(used)
	return int64(used[0].Value.Uint64()-used[1].Value.Uint64()) > limit
}

// attend waits for the answer of a decider until it is too late for one. The
// decider is told to stop where memory runs short meanwhile: what it makes of one
// request is worth less than all the others.
func attend(t *turn, done <-chan answer, stop context.CancelCauseFunc) (a answer, inTime bool) {
	late := time.NewTimer(time.Until(t.answerBy))
	defer late.Stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case a = <-done:
			return a, true
		case <-late.C:
			return a, false
		case <-look.C:
			if isMemoryShort() {
				stop(errMemory)
			}
		}
	}
}
