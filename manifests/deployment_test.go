package manifests_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// deployment returns the Deployment and its one container.
func deployment(t testing.TB) (*appsv1.Deployment, corev1.Container) {
	t.Helper()
	d := one[*appsv1.Deployment](t, "lintel")
	pod := d.Spec.Template.Spec
	if len(pod.Containers) != 1 || len(pod.InitContainers) > 0 {
		t.Fatalf("pods have %d containers and %d for their start, want one and none", len(pod.Containers), len(pod.InitContainers))
	}
	return d, pod.Containers[0]
}

// TestAvailability holds that one replica can always go, by a drain, a rollout or
// the loss of a zone, and others stay.
func TestAvailability(t *testing.T) {
	d, _ := deployment(t)
	if d.Spec.Replicas == nil || *d.Spec.Replicas != 3 {
		t.Errorf("replicas: got %v, want 3", d.Spec.Replicas)
	}
	zero, single := intstr.FromInt32(0), intstr.FromInt32(1)
	strategy := appsv1.DeploymentStrategy{
		Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: &zero, MaxSurge: &single},
	}
	if diff := cmp.Diff(strategy, d.Spec.Strategy); diff != "" {
		t.Errorf("a rollout takes a replica away before its successor is ready: -want, +got:\n%s", diff)
	}
	always := policyv1.AlwaysAllow
	budget := policyv1.PodDisruptionBudgetSpec{MaxUnavailable: &single, UnhealthyPodEvictionPolicy: &always, Selector: d.Spec.Selector}
	if diff := cmp.Diff(budget, one[*policyv1.PodDisruptionBudget](t, "lintel").Spec); diff != "" {
		t.Errorf("a drain takes more than one replica, or is held up: -want, +got:\n%s", diff)
	}
	quota := corev1.ResourceQuotaSpec{
		Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("10")},
		ScopeSelector: &corev1.ScopeSelector{MatchExpressions: []corev1.ScopedResourceSelectorRequirement{{
			ScopeName: corev1.ResourceQuotaScopePriorityClass, Operator: corev1.ScopeSelectorOpIn, Values: []string{"system-cluster-critical"},
		}}},
	}
	if diff := cmp.Diff(quota, one[*corev1.ResourceQuota](t, "lintel").Spec); diff != "" {
		t.Errorf("the quota has no room for a rollout, or is not about its priority class: -want, +got:\n%s", diff)
	}
	if got := d.Spec.Template.Spec.PriorityClassName; got != "system-cluster-critical" {
		t.Errorf("priority class: got %q: pods that need the webhook push it out", got)
	}
}

// TestSpread holds that the loss of a zone or a host leaves replicas, of each
// revision by itself.
func TestSpread(t *testing.T) {
	d, _ := deployment(t)
	var over []string
	for _, c := range d.Spec.Template.Spec.TopologySpreadConstraints {
		over = append(over, fmt.Sprintf("%s %d %s %v", c.TopologyKey, c.MaxSkew, c.WhenUnsatisfiable, c.MatchLabelKeys))
		selects(t, "the constraint over "+c.TopologyKey, c.LabelSelector)
	}
	want := []string{
		"topology.kubernetes.io/zone 1 ScheduleAnyway [pod-template-hash]",
		"kubernetes.io/hostname 1 ScheduleAnyway [pod-template-hash]",
	}
	if diff := cmp.Diff(want, over); diff != "" {
		t.Errorf("constraints: -want, +got:\n%s", diff)
	}
}

// TestSelectors holds that what is about Lintel's pods selects them.
func TestSelectors(t *testing.T) {
	d, _ := deployment(t)
	selects(t, "the Deployment", d.Spec.Selector)
	selects(t, "the PodDisruptionBudget", one[*policyv1.PodDisruptionBudget](t, "lintel").Spec.Selector)
	selects(t, "the NetworkPolicy", &one[*networkingv1.NetworkPolicy](t, "lintel").Spec.PodSelector)
	selects(t, "the Service", &metav1.LabelSelector{MatchLabels: one[*corev1.Service](t, "lintel").Spec.Selector})
}

// selects checks that a selector selects the pods of the Deployment, and not all.
func selects(t *testing.T, what string, selector *metav1.LabelSelector) {
	t.Helper()
	d, _ := deployment(t)
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatalf("selector of %s: %v", what, err)
	}
	if s.Empty() || !s.Matches(labels.Set(d.Spec.Template.Labels)) {
		t.Errorf("%s selects %q: not the pods with labels %v and no others", what, s, d.Spec.Template.Labels)
	}
}

// TestEnd holds that what serve does after SIGTERM fits into the time it is given.
func TestEnd(t *testing.T) {
	const (
		lameDuck = 10 * time.Second // until nobody sends any more
		inFlight = 10 * time.Second // no request lasts longer
		rest     = 5 * time.Second
	)
	d, _ := deployment(t)
	grace := d.Spec.Template.Spec.TerminationGracePeriodSeconds
	if grace == nil || time.Duration(*grace)*time.Second < lameDuck+inFlight+rest {
		t.Errorf("grace period: got %v seconds, want %s at least", grace, lameDuck+inFlight+rest)
	}
}

// TestMemory holds that there is a limit, and that Go knows of it.
func TestMemory(t *testing.T) {
	_, c := deployment(t)
	want := corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("256Mi")},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")},
	}
	if diff := cmp.Diff(want, c.Resources); diff != "" {
		t.Errorf("resources: -want, +got:\n%s", diff)
	}
	at := slices.IndexFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == "GOMEMLIMIT" })
	if at < 0 {
		t.Fatal("GOMEMLIMIT is missing: the collector does not know that memory is limited")
	}
	const mebi = 1 << 20
	ninety := c.Resources.Limits.Memory().Value() * 9 / 10 / mebi
	if got, want := c.Env[at].Value, fmt.Sprintf("%dMiB", ninety); got != want {
		t.Errorf("GOMEMLIMIT: got %s, want %s, which is 90 %% of the limit", got, want)
	}
}

// TestProbes holds that a replica is asked when it starts, gets requests only
// while it can decide, and is started anew when it hangs, but not for being slow.
func TestProbes(t *testing.T) {
	_, c := deployment(t)
	probe := func(path string, period, timeout, failures int32) *corev1.Probe {
		return &corev1.Probe{
			ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromString("probes")}},
			PeriodSeconds: period, TimeoutSeconds: timeout, FailureThreshold: failures,
		}
	}
	for what, tc := range map[string]struct{ want, got *corev1.Probe }{
		"startup":   {probe("/livez", 2, 2, 60), c.StartupProbe},
		"readiness": {probe("/readyz", 5, 2, 2), c.ReadinessProbe},
		"liveness":  {probe("/livez", 10, 5, 6), c.LivenessProbe},
	} {
		if diff := cmp.Diff(tc.want, tc.got); diff != "" {
			t.Errorf("%s probe: -want, +got:\n%s", what, diff)
		}
	}
}

// TestPrivileges holds pods to the least that there is: what is not listed here is
// neither asked for nor mounted.
func TestPrivileges(t *testing.T) {
	d, c := deployment(t)
	pod := d.Spec.Template.Spec
	yes, no, user := true, false, int64(65532)
	want := corev1.PodSecurityContext{
		RunAsNonRoot: &yes, RunAsUser: &user, RunAsGroup: &user,
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	if diff := cmp.Diff(&want, pod.SecurityContext); diff != "" {
		t.Errorf("security context of pods: -want, +got:\n%s", diff)
	}
	wantContainer := corev1.SecurityContext{
		AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes,
		Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
	if diff := cmp.Diff(&wantContainer, c.SecurityContext); diff != "" {
		t.Errorf("security context of the container: -want, +got:\n%s", diff)
	}
	if pod.HostNetwork || pod.HostPID || pod.HostIPC || pod.ShareProcessNamespace != nil {
		t.Error("pods share namespaces with their host, or with each other")
	}
	if len(pod.Volumes)+len(c.VolumeMounts)+len(c.EnvFrom) > 0 {
		t.Errorf("volumes %v, mounts %v, environment from %v: want none", pod.Volumes, c.VolumeMounts, c.EnvFrom)
	}
}

// TestToken holds that only pods of the Deployment get the account's token.
func TestToken(t *testing.T) {
	d, _ := deployment(t)
	account := one[*corev1.ServiceAccount](t, d.Spec.Template.Spec.ServiceAccountName)
	if mounts := account.AutomountServiceAccountToken; mounts == nil || *mounts {
		t.Error("every pod that names the account gets its token")
	}
	if mounts := d.Spec.Template.Spec.AutomountServiceAccountToken; mounts == nil || !*mounts {
		t.Error("Lintel gets no token")
	}
}

// TestCommand holds what is run to what the other objects say of it.
func TestCommand(t *testing.T) {
	_, c := deployment(t)
	want := []string{
		"serve", "--service=lintel-system/lintel",
		"--address=0.0.0.0:8443", "--metrics-address=0.0.0.0:8080", "--probe-address=0.0.0.0:8081",
		"--policies=cluster", // alone: beside the library, what has no object would deny
	}
	if diff := cmp.Diff(want, c.Args); diff != "" || len(c.Command) > 0 {
		t.Errorf("command %q, arguments: -want, +got:\n%s", c.Command, diff)
	}
	if name, tag, ok := strings.Cut(c.Image, ":"); !ok || tag == "latest" || c.ImagePullPolicy != corev1.PullIfNotPresent {
		t.Errorf("image %q, tag %q, pulled %s: want a version, and no need of the registry at each start", name, tag, c.ImagePullPolicy)
	}
	var ports []string
	for _, p := range c.Ports {
		ports = append(ports, fmt.Sprintf("%s %d", p.Name, p.ContainerPort))
		if p.HostPort != 0 {
			t.Errorf("port %s is one of the host's", p.Name)
		}
	}
	if diff := cmp.Diff([]string{"webhook 8443", "metrics 8080", "probes 8081"}, ports); diff != "" {
		t.Errorf("ports: -want, +got:\n%s", diff)
	}
}

// TestWays holds what reaches pods, and from where.
func TestWays(t *testing.T) {
	service := one[*corev1.Service](t, "lintel").Spec
	var ports []string
	for _, p := range service.Ports {
		ports = append(ports, fmt.Sprintf("%s %d %s", p.Name, p.Port, p.TargetPort.String()))
	}
	if diff := cmp.Diff([]string{"webhook 443 webhook", "metrics 8080 metrics"}, ports); diff != "" || service.Type != "" {
		t.Errorf("Service of type %q: -want, +got:\n%s", service.Type, diff)
	}
	tcp, webhook, metrics := corev1.ProtocolTCP, intstr.FromInt32(8443), intstr.FromInt32(8080)
	want := networkingv1.NetworkPolicySpec{
		PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app.kubernetes.io/name": "lintel"}},
		PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
		Ingress: []networkingv1.NetworkPolicyIngressRule{
			{Ports: []networkingv1.NetworkPolicyPort{{Protocol: &tcp, Port: &webhook}}},
			{
				Ports: []networkingv1.NetworkPolicyPort{{Protocol: &tcp, Port: &metrics}},
				From:  []networkingv1.NetworkPolicyPeer{{NamespaceSelector: &metav1.LabelSelector{}}},
			},
		},
	}
	if diff := cmp.Diff(want, one[*networkingv1.NetworkPolicy](t, "lintel").Spec); diff != "" {
		t.Errorf("NetworkPolicy: -want, +got:\n%s", diff)
	}
}
