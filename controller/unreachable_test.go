package controller_test

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/certs"
	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
)

// about is a policy about one core kind that has one kind of rule.
func about(kind, enforcement, rule string) engine.Policy {
	name := strings.ToLower(kind)
	return policy(`# METADATA
# custom:
#   enforcement: `+enforcement+`
#   patches: apply
#   match: {kinds: [{apiGroups: [""], kinds: [`+kind+`]}]}
package lintel.`+name+`

`+rule+"\n", v1alpha1.PolicySpec{})
}

// A broken webhook takes connections and does not answer.
type broken struct {
	url     string
	bundle  []byte
	listens bool
	taken   atomic.Int64 // connections
}

// breakdown listens on loopback and has each connection end by how.
func breakdown(t *testing.T, how func(*tls.Conn, *net.TCPConn)) *broken {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, "listen", err)
	t.Cleanup(func() { _ = listener.Close() })
	authority, err := certs.NewAuthority(time.Now(), time.Hour)
	must(t, "make authority", err)
	pair, err := authority.Issue([]string{"127.0.0.1"}, time.Now(), time.Hour)
	must(t, "issue certificate", err)
	keys, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	must(t, "read certificate", err)
	b := &broken{url: "https://" + listener.Addr().String(), bundle: authority.Pair().Certificate, listens: how != nil}
	if !b.listens {
		must(t, "close", listener.Close())
		return b
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			b.taken.Add(1)
			plain, _ := conn.(*net.TCPConn)
			go how(tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{keys}}), plain)
		}
	}()
	return b
}

// swallow reads until the other side has gone.
func swallow(from io.ReadCloser) {
	_, _ = io.Copy(io.Discard, from)
	_ = from.Close()
}

// cutOff answers in part and then resets the connection.
func cutOff(conn *tls.Conn, plain *net.TCPConn) {
	_, _ = conn.Read(make([]byte, 1<<10))
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"apiVersion\": \"admission.k8s.io/v1\",")
	_ = plain.SetLinger(0)
	_ = plain.Close()
}

// TestUnreachable holds that a request to a webhook which cannot be asked ends in
// time, and that what becomes of it is what the entry says.
func TestUnreachable(t *testing.T) {
	cases := map[string]struct {
		reason string
		how    func(*tls.Conn, *net.TCPConn) // nil: connections are refused
	}{
		"Refused":  {"Nobody listens.", nil},
		"Hangs":    {"Connections are taken, and nothing more, as by a firewall that drops.", func(_ *tls.Conn, plain *net.TCPConn) { swallow(plain) }},
		"Silent":   {"The request is read, and nobody answers.", func(conn *tls.Conn, _ *net.TCPConn) { swallow(conn) }},
		"Breaks":   {"The answer breaks off.", cutOff},
		"Deceives": {"The answer is none.", func(conn *tls.Conn, _ *net.TCPConn) { _, _ = io.WriteString(conn, "no\r\n\r\n"); _ = conn.Close() }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := breakdown(t, tc.how)
			g := b.register(t, "unreachable-"+strings.ToLower(name))
			for kind, want := range map[string]struct {
				entry string // that holds the request up; "": none does
				bound time.Duration
			}{
				"configmaps":      {controller.DenyWebhook, 3 * time.Second},
				"serviceaccounts": {"", time.Second},
				"limitranges":     {"", 2 * time.Second},
			} {
				t.Run(kind, func(t *testing.T) {
					t.Parallel()
					before, began := b.taken.Load(), time.Now()
					err := g.create("/api/v1/namespaces/default/"+kind+"?dryRun=All", `{"metadata":{"name":"cut-off"}}`)
					took := time.Since(began)
					if refused := err != nil && strings.Contains(err.Error(), `failed calling webhook "`+want.entry+`"`); refused != (want.entry != "") || !refused && err != nil {
						t.Errorf("%s\ngot %v, want it refused by the entry %q", tc.reason, err, want.entry)
					}
					if took > want.bound+10*time.Second {
						t.Errorf("%s\nthe request took %s, want no more than %s and some", tc.reason, took, want.bound)
					}
					if b.listens && b.taken.Load() == before {
						t.Errorf("%s\nthe webhook was not asked", tc.reason)
					}
				})
			}
		})
	}
}

// register registers a broken webhook for a kind that can be denied, one that is
// warned of, and one that is patched, and returns when the API server asks it.
func (b *broken) register(t *testing.T, name string) *gate {
	t.Helper()
	cfg, client := registrar(t, name)
	set, err := engine.Compile(engine.Config{Policies: []engine.Policy{
		about("ConfigMap", "deny", `violation contains {"msg": "never"} if false`),
		about("ServiceAccount", "warn", `violation contains {"msg": "never"} if false`),
		about("LimitRange", "warn", `patch contains {"path": ["metadata", "labels", "a"], "value": "b"}`),
	}})
	must(t, "compile", err)
	cfg.Set = func() *engine.Set { return set }
	cfg.Target = controller.Target{URL: b.url, CABundle: func() []byte { return b.bundle }}
	r, err := controller.NewRegistrar(cfg)
	must(t, "make registrar", err)
	_, err = r.Register(t.Context())
	must(t, "register", err)
	g := &gate{client: client}
	const probe = `{"metadata":{"name":"cut-off"}}`
	eventually(t, "the API server to be held up", func() bool { return g.create("/api/v1/namespaces/default/configmaps?dryRun=All", probe) != nil })
	eventually(t, "the API server to want patches", func() bool {
		before := b.taken.Load()
		return g.create("/api/v1/namespaces/default/limitranges?dryRun=All", probe) != nil || b.taken.Load() > before || !b.listens
	})
	t.Cleanup(func() { // so that nothing is held up of the next test
		must(t, "remove", r.Remove(t.Context()))
		eventually(t, "requests to pass", func() bool {
			return g.create("/api/v1/namespaces/default/configmaps?dryRun=All", `{"metadata":{"name":"free"}}`) == nil
		})
	})
	return g
}
