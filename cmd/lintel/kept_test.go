package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"k8s.io/client-go/dynamic"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
)

// reading compiles a policy about ConfigMaps that finds it wrong where the inventory
// has no object of a kind in the namespace default.
func reading(apiVersion, kind, name string) *engine.Set {
	set, err := engine.Compile(engine.Config{Policies: []engine.Policy{{Name: "reading", FreePackage: true, Modules: []v1alpha1.Module{{Name: "a.rego", Rego: `# METADATA
# custom:
#   match: {kinds: [{apiGroups: [""], kinds: [ConfigMap]}]}
#   inventory: [{apiVersion: ` + apiVersion + `, kind: ` + kind + `}]
package team

violation contains {"msg": "the inventory lacks ` + kind + `"} if {
	not data.inventory.namespace["default"]["` + apiVersion + `"]["` + kind + `"]["` + name + `"]
}
`}}}}})
	must(err)
	return set
}

// keeping returns a gate in front of the cluster that judges by set.
func keeping(ctx context.Context, t *testing.T, set *engine.Set) *gate {
	t.Helper()
	g := &gate{mode: byURL, log: zap.NewNop(), metrics: prometheus.NewRegistry(), changed: make(chan struct{}, 1)}
	must(g.connect(&serveCommand{kubeconfig: shared.Cluster(t).Kubeconfig(), policies: []string{fromCluster}}))
	catalog, err := g.readCatalog(ctx)
	must(err)
	g.kept.catalog.Store(catalog)
	must(g.watch(ctx, set, catalog))
	return g
}

// TestSwapKeepsInventories swaps between policies that read different kinds, while
// requests come in all the time: none is judged before what it is judged by has been
// read, and none after it was given up.
func TestSwapKeepsInventories(t *testing.T) {
	permit(t, "create", "serviceaccount", "there")
	t.Cleanup(func() {
		shared.Cluster(t).Kubectl(context.WithoutCancel(t.Context()), nil, "delete", "serviceaccount", "there")
	})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	sets := []*engine.Set{reading("v1", "Service", "kubernetes"), reading("v1", "ServiceAccount", "there")}
	g := keeping(ctx, t, sets[0])
	request := func() *engine.Request {
		req, err := engine.NewRequest([]byte(orphan), "default")
		must(err)
		return req
	}
	message := func(set *engine.Set) string {
		d, err := set.Review(ctx, request(), g.inventory.Current())
		must(err)
		if len(d.Violations) > 0 {
			return d.Violations[0].Message
		}
		return ""
	}

	var reviews sync.WaitGroup
	reviewing, enough := context.WithCancel(ctx)
	reviews.Go(func() {
		for reviewing.Err() == nil {
			d, err := g.live.Review(ctx, engine.Whole, request())
			if err != nil || len(d.Violations) > 0 || len(d.Evaluated) == 0 {
				t.Errorf("a request while policies change: %+v, %v, want no violation", d, err)
				return
			}
		}
	})
	for i := range 6 {
		g.swap(ctx, sets[(i+1)%2])
	}
	enough()
	reviews.Wait()

	if got := message(sets[1]); got != "the inventory lacks ServiceAccount" {
		t.Errorf("what is not read any more is watched still: %q", got)
	}
	g.kept.next.Store(sets[1]) // as while it is waited for
	g.found(ctx, g.kept.catalog.Load())
	if got := message(sets[0]); got != "" {
		t.Errorf("kinds that come and go take away what is read: %q", got)
	}
	must(until(ctx, readyTimeout, unless(func() bool { return message(sets[1]) == "" })))
}

// A holdUp holds up who reads a namespace that there is not.
type holdUp struct {
	http.RoundTripper
	asked, release chan struct{}
}

// RoundTrip implements http.RoundTripper.
func (h holdUp) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == "/api/v1/namespaces/nowhere" {
		close(h.asked)
		<-h.release
	}
	return h.RoundTripper.RoundTrip(r)
}

// TestSwapWhileARequestWaits swaps to policies that read something else, while a request
// waits for its namespace: it is judged by the policies that it came in by, and by what
// they read.
func TestSwapWhileARequestWaits(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	before := reading("v1", "Service", "kubernetes")
	g := keeping(ctx, t, before)
	hold := holdUp{asked: make(chan struct{}), release: make(chan struct{})}
	g.config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		hold.RoundTripper = next
		return hold
	})
	namespaces := controller.NewNamespaces(controller.CacheConfig{Client: dynamic.NewForConfigOrDie(g.config)})
	must(namespaces.Start(ctx))
	g.live = controller.NewLive(controller.LiveConfig{Namespaces: namespaces, Inventory: g.inventory})
	g.live.Swap(before)
	must(until(ctx, readyTimeout, g.live.Ready))

	req, err := engine.NewRequest([]byte(strings.Replace(orphan, "default", "nowhere", 1)), "nowhere")
	must(err)
	judged := make(chan *engine.Decision, 1)
	go func() {
		d, err := g.live.Review(ctx, engine.Whole, req)
		must(err)
		judged <- d
	}()
	select {
	case <-hold.asked:
	case <-judged:
		t.Fatal("no namespace was asked for")
	}
	g.swap(ctx, reading("v1", "ServiceAccount", "default"))
	close(hold.release)
	if d := <-judged; d.Revision != before.Revision() || len(d.Errors) > 0 || len(d.Violations) > 0 || len(d.Evaluated) != 1 {
		t.Errorf("a request that waited: %+v, want no violation", d)
	}
}

// TestSwapWidensFirst holds that the API server is told of new policies before they
// are in force, and that they do not wait for ever where that cannot be.
func TestSwapWidensFirst(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	// Both read the same, so that nothing else is waited for.
	before, after := reading("v1", "Service", "kubernetes"), reading("v1", "Service", "other")
	g := keeping(ctx, t, before)
	var err error
	g.registrar, err = controller.NewRegistrar(controller.RegistrarConfig{
		Client: g.client.AdmissionregistrationV1(), Discovery: g.client.DiscoveryClient, Set: g.live.Set, Next: g.kept.next.Load,
		Target:    controller.Target{URL: "https://127.0.0.1:1", CABundle: func() []byte { return []byte("a") }},
		APIServer: g.config.Host, Name: "swapping", Changed: g.changed,
		Discovered: func(*controller.Catalog) {
			if next := g.kept.next.Load(); next != nil && g.live.Revision() == next.Revision() && !g.registrar.Covers(next.Revision()) {
				t.Error("policies are in force before they are registered")
			}
		},
	})
	must(err)
	running, end := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- g.registrar.Run(running) }()
	must(until(ctx, readyTimeout, unless(func() bool { return g.registrar.Covers(before.Revision()) })))
	g.swap(ctx, after)
	if !g.registrar.Covers(after.Revision()) || g.live.Revision() != after.Revision() {
		t.Errorf("registered %t, in force %t, want both", g.registrar.Covers(after.Revision()), g.live.Revision() == after.Revision())
	}
	end()
	must(errors.Join(<-ended, g.registrar.Remove(ctx)))
	began := time.Now()
	g.swap(ctx, before)
	if g.live.Revision() != before.Revision() || time.Since(began) < widenTime {
		t.Errorf("with nobody to register, in force after %s: %t, want that after %s", time.Since(began), g.live.Revision() == before.Revision(), widenTime)
	}
}

// TestGoesByTheLeader holds that a replica takes over what the leader has kept of a
// policy that is broken, and nothing else.
func TestGoesByTheLeader(t *testing.T) {
	permit(t, "create", "configmap", lastGoodName, "-n", "default")
	t.Cleanup(func() {
		shared.Cluster(t).Kubectl(context.WithoutCancel(t.Context()), nil, "delete", "configmap", lastGoodName, "-n", "default")
	})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	g := keeping(ctx, t, reading("v1", "Service", "kubernetes"))
	k := newLastGood(g, "default")
	is := func(name, rego string) engine.Policy {
		return engine.Policy{Name: name, FreePackage: true, Modules: []v1alpha1.Module{{Name: "a.rego", Rego: rego}}}
	}
	_, err := k.store.Write(ctx, map[string]engine.Policy{"broken": is("broken", "theirs"), "same": is("same", "ours"), "well": is("well", "theirs")})
	must(err)
	broken := errors.New("broken")
	steps := []struct {
		reason string
		out    *controller.Outcome
		leads  bool
		want   string
	}{
		{reason: "Nothing has been compiled."},
		{reason: "What is well is nobody else's to say.", out: &controller.Outcome{Well: map[string]engine.Policy{"well": is("well", "ours")}}},
		{
			reason: "What is broken is to be the same everywhere.", want: "broken=theirs",
			out: &controller.Outcome{
				Broken: map[string]error{"broken": broken, "same": broken, "unknown": broken},
				Well:   map[string]engine.Policy{"broken": is("broken", "ours"), "same": is("same", "ours"), "unknown": is("unknown", "ours"), "well": is("well", "ours")},
			},
		},
		{
			reason: "Where this one never knew it well, too.", want: "broken=theirs",
			out: &controller.Outcome{Broken: map[string]error{"broken": broken}},
		},
		{reason: "The leader goes by itself.", leads: true, out: &controller.Outcome{Broken: map[string]error{"broken": broken}}},
	}
	for _, step := range steps {
		g.kept.outcome.Store(step.out)
		g.registrar, g.election = nil, nil
		if step.leads {
			g.registrar = new(controller.Registrar)
		}
		for len(g.kept.policies.Changed()) > 0 {
			<-g.kept.policies.Changed()
		}
		must(k.take(ctx))
		got := ""
		for name, p := range k.takeOver() {
			got += name + "=" + p.Modules[0].Rego
		}
		if got != step.want {
			t.Errorf("%s\ntaken: got %q, want %q", step.reason, got, step.want)
		}
		if again := len(g.kept.policies.Changed()) > 0; again != (step.want != "") {
			t.Errorf("%s\ncompiled again: %t", step.reason, again)
		}
	}
}

// TestShownReplicas holds that what names replicas stays short, however many there are.
func TestShownReplicas(t *testing.T) {
	names := strings.Split(strings.Repeat("a ", 9)+"a", " ")
	if got := shownReplicas(names); !slices.Equal(got, names) {
		t.Errorf("ten are named: got %q", got)
	}
	if got := shownReplicas(append(names, "b", "c")); len(got) != 11 || got[10] != "2 more" {
		t.Errorf("twelve are not: got %q", got)
	}
}
