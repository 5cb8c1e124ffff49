package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
)

// A plainServer answers without TLS what has no secrets: metrics and probes.
type plainServer struct {
	listener net.Listener
	server   *http.Server
}

// plainTimeout bounds each request. Scrapers and kubelets wait for a second or ten.
const plainTimeout = 10 * time.Second

// newPlainServer listens on an address.
func newPlainServer(ctx context.Context, address string, handler http.Handler, log *zap.Logger) (*plainServer, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	errorLog, err := zap.NewStdLogAt(log, zap.DebugLevel)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make log of connections: %w", err), listener.Close())
	}
	return &plainServer{listener, &http.Server{
		Handler: handler, ReadTimeout: plainTimeout, WriteTimeout: plainTimeout, IdleTimeout: time.Minute,
		MaxHeaderBytes: 16 << 10, ErrorLog: errorLog,
	}}, nil
}

// run serves until ctx ends.
func (p *plainServer) run(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { _ = p.server.Close() })()
	if err := p.server.Serve(p.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", p.listener.Addr(), err)
	}
	return nil
}

// servePlainly makes the servers of metrics and probes, each on a port of its own.
func (c *serveCommand) servePlainly(ctx context.Context, g *gate) error {
	for _, s := range []struct {
		what, address string
		handler       http.Handler
	}{{"metrics", c.metricsAddress, g.metricsHandler()}, {"probes", c.probeAddress, g.probeHandler()}} {
		if s.address == "" {
			continue
		}
		server, err := newPlainServer(ctx, s.address, s.handler, g.log)
		if err != nil {
			return fmt.Errorf("serve %s: %w", s.what, err)
		}
		g.plain = append(g.plain, server)
		g.log.Info("serving "+s.what, zap.Stringer("address", server.listener.Addr()))
	}
	return nil
}

// newRegistry returns a registry with what there is to know of any Go program.
func newRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	b, _ := readBuild() // without a version, the metric says so
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "lintel_build_info", Help: "The version that runs.", ConstLabels: prometheus.Labels{"version": b.Version},
	}, func() float64 { return 1 }))
	return registry
}

func (g *gate) metricsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(g.metrics, promhttp.HandlerOpts{}))
	return mux
}

// probeHandler answers kubelets. Alive is who answers; ready is who can decide and
// has not been told to end. Both name the revision that is in force.
func (g *gate) probeHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { g.ok(w) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := errors.Join(g.live.Ready(), g.isServing(r)); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		g.ok(w)
	})
	return mux
}

// isServing returns an error where requests are not answered yet, or not for long.
func (g *gate) isServing(r *http.Request) error {
	if server := g.started.Load(); server != nil {
		return server.StartedChecker()(r)
	}
	return errors.New("there is no certificate to serve by yet")
}

func (g *gate) ok(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "ok\nrevision %s\n", g.live.Revision())
}
