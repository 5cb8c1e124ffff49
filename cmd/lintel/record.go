package main

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/lintel-policy/lintel/replay"
	"github.com/lintel-policy/lintel/webhook"
)

// openRecorder opens what reviews are recorded in, if they are to be.
func (c *serveCommand) openRecorder(log *zap.Logger) error {
	if c.record == "" {
		if c.changed("record-limit") {
			return fmt.Errorf("--record-limit is given without --record")
		}
		return nil
	}
	limit, err := resource.ParseQuantity(c.recordLimit)
	if err != nil {
		return fmt.Errorf("--record-limit %q: no quantity such as 256Mi", c.recordLimit)
	}
	if c.recorder, err = replay.Open(replay.Config{Path: c.record, Limit: limit.Value(), Log: log}); err != nil {
		return fmt.Errorf("--record: %w", err)
	}
	log.Info("recording reviews", zap.String("path", c.record), zap.Int64("limit", limit.Value()))
	return nil
}

// recordTo returns what records reviews, nil where nothing does.
func (c *serveCommand) recordTo() func(webhook.Reviewed) {
	if c.recorder == nil {
		return nil
	}
	return func(r webhook.Reviewed) {
		c.recorder.Record(replay.Reviewed{Door: r.Door, Body: r.Body, Allowed: r.Allowed, Decision: r.Decision})
	}
}

// closeRecorder writes what waits to be.
func (c *serveCommand) closeRecorder() {
	if c.recorder != nil {
		c.recorder.Close(flushTime)
	}
}

// recordMetrics counts what is recorded and what is not.
func recordMetrics(r *replay.Recorder) []prometheus.Collector {
	if r == nil {
		return nil
	}
	all := []prometheus.Collector{prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "lintel_record_written_total", Help: "Reviews that were recorded.",
	}, func() float64 { return float64(r.Written()) })}
	for i, reason := range replay.Reasons() {
		all = append(all, prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "lintel_record_dropped_total", Help: "Reviews that were not recorded, by reason.", ConstLabels: prometheus.Labels{"reason": reason},
		}, func() float64 { return float64(r.Dropped(i)) }))
	}
	return all
}
