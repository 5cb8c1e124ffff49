package audit

import (
	"context"
	"runtime"
	"time"
)

// How an audit makes way for what is more urgent. A processor is left to it: a review
// takes milliseconds, and whoever comes meanwhile would wait for its end. Between two
// objects it is waited until nothing urgent is being done, but not for ever, since on a
// busy cluster something always is. Where the system has priorities, reviews have the
// lowest of the process.
const (
	makeWayFor  = 100 * time.Millisecond
	makeWayStep = time.Millisecond
)

// backgroundWorkers is how many objects a Background reviews at a time.
func backgroundWorkers() int { return max(1, runtime.GOMAXPROCS(0)-1) }

func (b *Background) makeWay(ctx context.Context) {
	runtime.Gosched() // with one processor, nobody knows of a request before it is read
	for end := time.Now().Add(makeWayFor); b.cfg.Busy() && ctx.Err() == nil && time.Now().Before(end); {
		time.Sleep(makeWayStep)
	}
}
