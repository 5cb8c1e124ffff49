package controller_test

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"k8s.io/client-go/dynamic"

	"github.com/lintel-policy/lintel/controller"
)

// TestStalePolicies has nothing be heard of policies any more: they stay, and it is told
// once, and again when they are back.
func TestStalePolicies(t *testing.T) {
	define(t)
	p := through(t, unlimited(t))
	policies := controller.NewPolicies(controller.CacheConfig{Client: dynamic.NewForConfigOrDie(p.Config), MaxAge: 3 * time.Second})
	must(t, "watch policies", policies.Start(t.Context()))
	eventually(t, "policies to be read", policies.Synced)
	apply(t, someObjects)
	t.Cleanup(func() {
		shared.Cluster(t).Kubectl(context.WithoutCancel(t.Context()), nil, "delete", "configmap", "rego")
	})
	eventually(t, "policies to be known", func() bool { return len(policies.Objects().Policies) == 3 })

	caches := controller.Caches{Policies: policies}
	metrics := prometheus.NewRegistry()
	must(t, "register metrics", metrics.Register(caches))
	core, log := observer.New(zapcore.InfoLevel)
	p.freeze()
	go caches.Watch(t.Context(), zap.New(core))
	told := func(message, cache string) int {
		n := 0
		for _, e := range log.FilterMessage(message).All() {
			if e.ContextMap()["cache"] == cache {
				n++
			}
		}
		return n
	}
	for _, cache := range []string{"policies", "policyexceptions"} {
		within(t, cache+" to be stale", func() bool { return told("cache is stale", cache) == 1 })
		if age := gauge(t, metrics, "lintel_cache_age_seconds", cache); age < 3 {
			t.Errorf("age of %s: got %v s, want more than the bound", cache, age)
		}
	}
	if got := len(policies.Objects().Policies); got != 3 {
		t.Errorf("policies that nothing was heard of: got %d, want all 3", got)
	}
	p.thaw()
	within(t, "policies to be back", func() bool { return told("cache is up to date", "policies") == 1 })
}
