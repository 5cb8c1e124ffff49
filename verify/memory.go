package verify

import (
	"context"
	"errors"
	"runtime/metrics"
	"time"
)

const (
	// DefaultMemory is a hundred times what the tests of the library need.
	DefaultMemory = 2 << 30
	// memoryPause is how often the memory is looked at. A list grows by some ten
	// million items in that time, less than a gigabyte.
	memoryPause = 20 * time.Millisecond
)

// errMemory is why everything was stopped.
var errMemory = errors.New("it takes more memory than it may")

// withinMemory returns a context that ends when the objects of the process take more
// than some bytes, and what stops looking.
func withinMemory(ctx context.Context, most uint64) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		ticker := time.NewTicker(memoryPause)
		defer ticker.Stop()
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if metrics.Read(sample); sample[0].Value.Uint64() > most {
				cancel(errMemory)
				return
			}
		}
	}()
	return ctx, func() { cancel(nil) }
}
