package bench_test

import (
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The goals, as ratios to controller-runtime's handler, which decides nothing.
const (
	maxSlower     = 1.5 // p50 over one connection
	minThroughput = 0.6 // requests a second at saturation
)

// gcPercent is the GOGC of manifests/install.yaml.
const gcPercent = 300

// BenchmarkWebhook takes the compliant Deployment over TLS and HTTP/2 to five
// servers on loopback, in turns: one that only echoes the uid; controller-runtime's
// handler and server, allowing everything and logging nothing; Lintel's, deciding
// by the policies of the library and logging as `lintel serve` does; Lintel's without
// its log; and Lintel's without policies, which decodes and decides nothing.
//
// Clients and servers are in this process and share its CPUs, its memory and its
// garbage collector. What the clients cost is in every figure, alike for all: the
// echoing server shows how much that is.
func BenchmarkWebhook(b *testing.B) {
	body := review(b, deployment(b))
	contestants := serveAll(b)
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	b.Run("one-connection", func(b *testing.B) {
		r := race{body: body, contestants: contestants, connections: 1, streams: 1, requests: 50}
		r.run(b)
		r.goal(b, "p50", maxSlower, (*contestant).p50, "at most")
	})
	b.Run("saturated", func(b *testing.B) {
		r := race{body: body, contestants: contestants, connections: 4, streams: 8, requests: 128}
		r.run(b)
		r.goal(b, "throughput", minThroughput, (*contestant).throughput, "at least")
	})
}

// The places of the contestants.
const (
	echo = iota
	theirs
	ours
	silent
	lenient
)

// A contestant is a server and what was measured of it.
type contestant struct {
	name      string
	address   string
	latencies []time.Duration // of all turns
	medians   []time.Duration // of each turn
	turns     []time.Duration // how long each took
	cpu       []time.Duration // of this process, in each turn
	requests  int             // in each turn
}

func (c *contestant) p50() float64 { return float64(median(c.medians).Nanoseconds()) }

func (c *contestant) p99() float64 {
	slices.Sort(c.latencies)
	return float64(c.latencies[len(c.latencies)*99/100].Nanoseconds())
}

// throughput is in requests a second.
func (c *contestant) throughput() float64 { return float64(c.requests) / median(c.turns).Seconds() }

// perRequest is the time of CPUs that a request takes, its client's included. Other
// processes that want the same CPUs change it least.
func (c *contestant) perRequest() float64 {
	return float64(median(c.cpu).Nanoseconds()) / float64(c.requests)
}

// A race has all contestants answer the same requests.
type race struct {
	body                 []byte
	contestants          []contestant
	connections, streams int // streams are per connection
	requests             int // in one turn
}

// run gives each contestant a turn in each round, in another order each time, so that
// no one always collects the garbage of the same other.
func (r *race) run(b *testing.B) {
	loads := make([]*load, len(r.contestants))
	r.contestants = slices.Clone(r.contestants)
	for i := range r.contestants {
		loads[i] = newLoad(b, r.contestants[i].address, r.body, r.connections, r.streams)
		loads[i].run(b, r.requests)
	}
	for b.Loop() {
		for _, i := range rand.Perm(len(r.contestants)) {
			before := cpuTime(b)
			latencies, took := loads[i].run(b, r.requests)
			r.contestants[i].turn(latencies, took, cpuTime(b)-before)
		}
	}
	b.ReportMetric(0, "ns/op") // of a whole round, which says nothing
	for i := range r.contestants {
		c := &r.contestants[i]
		b.ReportMetric(c.p50()/1e3, c.name+"-p50-µs")
		b.ReportMetric(c.p99()/1e3, c.name+"-p99-µs")
		b.ReportMetric(c.throughput(), c.name+"-req/s")
		b.ReportMetric(c.perRequest()/1e3, c.name+"-cpu-µs")
	}
}

// cpuTime is what this process has had of all CPUs.
func cpuTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func (c *contestant) turn(latencies []time.Duration, took, cpu time.Duration) {
	c.latencies = append(c.latencies, latencies...)
	c.medians = append(c.medians, median(latencies))
	c.turns = append(c.turns, took)
	c.cpu = append(c.cpu, cpu)
	c.requests = len(latencies)
}

// goal reports the ratio of what is measured of Lintel to controller-runtime's, and
// shows all figures.
func (r *race) goal(b *testing.B, what string, limit float64, of func(*contestant) float64, direction string) {
	ratio := of(&r.contestants[ours]) / of(&r.contestants[theirs])
	b.ReportMetric(ratio, what+"-x-controller-runtime")
	var table strings.Builder
	fmt.Fprintf(&table, "%-18s %9s %6s %9s %7s %6s %9s %6s", "", "p50", "x", "p99", "req/s", "x", "cpu", "x")
	for i := range r.contestants {
		c, base := &r.contestants[i], &r.contestants[theirs]
		fmt.Fprintf(&table, "\n    %-18s %6.0f µs %6.2f %6.0f µs %7.0f %6.2f %6.0f µs %6.2f", c.name,
			c.p50()/1e3, c.p50()/base.p50(), c.p99()/1e3, c.throughput(), c.throughput()/base.throughput(),
			c.perRequest()/1e3, c.perRequest()/base.perRequest())
	}
	b.Logf("%s\n    goal: %s %s %.2f times controller-runtime's, measured %.2f", table.String(), what, direction, limit, ratio)
}
