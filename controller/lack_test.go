package controller_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"k8s.io/client-go/dynamic"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
)

// reads is a policy about Services that finds as many ConfigMaps or Quotas as there are
// in the namespace.
func reads(name, inventory string) engine.Policy {
	return policy(`# METADATA
# custom:
#   match: {kinds: [{apiGroups: [""], kinds: [Service]}]}
#   inventory: [`+inventory+`]
package lintel.`+name+`

violation contains {"msg": sprintf("%d", [count([n | some v, k; data.inventory.namespace[input.review.namespace][v][k][n]])])}
`, v1alpha1.PolicySpec{})
}

// TestUnreadable has a kind that nobody has permitted to read and one that does not
// exist: they are a matter of those alone who read them, and come right by themselves.
func TestUnreadable(t *testing.T) {
	c := shared.Cluster(t)
	user, err := c.ConfigFor("reader")
	must(t, "make credentials", err)
	kubectl(t, "create", "clusterrole", "reader", "--verb=get,list,watch", "--resource=namespaces,services,configmaps")
	kubectl(t, "create", "clusterrolebinding", "reader", "--clusterrole=reader", "--user=reader")
	t.Cleanup(func() {
		c.Kubectl(context.WithoutCancel(t.Context()), nil, "delete", "--wait=false", "--ignore-not-found", "clusterrole/reader", "clusterrole/reads-limits",
			"clusterrolebinding/reader", "clusterrolebinding/reads-limits", "namespace/unreadable", "crd/lates.example.net")
	})
	kubectl(t, "create", "namespace", "unreadable")
	p := through(t, user)
	core, log := observer.New(zapcore.InfoLevel)
	const limits, late = "{apiVersion: v1, kind: LimitRange", "{apiVersion: example.net/v1, kind: Late"
	k := keep(t, controller.CacheConfig{Client: dynamic.NewForConfigOrDie(p.Config), Log: zap.New(core)},
		reads("absent", late+"}"), reads("forbidden", limits+"}"), reads("optional", limits+", optional: true}, "+late+", optional: true}"), policy(plain, v1alpha1.PolicySpec{}))

	const before = "optional: 0; plain: a plain name; absent could not decide; forbidden could not decide"
	if got := k.says(t, "unreadable"); got != before {
		t.Errorf("what cannot be read: got %q, want %q", got, before)
	}
	lacks := map[string]string{
		"LimitRange": `forbidden: grant {apiGroups: [""], resources: ["limitranges"], verbs: ["get", "list", "watch"]}`,
		"Late":       "the cluster has no such kind",
	}
	for _, kind := range k.live.Set().Inventory() {
		if err := k.inventory.Lacks(kind); err == nil || err.Error() != lacks[kind.Kind] {
			t.Errorf("%s: got %v, want %s", kind.Kind, err, lacks[kind.Kind])
		}
	}
	asked := p.count("/limitranges")
	within(t, "it to be tried again", func() bool { return p.count("/limitranges") > asked+1 })
	told := map[string]int{}
	for _, e := range log.All() {
		told[e.Message+" "+kindOf(e)]++
	}
	if diff := cmp.Diff(map[string]int{"inventory cannot be read LimitRange": 1, "inventory cannot be read Late": 1}, told); diff != "" {
		t.Errorf("what cannot be read is told once: -want, +got:\n%s", diff)
	}

	apply(t, `{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "reads-limits"}, "rules": [
		{"apiGroups": [""], "resources": ["limitranges"], "verbs": ["get", "list", "watch"]},
		{"apiGroups": ["example.net"], "resources": ["lates"], "verbs": ["get", "list", "watch"]}]}`)
	kubectl(t, "create", "clusterrolebinding", "reads-limits", "--clusterrole=reads-limits", "--user=reader")
	apply(t, `{"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "l", "namespace": "unreadable"}, "spec": {"limits": []}}`)
	within(t, "what is permitted to be read", func() bool {
		return k.says(t, "unreadable") == "forbidden: 1; optional: 1; plain: a plain name; absent could not decide"
	})
	apply(t, strings.NewReplacer("widget", "late", "Widget", "Late", "example.com", "example.net").Replace(widgetCRD))
	within(t, "what exists to be read", func() bool {
		catalog, err := controller.ReadCatalog(t.Context(), k.client.DiscoveryClient, nil)
		must(t, "read catalog", err)
		must(t, "watch inventory", k.inventory.Watch(t.Context(), k.live.Set().Inventory(), catalog))
		return k.says(t, "unreadable") == "absent: 0; forbidden: 1; optional: 1; plain: a plain name"
	})
}

// kindOf returns the kind that a log record is about.
func kindOf(e observer.LoggedEntry) string {
	kind, _ := e.ContextMap()["kind"].(string)
	return kind
}

// TestRevoked takes back the permission to read: what was read counts for as long as
// the bound, and no longer.
func TestRevoked(t *testing.T) {
	c := shared.Cluster(t)
	user, err := c.ConfigFor("revoked")
	must(t, "make credentials", err)
	kubectl(t, "create", "clusterrole", "revoked", "--verb=get,list,watch", "--resource=namespaces,limitranges")
	kubectl(t, "create", "clusterrolebinding", "revoked", "--clusterrole=revoked", "--user=revoked")
	t.Cleanup(func() {
		c.Kubectl(context.WithoutCancel(t.Context()), nil, "delete", "--wait=false", "--ignore-not-found", "clusterrole/revoked", "clusterrolebinding/revoked")
	})
	k := keep(t, controller.CacheConfig{Client: dynamic.NewForConfigOrDie(user), MaxAge: 2 * time.Second}, reads("revoked", "{apiVersion: v1, kind: LimitRange}"))
	if got := k.says(t, "default"); got != "revoked: 0" {
		t.Errorf("what is permitted: got %q", got)
	}
	kubectl(t, "delete", "clusterrolebinding", "revoked")
	within(t, "what is not permitted any more to decide nothing, and to say so", func() bool {
		err := k.inventory.Lacks(k.live.Set().Inventory()[0])
		return err != nil && strings.HasPrefix(err.Error(), "forbidden: ") && k.says(t, "default") == "revoked could not decide"
	})
}

// TestNoCluster holds that where there is no cluster to read from, who reads something
// cannot decide.
func TestNoCluster(t *testing.T) {
	const limits = "{apiVersion: v1, kind: LimitRange"
	set, err := engine.Compile(engine.Config{Policies: []engine.Policy{
		reads("needs", limits+"}"), reads("likes", limits+", optional: true}"), policy(plain, v1alpha1.PolicySpec{}), policy(strict, v1alpha1.PolicySpec{}),
	}})
	must(t, "compile", err)
	k := known{live: controller.NewLive(controller.LiveConfig{})}
	k.live.Swap(set)
	if got, want := k.says(t, "default"), "likes: 0; plain: a plain name; needs could not decide; strict could not decide"; got != want {
		t.Errorf("without a cluster: got %q, want %q", got, want)
	}
}
