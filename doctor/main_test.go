package doctor_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/doctor"
	"github.com/lintel-policy/lintel/e2e/cluster"
	"github.com/lintel-policy/lintel/e2e/cluster/clustertest"
	"github.com/lintel-policy/lintel/e2e/gate"
)

const namespace = "lintel-system"

// account is the user that Lintel is to the API server.
const account = "system:serviceaccount:" + namespace + ":lintel"

var shared = clustertest.New(cluster.Config{})

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

// ofObjects is what install.yaml as it comes may lack for policies that are objects.
const ofObjects = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: lintel-objects}
rules:
- {apiGroups: [lintel.dev], resources: [policies, policyexceptions], verbs: [get, list, watch]}
- {apiGroups: [lintel.dev], resources: [policies/status, policyexceptions/status], verbs: [patch]}
- {apiGroups: [events.k8s.io], resources: [events], verbs: [create, patch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: lintel-objects}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: lintel-objects}
subjects: [{kind: ServiceAccount, name: lintel, namespace: lintel-system}]
`

// guarded is a policy that denies, in namespaces of a label that anybody could set if
// nothing guarded it.
const guarded = `
apiVersion: lintel.dev/v1alpha1
kind: Policy
metadata: {name: guarded}
spec:
  source: {modules: [{name: a.rego, rego: "package guarded\n\nviolation contains {\"msg\": \"no\"} if input.review.object.data.no\n\npatch contains {\"path\": [\"data\", \"yes\"], \"value\": \"1\"}"}]}
  enforcement: warn
  match: {kinds: [{apiGroups: [networking.k8s.io], kinds: [Ingress]}]}
  scopes: [{namespaceSelector: {matchLabels: {environment: production}}, enforcement: deny}]
  exceptions: {namespaceSelector: {matchLabels: {exceptions: allowed}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: doctor-other}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: doctor-shop, labels: {environment: production, exceptions: allowed}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: legacy-batch, namespace: doctor-shop}
spec: {defaultBackend: {service: {name: a, port: {number: 80}}}}
`

// endpoints are those that a controller would write of the Service.
const endpoints = `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: lintel-test, namespace: lintel-system, labels: {kubernetes.io/service-name: lintel}}
addressType: IPv4
ports: [{name: webhook, port: 8443, protocol: TCP}]
endpoints: [{addresses: [192.0.2.1]}]
`

// install makes a healthy installation, once for all tests: all that install.yaml
// makes, one replica that does what replicas do, and what controllers and kubelets
// would say of three.
var install = sync.OnceFunc(func() {
	c := shared.Cluster(nothing{})
	apply := func(stdin string, args ...string) { mustKubectl(c, stdin, args...) }
	apply("", "apply", "-f", "../manifests/install.yaml", "-f", "../manifests/crds", "-f", "../manifests/roles.yaml", "-f", "../manifests/namespace-labels.yaml")
	apply("", "wait", "--for=condition=Established", "crd/policies.lintel.dev", "crd/policyexceptions.lintel.dev")
	apply(ofObjects, "apply", "-f", "-")
	apply(guarded, "apply", "-f", "-")
	apply(endpoints, "apply", "-f", "-")
	apply("", "-n", namespace, "patch", "deployment", "lintel", "--type=json", `-p=[{"op": "replace", "path": "/spec/template/spec/containers/0/args", "value": ["serve", "--service=lintel-system/lintel", "--policies=cluster"]}]`)
	apply("", "-n", namespace, "patch", "deployment", "lintel", "--subresource=status", "--type=merge",
		`-p={"status": {"replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3, "observedGeneration": 99}}`)
	folder, err := os.MkdirTemp("", "lintel-doctor-")
	must(err)
	binary, err := gate.Build(context.Background(), folder)
	must(err)
	replica, err := gate.Launch(gate.Process{Binary: binary, Args: []string{
		"serve", "--kubeconfig", c.Kubeconfig(), "--service", "lintel-system/lintel", "--policies=cluster", "--address=127.0.0.1:0",
	}})
	must(err)
	must(os.RemoveAll(folder))
	ask(replica)
})

// review is one that the API server could send.
const review = `{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "1", "operation": "CREATE",
	"kind": {"group": "", "version": "v1", "kind": "ConfigMap"}, "resource": {"group": "", "version": "v1", "resource": "configmaps"},
	"namespace": "doctor-shop", "name": "a", "userInfo": {"username": "u"}, "object": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}}}`

// ask asks a replica what the API server would, which does not reach it by the Service,
// so that it is registered to be waited for.
func ask(replica *gate.Gate) {
	address := regexp.MustCompile(`"address":"([0-9.:]+)"`)
	var url string
	eventuallyOr(replica.Log, "the replica to serve", func() bool {
		if m := address.FindStringSubmatch(replica.Log()); m != nil {
			url = "https://" + m[1] + "/validate/deny"
		}
		return url != ""
	})
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // it is on this machine
	eventuallyOr(replica.Log, "an answer", func() bool {
		res, err := client.Post(url, "application/json", bytes.NewBufferString(review)) //nolint:noctx // bounded by the client
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

// nothing stands for a test where what is made is for all of them.
type nothing struct{ testing.TB }

func (nothing) Helper()                  {}
func (nothing) Context() context.Context { return context.Background() }
func (nothing) Fatal(args ...any)        { panic(fmt.Sprint(args...)) }

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func mustKubectl(c *cluster.Cluster, stdin string, args ...string) string {
	stdout, stderr, code := c.Kubectl(context.Background(), strings.NewReader(stdin), args...)
	if code != 0 {
		panic(fmt.Sprintf("kubectl %q: %s", args, stderr))
	}
	return stdout
}

func kubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	return mustKubectl(shared.Cluster(t), stdin, args...)
}

// eventuallyOr waits until something is so. What never comes ends the whole run, with the
// state of things: this is also what the installation that all tests share is made with,
// when there is no test yet that could fail.
func eventuallyOr(state func() string, what string, is func() bool) {
	for deadline := time.Now().Add(2 * time.Minute); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			panic("waited for " + what + " in vain:\n" + state())
		}
	}
}

// read reads the cluster as its administrator.
func read(t *testing.T) *doctor.Snapshot {
	t.Helper()
	s, err := doctor.Read(t.Context(), doctor.Config{REST: shared.Cluster(t).Config(), Version: "(devel)"})
	must(err)
	return s
}

// found returns a line for each finding.
func found(r *doctor.Report) []string {
	lines := []string{}
	for _, f := range r.Findings {
		lines = append(lines, strings.TrimSuffix(fmt.Sprintf("%s %s: %s %s: %s", f.Severity, f.Check, f.Object, f.Field, f.Message), "\n"))
	}
	return lines
}

// await waits until just these are found.
func await(t *testing.T, reason string, want []string) *doctor.Report {
	t.Helper()
	var diff string
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		r := read(t).Examine()
		if diff = cmp.Diff(want, found(r)); diff == "" {
			return r
		}
	}
	t.Fatalf("%s\nfindings: -want, +got:\n%s", reason, diff)
	return nil
}
