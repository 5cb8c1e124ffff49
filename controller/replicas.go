package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
)

// ReportEvery is how often a replica has to say what it serves.
const ReportEvery = 4 * time.Second

const (
	// goneAfter is how long the entry of a replica may stay as it is before the
	// replica is taken for gone: three reports and some may be lost.
	goneAfter = 15 * time.Second
	// blindAfter is how long the leader may not have looked before it no longer
	// counts that time against anybody: who could not read could not be written to
	// either.
	blindAfter = 5 * time.Second
)

// ReplicasConfig configures [Replicas]. All but Now is required.
type ReplicasConfig struct {
	Client coreclient.ConfigMapInterface
	// Name is that of the ConfigMap, which has to exist.
	Name string
	// Identity is the key of this replica in it. No other has the same.
	Identity string
	// Now is the clock. If nil, time.Now.
	Now func() time.Time
}

// Replicas knows which revision each replica of an installation serves. Each writes
// its own into a ConfigMap, again and again; one of them, the leader, reads it and
// drops those who have stopped. No two clocks are compared: what counts is for how
// long the leader has seen an entry stay as it is.
type Replicas struct {
	cfg ReplicasConfig

	mu     sync.Mutex
	seen   map[string]sighting // of others, by identity
	looked time.Time           // when the ConfigMap was read last
}

// A sighting is the entry of a replica as the leader sees it.
type sighting struct {
	entry string
	since time.Time // by the clock of the leader
	gone  bool
}

// NewReplicas returns Replicas that knows of no others yet.
func NewReplicas(cfg ReplicasConfig) *Replicas {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Replicas{cfg: cfg, seen: map[string]sighting{}}
}

// Report says which revision this replica serves. The time in it is there to be
// another one each time.
func (r *Replicas) Report(ctx context.Context, revision string) error {
	entry := revision + " " + r.cfg.Now().UTC().Format(time.RFC3339Nano)
	return r.patch(ctx, map[string]any{r.cfg.Identity: entry})
}

// Withdraw says that this replica serves no more.
func (r *Replicas) Withdraw(ctx context.Context) error {
	return r.patch(ctx, map[string]any{r.cfg.Identity: nil})
}

func (r *Replicas) patch(ctx context.Context, data map[string]any) error {
	patch, err := json.Marshal(map[string]any{"data": data})
	if err != nil {
		return fmt.Errorf("encode what is served: %w", err)
	}
	_, err = r.cfg.Client.Patch(ctx, r.cfg.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: fieldManager})
	if err != nil {
		return fmt.Errorf("write ConfigMap %s: %w", r.cfg.Name, err)
	}
	return nil
}

// Observe reads what the others serve, and drops those that are gone. The leader
// has to do it every second or so.
func (r *Replicas) Observe(ctx context.Context) error {
	found, err := r.cfg.Client.Get(ctx, r.cfg.Name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("read ConfigMap %s: %w", r.cfg.Name, err)
	}
	gone := r.see(found.Data)
	if len(gone) == 0 {
		return nil
	}
	return r.patch(ctx, gone)
}

// see notes what the ConfigMap has, and returns the patch that drops who is gone.
func (r *Replicas) see(data map[string]string) map[string]any {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.cfg.Now()
	blind := now.Sub(r.looked)
	r.looked = now
	gone := map[string]any{}
	for identity, entry := range data {
		s := r.seen[identity]
		switch {
		case identity == r.cfg.Identity:
			continue
		case s.entry != entry:
			s = sighting{entry: entry, since: now}
		case blind > blindAfter:
			s.since = s.since.Add(blind)
		case now.Sub(s.since) >= goneAfter:
			s.gone = true
		}
		r.seen[identity] = s
		if s.gone {
			gone[identity] = nil
		}
	}
	maps.DeleteFunc(r.seen, func(identity string, _ sighting) bool {
		_, there := data[identity]
		return !there
	})
	return gone
}

// Lagging returns those of the other replicas, sorted, that do not serve a revision.
// It is what the last Observe has found.
func (r *Replicas) Lagging(revision string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var lagging []string
	for identity, s := range r.seen {
		if serves, _, _ := strings.Cut(s.entry, " "); !s.gone && serves != revision {
			lagging = append(lagging, identity)
		}
	}
	slices.Sort(lagging)
	return lagging
}
