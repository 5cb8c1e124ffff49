// Package certs makes, keeps, renews and serves the certificate that a webhook
// shows to the API server.
//
// What decides works on bytes and times: an [Authority] signs, a [Keyring] is
// what replicas share, and moves through the phases of a rotation in which no
// handshake fails. A [Store] keeps it in a Secret; [Follow] keeps a [Source] at
// what is in that Secret or in a folder. Keys are ECDSA P-256. A certificate is
// valid from a minute before it was made, because the clock of the API server
// may be behind.
package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"time"
)

// backdate is by how much a certificate is older than it says.
const backdate = time.Minute

// A Pair is a certificate, followed by those that it needs to be trusted, and
// its private key, both as PEM.
type Pair struct {
	Certificate []byte
	Key         []byte
}

// An Authority signs serving certificates.
type Authority struct {
	pair Pair
	cert *x509.Certificate
	key  crypto.Signer
}

// NewAuthority makes an authority that is valid from now, less a minute, until
// validity has passed. It can sign leaves and no further authorities.
func NewAuthority(now time.Time, validity time.Duration) (*Authority, error) {
	template, err := newTemplate("lintel", now, validity)
	if err != nil {
		return nil, err
	}
	template.IsCA = true
	template.MaxPathLenZero = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key of authority: %w", err)
	}
	pair, err := sign(template, template, key, key)
	if err != nil {
		return nil, fmt.Errorf("sign authority: %w", err)
	}
	return ParseAuthority(pair)
}

// ParseAuthority reads an authority that [Authority.Pair] returned earlier.
func ParseAuthority(pair Pair) (*Authority, error) {
	parsed, err := pair.parse()
	if err != nil {
		return nil, fmt.Errorf("read authority: %w", err)
	}
	key, ok := parsed.PrivateKey.(crypto.Signer)
	if !ok || !parsed.Leaf.IsCA {
		return nil, errors.New("read authority: the certificate cannot sign others")
	}
	return &Authority{pair: pair, cert: parsed.Leaf, key: key}, nil
}

// Pair returns the authority as PEM, for keeping. Its Certificate is what a
// caBundle holds.
func (a *Authority) Pair() Pair { return a.pair }

// NotAfter returns when the authority ends.
func (a *Authority) NotAfter() time.Time { return a.cert.NotAfter }

// Issue makes a serving certificate for hosts, which are DNS names and IP
// addresses. It ends when validity has passed, or with the authority.
func (a *Authority) Issue(hosts []string, now time.Time, validity time.Duration) (Pair, error) {
	if len(hosts) == 0 {
		return Pair{}, errors.New("issue certificate: no host is given")
	}
	template, err := newTemplate(hosts[0], now, validity)
	if err != nil {
		return Pair{}, err
	}
	if template.NotAfter.After(a.cert.NotAfter) {
		template.NotAfter = a.cert.NotAfter
	}
	if !template.NotAfter.After(now) {
		return Pair{}, fmt.Errorf("issue certificate: the authority ended at %s", a.cert.NotAfter.Format(time.RFC3339))
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	addHosts(template, hosts)

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, fmt.Errorf("make key of certificate: %w", err)
	}
	pair, err := sign(template, a.cert, key, a.key)
	if err != nil {
		return Pair{}, fmt.Errorf("sign certificate: %w", err)
	}
	return pair, nil
}

// newTemplate returns what all certificates have in common. A common name longer
// than the 64 bytes that X.509 has room for is left out: names that count are in
// the extension.
func newTemplate(name string, now time.Time, validity time.Duration) (*x509.Certificate, error) {
	if validity <= 0 {
		return nil, fmt.Errorf("make certificate: validity %s is not positive", validity)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make serial number: %w", err)
	}
	if len(name) > 64 {
		name = ""
	}
	return &x509.Certificate{
		SerialNumber:          serial.Add(serial, big.NewInt(1)),
		Subject:               pkix.Name{CommonName: name, Organization: []string{"lintel"}},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(validity),
		BasicConstraintsValid: true,
	}, nil
}

func addHosts(template *x509.Certificate, hosts []string) {
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		template.DNSNames = append(template.DNSNames, host)
	}
}

func sign(template, parent *x509.Certificate, key, parentKey crypto.Signer) (Pair, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		return Pair{}, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Pair{}, err
	}
	return Pair{
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}, nil
}
