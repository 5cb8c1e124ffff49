package doctor_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/lintel-policy/lintel/certs"
	"github.com/lintel-policy/lintel/doctor"
)

// copyOf returns a snapshot whose objects can be changed.
func copyOf(s *doctor.Snapshot) *doctor.Snapshot {
	c := *s
	c.Deployment = s.Deployment.DeepCopy()
	c.Validating, c.Mutating, c.ConfigMaps, c.Pods = nil, nil, nil, nil
	for i := range s.Validating {
		c.Validating = append(c.Validating, *s.Validating[i].DeepCopy())
	}
	for i := range s.Mutating {
		c.Mutating = append(c.Mutating, *s.Mutating[i].DeepCopy())
	}
	for i := range s.ConfigMaps {
		c.ConfigMaps = append(c.ConfigMaps, *s.ConfigMaps[i].DeepCopy())
	}
	c.Objects.Policies = nil
	for i := range s.Objects.Policies {
		c.Objects.Policies = append(c.Objects.Policies, *s.Objects.Policies[i].DeepCopy())
	}
	return &c
}

// validating returns an entry of Lintel's own. A name that is none is a mistake in the
// test itself, which changes the entry where no test can be failed.
func validating(s *doctor.Snapshot, name string) *admissionv1.ValidatingWebhook {
	for i := range s.Validating {
		for j := range s.Validating[i].Webhooks {
			if w := &s.Validating[i].Webhooks[j]; w.Name == name {
				return w
			}
		}
	}
	panic("no entry " + name)
}

func configMap(s *doctor.Snapshot, name string, data map[string]string) {
	s.ConfigMaps = slices.DeleteFunc(s.ConfigMaps, func(m corev1.ConfigMap) bool { return m.Name == name })
	s.ConfigMaps = append(s.ConfigMaps, corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace}, Data: data})
}

func running(name, image string) corev1.Pod {
	return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.PodStatus{
		Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{Name: "lintel", ImageID: image}},
	}}
}

func ptr[T any](v T) *T { return &v }

// TestSnapshots changes what was read of a healthy installation, where to change the
// cluster itself would be put right at once, or takes time.
func TestSnapshots(t *testing.T) {
	install()
	await(t, "What is changed here is healthy.", []string{})
	healthy := read(t)
	other, err := certs.NewKeyring([]string{"lintel.lintel-system.svc"}, time.Now())
	must(err)
	cases := map[string]struct {
		reason string
		change func(s *doctor.Snapshot)
		want   []string
	}{
		"NotRegistered": {
			reason: "What is not registered is asked about nothing.",
			change: func(s *doctor.Snapshot) { s.Validating = nil },
			want:   []string{"problem registration.missing: ValidatingWebhookConfiguration lintel : is not there"},
		},
		"Open": {
			reason: "A gate that is open on purpose is one finding, whatever is registered meanwhile.",
			change: func(s *doctor.Snapshot) {
				s.Validating[0].Annotations = map[string]string{
					"lintel.dev/breakglass-until": "2037-01-01T00:00:00Z", "lintel.dev/breakglass-by": "jo", "lintel.dev/breakglass-reason": "fire",
				}
				s.Validating[0].Webhooks, s.Mutating[0].Webhooks = nil, nil
			},
			want: []string{"warning registration.open: ValidatingWebhookConfiguration lintel metadata.annotations[lintel.dev/breakglass-until]: jo holds the gate open until 2037-01-01T00:00:00Z: fire"},
		},
		"OpenTooLong": {
			reason: "A gate that nobody closes in time stays open.",
			change: func(s *doctor.Snapshot) {
				s.Validating[0].Annotations = map[string]string{"lintel.dev/breakglass-until": "2020-01-01T00:00:00Z"}
			},
			want: []string{"problem registration.open: ValidatingWebhookConfiguration lintel metadata.annotations[lintel.dev/breakglass-until]: somebody holds the gate open until 2020-01-01T00:00:00Z"},
		},
		"OwnEntry": {
			reason: "Lintel's own objects are to be checked too.",
			change: func(s *doctor.Snapshot) { validating(s, "own.lintel.dev").Rules = nil },
			want: []string{"warning registration.rules: ValidatingWebhookConfiguration lintel webhooks[own.lintel.dev].rules: " +
				"is not asked about CREATE policies.lintel.dev, UPDATE policies.lintel.dev, CREATE policyexceptions.lintel.dev, UPDATE policyexceptions.lintel.dev"},
		},
		"Deleted": {
			reason: "A registration that was deleted by hand is put back, and that is no problem.",
			change: func(s *doctor.Snapshot) {
				s.Validating = nil
				configMap(s, "lintel-state", map[string]string{"registered": "true", "open-until": "2037-01-01T00:00:00Z"})
			},
			want: []string{"warning registration.open: ValidatingWebhookConfiguration lintel : was deleted by hand, and is put back at 2037-01-01T00:00:00Z"},
		},
		"NoOwner": {
			reason: "Nothing takes the registration away when Lintel is.",
			change: func(s *doctor.Snapshot) { s.Validating[0].OwnerReferences = nil },
			want:   []string{"warning registration.owner: ValidatingWebhookConfiguration lintel metadata.ownerReferences: nobody owns it"},
		},
		"Uncovered": {
			reason: "A policy that denies what nobody asks about denies nothing.",
			change: func(s *doctor.Snapshot) {
				validating(s, "deny.lintel.dev").Rules[0].Operations = []admissionv1.OperationType{admissionv1.Create}
			},
			want: []string{"problem registration.rules: ValidatingWebhookConfiguration lintel webhooks[deny.lintel.dev].rules: is not asked about UPDATE ingresses.networking.k8s.io"},
		},
		"NoEntry": {
			reason: "The same where the whole entry is missing.",
			change: func(s *doctor.Snapshot) {
				s.Validating[0].Webhooks = slices.DeleteFunc(s.Validating[0].Webhooks, func(w admissionv1.ValidatingWebhook) bool { return w.Name == "deny.lintel.dev" })
				s.Mutating[0].Webhooks = nil
			},
			want: []string{
				"problem registration.rules: ValidatingWebhookConfiguration lintel webhooks[deny.lintel.dev].rules: is not asked about CREATE ingresses.networking.k8s.io, UPDATE ingresses.networking.k8s.io",
				"warning registration.rules: MutatingWebhookConfiguration lintel webhooks[patch.lintel.dev].rules: is not asked about CREATE ingresses.networking.k8s.io, UPDATE ingresses.networking.k8s.io",
			},
		},
		"Foreign": {
			reason: "What others add to the registration does not stay there.",
			change: func(s *doctor.Snapshot) {
				w := *validating(s, "warn.lintel.dev")
				w.Name = "mine.example.com"
				s.Validating[0].Webhooks = append(s.Validating[0].Webhooks, w)
			},
			want: []string{"warning registration.foreign: ValidatingWebhookConfiguration lintel webhooks[mine.example.com].name: the entry mine.example.com is not Lintel's"},
		},
		"Surplus": {
			reason: "An entry that is asked about everything holds everything up.",
			change: func(s *doctor.Snapshot) {
				validating(s, "deny.lintel.dev").Rules[0].Resources = []string{"*"}
			},
			want: []string{"warning registration.surplus: ValidatingWebhookConfiguration lintel webhooks[deny.lintel.dev].rules: is asked about what no policy matches: CREATE *.networking.k8s.io, UPDATE *.networking.k8s.io"},
		},
		"Condition": {
			reason: "A condition that others add is a way around.",
			change: func(s *doctor.Snapshot) {
				w := validating(s, "deny.lintel.dev")
				w.MatchConditions = append(w.MatchConditions, admissionv1.MatchCondition{Name: "not-mine", Expression: "false"})
			},
			want: []string{"warning registration.conditions: ValidatingWebhookConfiguration lintel webhooks[deny.lintel.dev].matchConditions: has conditions that are not those of this Lintel: not-mine"},
		},
		"Exact": {
			reason: "Another version of the same API is the same object.",
			change: func(s *doctor.Snapshot) { validating(s, "deny.lintel.dev").MatchPolicy = ptr(admissionv1.Exact) },
			want:   []string{"problem registration.matchpolicy: ValidatingWebhookConfiguration lintel webhooks[deny.lintel.dev].matchPolicy: is Exact"},
		},
		"ObjectSelector": {
			reason: "Whoever makes an object sets its labels.",
			change: func(s *doctor.Snapshot) {
				validating(s, "deny.lintel.dev").ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"lintel": "on"}}
			},
			want: []string{"problem registration.objectselector: ValidatingWebhookConfiguration lintel webhooks[deny.lintel.dev].objectSelector: goes by labels of objects: lintel=on"},
		},
		"NamespaceSelector": {
			reason: "A namespace without the label is out of it.",
			change: func(s *doctor.Snapshot) {
				w := validating(s, "deny.lintel.dev")
				w.NamespaceSelector.MatchExpressions = append(w.NamespaceSelector.MatchExpressions, metav1.LabelSelectorRequirement{Key: "off", Operator: metav1.LabelSelectorOpDoesNotExist})
			},
			want: []string{"problem registration.namespaceselector: ValidatingWebhookConfiguration lintel webhooks[deny.lintel.dev].namespaceSelector: goes by labels that can be set: off"},
		},
		"NotExcluded": {
			reason: "What brings Lintel back must not wait for it.",
			change: func(s *doctor.Snapshot) { validating(s, "deny.lintel.dev").NamespaceSelector = nil },
			want:   []string{"problem registration.excluded: ValidatingWebhookConfiguration lintel webhooks[deny.lintel.dev].namespaceSelector: does not exclude kube-system, kube-public, kube-node-lease, lintel-system"},
		},
		"FailsOpen": {
			reason: "A policy that denies and an entry that lets pass contradict each other.",
			change: func(s *doctor.Snapshot) { validating(s, "deny.lintel.dev").FailurePolicy = ptr(admissionv1.Ignore) },
			want:   []string{"problem registration.failurepolicy: ValidatingWebhookConfiguration lintel webhooks[deny.lintel.dev].failurePolicy: is Ignore"},
		},
		"FailsClosed": {
			reason: "What would only warn must not stop anything.",
			change: func(s *doctor.Snapshot) { s.Mutating[0].Webhooks[0].FailurePolicy = ptr(admissionv1.Fail) },
			want:   []string{"problem registration.failurepolicy: MutatingWebhookConfiguration lintel webhooks[patch.lintel.dev].failurePolicy: is Fail"},
		},
		"Once": {
			reason: "What later webhooks add is to be patched too.",
			change: func(s *doctor.Snapshot) {
				s.Mutating[0].Webhooks[0].ReinvocationPolicy = ptr(admissionv1.NeverReinvocationPolicy)
			},
			want: []string{"problem registration.reinvocation: MutatingWebhookConfiguration lintel webhooks[patch.lintel.dev].reinvocationPolicy: is Never"},
		},
		"LongTimeout": {
			reason: "To wait long and then refuse is the worst of both.",
			change: func(s *doctor.Snapshot) { validating(s, "deny.lintel.dev").TimeoutSeconds = ptr(int32(15)) },
			want:   []string{"problem timeouts.entry: ValidatingWebhookConfiguration lintel webhooks[deny.lintel.dev].timeoutSeconds: is 15"},
		},
		"ShortTimeout": {
			reason: "Lintel takes the time that it asks for.",
			change: func(s *doctor.Snapshot) { validating(s, "deny.lintel.dev").TimeoutSeconds = ptr(int32(1)) },
			want:   []string{"warning timeouts.entry: ValidatingWebhookConfiguration lintel webhooks[deny.lintel.dev].timeoutSeconds: is 1"},
		},
		"EndsSoon": {
			reason: "A certificate that was not renewed in time is told of before it ends.",
			change: func(s *doctor.Snapshot) { s.Now = s.Serving[0].NotAfter.Add(-24 * time.Hour) },
			want:   []string{"warning certificates.serving: Secret lintel-system/lintel-tls tls.crt: ends at " + healthy.Serving[0].NotAfter.UTC().Format(time.RFC3339)},
		},
		"Ended": {
			reason: "Then nothing works.",
			change: func(s *doctor.Snapshot) { s.Now = s.Serving[0].NotAfter.Add(time.Hour) },
			want:   []string{"problem certificates.serving: Secret lintel-system/lintel-tls tls.crt: has ended at " + healthy.Serving[0].NotAfter.UTC().Format(time.RFC3339)},
		},
		"NoBundle": {
			reason: "Without a bundle, the API server trusts the public authorities, none of which has signed this.",
			change: func(s *doctor.Snapshot) { eachBundle(s, nil) },
			want:   []string{"problem certificates.bundle: ValidatingWebhookConfiguration lintel webhooks[deny.lintel.dev].clientConfig.caBundle: has no certificate"},
		},
		"OtherBundle": {
			reason: "A bundle of another authority is as bad as none.",
			change: func(s *doctor.Snapshot) { eachBundle(s, other.Bundle()) },
			want: []string{"problem certificates.trust: ValidatingWebhookConfiguration lintel webhooks[deny.lintel.dev].clientConfig.caBundle: " +
				"does not vouch for the Secret lintel-system/lintel-tls: another authority has signed that"},
		},
		"OtherName": {
			reason: "A certificate is for a name.",
			change: func(s *doctor.Snapshot) { s.ServingName = "lintel.other.svc" },
			want: []string{"problem certificates.trust: ValidatingWebhookConfiguration lintel webhooks[deny.lintel.dev].clientConfig.caBundle: " +
				"does not vouch for the Secret lintel-system/lintel-tls: x509: certificate is valid for lintel.lintel-system.svc, not lintel.other.svc"},
		},
		"OldServer": {
			reason: "An API server without match conditions refuses the registration.",
			change: func(s *doctor.Snapshot) { s.Server = "v1.29.9" },
			want:   []string{"problem versions.server: API server : is v1.29.9, and Lintel needs 1.30 or newer"},
		},
		"Images": {
			reason: "Half of a rollout judges as before.",
			change: func(s *doctor.Snapshot) { s.Pods = []corev1.Pod{running("lintel-1", "a"), running("lintel-2", "b")} },
			want:   []string{"warning versions.replicas: Deployment lintel-system/lintel : replicas run different images"},
		},
		"Binary": {
			reason: "This binary's library is not that of the replicas.",
			change: func(s *doctor.Snapshot) {
				s.Version = "v0.2.0"
				s.Deployment.Spec.Template.Spec.Containers[0].Image = "localhost:5000/lintel:v0.1.0"
			},
			want: []string{"note versions.binary: Deployment lintel-system/lintel spec.template.spec.containers[0].image: runs v0.1.0, and this is lintel v0.2.0"},
		},
		"Revisions": {
			reason: "Replicas that judge by different policies answer the same request differently; one that is gone does not count.",
			change: func(s *doctor.Snapshot) {
				s.Pods = []corev1.Pod{running("lintel-1", "a"), running("lintel-2", "a")}
				configMap(s, "lintel-replicas", map[string]string{"lintel-1_x": "b14da2e3f0c1", "lintel-2_y": "0123456789ab", "lintel-0_z": "ba9876543210"})
			},
			want: []string{"warning replicas.revisions: ConfigMap lintel-system/lintel-replicas : replicas judge by 2 different sets of policies"},
		},
		"SameRevisions": {
			reason: "What a replica said that is gone does not count.",
			change: func(s *doctor.Snapshot) {
				s.Pods = []corev1.Pod{running("lintel-1", "a"), running("lintel-2", "a")}
				configMap(s, "lintel-replicas", map[string]string{"lintel-1_x": "b14da2e3f0c1", "lintel-2_y": "b14da2e3f0c1", "lintel-0_z": "ba9876543210"})
			},
			want: []string{},
		},
		"NoDeployment": {
			reason: "An installation that is not there is a problem, and not nine.",
			change: func(s *doctor.Snapshot) { s.Deployment = nil },
			want:   []string{"problem replicas.missing: Deployment lintel-system/lintel : is not there"},
		},
		"Outside": {
			reason: "Lintel may run outside of the cluster.",
			change: func(s *doctor.Snapshot) {
				s.Deployment = nil
				for i := range s.Validating[0].Webhooks {
					s.Validating[0].Webhooks[i].ClientConfig.URL = ptr("https://lintel.example.com/")
				}
			},
			want: []string{},
		},
		"OutsideOpen": {
			reason: "There it fails open unless it is told otherwise.",
			change: func(s *doctor.Snapshot) {
				validating(s, "deny.lintel.dev").FailurePolicy = ptr(admissionv1.Ignore)
				s.Deployment = nil
				for i := range s.Validating[0].Webhooks {
					s.Validating[0].Webhooks[i].ClientConfig.URL = ptr("https://lintel.example.com/")
				}
			},
			want: []string{"warning registration.failurepolicy: ValidatingWebhookConfiguration lintel webhooks[deny.lintel.dev].failurePolicy: is Ignore"},
		},
		"OneReplica": {
			reason: "One replica is an outage with each drain.",
			change: func(s *doctor.Snapshot) { s.Deployment.Spec.Replicas = ptr(int32(1)) },
			want:   []string{"warning replicas.one: Deployment lintel-system/lintel spec.replicas: there is one replica"},
		},
		"Rollout": {
			reason: "A rollout that hangs leaves two kinds of replica.",
			change: func(s *doctor.Snapshot) { s.Deployment.Status.UpdatedReplicas = 1 },
			want:   []string{"warning replicas.ready: Deployment lintel-system/lintel status.readyReplicas: its last change has not been rolled out"},
		},
		"NotShared": {
			reason: "Replicas may not make what they share.",
			change: func(s *doctor.Snapshot) {
				s.Lease, s.NoSecret = nil, true
				s.ConfigMaps = slices.DeleteFunc(s.ConfigMaps, func(m corev1.ConfigMap) bool { return m.Name == "lintel-state" })
			},
			want: []string{
				"problem replicas.shared: Lease lintel-system/lintel : is not there",
				"problem replicas.shared: ConfigMap lintel-system/lintel-state : is not there",
				"problem replicas.shared: Secret lintel-system/lintel-tls : is not there",
			},
		},
		"NoDefinitions": {
			reason: "Without the kinds no replica starts.",
			change: func(s *doctor.Snapshot) { s.Definitions = nil },
			want: []string{
				"problem definitions.missing: CustomResourceDefinition policies.lintel.dev : is not there",
				"problem definitions.missing: CustomResourceDefinition policyexceptions.lintel.dev : is not there",
			},
		},
		"Idle": {
			reason: "Policy objects that nobody reads look as if they held.",
			change: func(s *doctor.Snapshot) {
				s.Deployment.Spec.Template.Spec.Containers[0].Args = []string{"serve", "-p", "/etc/lintel/policies"}
			},
			want: []string{"problem policies.idle: Deployment lintel-system/lintel spec.template.spec.containers[0].args: takes policies from /etc/lintel/policies alone, and there are Policy objects: 1"},
		},
		"BrokenFile": {
			reason: "What is broken in a file is said in no status.",
			change: func(s *doctor.Snapshot) { s.Broken = []error{errors.New("policy a: no")} },
			want:   []string{"problem policies.broken: Deployment lintel-system/lintel : policy a: no"},
		},
		"NotTakenUp": {
			reason: "A Policy of which nobody says anything is in force nowhere.",
			change: func(s *doctor.Snapshot) { s.Objects.Policies[0].Status.Conditions, s.Now = nil, s.Now.Add(time.Hour) },
			want:   []string{"warning policies.ready: Policy guarded status.conditions[Ready]: no replica has taken it up"},
		},
		"OldStatus": {
			reason: "A status may be of what the Policy said before.",
			change: func(s *doctor.Snapshot) { s.Objects.Policies[0].Generation++ },
			want:   []string{"warning policies.ready: Policy guarded status.observedGeneration: its last change has not been taken up"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := copyOf(healthy)
			tc.change(s)
			if diff := cmp.Diff(tc.want, found(s.Examine())); diff != "" {
				t.Errorf("%s\nfindings: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
	if diff := cmp.Diff([]string{}, found(healthy.Examine())); diff != "" {
		t.Errorf("to examine a snapshot changes it:\n%s", diff)
	}
}

// eachBundle has the API server trust something else.
func eachBundle(s *doctor.Snapshot, bundle []byte) {
	for i := range s.Validating[0].Webhooks {
		s.Validating[0].Webhooks[i].ClientConfig.CABundle = bundle
	}
	for i := range s.Mutating[0].Webhooks {
		s.Mutating[0].Webhooks[i].ClientConfig.CABundle = bundle
	}
}

// TestPartialRights has somebody look who may see next to nothing: what he cannot see
// is said, and taken for neither missing nor well.
func TestPartialRights(t *testing.T) {
	install()
	config, err := shared.Cluster(t).ConfigFor("passer-by")
	must(err)
	s, err := doctor.Read(t.Context(), doctor.Config{REST: config})
	must(err)
	if !s.IsBlind() {
		t.Error("who may see neither the Deployment nor the registration sees something")
	}
	r := s.Examine()
	if diff := cmp.Diff([]string{}, found(r)); diff != "" {
		t.Errorf("findings: -want, +got:\n%s", diff)
	}
	var unseen []string
	for _, u := range r.Unseen {
		unseen = append(unseen, u.What)
		if !strings.Contains(u.Why, "forbidden") && !strings.Contains(u.Why, "--account") {
			t.Errorf("%s: %q does not say why", u.What, u.Why)
		}
	}
	want := []string{
		"the Deployment", "PodDisruptionBudgets", "EndpointSlices", "ConfigMaps", "the Lease", "namespaces",
		"ValidatingWebhookConfigurations", "MutatingWebhookConfigurations", "ValidatingAdmissionPolicies", "CustomResourceDefinitions",
		"the policies of cluster", "what Lintel's account may do",
	}
	if diff := cmp.Diff(want, unseen); diff != "" {
		t.Errorf("not seen: -want, +got:\n%s", diff)
	}
}

// TestAccountLooks has Lintel's own account look: it may ask what it may do itself, and
// who else may not ask at all is told so.
func TestAccountLooks(t *testing.T) {
	install()
	for user, want := range map[string]bool{account: true, "passer-by": false} {
		config, err := shared.Cluster(t).ConfigFor(user, "system:serviceaccounts", "system:serviceaccounts:"+namespace)
		must(err)
		s, err := doctor.Read(t.Context(), doctor.Config{REST: config, Account: account})
		must(err)
		told := !slices.ContainsFunc(s.Unseen, func(u doctor.Unseen) bool { return u.What == "what "+account+" may do" })
		if told != want || len(found(s.Examine())) > 0 {
			t.Errorf("%s is told what the account may do: %t, want %t; findings %q", user, told, want, found(s.Examine()))
		}
	}
}

// TestNotReached holds that a cluster that does not answer is an error and not healthy.
func TestNotReached(t *testing.T) {
	if _, err := doctor.Read(t.Context(), doctor.Config{REST: &rest.Config{Host: "https://127.0.0.1:1"}}); err == nil || !strings.HasPrefix(err.Error(), "reach the cluster: ") {
		t.Errorf("got %v", err)
	}
}

// TestMounted reads policies that replicas take from a ConfigMap, broken ones too.
func TestMounted(t *testing.T) {
	install()
	put(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: mounted, namespace: lintel-system}, data: {
		probes.yaml: "apiVersion: lintel.dev/v1alpha1\nkind: Policy\nmetadata: {name: probes}\nspec: {source: {library: probes}, enforcement: warn}",
		broken.yaml: "apiVersion: lintel.dev/v1alpha1\nkind: Policy\nmetadata: {name: broken}\nspec: {sourc: {library: probes}}"}}`)
	change(t, "deployment", "lintel", namespace, func(o object) {
		var pod object
		must(json.Unmarshal([]byte(`{"volumes": [{"name": "p", "configMap": {"name": "mounted"}}]}`), &pod))
		spec := o["spec"].(object)["template"].(object)["spec"].(object)
		spec["volumes"] = pod["volumes"]
		container := spec["containers"].([]any)[0].(object)
		container["args"] = []any{"serve", "--service=lintel-system/lintel", "--policies=/etc/mounted"}
		container["volumeMounts"] = []any{object{"name": "p", "mountPath": "/etc/mounted"}}
	})
	s := read(t)
	var names []string
	for _, p := range s.Set.Policies() {
		names = append(names, p.Name)
	}
	if diff := cmp.Diff([]string{"probes"}, names); diff != "" {
		t.Errorf("policies: -want, +got:\n%s", diff)
	}
	want := `problem policies.broken: Deployment lintel-system/lintel : /etc/mounted/broken.yaml:4: unknown field "spec.sourc"`
	if got := found(s.Examine()); !slices.ContainsFunc(got, func(line string) bool { return strings.HasPrefix(line, want) }) {
		t.Errorf("findings: %q has none that begins %q", got, want)
	}
}

// TestLocalReviews has somebody look who may ask what others may do in one namespace.
func TestLocalReviews(t *testing.T) {
	install()
	put(t, `{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: doctor-local, namespace: lintel-system}, rules: [{apiGroups: [authorization.k8s.io], resources: [localsubjectaccessreviews], verbs: [create]}]}`)
	put(t, `{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: doctor-local, namespace: lintel-system}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: doctor-local}, subjects: [{kind: User, name: local}]}`)
	change(t, "role", "lintel", namespace, func(o object) {
		o["rules"] = slices.DeleteFunc(o["rules"].([]any), func(r any) bool { return strings.Contains(fmt.Sprint(r), "lintel-tls") })
	})
	config, err := shared.Cluster(t).ConfigFor("local")
	must(err)
	var got []string
	eventuallyOr(func() string { return strings.Join(got, "\n") }, "what is missing in the namespace", func() bool {
		s, err := doctor.Read(t.Context(), doctor.Config{REST: config, Account: account})
		must(err)
		got = found(s.Examine())
		return slices.Equal(got, []string{"problem rights.missing: ServiceAccount lintel-system/lintel : may not get, update secrets lintel-system/lintel-tls"}) &&
			slices.ContainsFunc(s.Unseen, func(u doctor.Unseen) bool { return u.What == "what "+account+" may do" })
	})
}
