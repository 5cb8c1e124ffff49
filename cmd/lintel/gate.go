package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"github.com/lintel-policy/lintel/audit"
	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/webhook"
)

// readyTimeout is how long the namespaces and the policies of the cluster may take to be
// read at the start.
const readyTimeout = time.Minute

// A gate is Lintel in front of a cluster, or of whoever asks.
type gate struct {
	mode        mode
	log         *zap.Logger
	metrics     *prometheus.Registry
	config      *rest.Config          // nil without a cluster
	client      *kubernetes.Clientset // nil without a cluster
	dynamic     dynamic.Interface     // nil without a cluster
	inventory   *controller.Inventory
	namespaces  *controller.Namespaces // nil without a cluster
	kept        *kept                  // the policies of the cluster; nil if they come from elsewhere
	exceptions  *exceptions            // nil where kept is
	live        *controller.Live
	server      *webhook.Server
	certificate *certificate
	registrar   *controller.Registrar          // nil without a cluster
	owners      *controller.Owners             // nil without a cluster
	denials     *controller.Denials            // nil without a cluster, and where no Events are to be written
	findings    *controller.Findings           // nil where nothing is audited, and where no Events are to be written
	admissions  *audit.Admissions              // nil where kept is
	election    *election                      // nil where nobody else is there
	replicas    *replicas                      // nil where nobody else is there
	changed     chan struct{}                  // sent to when others are in force somewhere, for the registrar
	background  *audit.Background              // nil where nothing is audited
	reports     *audit.Reports                 // nil where background is
	audited     chan struct{}                  // sent to when others are in force here, for background
	plain       []*plainServer                 // for metrics and probes
	started     atomic.Pointer[webhook.Server] // server, once it is there
	// What is left to do when it runs; nil where it has been done.
	begin, read func(context.Context) error
}

// newGate makes all that serving needs and reads from the cluster what policies
// may ask for, so that the first request is decided like the last. A replica reads
// while it runs.
func (c *serveCommand) newGate(ctx context.Context, m mode, log *zap.Logger) (*gate, error) {
	logClients(log)
	g := &gate{mode: m, log: log, metrics: newRegistry(), changed: make(chan struct{}, 1)}
	if m == byService {
		return g, c.prepare(ctx, g)
	}
	if err := g.readPolicies(ctx, c); err != nil {
		return nil, err
	}
	return g, c.serve(ctx, g)
}

// readPolicies makes live what decides.
func (g *gate) readPolicies(ctx context.Context, c *serveCommand) error {
	if g.mode == alone {
		return g.readAlone(c.policies)
	}
	if err := g.connect(c); err != nil {
		return err
	}
	return g.readCluster(ctx, c.policies, "")
}

// prepare makes what a replica answers by before it has read anything: probes and
// metrics. All that needs the cluster is done while it runs, and tried again: a replica
// that starts while the API server cannot be reached is alive, and not ready.
func (c *serveCommand) prepare(ctx context.Context, g *gate) error {
	if err := g.connect(c); err != nil {
		return err
	}
	own, _, _ := strings.Cut(c.service, "/")
	if g.kept != nil {
		g.kept.lastGood = newLastGood(g, own)
	}
	g.begin = func(ctx context.Context) error { return c.serve(ctx, g) }
	g.read = func(ctx context.Context) error { return g.readCluster(ctx, c.policies, own) }
	return c.servePlainly(ctx, g)
}

// clientQPS is how many requests a second Lintel may make of the API server, which
// has a say in that too. The five of the client library would hold up what follows
// a change of policies for seconds.
const clientQPS = 50

// connect makes what the cluster is reached by, without reaching it, and what will
// decide.
func (g *gate) connect(c *serveCommand) (err error) {
	// Without a kubeconfig this is the configuration that pods have.
	if g.config, err = clientcmd.BuildConfigFromFlags("", c.kubeconfig); err != nil {
		return fmt.Errorf("read kubeconfig: %w", err)
	}
	g.config.QPS, g.config.Burst = clientQPS, 2*clientQPS
	if g.client, err = kubernetes.NewForConfig(g.config); err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	if g.dynamic, err = dynamic.NewForConfig(g.config); err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	cache := controller.CacheConfig{Client: g.dynamic, Log: g.log}
	g.namespaces, g.inventory = controller.NewNamespaces(cache), controller.NewInventory(cache)
	g.live = controller.NewLive(controller.LiveConfig{Namespaces: g.namespaces, Inventory: g.inventory, Excused: g.excused, Log: g.log})
	if slices.Contains(c.policies, fromCluster) {
		g.kept = newKept(cache)
		for _, metric := range g.kept.collectors() {
			if err := g.metrics.Register(metric); err != nil {
				return fmt.Errorf("register metrics: %w", err)
			}
		}
		g.exceptions, err = g.newExceptions()
	}
	return err
}

// readAlone compiles the policies where there is no cluster to read.
func (g *gate) readAlone(from []string) error {
	cfg, broken, err := readPolicies(from, noCluster)
	if err != nil {
		return err
	}
	set, err := g.compile(cfg, broken)
	if err != nil {
		return err
	}
	g.live = controller.NewLive(controller.LiveConfig{Log: g.log})
	g.live.Swap(set)
	return nil
}

// logClients has what the client library says logged like all else.
func logClients(log *zap.Logger) {
	klog.SetLogger(funcr.New(func(prefix, args string) {
		log.Info("client", zap.String("part", prefix), zap.String("text", args))
	}, funcr.Options{}))
}

// readCluster compiles the policies for what there is in the cluster and reads
// what they need. What is in own, the namespace of Lintel itself, is never judged.
func (g *gate) readCluster(ctx context.Context, from []string, own string) error {
	if g.kept != nil {
		return g.keepCluster(ctx, from, own)
	}
	cfg, broken, err := readPolicies(from, noCluster)
	if err != nil {
		return err
	}
	catalog, err := g.readCatalog(ctx)
	if err != nil {
		return err
	}
	cfg.Plurals = catalog.Plurals()
	if own != "" {
		cfg.ExcludedNamespaces = append(engine.DefaultExcludedNamespaces(), own)
	}
	set, err := g.compile(cfg, broken)
	if err != nil {
		return err
	}
	return g.watch(ctx, set, catalog)
}

// readCatalog reads which kinds there are.
func (g *gate) readCatalog(ctx context.Context) (catalog *controller.Catalog, err error) {
	err = g.attempt(ctx, func() error {
		if catalog, err = controller.ReadCatalog(ctx, g.client.DiscoveryClient, nil); err != nil {
			return fmt.Errorf("reach the cluster: %w", err)
		}
		return nil
	})
	return catalog, err
}

// compile compiles what was read, and logs what is broken of it.
func (g *gate) compile(cfg engine.Config, broken []error) (*engine.Set, error) {
	policies, err := compile(cfg, broken)
	if err != nil {
		return nil, err
	}
	for _, err := range policies.broken {
		g.log.Error("policy is broken and left out", zap.Error(err))
	}
	return policies.set, nil
}

// watch makes live what decides, when it knows what the cluster holds.
func (g *gate) watch(ctx context.Context, set *engine.Set, catalog *controller.Catalog) error {
	err := g.attempt(ctx, func() error {
		// A watch that is forbidden is tried for ever; asking once says why.
		if _, err := g.client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{Limit: 1}); err != nil {
			return fmt.Errorf("read namespaces: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := g.namespaces.Start(ctx); err != nil {
		return err
	}
	g.watchInventory(ctx, catalog, set)
	if err := g.lookAfter(ctx); err != nil {
		return err
	}
	g.live.Swap(set)
	g.tellInForce(set)
	return g.attempt(ctx, func() error { return g.await(ctx) })
}

// watchInventory watches what policies read of the kinds that there are.
func (g *gate) watchInventory(ctx context.Context, catalog *controller.Catalog, sets ...*engine.Set) {
	var kinds []engine.InventoryKind
	for _, set := range sets {
		kinds = append(kinds, set.Inventory()...)
	}
	if err := g.inventory.Watch(ctx, kinds, catalog); err != nil {
		g.log.Error("watching inventory", zap.Error(err))
	}
}

// await waits until requests can be decided.
func (g *gate) await(ctx context.Context) error {
	if err := until(ctx, readyTimeout, g.live.Ready); err != nil {
		return fmt.Errorf("read the cluster: %w", err)
	}
	return nil
}

// until waits, for at most a time, until check finds nothing wrong, and returns what
// it finds wrong still.
func until(ctx context.Context, atMost time.Duration, check func() error) error {
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// serve makes the server, with a certificate, and what registers it.
func (c *serveCommand) serve(ctx context.Context, g *gate) error {
	if err := c.newTellers(g); err != nil {
		return err
	}
	handler, err := webhook.New(webhook.Config{Decider: g.live, Checker: g.newChecker(), Revision: g.live.Revision, Record: c.tellReviewed(g), Metrics: g.metrics, Log: g.log})
	if err != nil {
		return err
	}
	listener, target, err := c.listen(ctx)
	if err != nil {
		return err
	}
	if err := c.serveOn(ctx, g, handler, listener, target); err != nil {
		return errors.Join(err, listener.Close())
	}
	if c.audit {
		limit, err := c.auditLimit()
		if err == nil {
			err = g.newBackground(handler, limit)
		}
		if err != nil {
			return errors.Join(err, listener.Close())
		}
	}
	about := []zap.Field{zap.String("url", target), zap.Stringer("address", listener.Addr()), zap.Time("certificate_ends", g.certificate.source.NotAfter())}
	if set := g.live.Set(); set != nil {
		about = append(about, zap.String("revision", set.Revision()), zap.Int("policies", len(set.Policies())))
	}
	g.log.Info("serving", about...)
	return nil
}

func (c *serveCommand) serveOn(ctx context.Context, g *gate, handler http.Handler, listener net.Listener, target string) (err error) {
	err = g.attempt(ctx, func() (err error) {
		g.certificate, err = c.newCertificate(ctx, g, target)
		return err
	})
	if err != nil {
		return err
	}
	g.server, err = webhook.NewServer(webhook.ServerConfig{
		Listener: listener, GetCertificate: g.certificate.source.GetCertificate, LameDuck: c.lameDuck,
		NotAfter: g.certificate.source.NotAfter, Metrics: g.metrics, Log: g.log,
	})
	if err != nil {
		return err
	}
	for _, path := range webhook.Paths() {
		g.server.Register(path, handler)
	}
	g.server.Register(webhook.PathOwn, handler)
	if g.mode != alone {
		if err := c.registerBy(ctx, g, target); err != nil {
			return err
		}
	}
	g.started.Store(g.server)
	if g.mode == byService {
		return nil // it does so since it runs
	}
	return c.servePlainly(ctx, g)
}

// registerBy makes what tells the API server of the webhook.
func (c *serveCommand) registerBy(ctx context.Context, g *gate, target string) (err error) {
	cfg := controller.RegistrarConfig{
		Client: g.client.AdmissionregistrationV1(), Discovery: g.client.DiscoveryClient, Set: g.live.Set,
		Target:    controller.Target{URL: target, CABundle: g.certificate.bundle},
		APIServer: g.config.Host, FailClosed: c.failClosed, Asked: g.live.Asked(), Metrics: g.metrics, Log: g.log,
		Events:     newRecorder(ctx, g.client),
		Discovered: func(catalog *controller.Catalog) { g.found(ctx, catalog) }, Changed: g.changed,
	}
	if g.kept != nil {
		cfg.Own, cfg.Next = true, g.kept.next.Load
	}
	if g.mode == byService {
		namespace, name, _ := strings.Cut(c.service, "/")
		cfg.Target.URL, cfg.Target.Service = "", &admissionv1.ServiceReference{Namespace: namespace, Name: name}
		cfg.Owner = controller.ClusterRoleOwner(g.client.RbacV1().ClusterRoles(), installation)
		cfg.Memory = controller.ConfigMapMemory{Client: g.client.CoreV1().ConfigMaps(namespace), Name: stateName}
		if g.election, err = newElection(g, namespace); err != nil {
			return err
		}
		if g.replicas, err = newReplicas(g, namespace); err != nil {
			return err
		}
		cfg.Lagging = g.replicas.known.Lagging
		if c.audit {
			cfg.Audited = g.client.EventsV1()
		}
	}
	g.registrar, err = controller.NewRegistrar(cfg)
	return err
}

// The objects of an installation that Lintel itself reads and writes, which
// manifests/install.yaml has.
const (
	installation = "lintel"           // the ClusterRole, the Lease and both webhook configurations
	secretName   = "lintel-tls"       //nolint:gosec // G101: a name
	stateName    = "lintel-state"     // the ConfigMap of the registration
	replicasName = "lintel-replicas"  // the ConfigMap of what each replica serves
	lastGoodName = "lintel-last-good" // the ConfigMap of policies as they last compiled
	lastDayName  = "lintel-last-day"  // the ConfigMap of what policies would have denied
)
