package controller

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"k8s.io/client-go/dynamic"
)

// defaultMaxAge is five times as long as an API server keeps silent: it tells watchers
// each minute that nothing has changed. After an outage of a minute watches are back
// within another, so that one like that costs no decision.
const defaultMaxAge = 5 * time.Minute

// CacheConfig configures what is kept of a cluster. Client is required.
type CacheConfig struct {
	Client dynamic.Interface
	// MaxAge is how long what is known counts after the API server was last heard of
	// it. If zero, 5 minutes.
	MaxAge time.Duration
	// Log says what cannot be read, and when it can be again, once each. If nil,
	// nothing is logged.
	Log *zap.Logger
}

func (c CacheConfig) withDefaults() CacheConfig {
	if c.MaxAge == 0 {
		c.MaxAge = defaultMaxAge
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	return c
}

// Caches are what is kept of a cluster, for those who look after it. Each may be nil.
// As metrics they say how old it is and what cannot be read, by a fixed number of series.
type Caches struct {
	Namespaces *Namespaces
	Policies   *Policies
	Inventory  *Inventory
}

var _ prometheus.Collector = Caches{}

// contacts are those of all that is watched all the time, by the name of the cache.
func (c Caches) contacts() map[string]*contact {
	found := map[string]*contact{}
	if c.Namespaces != nil {
		found["namespaces"] = c.Namespaces.contact
	}
	if c.Policies != nil {
		for name, contact := range c.Policies.contacts {
			found[name] = contact
		}
	}
	return found
}

// Watch logs, until ctx ends, when one of the caches has grown old and when it has not
// any more. Of the inventory that is told for each kind.
func (c Caches) Watch(ctx context.Context, log *zap.Logger) {
	contacts, stale := c.contacts(), map[string]bool{}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		for name, contact := range contacts {
			if is := contact.isStale(); is != stale[name] {
				stale[name] = is
				tellStale(log, name, is, contact)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func tellStale(log *zap.Logger, name string, is bool, contact *contact) {
	if !is {
		log.Info("cache is up to date", zap.String("cache", name))
		return
	}
	err, _ := contact.failure()
	log.Error("cache is stale", zap.String("cache", name), zap.Time("heard", contact.last()), zap.Error(err))
}

// The metrics of caches.
var (
	ageDesc = prometheus.NewDesc("lintel_cache_age_seconds",
		"How long ago the API server was last heard of what is kept of the cluster; of the inventory, of the kind where that is longest.", []string{"cache"}, nil)
	kindsDesc = prometheus.NewDesc("lintel_inventory_kinds",
		"How many kinds that policies read are known, and how many are not. Those that policies can do without are counted only if they are known.", []string{"state"}, nil)
)

// Describe implements prometheus.Collector.
func (Caches) Describe(to chan<- *prometheus.Desc) {
	to <- ageDesc
	to <- kindsDesc
}

// Collect implements prometheus.Collector.
func (c Caches) Collect(to chan<- prometheus.Metric) {
	for name, contact := range c.contacts() {
		to <- prometheus.MustNewConstMetric(ageDesc, prometheus.GaugeValue, contact.age().Seconds(), name)
	}
	if c.Inventory == nil {
		return
	}
	kinds, oldest := c.Inventory.count()
	to <- prometheus.MustNewConstMetric(ageDesc, prometheus.GaugeValue, oldest.Seconds(), "inventory")
	for _, state := range States() {
		to <- prometheus.MustNewConstMetric(kindsDesc, prometheus.GaugeValue, float64(kinds[state]), string(state))
	}
}

// count returns how many kinds there are of each state, and how old that is which is oldest.
func (i *Inventory) count() (kinds map[State]int, oldest time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	kinds = map[State]int{}
	for _, r := range i.kinds {
		if r.state == Synced || !r.optional {
			kinds[r.state]++
		}
		switch {
		case !r.lost.IsZero():
			oldest = max(oldest, time.Since(r.lost))
		case r.synced:
			oldest = max(oldest, r.contact.age())
		}
	}
	return kinds, oldest
}
