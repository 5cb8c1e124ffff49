package controller

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	admissionclient "k8s.io/client-go/kubernetes/typed/admissionregistration/v1"
	eventsclient "k8s.io/client-go/kubernetes/typed/events/v1"
	"k8s.io/client-go/tools/events"

	"github.com/lintel-policy/lintel/engine"
)

// fieldManager is the owner of the fields that are applied.
const fieldManager = "lintel"

// openFor is how long the gate stays open after somebody has deleted a
// registration by hand: long enough to mend a cluster, and short enough for nobody
// to forget it.
const openFor = 30 * time.Minute

// RegistrarConfig configures a [Registrar]. Client, Discovery, Set and Target are
// required.
type RegistrarConfig struct {
	Client    admissionclient.AdmissionregistrationV1Interface
	Discovery discovery.ServerResourcesInterfaceWithContext
	// Set returns the policies in force.
	Set func() *engine.Set
	// Next returns the policies that are about to be in force, for which is registered
	// before they are; nil if there are none. If Next is nil, there never are.
	Next func() *engine.Set
	// Lagging returns the replicas that serve other policies than those of a revision:
	// until there are none, nothing is taken back. If nil, there is one replica.
	Lagging func(revision string) []string
	// Target is where the API server finds the webhook.
	Target Target
	// APIServer is its host, as a rest.Config has it. A webhook on loopback is
	// refused unless this is loopback too.
	APIServer string
	// Name is that of both webhook configurations. If empty, "lintel".
	Name string
	// FailClosed refuses what could be denied and cannot be judged because the
	// webhook does not answer, once it has answered for the first time. If false,
	// such requests pass.
	FailClosed bool
	// Own has Lintel's own objects checked before they are stored, where their kinds are.
	Own bool
	// Asked is closed when a review has come in, which shows that the API server
	// finds the webhook. If nil, that is taken to be so.
	Asked <-chan struct{}
	// Changed is sent to when other policies come into force, here or at another
	// replica. If nil, they never do.
	Changed <-chan struct{}
	// Owner returns who owns the configurations, so that they go when it goes. If
	// nil, nobody does.
	Owner func(context.Context) (*metav1.OwnerReference, error)
	// Memory keeps what has to be known after a restart. If nil, nothing is kept.
	Memory Memory
	// Refresh is how often discovery is read for kinds that have come or gone, and
	// how soon what others have edited is put right. If zero, 10 seconds.
	Refresh time.Duration
	// Discovered is called with each catalog that was read, before anything is
	// registered by it. If nil, nothing is.
	Discovered func(*Catalog)
	// Now is the clock. If nil, time.Now.
	Now func() time.Time
	// Events is told what others do to the registration. If nil, nobody is.
	Events events.EventRecorder
	// Audited is where it is told what came in while the gate was open, by
	// [Registrar.TellOpened]. If nil, nobody tells, and it is not kept when that was.
	Audited eventsclient.EventsV1Interface
	// Metrics is where metrics are registered. If nil, nowhere.
	Metrics prometheus.Registerer
	// Log says what is registered and what is pending. If nil, nothing is logged.
	Log *zap.Logger
}

// A Registrar registers the webhook for what its policies match. Of several that
// share a name one may run at a time.
type Registrar struct {
	cfg       RegistrarConfig
	openUntil atomic.Int64             // in seconds since 1970; 0 while the gate is closed
	opened    atomic.Pointer[Openings] // nil where another replica may know better
	bundle    atomic.Pointer[[]byte]   // what the API server trusts; nil before it was told
	counts    incidentCounts
	covered   atomic.Pointer[string] // the revision that is registered for; nil if none is

	mu       sync.Mutex
	catalog  *Catalog
	standing Standing
	told     told
	found    configurations // as they were read last
	wide     *entryRules    // what was registered last; nil if others may have registered since
}

// NewRegistrar returns a Registrar for cfg. It refuses a target that the API
// server cannot reach.
func NewRegistrar(cfg RegistrarConfig) (*Registrar, error) {
	switch {
	case cfg.Client == nil || cfg.Discovery == nil || cfg.Set == nil:
		return nil, errors.New("controller: RegistrarConfig lacks Client, Discovery or Set")
	case cfg.Refresh < 0:
		return nil, errors.New("controller: RegistrarConfig.Refresh is negative")
	}
	if err := cfg.Target.checkForm(); err != nil {
		return nil, err
	}
	if err := cfg.Target.check(cfg.APIServer); err != nil {
		return nil, err
	}
	if cfg.Name == "" {
		cfg.Name = "lintel"
	}
	if cfg.Refresh == 0 {
		cfg.Refresh = 10 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	r := &Registrar{cfg: cfg, counts: newIncidentCounts()}
	return r, r.registerMetrics()
}

// Register reads discovery and tells the API server what the policies match now.
// What others have edited is put right; what somebody has deleted stays deleted for
// half an hour, and who has broken the glass keeps the gate open. A policy that asks
// for what cannot be is an error, and the others are registered all the same.
func (r *Registrar) Register(ctx context.Context) (Registration, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.discover(ctx); err != nil {
		return Registration{}, err
	}
	return r.register(ctx)
}

// follow does the same where nothing but policies has changed, in force here or
// elsewhere. Kinds are looked for again just where they may be others than before.
func (r *Registrar) follow(ctx context.Context) error {
	if set := r.coming(); set != nil && r.Covers(set.Revision()) {
		r.mu.Lock()
		defer r.mu.Unlock()
		_, err := r.register(ctx)
		return err
	}
	_, err := r.Register(ctx)
	return err
}

// discover reads which kinds there are. r is locked.
func (r *Registrar) discover(ctx context.Context) error {
	catalog, err := ReadCatalog(ctx, r.cfg.Discovery, r.catalog)
	if err != nil {
		return err
	}
	r.catalog = catalog
	if r.cfg.Discovered != nil {
		r.cfg.Discovered(catalog)
	}
	return nil
}

// register tells the API server, by the kinds that were there last. r is locked.
func (r *Registrar) register(ctx context.Context) (Registration, error) {
	found, err := r.read(ctx)
	if err != nil {
		return Registration{}, err
	}
	if open, err := r.isOpen(ctx, found); open || err != nil {
		r.covered.Store(nil)
		return Registration{}, err
	}
	plan, rulesErr := r.plan(ctx, r.catalog, found)
	if plan.set == nil {
		return Registration{}, rulesErr
	}
	reg := plan.register()
	if err := r.apply(ctx, reg, found); err != nil {
		return Registration{}, err
	}
	bundle, revision := plan.target.CABundle(), plan.set.Revision()
	r.bundle.Store(&bundle)
	r.covered.Store(&revision)
	return reg, rulesErr
}

// plan is what to register now. It has no set where it cannot be made.
func (r *Registrar) plan(ctx context.Context, catalog *Catalog, found configurations) (plan, error) {
	set := r.coming()
	if set == nil {
		return plan{}, errors.New("no policies are loaded")
	}
	p := plan{set: set, name: r.cfg.Name, target: r.cfg.Target, failure: r.failure(found)}
	bundle := r.cfg.Target.CABundle() // once, so that all entries have the same
	p.target.CABundle = func() []byte { return bundle }
	if r.cfg.Owner != nil {
		owner, err := r.cfg.Owner(ctx)
		if err != nil {
			return plan{}, err
		}
		p.owners = []metav1.OwnerReference{*owner}
	}
	if r.cfg.Own {
		p.own = ownRules(catalog)
	}
	needed, err := newEntryRules(set.Policies(), catalog)
	p.rules = r.widen(set, needed, found)
	return p, err
}

// failure is what becomes of requests that can be denied when the webhook does not
// answer. It is not Fail before the webhook has once answered, so that an
// installation that the API server cannot reach stops nothing; afterwards it stays
// Fail, over restarts too.
func (r *Registrar) failure(found configurations) admissionv1.FailurePolicyType {
	if r.cfg.FailClosed && (r.wasAsked() || found.isClosed()) {
		return admissionv1.Fail
	}
	return admissionv1.Ignore
}

func (r *Registrar) wasAsked() bool {
	if r.cfg.Asked == nil {
		return true
	}
	select {
	case <-r.cfg.Asked:
		return true
	default:
		return false
	}
}

// Run registers, and keeps the registration right until ctx ends. The error says
// that it could not register at all.
func (r *Registrar) Run(ctx context.Context) error {
	if err := r.recall(ctx); err != nil {
		return err
	}
	r.forget() // another may have registered since this one did
	asked := r.cfg.Asked
	if r.wasAsked() { // before it registers: what comes in meanwhile is to be heard
		asked = nil
	}
	_, err := r.Register(ctx)
	if err != nil && !r.isRegistered() {
		return err
	}
	r.complain(err)
	defer func() { // another replica knows
		r.openUntil.Store(0)
		r.opened.Store(nil)
	}()
	ticker := time.NewTicker(r.cfg.Refresh)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-asked:
			asked = nil
		case <-r.cfg.Changed:
			r.complain(r.follow(ctx))
			continue
		case <-r.closing():
		case <-ticker.C:
		}
		_, err := r.Register(ctx)
		r.complain(err)
	}
}

// Bundle returns the authorities that the API server was told to trust last, nil
// before it was told any.
func (r *Registrar) Bundle() []byte {
	if bundle := r.bundle.Load(); bundle != nil {
		return *bundle
	}
	return nil
}

func (r *Registrar) isRegistered() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.standing.Registered
}

func (r *Registrar) complain(err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		r.cfg.Log.Error("registering", zap.Error(err))
	}
}
