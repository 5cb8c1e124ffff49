package webhook

import (
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics has no label whose values come from a request, so the number of its
// series is fixed: doors × codes, doors × verdicts, and reasons.
type metrics struct {
	requests  *prometheus.CounterVec
	decisions *prometheus.CounterVec
	errors    *prometheus.CounterVec
	shed      *prometheus.CounterVec
	duration  *prometheus.HistogramVec
}

// buckets are the upper bounds of latencies in seconds, fine below a millisecond,
// where most decisions are, and up to the longest that a request may take.
func buckets() []float64 {
	return []float64{.0001, .00025, .0005, .00075, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
}

func newMetrics(cfg Config, g *gate) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lintel_webhook_" + name, Help: help}, labels)
	}
	gauge := func(name, help string, value func() int64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "lintel_webhook_" + name, Help: help},
			func() float64 { return float64(value()) })
	}
	m := &metrics{
		requests:  counter("requests_total", "Requests by path and HTTP status code.", "path", "code"),
		decisions: counter("decisions_total", "Reviews that were answered, by path and verdict.", "path", "verdict"),
		errors:    counter("errors_total", "Requests that were refused or could not be decided, by reason.", "reason"),
		shed:      counter("shed_total", "Requests that were sent away because there was no room, by what was full.", "reason"),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "lintel_webhook_duration_seconds", Buckets: buckets(),
			Help: "Time from accepting a request to having answered it, by path.",
		}, []string{"path"}),
	}
	if cfg.Metrics == nil {
		return m, nil
	}
	collectors := []prometheus.Collector{
		m.requests, m.decisions, m.errors, m.shed, m.duration,
		gauge("inflight_bytes", "Bytes of bodies that are held.", g.held.Load),
		gauge("queue_length", "Requests that wait for room.", g.waiting.Load),
		gauge("running", "Requests that are being decided, with those that were answered without.", g.running.Load),
	}
	if cfg.Revision != nil {
		collectors = append(collectors, revision(cfg.Revision))
	}
	for _, c := range collectors {
		if err := cfg.Metrics.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics of webhook: %w", err)
		}
	}
	return m, nil
}

// A revision is a metric with the revision in force as its label. Only one is
// ever shown, so those before do not add up.
type revision func() string

// Describe sends the description of the metric.
func (r revision) Describe(to chan<- *prometheus.Desc) { to <- r.desc() }

// Collect sends the revision that is in force now.
func (r revision) Collect(to chan<- prometheus.Metric) {
	to <- prometheus.MustNewConstMetric(r.desc(), prometheus.GaugeValue, 1, r())
}

func (r revision) desc() *prometheus.Desc {
	return prometheus.NewDesc("lintel_webhook_revision_info", "The revision of the policies in force.", []string{"revision"}, nil)
}

// expiry is a metric of when the serving certificate ends.
func expiry(notAfter func() time.Time) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "lintel_webhook_certificate_expiry_seconds", Help: "When the serving certificate ends, in seconds since 1970.",
	}, func() float64 { return float64(notAfter().Unix()) })
}

func (m *metrics) answered(at door, code int, took time.Duration) {
	m.requests.WithLabelValues(string(at), codeLabel(code)).Inc()
	m.duration.WithLabelValues(string(at)).Observe(took.Seconds())
}

// codeLabel writes a status code, of which [Handler] knows about ten.
func codeLabel(code int) string {
	return string([]byte{byte('0' + code/100), byte('0' + code/10%10), byte('0' + code%10)})
}

func (m *metrics) decided(at door, a answer) {
	m.decisions.WithLabelValues(string(at), a.verdict).Inc()
	if a.reason != "" {
		m.errors.WithLabelValues(a.reason).Inc()
	}
}

func (m *metrics) refused(what *refusal) {
	if what.code == http.StatusTooManyRequests {
		m.shed.WithLabelValues(what.reason).Inc()
		return
	}
	m.errors.WithLabelValues(what.reason).Inc()
}
