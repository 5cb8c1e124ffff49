package bench_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A load sends one review again and again over a few HTTP/2 connections, as an
// API server does. What can be made before is made once.
type load struct {
	request *http.Request
	body    []byte
	senders []sender
}

// A sender is one stream at a time of a connection.
type sender struct {
	conn   *http.ClientConn
	answer []byte // is used again
}

// newLoad opens connections to a server, each with a number of senders.
func newLoad(b *testing.B, address string, body []byte, connections, streams int) *load {
	target := &url.URL{Scheme: "https", Host: address, Path: path, RawQuery: "timeout=3s"}
	l := &load{body: body, request: (&http.Request{
		Method: http.MethodPost, URL: target, Host: address, ContentLength: int64(len(body)),
		Header: http.Header{
			"Accept":       {"application/json, */*"},
			"Content-Type": {"application/json"},
			"User-Agent":   {"kube-apiserver-admission"},
		},
	}).WithContext(b.Context())}
	for range connections {
		conn := dial(b, address)
		for range streams {
			l.senders = append(l.senders, sender{conn, make([]byte, 4<<10)})
		}
	}
	return l
}

func dial(b *testing.B, address string) *http.ClientConn {
	transport := &http.Transport{
		ForceAttemptHTTP2: true,
		// Who it is does not matter here, and is checked once a connection.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
	}
	conn, err := transport.NewClientConn(b.Context(), "https", address)
	if err != nil {
		b.Fatalf("dial: %v", err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	return conn
}

// run sends n requests, as fast as they are answered, and returns how long each
// took and all of them together.
func (l *load) run(b *testing.B, n int) ([]time.Duration, time.Duration) {
	latencies := make([]time.Duration, n)
	errs := make([]error, len(l.senders))
	var next atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for i := range l.senders {
		wg.Go(func() {
			for at := next.Add(1) - 1; at < int64(n) && errs[i] == nil; at = next.Add(1) - 1 {
				sent := time.Now()
				errs[i] = l.senders[i].send(l.request, l.body)
				latencies[at] = time.Since(sent)
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	if err := errors.Join(errs...); err != nil && !errors.Is(err, context.Canceled) {
		b.Fatal(err)
	}
	return latencies, took
}

// send sends one request and reads the answer, which has to allow it.
func (s *sender) send(request *http.Request, body []byte) error {
	r := *request
	r.Body = io.NopCloser(bytes.NewReader(body))
	response, err := s.conn.RoundTrip(&r)
	if err != nil {
		return fmt.Errorf("send: %w", err)
	}
	defer response.Body.Close()
	n, err := io.ReadFull(response.Body, s.answer)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("read answer: %w", err)
	}
	answer := s.answer[:n]
	if response.ProtoMajor != 2 || response.StatusCode != http.StatusOK ||
		!bytes.Contains(answer, []byte(`"allowed":true`)) || !bytes.Contains(answer, []byte(uid)) {
		return fmt.Errorf("answer: HTTP/%d, %s, %s", response.ProtoMajor, response.Status, answer)
	}
	return nil
}
