package webhook_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/webhook"
)

const (
	// ioTimeout is that of servers whose clients are slow here.
	ioTimeout = time.Second
	// patience is how long a slow client may stay at most. It is more than the 10 s
	// that net/http gives an HTTP/2 connection to begin, and what a busy machine takes.
	patience = 30 * time.Second
)

// TestSlowClients has clients that send without an end, or do not send, or do not
// read. Each has to be closed while others are answered.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	verbose := strings.Replace(pods, "the name is", strings.Repeat("y", 4<<10), 1) // so that answers soon fill all buffers
	s := serveWith(t, webhook.Config{Decider: compile(t, verbose, v1alpha1.PolicySpec{})}, webhook.ServerConfig{IOTimeout: ioTimeout})
	hour := strings.Replace(head, "timeout=1s", "timeout=1h", 1) + "Content-Length: 100000\r\n\r\n{"
	cases := map[string]struct {
		reason string
		conn   func(*testing.T) net.Conn
		first  string
		drip   string
	}{
		"Silence":   {"A connection on which no handshake comes is cut off.", s.tcp, "", ""},
		"Handshake": {"A handshake that does not end is cut off.", s.tcp, "\x16\x03\x01\x02\x00\x01", "\x00"},
		"Request":   {"A connection on which no request comes is cut off.", s.http1, "", ""},
		"Header":    {"A header that does not end is cut off.", s.http1, "POST /validate HTTP/1.1\r\nHost: lintel\r\n", "X: y\r\n"},
		"Body":      {"A body that does not end is cut off, however much time its sender asks for.", s.http1, hour, " "},
		"Chunks":    {"A body in chunks that do not end is cut off.", s.http1, head + "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", "1\r\n \r\n"},
		"Preface":   {"An HTTP/2 connection that does not begin is cut off.", s.http2, "PRI * HTTP/2.0\r\n", ""},
		"Trailer":   {"A trailer that does not end is cut off.", s.http1, head + "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n", "X: y\r\n"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := tc.conn(t)
			closed := make(chan struct{})
			go func() {
				defer close(closed)
				_, _ = io.Copy(io.Discard, conn)
			}()
			_, _ = io.WriteString(conn, tc.first)
			awaitClosed(t, tc.reason, closed, func() { _, _ = io.WriteString(conn, tc.drip) })
		})
	}
	t.Run("Reading", func(t *testing.T) {
		t.Parallel()
		conn := s.http1(t)
		body := review("u", "bad")
		request := strings.Replace(head, "timeout=1s", "timeout=8s", 1) + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body)) + body
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			for {
				if _, err := io.WriteString(conn, request); err != nil {
					return
				}
			}
		}()
		awaitClosed(t, "Who sends and sends and never reads an answer is cut off.", closed, func() {})
	})
	t.Run("BodyHTTP2", func(t *testing.T) {
		t.Parallel()
		body, end := io.Pipe()
		defer end.Close()
		if got := s.do(t, http.MethodPost, webhook.PathValidate+"?timeout=1s", nil, body); got.code != http.StatusRequestTimeout {
			t.Errorf("A body that does not come is not waited for: want 408, got %d", got.code)
		}
	})
	t.Run("ReadingHTTP2", func(t *testing.T) {
		t.Parallel()
		conn := s.http2(t)
		_, _ = conn.Write(stalled(s.address, review("u", "bad")))
		awaitReset(t, conn, "Who gives no room for the answer has its stream reset.")
	})
	t.Run("Others", func(t *testing.T) {
		t.Parallel()
		for range 20 {
			if got := s.post(t, webhook.PathValidate+"?timeout=3s", review("u", "good")); got.code != http.StatusOK {
				t.Errorf("while others are slow: want 200, got %d", got.code)
			}
			time.Sleep(50 * time.Millisecond)
		}
	})
}

// awaitClosed waits until closed is, and does something every tenth of a second meanwhile.
func awaitClosed(t *testing.T, reason string, closed <-chan struct{}, meanwhile func()) {
	t.Helper()
	tick := time.NewTicker(ioTimeout / 10)
	defer tick.Stop()
	for began := time.Now(); time.Since(began) < patience; {
		select {
		case <-closed:
			return
		case <-tick.C:
			meanwhile()
		}
	}
	t.Fatalf("%s\nstill open after %s", reason, patience)
}

func (s *served) tcp(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func (s *served) http1(t *testing.T) net.Conn {
	t.Helper()
	return s.dial(t, "http/1.1")
}

func (s *served) http2(t *testing.T) net.Conn {
	t.Helper()
	return s.dial(t, "h2")
}

// dial opens a TLS connection that speaks a protocol.
func (s *served) dial(t *testing.T, protocol string) *tls.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", s.address, &tls.Config{RootCAs: s.roots, NextProtos: []string{protocol}})
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// Types of HTTP/2 frames, and what else of RFC 9113 a client needs here.
const (
	frameData     = 0x0
	frameHeaders  = 0x1
	frameReset    = 0x3
	frameSettings = 0x4
	frameGoAway   = 0x7

	endStream     = 0x1
	endHeaders    = 0x4
	initialWindow = 0x4
)

// frame returns an HTTP/2 frame of stream 1, or of the connection for settings.
func frame(kind, flags byte, payload string) string {
	stream := byte(1)
	if kind == frameSettings {
		stream = 0
	}
	n := len(payload)
	return string([]byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags, 0, 0, 0, stream}) + payload
}

// stalled is an HTTP/2 connection with one request, whose answer may have no byte.
func stalled(host, body string) []byte {
	headers := ""
	for _, h := range [][2]string{
		{":method", "POST"}, {":scheme", "https"}, {":authority", host}, {":path", "/validate?timeout=5s"}, {"content-type", "application/json"},
	} {
		// A literal field without indexing (RFC 7541, 6.2.2), all of it shorter than 127 bytes.
		headers += "\x00" + string(rune(len(h[0]))) + h[0] + string(rune(len(h[1]))) + h[1]
	}
	return []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(frameSettings, 0, string([]byte{0, initialWindow, 0, 0, 0, 0})) +
		frame(frameHeaders, endHeaders, headers) + frame(frameData, endStream, body))
}

// awaitReset reads frames until the stream is reset or the connection ends. No
// data may come before.
func awaitReset(t *testing.T, conn net.Conn, reason string) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	answered := false
	for {
		var header [9]byte
		if _, err := io.ReadFull(conn, header[:]); err != nil {
			t.Fatalf("%s\nthe connection ended before, with an answer begun: %t: %v", reason, answered, err)
		}
		if _, err := io.CopyN(io.Discard, conn, int64(header[0])<<16|int64(header[1])<<8|int64(header[2])); err != nil {
			t.Fatalf("%s\nread a frame: %v", reason, err)
		}
		switch header[3] {
		case frameHeaders:
			answered = true
		case frameReset:
			if !answered {
				t.Errorf("%s\nthe stream was reset before an answer was begun", reason)
			}
			return
		case frameData, frameGoAway:
			t.Fatalf("%s\ngot a frame of type %d", reason, header[3])
		}
	}
}
