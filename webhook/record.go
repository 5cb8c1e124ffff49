package webhook

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/lintel-policy/lintel/engine"
)

// record counts and logs a decision: who asked what of which object, and what
// was answered. Nothing that the object holds is in it but its name.
func (h *Handler) record(t *turn, req *engine.Request, a answer) {
	h.metrics.decided(t.door, a)
	kind, resource, ref := req.Kind(), req.Resource(), req.Ref()
	fields := []zap.Field{
		zap.String("uid", req.UID()),
		zap.String("door", string(t.door)),
		zap.String("verdict", a.verdict),
		zap.Bool("allowed", a.response.Allowed),
		zap.String("operation", string(req.Operation())),
		zap.String("group", kind.Group),
		zap.String("version", kind.Version),
		zap.String("kind", kind.Kind),
		zap.String("resource", resource.Resource),
		zap.String("subresource", req.Subresource()),
		zap.String("namespace", ref.Namespace),
		zap.String("name", ref.Name),
		zap.String("user", req.User()),
		zap.Bool("dry_run", req.DryRun()),
		zap.Int("bytes", t.bytes),
		zap.Duration("queued", t.queued),
		zap.Duration("took", time.Since(t.accepted)),
	}
	if a.reason != "" {
		fields = append(fields, zap.String("reason", a.reason))
	}
	h.log.Info("reviewed", append(fields, a.fields...)...)
}

func refusalFields(r *http.Request, what *refusal) []zap.Field {
	return []zap.Field{
		zap.Int("code", what.code),
		zap.String("reason", what.reason),
		zap.String("remote", r.RemoteAddr),
		zap.Int64("length", r.ContentLength),
	}
}

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

func newMetrics(registry prometheus.Registerer, g *gate) (*metrics, error) {
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
	if registry == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{
		m.requests, m.decisions, m.errors, m.shed, m.duration,
		gauge("inflight_bytes", "Bytes of bodies that are held.", g.held.Load),
		gauge("queue_length", "Requests that wait for room.", g.waiting.Load),
	} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
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
