package bench_test

import (
	"slices"
	"sync"
	"testing"
	"time"
)

// What BenchmarkAuditPace is about: how many requests a second are answered, and how
// much longer the slowest may take while an audit runs.
const (
	pacedRate = 200
	pacedGoal = 1.2
	// pacedSlice is how long there is an audit, and then none.
	pacedSlice = 2 * time.Second
)

// BenchmarkAuditPace sends reviews to a process that audits and to the same process when
// it does not, in turns of some seconds. The requests are sent when it is time for them,
// whether those before them were answered or not.
func BenchmarkAuditPace(b *testing.B) {
	c, kinds := seeded(b, auditedObjects)
	dir := b.TempDir()
	writePolicies(b, dir, auditedPolicies)
	a := newAuditor(b, auditorConfig{Kubeconfig: c.Kubeconfig(), Policies: dir, Kinds: kinds}, "GOGC=300", "GOMEMLIMIT=921MiB")
	l := newLoad(b, a.do(b, tellState).Webhook, review(b, deployment(b)), 2, 16)
	l.run(b, 200)
	var without, with pacing
	reviews := 0
	for b.Loop() {
		without.add(l.paced(b, pacedSlice))
		a.do(b, beginAudit)
		with.add(l.paced(b, pacedSlice))
		reviews += a.do(b, endAudit).Progress.Reviews
	}
	b.ReportMetric(0, "ns/op") // of a whole turn, which says nothing
	for name, of := range map[string]func(pacing) []time.Duration{
		"p50": func(p pacing) []time.Duration { return p.p50 }, "p99": func(p pacing) []time.Duration { return p.p99 },
	} {
		before, during := median(of(without)), median(of(with))
		b.ReportMetric(float64(before.Microseconds()), name+"-µs")
		b.ReportMetric(float64(during.Microseconds()), name+"-audited-µs")
		b.ReportMetric(float64(during)/float64(before), name+"-x")
	}
	b.ReportMetric(float64(median(with.p99))/float64(median(without.p99))/pacedGoal, "of-goal")
	b.ReportMetric(float64(reviews)/(pacedSlice.Seconds()*float64(len(with.p99))), "objects/s")
}

// A pacing has the latencies of each turn: what others do on the machine disturbs some
// turns far more than an audit does.
type pacing struct{ p50, p99 []time.Duration }

func (p *pacing) add(latencies []time.Duration) {
	slices.Sort(latencies)
	p.p50 = append(p.p50, latencies[len(latencies)/2])
	p.p99 = append(p.p99, latencies[len(latencies)*99/100])
}

// paced sends requests at pacedRate for a time and returns how long each took.
func (l *load) paced(b *testing.B, span time.Duration) []time.Duration {
	b.Helper()
	n := int(span.Seconds() * pacedRate)
	latencies := make([]time.Duration, n)
	type due struct {
		place int
		at    time.Time
	}
	requests := make(chan due, n)
	var senders sync.WaitGroup
	began := time.Now()
	for i := range l.senders {
		senders.Go(func() {
			for r := range requests {
				if err := l.senders[i].send(l.request, l.body); err != nil {
					b.Error(err)
				}
				latencies[r.place] = time.Since(r.at)
			}
		})
	}
	for i := range n {
		time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / pacedRate)))
		requests <- due{i, time.Now()}
	}
	close(requests)
	senders.Wait()
	return latencies
}
