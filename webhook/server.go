package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"
)

const (
	// ioTimeout bounds the head, the whole request and the answer, each, where
	// nobody says otherwise.
	ioTimeout = 10 * time.Second
	// idleTimeout is longer than the 90 s that the API server keeps an idle
	// connection, so that it is the API server who closes it, and no request meets
	// a connection that is being closed.
	idleTimeout = 2 * time.Minute
	// maxHeader is far more than the API server sends.
	maxHeader = 64 << 10
	// maxStreams is how many requests one HTTP/2 connection may have open. The API
	// server has one connection, or few.
	maxStreams = 1000
)

// ServerConfig configures a [Server].
type ServerConfig struct {
	// Listener is where connections come in; required. Start closes it.
	Listener net.Listener
	// GetCertificate returns the serving certificate at each handshake; required.
	GetCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// LameDuck is how long requests are still taken after the context of Start has
	// ended, while load balancers learn that nothing more should come. If zero,
	// not at all.
	LameDuck time.Duration
	// Grace is how long requests in flight may take after that. If zero, 5 seconds.
	Grace time.Duration
	// IOTimeout bounds the head, the whole request and the answer, each. If zero, 10
	// seconds; it has to be longer than what a [Handler] may take.
	IOTimeout time.Duration
	// NotAfter returns when the serving certificate ends, for a metric. If nil,
	// there is none.
	NotAfter func() time.Time
	// Metrics is where that metric is registered. If nil, nowhere.
	Metrics prometheus.Registerer
	// Log gets what goes wrong with connections, at level debug. If nil, nothing
	// is logged.
	Log *zap.Logger
}

// A Server serves webhooks over TLS. It is controller-runtime's webhook.Server,
// with deadlines on all that a client sends and reads, and a shutdown that
// cancels nothing in flight and ends in bounded time.
type Server struct {
	cfg   ServerConfig
	mux   *http.ServeMux
	state atomic.Int32
}

var _ ctrlwebhook.Server = (*Server)(nil)

// The states of a Server.
const (
	created int32 = iota
	serving
	stopping
)

// NewServer returns a Server for cfg.
func NewServer(cfg ServerConfig) (*Server, error) {
	switch {
	case cfg.Listener == nil:
		return nil, errors.New("webhook: ServerConfig.Listener is nil")
	case cfg.GetCertificate == nil:
		return nil, errors.New("webhook: ServerConfig.GetCertificate is nil")
	}
	if err := cfg.checkTimes(); err != nil {
		return nil, err
	}
	if cfg.Grace == 0 {
		cfg.Grace = 5 * time.Second
	}
	if cfg.IOTimeout == 0 {
		cfg.IOTimeout = ioTimeout
	}
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	if cfg.Metrics != nil && cfg.NotAfter != nil {
		if err := cfg.Metrics.Register(expiry(cfg.NotAfter)); err != nil {
			return nil, fmt.Errorf("register metric of certificate: %w", err)
		}
	}
	return &Server{cfg: cfg, mux: http.NewServeMux()}, nil
}

// maxTime is longer than anybody waits for a server.
const maxTime = time.Hour

func (cfg ServerConfig) checkTimes() error {
	for name, value := range map[string]time.Duration{"LameDuck": cfg.LameDuck, "Grace": cfg.Grace, "IOTimeout": cfg.IOTimeout} {
		if value < 0 || value > maxTime {
			return fmt.Errorf("webhook: ServerConfig.%s is %s, not between 0 and %s", name, value, maxTime)
		}
	}
	return nil
}

// NeedLeaderElection is false: every replica answers reviews.
func (s *Server) NeedLeaderElection() bool { return false }

// Register serves hook at path. It panics if something is served there already.
func (s *Server) Register(path string, hook http.Handler) { s.mux.Handle(path, hook) }

// WebhookMux returns what routes requests.
func (s *Server) WebhookMux() *http.ServeMux { return s.mux }

// StartedChecker returns a check that passes while the server serves and has not
// been told to stop.
func (s *Server) StartedChecker() healthz.Checker {
	return func(*http.Request) error {
		switch s.state.Load() {
		case created:
			return errors.New("webhook server has not started")
		case stopping:
			return errors.New("webhook server is stopping")
		}
		return nil
	}
}

// Start serves until ctx ends and then ends in order: it goes on serving for
// LameDuck, takes no more, waits for what is in flight for Grace, and closes what
// is left. It returns nil then; an error says that it could not serve.
func (s *Server) Start(ctx context.Context) error {
	server, err := s.newHTTP(ctx)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- server.ServeTLS(s.cfg.Listener, "", "") }()
	s.state.Store(serving)
	select {
	case err := <-done:
		return fmt.Errorf("serve webhooks: %w", err)
	case <-ctx.Done():
	}
	s.state.Store(stopping)
	if err := s.linger(done); err != nil {
		return err
	}
	return s.stop(context.WithoutCancel(ctx), server)
}

// linger goes on serving for a while.
func (s *Server) linger(done <-chan error) error {
	timer := time.NewTimer(s.cfg.LameDuck)
	defer timer.Stop()
	select {
	case err := <-done:
		return fmt.Errorf("serve webhooks: %w", err)
	case <-timer.C:
		return nil
	}
}

func (s *Server) stop(ctx context.Context, server *http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Grace)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		s.cfg.Log.Info("closing connections that did not end in time", zap.Duration("grace", s.cfg.Grace))
		// They belong to clients that are slow; there is nothing to do about them.
		_ = server.Close()
	}
	return nil
}

// newHTTP returns the HTTP server. Its requests outlive ctx: what is in flight
// when the process is told to stop is answered, not cancelled.
func (s *Server) newHTTP(ctx context.Context) (*http.Server, error) {
	errorLog, err := zap.NewStdLogAt(s.cfg.Log, zap.DebugLevel)
	if err != nil {
		return nil, fmt.Errorf("make log of connections: %w", err)
	}
	base := context.WithoutCancel(ctx)
	return &http.Server{
		Handler:           http.HandlerFunc(s.route),
		BaseContext:       func(net.Listener) context.Context { return base },
		TLSConfig:         s.tls(),
		ReadHeaderTimeout: s.cfg.IOTimeout,
		ReadTimeout:       s.cfg.IOTimeout,
		WriteTimeout:      s.cfg.IOTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams, WriteByteTimeout: s.cfg.IOTimeout},
		ErrorLog:          errorLog,
		// "OPTIONS *" is answered like any other path where nothing is.
		DisableGeneralOptionsHandler: true,
	}, nil
}

// tls is what clients may speak: TLS 1.3, or 1.2 with forward secrecy and
// authenticated encryption.
func (s *Server) tls() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: s.cfg.GetCertificate,
		NextProtos:     []string{"h2", "http/1.1"},
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
	}
}

// route answers 404 for a path where nothing is served, or that is not written as
// it is served: the mux would send such a client on to another path. Once the
// server is to stop, it asks clients to leave their connections with the answer,
// so that none is in use when it is closed.
func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	if s.state.Load() == stopping {
		w.Header().Set("Connection", "close") // for HTTP/2, a GOAWAY
	}
	if _, pattern := s.mux.Handler(r); pattern == "" || path.Clean(r.URL.Path) != r.URL.Path {
		http.Error(w, "lintel: nothing is served at this path", http.StatusNotFound)
		return
	}
	s.mux.ServeHTTP(w, r)
}
