package cluster_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/e2e/cluster"
)

func TestStartFails(t *testing.T) {
	shared.Cluster(t)
	t.Setenv("TMPDIR", t.TempDir()) // nobody else's clusters are counted
	cases := map[string]struct {
		reason string
		cfg    cluster.Config
		want   []string // parts of the error
	}{
		"NoBinaries": {
			reason: "Where binaries are missing, the error says how to get them.",
			cfg:    cluster.Config{Assets: t.TempDir()},
			want:   []string{"run make controlplane", "etcd: no such file"},
		},
		"UnknownFlag": {
			reason: "A component that ends at once is not waited for, and its last words are in the error.",
			cfg:    cluster.Config{APIServerArgs: []string{"--no-such-flag"}},
			want:   []string{"kube-apiserver ended: exit status 1", "unknown flag: --no-such-flag"},
		},
		"NoAdmissionConfig": {
			reason: "The admission configuration reaches the API server, which refuses one that is not there.",
			cfg:    cluster.Config{AdmissionConfig: "/no/such/file"},
			want:   []string{"kube-apiserver ended", "/no/such/file"},
		},
		"ControllerFlag": {
			reason: "The flags of the controller manager reach it.",
			cfg:    cluster.Config{Controllers: true, ControllerArgs: []string{"--no-such-flag"}},
			want:   []string{"kube-controller-manager ended", "unknown flag: --no-such-flag"},
		},
		"NotInTime": {
			reason: "A component that is not ready in time is named, with what it answered last.",
			cfg:    cluster.Config{Timeout: 5 * time.Second, APIServerArgs: []string{"--etcd-cafile=" + strangersCA(t)}},
			want:   []string{"wait for kube-apiserver to be ready", "deadline exceeded", "last answer"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			before, foldersBefore := children(t), folders(t)
			c, err := cluster.Start(t.Context(), tc.cfg)
			if err == nil {
				_ = c.Stop()
				t.Fatalf("%s\nStart(...): no error", tc.reason)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%s\nStart(...): no %q in:\n%v", tc.reason, want, err)
				}
			}
			if left := children(t); left != before {
				t.Errorf("%s\nStart(...): %d processes of clusters run, %d before", tc.reason, left, before)
			}
			if left := folders(t); left != foldersBefore {
				t.Errorf("%s\nStart(...): %d folders of clusters, %d before", tc.reason, left, foldersBefore)
			}
		})
	}
}

// strangersCA is the path of a certificate that signed none of a cluster's.
func strangersCA(t *testing.T) string {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	path := filepath.Join(t.TempDir(), "ca.crt")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// folders counts the clusters that have a folder.
func folders(t *testing.T) int {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(os.TempDir(), "lintel-clusters-*", "cluster-*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(paths)
}

func TestPortTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	// Each component is given the taken port first, then a free one.
	calls := 0
	port := func() (int, error) {
		calls++
		if calls%2 == 1 {
			return taken.Addr().(*net.TCPAddr).Port, nil
		}
		return free(t), nil
	}
	c := start(t, cluster.Config{Port: port})
	if calls != 4 {
		t.Errorf("Start(...): asked for %d ports, want 4", calls)
	}
	run(t, c, "", "get", "namespace", "default")
}

func TestPortNeverFree(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := func() (int, error) { return taken.Addr().(*net.TCPAddr).Port, nil }
	begin := time.Now()
	_, err = cluster.Start(t.Context(), cluster.Config{Port: port})
	if err == nil || !strings.Contains(err.Error(), "port is in use") {
		t.Errorf("Start(...) on a taken port: got %v, want that the port is in use", err)
	}
	if took := time.Since(begin); took > time.Minute {
		t.Errorf("Start(...) on a taken port took %s: it waits for who has it", took)
	}
}

// free is a port that nobody listens on.
func free(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func TestRestart(t *testing.T) {
	c := start(t, cluster.Config{})
	host := c.Config().Host
	for _, component := range []cluster.Component{cluster.APIServer, cluster.Etcd} {
		name := "kept-by-" + string(component)
		run(t, c, "", "create", "configmap", name)
		if err := c.Restart(t.Context(), component); err != nil {
			t.Fatalf("Restart(%s): %v", component, err)
		}
		run(t, c, "", "get", "configmap", name)
	}
	if c.Config().Host != host {
		t.Errorf("Restart(...): the API server is at %s, was at %s", c.Config().Host, host)
	}
	err := c.Restart(t.Context(), cluster.ControllerManager)
	if !errors.Is(err, cluster.ErrNotRunning) {
		t.Errorf("Restart(kube-controller-manager) without one: got %v, want ErrNotRunning", err)
	}
}

func TestKillAndRestart(t *testing.T) {
	c := start(t, cluster.Config{})
	run(t, c, "", "create", "configmap", "kept")
	if err := c.Kill(cluster.APIServer); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]cluster.Component{cluster.Etcd}, c.Running()); diff != "" {
		t.Errorf("Running() after a crash: -want, +got:\n%s", diff)
	}
	if _, _, code := c.Kubectl(t.Context(), nil, "get", "configmaps"); code == 0 {
		t.Error("kubectl succeeds without an API server")
	}
	if err := c.Restart(t.Context(), cluster.APIServer); err != nil {
		t.Fatal(err)
	}
	run(t, c, "", "get", "configmap", "kept")
	if err := c.Stop(); err != nil {
		t.Errorf("Stop() reports a component that was to be killed: %v", err)
	}
}

func TestPause(t *testing.T) {
	c := start(t, cluster.Config{})
	for _, component := range []cluster.Component{cluster.APIServer, cluster.Etcd} {
		if err := c.Pause(component); err != nil {
			t.Fatal(err)
		}
		_, stderr, code := c.Kubectl(t.Context(), nil, "create", "configmap", "x", "--request-timeout=1s")
		if code == 0 {
			t.Errorf("Pause(%s): kubectl create: exit 0, want a time-out\n%s", component, stderr)
		}
		if err := c.Resume(component); err != nil {
			t.Fatal(err)
		}
		await(t, func() bool {
			_, _, code := c.Kubectl(t.Context(), nil, "get", "configmaps", "--request-timeout=5s")
			return code == 0
		})
	}
	if err := c.Pause(cluster.ControllerManager); !errors.Is(err, cluster.ErrNotRunning) {
		t.Errorf("Pause(kube-controller-manager) without one: got %v, want ErrNotRunning", err)
	}
	if err := c.SetReadOnly(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	_, stderr, code := c.Kubectl(t.Context(), nil, "create", "configmap", "y")
	if code == 0 || !strings.Contains(stderr, "database space exceeded") {
		t.Errorf("SetReadOnly(true): kubectl create: exit %d, want that there is no space\n%s", code, stderr)
	}
	run(t, c, "", "get", "configmaps")
	if err := c.SetReadOnly(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	run(t, c, "", "create", "configmap", "y")
}

// await fails the test where something does not become so within half a minute.
func await(t *testing.T, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !so(); {
		if time.Now().After(deadline) {
			t.Fatal("did not happen in 30 seconds")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func TestSideBySide(t *testing.T) {
	logs := [2]bytes.Buffer{}
	var both [2]*cluster.Cluster
	for i := range both {
		both[i] = start(t, cluster.Config{Log: &logs[i]})
	}
	run(t, both[0], "", "create", "configmap", "only-here")
	if _, _, code := both[1].Kubectl(t.Context(), nil, "get", "configmap", "only-here"); code == 0 {
		t.Error("two clusters hold the same data")
	}
	kubeconfig, err := both[0].KubeconfigFor("somebody", "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	_, stderr, code := both[1].Kubectl(t.Context(), nil, "get", "configmaps",
		"--kubeconfig", kubeconfig, "--server", both[1].Config().Host, "--insecure-skip-tls-verify=true", "--certificate-authority=")
	if code == 0 || !strings.Contains(stderr, "Unauthorized") && !strings.Contains(stderr, "logged in") {
		t.Errorf("a user of one cluster asks another: exit %d, want unauthorized\n%s", code, stderr)
	}
	for i := range both {
		if err := both[i].Stop(); err != nil {
			t.Error(err)
		}
		if !strings.HasPrefix(logs[i].String(), "kube-apiserver: ") && !strings.Contains(logs[i].String(), "\nkube-apiserver: ") {
			t.Errorf("Config.Log of cluster %d has nothing from kube-apiserver:\n%s", i, logs[i].String())
		}
	}
}

func TestAdmissionConfig(t *testing.T) {
	const config = `
apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: PodSecurity
  configuration:
    apiVersion: pod-security.admission.config.k8s.io/v1
    kind: PodSecurityConfiguration
    defaults: {enforce: baseline}
`
	path := filepath.Join(t.TempDir(), "admission.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	c := start(t, cluster.Config{AdmissionConfig: path, APIServerArgs: []string{"--disable-admission-plugins=LimitRanger"}})
	const pod = `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"},
		"spec": {"hostNetwork": true, "containers": [{"name": "web", "image": "nginx"}]}}`
	_, stderr, code := c.Kubectl(t.Context(), strings.NewReader(pod), "create", "-f", "-")
	if code != 1 || !strings.Contains(stderr, `violates PodSecurity "baseline:latest"`) {
		t.Errorf("kubectl create of a pod on the host's network: exit %d, want 1 by PodSecurity\n%s", code, stderr)
	}
	run(t, c, strings.Replace(pod, "true", "false", 1), "create", "-f", "-")
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if c, err := cluster.Start(ctx, cluster.Config{}); !errors.Is(err, context.DeadlineExceeded) {
		if c != nil {
			_ = c.Stop()
		}
		t.Errorf("Start(...) with a context that ends: got %v, want the context's error", err)
	}
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("Start(...) with a context that ends after 0.3 s took %s", took)
	}
}
