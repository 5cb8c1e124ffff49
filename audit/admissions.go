package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

const (
	// writeEvery is how often numbers that have grown are written, by each replica, and
	// told, by the leader. That there is something at all is told at once.
	writeEvery = time.Minute
	// readEvery is how often the leader looks what others have written.
	readEvery = 5 * time.Second
	// daysKey is the key of the ConfigMap.
	daysKey = "days"
)

// AdmissionsConfig configures [Admissions]. Only Policies is required.
type AdmissionsConfig struct {
	// Policies returns the policies in force.
	Policies func() []engine.Info
	// Client and Name are those of the ConfigMap, which has to exist, in which replicas
	// put together what they have counted. If Client is nil, there is one replica, which
	// forgets when it ends.
	Client coreclient.ConfigMapInterface
	Name   string
	// Now is the clock. If nil, time.Now.
	Now func() time.Time
	// Metrics is where metrics are registered. If nil, nowhere.
	Metrics prometheus.Registerer
}

// Admissions counts which requests policies let by and would have denied if they denied,
// in the last 24 hours. One counts for each replica. What it has counted it adds to what
// is in the ConfigMap, which is nobody's in particular: a replica that ends leaves
// nothing to be taken over.
type Admissions struct {
	cfg              AdmissionsConfig
	counted, unnamed prometheus.Counter
	told             atomic.Pointer[map[string]*v1alpha1.LastDay] // by the revision of the policy; nil before there is any

	mu      sync.Mutex
	pending days // that are not in the ConfigMap yet

	// Of Sync alone:
	known                days   // as the ConfigMap had them last
	version              string // of the ConfigMap then
	read, written, spoke time.Time
}

// NewAdmissions returns Admissions that have counted nothing.
func NewAdmissions(cfg AdmissionsConfig) (*Admissions, error) {
	if cfg.Policies == nil {
		return nil, errors.New("audit: AdmissionsConfig.Policies is nil")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "lintel", Name: name, Help: help})
	}
	a := &Admissions{
		cfg: cfg, pending: days{}, known: days{},
		counted: counter("would_deny_total", "Reviews in which policies let by what they would have denied if they denied."),
		unnamed: counter("would_deny_unnamed_total", "Those of them whose owner was not found out, for lack of time."),
	}
	if cfg.Metrics == nil {
		return a, nil
	}
	if err := errors.Join(cfg.Metrics.Register(a.counted), cfg.Metrics.Register(a.unnamed)); err != nil {
		return nil, fmt.Errorf("register metrics of admissions: %w", err)
	}
	return a, nil
}

// Add counts a request that policies would have denied, and whose it was.
func (a *Admissions) Add(by []engine.PolicyRevision, owner Owner) {
	a.counted.Inc()
	if owner == (Owner{}) {
		a.unnamed.Inc()
	}
	now := a.cfg.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, policy := range by {
		a.pending.of(policy.Revision, now).add(owner, hourOf(now))
	}
}

// Of returns what is told of a policy, nil where nothing is to be, and whether anything
// is known of it: who does not lead knows nothing.
func (a *Admissions) Of(policy engine.Info) (day *v1alpha1.LastDay, known bool) {
	told := a.told.Load()
	if told == nil {
		return nil, false
	}
	if !lets(policy, a.cfg.Now()) {
		return nil, true
	}
	day, known = (*told)[policy.Revision]
	return day, known
}

// lets reports whether a policy lets by anything that it finds.
func lets(policy engine.Info, now time.Time) bool {
	return policy.Reviews && (policy.EnforcementAt(now) != v1alpha1.Deny || slices.ContainsFunc(policy.Spec.Scopes, func(s v1alpha1.Scope) bool {
		return s.Enforcement != "" && s.Enforcement != v1alpha1.Deny
	}))
}

// Sync writes what was counted where that is due, and reads what others have written. It
// is to be called every few seconds, by one goroutine: leads says whether this replica
// tells of it, last that nothing more comes.
func (a *Admissions) Sync(ctx context.Context, leads, last bool) error {
	now := a.cfg.Now()
	inForce := a.begin(now)
	if err := a.exchange(ctx, now, inForce, leads, last); err != nil {
		return err
	}
	if !leads {
		a.told.Store(nil)
		return nil
	}
	a.tell(now, inForce)
	return nil
}

// begin begins the day of policies that are new, and returns the revisions of all.
func (a *Admissions) begin(now time.Time) (inForce []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, policy := range a.cfg.Policies() {
		inForce = append(inForce, policy.Revision)
		if a.known[policy.Revision] == nil {
			a.pending.of(policy.Revision, now)
		}
	}
	a.pending.forget(now, inForce)
	return inForce
}

// exchange reads what is in the ConfigMap and adds what is pending, if either is due.
func (a *Admissions) exchange(ctx context.Context, now time.Time, inForce []string, leads, last bool) error {
	a.mu.Lock()
	writes := last || now.Sub(a.written) >= writeEvery || a.pending.isNews(a.known)
	a.mu.Unlock()
	if a.cfg.Client == nil || !writes && (!leads || now.Sub(a.read) < readEvery) {
		return nil
	}
	const tries = 5 // of replicas that write at once one succeeds each time
	var err error
	for range tries {
		if err = a.exchangeOnce(ctx, now, inForce, writes); !apierrors.IsConflict(err) {
			return err
		}
	}
	return err
}

func (a *Admissions) exchangeOnce(ctx context.Context, now time.Time, inForce []string, writes bool) error {
	stored, err := a.cfg.Client.Get(ctx, a.cfg.Name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("read ConfigMap %s: %w", a.cfg.Name, err)
	}
	a.read = now
	var broken error
	if stored.ResourceVersion != a.version {
		a.known, broken = unpack(stored.BinaryData[daysKey]) // what is broken is written anew
		a.version = stored.ResourceVersion
	}
	if !writes {
		return broken
	}
	return errors.Join(broken, a.write(ctx, now, inForce))
}

// write adds what is pending to what is known, if that is something else then.
func (a *Admissions) write(ctx context.Context, now time.Time, inForce []string) error {
	a.mu.Lock()
	adding := a.pending
	a.pending = days{}
	a.mu.Unlock()
	version, err := a.put(ctx, now, inForce, adding)
	if err != nil {
		a.mu.Lock()
		a.pending.merge(adding)
		a.mu.Unlock()
		return err
	}
	a.version, a.written = version, now
	return nil
}

// put writes what is known with what is to be added, and returns the version that has it.
func (a *Admissions) put(ctx context.Context, now time.Time, inForce []string, adding days) (version string, err error) {
	all := days{}
	all.merge(a.known)
	all.merge(adding)
	all.forget(now, inForce)
	if reflect.DeepEqual(all, a.known) {
		return a.version, nil
	}
	packed, err := all.pack()
	if err != nil {
		return "", err
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": a.version}, "binaryData": map[string]any{daysKey: packed},
	})
	if err != nil {
		return "", fmt.Errorf("encode what would have been denied: %w", err)
	}
	stored, err := a.cfg.Client.Patch(ctx, a.cfg.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: source})
	if err != nil {
		return "", fmt.Errorf("write ConfigMap %s: %w", a.cfg.Name, err)
	}
	a.known = all
	return stored.ResourceVersion, nil
}

// tell has it known what is counted, if that is due.
func (a *Admissions) tell(now time.Time, inForce []string) {
	if now.Sub(a.spoke) < writeEvery && !a.isNews(now, inForce) {
		return
	}
	all := days{}
	all.merge(a.known)
	a.mu.Lock()
	all.merge(a.pending)
	a.mu.Unlock()
	told := map[string]*v1alpha1.LastDay{}
	for _, revision := range inForce {
		told[revision] = all.of(revision, now).told(now)
	}
	a.told.Store(&told)
	a.spoke = now
}

// isNews reports whether there is a policy or a first request of which nothing is told.
func (a *Admissions) isNews(now time.Time, inForce []string) bool {
	told := a.told.Load()
	if told == nil {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	requests := func(ds days, revision string) int64 {
		if ds[revision] == nil {
			return 0
		}
		return ds[revision].Hours.in(hourOf(now))
	}
	return slices.ContainsFunc(inForce, func(revision string) bool {
		before := (*told)[revision]
		return before == nil || before.Requests == 0 && requests(a.known, revision)+requests(a.pending, revision) > 0
	})
}

// Days returns what is told of policies, by name.
func (a *Admissions) Days() map[string]v1alpha1.LastDay {
	found := map[string]v1alpha1.LastDay{}
	for _, policy := range a.cfg.Policies() {
		if day, _ := a.Of(policy); day != nil {
			found[policy.Name] = *day
		}
	}
	return found
}
