package controller_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
)

// A proxy is between Lintel and the API server.
type proxy struct {
	*rest.Config // reaches the API server through it

	lists bool // has clients list as they did before they could by watches

	mu    sync.Mutex
	stuck chan struct{} // closed when watches go on; nil while they do
	cut   bool
	asked map[string]int // how often each path was
}

// through starts a proxy that asks as the user of a configuration.
func through(t *testing.T, to *rest.Config) *proxy {
	t.Helper()
	target, err := url.Parse(to.Host)
	must(t, "parse host", err)
	transport, err := rest.TransportFor(to)
	must(t, "make transport", err)
	p := &proxy{asked: map[string]int{}}
	forward := &httputil.ReverseProxy{
		Transport: transport, FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ModifyResponse: func(r *http.Response) error {
			if r.Request.URL.Query().Get("watch") != "" {
				r.Body = &frozenBody{r.Body, p, r.Request.Context()}
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		cut := p.cut
		p.asked[r.URL.Path]++
		p.mu.Unlock()
		if cut {
			panic(http.ErrAbortHandler) // which closes the connection
		}
		if p.lists && r.URL.Query().Has("sendInitialEvents") {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422}`)
			return
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		p.thaw()
		server.CloseClientConnections()
		server.Close()
	})
	p.Config = &rest.Config{Host: server.URL, QPS: -1}
	return p
}

// freeze has watches say nothing more, as if nothing changed. All else goes on.
func (p *proxy) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stuck = make(chan struct{})
}

func (p *proxy) thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stuck != nil {
		close(p.stuck)
		p.stuck = nil
	}
}

// cutOff has each request fail, or not any more. Watches that go on are left alone.
func (p *proxy) cutOff(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
}

// count returns how often paths with this end were asked for.
func (p *proxy) count(end string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for path, times := range p.asked {
		if strings.HasSuffix(path, end) {
			n += times
		}
	}
	return n
}

// A frozenBody is the answer to a watch.
type frozenBody struct {
	io.ReadCloser
	proxy *proxy
	ctx   context.Context //nolint:containedctx // of the request, which may end meanwhile
}

// Read holds back what there is while watches are frozen.
func (b *frozenBody) Read(to []byte) (int, error) {
	n, err := b.ReadCloser.Read(to)
	b.proxy.mu.Lock()
	stuck := b.proxy.stuck
	b.proxy.mu.Unlock()
	if stuck == nil {
		return n, err
	}
	select {
	case <-stuck:
		return n, err
	case <-b.ctx.Done():
		return 0, b.ctx.Err()
	}
}
