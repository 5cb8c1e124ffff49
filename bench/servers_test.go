package bench_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/lintel-policy/lintel/certs"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/webhook"
)

// path is where all servers answer.
const path = webhook.PathDeny

// serveAll starts the servers, in the order of their places.
func serveAll(b *testing.B) []contestant {
	certificate, library := certificate(b), library(b)
	none, err := engine.Compile(engine.Config{})
	if err != nil {
		b.Fatal(err)
	}
	return []contestant{
		echo:    {name: "echo", address: serveEcho(b, certificate)},
		theirs:  {name: "controller-runtime", address: serveControllerRuntime(b, certificate, allowAll(), path)},
		ours:    {name: "lintel", address: serveLintel(b, certificate, library, jsonLog())},
		silent:  {name: "lintel-no-log", address: serveLintel(b, certificate, library, zap.NewNop())},
		lenient: {name: "lintel-no-policies", address: serveLintel(b, certificate, none, jsonLog())},
	}
}

type getCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error)

func certificate(b *testing.B) getCertificate {
	now := time.Now()
	authority, err := certs.NewAuthority(now, time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	pair, err := authority.Issue([]string{"127.0.0.1"}, now, time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	source, err := certs.NewSource(pair, now)
	if err != nil {
		b.Fatal(err)
	}
	return source.GetCertificate
}

// serveEcho reads the body and writes an answer that was made before.
func serveEcho(b *testing.B, certificate getCertificate) string {
	answer := []byte(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"` + uid + `","allowed":true}}`)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer)
	})
	return serveControllerRuntime(b, certificate, handler, path)
}

func allowAll() http.Handler {
	return &admission.Webhook{Handler: admission.HandlerFunc(func(context.Context, admission.Request) admission.Response {
		return admission.Allowed("")
	})}
}

// serveControllerRuntime serves the way that controller-runtime does.
func serveControllerRuntime(b *testing.B, certificate getCertificate, handler http.Handler, path string) string {
	ctrllog.SetLogger(logr.Discard())
	listener := listen(b)
	address := listener.Addr().(*net.TCPAddr)
	_ = listener.Close() // its server opens its own
	server := ctrlwebhook.NewServer(ctrlwebhook.Options{
		Host: address.IP.String(), Port: address.Port,
		TLSOpts: []func(*tls.Config){func(c *tls.Config) { c.GetCertificate = certificate }},
	})
	server.Register(path, handler)
	start(b, server)
	return address.String()
}

// serveLintel serves a set of policies the way that `lintel serve` does.
func serveLintel(b *testing.B, certificate getCertificate, set *engine.Set, log *zap.Logger) string {
	_, address := serveHandler(b, certificate, set, log)
	return address
}

func serveHandler(b *testing.B, certificate getCertificate, set *engine.Set, log *zap.Logger) (*webhook.Handler, string) {
	registry := prometheus.NewRegistry()
	handler, err := webhook.New(webhook.Config{Decider: decider(b, set), Log: log, Metrics: registry})
	if err != nil {
		b.Fatal(err)
	}
	listener := listen(b)
	server, err := webhook.NewServer(webhook.ServerConfig{Listener: listener, GetCertificate: certificate, Metrics: registry, Log: log})
	if err != nil {
		b.Fatal(err)
	}
	server.Register(path, handler)
	start(b, server)
	return handler, listener.Addr().String()
}

// decider decides as controller.Live does, without a cluster to watch.
func decider(b *testing.B, set *engine.Set) webhook.Decider {
	ns := namespace(b)
	inventory := engine.NewInventory(ns)
	parts := map[engine.Part]*engine.Set{engine.Enforcing: set.Part(engine.Enforcing)}
	return webhook.Funcs{
		ReviewFunc: func(ctx context.Context, part engine.Part, req *engine.Request) (*engine.Decision, error) {
			return parts[part].Review(ctx, req.At(time.Now()).In(ns), inventory)
		},
	}
}

// jsonLog is the logger of `lintel serve`, but for where it writes to.
func jsonLog() *zap.Logger {
	encoding := zap.NewProductionEncoderConfig()
	encoding.TimeKey, encoding.EncodeTime = "time", zapcore.RFC3339NanoTimeEncoder
	return zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(encoding), zapcore.Lock(zapcore.AddSync(io.Discard)), zap.InfoLevel))
}

func listen(b *testing.B) net.Listener {
	listener, err := new(net.ListenConfig).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	return listener
}

// start runs a server until the benchmark ends, and waits until it serves.
func start(b *testing.B, server ctrlwebhook.Server) {
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- server.Start(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Errorf("serve: %v", err)
		}
	})
	for tick := time.Tick(time.Millisecond); server.StartedChecker()(nil) != nil; <-tick {
		if b.Context().Err() != nil {
			b.Fatal("the server did not start")
		}
	}
}
