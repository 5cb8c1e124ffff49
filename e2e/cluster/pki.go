package cluster

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	// serviceRange is where Services get their addresses from, as wide as
	// kubeadm's; serviceIP is its first, which is the API server's.
	serviceRange = "10.96.0.0/12"
	serviceIP    = "10.96.0.1"

	// lifetime is how long certificates are valid: longer than any cluster of
	// this package lives. skew allows for a clock that is set back meanwhile.
	lifetime = 365 * 24 * time.Hour
	skew     = time.Hour
)

// A pki is what a cluster's certificates are made with.
type pki struct {
	ca         *authority // for servers and users
	frontProxy *authority // for the aggregation layer alone, which may speak for anybody
}

// An authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// A pair is a certificate and its key, in PEM.
type pair struct{ cert, key []byte }

// newPKI makes authorities, the certificates of servers, and the keys of
// ServiceAccount tokens, and writes them into folder.
func newPKI(folder string) (*pki, error) {
	ca, err := newAuthority("kubernetes")
	if err != nil {
		return nil, err
	}
	frontProxy, err := newAuthority("front-proxy-ca")
	if err != nil {
		return nil, err
	}
	if err := writeAuthorities(folder, ca, frontProxy); err != nil {
		return nil, err
	}
	if err := writeServiceAccountKeys(folder); err != nil {
		return nil, err
	}
	return &pki{ca: ca, frontProxy: frontProxy}, writeCertificates(folder, ca, frontProxy)
}

// writeAuthorities writes what components must know of the authorities. Of the
// front proxy's nobody needs the key.
func writeAuthorities(folder string, ca, frontProxy *authority) error {
	key, err := encodeKey(ca.key)
	if err != nil {
		return err
	}
	if err := write(folder, "ca", pair{cert: encode("CERTIFICATE", ca.cert.Raw), key: key}); err != nil {
		return err
	}
	return writeFile(folder, "front-proxy-ca.crt", encode("CERTIFICATE", frontProxy.cert.Raw))
}

// writeCertificates writes the certificates of components. etcd and the API
// server share one, since both are on loopback.
func writeCertificates(folder string, ca, frontProxy *authority) error {
	hosts := []string{
		"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
		"kubernetes.default.svc.cluster.local", loopback, serviceIP,
	}
	for _, cert := range []struct {
		file   string
		signer *authority
		name   string
		hosts  []string
	}{
		{"serving", ca, "kube-apiserver", hosts},
		{"etcd-client", ca, "kube-apiserver-etcd-client", nil},
		{"front-proxy-client", frontProxy, "front-proxy-client", nil},
	} {
		made, err := cert.signer.issue(pkix.Name{CommonName: cert.name}, cert.hosts)
		if err != nil {
			return err
		}
		if err := write(folder, cert.file, made); err != nil {
			return err
		}
	}
	return nil
}

// writeServiceAccountKeys makes the key that ServiceAccount tokens are signed
// with, and the one they are checked with.
func writeServiceAccountKeys(folder string) error {
	key, err := newKey()
	if err != nil {
		return err
	}
	private, err := encodeKey(key)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return fmt.Errorf("encode a public key: %w", err)
	}
	if err := writeFile(folder, "service-accounts.pub", encode("PUBLIC KEY", public)); err != nil {
		return err
	}
	return writeFile(folder, "service-accounts.key", private)
}

// newAuthority makes an authority that vouches for itself.
func newAuthority(name string) (*authority, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	template, err := newTemplate(pkix.Name{CommonName: name})
	if err != nil {
		return nil, err
	}
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage |= x509.KeyUsageCertSign
	cert, err := sign(template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &authority{cert: cert, key: key}, nil
}

// issue makes a certificate for a client, and for a server if it has hosts.
func (a *authority) issue(subject pkix.Name, hosts []string) (pair, error) {
	key, err := newKey()
	if err != nil {
		return pair{}, err
	}
	template, err := newTemplate(subject)
	if err != nil {
		return pair{}, err
	}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if len(hosts) > 0 {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	cert, err := sign(template, a.cert, key.Public(), a.key)
	if err != nil {
		return pair{}, err
	}
	encoded, err := encodeKey(key)
	return pair{cert: encode("CERTIFICATE", cert.Raw), key: encoded}, err
}

// pool holds the authority alone.
func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// newTemplate is what all certificates have in common.
func newTemplate(subject pkix.Name) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("choose a serial number: %w", err)
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      subject,
		NotBefore:    now.Add(-skew),
		NotAfter:     now.Add(lifetime),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}, nil
}

func sign(template, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		return nil, fmt.Errorf("sign the certificate of %q: %w", template.Subject.CommonName, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read the certificate of %q: %w", template.Subject.CommonName, err)
	}
	return cert, nil
}

func newKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return key, nil
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode a key: %w", err)
	}
	return encode("EC PRIVATE KEY", der), nil
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// write writes name.crt and name.key.
func write(folder, name string, p pair) error {
	if err := writeFile(folder, name+".crt", p.cert); err != nil {
		return err
	}
	return writeFile(folder, name+".key", p.key)
}

func writeFile(folder, name string, text []byte) error {
	if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
		return fmt.Errorf("write certificates: %w", err)
	}
	return nil
}
