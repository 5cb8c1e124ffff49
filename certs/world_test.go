package certs_test

import (
	"bytes"
	"encoding/pem"
	"testing"
	"time"

	"github.com/lintel-policy/lintel/certs"
)

const tick = 10 * time.Second

// A world is a cluster in which everybody learns of everything as late as they
// may, by a clock that is moved by hand.
type world struct {
	now        time.Time
	secret     map[string][]byte // what the Secret holds
	registered []byte            // the caBundle that is stored
	apiServers []*late[[]byte]   // what each of them goes by
	replicas   []*late[*certs.Source]

	authorities, leaves map[string]bool // all there have been
	handshakes, failed  int
}

// A late part of the world looks at the rest only now and then.
type late[T any] struct {
	every time.Duration
	has   T
}

// isTime is whether those look now who look so often.
func (w *world) isTime(every time.Duration) bool { return w.now.Unix()%int64(every/time.Second) == 0 }

// A conduct is what the leader and the one who registers webhooks do.
type conduct struct {
	lead func(k *certs.Keyring, w *world) (*certs.Keyring, error)
	tell func(bundle []byte) []byte // what is registered

	tells time.Duration // how often it is registered
}

// proper is the conduct that works.
func proper() conduct {
	return conduct{
		lead: func(k *certs.Keyring, w *world) (*certs.Keyring, error) {
			k, _, err := k.Next(hosts(), w.now, w.registered)
			return k, err
		},
		tell:  func(bundle []byte) []byte { return bundle },
		tells: tick,
	}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	k := newKeyring(t, now)
	w := &world{now: now, secret: k.Data(), registered: k.Bundle(), authorities: map[string]bool{}, leaves: map[string]bool{}}
	for _, every := range []time.Duration{tick, certs.Settle - tick} {
		w.apiServers = append(w.apiServers, &late[[]byte]{every: every, has: k.Bundle()})
	}
	for _, every := range []time.Duration{tick, 4 * tick, certs.Settle - tick} {
		w.replicas = append(w.replicas, &late[*certs.Source]{every: every, has: newSource(t, k.Serving(), now)})
	}
	return w
}

// live lets time pass: in small steps while there is a rotation, and in large
// ones when nothing happens.
func (w *world) live(t *testing.T, years int, c conduct) {
	t.Helper()
	for end := w.now.AddDate(years, 0, 0); w.now.Before(end); {
		// Whoever leads may have begun to just now: all it knows is in the Secret.
		k := w.keyring(t)
		w.authorities[string(k.Bundle())] = true
		w.leaves[string(k.Serving().Certificate)] = true
		if k.Phase() == certs.Steady && bytes.Equal(w.registered, c.tell(k.Bundle())) {
			w.now = w.now.Add(10 * day)
			w.spread(t, func(time.Duration) bool { return true })
		}
		w.now = w.now.Add(tick)
		k, err := c.lead(k, w)
		must(t, "lead", err)
		w.secret = k.Data()
		if w.isTime(c.tells) {
			w.registered = c.tell(k.Bundle())
		}
		w.spread(t, w.isTime)
		w.shake()
	}
}

func (w *world) keyring(t *testing.T) *certs.Keyring {
	t.Helper()
	k, err := certs.ParseKeyring(w.secret)
	must(t, "ParseKeyring(...)", err)
	return k
}

// spread lets those learn what is new whose time it is.
func (w *world) spread(t *testing.T, isTime func(time.Duration) bool) {
	t.Helper()
	for _, server := range w.apiServers {
		if isTime(server.every) {
			server.has = w.registered
		}
	}
	for _, replica := range w.replicas {
		if isTime(replica.every) {
			must(t, "Replace(...)", replica.has.Replace(w.keyring(t).Serving(), w.now))
		}
	}
}

// shake lets each API server call each replica.
func (w *world) shake() {
	for _, server := range w.apiServers {
		for _, replica := range w.replicas {
			w.handshakes++
			if _, err := connect(replica.has, server.has, hosts()[0], w.now); err != nil {
				w.failed++
			}
		}
	}
}

func TestRotationUnderTraffic(t *testing.T) {
	cases := map[string]struct {
		reason string
		tells  time.Duration
	}{
		"Quick": {"Registering at once does not shorten what others need.", tick},
		"Slow":  {"A registration that takes longer than a phase rests is waited for.", 5 * certs.Settle},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w, c := newWorld(t), proper()
			c.tells = tc.tells
			w.live(t, 3, c)
			if w.failed > 0 {
				t.Errorf("%s\n%d of %d handshakes failed", tc.reason, w.failed, w.handshakes)
			}
			// An authority is replaced at two thirds of its two years.
			if len(w.authorities) != 5 {
				t.Errorf("bundles of three years: want 3 authorities and 2 overlaps, got %d", len(w.authorities))
			}
			if len(w.leaves) < 18 {
				t.Errorf("serving certificates of three years: want one each 60 days, got %d", len(w.leaves))
			}
		})
	}
}

// TestEachPartOfTheOverlapIsNeeded shows that the world above notices when
// something of the overlap is left out.
func TestEachPartOfTheOverlapIsNeeded(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(*conduct)
	}{
		"NotRegistered": {
			reason: "A next authority that signs before the API server was told of it is not trusted.",
			change: func(c *conduct) {
				c.tells = 5 * certs.Settle
				c.lead = func(k *certs.Keyring, w *world) (*certs.Keyring, error) {
					k, _, err := k.Next(hosts(), w.now, k.Bundle())
					return k, err
				}
			},
		},
		"OneAuthority": {
			reason: "A bundle of the newest authority alone does not vouch for what is still shown.",
			change: func(c *conduct) { c.tell = last },
		},
		"NoRest": {
			reason: "Replicas show the old certificate for a while after there is a new one.",
			change: func(c *conduct) {
				c.lead = func(k *certs.Keyring, w *world) (*certs.Keyring, error) {
					at := w.now
					if k.Phase() == certs.Retiring {
						at = at.Add(certs.Settle)
					}
					k, _, err := k.Next(hosts(), at, w.registered)
					return k, err
				}
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w, c := newWorld(t), proper()
			tc.change(&c)
			w.live(t, 2, c)
			if w.failed == 0 {
				t.Errorf("%s\nnone of %d handshakes failed", tc.reason, w.handshakes)
			}
		})
	}
}

// last returns the last certificate of a bundle.
func last(bundle []byte) []byte {
	var found *pem.Block
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		found = block
	}
	return pem.EncodeToMemory(found)
}
