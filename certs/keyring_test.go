package certs_test

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/certs"
)

// kept is a keyring as another replica reads it.
func kept(t *testing.T, k *certs.Keyring) *certs.Keyring {
	t.Helper()
	read, err := certs.ParseKeyring(k.Data())
	must(t, "ParseKeyring(...)", err)
	if diff := cmp.Diff(k.Data(), read.Data()); diff != "" {
		t.Fatalf("a keyring that was read is not the one that was written: -want, +got:\n%s", diff)
	}
	return read
}

// without is a keyring from whose Secret an operator has removed a key.
func without(t *testing.T, k *certs.Keyring, key string) *certs.Keyring {
	t.Helper()
	data := k.Data()
	delete(data, key)
	read, err := certs.ParseKeyring(data)
	must(t, "ParseKeyring(...)", err)
	return read
}

// next takes a step in which hosts are those of the keyring.
func next(t *testing.T, k *certs.Keyring, at time.Time, registered []byte) *certs.Keyring {
	t.Helper()
	k, _, err := k.Next(hosts(), at, registered)
	must(t, "Next(...)", err)
	return kept(t, k)
}

// rotated is a keyring in each phase, made now.
func rotated(t *testing.T, to certs.Phase) *certs.Keyring {
	t.Helper()
	k := newKeyring(t, now)
	if to == certs.Steady {
		return k
	}
	k, err := k.Rotate(now)
	must(t, "Rotate(...)", err)
	if to == certs.Announced {
		return k
	}
	k = next(t, k, now, k.Bundle())
	if to == certs.Trusted {
		return k
	}
	return next(t, k, now.Add(certs.Settle), k.Bundle())
}

func TestNext(t *testing.T) {
	const (
		nothing = 0
		leaf    = 1 << iota
		bundle
	)
	steady, announced := rotated(t, certs.Steady), rotated(t, certs.Announced)
	trusted, retiring := rotated(t, certs.Trusted), rotated(t, certs.Retiring)
	keyless := without(t, steady, "ca.key")
	handed := now.Add(certs.Settle) // when retiring began

	cases := map[string]struct {
		reason     string
		from       *certs.Keyring
		hosts      []string // if nil, those that the certificate is for
		at         time.Time
		registered []byte
		phase      certs.Phase
		changes    int
	}{
		"New":            {"What was just made needs nothing.", steady, nil, now, nil, certs.Steady, nothing},
		"TwoThirds":      {"A certificate is left alone while more than a third of its validity is left.", steady, nil, now.Add(59 * day), nil, certs.Steady, nothing},
		"OneThird":       {"It is replaced when a third is left.", steady, nil, now.Add(60 * day), nil, certs.Steady, leaf},
		"Ended":          {"One that has ended is replaced by the authority that is trusted.", steady, nil, now.Add(100 * day), nil, certs.Steady, leaf},
		"FarAhead":       {"A certificate that a clock far ahead made is replaced.", next(t, steady, now.Add(100*day), nil), nil, now, nil, certs.Steady, leaf},
		"FarBehind":      {"A clock far behind replaces nothing.", steady, nil, now.Add(-year), nil, certs.Steady, nothing},
		"OtherHosts":     {"A certificate for other hosts is replaced.", steady, []string{"other.test"}, now, nil, certs.Steady, leaf},
		"SameHosts":      {"Order, repetition and spelling of hosts do not count.", steady, []string{"127.0.0.1", "::ffff:127.0.0.1", hosts()[0]}, now, nil, certs.Steady, nothing},
		"AuthorityThird": {"An authority is replaced when a third of its validity is left.", next(t, steady, now.Add(480*day), nil), nil, now.Add(487 * day), nil, certs.Announced, bundle},
		"AuthorityOld":   {"It is left alone before.", next(t, steady, now.Add(480*day), nil), nil, now.Add(486 * day), nil, certs.Steady, nothing},
		"AllEnded":       {"Where authority and certificate have ended there is nothing to go on with.", steady, nil, now.Add(3 * year), nil, certs.Steady, leaf | bundle},
		"KeyRemoved":     {"An authority whose key was taken away is replaced, with an overlap.", keyless, nil, now, nil, certs.Announced, bundle},
		"KeyRemovedLate": {"If nobody was there to do so until the certificate ended, all is made anew.", keyless, nil, now.Add(91 * day), nil, certs.Steady, leaf | bundle},

		"Untold":         {"The next authority waits until the API server is told, however long that is.", announced, nil, now.Add(50 * day), steady.Bundle(), certs.Announced, nothing},
		"Told":           {"When it is, the rest begins.", announced, nil, now.Add(time.Hour), announced.Bundle(), certs.Trusted, nothing},
		"LeafMeanwhile":  {"While it waits, certificates are renewed.", announced, nil, now.Add(60 * day), nil, certs.Announced, leaf},
		"EndedMeanwhile": {"What waits is used as soon as nothing is lost by it.", without(t, announced, "ca.key"), nil, now.Add(91 * day), nil, certs.Retiring, leaf},
		"Resting":        {"The API server has time to learn of the bundle.", trusted, nil, now.Add(certs.Settle - time.Second), trusted.Bundle(), certs.Trusted, nothing},
		"Rested":         {"Then the next authority signs.", trusted, nil, now.Add(certs.Settle), trusted.Bundle(), certs.Retiring, leaf},
		"TakenBack":      {"A registration that was put back as it was is waited for again.", trusted, nil, now.Add(certs.Settle), steady.Bundle(), certs.Announced, nothing},
		"ClockAhead":     {"The wait that a clock ahead began is begun again.", rotatedAt(t, now.Add(time.Hour)), nil, now.Add(59 * time.Minute), nil, certs.Trusted, nothing},
		"Shown":          {"Replicas have time to show the new certificate.", retiring, nil, handed.Add(certs.Settle - time.Second), nil, certs.Retiring, nothing},
		"Retired":        {"Then the previous authority is no longer trusted.", retiring, nil, handed.Add(certs.Settle), nil, certs.Steady, bundle},
		"KeyRemovedThen": {"A rotation that is asked for during another begins after it.", without(t, retiring, "ca.key"), nil, handed.Add(certs.Settle), nil, certs.Steady, bundle},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			wanted := tc.hosts
			if wanted == nil {
				wanted = hosts()
			}
			got, changed, err := tc.from.Next(wanted, tc.at, tc.registered)
			must(t, "Next(...)", err)
			got = kept(t, got)
			if got.Phase() != tc.phase {
				t.Errorf("%s\nphase: want %s, got %s", tc.reason, tc.phase, got.Phase())
			}
			changes := nothing
			if !cmp.Equal(got.Serving(), tc.from.Serving()) {
				changes |= leaf
			}
			if !cmp.Equal(got.Bundle(), tc.from.Bundle()) {
				changes |= bundle
			}
			if changes != tc.changes {
				t.Errorf("%s\nchanges (leaf %d, bundle %d): want %d, got %d", tc.reason, leaf, bundle, tc.changes, changes)
			}
			if want := !cmp.Equal(got.Data(), tc.from.Data()); changed != want {
				t.Errorf("%s\nchanged: want %t, got %t", tc.reason, want, changed)
			}
		})
	}
}

// rotatedAt is a keyring that was last touched at a time, resting.
func rotatedAt(t *testing.T, at time.Time) *certs.Keyring {
	t.Helper()
	k, err := newKeyring(t, now).Rotate(at)
	must(t, "Rotate(...)", err)
	return next(t, k, at, k.Bundle())
}

func TestRotateOnce(t *testing.T) {
	announced := rotated(t, certs.Announced)
	again, err := announced.Rotate(now.Add(time.Hour))
	must(t, "Rotate(...)", err)
	if diff := cmp.Diff(announced.Data(), again.Data()); diff != "" {
		t.Errorf("a rotation that is under way does not begin again: -want, +got:\n%s", diff)
	}
}

func TestBrokenKeyring(t *testing.T) {
	other := newKeyring(t, now)
	const text = "hunter2 is no value to repeat"
	cases := map[string]struct {
		reason string
		phase  certs.Phase
		key    string
		value  string
		want   string
	}{
		"NoBundle":        {"There has to be an authority.", certs.Steady, "ca.crt", "", "ca.crt has 0 certificates and not 1"},
		"HalfBundle":      {"One of two is missing.", certs.Trusted, "ca.crt", string(other.Bundle()), "ca.crt has 1 certificates and not 2"},
		"LeafAsAuthority": {"What signs nothing is no authority.", certs.Steady, "ca.crt", string(other.Serving().Certificate), "ca.crt has a certificate that cannot sign others"},
		"OtherAuthority":  {"The bundle has to vouch for what is served.", certs.Steady, "ca.crt", string(other.Bundle()), "ca.key is not the key of its certificate in ca.crt"},
		"OtherKey":        {"A key belongs to its authority.", certs.Steady, "ca.key", string(other.Serving().Key), "ca.key is not the key of its certificate in ca.crt"},
		"TextAsKey":       {"A key is a key.", certs.Steady, "ca.key", text, "ca.key is not the key of its certificate in ca.crt"},
		"NoNextKey":       {"The next authority is going to sign.", certs.Announced, "next.key", "", "next.key is absent"},
		"OtherNextKey":    {"Its key is its own.", certs.Announced, "next.key", string(other.Serving().Key), "next.key is not the key of its certificate in ca.crt"},
		"NoCertificate":   {"There has to be something to serve.", certs.Steady, "tls.crt", "", "tls.crt has no certificate"},
		"NoKey":           {"It needs its key.", certs.Steady, "tls.key", "", "tls.key is not the key of tls.crt"},
		"BlockAsKey":      {"The type of a block is content too.", certs.Steady, "tls.key", "-----BEGIN " + text + "-----\nAAAA\n-----END " + text + "-----\n", "tls.key is not the key of tls.crt"},
		"NoPhase":         {"A Secret of certificates that somebody else keeps is no keyring.", certs.Steady, "phase", "", "phase is none that is known"},
		"OtherPhase":      {"A phase of a later version is not guessed at.", certs.Steady, "phase", text, "phase is none that is known"},
		"NoTime":          {"A phase began some time.", certs.Steady, "since", text, "since is no time as in RFC 3339"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			data := rotated(t, tc.phase).Data()
			data[tc.key] = []byte(tc.value)
			_, err := certs.ParseKeyring(data)
			if !errors.Is(err, certs.ErrBroken) {
				t.Fatalf("%s\nParseKeyring(...): want ErrBroken, got %v", tc.reason, err)
			}
			if want := "keyring is broken: " + tc.want; err.Error() != want {
				t.Errorf("%s\nParseKeyring(...): want %q, got %q", tc.reason, want, err)
			}
		})
	}
}

// TestStrangersCertificate is apart, since two keys have to change.
func TestStrangersCertificate(t *testing.T) {
	data := newKeyring(t, now).Data()
	stranger := newKeyring(t, now).Serving()
	maps.Copy(data, map[string][]byte{"tls.crt": stranger.Certificate, "tls.key": stranger.Key})
	_, err := certs.ParseKeyring(data)
	if err == nil || !strings.Contains(err.Error(), "tls.crt was not signed by the authority in ca.crt") {
		t.Errorf("a pair of another authority: want an error that says so, got %v", err)
	}
}
