package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr/funcr"
	"go.uber.org/zap"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"github.com/lintel-policy/lintel/certs"
	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/webhook"
)

const (
	// readyTimeout is how long the namespaces and the inventory of the cluster may
	// take to be read at the start.
	readyTimeout = time.Minute
	// lameDuck is how long is served after the registration was removed: API
	// servers learn of that by a watch, and call until then.
	lameDuck = time.Second
)

// A gate is Lintel in front of a cluster.
type gate struct {
	log       *zap.Logger
	set       *engine.Set
	config    *rest.Config
	client    *kubernetes.Clientset
	inventory *controller.Inventory
	live      *controller.Live
	server    *webhook.Server
	registrar *controller.Registrar
}

// newGate makes all that serving needs and reads from the cluster what policies
// may ask for, so that the first request is decided like the last.
func (c *serveCommand) newGate(ctx context.Context, log *zap.Logger) (*gate, error) {
	logClients(log)
	g := &gate{log: log}
	var err error
	if g.config, err = clientcmd.BuildConfigFromFlags("", c.kubeconfig); err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	if g.client, err = kubernetes.NewForConfig(g.config); err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	if err := g.readCluster(ctx, c.policies); err != nil {
		return nil, err
	}
	return g, c.serve(ctx, g)
}

// logClients has what the client library says logged like all else.
func logClients(log *zap.Logger) {
	klog.SetLogger(funcr.New(func(prefix, args string) {
		log.Info("client", zap.String("part", prefix), zap.String("text", args))
	}, funcr.Options{}))
}

// readCluster compiles the policies for what there is in the cluster and reads
// what they need.
func (g *gate) readCluster(ctx context.Context, from []string) error {
	cfg, broken, err := readPolicies(from)
	if err != nil {
		return err
	}
	catalog, err := controller.ReadCatalog(ctx, g.client.DiscoveryClient, nil)
	if err != nil {
		return fmt.Errorf("reach the cluster: %w", err)
	}
	cfg.Plurals = catalog.Plurals()
	policies, err := compile(cfg, broken)
	if err != nil {
		return err
	}
	for _, err := range policies.broken {
		g.log.Error("policy is broken and left out", zap.Error(err))
	}
	client, err := dynamic.NewForConfig(g.config)
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	return g.watch(ctx, client, policies.set, catalog)
}

// watch makes live what decides, when it knows what the cluster holds.
func (g *gate) watch(ctx context.Context, client dynamic.Interface, set *engine.Set, catalog *controller.Catalog) error {
	// A watch that is forbidden is tried for ever; asking once says why.
	if _, err := g.client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{Limit: 1}); err != nil {
		return fmt.Errorf("read namespaces: %w", err)
	}
	namespaces := controller.NewNamespaces(client)
	g.inventory = controller.NewInventory(client)
	if err := namespaces.Start(ctx); err != nil {
		return err
	}
	g.watchInventory(ctx, set, catalog)
	var err error
	g.live, err = controller.NewLive(controller.LiveConfig{Namespaces: namespaces, Inventory: g.inventory, Log: g.log})
	if err != nil {
		return err
	}
	g.set = set
	g.live.Swap(set)
	return g.await(ctx)
}

// watchInventory watches what policies read of the kinds that there are.
func (g *gate) watchInventory(ctx context.Context, set *engine.Set, catalog *controller.Catalog) {
	if err := g.inventory.Watch(ctx, set.Inventory(), catalog); err != nil {
		g.log.Error("inventory is not complete", zap.Error(err))
	}
}

// await waits until requests can be decided.
func (g *gate) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := g.live.Ready()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("read the cluster: %w", err)
		case <-tick.C:
		}
	}
}

// serve makes the server, with a certificate, and what registers it.
func (c *serveCommand) serve(ctx context.Context, g *gate) error {
	handler, err := webhook.New(webhook.Config{Decider: g.live, Log: g.log})
	if err != nil {
		return err
	}
	listener, target, err := c.listen(ctx)
	if err != nil {
		return err
	}
	source, bundle, err := newCertificate(target)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	g.server, err = webhook.NewServer(webhook.ServerConfig{
		Listener: listener, GetCertificate: source.GetCertificate, LameDuck: lameDuck, Log: g.log,
	})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	g.server.Register(webhook.PathValidate, handler)
	g.server.Register(webhook.PathMutate, handler)
	g.registrar, err = controller.NewRegistrar(controller.RegistrarConfig{
		Client: g.client.AdmissionregistrationV1(), Discovery: g.client.DiscoveryClient, Policies: g.live.Policies,
		Target:    controller.Target{URL: target, CABundle: bundle},
		APIServer: g.config.Host, FailClosed: c.failClosed, Log: g.log,
		Discovered: func(catalog *controller.Catalog) { g.watchInventory(ctx, g.set, catalog) },
	})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	g.log.Info("serving", zap.String("url", target), zap.String("revision", g.live.Revision()),
		zap.Int("policies", len(g.live.Policies())), zap.Time("certificate_ends", source.NotAfter()))
	return nil
}

// newCertificate makes a certificate for a URL. It also returns the authority's,
// which the API server goes by.
func newCertificate(target string) (*certs.Source, []byte, error) {
	hosts, err := hostsOf(target)
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	authority, err := certs.NewAuthority(now, validity)
	if err != nil {
		return nil, nil, err
	}
	pair, err := authority.Issue(hosts, now, validity)
	if err != nil {
		return nil, nil, err
	}
	source, err := certs.NewSource(pair, now)
	if err != nil {
		return nil, nil, err
	}
	return source, authority.Pair().Certificate, nil
}

// run serves and is registered until ctx ends. The registration goes first, so
// that nothing is asked of a server that has gone; what is in flight is answered.
func (g *gate) run(ctx context.Context) error {
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServing()
	registered, stopRegistering := context.WithCancel(ctx)
	defer stopRegistering()
	served := make(chan error, 1)
	go func() {
		served <- g.server.Start(serving)
		stopRegistering()
	}()
	err := g.registrar.Run(registered)
	stopServing()
	if err := errors.Join(err, <-served); err != nil {
		return err
	}
	g.log.Info("ended")
	return nil
}
