package main

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/lintel-policy/lintel/certs"
)

// renewEvery is how often is looked whether a certificate is to be renewed, which
// is cheap, and how soon other replicas show what one has renewed.
const renewEvery = 5 * time.Second

// A certificate is what is shown to the API server, and what keeps it current.
type certificate struct {
	source *certs.Source
	bundle func() []byte // the authorities that vouch for it; may be nil without a cluster
	// read reads what others may have renewed; nil if nobody else does.
	read func(context.Context) (certs.Pair, error)
	// renew renews what is due, when the API server has been told to trust
	// registered; nil where that is somebody else's to do.
	renew func(ctx context.Context, registered []byte) error
}

// newCertificate returns the certificate for the mode: from a folder, from the
// Secret that replicas share, or made for this process.
func (c *serveCommand) newCertificate(ctx context.Context, g *gate, target string) (*certificate, error) {
	switch {
	case c.certDir != "":
		return folderCertificate(c.certDir, g.mode != alone)
	case g.mode == byService:
		return sharedCertificate(ctx, g, c.service)
	}
	hosts, err := hostsOf(target)
	if err != nil {
		return nil, err
	}
	return ownCertificate(hosts)
}

// folderCertificate serves what is in a folder.
func folderCertificate(folder string, registers bool) (*certificate, error) {
	pair, bundle, err := certs.ReadFolder(folder)
	if err != nil {
		return nil, err
	}
	if registers && len(bundle) == 0 {
		return nil, fmt.Errorf("read certificate: %s has no ca.crt, by which the API server is to trust it", folder)
	}
	var current atomic.Pointer[[]byte]
	current.Store(&bundle)
	cert := &certificate{bundle: func() []byte { return *current.Load() }}
	cert.read = func(context.Context) (certs.Pair, error) {
		pair, bundle, err := certs.ReadFolder(folder)
		if err == nil && len(bundle) > 0 {
			current.Store(&bundle)
		}
		return pair, err
	}
	cert.source, err = certs.NewSource(pair, time.Now())
	return cert, err
}

// sharedCertificate serves what replicas keep in a Secret beside their Service.
func sharedCertificate(ctx context.Context, g *gate, service string) (*certificate, error) {
	namespace, name, _ := strings.Cut(service, "/")
	host := name + "." + namespace + ".svc" // what API servers ask for
	store, err := certs.NewStore(certs.StoreConfig{
		Secrets: g.client.CoreV1().Secrets(namespace), Name: secretName, Hosts: []string{host},
	})
	if err != nil {
		return nil, err
	}
	keyring, err := store.Load(ctx, time.Now())
	if err != nil {
		return nil, err
	}
	var current atomic.Pointer[certs.Keyring]
	current.Store(keyring)
	cert := &certificate{bundle: func() []byte { return current.Load().Bundle() }, read: store.Pair}
	cert.renew = func(ctx context.Context, registered []byte) error {
		keyring, err := store.Step(ctx, time.Now(), registered)
		if err == nil {
			current.Store(keyring)
		}
		return err
	}
	cert.source, err = certs.NewSource(keyring.Serving(), time.Now())
	return cert, err
}

// ownCertificate serves one that lives as long as the process.
func ownCertificate(hosts []string) (*certificate, error) {
	keyring, err := certs.NewKeyring(hosts, time.Now())
	if err != nil {
		return nil, err
	}
	source, err := certs.NewSource(keyring.Serving(), time.Now())
	if err != nil {
		return nil, err
	}
	var current atomic.Pointer[certs.Keyring]
	current.Store(keyring)
	return &certificate{
		source: source,
		bundle: func() []byte { return current.Load().Bundle() },
		renew: func(_ context.Context, registered []byte) error {
			next, changed, err := current.Load().Next(hosts, time.Now(), registered)
			if err != nil || !changed {
				return err
			}
			current.Store(next)
			return source.Replace(next.Serving(), time.Now())
		},
	}, nil
}

// follow shows what others have renewed, until ctx ends.
func (g *gate) follow(ctx context.Context) error {
	broken := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "lintel_certificate_broken", Help: "Whether the certificate that is to be served cannot be, so that the one before is.",
	})
	if err := g.metrics.Register(broken); err != nil {
		return fmt.Errorf("register metric of certificate: %w", err)
	}
	return certs.Follow(ctx, certs.FollowConfig{
		Source: g.certificate.source, Read: g.certificate.read, Every: renewEvery,
		Changed: func(err error) {
			broken.Set(0)
			if err != nil {
				broken.Set(1)
				g.log.Error("the certificate cannot be served; the one before is", zap.Error(err))
				return
			}
			g.log.Info("the certificate can be served again")
		},
	})
}

// renew renews what is due until ctx ends.
func (g *gate) renew(ctx context.Context) error {
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for {
		if err := g.renewOnce(ctx); err != nil && ctx.Err() == nil {
			g.log.Error("renewing certificates", zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (g *gate) renewOnce(ctx context.Context) error {
	if g.certificate.renew == nil {
		return nil
	}
	var registered []byte
	if g.registrar != nil {
		registered = g.registrar.Bundle()
	} else {
		registered = g.certificate.bundle() // who trusts it is told by other means
	}
	return g.certificate.renew(ctx, registered)
}
