package e2e_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/e2e/gate"
)

// TestRequests sends requests by ways that policies are easily blind to.
func TestRequests(t *testing.T) {
	s := newStage(t, "requests")
	s.must(t, "apply", "-f", testdata("gadgets.yaml"))
	s.must(t, "wait", "--for=condition=Established", "crd/gadgets.requests.example.com")
	s.must(t, "create", "configmap", "app-kept")
	s.must(t, "label", "configmap", "app-kept", "protected=yes")
	s.must(t, "create", "configmap", "app-free")
	s.must(t, "label", "namespace", "requests", "guard=on")
	s.guard(t, testdata("requests"))
	t.Run("Resize", s.resizes)
	t.Run("Namespace", s.guardsNamespaces)
	t.Run("Scale", s.scales)
	t.Run("GeneratedName", s.generatesNames)
	t.Run("Deletion", s.deletes)
	t.Run("Versions", s.converts)
	t.Run("Diff", s.diffs)
}

// A sending is what kubectl is run with, and what comes of it.
type sending struct {
	reason string
	stdin  string
	args   []string
	want   string // the line of the denial; empty: it is admitted
}

// hold runs kubectl.
func (tc sending) hold(t *testing.T, s *stage) {
	t.Helper()
	r := s.kubectlWith(t, tc.stdin, tc.args...)
	if tc.want == "" {
		if r.code != 0 || strings.Contains(r.stderr, "could not decide") {
			t.Errorf("%s\nkubectl %s: exit code %d, want 0\n%s", tc.reason, strings.Join(tc.args, " "), r.code, r.stderr)
		}
		return
	}
	if diff := cmp.Diff([]string{tc.want}, r.denied(t, tc.reason).lines); diff != "" {
		t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
	}
}

// resizes holds the resources of a pod that runs to the same as of one that is made.
func (s *stage) resizes(t *testing.T) {
	s.kubectlWith(t, wellPod("sized", "", ""), "create", "-f", "-").admitted(t, "The pod keeps all policies.")
	resize := func(cpu string) []string {
		return []string{"patch", "pod", "sized", "--subresource=resize", "-p",
			`{"spec": {"containers": [{"name": "a", "resources": {"requests": {"cpu": "` + cpu + `"}, "limits": {"cpu": "` + cpu + `"}}}]}}`}
	}
	d := s.kubectl(t, resize("64")...).denied(t, "A pod cannot grow to what it could not be made with.")
	begins(t, "Both fields are at fault.", d.lines, []string{"resources  spec.containers[0].resources.limits.cpu (a)", "resources  spec.containers[0].resources.requests.cpu (a)"})
	s.kubectl(t, resize("2")...).admitted(t, "It can grow to what it could be made with.")
}

// guardsNamespaces changes a label of a namespace by all ways there are.
func (s *stage) guardsNamespaces(t *testing.T) {
	namespace := func(guard, finalizers string) string {
		return `{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "requests", "labels": {"guard": "` + guard + `", "environment": "production", "team": "checkout"}}` +
			`, "spec": {"finalizers": [` + finalizers + `]}}`
	}
	const want, merge = "guarded  metadata.labels.guard: label guard is not to be changed", `{"metadata": {"labels": {"guard": "off"}}}`
	raw := func(subresource string) []string {
		return []string{"replace", "--raw", "/api/v1/namespaces/requests/" + subresource, "-f", "-"}
	}
	cases := map[string]sending{
		"Label":         {"By the object itself.", "", []string{"label", "namespace", "requests", "guard=off", "--overwrite"}, want},
		"Status":        {"By its status.", "", []string{"patch", "namespace", "requests", "--subresource=status", "--type=merge", "-p", merge}, want},
		"PutStatus":     {"By a status that is put.", namespace("off", `"kubernetes"`), raw("status"), want},
		"Finalize":      {"By its finalizers.", namespace("off", `"kubernetes"`), raw("finalize"), want},
		"OnlyFinalizer": {"Finalizers by themselves are free.", namespace("on", `"kubernetes", "example.com/kept"`), raw("finalize"), ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) { tc.hold(t, s) })
	}
	// The namespace has to be able to go at the end.
	s.kubectlWith(t, namespace("on", `"kubernetes"`), raw("finalize")...)
}

// TestNamespaceGoes holds that a namespace which policies guard can go, with Lintel
// and without.
func TestNamespaceGoes(t *testing.T) {
	s := newStage(t, "namespace-goes")
	start := func() *gate.Gate {
		g, err := gate.Start(t.Context(), gate.Config{Binary: built.Path(t), Cluster: s.Cluster, Policies: []string{"embedded", testdata("requests", "guarded")}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = g.Stop() })
		return g
	}
	for _, name := range []string{"going-first", "going-second"} {
		if err := s.CreateNamespace(t.Context(), name, map[string]string{"guard": "on"}); err != nil {
			t.Fatal(err)
		}
	}
	g := start()
	s.must(t, "delete", "namespace", "going-first", "--timeout=30s")
	g.Kill()
	r := s.kubectl(t, "label", "namespace", "going-second", "guard=off", "--overwrite")
	if want := `failed calling webhook "deny.lintel.dev"`; !strings.Contains(r.stderr, want) {
		t.Errorf("after a crash, want %q:\n%s", want, r.stderr)
	}
	s.must(t, "delete", "namespace", "going-second", "--timeout=30s")
	if err := start().Stop(); err != nil { // which removes what was left
		t.Error(err)
	}
}

// scales sets replicas: policies about scales see them, and those about templates
// find nothing in them.
func (s *stage) scales(t *testing.T) {
	for _, kind := range []string{"deployment", "replicaset", "statefulset"} {
		s.must(t, "create", "-f", testdata("workloads", kind+"-mended.yaml"))
	}
	s.kubectlWith(t, gadget("v1", "gadget", `"colour": "blue", "replicas": 1`), "create", "-f", "-").admitted(t, "The gadget is blue.")
	for _, kind := range []string{"deployment", "replicaset", "statefulset", "gadget"} {
		t.Run(kind, func(t *testing.T) {
			scale := []string{"scale", kind, kind, "--replicas"}
			tc := sending{"What scales is seen as a scale.", "", append(slices.Clone(scale), "6"), "replicas  spec.replicas: 6 replicas of a Scale are too many"}
			tc.hold(t, s)
			sending{"It is admitted, and no policy errs.", "", append(slices.Clone(scale), "4"), ""}.hold(t, s)
			if got := at(s.get(t, kind+"/"+kind), "spec", "replicas"); got != int64(4) {
				t.Errorf("%s: %v replicas are stored, want 4", kind, got)
			}
		})
	}
}

// gadget is a Gadget in a version.
func gadget(version, name, spec string) string {
	return `{"apiVersion": "requests.example.com/` + version + `", "kind": "Gadget", "metadata": {"name": "` + name + `"}, "spec": {` + spec + `}}`
}

// generatesNames holds that an object without a name yet is judged by the one that it
// gets.
func (s *stage) generatesNames(t *testing.T) {
	generate := func(prefix string) string {
		return `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "` + prefix + `"}}`
	}
	for _, dry := range []string{"--dry-run=none", "--dry-run=server"} {
		reason := "A name that is generated counts, and is the one that people read."
		d := s.kubectlWith(t, generate("web-"), "create", dry, "-f", "-").denied(t, reason)
		name := strings.TrimPrefix(d.object, "ConfigMap requests/")
		if !strings.HasPrefix(name, "web-") || len(name) != len("web-")+5 {
			t.Errorf("%s\nthe object is called %q", reason, d.object)
		}
		begins(t, reason, d.lines, []string{`named  metadata.name: the name "` + name + `" does not begin with app`})
		s.kubectlWith(t, generate("app-"), "create", dry, "-f", "-").admitted(t, "One that keeps the policy is admitted.")
	}
}

// deletes holds that deletions are judged by what is to be deleted, and by how.
func (s *stage) deletes(t *testing.T) {
	const protected = "protected  metadata.labels.protected: app-kept is protected, with "
	all := []string{"delete", "--raw", "/api/v1/namespaces/requests/configmaps"}
	cases := map[string]sending{
		"One":    {"kubectl has dependents go as well.", "", []string{"delete", "configmap", "app-kept"}, protected + `{"propagationPolicy":"Background"}`},
		"Now":    {"Force is no way out.", "", []string{"delete", "configmap", "app-kept", "--grace-period=0", "--force"}, protected + `{"gracePeriodSeconds":0,"propagationPolicy":"Background"}`},
		"Orphan": {"Nor is to leave dependents behind.", "", []string{"delete", "configmap", "app-kept", "--cascade=orphan"}, protected + `{"propagationPolicy":"Orphan"}`},
		"DryRun": {"A dry run says the same.", "", []string{"delete", "configmap", "app-kept", "--dry-run=server"}, protected + `{"propagationPolicy":"Background"}`},
		"All":    {"Of a collection, each object is judged.", "", all, protected + `{}`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := s.kubectl(t, tc.args...)
			found, _ := denials(t, r.stderr)
			if r.code != 1 || len(found) != 1 {
				t.Fatalf("%s\ngot exit code %d, want 1 and one denial:\n%s%s", tc.reason, r.code, r.stdout, r.stderr)
			}
			if diff := cmp.Diff([]string{tc.want}, found[0].lines); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
			if want := "ConfigMap requests/app-kept"; found[0].object != want {
				t.Errorf("%s\nthe denial names %q, want %q", tc.reason, found[0].object, want)
			}
		})
	}
	if !s.exists(t, "configmap/app-kept") {
		t.Error("what is protected has gone")
	}
	sending{"What is not protected goes.", "", []string{"delete", "configmap", "--ignore-not-found", "app-free"}, ""}.hold(t, s)
	s.must(t, "label", "configmap", "app-kept", "protected-")
	sending{"So does a collection of such.", "", all, ""}.hold(t, s)
	if s.exists(t, "configmap/app-kept") {
		t.Error("what is not protected is left")
	}
}

// converts holds that policies see one version, whichever is sent.
func (s *stage) converts(t *testing.T) {
	autoscaler := func(version, metrics string) string {
		return `{"apiVersion": "autoscaling/` + version + `", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "scaler"}, "spec": {"maxReplicas": 20, ` + metrics +
			`, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "none"}}}`
	}
	const (
		cpu     = `"targetCPUUtilizationPercentage": 50`
		metrics = `"metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}]`
		colour  = "gadgets  spec.colour: sent as "
	)
	s.kubectlWith(t, gadget("v1beta1", "versioned", `"colour": "blue"`), "create", "-f", "-").admitted(t, "The old version is judged by the same.")
	patch := func(resource string) []string {
		return []string{"patch", resource + "/versioned", "--type=merge", "-p", `{"spec": {"colour": "red"}}`}
	}
	create := []string{"create", "-f", "-"}
	cases := map[string]sending{
		"New":       {"As it is preferred.", autoscaler("v2", metrics), create, "autoscalers  spec.maxReplicas: sent as v2, seen as autoscaling/v2, by cpu"},
		"Old":       {"As it was sent years ago, converted.", autoscaler("v1", cpu), create, "autoscalers  spec.maxReplicas: sent as v1, seen as autoscaling/v2, by cpu"},
		"NewGadget": {"A kind of an extension in the version that is preferred.", gadget("v1", "red", `"colour": "red"`), create, colour + "v1, seen as requests.example.com/v1, before none"},
		"OldGadget": {"And in the one that is stored.", gadget("v1beta1", "red", `"colour": "red"`), create, colour + "v1beta1, seen as requests.example.com/v1, before none"},
		"OldPatch":  {"The old object is converted, too.", "", patch("gadgets.v1beta1.requests.example.com"), colour + "v1beta1, seen as requests.example.com/v1, before requests.example.com/v1"},
		"NewPatch":  {"Whichever version is stored.", "", patch("gadgets.v1.requests.example.com"), colour + "v1, seen as requests.example.com/v1, before requests.example.com/v1"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) { tc.hold(t, s) })
	}
}

// diffs holds that kubectl diff is told what apply would be.
func (s *stage) diffs(t *testing.T) {
	reason := "kubectl diff asks by a dry run."
	r := s.kubectl(t, "diff", "-f", testdata("workloads", "service-broken.yaml"))
	found, _ := denials(t, r.stderr)
	if r.code <= 1 || len(found) != 1 || found[0].object != "Service requests/service" {
		t.Errorf("%s\nkubectl diff: exit code %d, want more than 1 and the denial:\n%s%s", reason, r.code, r.stdout, r.stderr)
	}
}
