package webhook_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/webhook"
)

// send writes text and returns the status code of what comes back by deadline, 0
// if the connection is closed without.
func send(t *testing.T, conn net.Conn, text string, within time.Duration) (int, error) {
	t.Helper()
	if err := conn.SetDeadline(time.Now().Add(within)); err != nil {
		t.Fatalf("set deadline: %v", err)
	}
	// The server may close before all is written.
	_, _ = io.WriteString(conn, text)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode, nil
}

const head = "POST /validate?timeout=1s HTTP/1.1\r\nHost: lintel\r\nContent-Type: application/json\r\n"

func TestHostileBytes(t *testing.T) {
	t.Parallel()
	s := serve(t, webhook.Config{Decider: compile(t, pods, v1alpha1.PolicySpec{}), MaxBody: 1 << 20}, 0)
	body := review("u-1", "good")
	length := fmt.Sprintf("Content-Length: %d\r\n", len(body))
	cases := map[string]struct {
		reason string
		send   string
		want   int
	}{
		"Good":           {"HTTP/1.1 is answered.", head + length + "\r\n" + body, 200},
		"Chunked":        {"A body in chunks is answered.", head + "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body), 200},
		"EmptyChunked":   {"An empty body in chunks is no review.", head + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		"LargeChunk":     {"A chunk beyond the limit is refused.", head + "Transfer-Encoding: chunked\r\n\r\n200000\r\n" + body + strings.Repeat(" ", 2<<20), 413},
		"LongLength":     {"A length that is not kept is waited for no longer than the deadline.", head + "Content-Length: 100000\r\n\r\n" + body, 408},
		"ShortLength":    {"What comes after the length is not read as part of the review.", head + "Content-Length: 10\r\n\r\n" + body, 400},
		"HugeLength":     {"A length beyond the limit is refused before anything is read.", head + "Content-Length: 99999999999\r\n\r\n" + body, 413},
		"TwoLengths":     {"Two lengths are a trick.", head + length + "Content-Length: 5\r\n\r\n" + body, 400},
		"BothLengths":    {"A transfer encoding that is not known is a trick.", head + length + "Transfer-Encoding: gzip\r\n\r\n" + body, 501},
		"SameLengths":    {"The same length twice is one length.", head + length + length + "\r\n" + body, 200},
		"LengthOfChunks": {"A length beside chunks does not count, as RFC 9112 has it.", head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body), 200},
		"NegativeLength": {"A length is a number.", head + "Content-Length: -1\r\n\r\n" + body, 400},
		"SignedLength":   {"A length is digits and nothing else.", head + "Content-Length: +5\r\n\r\n" + body, 400},
		"ListOfLengths":  {"A list of lengths is a trick.", head + "Content-Length: 5, 5\r\n\r\n" + body, 400},
		"SpacedLength":   {"A name ends where its colon is.", head + "Content-Length : 5\r\n\r\n" + body, 400},
		"HiddenChunks":   {"A transfer encoding that is almost known is a trick.", head + "Transfer-Encoding: xchunked\r\n\r\n" + body, 501},
		"TwiceChunked":   {"Chunks of chunks are a trick.", head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501},
		"ListOfChunked":  {"Chunks of chunks are a trick.", head + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 501},
		"BadChunk":       {"A chunk has a length in hexadecimal digits.", head + "Transfer-Encoding: chunked\r\n\r\n-1\r\n" + body, 400},
		"TwoTypes":       {"Two types are none.", head + "Content-Type: application/json\r\n" + length + "\r\n" + body, 415},
		"TwoHosts":       {"Two hosts are a trick.", head + "Host: other\r\n" + length + "\r\n" + body, 400},
		"BadTypeUTF8":    {"A type of bytes that are no text is none.", strings.Replace(head, "json", "json; charset=\xff", 1) + length + "\r\n" + body, 415},
		"BadHeaderUTF8":  {"What is not read may be any bytes.", head + "X: \xff\xfe\r\n" + length + "\r\n" + body, 200},
		"BadNameUTF8":    {"A name is of ASCII.", head + "X\xff: y\r\n" + length + "\r\n" + body, 400},
		"LargeHeader":    {"A header has its limit.", head + "X: " + strings.Repeat("x", 1<<20) + "\r\n\r\n", 431},
		"ManyHeaders":    {"Headers together have a limit.", head + strings.Repeat("X: y\r\n", 13_000) + "\r\n", 431},
		"LargeTarget":    {"A target has its limit.", strings.Replace(head, "timeout=1s", strings.Repeat("x", 1<<20), 1) + "\r\n", 431},
		"NoHTTP":         {"What is no HTTP is refused.", "hello\r\n\r\n", 400},
		"HeaderOfBytes":  {"A header that is no text is refused.", head + "X\x00: y\r\n\r\n", 400},
		"ConnectMethod":  {"Nothing is a proxy.", "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n", 404},
		"AsteriskTarget": {"There is nothing to ask about all of it.", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := send(t, s.http1(t), tc.send, 5*time.Second)
			if got != tc.want {
				t.Errorf("%s\nwant %d, got %d (%v)", tc.reason, tc.want, got, err)
			}
		})
	}
}

// TestSlowBodyOfStream is the case of a slow body over HTTP/2, where the connection
// and its other streams go on.
func TestSlowBodyOfStream(t *testing.T) {
	t.Parallel()
	s := serve(t, webhook.Config{Decider: compile(t, pods, v1alpha1.PolicySpec{})}, 0)
	for range 2 {
		body, feed := io.Pipe()
		go func() { _, _ = io.WriteString(feed, "{") }()
		began := time.Now()
		got := s.do(t, http.MethodPost, webhook.PathValidate+"?timeout=1s", nil, body)
		if took := time.Since(began); got.code != http.StatusRequestTimeout || took > 5*time.Second {
			t.Errorf("a body that does not end: want 408 when half of a second is used up, got %d %s after %s", got.code, got.body, took)
		}
		if got := s.post(t, webhook.PathValidate, review("u-1", "good")); got.code != http.StatusOK {
			t.Errorf("the next request: want 200, got %d %s", got.code, got.body)
		}
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	s := serve(t, webhook.Config{Decider: compile(t, pods, v1alpha1.PolicySpec{})}, 0)
	cases := map[string]struct {
		reason   string
		min, max uint16
		suites   []uint16
		want     bool
	}{
		"TLS13": {reason: "TLS 1.3 is spoken.", min: tls.VersionTLS13, max: tls.VersionTLS13, want: true},
		"TLS12": {reason: "TLS 1.2 is spoken.", min: tls.VersionTLS12, max: tls.VersionTLS12, want: true},
		"TLS11": {reason: "TLS 1.1 is not.", min: tls.VersionTLS11, max: tls.VersionTLS11},
		"TLS10": {reason: "TLS 1.0 is not.", min: tls.VersionTLS10, max: tls.VersionTLS10},
		"CBC": {
			reason: "A suite without authenticated encryption is refused.", min: tls.VersionTLS12, max: tls.VersionTLS12,
			suites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			conn, err := tls.Dial("tcp", s.address, &tls.Config{RootCAs: s.roots, MinVersion: tc.min, MaxVersion: tc.max, CipherSuites: tc.suites})
			if err == nil {
				_ = conn.Close()
			}
			if (err == nil) != tc.want {
				t.Errorf("%s\nhandshake: want success %t, got error %v", tc.reason, tc.want, err)
			}
		})
	}
	t.Run("PlainHTTP", func(t *testing.T) {
		res, err := http.Post("http://"+s.address+webhook.PathValidate, "application/json", strings.NewReader(review("u", "good")))
		if err != nil {
			return
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusBadRequest {
			t.Errorf("without TLS nothing is answered: got %d", res.StatusCode)
		}
	})
}

func TestShutdownFinishesWhatIsInFlight(t *testing.T) {
	t.Parallel()
	started := make(chan struct{}, 3)
	set := compile(t, pods, v1alpha1.PolicySpec{})
	s := serve(t, webhook.Config{Decider: webhook.Funcs{
		ReviewFunc: func(ctx context.Context, _ engine.Part, req *engine.Request) (*engine.Decision, error) {
			started <- struct{}{}
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(1500 * time.Millisecond):
			}
			return set.Review(ctx, engine.Whole, req)
		},
		PatchFunc: set.Patch,
	}}, time.Second)

	answers := make(chan answer, 2)
	go func() { answers <- s.post(t, webhook.PathValidate+"?timeout=5s", review("u-5", "good")) }()
	go func() {
		answers <- s.onlyHTTP1().post(t, webhook.PathValidate+"?timeout=5s", review("u-5", "good"))
	}()
	<-started
	<-started
	slow := map[string]net.Conn{"of no handshake": s.tcp(t), "of no request": s.http1(t), "of half a head": s.http1(t), "of half a body": s.http1(t), "of no room": s.http2(t)}
	_, _ = io.WriteString(slow["of half a head"], head)
	_, _ = io.WriteString(slow["of half a body"], strings.Replace(head, "1s", "30s", 1)+"Content-Length: 100\r\n\r\n{")
	_, _ = slow["of no room"].Write(stalled(s.address, review("u-5", "good")))
	<-started

	if err := s.server.StartedChecker()(nil); err != nil {
		t.Errorf("while it serves, the check fails: %v", err)
	}
	s.cancel()
	time.Sleep(100 * time.Millisecond)
	if err := s.server.StartedChecker()(nil); err == nil {
		t.Error("while it stops, the check passes, and load balancers go on sending")
	}
	late := s.http1(t)
	_, _ = io.WriteString(late, strings.Replace(head, "validate", "mutate", 1)+fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(review("u-6", "good")), review("u-6", "good")))
	if res, err := http.ReadResponse(bufio.NewReader(late), nil); err != nil || !res.Close {
		t.Errorf("an answer while load balancers still send: want one that asks to close the connection, got %+v (%v)", res, err)
	}
	if got := s.post(t, webhook.PathMutate, review("u-6", "good")); got.code != 200 {
		t.Errorf("a request that comes while load balancers still send: want 200, got %d", got.code)
	}
	began := time.Now()
	for range 2 {
		got := <-answers
		if res := got.response(t); got.code != 200 || res.UID != "u-5" || !res.Allowed {
			t.Errorf("a request in flight when the server was told to stop: want it allowed, got %d %s", got.code, got.body)
		}
	}
	select {
	case err := <-s.done:
		if err != nil {
			t.Errorf("Start(...): want nil at the end, got %v", err)
		}
	case <-time.After(5*time.Second - time.Since(began)):
		t.Error("the server has not ended 5 s after it was told to, while a client is slow")
	}
	for of, conn := range slow {
		_ = conn.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the connection %s after the end: want it closed, got %v", of, err)
		}
	}
	if conn, err := net.Dial("tcp", s.address); err == nil {
		_ = conn.Close()
		t.Error("after the end, connections are still taken")
	}
}

func TestUIDIsEchoed(t *testing.T) {
	t.Parallel()
	set := compile(t, pods, v1alpha1.PolicySpec{})
	random := rand.New(rand.NewPCG(1, 2))
	alphabet := []rune("abcdef0123456789-\"\\<>&\u2028é\x01\U0001f600 ")
	behaviours := []func(ctx context.Context) error{
		func(context.Context) error { return nil },
		func(context.Context) error { panic("x") },
		func(context.Context) error { return io.ErrUnexpectedEOF },
		func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		},
		func(ctx context.Context) error { // goes on beyond the deadline
			<-ctx.Done()
			time.Sleep(50 * time.Millisecond)
			return nil
		},
	}
	next := make(chan int, 1)
	s := serve(t, webhook.Config{MaxMemory: 64 << 20, Decider: webhook.Funcs{
		ReviewFunc: func(ctx context.Context, part engine.Part, req *engine.Request) (*engine.Decision, error) {
			if err := behaviours[<-next](ctx); err != nil {
				return nil, err
			}
			return set.Review(ctx, part, req)
		},
		PatchFunc: func(ctx context.Context, req *engine.Request) (*engine.Mutation, error) {
			if err := behaviours[<-next](ctx); err != nil {
				return nil, err
			}
			return set.Patch(ctx, req)
		},
		UndecidedFunc: set.Undecided,
	}}, 0)
	heavy := `"s3cr3t","x":[` + strings.Repeat("0,", 300_000) + "0]"
	answered := 0
	for i := range 200 {
		uid := make([]rune, 1+random.IntN(40))
		for i := range uid {
			uid[i] = alphabet[random.IntN(len(alphabet))]
		}
		path := webhook.Paths()[random.IntN(len(webhook.Paths()))]
		body := strings.Replace(review("UID", []string{"good", "bad"}[random.IntN(2)]), `"UID"`, quoteJSON(string(uid)), 1)
		if i%20 == 0 {
			body = strings.Replace(body, `"s3cr3t"`, heavy, 1)
		} else {
			next <- random.IntN(len(behaviours))
		}
		got := s.post(t, path+"?timeout=50ms", body)
		if got.code == http.StatusRequestTimeout || got.code == http.StatusTooManyRequests {
			// The machine is busy.
			select {
			case <-next:
			default:
			}
			continue
		}
		answered++
		if res := got.response(t); string(res.UID) != string(uid) {
			t.Fatalf("uid: want %q, got %q", string(uid), res.UID)
		}
	}
	if answered < 50 {
		t.Errorf("of 200 requests, %d were answered", answered)
	}
}

func TestOverload(t *testing.T) {
	t.Parallel()
	release, started := make(chan struct{}), make(chan struct{}, 8)
	registry := prometheus.NewRegistry()
	s := serve(t, webhook.Config{MaxConcurrent: 1, MaxQueue: 1, Metrics: registry, Decider: webhook.Funcs{
		ReviewFunc: func(context.Context, engine.Part, *engine.Request) (*engine.Decision, error) {
			started <- struct{}{}
			<-release
			return &engine.Decision{}, nil
		},
	}}, 0)
	var group sync.WaitGroup
	codes := make(chan int, 2)
	post := func() { codes <- s.post(t, webhook.PathValidate+"?timeout=8s", review("u", "good")).code }
	group.Go(post)
	<-started
	group.Go(post)
	for deadline := time.Now().Add(2 * time.Second); value(t, registry, "lintel_webhook_queue_length") != 1; {
		if time.Now().After(deadline) {
			t.Fatal("the second request does not wait")
		}
		time.Sleep(5 * time.Millisecond)
	}
	got := s.post(t, webhook.PathValidate+"?timeout=8s", review("u", "good"))
	if got.code != http.StatusTooManyRequests || got.header.Get("Retry-After") != "1" || strings.Contains(got.body, "allowed") {
		t.Errorf("when the queue is full: want 429, Retry-After and no verdict, got %d %v %s", got.code, got.header, got.body)
	}
	close(release)
	group.Wait()
	for range 2 {
		if code := <-codes; code != 200 {
			t.Errorf("who waited is answered: want 200, got %d", code)
		}
	}
	if got := value(t, registry, "lintel_webhook_shed_total"); got != 1 {
		t.Errorf("lintel_webhook_shed_total: want 1, got %v", got)
	}
}

func TestQueueIsLeftInTime(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	defer close(release)
	s := serve(t, webhook.Config{MaxConcurrent: 1, Decider: unruly(func(context.Context) error {
		<-release
		return nil
	})}, 0)
	first := s.post(t, webhook.PathValidate+"?timeout=300ms", review("u", "good"))
	if res := first.response(t); res.Result.Code != 500 {
		t.Fatalf("a decider that runs on is answered for: got %s", first.body)
	}
	began := time.Now()
	got := s.post(t, webhook.PathValidate+"?timeout=10s", review("u", "good"))
	if got.code != http.StatusTooManyRequests || time.Since(began) > 5*time.Second {
		t.Errorf("while the one decider runs on: want 429 after a third of the time, got %d after %s", got.code, time.Since(began))
	}
}

func TestBytesInFlightAreBounded(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	s := serve(t, webhook.Config{MaxBody: 1 << 20, MaxBytes: 1<<20 + 8<<10, Metrics: registry, Decider: compile(t, pods, v1alpha1.PolicySpec{})}, 0)
	announced := s.http1(t)
	_, _ = io.WriteString(announced, strings.Replace(head, "1s", "8s", 1)+"Content-Length: 1000000\r\n\r\n{")
	for began := time.Now(); value(t, registry, "lintel_webhook_inflight_bytes") == 0 && time.Since(began) < 30*time.Second; {
		time.Sleep(5 * time.Millisecond)
	}
	if got := value(t, registry, "lintel_webhook_inflight_bytes"); got == 0 || got > 128<<10 {
		t.Errorf("who announces much and sends little: want some and at most 128 KiB held, got %v", got)
	}
	_, _ = io.WriteString(announced, strings.Repeat(" ", 900_000))
	for began := time.Now(); value(t, registry, "lintel_webhook_inflight_bytes") < 900_000 && time.Since(began) < 30*time.Second; {
		time.Sleep(5 * time.Millisecond)
	}
	if got := value(t, registry, "lintel_webhook_inflight_bytes"); got < 900_000 {
		t.Errorf("bytes in flight: want what has come, 900 kB, got %v", got)
	}
	padded := review("u", "good") + strings.Repeat(" ", 100_000)
	got := s.post(t, webhook.PathValidate+"?timeout=1s", padded)
	if got.code != http.StatusTooManyRequests {
		t.Errorf("when all bytes are taken: want 429, got %d", got.code)
	}
	_ = announced.Close()
	for began := time.Now(); value(t, registry, "lintel_webhook_inflight_bytes") != 0; time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatalf("bytes in flight after the client has gone: want 0, got %v", value(t, registry, "lintel_webhook_inflight_bytes"))
		}
	}
	if got := s.post(t, webhook.PathValidate+"?timeout=1s", padded); got.code != 200 {
		t.Errorf("when bytes are free again: want 200, got %d", got.code)
	}
}

func TestRevisionAndExpiry(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	now := "one"
	_, err := webhook.New(webhook.Config{Metrics: registry, Decider: webhook.Funcs{}, Revision: func() string { return now }})
	if err != nil {
		t.Fatalf("New(...): %v", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	defer listener.Close()
	_, err = webhook.NewServer(webhook.ServerConfig{
		Listener: listener, Metrics: registry, NotAfter: func() time.Time { return time.Unix(1234, 0) },
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errors.New("none") },
	})
	if err != nil {
		t.Fatalf("NewServer(...): %v", err)
	}
	if got := value(t, registry, "lintel_webhook_certificate_expiry_seconds"); got != 1234 {
		t.Errorf("lintel_webhook_certificate_expiry_seconds: want 1234, got %v", got)
	}
	for _, revision := range []string{"one", "two"} {
		now = revision
		families, err := registry.Gather()
		if err != nil {
			t.Fatalf("Gather(): %v", err)
		}
		var got []string
		for _, f := range families {
			if f.GetName() == "lintel_webhook_revision_info" {
				for _, m := range f.Metric {
					got = append(got, m.Label[0].GetValue())
				}
			}
		}
		if len(got) != 1 || got[0] != revision {
			t.Errorf("lintel_webhook_revision_info: want %s alone, got %v", revision, got)
		}
	}
}
