package cluster_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestVersion holds the running control plane to the version in go.mod.
func TestVersion(t *testing.T) {
	if os.Getenv("KUBEBUILDER_ASSETS") != "" {
		t.Skip("the binaries are of KUBEBUILDER_ASSETS, whatever their version is")
	}
	cmd := exec.Command("go", "list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes")
	cmd.Dir = filepath.Join("..", "controlplane")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	want := strings.TrimSpace(string(out))
	type version struct{ GitVersion, Major, Minor, GitTreeState string }
	var got struct{ ClientVersion, ServerVersion version }
	if err := json.Unmarshal([]byte(run(t, shared.Cluster(t), "", "version", "-o", "json")), &got); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(strings.TrimPrefix(want, "v"), ".")
	wanted := version{GitVersion: want, Major: parts[0], Minor: parts[1], GitTreeState: "clean"}
	if diff := cmp.Diff(wanted, got.ClientVersion); diff != "" {
		t.Errorf("kubectl's version: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(wanted, got.ServerVersion); diff != "" {
		t.Errorf("the API server's version: -want, +got:\n%s", diff)
	}
	for _, name := range []string{"kube-apiserver", "kube-controller-manager"} {
		out, err := exec.Command(filepath.Join("..", "..", ".cache", "controlplane", name), "--version").CombinedOutput()
		if got := strings.TrimSpace(string(out)); got != "Kubernetes "+want {
			t.Errorf("%s --version: got %q (%v), want %q", name, got, err, "Kubernetes "+want)
		}
	}
}

func TestKubectl(t *testing.T) {
	// Neither the kubeconfig nor the home of whoever runs the tests counts.
	t.Setenv("KUBECONFIG", "/no/such/file")
	t.Setenv("HOME", "/no/such/home")
	c := shared.Cluster(t)
	cases := map[string]struct {
		reason         string
		stdin          string
		args           []string
		stdout, stderr string // parts of them; empty: nothing is printed
		code           int
	}{
		"Prints": {
			reason: "What kubectl prints is returned.",
			args:   []string{"get", "namespace", "default", "-o", "name"},
			stdout: "namespace/default\n",
		},
		"Reads": {
			reason: "Standard input reaches kubectl.",
			stdin:  `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "from-stdin"}}`,
			args:   []string{"create", "-f", "-", "--dry-run=server", "-o", "name"},
			stdout: "configmap/from-stdin\n",
		},
		"Fails": {
			reason: "An error is on standard error, with kubectl's exit code.",
			args:   []string{"get", "configmap", "no-such"},
			stderr: `configmaps "no-such" not found`,
			code:   1,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := c.Kubectl(t.Context(), strings.NewReader(tc.stdin), tc.args...)
			if stdout != tc.stdout || !strings.Contains(stderr, tc.stderr) || tc.stderr == "" && stderr != "" || code != tc.code {
				t.Errorf("%s\nKubectl(...): got %q, %q, %d; want %q, %q, %d",
					tc.reason, stdout, stderr, code, tc.stdout, tc.stderr, tc.code)
			}
		})
	}
}

func TestKubectlEnds(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, stderr, code := shared.Cluster(t).Kubectl(ctx, nil, "get", "configmaps", "--watch")
	if code != -1 || !strings.Contains(stderr, "run kubectl: ") {
		t.Errorf("Kubectl(...) beyond its context: exit %d, want -1 and the reason\n%s", code, stderr)
	}
}

func TestUsers(t *testing.T) {
	c := shared.Cluster(t)
	cases := map[string]struct {
		reason string
		user   string
		groups []string
		want   []string // groups as the API server sees them
	}{
		"Plain": {
			reason: "A user has the groups given, and the one of all users.",
			user:   "alice",
			groups: []string{"developers", "team-checkout"},
			want:   []string{"developers", "team-checkout", "system:authenticated"},
		},
		"ServiceAccount": {
			reason: "Names may have colons, as those of ServiceAccounts.",
			user:   "system:serviceaccount:kube-system:replicaset-controller",
			groups: []string{"system:serviceaccounts"},
			want:   []string{"system:serviceaccounts", "system:authenticated"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			kubeconfig, err := c.KubeconfigFor(tc.user, tc.groups...)
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				Status struct {
					UserInfo struct {
						Username string
						Groups   []string
					}
				}
			}
			out := run(t, c, "", "auth", "whoami", "-o", "json", "--kubeconfig", kubeconfig)
			if err := json.Unmarshal([]byte(out), &got); err != nil {
				t.Fatal(err)
			}
			if got.Status.UserInfo.Username != tc.user {
				t.Errorf("%s\nwhoami: got %q, want %q", tc.reason, got.Status.UserInfo.Username, tc.user)
			}
			if diff := cmp.Diff(tc.want, got.Status.UserInfo.Groups); diff != "" {
				t.Errorf("%s\ngroups: -want, +got:\n%s", tc.reason, diff)
			}
			again, err := c.KubeconfigFor(tc.user, tc.groups...)
			if err != nil || again != kubeconfig {
				t.Errorf("KubeconfigFor(%q) again: got %q, %v; want %q", tc.user, again, err, kubeconfig)
			}
		})
	}
	if _, err := c.KubeconfigFor(""); err == nil {
		t.Error(`KubeconfigFor(""): no error`)
	}
}

// TestRBAC holds that users may do what they were given, and nothing else.
func TestRBAC(t *testing.T) {
	c := shared.Cluster(t)
	kubeconfig, err := c.KubeconfigFor("reader")
	if err != nil {
		t.Fatal(err)
	}
	get := []string{"get", "secrets", "-n", "default", "--kubeconfig", kubeconfig}
	_, stderr, code := c.Kubectl(t.Context(), nil, get...)
	if code == 0 || !strings.Contains(stderr, "Forbidden") {
		t.Errorf("a user without rights reads secrets: exit %d\n%s", code, stderr)
	}
	run(t, c, "", "create", "clusterrolebinding", "reader", "--clusterrole=cluster-admin", "--user=reader")
	run(t, c, "", get...)
}

// TestControllers holds that controllers work, and as service accounts of
// their own: a Deployment's pod is made by the ReplicaSet controller's.
func TestControllers(t *testing.T) {
	c := shared.Cluster(t)
	if err := c.CreateNamespace(t.Context(), "shop", map[string]string{"team": "checkout"}); err != nil {
		t.Fatal(err)
	}
	if got := run(t, c, "", "get", "namespace", "shop", "-o", "jsonpath={.metadata.labels.team}"); got != "checkout" {
		t.Errorf("CreateNamespace(...): label team is %q, want checkout", got)
	}
	// The policy answers who asks: only the ReplicaSet controller may pass.
	run(t, c, onlyReplicaSetController, "apply", "-f", "-")
	await(t, func() bool { return refused(t, c) })
	run(t, c, "", "create", "deployment", "web", "--image=nginx", "-n", "shop")
	await(t, func() bool {
		return strings.HasPrefix(run(t, c, "", "get", "pods", "-n", "shop", "-o", "name"), "pod/web-")
	})
	run(t, c, "", "delete", "namespace", "shop", "--timeout=60s")
}
