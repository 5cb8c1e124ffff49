//go:build linux

package install_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/lintel-policy/lintel/api/v1alpha1"
)

// permitted lets Lintel read the ConfigMaps of policies.
const permitted = `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: rego, namespace: default}
rules: [{apiGroups: [""], resources: [configmaps], resourceNames: [rego, turned], verbs: [get, list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: rego, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: rego}
subjects: [{kind: ServiceAccount, name: lintel, namespace: lintel-system}]
`

// A changer changes policies as fast as the API server lets it.
type changer struct {
	*fleet
	objects *dynamic.DynamicClient
	whole   *testing.T // with which replicas end
}

// rego denies each Service, and says which text that was.
func rego(text string) string {
	return "package team\n\nviolation contains {\"msg\": \"" + text + "\"}"
}

const notRego = "package team\n\nviolation contains 1 if nothing"

// policyOf is a Policy about a core kind, by a source of Rego as JSON.
func policyOf(name, kind, source string) string {
	return `{"apiVersion": "lintel.dev/v1alpha1", "kind": "Policy", "metadata": {"name": "` + name + `"}, "spec": {"source": ` + source + `,
		"match": {"kinds": [{"apiGroups": [""], "kinds": ["` + kind + `"]}]}, "enforcement": "deny"}}`
}

func fromMap(name string) string {
	return `{"configMapRef": {"namespace": "default", "name": "` + name + `"}}`
}

func modules(texts ...string) string {
	all := []v1alpha1.Module{}
	for i, text := range texts {
		all = append(all, v1alpha1.Module{Name: fmt.Sprintf("m%d.rego", i), Rego: text})
	}
	data, _ := json.Marshal(map[string]any{"modules": all}) //nolint:errchkjson // text
	return string(data)
}

// set gives a Policy another source.
func (c *changer) set(t *testing.T, name, source string) {
	t.Helper()
	fields := map[string]any{"modules": nil, "configMapRef": nil}
	must(t, json.Unmarshal([]byte(source), &fields))
	whole, err := json.Marshal(fields)
	must(t, err)
	_, err = c.objects.Resource(v1alpha1.GroupVersion.WithResource("policies")).
		Patch(t.Context(), name, types.MergePatchType, []byte(`{"spec": {"source": `+string(whole)+`}}`), metav1.PatchOptions{})
	must(t, err)
}

// setMap gives a ConfigMap other Rego, a module of each text.
func (c *changer) setMap(t *testing.T, name string, texts ...string) {
	t.Helper()
	data := map[string]any{"a.rego": nil, "b.rego": nil}
	for i, text := range texts {
		data[string(rune('a'+i))+".rego"] = text
	}
	patch, err := json.Marshal(map[string]any{"data": data})
	must(t, err)
	_, err = c.client.CoreV1().ConfigMaps("default").Patch(t.Context(), name, types.MergePatchType, patch, metav1.PatchOptions{})
	must(t, err)
}

// stream sends two hundred requests a second, each of which has to be right, until the
// function that it returns is called.
func (f *fleet) stream(t *testing.T, object string, right func(error) bool) (*traffic, func()) {
	t.Helper()
	client := kubernetes.NewForConfigOrDie(f.Config())
	tr := &traffic{}
	ctx, stop := context.WithCancel(t.Context())
	var senders sync.WaitGroup
	for range 40 {
		senders.Go(func() {
			for tick := time.NewTicker(200 * time.Millisecond); ctx.Err() == nil; <-tick.C {
				err := ask(context.WithoutCancel(ctx), client, object)
				if tr.sent.Add(1); !right(err) {
					tr.failed.Add(1)
					tr.note("%v", err)
				}
			}
		})
	}
	return tr, func() {
		t.Helper()
		stop()
		senders.Wait()
		if n := tr.failed.Load(); n > 0 || tr.sent.Load() == 0 {
			t.Errorf("of %d requests %d got a wrong answer; first: %s", tr.sent.Load(), n, tr.first)
		}
		t.Logf("%d requests", tr.sent.Load())
	}
}

// ask creates an object by a dry run.
func ask(ctx context.Context, client *kubernetes.Clientset, kind string) error {
	return client.RESTClient().Post().AbsPath("/api/v1/namespaces/default/"+strings.ToLower(kind)+"s").Param("dryRun", "All").
		SetHeader("Content-Type", "application/json").Body([]byte(bodies[kind])).Do(ctx).Error()
}

var bodies = map[string]string{
	"Service":    `{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "asked"}, "spec": {"ports": [{"port": 80}]}}`,
	"LimitRange": `{"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "asked"}}`,
}

// deniedBy returns a check that all of the texts are in a denial.
func deniedBy(texts ...string) func(error) bool {
	return func(err error) bool {
		return apierrors.IsForbidden(err) && !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(err.Error(), text) })
	}
}

// revisions returns what the replicas say they serve, without those that do not answer.
func (f *fleet) revisions() []string {
	found := map[string]bool{}
	for n := range f.replicas {
		if _, revision, ok := strings.Cut(page("http://"+addressOf(n)+":8081/readyz"), "ok\nrevision "); ok {
			found[strings.TrimSpace(revision)] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// condition returns status, reason and message of Ready of a Policy as it is now, and
// its revision; nothing where its status is of another generation.
func (f *fleet) condition(t *testing.T, name string) (text, revision string) {
	t.Helper()
	got := f.must(t, "get", "policies.lintel.dev", name, "-o", `jsonpath={.metadata.generation}|{.status.observedGeneration}|{.status.revision}|`+
		`{range .status.conditions[?(@.type=="Ready")]}{.status} {.reason} {.message}{end}`)
	parts := strings.SplitN(got, "|", 4)
	if parts[0] != parts[1] {
		return "", ""
	}
	return parts[3], parts[2]
}

// awaitCondition waits until Ready of a Policy begins so.
func (f *fleet) awaitCondition(t *testing.T, name, want string) (text, revision string) {
	t.Helper()
	eventually(t, fmt.Sprintf("policy %s to be %s", name, want), func() bool {
		text, revision = f.condition(t, name)
		return strings.HasPrefix(text, want)
	})
	return text, revision
}

// lastLines returns the end of a log, without reviews.
func lastLines(log string, count int) string {
	lines := slices.DeleteFunc(strings.Split(log, "\n"), func(line string) bool { return strings.Contains(line, `"msg":"reviewed"`) })
	return strings.Join(lines[max(0, len(lines)-count):], "\n")
}

// awaitOne waits until all replicas serve one revision, other than some, and returns it.
func (f *fleet) awaitOne(t *testing.T, but string) string {
	t.Helper()
	var got []string
	began := time.Now()
	defer func() {
		if t.Failed() {
			t.Logf("replicas serve %v", got)
			for n, replica := range f.replicas {
				t.Logf("replica %d:\n%s", n, lastLines(replica.Log(), 30))
			}
		}
	}()
	eventually(t, "all replicas to serve one revision", func() bool {
		got = f.revisions()
		return len(got) == 1 && got[0] != but
	})
	t.Logf("all replicas serve %s after %s", got[0], time.Since(began).Round(time.Millisecond))
	return got[0]
}

// TestReplicas follows three replicas while policies change, break and come again, and
// replicas lag behind, restart and crash.
func TestReplicas(t *testing.T) {
	f := newFleet(t)
	f.apply(t)
	c := &changer{f, dynamic.NewForConfigOrDie(f.Config()), t}
	f.applyText(t, permitted)
	f.must(t, "create", "configmap", "rego", "--from-literal=a.rego="+rego("mapped 0"))
	f.applyText(t, policyOf("reloaded", "Service", modules(rego("reloaded 0"))))
	f.applyText(t, policyOf("mapped", "Service", fromMap("rego")))
	for n := range 3 {
		f.start(t, n, "--lame-duck=2s")
	}
	eventually(t, "the gate to be closed", func() bool {
		closed := strings.Contains(f.registration(t, "validatingwebhookconfiguration"), "deny.lintel.dev Fail ")
		return deniedBy("reloaded 0", "mapped 0")(ask(t.Context(), f.client, "Service")) && closed
	})
	t.Run("Parameter", func(t *testing.T) { testParameter(t, c) })
	t.Run("ReadyEverywhere", func(t *testing.T) { testReadyEverywhere(t, c) })
	t.Run("Reloads", func(t *testing.T) { testReloads(t, c) })
	t.Run("Restarts", func(t *testing.T) { testRestarts(t, c) })
	t.Run("Lags", func(t *testing.T) { testLags(t, c) })
	t.Run("LeaderCrashes", func(t *testing.T) { testLeaderCrashes(t, c) })
}

// busy is how many times slower than a machine of its own one may be that runs all tests
// at once.
const busy = 10

// testParameter changes a parameter under load: the verdict follows, and no request
// fails.
func testParameter(t *testing.T, c *changer) {
	const named = "# METADATA\n# custom: {parameters: {type: object, properties: {text: {type: string, default: a}}}}\npackage team\n\nviolation contains {\"msg\": input.parameters.text}"
	c.applyText(t, policyOf("parameter", "LimitRange", modules(named)))
	c.awaitCondition(t, "parameter", "True Compiled")
	_, stop := c.stream(t, "LimitRange", deniedBy("parameter  "))
	var took []time.Duration
	for i := range 5 {
		text := fmt.Sprintf("text %d", i)
		_, err := c.objects.Resource(v1alpha1.GroupVersion.WithResource("policies")).
			Patch(t.Context(), "parameter", types.MergePatchType, []byte(`{"spec": {"parameters": {"text": "`+text+`"}}}`), metav1.PatchOptions{})
		must(t, err)
		began := time.Now()
		// The API server asks any of the replicas; when all agree, all have changed.
		for same := 0; same < 10; same++ {
			if !deniedBy(text)(ask(t.Context(), c.client, "LimitRange")) {
				same = -1
			}
			if time.Since(began) > time.Minute {
				t.Fatal("a parameter has not changed the verdict within a minute")
			}
		}
		took = append(took, time.Since(began).Round(time.Millisecond))
	}
	stop()
	t.Logf("a changed parameter changed the verdict of all replicas within %s; the goal is 2 s", took)
	slices.Sort(took)
	if mostly := took[len(took)/2]; mostly > busy*2*time.Second {
		t.Errorf("a changed parameter mostly takes %s to change the verdict of all replicas", mostly)
	}
	c.must(t, "delete", "policies.lintel.dev", "parameter")
}

// testReadyEverywhere holds that a Policy is ready when every replica serves it, and
// that what they record names the revision.
func testReadyEverywhere(t *testing.T, c *changer) {
	before := c.awaitOne(t, "")
	c.set(t, "reloaded", modules(rego("reloaded ready")))
	began := time.Now()
	_, revision := c.awaitCondition(t, "reloaded", "True Compiled")
	took := time.Since(began).Round(time.Millisecond)
	t.Logf("a changed policy was in force everywhere after %s; the goal is 5 s", took)
	if took > busy*5*time.Second {
		t.Errorf("a changed policy is in force everywhere after %s", took)
	}
	if got := c.revisions(); len(got) != 1 || got[0] != revision || revision == before {
		t.Errorf("a policy is ready by revision %s while replicas serve %v; before they served %s", revision, got, before)
	}
	for range 30 {
		if err := ask(t.Context(), c.client, "Service"); !deniedBy("reloaded ready", "policies "+revision[:7])(err) {
			t.Fatalf("a policy is ready, and a replica says: %v", err)
		}
	}
	records := 0
	for n, replica := range c.replicas {
		for line := range strings.Lines(replica.Log()) {
			var record map[string]any
			if json.Unmarshal([]byte(line), &record) == nil && record["msg"] == "reviewed" && record["door"] != "own" && record["revision"] == nil {
				t.Errorf("replica %d has a record without a revision: %s", n, line)
			}
			if record["revision"] == revision {
				records++
			}
		}
	}
	if records == 0 {
		t.Error("no record names the revision that decided")
	}
}

// testReloads changes two policies ten times a second, half of the time to something
// broken, under load: all requests are denied by both policies. Where the last is broken,
// all replicas go by the same that was well.
func testReloads(t *testing.T, c *changer) {
	// Of what is broken in a Policy itself, its admission would hold up each change.
	c.must(t, "create", "configmap", "turned", "--from-literal=a.rego="+rego("reloaded first"))
	c.set(t, "reloaded", fromMap("turned"))
	c.awaitCondition(t, "reloaded", "True Compiled")
	_, stop := c.stream(t, "Service", deniedBy("reloaded ", "mapped "))
	bad := [][]string{
		{notRego}, {"package lintel.workload\n\nviolation contains {\"msg\": \"no\"}"}, {rego("one"), "package other\n\na := 1"}, {}, {"\x00"}, {rego("cut")[:30]},
	}
	for i := range 40 {
		switch i % 4 {
		case 0:
			c.setMap(t, "turned", rego(fmt.Sprintf("reloaded %d", i)))
		case 1:
			c.setMap(t, "rego", rego(fmt.Sprintf("mapped %d", i)))
		case 2:
			c.setMap(t, "turned", bad[i/4%len(bad)]...)
		case 3:
			c.setMap(t, "rego", rego(fmt.Sprintf("mapped %d", i))[:40]) // half of it
		}
		time.Sleep(100 * time.Millisecond)
	}
	c.setMap(t, "turned", notRego)
	c.must(t, "delete", "configmap", "rego")
	c.awaitOne(t, "")
	c.awaitCondition(t, "mapped", "False Pending")
	c.awaitCondition(t, "reloaded", "False Broken")
	c.awaitOne(t, "")
	stop()
	for n := range c.replicas {
		metrics := page("http://" + addressOf(n) + ":8080/metrics")
		if !strings.Contains(metrics, "\nlintel_policies_broken 1\n") || !strings.Contains(metrics, "\nlintel_policies_pending 1\n") {
			t.Errorf("replica %d has no metric of one policy that is broken, and one that waits", n)
		}
	}
	text, _ := c.condition(t, "reloaded")
	if want := "What was in force before is in force still."; !strings.Contains(text, want) {
		t.Errorf("a policy that is broken: %q, want %q", text, want)
	}
}

// testRestarts replaces all replicas one after another, and then all at once, while
// policies are broken: they are in force as they last were.
func testRestarts(t *testing.T, c *changer) {
	err := ask(t.Context(), c.client, "Service")
	_, stop := c.stream(t, "Service", deniedBy("reloaded ", "mapped "))
	c.start(c.whole, 3, "--lame-duck=2s")
	for n := range 3 {
		must(t, c.replicas[n].Stop())
		delete(c.replicas, n)
		if n < 2 {
			c.start(c.whole, n, "--lame-duck=2s")
		}
	}
	stop()
	c.awaitOne(t, "")
	var ends sync.WaitGroup
	for _, replica := range c.replicas {
		ends.Go(func() { _ = replica.Stop() })
	}
	ends.Wait()
	clear(c.replicas)
	for n := range 3 {
		c.start(c.whole, n, "--lame-duck=2s")
	}
	again := ask(t.Context(), c.client, "Service")
	if !deniedBy("reloaded ", "mapped ")(again) || again.Error() != err.Error() {
		t.Errorf("after a restart: %v\nwant what was before: %v", again, err)
	}
	for _, name := range []string{"reloaded", "mapped"} {
		text, _ := c.awaitCondition(t, name, "False ")
		if want := "What was in force before is in force still."; !strings.Contains(text, want) {
			t.Errorf("policy %s: %q, want %q", name, text, want)
		}
	}
	c.must(t, "delete", "policies.lintel.dev", "mapped")
	c.set(t, "reloaded", modules(rego("reloaded again")))
	c.awaitCondition(t, "reloaded", "True Compiled")
	eventually(t, "a policy that is gone to be forgotten", func() bool {
		return c.must(t, "get", "configmap", "lintel-last-good", "-n", namespace, "-o", "go-template={{range $name, $_ := .binaryData}}{{$name}} {{end}}") == "reloaded "
	})
}

// testLags has a replica go on with policies that nobody else serves, and then go: until
// then what it judges by stays registered, and the others' policies are not ready.
func testLags(t *testing.T, c *changer) {
	before := c.awaitOne(t, "")
	say := func(data string) {
		_, err := c.client.CoreV1().ConfigMaps(namespace).Patch(t.Context(), "lintel-replicas", types.MergePatchType, []byte(`{"data": {"slow": `+data+`}}`), metav1.PatchOptions{})
		must(t, err)
	}
	say(`"` + before + ` 0"`)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	var lagging sync.WaitGroup
	lagging.Go(func() {
		for i := 1; ctx.Err() == nil; i++ {
			say(fmt.Sprintf(`"%s %d"`, before, i))
			time.Sleep(time.Second)
		}
	})
	c.must(t, "patch", "policies.lintel.dev", "reloaded", "--type=merge", `-p={"spec": {"match": {"kinds": [{"apiGroups": [""], "kinds": ["LimitRange"]}]}}}`)
	now := c.awaitOne(t, before)
	text, _ := c.awaitCondition(t, "reloaded", "Unknown Spreading")
	if want := "other policies are served by slow"; !strings.Contains(text, want) {
		t.Errorf("a policy that is not everywhere: %q, want %q", text, want)
	}
	eventually(t, "the registration of what is new", func() bool { return deniedBy("reloaded again")(ask(t.Context(), c.client, "LimitRange")) })
	eventually(t, "the leader to complain", func() bool {
		return slices.ContainsFunc(slices.Collect(maps.Keys(c.replicas)), func(n int) bool {
			return strings.Contains(c.replicas[n].Log(), `"msg":"replicas serve other policies: what these ask for stays registered","revision":"`+now+`","replicas":["slow"]`)
		})
	})
	if got := c.asked(t); got != "limitranges services" {
		t.Errorf("while a replica lags behind, asked about: %s, want both what it judges and what the others do", got)
	}
	if got := page("http://" + addressOf(c.leaders()[0]) + ":8080/metrics"); !strings.Contains(got, "\nlintel_replicas_behind 1\n") {
		t.Error("the leader's metric does not say that one replica lags behind")
	}
	leave()
	lagging.Wait()
	c.awaitCondition(t, "reloaded", "True Compiled")
	if got := c.asked(t); got != "limitranges" {
		t.Errorf("when it is gone, asked about: %s, want just what is judged", got)
	}
	if got := c.must(t, "get", "configmap", "lintel-replicas", "-n", namespace, "-o", "jsonpath={.data.slow}"); got != "" {
		t.Errorf("a replica that is gone is known still: %s", got)
	}
}

// asked returns the resources that the API server asks about for denials.
func (f *fleet) asked(t *testing.T) string {
	t.Helper()
	got := f.must(t, "get", "validatingwebhookconfiguration", "lintel", "-o", `jsonpath={.webhooks[?(@.name=="deny.lintel.dev")].rules[*].resources[*]}`)
	return strings.Join(slices.Sorted(strings.FieldsSeq(got)), " ")
}

// testLeaderCrashes changes a policy while nobody leads: replicas follow all the same,
// and the next leader says so when the last is gone.
func testLeaderCrashes(t *testing.T, c *changer) {
	before := c.awaitOne(t, "")
	eventually(t, "a leader", func() bool { return len(c.leaders()) == 1 })
	leader := c.leaders()[0]
	c.replicas[leader].Kill()
	delete(c.replicas, leader)
	c.set(t, "reloaded", modules(rego("reloaded without a leader")))
	now := c.awaitOne(t, before)
	if _, revision := c.awaitCondition(t, "reloaded", "True Compiled"); revision != now {
		t.Errorf("the next leader says %s, want what is served, %s", revision, now)
	}
	client := &http.Client{Timeout: time.Second}
	for n := range c.replicas {
		if !isOK(client, "http://"+addressOf(n)+":8081/readyz") {
			t.Errorf("replica %d is not ready", n)
		}
	}
}
