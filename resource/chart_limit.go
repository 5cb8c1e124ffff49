package resource

import (
	"fmt"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"golang.org/x/sys/unix"
)

// limitProcess ends the process when it takes too much memory, and when its parent
// is gone, which would have ended it in time. The system's limit of memory holds at
// once; the other holds where the system has none that counts.
func limitProcess() error {
	debug.SetMemoryLimit(maxChartMemory * 3 / 4)
	if !raceDetector {
		if err := unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: maxChartMemory, Max: maxChartMemory}); err != nil {
			return fmt.Errorf("limit memory: %w", err)
		}
	}
	go watch(os.Getppid())
	return nil
}

// watch looks so often that not much more than 100 MB can be written to in between.
func watch(parent int) {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	for {
		metrics.Read(samples)
		switch {
		case samples[0].Value.Uint64()-samples[1].Value.Uint64() > maxChartMemory:
			fmt.Fprintln(os.Stderr, "fatal error: out of memory")
			os.Exit(2)
		case os.Getppid() != parent:
			os.Exit(2)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
