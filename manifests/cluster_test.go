package manifests_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

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
		{"ApplyAgain", testApplyAgain},
		{"Delete", testDelete},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.test(t, c) }) {
			t.Fatal("what follows depends on this")
		}
	}
}

// testApply makes all objects, without a warning.
func testApply(t *testing.T, c *cluster.Cluster) {
	if made := strings.Count(kubectl(t, c, "apply", "-f", manifest), " created\n"); made != len(objects(t)) {
		t.Errorf("kubectl apply makes %d objects, want %d", made, len(objects(t)))
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

// testPermissions asks the API server what the account may do that no other may.
func testPermissions(t *testing.T, c *cluster.Cluster) {
	list := func(user string) []string {
		var lines []string
		for line := range strings.Lines(kubectl(t, c, "auth", "can-i", "--list", "-n", namespace, "--as", user)) {
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
		return lines
	}
	everybody := list("system:serviceaccount:" + namespace + ":default")
	got := slices.DeleteFunc(list(account), func(line string) bool { return slices.Contains(everybody, line) })
	slices.Sort(got)
	want := []string{
		"clusterroles.rbac.authorization.k8s.io [] [lintel] [get]",
		"configmaps [] [lintel-state] [get update]",
		"deployments.apps [] [] [get list watch]",
		"events.events.k8s.io [] [] [create patch]",
		"horizontalpodautoscalers.autoscaling [] [] [get list watch]",
		"jobs.batch [] [] [get]",
		"leases.coordination.k8s.io [] [lintel] [get update]",
		"mutatingwebhookconfigurations.admissionregistration.k8s.io [] [lintel] [get create patch update delete]",
		"namespaces [] [] [get list watch]",
		"replicasets.apps [] [] [get]",
		"secrets [] [lintel-tls] [get update]",
		"statefulsets.apps [] [] [get list watch]",
		"validatingwebhookconfigurations.admissionregistration.k8s.io [] [lintel] [get create patch update delete]",
		"verticalpodautoscalers.autoscaling.k8s.io [] [] [get list watch]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("kubectl auth can-i --list: -want, +got:\n%s", diff)
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
}

// reads has the account watch what policies read.
func reads(t *testing.T, cfg *rest.Config) {
	t.Helper()
	client := dynamic.NewForConfigOrDie(cfg)
	catalog, err := controller.ReadCatalog(t.Context(), kubernetes.NewForConfigOrDie(cfg).DiscoveryClient, nil)
	must(t, err)
	namespaces, inventory := controller.NewNamespaces(client), controller.NewInventory(client)
	must(t, namespaces.Start(t.Context()))
	must(t, inventory.Watch(t.Context(), installed(t).Inventory(), catalog))
	eventually(t, "namespaces and the inventory to be read", func() bool { return namespaces.Synced() && inventory.Synced() })
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

// testApplyAgain finds nothing to change, and leaves alone what the account wrote.
func testApplyAgain(t *testing.T, c *cluster.Cluster) {
	before := written(t, c)
	want := "replica-1 written by a replica true lintel lintel"
	if before != want {
		t.Fatalf("written by the account: got %q, want %q", before, want)
	}
	kubectl(t, c, "diff", "-f", manifest) // fails if it finds a difference
	for line := range strings.Lines(kubectl(t, c, "apply", "-f", manifest)) {
		// Of a budget kubectl always sends the selector, changed or not.
		if !strings.HasSuffix(line, " unchanged\n") && !strings.HasPrefix(line, "poddisruptionbudget") {
			t.Errorf("kubectl apply once more: %s", line)
		}
	}
	kubectl(t, c, "apply", "--server-side", "-f", manifest)
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
	kubectl(t, c, "delete", "-f", manifest, "--ignore-not-found")
	if left := kubectl(t, c, "get", "-f", manifest, "--ignore-not-found", "-o", "name"); left != "" {
		t.Errorf("kubectl delete leaves:\n%s", left)
	}
	eventually(t, "the registration to go with its owner", func() bool {
		return kubectl(t, c, "get", "validatingwebhookconfigurations,mutatingwebhookconfigurations", "-o", "name") == ""
	})
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
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited for %s in vain", what)
		}
	}
}
