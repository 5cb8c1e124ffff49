//go:build linux

package install_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/lintel-policy/lintel/e2e/cluster"
	"github.com/lintel-policy/lintel/e2e/gate"
)

const (
	maxReplicas = 4 // three, and one more while they are replaced
	crds        = "../../manifests/crds"
	manifest    = "../../manifests/install.yaml"
	policies    = "../../manifests/policies.yaml"
	namespace   = "lintel-system"
	// nobody is the user of the Deployment's pods.
	nobody = 65532
)

// A fleet is an installation in a cluster of its own.
type fleet struct {
	*cluster.Cluster
	client   *kubernetes.Clientset
	folder   string
	binary   string
	args     []string // of the Deployment
	env      []string
	replicas map[int]*gate.Gate

	mu    sync.Mutex
	ready map[int]bool // by replica, as its probe says
}

// install makes a new cluster with an installation in it, and with the policies that
// it starts with, as changed. Nothing of it runs yet.
func install(t *testing.T, change func(policies string) string) *fleet {
	t.Helper()
	f := newFleet(t)
	f.apply(t)
	text, err := os.ReadFile(policies)
	must(t, err)
	f.applyText(t, change(string(text)))
	return f
}

// denying has the policies deny, which is the operator's step.
func denying(policies string) string {
	return strings.ReplaceAll(policies, "enforcement: warn", "enforcement: deny")
}

// newFleet makes a new cluster, and follows what will be in it.
func newFleet(t *testing.T) *fleet {
	t.Helper()
	c, err := cluster.Start(t.Context(), cluster.Config{Controllers: true})
	must(t, err)
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	f := &fleet{Cluster: c, client: kubernetes.NewForConfigOrDie(c.Config()), folder: t.TempDir(), replicas: map[int]*gate.Gate{}, ready: map[int]bool{}}
	must(t, os.Chmod(f.folder, 0o755))
	f.binary, err = built()
	must(t, err)
	f.must(t, "label", "namespace", "default", "environment=production", "team=checkout")
	go f.watchProbes(t.Context())
	return f
}

// apply installs, without policies, and makes what pods would find.
func (f *fleet) apply(t *testing.T) {
	t.Helper()
	f.must(t, "apply", "-f", crds, "-f", manifest)
	f.must(t, "wait", "--for=condition=Established", "crd/policies.lintel.dev", "crd/policyexceptions.lintel.dev", "--timeout=60s")
	f.readDeployment(t)
}

// applyText applies objects.
func (f *fleet) applyText(t *testing.T, objects string) {
	t.Helper()
	if _, stderr, code := f.Kubectl(t.Context(), strings.NewReader(objects), "apply", "-f", "-"); code != 0 {
		t.Fatalf("kubectl apply: %s", stderr)
	}
}

// readDeployment takes what pods would be started with.
func (f *fleet) readDeployment(t *testing.T) {
	t.Helper()
	var deployment appsv1.Deployment
	must(t, json.Unmarshal([]byte(f.must(t, "get", "deployment", "lintel", "-n", namespace, "-o", "json")), &deployment))
	container := deployment.Spec.Template.Spec.Containers[0]
	f.args, f.env = container.Args, nil
	for _, e := range container.Env {
		f.env = append(f.env, e.Name+"="+e.Value)
	}
	if user := deployment.Spec.Template.Spec.SecurityContext.RunAsUser; user == nil || *user != nobody {
		t.Fatalf("the Deployment runs as user %v, want %d", user, nobody)
	}
}

// start starts a replica and returns when it is ready.
func (f *fleet) start(t *testing.T, n int, more ...string) {
	t.Helper()
	f.launch(t, n, more...)
	f.awaitReady(t, n)
}

// startAll starts three replicas at once and returns when they are ready.
func (f *fleet) startAll(t *testing.T, more ...string) {
	t.Helper()
	for n := range 3 {
		f.launch(t, n, more...)
	}
	for n := range 3 {
		f.awaitReady(t, n)
	}
}

// launch starts a replica.
func (f *fleet) launch(t *testing.T, n int, more ...string) {
	t.Helper()
	root := f.root(t, n)
	var args []string
	for _, arg := range f.args {
		args = append(args, strings.ReplaceAll(arg, "0.0.0.0", addressOf(n)))
	}
	p := gate.Process{Binary: "/lintel", Root: root, Env: f.env, Args: append(append(args, "--kubeconfig", "/kubeconfig"), more...)}
	if os.Getenv(inside) == "0" {
		p.User = nobody
	}
	g, err := gate.Launch(p)
	must(t, err)
	f.replicas[n] = g
	t.Cleanup(g.Kill)
}

// awaitReady waits until a replica is ready.
func (f *fleet) awaitReady(t *testing.T, n int) {
	t.Helper()
	g := f.replicas[n]
	eventually(t, fmt.Sprintf("replica %d to be ready", n), func() bool {
		select {
		case <-g.Ended():
			t.Fatalf("replica %d has ended:\n%s", n, g.Log())
		default:
		}
		return f.isReady(n)
	})
}

// root makes the folder that is / for a replica: the image, which has the binary
// alone, and a token. Its user may write nowhere.
func (f *fleet) root(t *testing.T, n int) string {
	t.Helper()
	root := filepath.Join(f.folder, fmt.Sprintf("replica-%d", n))
	must(t, os.RemoveAll(root))
	must(t, os.MkdirAll(root, 0o755))
	must(t, os.Link(f.binary, filepath.Join(root, "lintel")))
	f.writeKubeconfig(t, filepath.Join(root, "kubeconfig"))
	return root
}

// writeKubeconfig writes what pods of the ServiceAccount may do, and no more.
func (f *fleet) writeKubeconfig(t *testing.T, path string) {
	t.Helper()
	token := strings.TrimSpace(f.must(t, "create", "token", "lintel", "-n", namespace, "--duration", "1h"))
	admin := f.Config()
	must(t, clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: admin.Host, CertificateAuthorityData: admin.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"u": {Token: token}},
		Contexts:       map[string]*clientcmdapi.Context{"c": {Cluster: "c", AuthInfo: "u"}},
		CurrentContext: "c",
	}, path))
	must(t, os.Chmod(path, 0o644)) //nolint:gosec // read by another user, of a cluster that is gone soon
}

// watchProbes asks the probes of all replicas and writes the endpoints of the
// Service, as kubelets and their controller do.
func (f *fleet) watchProbes(ctx context.Context) {
	client := &http.Client{Timeout: time.Second}
	for before := []int(nil); ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		now := []int{}
		for n := range maxReplicas {
			if isOK(client, "http://"+addressOf(n)+":8081/readyz") {
				now = append(now, n)
			}
		}
		if !slices.Equal(before, now) && f.writeEndpoints(ctx, now) == nil {
			before = now
		}
		f.mu.Lock()
		clear(f.ready)
		for _, n := range before {
			f.ready[n] = true
		}
		f.mu.Unlock()
	}
}

func isOK(client *http.Client, url string) bool {
	res, err := client.Get(url) //nolint:noctx // bounded by the client
	if err != nil {
		return false
	}
	res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// writeEndpoints makes the replicas that are ready the endpoints of the Service.
func (f *fleet) writeEndpoints(ctx context.Context, ready []int) error {
	port, protocol, name := int32(8443), corev1.ProtocolTCP, "webhook"
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: "lintel-test", Namespace: namespace, Labels: map[string]string{discoveryv1.LabelServiceName: "lintel"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &name, Port: &port, Protocol: &protocol}},
		Endpoints:   []discoveryv1.Endpoint{},
	}
	for _, n := range ready {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{addressOf(n)}})
	}
	slices := f.client.DiscoveryV1().EndpointSlices(namespace)
	if _, err := slices.Create(ctx, slice, metav1.CreateOptions{}); err == nil {
		return nil
	}
	_, err := slices.Update(ctx, slice, metav1.UpdateOptions{})
	return err
}

func (f *fleet) isReady(n int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ready[n]
}

// must runs kubectl, which has to succeed, and returns what it printed.
func (f *fleet) must(t *testing.T, args ...string) string {
	t.Helper()
	stdout, stderr, code := f.Kubectl(t.Context(), nil, args...)
	if code != 0 {
		t.Fatalf("kubectl %s: %s", strings.Join(args, " "), stderr)
	}
	return stdout
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited for %s in vain", what)
		}
	}
}
