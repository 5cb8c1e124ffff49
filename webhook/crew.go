package webhook

import "time"

// maxIdle is how long a goroutine of a crew waits for its next job.
const maxIdle = time.Minute

// A crew runs jobs, each on a goroutine that stays for the next one. Reading and
// judging a review goes a hundred calls deep. The stack of a new goroutine is grown
// on the way there, and copied each time, which took a third of the time of a
// request; one that stays is large enough, and still in the caches of its CPU.
type crew struct {
	jobs chan func()
}

func newCrew() crew { return crew{jobs: make(chan func())} }

// run has job run by whoever is free, and by a new goroutine where nobody is. How
// many there are is bounded by how many jobs are given at a time.
func (c crew) run(job func()) {
	select {
	case c.jobs <- job:
	default:
		go c.work(job)
	}
}

func (c crew) work(job func()) {
	idle := time.NewTimer(maxIdle)
	defer idle.Stop()
	for {
		job()
		idle.Reset(maxIdle)
		select {
		case job = <-c.jobs:
		case <-idle.C:
			return
		}
	}
}
