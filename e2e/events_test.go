package e2e_test

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// TestEvents has a controller and a person make what is denied. Of the one nobody
// would hear, so an Event is written where people look; so it is of the other.
func TestEvents(t *testing.T) {
	s := newStage(t, "events")
	s.must(t, "create", "configmap", "old")
	s.guard(t, testdata("policies", "told"))
	deployment := fromYAML(t, read(t, "workloads", "deployment-mended.yaml"))
	labels(deployment, "spec", "template", "metadata")["blocked"] = "yes"

	const blocked = `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new", "labels": {"blocked": "yes"}}}`
	s.kubectlWith(t, blocked, "create", "--dry-run=server", "-f", "-").denied(t, "A dry run is denied, and no Event is written of it.")
	s.kubectl(t, "label", "configmap", "old", "blocked=yes").denied(t, "It is there already.")
	s.kubectlWith(t, encode(t, deployment), "create", "-f", "-").admitted(t, "The Deployment has the label in its template alone.")
	await(t, "an Event on each", func() bool { return len(s.told(t)) >= 2 })

	uid := func(name string) string { return at(s.get(t, name), "metadata", "uid").(string) }
	want := map[string]string{
		"ConfigMap/old " + uid("configmap/old"):                 "Update PolicyViolation told ConfigMap events/old breaks 1 policy (1 violation):",
		"Deployment/deployment " + uid("deployment/deployment"): "Create PolicyViolation told Pod events/… breaks 1 policy (1 violation):",
	}
	if diff := gocmp.Diff(want, s.told(t)); diff != "" {
		t.Errorf("events: -want, +got:\n%s", diff)
	}
	s.kubectlWith(t, blocked, "create", "-f", "-").denied(t, "What does not exist is told of by its name.")
	await(t, "an Event on it", func() bool {
		return strings.Contains(s.must(t, "events", "--for", "configmap/new"), "told  metadata.labels.blocked: it is blocked")
	})
}

// told returns the Events of Lintel in the stage's namespace, by kind, name and uid of
// what they are on: action, reason, policy and first line.
func (s *stage) told(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, e := range s.list(t, "apis/events.k8s.io/v1", "events") {
		if e["reportingController"] != "lintel" {
			continue
		}
		line, _, _ := strings.Cut(at(e, "note").(string), "\n")
		if pod, ok := strings.CutPrefix(line, "Pod events/deployment-"); ok {
			_, rest, _ := strings.Cut(pod, " ")
			line = "Pod events/… " + rest
		}
		uid, _ := at(e, "regarding", "uid").(string)
		found[fmt.Sprintf("%s/%s %s", at(e, "regarding", "kind"), at(e, "regarding", "name"), uid)] = fmt.Sprintf("%s %s %s %s",
			e["action"], e["reason"], at(e, "related", "name"), line)
	}
	return found
}

// TestManyEvents has a hundred requests a second denied, for one object and for ever
// others: the Events are few and small, and all that is answered is the denial.
// LINTEL_FLOOD has it go on for longer, such as 10m.
func TestManyEvents(t *testing.T) {
	s := newStage(t, "many-events")
	s.guard(t, testdata("policies", "told"))
	flood, err := time.ParseDuration(cmp.Or(os.Getenv("LINTEL_FLOOD"), "6s"))
	if err != nil {
		t.Fatal(err)
	}
	const clients, pause = 4, 40 * time.Millisecond // each sends 25 a second
	begin := time.Now()
	var all sync.WaitGroup
	var sent atomic.Int64
	for client := range clients {
		all.Go(func() {
			tick := time.NewTicker(pause)
			defer tick.Stop()
			for i := 0; time.Since(begin) < flood; i++ {
				name := "same"
				if i%2 == 1 {
					name = fmt.Sprintf("other-%d-%d", client, i)
				}
				body := `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "` + name + `", "labels": {"blocked": "yes"}}}`
				code, answer := s.send(t, http.MethodPost, "/api/v1/namespaces/many-events/configmaps", "application/json", body)
				if code != http.StatusForbidden {
					t.Errorf("status %d, want a denial: %v", code, answer)
				}
				sent.Add(1)
				<-tick.C
			}
		})
	}
	all.Wait()
	await(t, "some Events", func() bool { return len(s.told(t)) > 10 })
	time.Sleep(time.Until(begin.Add(12 * time.Second))) // time for too many: clients of the API write five a second
	count, size := map[string]int{}, 0
	for _, e := range s.list(t, "apis/events.k8s.io/v1", "events") {
		count["all"]++
		count[at(e, "regarding", "name").(string)]++
		size += len(encode(t, e))
	}
	t.Logf("of %d requests within %s there are %d Events of %d bytes", sent.Load(), flood, count["all"], size)
	// Twenty at once, and then one a second.
	if most := 21 + int(time.Since(begin).Seconds()); count["all"] > most || size > most*(2<<10) {
		t.Errorf("of %d requests there are %d Events of %d bytes, want %d at most, of 2 KiB each", sent.Load(), count["all"], size, most)
	}
	if count["same"] != 1 {
		t.Errorf("of one object there are %d Events, want 1", count["same"])
	}
}
