package certs

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// ErrBroken reports that what should be a keyring is none. The text names the
// key at fault and repeats nothing of what is under it.
var ErrBroken = errors.New("keyring is broken")

// The keys of a keyring in the data of its Secret. The first three are called as
// in every Secret of type kubernetes.io/tls.
const (
	keyServing      = "tls.crt"
	keyServingKey   = "tls.key"
	keyBundle       = "ca.crt"
	keyAuthorityKey = "ca.key"   // of the authority that signed tls.crt; may be absent
	keyNextKey      = "next.key" // of the last authority in ca.crt, while it is announced
	keyPhase        = "phase"
	keySince        = "since" // when the phase began
)

// Data returns the keyring as the data of a Secret. Keys that do not apply are
// there and empty, so that it can be copied over what was there before.
func (k *Keyring) Data() map[string][]byte {
	data := map[string][]byte{
		keyServing:      k.serving.Certificate,
		keyServingKey:   k.serving.Key,
		keyBundle:       k.Bundle(),
		keyAuthorityKey: {},
		keyNextKey:      {},
		keyPhase:        []byte(k.phase),
		keySince:        []byte(k.since.Format(time.RFC3339)),
	}
	if k.signer.key != nil {
		data[keyAuthorityKey] = k.signer.pair.Key
	}
	if k.next != nil {
		data[keyNextKey] = k.next.pair.Key
	}
	return data
}

// ParseKeyring reads what [Keyring.Data] wrote. An empty value is an absent one,
// and keys that it does not know do not count. That a certificate has ended is no
// error: [Keyring.Next] replaces it.
//
// Without ca.key the authority vouches for what it has signed and signs no more,
// so Next replaces it. This is how an operator asks for a rotation.
func ParseKeyring(data map[string][]byte) (*Keyring, error) {
	k := &Keyring{phase: Phase(data[keyPhase])}
	since, err := time.Parse(time.RFC3339, string(data[keySince]))
	if err != nil {
		// The error would repeat the text.
		return nil, broken(keySince, "is no time as in RFC 3339")
	}
	k.since = since.UTC()
	if err := k.parseAuthorities(data); err != nil {
		return nil, err
	}
	if err := k.parseServing(Pair{Certificate: data[keyServing], Key: data[keyServingKey]}); err != nil {
		return nil, err
	}
	return k, nil
}

// parseAuthorities reads the authorities that there are in the phase, of which
// the bundle has the older first.
func (k *Keyring) parseAuthorities(data map[string][]byte) error {
	want := map[Phase]int{Steady: 1, Announced: 2, Trusted: 2, Retiring: 2}[k.phase]
	if want == 0 {
		return broken(keyPhase, "is none that is known")
	}
	found := certificatesOf(data[keyBundle])
	if len(found) != want {
		return broken(keyBundle, fmt.Sprintf("has %d certificates and not %d", len(found), want))
	}
	signer, other := found[0], found[want-1]

	var err error
	switch k.phase {
	case Steady:
	case Announced, Trusted:
		if len(data[keyNextKey]) == 0 {
			return broken(keyNextKey, "is absent")
		}
		k.next, err = parseAuthority(other, keyNextKey, data[keyNextKey])
	case Retiring:
		signer, other = other, signer
		k.previous, err = parseAuthority(other, "", nil)
	}
	if err != nil {
		return err
	}
	k.signer, err = parseAuthority(signer, keyAuthorityKey, data[keyAuthorityKey])
	return err
}

// parseAuthority reads an authority, whose private key is under the name given,
// if there is one.
func parseAuthority(cert *x509.Certificate, name string, key []byte) (*Authority, error) {
	if !cert.IsCA {
		return nil, broken(keyBundle, "has a certificate that cannot sign others")
	}
	pair := Pair{Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}), Key: bytes.Clone(key)}
	if len(key) == 0 {
		return &Authority{pair: pair, cert: cert}, nil
	}
	authority, err := ParseAuthority(pair)
	if err != nil {
		return nil, broken(name, "is not the key of its certificate in "+keyBundle)
	}
	return authority, nil
}

// parseServing reads the serving pair, which the signer must have signed.
func (k *Keyring) parseServing(pair Pair) error {
	if len(certificatesOf(pair.Certificate)) == 0 {
		return broken(keyServing, "has no certificate")
	}
	parsed, err := pair.parse()
	if err != nil {
		return broken(keyServingKey, "is not the key of "+keyServing)
	}
	if err := parsed.Leaf.CheckSignatureFrom(k.signer.cert); err != nil {
		return broken(keyServing, "was not signed by the authority in "+keyBundle)
	}
	k.serving, k.leaf = pair, parsed.Leaf
	return nil
}

func broken(key, why string) error { return fmt.Errorf("%w: %s %s", ErrBroken, key, why) }
