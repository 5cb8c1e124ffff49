package manifests_test

import (
	"context"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/e2e/cluster"
	"github.com/lintel-policy/lintel/e2e/cluster/clustertest"
	"github.com/lintel-policy/lintel/engine"
)

// account is the user that Lintel is to the API server.
const account = "system:serviceaccount:" + namespace + ":lintel"

// shared is as strict as clusters are: it rations the priority class of Lintel's
// pods, as GKE does, and lets only those who may delete an object change who owns
// it, as OpenShift does.
var shared = clustertest.New(cluster.Config{
	Controllers: true, AdmissionConfig: absolute("testdata/admission.yaml"),
	APIServerArgs: []string{"--enable-admission-plugins=OwnerReferencesPermissionEnforcement"},
})

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

func absolute(file string) string {
	path, err := filepath.Abs(file)
	if err != nil {
		panic(err)
	}
	return path
}

// TestInstallation follows an installation from the first apply to the end, in a
// cluster that has controllers but no nodes: pods are admitted and stay pending.
func TestInstallation(t *testing.T) {
	c := shared.Cluster(t)
	kubectl(t, c, "apply", "-f", "../e2e/testdata/verticalpodautoscalers.yaml")
	for _, step := range []struct {
		name string
		test func(*testing.T, *cluster.Cluster)
	}{
		{"Apply", testApply},
		{"PodsAreAdmitted", testPodsAreAdmitted},
		{"Permissions", testPermissions},
		{"PermissionsSuffice", testPermissionsSuffice},
		{"Tenants", testTenants},
		{"ApplyAgain", testApplyAgain},
		{"Delete", testDelete},
		{"Sync", testSync},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.test(t, c) }) {
			t.Fatal("what follows depends on this")
		}
	}
}

// testApply makes all objects by the two commands that docs/install.md has, without a
// warning.
func testApply(t *testing.T, c *cluster.Cluster) {
	made := strings.Count(kubectl(t, c, "apply", "-f", "crds", "-f", manifest), " created\n")
	if want := 2 + len(objects(t)); made != want {
		t.Errorf("kubectl apply makes %d objects, want %d", made, want)
	}
	kubectl(t, c, "wait", "--for=condition=Established", "crd/policies.lintel.dev", "crd/policyexceptions.lintel.dev")
	if made := strings.Count(kubectl(t, c, "apply", "-f", policiesManifest), " created\n"); made != len(firstPolicies(t)) {
		t.Errorf("kubectl apply makes %d policies, want %d", made, len(firstPolicies(t)))
	}
}

// testPodsAreAdmitted waits for the pods, which pod security, the quota and the
// priority class have to let in.
func testPodsAreAdmitted(t *testing.T, c *cluster.Cluster) {
	want := "Pending system-cluster-critical 2000000000\n"
	got := ""
	eventually(t, "three pods", func() bool {
		got = kubectl(t, c, "get", "pods", "-n", namespace, "-l", "app.kubernetes.io/name=lintel", "-o",
			`jsonpath={range .items[*]}{.status.phase} {.spec.priorityClassName} {.spec.priority}{"\n"}{end}`)
		return strings.Count(got, "\n") == 3
	})
	if diff := cmp.Diff(strings.Repeat(want, 3), got); diff != "" {
		t.Errorf("pods: -want, +got:\n%s", diff)
	}
}

// testPermissionsSuffice does with the account what Lintel does.
func testPermissionsSuffice(t *testing.T, c *cluster.Cluster) {
	cfg, err := c.ConfigFor(account, "system:serviceaccounts", "system:serviceaccounts:"+namespace)
	must(t, err)
	client := kubernetes.NewForConfigOrDie(cfg)
	ctx := t.Context()
	secret, err := client.CoreV1().Secrets(namespace).Get(ctx, "lintel-tls", metav1.GetOptions{})
	must(t, err)
	secret.Data = map[string][]byte{"serving.crt": []byte("written by a replica")}
	_, err = client.CoreV1().Secrets(namespace).Update(ctx, secret, metav1.UpdateOptions{})
	must(t, err)
	lease, err := client.CoordinationV1().Leases(namespace).Get(ctx, "lintel", metav1.GetOptions{})
	must(t, err)
	holder := "replica-1"
	lease.Spec.HolderIdentity = &holder
	_, err = client.CoordinationV1().Leases(namespace).Update(ctx, lease, metav1.UpdateOptions{})
	must(t, err)
	reads(t, cfg)
	registers(t, cfg)
	tells(t, cfg)
}

// tells has the account write what it tells people: the status of policies and
// exceptions, events in whatever namespace, and what replicas tell each other.
func tells(t *testing.T, cfg *rest.Config) {
	t.Helper()
	ctx, client := t.Context(), dynamic.NewForConfigOrDie(cfg)
	p := controller.NewPolicies(controller.CacheConfig{Client: client})
	must(t, p.Start(ctx))
	eventually(t, "policies to be read", p.Synced)
	must(t, p.WriteStatus(ctx, controller.Outcome{Set: installed(t), Generations: map[string]int64{"probes": 1}}, controller.Reach{}, time.Now()))
	if status := kubectl(t, shared.Cluster(t), "get", "policy", "probes", "-o", "jsonpath={.status.enforcement}"); status != "warn" {
		t.Errorf("status of a policy: got %q", status)
	}
	exceptions := client.Resource(v1alpha1.GroupVersion.WithResource("policyexceptions")).Namespace("default")
	_, err := exceptions.Patch(ctx, "none", types.MergePatchType, []byte(`{"status": {}}`), metav1.PatchOptions{}, "status")
	if !apierrors.IsNotFound(err) {
		t.Errorf("patch the status of an exception: %v, want that there is none", err)
	}
	typed := kubernetes.NewForConfigOrDie(cfg)
	events := typed.EventsV1().Events("default")
	_, err = events.Create(ctx, &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: "told"}, EventTime: metav1.NowMicro(), Type: "Warning", Reason: "Denied", Action: "Review",
		ReportingController: "lintel.dev/lintel", ReportingInstance: "replica-1", Regarding: corev1.ObjectReference{Kind: "Deployment", Name: "web", Namespace: "default"},
	}, metav1.CreateOptions{})
	must(t, err)
	_, err = events.Patch(ctx, "told", types.MergePatchType, []byte(`{"series": {"count": 2, "lastObservedTime": "2027-01-15T00:00:00.000000Z"}}`), metav1.PatchOptions{})
	must(t, err)
	for _, name := range []string{"lintel-replicas", "lintel-last-good", "lintel-last-day"} {
		_, err := typed.CoreV1().ConfigMaps(namespace).Patch(ctx, name, types.MergePatchType, []byte(`{"data": {"replica-1": "written"}}`), metav1.PatchOptions{})
		must(t, err)
	}
}

// reads has the account watch what policies read.
func reads(t *testing.T, cfg *rest.Config) {
	t.Helper()
	client := dynamic.NewForConfigOrDie(cfg)
	catalog, err := controller.ReadCatalog(t.Context(), kubernetes.NewForConfigOrDie(cfg).DiscoveryClient, nil)
	must(t, err)
	cache := controller.CacheConfig{Client: client}
	namespaces, inventory := controller.NewNamespaces(cache), controller.NewInventory(cache)
	must(t, namespaces.Start(t.Context()))
	must(t, inventory.Watch(t.Context(), installed(t).Inventory(), catalog))
	eventually(t, "namespaces and the inventory to be read", func() bool { return namespaces.Synced() && inventory.Synced() })
	for _, kind := range installed(t).Inventory() {
		if err := inventory.Lacks(kind); err != nil && err.Error() != "the cluster has no such kind" {
			t.Errorf("%s %s: %v", kind.APIVersion, kind.Kind, err)
		}
	}
}

// registers has the account make the registration, and again, which is another verb.
func registers(t *testing.T, cfg *rest.Config) {
	t.Helper()
	client := kubernetes.NewForConfigOrDie(cfg)
	set := installed(t)
	registrar, err := controller.NewRegistrar(controller.RegistrarConfig{
		Client: client.AdmissionregistrationV1(), Discovery: client.DiscoveryClient, Set: func() *engine.Set { return set },
		Target: controller.Target{
			Service: &admissionv1.ServiceReference{Namespace: namespace, Name: "lintel"}, CABundle: func() []byte { return cfg.CAData },
		},
		Owner:  controller.ClusterRoleOwner(client.RbacV1().ClusterRoles(), "lintel"),
		Memory: controller.ConfigMapMemory{Client: client.CoreV1().ConfigMaps(namespace), Name: "lintel-state"},
	})
	must(t, err)
	_, err = registrar.Register(t.Context())
	must(t, err)
	hooks := client.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	made, err := hooks.Get(t.Context(), "lintel", metav1.GetOptions{})
	must(t, err)
	made.Webhooks, made.OwnerReferences = nil, nil
	_, err = hooks.Update(t.Context(), made, metav1.UpdateOptions{})
	must(t, err)
	_, err = registrar.Register(t.Context())
	must(t, err)
}

// testApplyAgain finds nothing to change, and leaves alone what the account wrote, and
// the policies, which are the operator's.
func testApplyAgain(t *testing.T, c *cluster.Cluster) {
	before := written(t, c)
	want := "replica-1 written by a replica true written written written lintel lintel"
	if before != want {
		t.Fatalf("written by the account: got %q, want %q", before, want)
	}
	kubectl(t, c, "patch", "policy", "probes", "--type=merge", "-p", `{"spec": {"enforcement": "deny"}}`)
	kubectl(t, c, "diff", "-f", manifest, "-f", "crds") // fails if it finds a difference
	for line := range strings.Lines(kubectl(t, c, "apply", "-f", "crds", "-f", manifest)) {
		// Of a budget kubectl always sends the selector, changed or not.
		if !strings.HasSuffix(line, " unchanged\n") && !strings.HasPrefix(line, "poddisruptionbudget") {
			t.Errorf("kubectl apply once more: %s", line)
		}
	}
	kubectl(t, c, "apply", "--server-side", "-f", "crds", "-f", manifest)
	if got := kubectl(t, c, "get", "policy", "probes", "-o", "jsonpath={.spec.enforcement}"); got != "deny" {
		t.Errorf("an upgrade puts back to %q what the operator has made deny", got)
	}
	// Nor does the file of the policies, where fields have owners.
	if _, stderr, code := c.Kubectl(t.Context(), nil, "apply", "--server-side", "--field-manager=other", "-f", policiesManifest); code == 0 || !strings.Contains(stderr, ".spec.enforcement") {
		t.Errorf("apply --server-side of %s: exit code %d, want a conflict\n%s", policiesManifest, code, stderr)
	}
	if diff := cmp.Diff(before, written(t, c)); diff != "" {
		t.Errorf("what the account wrote: -before, +after:\n%s", diff)
	}
}

// written returns what the account has written.
func written(t *testing.T, c *cluster.Cluster) string {
	t.Helper()
	var all []string
	for _, get := range [][]string{
		{"lease", "lintel", "{.spec.holderIdentity}"},
		{"secret", "lintel-tls", `{.data.serving\.crt}`},
		{"configmap", "lintel-state", "{.data.registered}"},
		{"configmap", "lintel-replicas", "{.data.replica-1}"},
		{"configmap", "lintel-last-good", "{.data.replica-1}"},
		{"configmap", "lintel-last-day", "{.data.replica-1}"},
		{"validatingwebhookconfiguration", "lintel", "{.metadata.ownerReferences[*].name}"},
		{"mutatingwebhookconfiguration", "lintel", "{.metadata.ownerReferences[*].name}"},
	} {
		all = append(all, kubectl(t, c, "get", "-n", namespace, get[0], get[1], "-o", "jsonpath="+get[2]))
	}
	secret, err := base64.StdEncoding.DecodeString(all[1])
	must(t, err)
	all[1] = string(secret)
	return strings.Join(all, " ")
}

// testDelete leaves nothing behind, and nothing of what was made by the account.
func testDelete(t *testing.T, c *cluster.Cluster) {
	kubectl(t, c, "delete", "-f", policiesManifest, "-f", manifest, "-f", "crds", "--ignore-not-found")
	if left := kubectl(t, c, "get", "-f", manifest, "-f", "crds", "--ignore-not-found", "-o", "name"); left != "" {
		t.Errorf("kubectl delete leaves:\n%s", left)
	}
	eventually(t, "the registration to go with its owner", func() bool {
		return kubectl(t, c, "get", "validatingwebhookconfigurations,mutatingwebhookconfigurations", "-o", "name") == ""
	})
}

// testSync applies the whole folder as what syncs it from git does, which tries again
// what failed: kinds are there the second time.
func testSync(t *testing.T, c *cluster.Cluster) {
	t.Cleanup(func() {
		c.Kubectl(context.WithoutCancel(t.Context()), nil, "delete", "-k", ".", "--ignore-not-found")
	})
	eventually(t, "the folder to be synced", func() bool {
		_, _, code := c.Kubectl(t.Context(), nil, "apply", "--server-side", "-k", ".")
		return code == 0
	})
	kubectl(t, c, "get", "-f", "crds", "-f", manifest, "-f", policiesManifest, "-f", "roles.yaml") // fails if one is missing
	kubectl(t, c, "diff", "--server-side", "-k", ".")                                              // nothing drifts
}

// kubectl runs kubectl, which has to succeed without a warning of the API server,
// and returns what it prints.
func kubectl(t *testing.T, c *cluster.Cluster, args ...string) string {
	t.Helper()
	stdout, stderr, code := c.Kubectl(t.Context(), nil, args...)
	if code != 0 || strings.Contains(stderr, "Warning:") {
		t.Fatalf("kubectl %s: exit code %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
	}
	return stdout
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited for %s in vain", what)
		}
	}
}
