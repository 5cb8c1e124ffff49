package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/lintel-policy/lintel/certs"
)

// A way is one to the API server, which may be cut.
type way struct {
	open       atomic.Bool
	kubeconfig string // of the user who goes this way
}

// wayFor makes one for a user, which is cut at first.
func wayFor(t *testing.T, user string) *way {
	t.Helper()
	path, err := shared.Cluster(t).KubeconfigFor(user)
	must(err)
	config, err := clientcmd.LoadFromFile(path)
	must(err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	t.Cleanup(func() { _ = listener.Close() })
	w := &way{kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	for _, c := range config.Clusters {
		to, err := url.Parse(c.Server)
		must(err)
		go w.serve(listener, to.Host)
		c.Server = "https://" + listener.Addr().String()
	}
	must(clientcmd.WriteToFile(*config, w.kubeconfig))
	return w
}

func (w *way) serve(listener net.Listener, to string) {
	for {
		from, err := listener.Accept()
		if err != nil {
			return
		}
		if !w.open.Load() {
			_ = from.Close()
			continue
		}
		onward, err := net.Dial("tcp", to)
		if err != nil {
			_ = from.Close()
			continue
		}
		for _, pair := range [][2]net.Conn{{from, onward}, {onward, from}} {
			go func() {
				_, _ = io.Copy(pair[0], pair[1])
				_ = pair[0].Close()
			}()
		}
	}
}

// vouched writes a certificate that somebody vouches for into a folder.
func vouched(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	authority, err := certs.NewAuthority(time.Now(), time.Hour)
	must(err)
	pair, err := authority.Issue([]string{"lintel.starting.svc"}, time.Now(), time.Hour)
	must(err)
	for name, data := range map[string][]byte{"ca.crt": authority.Pair().Certificate, "tls.crt": pair.Certificate, "tls.key": pair.Key} {
		must(os.WriteFile(filepath.Join(folder, name), data, 0o600))
	}
	return folder
}

// whatStarts is what a replica finds: policies of which one is well, one is broken, one
// waits for what may not be read, and what it shares with others.
const whatStarts = `
apiVersion: v1
kind: ConfigMap
metadata: {name: lintel-state, namespace: starting}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: lintel-replicas, namespace: starting}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: lintel-last-good, namespace: starting}
---
apiVersion: lintel.dev/v1alpha1
kind: Policy
metadata: {name: well}
spec:
  source: {modules: [{name: a.rego, rego: "package team\n\nviolation contains {\"msg\": \"never\"}"}]}
  match: {kinds: [{apiGroups: [""], kinds: [LimitRange]}]}
---
apiVersion: lintel.dev/v1alpha1
kind: Policy
metadata: {name: broken}
spec:
  source: {modules: [{name: a.rego, rego: "package team\n\nviolation contains 1 if nothing"}]}
  match: {kinds: [{apiGroups: [""], kinds: [LimitRange]}]}
---
apiVersion: lintel.dev/v1alpha1
kind: Policy
metadata: {name: slow}
spec: {source: {configMapRef: {namespace: default, name: never}}, match: {kinds: [{apiGroups: [""], kinds: [LimitRange]}]}}
`

// limitRange is a review of what the policies are about.
const limitRange = `{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "u-1", "operation": "CREATE", "namespace": "default", "name": "a",
	"kind": {"group": "", "version": "v1", "kind": "LimitRange"}, "resource": {"group": "", "version": "v1", "resource": "limitranges"}, "userInfo": {"username": "me"},
	"object": {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "a", "namespace": "default"}}}}`

// TestStarting starts a replica while it cannot read what it decides by: first the API
// server is not there, then it may not read policies, then not namespaces. Until it can it is alive and
// not ready, and what it is asked it answers so that somebody else is asked. A policy
// that is broken, or slow to come, holds up nobody but itself.
func TestStarting(t *testing.T) {
	define(t)
	kubectl(t, "", "create", "namespace", "starting")
	kubectl(t, whatStarts, "apply", "-f", "-")
	grant := func(name, resources string) {
		permit(t, "create", "clusterrole", name, "--verb=*", "--resource="+resources)
		permit(t, "create", "clusterrolebinding", name, "--clusterrole="+name, "--user=starting")
	}
	grant("starting", "validatingwebhookconfigurations,mutatingwebhookconfigurations,clusterroles,leases")
	permit(t, "create", "role", "starting", "-n", "starting", "--verb=get,update,patch", "--resource=configmaps")
	permit(t, "create", "rolebinding", "starting", "-n", "starting", "--role=starting", "--user=starting")
	permit(t, "create", "clusterrole", "lintel", "--verb=get", "--resource=namespaces")
	t.Cleanup(func() {
		for _, what := range []string{"clusterrole/starting", "clusterrole/lintel", "clusterrolebinding/starting", "clusterrole/starting-namespaces",
			"clusterrolebinding/starting-namespaces", "clusterrole/starting-policies", "clusterrolebinding/starting-policies", "validatingwebhookconfiguration/lintel", "mutatingwebhookconfiguration/lintel", "namespace/starting"} {
			shared.Cluster(t).Kubectl(context.WithoutCancel(t.Context()), nil, "delete", what, "--ignore-not-found", "--wait=false")
		}
	})
	api := wayFor(t, "starting")
	s := &served{cmd: exec.Command("lintel", "serve", "--kubeconfig", api.kubeconfig, "--service", "starting/lintel", "-p", "cluster", "--cert-dir", vouched(t),
		"--address", "127.0.0.1:0", "--metrics-address", "127.0.0.1:0", "--probe-address", "127.0.0.1:0", "--lame-duck", "1ms"), log: make(chan map[string]any, 1000), ended: make(chan error, 1)}
	stderr, err := s.cmd.StderrPipe()
	must(err)
	must(s.cmd.Start())
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	go s.read(t, stderr)
	probes, _ := s.awaitLog(t, "serving probes")["address"].(string)
	webhook, _ := s.awaitLog(t, "serving")["address"].(string)

	client := insecure()
	notReady := func(when string) {
		t.Helper()
		if code, body := get(t, "http://"+probes+"/livez"); code != http.StatusOK {
			t.Errorf("%s, /livez: got %d %s, want 200", when, code, body)
		}
		if code, body := get(t, "http://"+probes+"/readyz"); code != http.StatusServiceUnavailable {
			t.Errorf("%s, /readyz: got %d %s, want 503", when, code, body)
		}
		for _, path := range []string{"/validate", "/validate/deny", "/validate/warn", "/mutate"} {
			res, err := client.Post("https://"+webhook+path, "application/json", strings.NewReader(limitRange))
			must(err)
			body, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || strings.Contains(string(body), "allowed") {
				t.Errorf("%s, %s: got %s %v %s, want 503 with Retry-After and no verdict", when, path, res.Status, res.Header, body)
			}
		}
	}
	says := func(want string) {
		t.Helper()
		for range 100 {
			if said, _ := s.awaitLog(t, "not ready")["error"].(string); strings.Contains(said, want) {
				return
			}
		}
		t.Errorf("it does not say %q", want)
	}
	says("reach the cluster: ")
	notReady("without an API server")
	api.open.Store(true)
	says(`read policies: policies.lintel.dev is forbidden: User "starting"`)
	notReady("without policies, which are not none")
	grant("starting-policies", "policies.lintel.dev,policies.lintel.dev/status,policyexceptions.lintel.dev")
	says(`read namespaces: namespaces is forbidden: User "starting"`)
	notReady("without namespaces")
	grant("starting-namespaces", "namespaces")
	must(until(t.Context(), readyTimeout, unless(func() bool {
		code, _ := get(t, "http://"+probes+"/readyz")
		return code == http.StatusOK
	})))
	if revision, _ := s.awaitLog(t, "policies in force")["revision"].(string); revision == "" {
		t.Error("the log names no revision")
	} else if _, body := get(t, "http://"+probes+"/readyz"); body != "ok\nrevision "+revision+"\n" {
		t.Errorf("/readyz: got %q, want revision %s", body, revision)
	}
	res, err := client.Post("https://"+webhook+"/validate", "application/json", strings.NewReader(limitRange))
	must(err)
	body, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if !strings.Contains(string(body), `"allowed":false`) || !strings.Contains(string(body), "never") {
		t.Errorf("when it is ready: got %s, want a denial", body)
	}
	s.awaitLog(t, "registered")
	for name, want := range map[string]string{"well": "True Compiled", "broken": "False Broken", "slow": "False Pending"} {
		must(until(t.Context(), readyTimeout, unless(func() bool {
			return kubectl(t, "", "get", "policy", name, "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status} {.status.conditions[?(@.type=="Ready")].reason}`) == want
		})))
	}
	s.end(t, syscall.SIGTERM)
	if got := kubectl(t, "", "get", "configmap", "lintel-replicas", "-n", "starting", "-o", "jsonpath={.data}"); got != "" {
		t.Errorf("a replica that has ended says that it serves: %s", got)
	}
}
