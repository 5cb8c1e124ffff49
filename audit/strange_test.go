package audit_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lintel-policy/lintel/audit"
	"github.com/lintel-policy/lintel/engine"
)

// widgetCRD defines widgets, of which anything is taken. %s is how they are converted.
const widgetCRD = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget}
  conversion: %s
  versions:
  - {name: v1, served: true, storage: false, schema: &schema {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
  - {name: v2, served: true, storage: true, schema: *schema}
`

const (
	sameVersion = `{strategy: None}`
	// Nobody is there who converts.
	noConversion = `{strategy: Webhook, webhook: {conversionReviewVersions: [v1], clientConfig: {url: "https://localhost:1/"}}}`
)

func defineWidgets(t *testing.T, conversion string) {
	t.Helper()
	kubectl(t, fmt.Sprintf(widgetCRD, conversion), "apply", "-f", "-")
	kubectl(t, "", "wait", "--for=condition=Established", "crd/widgets.example.com")
}

// ownedWidgets asks for owners of widgets too.
var ownedWidgets = strings.Replace(owned, "[ConfigMap, PersistentVolumeClaim]}", `[ConfigMap, PersistentVolumeClaim]}
#     - {apiGroups: [example.com], kinds: [Widget]}`, 1)

// TestStrangeObjects audits objects as deep, large and oddly named as the API server takes
// them, those that are there and those that come; a kind that vanishes, or that nobody
// converts any more, is no matter for the rest.
func TestStrangeObjects(t *testing.T) {
	client := newClient(t)
	namespace(t, client, "strange", nil)
	defineWidgets(t, sameVersion)
	make := func(name, spec string) {
		t.Helper()
		body := `{"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "` + name + `"}, "spec": ` + spec + `}`
		await(t, func() error { // the API server may not know the kind yet
			err := client.CoreV1().RESTClient().Post().AbsPath("/apis/example.com/v1/namespaces/strange/widgets").SetHeader("Content-Type", "application/json").Body([]byte(body)).Do(t.Context()).Error()
			if err != nil && len(err.Error()) > 300 {
				return fmt.Errorf("%.300s", err.Error())
			}
			return err
		})
	}
	deepest := strings.Repeat("[", 9999) + strings.Repeat("]", 9999)
	make("deep-before", deepest)
	make(strings.Repeat("long.", 50)+"is", `{"text": "`+strings.Repeat("x", 1<<20)+`", "`+strings.Repeat("key", 10_000)+`": [1e300, -0.0, 18446744073709551616, "\u0000\u202e"]}`)
	create(t, client, "strange", "bare")
	p := paint(t, client, compile(t, ownedWidgets), "strange", widgets, configMaps)
	p.awaitFinding(t, "strange", "deep-before", strings.Repeat("long.", 50)+"is", "bare")
	make("deep-later", deepest)
	make("later", "null")
	p.awaitFinding(t, "strange", "deep-later", "later")
	if got := p.Progress(); got.Unlisted != 0 {
		t.Errorf("progress %+v", got)
	}

	defineWidgets(t, noConversion)
	p.swap(compile(t, strings.ReplaceAll(ownedWidgets, "owner", "keeper")))
	p.awaitMessage(t, "strange", "bare: keeper is missing")
	await(t, func() error {
		if got := p.Progress(); got.Unlisted != 1 {
			return fmt.Errorf("progress %+v", got)
		}
		return nil
	})
	defineWidgets(t, sameVersion)
	p.awaitMessage(t, "strange", "deep-later: keeper is missing")
	kubectl(t, "", "delete", "crd", "widgets.example.com", "--wait=false")
	create(t, client, "strange", "last")
	p.awaitFinding(t, "strange", "last")
}

// awaitMessage waits until something breaks the policy with a message.
func (p *picture) awaitMessage(t *testing.T, namespace, message string) {
	t.Helper()
	await(t, func() error {
		if got := p.broken(namespace); !strings.Contains("\n"+strings.Join(got, "\n")+"\n", "\n"+message+"\n") {
			return fmt.Errorf("%q is not among %q", message, got)
		}
		return nil
	})
}

// everyKey has something to say of each key of a ConfigMap, in many words.
const everyKey = `# METADATA
# custom: {severity: low, enforcement: deny, match: {kinds: [{apiGroups: [""], kinds: [ConfigMap]}]}}
package lintel.owned

violation contains {"msg": msg, "path": ["data", key]} if {
	some key, text in input.review.object.data
	msg := sprintf("%s is %s", [key, text])
}
`

// TestManyViolations has one object violate a policy ten thousand times, and with long
// texts: the worst are kept, and all are counted.
func TestManyViolations(t *testing.T) {
	client := newClient(t)
	namespace(t, client, "verbose", nil)
	data := map[string]string{"a": strings.Repeat("é", 50_000)}
	for i := range 10_000 {
		data[fmt.Sprintf("key-%d", i)] = "v"
	}
	_, err := client.CoreV1().ConfigMaps("verbose").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "verbose"}, Data: data}, metav1.CreateOptions{})
	must(t, err)
	p := printing(t, client, compile(t, everyKey), "verbose", 100*time.Millisecond, nil)
	r := awaitSummary(t, "verbose", 1)
	first, last := r.Results[0], r.Results[len(r.Results)-1]
	if len(r.Results) != 101 || last.Properties["omitted"] != "9901" {
		t.Errorf("%d results, the last %+v", len(r.Results), last)
	}
	if got := first.Description; len(got) > 1<<10 || !strings.HasSuffix(got, "é…") {
		t.Errorf("the first says %q", got)
	}
	for _, space := range p.Spaces() {
		if space.Namespace == "verbose" && (len(space.Findings) != 1 || len(space.Findings[0].Violations) != 100 || space.Findings[0].Left != 9901) {
			t.Errorf("known: %+v", space)
		}
	}
}

// TestNothingIsLost has a change come while all reviewers are busy and a namespace gets
// other labels, so that the watch is given up: the change is reviewed all the same.
func TestNothingIsLost(t *testing.T) {
	client := newClient(t)
	namespace(t, client, "relabelled", nil)
	namespace(t, client, "changed", nil)
	busy := make(chan struct{})
	var isBusy atomic.Bool
	var revision atomic.Int64 // of the policies about ConfigMaps
	p := paintWith(t, client, compile(t, owned), "relabelled", func(cfg *audit.BackgroundConfig) {
		cfg.Busy = func() bool {
			if isBusy.Load() {
				select {
				case <-busy:
				case <-t.Context().Done():
				}
			}
			return false
		}
		cfg.Kinds = func(*engine.Set) []audit.Watched {
			return []audit.Watched{{Kind: configMaps, Revision: fmt.Sprint(revision.Load())}, {Kind: claims}}
		}
	})
	p.label(t, "changed", `{}`)
	makeMaps(t, client, "relabelled", 2*runtime.GOMAXPROCS(0))
	claim := func(namespace, name string) {
		t.Helper()
		kubectl(t, `{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "`+name+`"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}`,
			"create", "-n", namespace, "-f", "-")
	}
	claim("relabelled", "first")
	claim("changed", "first")
	p.awaitFinding(t, "relabelled", "map-0000", "first")
	p.awaitFinding(t, "changed", "first")

	isBusy.Store(true)
	revision.Add(1)
	p.changed <- struct{}{} // ConfigMaps are listed, and keep all busy
	time.Sleep(time.Second)
	claim("changed", "second")
	time.Sleep(time.Second) // it waits for a reviewer
	p.label(t, "relabelled", `{"yet": "another"}`)
	time.Sleep(time.Second) // the watch is given up
	isBusy.Store(false)
	close(busy)
	p.awaitFinding(t, "changed", "second")
}
