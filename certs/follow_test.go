package certs_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/certs"
)

// A folder is one of certificates that is followed, every millisecond.
type folder struct {
	path   string
	source *certs.Source
	reads  atomic.Int64

	mu      sync.Mutex
	changes []error
}

// follow follows a folder into which pair is put. read is what reads it.
func follow(t *testing.T, put func(*testing.T, string, certs.Pair), pair certs.Pair, read func(folder string) (certs.Pair, error)) *folder {
	t.Helper()
	f := &folder{path: t.TempDir(), source: newSource(t, pair, now)}
	put(t, f.path, pair)
	followed := make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		followed <- certs.Follow(ctx, certs.FollowConfig{
			Source: f.source, Every: time.Millisecond, Now: func() time.Time { return now }, Changed: f.changed,
			Read: func(context.Context) (certs.Pair, error) {
				f.reads.Add(1)
				return read(f.path)
			},
		})
	}()
	t.Cleanup(func() {
		stop()
		must(t, "Follow(...)", <-followed)
	})
	return f
}

func readFolder(folder string) (certs.Pair, error) {
	pair, _, err := certs.ReadFolder(folder)
	return pair, err
}

func (f *folder) changed(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changes = append(f.changes, err)
}

func (f *folder) changesSoFar() []error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.changes)
}

// isRead waits until what is in the folder now has been read, often.
func (f *folder) isRead(t *testing.T) {
	t.Helper()
	before := f.reads.Load()
	eventually(t, "the folder being read", func() bool { return f.reads.Load() > before+5 })
}

func writeFiles(t *testing.T, folder string, pair certs.Pair) {
	t.Helper()
	write(t, filepath.Join(folder, "tls.crt"), pair.Certificate)
	write(t, filepath.Join(folder, "tls.key"), pair.Key)
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	must(t, "write", os.WriteFile(path, text, 0o600))
}

// TestBadFilesKeepTheOldPair puts something bad where a good pair was, and then
// another good one.
func TestBadFilesKeepTheOldPair(t *testing.T) {
	authority := newAuthority(t, year)
	good := issue(t, authority, []string{"good.test"}, day)
	later := issue(t, authority, []string{"later.test"}, day)
	ended, err := authority.Issue([]string{"ended.test"}, now.Add(-2*day), day)
	must(t, "Issue(...)", err)
	begins, err := authority.Issue([]string{"begins.test"}, now.Add(day), day)
	must(t, "Issue(...)", err)
	half := func(text []byte) []byte { return text[:len(text)/2] }

	cases := map[string]struct {
		reason string
		bad    certs.Pair
	}{
		"HalfCertificate": {"A certificate that is being written is not served.", certs.Pair{Certificate: half(later.Certificate), Key: later.Key}},
		"HalfKey":         {"Nor is one whose key is being written.", certs.Pair{Certificate: later.Certificate, Key: half(later.Key)}},
		"Mismatched":      {"Of two files that are replaced one after the other, the first waits for the second.", certs.Pair{Certificate: later.Certificate, Key: good.Key}},
		"Empty":           {"Files that were truncated are not served.", certs.Pair{}},
		"Ended":           {"A certificate that has ended is not served.", ended},
		"NotBegun":        {"Nor one that has not begun.", begins},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := follow(t, swap, good, readFolder)
			swap(t, f.path, tc.bad)
			f.keeps(t, tc.reason, authority, later)
		})
	}
}

// keeps waits until what is wrong is told, once, sees that what was good is still
// served, and puts it right.
func (f *folder) keeps(t *testing.T, reason string, authority *certs.Authority, later certs.Pair) {
	t.Helper()
	eventually(t, "what is wrong being told", func() bool { return len(f.changesSoFar()) > 0 })
	f.isRead(t)
	if _, err := handshake(t, f.source, authority, "good.test", now); err != nil {
		t.Errorf("%s\nhandshake: want the pair before, got %v", reason, err)
	}
	swap(t, f.path, later)
	eventually(t, "the good pair being taken", func() bool { return len(f.changesSoFar()) > 1 })
	f.isRead(t)
	if _, err := handshake(t, f.source, authority, "later.test", now); err != nil {
		t.Errorf("%s\nhandshake: want the pair after, got %v", reason, err)
	}
	if told := f.changesSoFar(); len(told) != 2 || told[0] == nil || told[1] != nil {
		t.Errorf("%s\ntold: want an error and that it has gone, got %v", reason, told)
	}
}

// TestUnreadableFilesKeepTheOldPair is about files that are not there.
func TestUnreadableFilesKeepTheOldPair(t *testing.T) {
	authority := newAuthority(t, year)
	good, later := issue(t, authority, []string{"good.test"}, day), issue(t, authority, []string{"later.test"}, day)
	for _, name := range []string{"..data/tls.crt", "..data/tls.key", "."} {
		t.Run(name, func(t *testing.T) {
			f := follow(t, swap, good, readFolder)
			must(t, "remove", os.RemoveAll(filepath.Join(f.path, name)))
			eventually(t, "what is wrong being told", func() bool { return len(f.changesSoFar()) > 0 })
			if err := f.changesSoFar()[0]; !errors.Is(err, os.ErrNotExist) {
				t.Errorf("told: want that there is no file, got %v", err)
			}
			must(t, "make folder", os.MkdirAll(f.path, 0o700))
			f.keeps(t, "Files that are not there leave what is served alone.", authority, later)
		})
	}
}

// TestFollowTells is about what is told, by what is read in turn.
func TestFollowTells(t *testing.T) {
	authority := newAuthority(t, year)
	good := issue(t, authority, []string{"good.test"}, day)
	ended, err := authority.Issue([]string{"ended.test"}, now.Add(-2*day), day)
	must(t, "Issue(...)", err)
	const unread, gone, empty = "follow serving certificate: port 1", "follow serving certificate: read serving certificate: it ended at 2026-11-22T12:00:00Z", "follow serving certificate: read serving certificate: tls: failed to find any PEM data in certificate input"

	cases := map[string]struct {
		reason string
		reads  []any // a pair or an error
		want   []string
	}{
		"Good":          {"All is well at first, and nobody has to be told.", []any{good, good}, nil},
		"Once":          {"What stays wrong is told once, and that it is right again once.", []any{ended, ended, ended, good, good}, []string{gone, ""}},
		"OtherReason":   {"Another thing that is wrong is told.", []any{ended, certs.Pair{}, ended}, []string{gone, empty, gone}},
		"OtherText":     {"Errors of reading differ each time and are one thing.", []any{errors.New("port 1"), errors.New("port 2")}, []string{unread}},
		"ReadThenOther": {"That it can be read and yet not be served is another.", []any{errors.New("port 1"), ended, good}, []string{unread, gone, ""}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			var got []string
			err := certs.Follow(ctx, certs.FollowConfig{
				Source: newSource(t, good, now), Every: time.Millisecond, Now: func() time.Time { return now },
				Read: func(context.Context) (certs.Pair, error) {
					if len(tc.reads) == 0 {
						stop()
						return good, nil
					}
					read := tc.reads[0]
					tc.reads = tc.reads[1:]
					if err, bad := read.(error); bad {
						return certs.Pair{}, err
					}
					return read.(certs.Pair), nil
				},
				Changed: func(err error) { got = append(got, text(err)) },
			})
			must(t, "Follow(...)", err)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\ntold: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestFollowRefuses(t *testing.T) {
	source := newSource(t, issue(t, newAuthority(t, year), []string{"a.test"}, day), now)
	read := func(context.Context) (certs.Pair, error) { return certs.Pair{}, nil }
	for name, cfg := range map[string]certs.FollowConfig{
		"NoSource": {Read: read},
		"NoRead":   {Source: source},
		"Negative": {Source: source, Read: read, Every: -1},
	} {
		t.Run(name, func(t *testing.T) {
			if certs.Follow(t.Context(), cfg) == nil {
				t.Error("Follow(...): want an error, got none")
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestServedPairEnds is about files that nobody renews.
func TestServedPairEnds(t *testing.T) {
	pair := issue(t, newAuthority(t, year), []string{"a.test"}, day)
	ctx, stop := context.WithCancel(t.Context())
	var told error
	must(t, "Follow(...)", certs.Follow(ctx, certs.FollowConfig{
		Source: newSource(t, pair, now), Every: time.Millisecond, Now: func() time.Time { return now.Add(2 * day) },
		Read:    func(context.Context) (certs.Pair, error) { return pair, nil },
		Changed: func(err error) { told = err; stop() },
	}))
	if told == nil {
		t.Error("nobody is told that what is served has ended")
	}
}

// Clients make new TLS connections all the time until they are stopped.
type clients struct {
	mu         sync.Mutex
	made       int
	failed     []error
	last       string // serial number that was shown last
	stop, wait func()
}

func newClients(t *testing.T, source *certs.Source, authority *certs.Authority) *clients {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: source.GetCertificate})
	must(t, "listen", err)
	go serveTLS(listener)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority.Pair().Certificate)
	config := &tls.Config{RootCAs: roots, ServerName: "a.test", Time: func() time.Time { return now }}

	ctx, stop := context.WithCancel(t.Context())
	c := &clients{stop: stop}
	var running sync.WaitGroup
	c.wait = running.Wait
	for range 2 {
		running.Go(func() {
			for ctx.Err() == nil {
				c.dial(listener.Addr().String(), config)
			}
		})
	}
	t.Cleanup(func() {
		stop()
		running.Wait()
		_ = listener.Close()
	})
	return c
}

func serveTLS(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			_ = conn.(*tls.Conn).Handshake()
			_ = conn.Close()
		}()
	}
}

func (c *clients) dial(address string, config *tls.Config) {
	conn, err := tls.Dial("tcp", address, config)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made++
	if err != nil {
		c.failed = append(c.failed, err)
		return
	}
	c.last = conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
	_ = conn.Close()
}

func (c *clients) shown() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

func TestFiftyRotations(t *testing.T) {
	cases := map[string]struct {
		reason string
		rotate func(t *testing.T, folder string, pair certs.Pair)
	}{
		"Files":  {"Files that are written in pieces, one after the other, are taken when they are whole.", writePieces},
		"Volume": {"Files of a volume are replaced all at once.", swap},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			authority := newAuthority(t, year)
			f := follow(t, tc.rotate, issue(t, authority, []string{"a.test"}, day), readFolder)
			c := newClients(t, f.source, authority)
			for i := range 50 {
				pair := issue(t, authority, []string{"a.test"}, day)
				tc.rotate(t, f.path, pair)
				eventually(t, fmt.Sprintf("certificate %d being shown", i), func() bool { return c.shown() == serial(t, pair) })
			}
			c.stop()
			c.wait()
			if len(c.failed) > 0 {
				t.Errorf("%s\n%d of %d handshakes failed, the first with: %v", tc.reason, len(c.failed), c.made, c.failed[0])
			}
		})
	}
}

func serial(t *testing.T, pair certs.Pair) string {
	t.Helper()
	cert, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	must(t, "X509KeyPair(...)", err)
	return cert.Leaf.SerialNumber.String()
}

func writePieces(t *testing.T, folder string, pair certs.Pair) {
	t.Helper()
	for name, text := range map[string][]byte{"tls.crt": pair.Certificate, "tls.key": pair.Key} {
		write(t, filepath.Join(folder, name), text[:len(text)/2])
		time.Sleep(time.Millisecond) // for others to meet it
		write(t, filepath.Join(folder, name), text)
		time.Sleep(time.Millisecond)
	}
}

// swap replaces files as the kubelet does those of a volume: they are links by
// way of ..data, which is a link that is renamed over the one before.
func swap(t *testing.T, folder string, pair certs.Pair) {
	t.Helper()
	before, _ := os.Readlink(filepath.Join(folder, "..data"))
	version, err := os.MkdirTemp(folder, "..version-")
	must(t, "make version", err)
	writeFiles(t, version, pair)
	must(t, "link", os.Symlink(filepath.Base(version), filepath.Join(folder, "..data_tmp")))
	must(t, "swap", os.Rename(filepath.Join(folder, "..data_tmp"), filepath.Join(folder, "..data")))
	if before != "" {
		must(t, "remove version", os.RemoveAll(filepath.Join(folder, before)))
		return
	}
	for _, name := range []string{"tls.crt", "tls.key"} {
		must(t, "link", os.Symlink(filepath.Join("..data", name), filepath.Join(folder, name)))
	}
}
