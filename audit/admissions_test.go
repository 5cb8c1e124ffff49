package audit_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/audit"
	"github.com/lintel-policy/lintel/engine"
)

// A counter is a replica that counts, with a clock that stands still.
type counter struct {
	*audit.Admissions
	t      *testing.T
	policy engine.Info
}

// A shared is what counters share: a clock and a ConfigMap.
type shared struct {
	now    time.Time
	client coreclient.ConfigMapInterface
	policy engine.Info
}

// newShared makes an empty ConfigMap, as long as the test runs.
func newShared(t *testing.T) *shared {
	t.Helper()
	s := &shared{now: time.Date(2026, 11, 26, 12, 30, 0, 0, time.UTC), client: newClient(t).CoreV1().ConfigMaps("default")}
	s.policy = engine.Info{Name: "probes", Revision: "r1", Enforcement: v1alpha1.Warn, Reviews: true}
	_, err := s.client.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "days"}}, metav1.CreateOptions{})
	must(t, err)
	t.Cleanup(func() { must(t, s.client.Delete(context.WithoutCancel(t.Context()), "days", metav1.DeleteOptions{})) })
	return s
}

// start starts a replica.
func (s *shared) start(t *testing.T) *counter {
	t.Helper()
	c := &counter{t: t, policy: s.policy}
	var err error
	c.Admissions, err = audit.NewAdmissions(audit.AdmissionsConfig{
		Policies: func() []engine.Info { return []engine.Info{c.policy} }, Client: s.client, Name: "days", Now: func() time.Time { return s.now },
	})
	must(t, err)
	return c
}

// version is that of the ConfigMap.
func (s *shared) version(t *testing.T) string {
	t.Helper()
	found, err := s.client.Get(t.Context(), "days", metav1.GetOptions{})
	must(t, err)
	return found.ResourceVersion
}

func (c *counter) ask(owner string, times int) {
	for range times {
		c.Add([]engine.PolicyRevision{{Policy: c.policy.Name, Revision: c.policy.Revision}}, ownerOf(owner))
	}
}

// ownerOf is an owner of a name, nobody if it is "".
func ownerOf(name string) audit.Owner {
	if name == "" {
		return audit.Owner{}
	}
	return audit.Owner{Kind: "Deployment", Namespace: "shop", Name: name, Team: "checkout"}
}

func (c *counter) sync(leads, last bool) {
	c.t.Helper()
	must(c.t, c.Sync(c.t.Context(), leads, last))
}

// told is what is told of the policy, in a line.
func (c *counter) told() string {
	day, known := c.Of(c.policy)
	switch {
	case !known:
		return "unknown"
	case day == nil:
		return "nothing"
	}
	text := fmt.Sprintf("%d since %s:", day.Requests, day.Since.UTC().Format("02 15:04"))
	for _, o := range day.Owners {
		text += fmt.Sprintf(" %s %d", o.Name, o.Requests)
	}
	return fmt.Sprintf("%s others %d", text, day.OtherRequests)
}

// TestAdmissions has replicas count together, come and go, and a day go by.
func TestAdmissions(t *testing.T) {
	s := newShared(t)
	leader, other := s.start(t), s.start(t)
	steps := []struct {
		reason string
		do     func()
		want   string // what the leader tells
	}{
		{"Who does not lead tells nothing.", func() { leader.sync(false, false) }, "unknown"},
		{"That there was nothing is told with when that began.", func() {
			leader.sync(true, false)
			other.sync(false, false)
		}, "0 since 26 12:30: others 0"},
		{"The first requests are told at once, by whichever replica they were counted.", func() {
			other.ask("web", 3)
			other.sync(false, false)
			s.now = s.now.Add(6 * time.Second)
			leader.sync(true, false)
		}, "3 since 26 12:30: web 3 others 0"},
		{"More are not written before a minute is over.", func() {
			version := s.version(t)
			other.ask("web", 1)
			leader.ask("api", 2)
			s.now = s.now.Add(30 * time.Second)
			other.sync(false, false)
			leader.sync(true, false)
			if s.version(t) != version {
				t.Error("the ConfigMap was written")
			}
		}, "3 since 26 12:30: web 3 others 0"},
		{"After a minute they are.", func() {
			s.now = s.now.Add(time.Minute)
			other.sync(false, false)
			leader.sync(true, false)
		}, "6 since 26 12:30: web 4 api 2 others 0"},
		{"Where nothing is new nothing is written.", func() {
			version := s.version(t)
			for range 5 {
				s.now = s.now.Add(time.Minute)
				other.sync(false, false)
				leader.sync(true, false)
			}
			if s.version(t) != version {
				t.Error("the ConfigMap was written")
			}
		}, "6 since 26 12:30: web 4 api 2 others 0"},
		{"What a replica counts until its end is not lost, and not counted twice.", func() {
			other.ask("web", 5)
			other.ask("", 1)
			other.sync(false, true)
			other.sync(false, true)
			s.now = s.now.Add(time.Minute)
			leader.sync(true, false)
		}, "12 since 26 12:30: web 9 api 2 others 1"},
		{"Nor is it when all replicas are new.", func() {
			leader.ask("web", 1)
			leader.sync(true, true)
			leader = s.start(t)
			leader.sync(true, false)
		}, "13 since 26 12:30: web 10 api 2 others 1"},
		{"A leader of yesterday tells nothing.", func() { leader.sync(false, false) }, "unknown"},
		{"A policy that is another begins anew.", func() {
			leader.policy.Revision = "r2"
			leader.sync(true, false)
		}, "0 since 26 12:37: others 0"},
		{"What it is again, it was.", func() {
			leader.policy.Revision = "r1"
			leader.sync(true, false)
		}, "13 since 26 12:30: web 10 api 2 others 1"},
		{"Of a policy that denies everywhere nothing is told.", func() {
			leader.policy.Enforcement = v1alpha1.Deny
			leader.sync(true, false)
		}, "nothing"},
		{"Somewhere it does not.", func() { leader.policy.Spec.Scopes = []v1alpha1.Scope{{Enforcement: v1alpha1.DryRun}} }, "13 since 26 12:30: web 10 api 2 others 1"},
		{"A day later, to the hour, it is over.", func() {
			s.now = s.now.Add(23 * time.Hour)
			leader.ask("late", 1)
			leader.sync(true, false)
		}, "14 since 26 12:30: web 10 api 2 late 1 others 1"},
		{"", func() {
			s.now = s.now.Add(time.Hour)
			leader.sync(true, false)
		}, "1 since 26 13:00: late 1 others 0"},
	}
	for _, step := range steps {
		step.do()
		if got := leader.told(); got != step.want {
			t.Errorf("%s\ngot %q, want %q", step.reason, got, step.want)
		}
	}
}

// TestAdmissionsAtOnce has replicas write at the same time.
func TestAdmissionsAtOnce(t *testing.T) {
	s := newShared(t)
	const replicas, rounds = 3, 20
	done := make(chan error, replicas)
	for i := range replicas {
		c := s.start(t)
		go func() {
			var err error
			for range rounds {
				c.ask(fmt.Sprint("web-", i), 1)
				if failed := c.Sync(t.Context(), false, true); failed != nil {
					err = failed // what was not written is written with the next
				}
			}
			for range 10 * rounds {
				if err = c.Sync(t.Context(), false, true); err == nil {
					break
				}
			}
			done <- err
		}()
	}
	for range replicas {
		must(t, <-done)
	}
	leader := s.start(t)
	leader.sync(true, false)
	if got, want := leader.told(), "60 since 26 12:30: web-0 20 web-1 20 web-2 20 others 0"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestManyOwners tells of those with the most requests, whenever they came.
func TestManyOwners(t *testing.T) {
	s := newShared(t)
	c := s.start(t)
	for i := range 1000 {
		c.ask(fmt.Sprintf("job-%04d", i), 1)
		if i >= 500 && i%10 == 0 {
			c.ask("often", 1)
		}
		if i%100 == 0 {
			c.sync(false, true)
		}
	}
	c.sync(true, false)
	day, _ := c.Of(c.policy)
	total := day.OtherRequests
	for _, o := range day.Owners {
		total += o.Requests
	}
	if day.Requests != 1050 || total != 1050 || len(day.Owners) != 10 || day.Owners[0].Name != "often" || day.Owners[0].Requests < 30 {
		t.Errorf("got %+v", day)
	}
}

// TestBrokenDays goes on where the ConfigMap has what nobody can read, or is not there.
func TestBrokenDays(t *testing.T) {
	s := newShared(t)
	found, err := s.client.Get(t.Context(), "days", metav1.GetOptions{})
	must(t, err)
	found.BinaryData = map[string][]byte{"days": []byte("else")}
	_, err = s.client.Update(t.Context(), found, metav1.UpdateOptions{})
	must(t, err)
	c := s.start(t)
	c.ask("web", 1)
	if err := c.Sync(t.Context(), true, false); err == nil {
		t.Error("nobody is told of what cannot be read")
	}
	s.now = s.now.Add(time.Minute)
	c.sync(true, false)
	if got, want := c.told(), "1 since 26 12:30: web 1 others 0"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}

	lost, err := audit.NewAdmissions(audit.AdmissionsConfig{Policies: func() []engine.Info { return []engine.Info{s.policy} }, Client: s.client, Name: "none"})
	must(t, err)
	if err := lost.Sync(t.Context(), true, false); err == nil {
		t.Error("a ConfigMap that is not there is no error")
	}
	if _, known := lost.Of(s.policy); known {
		t.Error("who has not read what others counted tells of it")
	}

	alone, err := audit.NewAdmissions(audit.AdmissionsConfig{Policies: func() []engine.Info { return []engine.Info{s.policy} }})
	must(t, err)
	alone.Add([]engine.PolicyRevision{{Policy: "probes", Revision: "r1"}}, ownerOf("web"))
	must(t, alone.Sync(t.Context(), true, false))
	if day := alone.Days()["probes"]; !cmp.Equal(day.Requests, int64(1)) {
		t.Errorf("without a ConfigMap: %+v", day)
	}
}
