package certs

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"slices"
	"time"
)

const (
	authorityValidity = 2 * 365 * 24 * time.Hour
	leafValidity      = 90 * 24 * time.Hour
)

// Settle is how long a rotation rests between telling those concerned and
// relying on it. API servers learn of a caBundle by a watch, replicas of a new
// pair by polling every few seconds, so this is ample for both.
const Settle = 2 * time.Minute

// A Phase is how far the rotation of an authority has come.
type Phase string

// The phases of a rotation, in their order.
const (
	Steady    Phase = "steady"    // there is one authority
	Announced Phase = "announced" // there is a next one, which the API server has yet to be told of
	Trusted   Phase = "trusted"   // the API server has been told of the next one
	Retiring  Phase = "retiring"  // the next one signs; replicas may still show what the previous one signed
)

// A Keyring is everything that replicas share: the authority, the serving
// certificate that it signed, and what a rotation needs to go on after a crash.
// It never changes; [Keyring.Next] and [Keyring.Rotate] return another.
type Keyring struct {
	phase    Phase
	since    time.Time  // when the phase began
	signer   *Authority // signed the serving pair; without a key if that was taken away
	next     *Authority // while Announced or Trusted
	previous *Authority // while Retiring; without a key
	serving  Pair
	leaf     *x509.Certificate // of serving
}

// NewKeyring makes an authority and a certificate for hosts, which are DNS names
// and IP addresses.
func NewKeyring(hosts []string, now time.Time) (*Keyring, error) {
	signer, err := NewAuthority(now, authorityValidity)
	if err != nil {
		return nil, err
	}
	return (&Keyring{signer: signer}).enter(Steady, now).issue(hosts, now)
}

// Phase returns how far a rotation has come.
func (k *Keyring) Phase() Phase { return k.phase }

// Serving returns the pair to show to the API server.
func (k *Keyring) Serving() Pair { return k.serving }

// Bundle returns what the API server has to trust, for its caBundle: the
// authority, and while one is replaced the new one after the old.
func (k *Keyring) Bundle() []byte {
	var bundle []byte
	for _, authority := range []*Authority{k.previous, k.signer, k.next} {
		if authority != nil {
			bundle = append(bundle, authority.pair.Certificate...)
		}
	}
	return bundle
}

// Serves reports whether the serving certificate is valid at now.
func (k *Keyring) Serves(now time.Time) bool { return validAt(k.leaf, now) }

// Rotate begins to replace the authority; Next does the rest. A rotation that is
// under way goes on.
func (k *Keyring) Rotate(now time.Time) (*Keyring, error) {
	if k.phase != Steady {
		return k, nil
	}
	next, err := NewAuthority(now, authorityValidity)
	if err != nil {
		return nil, err
	}
	announced := k.enter(Announced, now)
	announced.next = next
	return announced, nil
}

// Next takes the one step that is due at now, if any, and reports whether it did.
// hosts are those that the certificate has to be for. registered is the caBundle
// that the API server goes by; where several webhooks are registered with
// different ones, nil.
//
// A certificate or an authority is replaced when a third of its validity is
// left. The next authority signs only what the API server has been ready to
// trust for [Settle], and the previous one is trusted until every replica has
// had as long to show the new certificate, so that at no moment one is shown
// that is not trusted.
func (k *Keyring) Next(hosts []string, now time.Time, registered []byte) (next *Keyring, changed bool, err error) {
	next, err = k.step(hosts, now, registered)
	if err != nil {
		return nil, false, fmt.Errorf("renew certificates: %w", err)
	}
	return next, next != k, nil
}

func (k *Keyring) step(hosts []string, now time.Time, registered []byte) (*Keyring, error) {
	leafDue := dueAt(k.leaf, now) || now.Before(k.leaf.NotBefore) || !slices.Equal(namesOf(k.leaf), canonical(hosts))
	authorityDue := k.signer.key == nil || dueAt(k.signer.cert, now)
	settled := now.Sub(k.since) >= Settle

	switch {
	case leafDue && k.signer.signsAt(now):
		return k.issue(hosts, now)
	// Where what is served has ended, nobody trusts it, and there is nothing to be
	// careful with.
	case now.After(k.leaf.NotAfter) && k.next != nil && k.next.signsAt(now):
		return k.handOver(hosts, now)
	case now.After(k.leaf.NotAfter):
		return NewKeyring(hosts, now)
	case k.phase != Steady && now.Before(k.since):
		// The clock that wrote this was ahead. Its lead is not waited for.
		return k.enter(k.phase, now), nil
	case k.phase == Steady && authorityDue:
		return k.Rotate(now)
	case k.phase == Announced && k.next.isIn(registered):
		return k.enter(Trusted, now), nil
	case k.phase == Trusted && !k.next.isIn(registered):
		return k.enter(Announced, now), nil
	case k.phase == Trusted && settled:
		return k.handOver(hosts, now)
	case k.phase == Retiring && settled:
		return k.retire(now), nil
	}
	return k, nil
}

// handOver lets the next authority sign.
func (k *Keyring) handOver(hosts []string, now time.Time) (*Keyring, error) {
	retiring := k.enter(Retiring, now)
	retiring.previous, retiring.signer, retiring.next = k.signer.withoutKey(), k.next, nil
	return retiring.issue(hosts, now)
}

// retire ends the trust in the previous authority.
func (k *Keyring) retire(now time.Time) *Keyring {
	steady := k.enter(Steady, now)
	steady.previous = nil
	return steady
}

// enter returns a copy in another phase. Times are kept in seconds, as they are
// written.
func (k *Keyring) enter(phase Phase, now time.Time) *Keyring {
	entered := *k
	entered.phase, entered.since = phase, now.UTC().Truncate(time.Second)
	return &entered
}

// issue returns a copy with a new serving pair.
func (k *Keyring) issue(hosts []string, now time.Time) (*Keyring, error) {
	pair, err := k.signer.Issue(hosts, now, leafValidity)
	if err != nil {
		return nil, err
	}
	parsed, err := pair.parse()
	if err != nil {
		return nil, fmt.Errorf("read issued certificate: %w", err)
	}
	issued := *k
	issued.serving, issued.leaf = pair, parsed.Leaf
	return &issued, nil
}

func (a *Authority) signsAt(now time.Time) bool { return a.key != nil && validAt(a.cert, now) }

// isIn reports whether a bundle of PEM holds the authority.
func (a *Authority) isIn(bundle []byte) bool {
	return slices.ContainsFunc(certificatesOf(bundle), a.cert.Equal)
}

func (a *Authority) withoutKey() *Authority {
	return &Authority{pair: Pair{Certificate: a.pair.Certificate}, cert: a.cert}
}

func validAt(cert *x509.Certificate, now time.Time) bool {
	return !now.Before(cert.NotBefore) && !now.After(cert.NotAfter)
}

// dueAt reports whether no more than a third of the validity is left.
func dueAt(cert *x509.Certificate, now time.Time) bool {
	return cert.NotAfter.Sub(now) <= cert.NotAfter.Sub(cert.NotBefore)/3
}

// certificatesOf reads PEM as the API server reads a caBundle: it skips what is
// no certificate.
func certificatesOf(bundle []byte) []*x509.Certificate {
	var found []*x509.Certificate
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		if cert, err := x509.ParseCertificate(block.Bytes); block.Type == "CERTIFICATE" && err == nil {
			found = append(found, cert)
		}
	}
	return found
}

// namesOf are the hosts that a certificate is for, as canonical has them.
func namesOf(cert *x509.Certificate) []string {
	hosts := slices.Clone(cert.DNSNames)
	for _, ip := range cert.IPAddresses {
		hosts = append(hosts, ip.String())
	}
	return canonical(hosts)
}

// canonical writes a set of hosts in one way.
func canonical(hosts []string) []string {
	var names []string
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			host = ip.String()
		}
		names = append(names, host)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
