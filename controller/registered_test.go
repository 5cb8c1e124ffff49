package controller_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
)

// templated is about a kind that nothing else in these tests uses, so that an entry
// that nobody answers holds up nothing else. It has all three entries.
const templated = `# METADATA
# custom:
#   match: {kinds: [{apiGroups: [""], kinds: [PodTemplate]}]}
package lintel.templated

violation contains {"msg": "never"} if input.review.object.metadata.name == ""

patch contains {"path": ["metadata", "labels", "seen"], "value": "yes"}
`

// registrar configures a Registrar with both configurations under a name of its own.
func registrar(t *testing.T, name string) (controller.RegistrarConfig, *kubernetes.Clientset) {
	t.Helper()
	cfg := shared.Cluster(t).Config()
	client := kubernetes.NewForConfigOrDie(cfg)
	set, err := engine.Compile(engine.Config{Policies: []engine.Policy{policy(templated, v1alpha1.PolicySpec{})}})
	must(t, "compile", err)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		_ = client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Delete(ctx, name, metav1.DeleteOptions{})
		_ = client.AdmissionregistrationV1().MutatingWebhookConfigurations().Delete(ctx, name, metav1.DeleteOptions{})
	})
	return controller.RegistrarConfig{
		Client: client.AdmissionregistrationV1(), Discovery: client.DiscoveryClient, Set: func() *engine.Set { return set },
		Target: at("https://127.0.0.1:1"), APIServer: cfg.Host, Name: name, FailClosed: true, Refresh: 20 * time.Millisecond,
	}, client
}

// A watched is a Registrar that runs, and is seen to.
type watched struct {
	*controller.Registrar
	rounds *atomic.Int64
	stop   func() // ends it as a crash does, without removing anything
}

// watch runs a Registrar until the test ends or it is stopped.
func watch(t *testing.T, cfg controller.RegistrarConfig) watched {
	t.Helper()
	rounds := &atomic.Int64{}
	cfg.Discovered = func(*controller.Catalog) { rounds.Add(1) }
	r, err := controller.NewRegistrar(cfg)
	must(t, "make registrar", err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil && ctx.Err() == nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(stop)
	return watched{r, rounds, stop}
}

// pass waits until it has looked several times more.
func (w watched) pass(t *testing.T) {
	t.Helper()
	until := w.rounds.Load() + 4
	eventually(t, "the registrar to look again", func() bool { return w.rounds.Load() >= until })
}

// validating returns a configuration that has to be there.
func validating(t *testing.T, client kubernetes.Interface, name string) *admissionv1.ValidatingWebhookConfiguration {
	t.Helper()
	v, err := client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(t.Context(), name, metav1.GetOptions{})
	must(t, "get validating configuration", err)
	return v
}

// exist says which of the two configurations there are.
func exist(t *testing.T, client kubernetes.Interface, name string) string {
	t.Helper()
	_, v := client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(t.Context(), name, metav1.GetOptions{})
	_, m := client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(t.Context(), name, metav1.GetOptions{})
	var found []string
	for what, err := range map[string]error{"validating": v, "mutating": m} {
		if err == nil {
			found = append(found, what)
		} else if !apierrors.IsNotFound(err) {
			t.Fatal(err)
		}
	}
	if len(found) == 2 {
		return "both"
	}
	return strings.Join(found, "")
}

// kubectl does what a person does, and has to succeed.
func kubectl(t *testing.T, args ...string) {
	t.Helper()
	if _, stderr, code := shared.Cluster(t).Kubectl(t.Context(), nil, args...); code != 0 {
		t.Fatalf("kubectl %s: %s", strings.Join(args, " "), stderr)
	}
}

// TestClosesOnceAsked holds that an entry which nobody has answered yet stops
// nothing, and that one which somebody has answered stays closed, over a restart too.
func TestClosesOnceAsked(t *testing.T) {
	cfg, client := registrar(t, "asked")
	failure := func() string {
		w := validating(t, client, "asked").Webhooks
		return fmt.Sprint(*w[0].FailurePolicy, " ", *w[1].FailurePolicy)
	}
	asked := make(chan struct{})
	cfg.Asked, cfg.Refresh = asked, time.Hour
	first := watch(t, cfg)
	eventually(t, "both configurations", func() bool { return exist(t, client, "asked") == "both" })
	if got := failure(); got != "Ignore Ignore" {
		t.Errorf("before the first review the entries are %s, want both to ignore", got)
	}
	close(asked)
	eventually(t, "what denies to fail closed, at once", func() bool { return failure() == "Fail Ignore" })
	first.stop()

	cfg.Asked = make(chan struct{})
	cfg.Target.CABundle = func() []byte { return []byte("another") }
	second := watch(t, cfg)
	eventually(t, "the second to register", func() bool { return string(second.Bundle()) == "another" })
	if got := failure(); got != "Fail Ignore" {
		t.Errorf("after a restart the entries are %s, though it was closed before", got)
	}
	second.stop()

	cfg.FailClosed = false
	r, err := controller.NewRegistrar(cfg)
	must(t, "make registrar", err)
	_, err = r.Register(t.Context())
	must(t, "register", err)
	if got := failure(); got != "Ignore Ignore" {
		t.Errorf("where it is to fail open the entries are %s", got)
	}
}

// TestClosesWhenAskedMeanwhile holds that a first review which comes in while the
// entries are being made is not overlooked until the next look.
func TestClosesWhenAskedMeanwhile(t *testing.T) {
	cfg, client := registrar(t, "meanwhile")
	kubectl(t, "create", "clusterrole", "meanwhile", "--verb=get", "--resource=pods")
	asked := make(chan struct{})
	review := sync.OnceFunc(func() { close(asked) })
	owner := controller.ClusterRoleOwner(client.RbacV1().ClusterRoles(), "meanwhile")
	// The owner is asked for when it has been settled how the entries fail.
	cfg.Owner = func(ctx context.Context) (*metav1.OwnerReference, error) {
		review()
		return owner(ctx)
	}
	cfg.Asked, cfg.Refresh = asked, time.Hour
	watch(t, cfg)
	eventually(t, "what denies to fail closed", func() bool {
		return exist(t, client, "meanwhile") == "both" && *validating(t, client, "meanwhile").Webhooks[0].FailurePolicy == admissionv1.Fail
	})
}

// stranger is an entry of somebody else.
const stranger = `{"name": "stranger.example.com", "clientConfig": {"url": "https://127.0.0.1:1"}, "sideEffects": "None", "admissionReviewVersions": ["v1"]}`

// TestEdits holds that what is edited is put right, and what is right left alone.
func TestEdits(t *testing.T) {
	cfg, client := registrar(t, "edits")
	kubectl(t, "create", "clusterrole", "edits", "--verb=get", "--resource=pods")
	cfg.Owner = controller.ClusterRoleOwner(client.RbacV1().ClusterRoles(), "edits")
	r, err := controller.NewRegistrar(cfg)
	must(t, "make registrar", err)
	_, err = r.Register(t.Context())
	must(t, "register", err)
	// seen is what matters of both, and, last, what tells whether they were written.
	seen := func() []any {
		v := validating(t, client, "edits")
		m, err := client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(t.Context(), "edits", metav1.GetOptions{})
		must(t, "get", err)
		return []any{v.Webhooks, m.Webhooks, v.OwnerReferences, m.OwnerReferences, v.ResourceVersion + " " + m.ResourceVersion}
	}
	cases := map[string]struct{ reason, kind, patch string }{
		"CABundle":      {"The API server trusts what it is told to.", "validating", `{"op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": "eQ=="}`},
		"URL":           {"Nobody else is to be asked.", "validating", `{"op": "replace", "path": "/webhooks/1/clientConfig/url", "value": "https://127.0.0.1:2"}`},
		"Rules":         {"What is asked about is what policies match.", "validating", `{"op": "replace", "path": "/webhooks/0/rules/0/resources", "value": ["pods"]}`},
		"Operations":    {"So are the operations.", "validating", `{"op": "replace", "path": "/webhooks/0/rules/0/operations", "value": ["CREATE"]}`},
		"FailurePolicy": {"What has been closed stays so.", "validating", `{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Ignore"}`},
		"Timeout":       {"Nobody waits for longer.", "validating", `{"op": "replace", "path": "/webhooks/0/timeoutSeconds", "value": 30}`},
		"Namespaces":    {"What is left out are the namespaces that a cluster needs.", "validating", `{"op": "replace", "path": "/webhooks/0/namespaceSelector", "value": {"matchLabels": {"a": "b"}}}`},
		"WayOut":        {"No label is a way out.", "validating", `{"op": "replace", "path": "/webhooks/0/objectSelector", "value": {"matchLabels": {"a": "b"}}}`},
		"NoObject":      {"Nor is what opens the gate, without a word of why.", "validating", `{"op": "replace", "path": "/webhooks/0/objectSelector", "value": {"matchExpressions": [{"key": "lintel.dev/breakglass", "operator": "Exists"}, {"key": "lintel.dev/breakglass", "operator": "DoesNotExist"}]}}`},
		"MatchPolicy":   {"Another version of a kind is no way out.", "validating", `{"op": "replace", "path": "/webhooks/0/matchPolicy", "value": "Exact"}`},
		"Condition":     {"Nor is a condition that somebody adds.", "validating", `{"op": "add", "path": "/webhooks/0/matchConditions/-", "value": {"name": "mine", "expression": "false"}}`},
		"NoCondition":   {"Who is never held up is still not.", "validating", `{"op": "remove", "path": "/webhooks/0/matchConditions/0"}`},
		"Entry":         {"An entry of somebody else has no place here.", "validating", `{"op": "add", "path": "/webhooks/-", "value": ` + stranger + `}`},
		"NoEntry":       {"An entry that is removed comes back.", "validating", `{"op": "remove", "path": "/webhooks/0"}`},
		"Owner":         {"It goes with the installation.", "validating", `{"op": "remove", "path": "/metadata/ownerReferences"}`},
		"PatchClosed":   {"Nothing waits for patches.", "mutating", `{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Fail"}`},
		"PatchEntry":    {"Patching has but one entry.", "mutating", `{"op": "add", "path": "/webhooks/-", "value": ` + stranger + `}`},
		"PatchOwner":    {"It goes with the installation, too.", "mutating", `{"op": "remove", "path": "/metadata/ownerReferences"}`},
	}
	want := seen()
	if owners, ok := want[2].([]metav1.OwnerReference); !ok || len(owners) != 1 || owners[0].Kind != "ClusterRole" || owners[0].Name != "edits" {
		t.Errorf("owners: got %+v, want the ClusterRole", want[2])
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			kubectl(t, "patch", tc.kind+"webhookconfiguration", "edits", "--type=json", "-p", "["+tc.patch+"]")
			if cmp.Equal(want[:4], seen()[:4]) {
				t.Fatalf("%s\nthe edit changes nothing", tc.reason)
			}
			_, err := r.Register(t.Context())
			must(t, "register", err)
			right := seen()
			if diff := cmp.Diff(want[:4], right[:4]); diff != "" {
				t.Errorf("%s\n-before, +after the edit was to be put right:\n%s", tc.reason, diff)
			}
			_, err = r.Register(t.Context())
			must(t, "register again", err)
			if diff := cmp.Diff(right, seen()); diff != "" {
				t.Errorf("%s\nwhat is right is written again:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestOwnerIsMissing holds that nothing is registered that would not go with the
// installation.
func TestOwnerIsMissing(t *testing.T) {
	cfg, client := registrar(t, "ownerless")
	cfg.Owner = controller.ClusterRoleOwner(client.RbacV1().ClusterRoles(), "ownerless")
	r, err := controller.NewRegistrar(cfg)
	must(t, "make registrar", err)
	if _, err := r.Register(t.Context()); err == nil || !strings.Contains(err.Error(), `find the owner of the registration: clusterroles.rbac.authorization.k8s.io "ownerless" not found`) {
		t.Errorf("without its owner: got error %v, want one that says who is missing", err)
	}
	if got := exist(t, client, "ownerless"); got != "" {
		t.Errorf("without its owner there are registrations: %s", got)
	}
	_, err = client.RbacV1().ClusterRoles().Create(t.Context(), &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "ownerless"}}, metav1.CreateOptions{})
	must(t, "create owner", err)
	_, err = r.Register(t.Context())
	must(t, "register", err)
}

// A clock is set by hand.
type clock struct{ passed atomic.Int64 }

func (c *clock) now() time.Time {
	return time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(c.passed.Load()))
}

func (c *clock) advance(d time.Duration) { c.passed.Add(int64(d)) }

// TestDeletedByHand holds that who deletes a registration by hand has half an hour,
// whether Lintel is restarted meanwhile or was not there at all.
func TestDeletedByHand(t *testing.T) {
	cases := map[string]struct {
		reason string
		delete []string // kinds
		left   string
	}{
		"Both":       {"Who deletes both opens the gate.", []string{"validating", "mutating"}, ""},
		"Validating": {"So does who deletes just what denies.", []string{"validating"}, "mutating"},
		"Mutating":   {"What patches stays away for as long.", []string{"mutating"}, "validating"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			own := "deleted-" + strings.ToLower(name)
			cfg, client := registrar(t, own)
			kubectl(t, "create", "configmap", own)
			metrics, now := prometheus.NewRegistry(), &clock{}
			cfg.Now, cfg.Metrics, cfg.Events = now.now, metrics, recorder(t, client)
			cfg.Memory = controller.ConfigMapMemory{Client: client.CoreV1().ConfigMaps("default"), Name: own}
			kept := func() map[string]string {
				cm, err := client.CoreV1().ConfigMaps("default").Get(t.Context(), own, metav1.GetOptions{})
				must(t, "get ConfigMap", err)
				return cm.Data
			}
			remove := func() {
				for _, kind := range tc.delete {
					kubectl(t, "delete", kind+"webhookconfiguration", own)
				}
			}
			isOpen := func(r watched, when string) {
				t.Helper()
				r.pass(t)
				if got := exist(t, client, own); got != tc.left {
					t.Errorf("%s\n%s there is %q, want %q", tc.reason, when, got, tc.left)
				}
			}
			r := watch(t, cfg)
			eventually(t, "what is registered to be kept in mind", func() bool { return kept()["registered"] == "true" })
			remove()
			eventually(t, "the deletion to be seen", func() bool { return kept()["open-until"] == "2027-01-01T00:30:00Z" })
			isOpen(r, "after the deletion")
			hasGauge(t, metrics, now.now().Add(30*time.Minute).Unix())
			if got := openings(t, metrics, "deleted"); got != 1 {
				t.Errorf("%s\nopenings: got %d, want one", tc.reason, got)
			}
			told := twice("Deleted by hand: the gate is open until 2027-01-01T00:30:00Z. Then it is put back.")
			if diff := cmp.Diff(told, notes(t, client, own, "RegistrationDeleted", 2)); diff != "" {
				t.Errorf("%s\nEvents: -want, +got:\n%s", tc.reason, diff)
			}
			now.advance(29*time.Minute + 59*time.Second)
			isOpen(r, "a second before the end")

			r.stop()
			cfg.Metrics = nil
			r = watch(t, cfg)
			isOpen(r, "after a restart")
			now.advance(time.Second)
			eventually(t, "the gate to close", func() bool { return exist(t, client, own) == "both" })
			eventually(t, "the deletion to be forgotten", func() bool { return kept()["open-until"] == "" })
			notes(t, client, own, "RegistrationPutBack", 2)

			r.stop()
			remove()
			r = watch(t, cfg)
			isOpen(r, "after a deletion while nobody was there")
			r.stop()
		})
	}
}

// hasGauge holds the metric that an alert watches to a value.
func hasGauge(t *testing.T, metrics prometheus.Gatherer, want int64) {
	t.Helper()
	const name = "lintel_registration_open_until_seconds"
	text := fmt.Sprintf("# HELP %s Until when nothing is held to policies because somebody has opened the gate, in seconds since 1970; 0 if it is closed. Only the leader knows.\n"+
		"# TYPE %s gauge\n%s %d\n", name, name, name, want)
	if err := testutil.GatherAndCompare(metrics, strings.NewReader(text), name); err != nil {
		t.Error(err)
	}
}

// TestMemoryIsBroken holds that nothing is registered by a memory that cannot be read.
func TestMemoryIsBroken(t *testing.T) {
	cases := map[string]struct {
		reason string
		data   map[string]string // nil: there is no ConfigMap
		want   string
	}{
		"Garbage": {
			reason: "Nobody knows until when the gate was to be open.",
			data:   map[string]string{"registered": "true", "open-until": "tomorrow"},
			want:   `read what was registered: ConfigMap "garbage": open-until is no time: remove it`,
		},
		"Missing": {
			reason: "What is not there cannot be written either.",
			want:   `read what was registered: configmaps "missing" not found`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			own := strings.ToLower(name)
			cfg, client := registrar(t, own)
			cfg.Memory = controller.ConfigMapMemory{Client: client.CoreV1().ConfigMaps("default"), Name: own}
			if tc.data != nil {
				_, err := client.CoreV1().ConfigMaps("default").Create(t.Context(),
					&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: own}, Data: tc.data}, metav1.CreateOptions{})
				must(t, "create ConfigMap", err)
			}
			r, err := controller.NewRegistrar(cfg)
			must(t, "make registrar", err)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if err := r.Run(ctx); err == nil || err.Error() != tc.want {
				t.Errorf("%s\nRun: got %v, want %s", tc.reason, err, tc.want)
			}
			if got := exist(t, client, own); got != "" {
				t.Errorf("%s\nthere are registrations: %s", tc.reason, got)
			}
		})
	}
}

// TestRemoveLeavesAnothers holds that who ends removes nothing that somebody else
// has made anew.
func TestRemoveLeavesAnothers(t *testing.T) {
	cfg, client := registrar(t, "anothers")
	var both []*controller.Registrar
	for range 2 {
		r, err := controller.NewRegistrar(cfg)
		must(t, "make registrar", err)
		_, err = r.Register(t.Context())
		must(t, "register", err)
		if both = append(both, r); len(both) == 1 {
			kubectl(t, "delete", "validatingwebhookconfiguration,mutatingwebhookconfiguration", "anothers")
		}
	}
	must(t, "remove", both[0].Remove(t.Context()))
	if got := exist(t, client, "anothers"); got != "both" {
		t.Errorf("the first removes what the second has made; left is %q", got)
	}
	must(t, "remove", both[1].Remove(t.Context()))
	if got := exist(t, client, "anothers"); got != "" {
		t.Errorf("the second leaves %q, which it has made", got)
	}
}

// onPatch calls a function when a PATCH has been done, and not yet been answered.
type onPatch struct {
	http.RoundTripper
	call func()
}

// RoundTrip implements http.RoundTripper.
func (p onPatch) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := p.RoundTripper.RoundTrip(r)
	if r.Method == http.MethodPatch {
		p.call()
	}
	return response, err
}

// TestEndsWhileItRegisters holds that nothing is left of a Registrar which is told to
// end while it writes, for the first time or again.
func TestEndsWhileItRegisters(t *testing.T) {
	for name, registered := range map[string]bool{"first": false, "again": true} {
		t.Run(name, func(t *testing.T) {
			ctx, end := context.WithCancel(t.Context())
			defer end()
			var ends atomic.Bool
			own := "ends-" + name
			cfg, client := registrar(t, own)
			cut := shared.Cluster(t).Config()
			cut.Wrap(func(next http.RoundTripper) http.RoundTripper {
				return onPatch{next, func() {
					if ends.Load() {
						end()
					}
				}}
			})
			cfg.Client = kubernetes.NewForConfigOrDie(cut).AdmissionregistrationV1()
			r, err := controller.NewRegistrar(cfg)
			must(t, "make registrar", err)
			if registered {
				_, err = r.Register(ctx)
				must(t, "register", err)
				kubectl(t, "patch", "validatingwebhookconfiguration", own, "--type=json", "-p", `[{"op": "remove", "path": "/webhooks/0"}]`)
			}
			ends.Store(true)
			_, err = r.Register(ctx)
			if ctx.Err() == nil {
				t.Fatalf("it was not told to end: %v", err)
			}
			must(t, "remove", r.Remove(ctx))
			if got := exist(t, client, own); got != "" {
				t.Errorf("after the end: got %s, want none", got)
			}
		})
	}
}
