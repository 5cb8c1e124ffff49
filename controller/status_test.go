package controller_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"

	"github.com/lintel-policy/lintel/controller"
)

// TestStatusIsReadyEverywhere follows what two Policies say of themselves while one of
// them changes: who waits for Ready waits until it is in force everywhere.
func TestStatusIsReadyEverywhere(t *testing.T) {
	define(t)
	p := controller.NewPolicies(controller.CacheConfig{Client: dynamic.NewForConfigOrDie(shared.Cluster(t).Config())})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	must(t, "watch policies", p.Start(ctx))
	set := func(name, rule string) {
		t.Helper()
		apply(t, `{"apiVersion": "lintel.dev/v1alpha1", "kind": "Policy", "metadata": {"name": "`+name+`"}, "spec": {
			"source": {"modules": [{"name": "a.rego", "rego": `+strconv.Quote("package team\n"+rule)+`}]}, "match": {"kinds": [{"apiGroups": [""], "kinds": ["ConfigMap"]}]}}}`)
	}
	knows := func(rule string, times int) {
		t.Helper()
		eventually(t, "policies to be known", func() bool {
			found := 0
			for _, policy := range p.Objects().Policies {
				if strings.HasSuffix(policy.Spec.Source.Modules[0].Rego, rule) {
					found++
				}
			}
			return found == times
		})
	}
	// What the objects say reaches the watch a little later.
	says := func(name, want string) {
		t.Helper()
		got := ""
		defer func() {
			if t.Failed() {
				t.Logf("%s says %q", name, got)
			}
		}()
		eventually(t, name+" to be "+want, func() bool {
			for _, policy := range p.Objects().Policies {
				if policy.Name == name {
					got = policy.Status.Revision
					if c := meta.FindStatusCondition(policy.Status.Conditions, "Ready"); c != nil {
						got = string(c.Status) + " " + c.Reason + " " + policy.Status.Revision + " " + c.Message
					}
				}
			}
			return strings.HasPrefix(got, want)
		})
	}
	k := keeper()
	write := func(out controller.Outcome, reach controller.Reach) {
		t.Helper()
		must(t, "write status", p.WriteStatus(t.Context(), out, reach, time.Now()))
	}
	awaited := controller.Reach{Awaits: "other policies are served by one\x1b"}

	set("settled", `violation contains {"msg": "1"}`)
	set("changing", `violation contains {"msg": "1"}`)
	knows(`violation contains {"msg": "1"}`, 2)
	first := k.Compile(p.Objects())
	write(first, awaited)
	revision := first.Set.Revision()
	says("settled", "Unknown Spreading "+revision+` in force as its spec says, but not everywhere yet: other policies are served by one\x1b`)
	write(first, controller.Reach{TooLarge: map[string]bool{"settled": true}})
	says("settled", "True Compiled "+revision+" in force as its spec says\nIt is too large to be kept")
	says("changing", "True Compiled "+revision)

	set("changing", `violation contains {"msg": "2"}`)
	knows(`violation contains {"msg": "2"}`, 1)
	write(first, controller.Reach{}) // of what was before
	second := k.Compile(p.Objects())
	for _, policy := range p.Objects().Policies {
		if policy.Name == "changing" && policy.Status.ObservedGeneration == policy.Generation {
			t.Error("a change is said to be in force before it was compiled")
		}
	}
	write(second, awaited)
	says("changing", "Unknown Spreading "+second.Set.Revision())
	says("settled", "True Compiled "+revision)
	write(second, controller.Reach{})
	says("changing", "True Compiled "+second.Set.Revision())
	says("settled", "True Compiled "+second.Set.Revision())

	set("changing", "violation contains 1 if nothing")
	knows("nothing", 1)
	write(k.Compile(p.Objects()), awaited)
	says("changing", "False Broken ")
}

// TestStatusWaitsForKinds holds that a policy about a kind that the cluster has not, yet
// or by a typing error, is not said to be in force, and does not ask for a change of it.
func TestStatusWaitsForKinds(t *testing.T) {
	define(t)
	cfg := shared.Cluster(t).Config()
	catalog, err := controller.ReadCatalog(t.Context(), discovery.NewDiscoveryClientForConfigOrDie(cfg), nil)
	must(t, "read catalog", err)
	p := controller.NewPolicies(controller.CacheConfig{Client: dynamic.NewForConfigOrDie(cfg)})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	must(t, "watch policies", p.Start(ctx))
	kinds := map[string]string{"absent": `"Deploymnt"`, "partly": `"Deploymnt", "Deployment"`}
	for name, kinds := range kinds {
		apply(t, `{"apiVersion": "lintel.dev/v1alpha1", "kind": "Policy", "metadata": {"name": "`+name+`"}, "spec": {
			"source": {"modules": [{"name": "a.rego", "rego": "package team\nviolation contains {\"msg\": \"1\"}"}]}, "match": {"kinds": [{"apiGroups": ["apps"], "kinds": [`+kinds+`]}]}}}`)
	}
	k := keeper()
	for name, want := range map[string]string{
		"absent": "False Pending spec.match.kinds: waits for what it matches, of which this cluster has nothing: there is no Deploymnt.apps",
		"partly": "True Compiled in force as its spec says",
	} {
		eventually(t, name+" to be "+want, func() bool {
			must(t, "write status", p.WriteStatus(t.Context(), k.Compile(p.Objects()), controller.Reach{Catalog: catalog}, time.Now()))
			for _, policy := range p.Objects().Policies {
				if policy.Name != name {
					continue
				}
				c := meta.FindStatusCondition(policy.Status.Conditions, "Ready")
				stalled := meta.FindStatusCondition(policy.Status.Conditions, "Stalled")
				return c != nil && stalled == nil && string(c.Status)+" "+c.Reason+" "+c.Message == want
			}
			return false
		})
	}
}
