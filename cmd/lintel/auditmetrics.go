package main

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lintel-policy/lintel/audit"
)

// maxSeries is how many series lintel_audit_violations has at most: some hundred bytes
// each at every scrape.
const maxSeries = 1000

// An auditCollector collects the metrics of an audit that have labels.
type auditCollector struct{ background *audit.Background }

var (
	violationsMetric = prometheus.NewDesc("lintel_audit_violations",
		"Violations that the audit of this replica knows. Namespaces with the fewest are summed up as _other where there would be too many series.",
		[]string{"policy", "enforcement", "severity", "namespace"}, nil)
	openGateMetric = prometheus.NewDesc("lintel_audit_open_gate_objects",
		"Objects that came in while somebody had opened the gate and that violate policies now, by the strictest enforcement.",
		[]string{"enforcement"}, nil)
)

// Describe implements prometheus.Collector.
func (c auditCollector) Describe(descs chan<- *prometheus.Desc) {
	descs <- violationsMetric
	descs <- openGateMetric
}

// Collect implements prometheus.Collector.
func (c auditCollector) Collect(metrics chan<- prometheus.Metric) {
	gauge := func(of *prometheus.Desc, n int, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(of, prometheus.GaugeValue, float64(n), labels...)
	}
	for _, v := range c.background.Violations(maxSeries) {
		gauge(violationsMetric, v.Violations, v.Policy, string(v.Enforcement), string(v.Severity), v.Namespace)
	}
	denied, warned := c.background.OpenGate()
	gauge(openGateMetric, denied, "deny")
	gauge(openGateMetric, warned, "warn")
}

// registerAudit registers the metrics of an audit, with others of its own.
func (g *gate) registerAudit(more ...prometheus.Collector) error {
	gauge := func(name, help string, of func(audit.Progress) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "lintel", Subsystem: "audit", Name: name, Help: help}, func() float64 { return of(g.background.Progress()) })
	}
	for _, c := range append(more,
		auditCollector{g.background},
		gauge("objects", "Objects that the audit of this replica knows; 0 where another leads.", func(p audit.Progress) float64 { return float64(p.Objects) }),
		gauge("reviews", "How many objects it has reviewed since it leads.", func(p audit.Progress) float64 { return float64(p.Reviews) }),
		gauge("errors", "Policies that could not decide about an object, and objects that could not be judged.", func(p audit.Progress) float64 { return float64(p.Errors) }),
		gauge("unlisted_kinds", "Kinds that policies match and that it may not list or watch.", func(p audit.Progress) float64 { return float64(p.Unlisted) }),
		gauge("unpublished_namespaces", "Namespaces of which it knows something else than their report says.", func(p audit.Progress) float64 { return float64(p.Unpublished) }),
		gauge("unkept_objects", "Objects that there was no more memory for, so that no report has them.", func(p audit.Progress) float64 { return float64(p.Unkept) }),
		gauge("cut_objects", "Objects of which reports say no more than which policies they break, for lack of memory.", func(p audit.Progress) float64 { return float64(p.Cut) }),
		gauge("finished_seconds", "When all had been reviewed last, in seconds since 1970; 0 before.", func(p audit.Progress) float64 {
			if p.Finished.IsZero() {
				return 0
			}
			return float64(p.Finished.Unix())
		}),
		gauge("duration_seconds", "How long that took.", func(p audit.Progress) float64 { return p.Took.Seconds() }),
	) {
		if err := g.metrics.Register(c); err != nil {
			return fmt.Errorf("register metrics of the audit: %w", err)
		}
	}
	return nil
}
