package controller

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/flowcontrol"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// Bounds of what [Findings] writes. However much an audit finds, that is 50 Events at
// once and then six a minute, beside those on policies.
const (
	// foundBurst and foundRate are how many objects have an Event of their own at once,
	// and each second for long.
	foundBurst = 50
	foundRate  = 0.1
	// maxFound is how many objects wait to be told of. More are summed up.
	maxFound = 1000
	// maxLookups is how many owners are looked for at a time. What is left is summed up.
	maxLookups = 2 * foundBurst
	// sumPeriods is how many periods lie between two Events on a policy, and maxSums how
	// many policies are told of at a time, those of the most objects. The others are next.
	sumPeriods = 12
	maxSums    = 20
)

// reasonFound is the reason of an Event about what an audit found.
const reasonFound = "PolicyViolationFound"

// The ways in which an object is told of, as a metric has them.
const (
	toldByEvent = "event" // on its owner or itself
	toldBySum   = "sum"   // on the policy
)

// FindingsConfig configures a [Findings]. Recorder, Mapper and Metadata are required.
type FindingsConfig struct {
	// Recorder returns what writes Events until ctx ends.
	Recorder func(ctx context.Context) events.EventRecorder
	Mapper   meta.RESTMapperWithContext // knows the kinds of the cluster
	Metadata metadata.Interface         // reads owners, as far as it may
	// PolicyUID returns the uid of a Policy, "" if it is not known. If nil, none is.
	PolicyUID func(name string) types.UID
	// Period is how long what is found is gathered, to be told of together. If zero, five
	// seconds.
	Period  time.Duration
	Metrics prometheus.Registerer // if nil, nothing is counted
}

// A Found is an object that violates policies, as an audit found.
type Found struct {
	Object     corev1.ObjectReference
	Owner      *metav1.OwnerReference // the controller that it names; nil if it names none
	Violations []engine.Violation
}

// Findings tells of what an audit has found by Events: one on the topmost owner of
// objects that can be found out, and else on the object itself, the worst first. What
// there is no room for is summed up, in one Event on each policy.
type Findings struct {
	cfg    FindingsConfig
	owners owners
	limit  flowcontrol.PassiveRateLimiter // for all that run one after another
	counts *prometheus.CounterVec

	mu      sync.Mutex
	waiting []Found
	sums    map[string]*sum // by policy
}

// A sum is what is told of on a policy.
type sum struct {
	objects    int
	namespaces map[string]bool
}

// NewFindings returns a Findings that writes nothing before it runs.
func NewFindings(cfg FindingsConfig) (*Findings, error) {
	cfg.Period = cmp.Or(cfg.Period, 5*time.Second)
	f := &Findings{
		cfg: cfg, owners: owners{cfg.Mapper, cfg.Metadata}, limit: flowcontrol.NewTokenBucketPassiveRateLimiter(foundRate, foundBurst), sums: map[string]*sum{},
		counts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lintel_audit_told_total", Help: "Objects with something new that the audit found, by how it was told of: by an Event on their owner or them, or summed up on the policy.",
		}, []string{"by"}),
	}
	for _, by := range []string{toldByEvent, toldBySum} { // so that the first one is an increase
		f.counts.WithLabelValues(by)
	}
	if cfg.Metrics == nil {
		return f, nil
	}
	if err := cfg.Metrics.Register(f.counts); err != nil {
		return nil, fmt.Errorf("register metrics of events: %w", err)
	}
	return f, nil
}

// Tell has Events written of objects. It waits for nothing.
func (f *Findings) Tell(found []Found) {
	f.mu.Lock()
	defer f.mu.Unlock()
	room := min(len(found), max(0, maxFound-len(f.waiting)))
	f.waiting = append(f.waiting, found[:room]...)
	f.sum(found[room:])
}

// sum has objects told of on the policies that they violate. f is locked.
func (f *Findings) sum(found []Found) {
	f.counts.WithLabelValues(toldBySum).Add(float64(len(found)))
	for _, o := range found {
		policies := map[string]bool{}
		for _, v := range o.Violations {
			policies[v.Policy] = true
		}
		for name := range policies {
			s := f.sums[name]
			if s == nil {
				s = &sum{namespaces: map[string]bool{}}
				f.sums[name] = s
			}
			s.objects++
			s.namespaces[o.Object.Namespace] = true
		}
	}
}

// Run writes Events until ctx ends. What waits then is dropped: when this one leads
// again, that may be long ago.
func (f *Findings) Run(ctx context.Context) {
	defer f.drop()
	recorder := f.cfg.Recorder(ctx)
	tick := time.NewTicker(f.cfg.Period)
	defer tick.Stop()
	for period := 1; ; period++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		f.write(ctx, recorder)
		if period%sumPeriods == 0 {
			f.writeSums(recorder)
		}
	}
}

func (f *Findings) drop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting, f.sums = nil, map[string]*sum{}
}

// A subject is what an Event is written on, with the objects that it is about.
type subject struct {
	of      corev1.ObjectReference
	objects []Found
}

// write writes what waits.
func (f *Findings) write(ctx context.Context, recorder events.EventRecorder) {
	f.mu.Lock()
	waiting := f.waiting
	f.waiting = nil
	f.mu.Unlock()
	slices.SortStableFunc(waiting, func(a, b Found) int {
		return cmp.Or(cmp.Compare(b.count(v1alpha1.Deny), a.count(v1alpha1.Deny)), cmp.Compare(len(b.Violations), len(a.Violations)))
	})
	subjects, rest := f.subjects(ctx, waiting)
	for _, s := range subjects {
		recorder.Eventf(&s.of, nil, corev1.EventTypeWarning, reasonFound, "Audit", "%s", note(s.note()))
		f.counts.WithLabelValues(toldByEvent).Add(float64(len(s.objects)))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sum(rest)
}

func (o *Found) count(e v1alpha1.Enforcement) int {
	n := 0
	for _, v := range o.Violations {
		if v.Enforcement == e {
			n++
		}
	}
	return n
}

// subjects returns what may have an Event now, and the objects of what may not.
func (f *Findings) subjects(ctx context.Context, found []Found) (subjects []*subject, rest []Found) {
	look := &lookup{owners: f.owners, known: map[owned]corev1.ObjectReference{}}
	at := map[corev1.ObjectReference]*subject{}
	for _, o := range found {
		of, ok := look.top(ctx, o)
		s := at[of]
		if ok && s == nil && !look.over {
			if look.over = !f.limit.TryAccept(); !look.over {
				s = &subject{of: of}
				at[of] = s
				subjects = append(subjects, s)
			}
		}
		if s == nil {
			rest = append(rest, o)
			continue
		}
		s.objects = append(s.objects, o)
	}
	return subjects, rest
}

// An owned is what objects of the same owner have in common.
type owned struct {
	namespace, apiVersion, kind, name string
	uid                               types.UID
}

// A lookup finds out the owners of many objects, of which many are the same.
type lookup struct {
	owners owners
	known  map[owned]corev1.ObjectReference
	made   int  // how many owners were looked for
	over   bool // whether none is to be looked for any more
}

// top returns what is told of an object, false if that is not known and no longer
// looked for.
func (l *lookup) top(ctx context.Context, o Found) (corev1.ObjectReference, bool) {
	if o.Owner == nil {
		return o.Object, true
	}
	of := owned{o.Object.Namespace, o.Owner.APIVersion, o.Owner.Kind, o.Owner.Name, o.Owner.UID}
	if top, ok := l.known[of]; ok {
		return top, true
	}
	if l.made++; l.over || l.made > maxLookups {
		return corev1.ObjectReference{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, ownerTime)
	defer cancel()
	top := l.owners.top(ctx, o.Object, o.Owner)
	if top != o.Object { // else it names one that it has not, and is told itself
		l.known[of] = top
	}
	return top, true
}

// note is the text of an Event: what the worst object violates.
func (s *subject) note() string {
	worst := s.objects[0]
	text := engine.Headline(engine.ObjectRef{APIVersion: worst.Object.APIVersion, Kind: worst.Object.Kind, Namespace: worst.Object.Namespace, Name: worst.Object.Name}, worst.Violations)
	if len(s.objects) > 1 {
		text = fmt.Sprintf("%d objects of it break policies, such as\n%s", len(s.objects), text)
	}
	for _, line := range engine.Lines(worst.Violations) {
		text += "\n" + line
	}
	return text
}

// writeSums writes what is summed up.
func (f *Findings) writeSums(recorder events.EventRecorder) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var policies []string
	for name := range f.sums {
		policies = append(policies, name)
	}
	slices.SortFunc(policies, func(a, b string) int {
		return cmp.Or(cmp.Compare(f.sums[b].objects, f.sums[a].objects), cmp.Compare(a, b))
	})
	for _, name := range policies[:min(len(policies), maxSums)] {
		of := &corev1.ObjectReference{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Policy", Name: name}
		if f.cfg.PolicyUID != nil {
			of.UID = f.cfg.PolicyUID(name)
		}
		s := f.sums[name]
		recorder.Eventf(of, nil, corev1.EventTypeWarning, reasonFound, "Audit", "The audit found %s in %s that newly break it, beside those with an Event of their own: the reports list them.",
			engine.Counted(s.objects, "object", "objects"), engine.Counted(len(s.namespaces), "namespace", "namespaces"))
		delete(f.sums, name)
	}
}
