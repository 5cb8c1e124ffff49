package e2e_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/lintel-policy/lintel/e2e/gate"
)

// TestOutage holds that a cluster goes on when Lintel is gone and its registration
// is not, even if its policies are about everything: what runs is reported on,
// scaled, replaced and tidied up. Nothing new comes in, right or wrong.
func TestOutage(t *testing.T) {
	s, ending := newStage(t, "outage"), newStage(t, "outage-ending")
	ending.addHeld(t)
	s.addHeld(t)
	s.addNode(t, "outage")
	s.kubectl(t, "create", "-f", testdata("outage", "old.yaml")).admitted(t, "Lintel is not there yet.")
	await(t, "the old workloads have their pods", func() bool {
		return len(s.podsOf(t, "web")) == 2 && len(s.podsOf(t, "set")) == 1 && len(s.podsOf(t, "scaled")) == 2
	})
	s.lose(t)

	t.Run("GoesOn", s.goesOn)
	t.Run("IsReported", s.isReported)
	t.Run("ComesBack", s.comesBack)
	t.Run("IsTidiedUp", s.isTidiedUp)
	t.Run("Ends", ending.end)
	t.Run("StaysOut", s.staysOut)

	s.must(t, "delete", "validatingwebhookconfiguration", "lintel")
	await(t, "who deletes the registration lets everything in", func() bool {
		return s.kubectl(t, "apply", "-f", testdata("workloads", "service-broken.yaml")).code == 0
	})
}

// lose starts Lintel and kills it, and waits until the API server refuses what
// nobody judges. The registration is removed when the test has ended.
func (s *stage) lose(t *testing.T) {
	t.Helper()
	g, err := gate.Start(t.Context(), gate.Config{
		Binary: built.Path(t), Cluster: s.Cluster, Policies: []string{"embedded", testdata("outage", "policies")},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = g.Stop()
		s.Kubectl(context.WithoutCancel(t.Context()), nil, "delete", "--ignore-not-found",
			"validatingwebhookconfiguration/lintel", "mutatingwebhookconfiguration/lintel")
	})
	g.Kill()
	await(t, "the API server refuses what nobody judges", func() bool {
		return s.kubectl(t, "create", "configmap", "probe", "--dry-run=server").isUnjudged()
	})
}

// isUnjudged says whether a request was refused because nobody answers.
func (r result) isUnjudged() bool {
	return r.code == 1 && strings.Contains(r.stderr, `failed calling webhook "deny.lintel.dev"`)
}

// A request is what is asked of the API server in an outage.
type request struct {
	reason string
	as     []string // groups, after the user; none: the administrator
	stdin  string
	args   []string
}

// send sends it, in the stage's namespace unless it says another.
func (r request) send(t *testing.T, s *stage) result {
	t.Helper()
	args := slices.Clone(r.args)
	if r.as != nil {
		kubeconfig, err := s.KubeconfigFor(r.as[0], r.as[1:]...)
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, "--kubeconfig", kubeconfig)
	}
	return s.kubectlWith(t, r.stdin, args...)
}

// goesOn sends what has to go on.
func (s *stage) goesOn(t *testing.T) {
	node := []string{"system:node:outage", "system:nodes"}
	create := []string{"create", "-f", "-"}
	inSystem := []string{"create", "--namespace=kube-system", "-f", "-"}
	cases := map[string]request{
		"Lease": {"A kubelet says that it lives.", node,
			`{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "outage", "namespace": "kube-node-lease"}}`,
			[]string{"create", "--namespace=kube-node-lease", "-f", "-"}},
		"Election": {"Leaders are elected.", nil, `{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "leader"}}`, create},
		"Event":    {"What happens is told.", node, `{"apiVersion": "v1", "kind": "Event", "metadata": {"name": "told"}, "involvedObject": {"namespace": "outage"}}`, create},
		"Node":     {"Nodes join.", nil, "", []string{"label", "node", "outage", "joined=yes"}},
		"Endpoints": {"Traffic is led elsewhere.", nil, `{"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": "led"},` +
			` "addressType": "IPv4", "endpoints": []}`, create},
		"KubeSystem":       {"What runs the cluster can be changed.", nil, wellPod("system", "", `, "serviceAccountName": "default"`), inSystem},
		"KubeSystemConfig": {"What runs the cluster can be configured.", nil, `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "outage"}}`, inSystem},
		"CRD":              {"Extensions can be put right.", nil, read(t, "verticalpodautoscalers.yaml"), []string{"apply", "-f", "-"}},
		"Drain":            {"A node can be emptied.", nil, "", []string{"cordon", "outage"}},
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		s.Kubectl(ctx, nil, "delete", "--namespace=kube-system", "pod/system", "configmap/outage", "--wait=false")
		s.Kubectl(ctx, nil, "delete", "--namespace=kube-node-lease", "lease/outage")
	})
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if r := tc.send(t, s); r.code != 0 {
				t.Errorf("%s\nkubectl %s: exit code %d, want 0\n%s", tc.reason, strings.Join(tc.args, " "), r.code, r.stderr)
			}
		})
	}
}

// isReported patches a status as kubelets do, which may not read it.
func (s *stage) isReported(t *testing.T) {
	kubelet, err := s.ConfigFor("system:node:outage", "system:nodes")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/api/v1/nodes/outage/status", "/api/v1/namespaces/outage/pods/bound/status"} {
		const ready = `{"status": {"conditions": [{"type": "Ready", "status": "True"}]}}`
		if code, answer := sendAs(t, kubelet, http.MethodPatch, path, "application/strategic-merge-patch+json", ready); code != http.StatusOK {
			t.Errorf("a kubelet patches %s: status %d, want 200: %v", path, code, answer)
		}
	}
}

// comesBack loses, and asks for more of, what controllers make.
func (s *stage) comesBack(t *testing.T) {
	lost := s.podsOf(t, "web")[0]
	s.must(t, "delete", lost, "--force", "--grace-period=0")
	s.must(t, "scale", "deployment/web", "statefulset/set", "--replicas=3")
	s.must(t, "scale", "deployment/scaled", "--replicas=1")
	s.must(t, "delete", "configmap/kube-root-ca.crt", "serviceaccount/default")
	await(t, "the Deployment is scaled, and has its lost pod again", func() bool {
		now := s.podsOf(t, "web")
		return len(now) == 3 && !slices.Contains(now, lost)
	})
	await(t, "the autoscaler scales back to its minimum", func() bool { return len(s.podsOf(t, "scaled")) == 2 })
	await(t, "new pods find what they mount and run as", func() bool {
		return s.exists(t, "configmap/kube-root-ca.crt") && s.exists(t, "serviceaccount/default")
	})
	s.kubectlWith(t, `{"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "outage"}, "spec": {"capacity": {"storage": "1Gi"},`+
		` "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/nowhere"}, "claimRef": {"namespace": "outage", "name": "claim"}}}`, "create", "-f", "-").
		admitted(t, "No policy is about volumes.")
	t.Cleanup(func() {
		s.Kubectl(context.WithoutCancel(t.Context()), nil, "delete", "persistentvolume", "outage", "--wait=false")
	})
	await(t, "the claim is bound", func() bool { return at(s.get(t, "persistentvolumeclaim/claim"), "status", "phase") == "Bound" })
}

// isTidiedUp deletes what others have still to let go of.
func (s *stage) isTidiedUp(t *testing.T) {
	s.must(t, "delete", "deployment/old", "--cascade=foreground", "--timeout=30s")
	s.must(t, "delete", "deployment/orphaning", "--cascade=orphan", "--timeout=30s")
	s.must(t, append([]string{"delete", "--wait=false"}, held()...)...)
	s.must(t, "delete", "persistentvolumeclaim/unused", "--timeout=30s")
	for _, name := range held() {
		s.must(t, "patch", name, "--type=json", "-p", `[{"op": "remove", "path": "/metadata/finalizers/0"}]`)
		await(t, name+" is gone", func() bool { return !s.exists(t, name) })
	}
}

// staysOut sends what cannot be judged.
func (s *stage) staysOut(t *testing.T) {
	apply := []string{"apply", "-f", "-"}
	cases := map[string]request{
		"Broken":    {"What breaks policies does not come in.", nil, read(t, "workloads", "deployment-broken.yaml"), apply},
		"Kept":      {"Nor does what keeps them: nobody can tell.", nil, encode(t, keeps(t, "deployment")), apply},
		"Pod":       {"Nor a pod.", nil, read(t, "workloads", "pod-broken.yaml"), apply},
		"Image":     {"A spec is not changed.", nil, "", []string{"set", "image", "deployment/web", "web=evil/x"}},
		"Label":     {"Nor are labels.", nil, "", []string{"label", "deployment/web", "team=other"}},
		"PodStatus": {"Nor those of a pod by way of its status.", nil, "", []string{"patch", "pod", "bound", "--subresource=status", "-p", `{"metadata": {"labels": {"app": "other"}}}`}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if r := tc.send(t, s); !r.isUnjudged() {
				t.Errorf("%s\nkubectl %s: exit code %d, want 1 because nobody judges\n%s%s", tc.reason, strings.Join(tc.args, " "), r.code, r.stdout, r.stderr)
			}
		})
	}
}
