package certs

import (
	"crypto/tls"
	"fmt"
	"sync/atomic"
	"time"
)

// A Source holds the certificate that is served now. Its GetCertificate is the
// one of a [tls.Config], so a replaced certificate is shown from the next
// handshake on and no connection is dropped for it.
type Source struct {
	current atomic.Pointer[tls.Certificate]
}

// NewSource returns a Source that serves pair, which must be valid at now.
func NewSource(pair Pair, now time.Time) (*Source, error) {
	s := &Source{}
	if err := s.Replace(pair, now); err != nil {
		return nil, err
	}
	return s, nil
}

// Replace serves pair from now on. Where pair cannot be served — half a file, a
// key of another certificate, one that has ended or not begun — the error says
// so and the one before stays.
func (s *Source) Replace(pair Pair, now time.Time) error {
	cert, err := pair.parse()
	if err != nil {
		return fmt.Errorf("read serving certificate: %w", err)
	}
	if now.After(cert.Leaf.NotAfter) {
		return fmt.Errorf("read serving certificate: it ended at %s", cert.Leaf.NotAfter.Format(time.RFC3339))
	}
	if now.Before(cert.Leaf.NotBefore) {
		return fmt.Errorf("read serving certificate: it begins at %s", cert.Leaf.NotBefore.Format(time.RFC3339))
	}
	s.current.Store(cert)
	return nil
}

// GetCertificate returns the certificate that is served now.
func (s *Source) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return s.current.Load(), nil
}

// NotAfter returns when the certificate that is served now ends.
func (s *Source) NotAfter() time.Time { return s.current.Load().Leaf.NotAfter }

// parse reads a pair and checks that the key is the certificate's.
func (p Pair) parse() (*tls.Certificate, error) {
	cert, err := tls.X509KeyPair(p.Certificate, p.Key)
	if err != nil {
		return nil, err
	}
	return &cert, nil
}
