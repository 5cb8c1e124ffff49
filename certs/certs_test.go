package certs_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/certs"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const (
	year = 365 * 24 * time.Hour
	day  = 24 * time.Hour
)

func TestHandshake(t *testing.T) {
	authority := newAuthority(t, year)
	stranger := newAuthority(t, year)
	hosts := []string{"lintel.lintel-system.svc", "127.0.0.1", "::1"}
	pair := issue(t, authority, hosts, day)

	cases := map[string]struct {
		reason string
		trust  *certs.Authority
		host   string
		at     time.Time
		want   bool
	}{
		"Name":        {"A DNS name that the certificate was issued for is trusted.", authority, hosts[0], now, true},
		"IPv4":        {"An IPv4 address that it was issued for is trusted.", authority, "127.0.0.1", now, true},
		"IPv6":        {"An IPv6 address that it was issued for is trusted.", authority, "::1", now, true},
		"OtherName":   {"A name that it was not issued for is not trusted.", authority, "example.com", now, false},
		"OtherCA":     {"Another authority does not vouch for it.", stranger, hosts[0], now, false},
		"ClockBehind": {"A client whose clock is 59 s behind trusts a certificate made just now.", authority, hosts[0], now.Add(-59 * time.Second), true},
		"FarBehind":   {"The backdating is a minute and no more.", authority, hosts[0], now.Add(-2 * time.Minute), false},
		"Ended":       {"A certificate ends when its validity has passed.", authority, hosts[0], now.Add(day + time.Second), false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			source, err := certs.NewSource(pair, now)
			if err != nil {
				t.Fatalf("NewSource(...): %v", err)
			}
			_, err = handshake(t, source, tc.trust, tc.host, tc.at)
			if got := err == nil; got != tc.want {
				t.Errorf("%s\nhandshake with %q: want trusted %t, got error %v", tc.reason, tc.host, tc.want, err)
			}
		})
	}
}

func TestReplaceKeepsTheOldOne(t *testing.T) {
	authority := newAuthority(t, year)
	good := issue(t, authority, []string{"good.test"}, day)
	other := issue(t, authority, []string{"other.test"}, day)

	cases := map[string]struct {
		reason string
		pair   certs.Pair
		at     time.Time
		want   string
	}{
		"Good":      {"A whole pair is served at once.", other, now, "other.test"},
		"Half":      {"Half a file is not served.", certs.Pair{Certificate: other.Certificate[:len(other.Certificate)/2], Key: other.Key}, now, "good.test"},
		"Empty":     {"An empty pair is not served.", certs.Pair{}, now, "good.test"},
		"Unmatched": {"A key of another certificate is not served.", certs.Pair{Certificate: other.Certificate, Key: good.Key}, now, "good.test"},
		"Ended":     {"A certificate that has ended is not served.", other, now.Add(2 * day), "good.test"},
		"NotBegun":  {"A certificate that has not begun is not served.", other, now.Add(-time.Hour), "good.test"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			source, err := certs.NewSource(good, now)
			if err != nil {
				t.Fatalf("NewSource(...): %v", err)
			}
			err = source.Replace(tc.pair, tc.at)
			if (err == nil) != (tc.want == "other.test") {
				t.Errorf("%s\nReplace(...): %v", tc.reason, err)
			}
			got, err := handshake(t, source, authority, tc.want, now)
			if err != nil {
				t.Fatalf("%s\nhandshake with %q: %v", tc.reason, tc.want, err)
			}
			if diff := cmp.Diff([]string{tc.want}, got.DNSNames); diff != "" {
				t.Errorf("%s\nserved names: -want, +got:\n%s", tc.reason, diff)
			}
			if !source.NotAfter().Equal(got.NotAfter) {
				t.Errorf("%s\nNotAfter(): want %s, got %s", tc.reason, got.NotAfter, source.NotAfter())
			}
		})
	}
}

func TestAuthorityIsKept(t *testing.T) {
	made := newAuthority(t, year)
	read, err := certs.ParseAuthority(made.Pair())
	if err != nil {
		t.Fatalf("ParseAuthority(...): %v", err)
	}
	if !read.NotAfter().Equal(now.Add(year)) {
		t.Errorf("NotAfter(): want %s, got %s", now.Add(year), read.NotAfter())
	}
	source, err := certs.NewSource(issue(t, read, []string{"a.test"}, day), now)
	if err != nil {
		t.Fatalf("NewSource(...): %v", err)
	}
	if _, err := handshake(t, source, made, "a.test", now); err != nil {
		t.Errorf("what the authority read back issues is not trusted by those that trust the one that was made: %v", err)
	}
	if bytes.Contains(made.Pair().Certificate, []byte("PRIVATE")) {
		t.Error("Pair().Certificate: holds a private key, and goes into a caBundle")
	}
}

func TestRefusals(t *testing.T) {
	authority := newAuthority(t, day)
	leaf := issue(t, authority, []string{"a.test"}, day)

	cases := map[string]struct {
		reason string
		do     func() error
	}{
		"NoHost": {"A certificate for nobody is of no use.", func() error {
			_, err := authority.Issue(nil, now, day)
			return err
		}},
		"NoValidity": {"A certificate that ends as it begins is a mistake.", func() error {
			_, err := authority.Issue([]string{"a.test"}, now, 0)
			return err
		}},
		"EndedAuthority": {"An authority that has ended issues nothing.", func() error {
			_, err := authority.Issue([]string{"a.test"}, now.Add(2*day), day)
			return err
		}},
		"LeafAsAuthority": {"A leaf signs nothing.", func() error {
			_, err := certs.ParseAuthority(leaf)
			return err
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.do() == nil {
				t.Errorf("%s\nwant an error, got none", tc.reason)
			}
		})
	}
}

func TestLeafEndsWithAuthority(t *testing.T) {
	authority := newAuthority(t, day)
	source, err := certs.NewSource(issue(t, authority, []string{"a.test"}, year), now)
	if err != nil {
		t.Fatalf("NewSource(...): %v", err)
	}
	if !source.NotAfter().Equal(authority.NotAfter()) {
		t.Errorf("NotAfter(): want that of the authority, %s, got %s", authority.NotAfter(), source.NotAfter())
	}
}

func newAuthority(t *testing.T, validity time.Duration) *certs.Authority {
	t.Helper()
	a, err := certs.NewAuthority(now, validity)
	if err != nil {
		t.Fatalf("NewAuthority(...): %v", err)
	}
	return a
}

func issue(t *testing.T, a *certs.Authority, hosts []string, validity time.Duration) certs.Pair {
	t.Helper()
	pair, err := a.Issue(hosts, now, validity)
	if err != nil {
		t.Fatalf("Issue(%q): %v", hosts, err)
	}
	return pair
}

// handshake connects to a TLS server that serves source, as a client that trusts
// authority and whose clock says at, and returns the certificate that was shown.
func handshake(t *testing.T, source *certs.Source, authority *certs.Authority, host string, at time.Time) (*x509.Certificate, error) {
	t.Helper()
	return connect(source, authority.Pair().Certificate, host, at)
}

// connect is handshake for a client that trusts what is in a caBundle.
func connect(source *certs.Source, bundle []byte, host string, at time.Time) (*x509.Certificate, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(bundle) {
		return nil, errors.New("the bundle holds no certificate")
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: source.GetCertificate})
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	go func() {
		if conn, err := listener.Accept(); err == nil {
			_ = conn.(*tls.Conn).Handshake()
			_ = conn.Close()
		}
	}()
	client, err := tls.Dial("tcp", listener.Addr().String(), &tls.Config{RootCAs: pool, ServerName: host, Time: func() time.Time { return at }})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return client.ConnectionState().PeerCertificates[0], nil
}
