package doctor_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/doctor"
)

// TestHealthy holds that nothing is found where nothing is wrong, and that all was seen.
func TestHealthy(t *testing.T) {
	install()
	r := await(t, "A healthy installation has no findings.", []string{})
	if len(r.Unseen) > 0 {
		t.Errorf("not seen: %v", r.Unseen)
	}
}

// TestFindings has something go wrong in a cluster, each time something else, and
// where the finding has what mends it, applies that: then nothing is found any more.
func TestFindings(t *testing.T) {
	install()
	expired := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	tomorrow := time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339)
	cases := map[string]struct {
		reason string
		spoil  func(t *testing.T)
		want   []string
		mends  bool // what the findings say mends it
	}{
		"Right": {
			reason: "Without the labels of namespaces no replica starts.",
			spoil: func(t *testing.T) {
				change(t, "clusterrole", "lintel", "", func(o object) {
					o["rules"] = slices.DeleteFunc(o["rules"].([]any), func(r any) bool { return strings.Contains(fmt.Sprint(r), "namespaces") })
				})
			},
			want:  []string{"problem rights.missing: ServiceAccount lintel-system/lintel : may not get, list, watch namespaces"},
			mends: true,
		},
		"OneVerb": {
			reason: "What is missing is said by the verb, of the one object.",
			spoil: func(t *testing.T) {
				change(t, "role", "lintel", namespace, func(o object) {
					for _, r := range o["rules"].([]any) {
						if strings.Contains(fmt.Sprint(r), "lintel-tls") {
							r.(object)["verbs"] = []any{"get"}
						}
					}
				})
			},
			want:  []string{"problem rights.missing: ServiceAccount lintel-system/lintel : may not update secrets lintel-system/lintel-tls"},
			mends: true,
		},
		"Inventory": {
			reason: "What policies read is the operator's to permit.",
			spoil: func(t *testing.T) {
				policy(t, "reads", `# METADATA\n# custom: {inventory: [{apiVersion: networking.k8s.io/v1, kind: Ingress}]}\n`, `match: {kinds: [{apiGroups: [""], kinds: [ConfigMap]}]}`)
			},
			want:  []string{"problem rights.inventory: ServiceAccount lintel-system/lintel : may not get, list, watch ingresses.networking.k8s.io"},
			mends: true,
		},
		"ConfigMap": {
			reason: "Rego may be in a ConfigMap of any namespace, which Lintel has to be let read.",
			spoil: func(t *testing.T) {
				put(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: rego, namespace: doctor-shop}, data: {a.rego: "package a\n\nviolation contains {\"msg\": \"no\"} if input.review.object.data.no"}}`)
				put(t, `{apiVersion: lintel.dev/v1alpha1, kind: Policy, metadata: {name: mapped}, spec: {source: {configMapRef: {namespace: doctor-shop, name: rego}}, enforcement: warn, match: {kinds: [{apiGroups: [""], kinds: [ConfigMap]}]}}}`)
			},
			want:  []string{"problem rights.missing: ServiceAccount lintel-system/lintel : may not get, list, watch configmaps doctor-shop/rego"},
			mends: true,
		},
		"Everything": {
			reason: "An account that may do everything is worth stealing.",
			spoil: func(t *testing.T) {
				kubectl(t, "", "create", "clusterrolebinding", "too-much", "--clusterrole=cluster-admin", "--serviceaccount=lintel-system:lintel")
				cleanup(t, "delete", "clusterrolebinding", "too-much", "--ignore-not-found")
			},
			want: []string{"problem rights.excess: ServiceAccount lintel-system/lintel : may do everything with everything; " +
				"ClusterRoleBinding too-much gives it ClusterRole cluster-admin"},
			mends: true,
		},
		"Secrets": {
			reason: "The Secrets of others are none of Lintel's business, nor is making roles.",
			spoil: func(t *testing.T) {
				put(t, `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: doctor-secrets}, rules: [{apiGroups: [""], resources: [secrets], verbs: [get]}, {apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles], verbs: [escalate]}]}`)
				kubectl(t, "", "create", "clusterrolebinding", "doctor-secrets", "--clusterrole=doctor-secrets", "--group=system:serviceaccounts:lintel-system")
				cleanup(t, "delete", "clusterrolebinding", "doctor-secrets", "--ignore-not-found")
			},
			want: []string{
				"problem rights.excess: ServiceAccount lintel-system/lintel : may get secrets; ClusterRoleBinding doctor-secrets gives it ClusterRole doctor-secrets",
				"problem rights.excess: ServiceAccount lintel-system/lintel : may escalate clusterroles.rbac.authorization.k8s.io; ClusterRoleBinding doctor-secrets gives it ClusterRole doctor-secrets",
			},
		},
		"Definition": {
			reason: "A definition of an older Lintel drops fields without a word.",
			spoil: func(t *testing.T) {
				change(t, "crd", "policies.lintel.dev", "", func(o object) {
					version := o["spec"].(object)["versions"].([]any)[0].(object)
					spec := version["schema"].(object)["openAPIV3Schema"].(object)["properties"].(object)["spec"].(object)
					delete(spec["properties"].(object), "onError")
				})
			},
			want: []string{"problem definitions.version: CustomResourceDefinition policies.lintel.dev : is of another version: it has no spec.onError"},
		},
		"Broken": {
			reason: "What a policy's status says is repeated.",
			spoil: func(t *testing.T) {
				put(t, `{apiVersion: lintel.dev/v1alpha1, kind: Policy, metadata: {name: broken}, spec: {source: {modules: [{name: a.rego, rego: "package a\n\nviolation contains 1 if nothing"}]}, match: {kinds: [{apiGroups: [""], kinds: [ConfigMap]}]}}}`)
			},
			want: []string{"problem policies.ready: Policy broken status.conditions[Ready]: Broken: Policy broken#a.rego:3: rego_unsafe_var_error: var nothing is unsafe"},
		},
		"NoKind": {
			reason: "A policy for a kind that nobody has installed does nothing.",
			spoil: func(t *testing.T) {
				policy(t, "nokind", "", `match: {kinds: [{apiGroups: [example.com], kinds: [Widget, Gadget]}]}`)
			},
			want: []string{"warning policies.kinds: Policy nokind spec.match.kinds: matches no kind of this cluster: there is no Gadget.example.com, Widget.example.com"},
		},
		"Never": {
			reason: "Who writes a policy about events is told that it will not be asked.",
			spoil: func(t *testing.T) {
				policy(t, "never", "", `match: {kinds: [{apiGroups: [""], kinds: [Event]}]}`)
			},
			want: []string{"warning policies.kinds: Policy never spec.match.kinds: names what is never judged: Event"},
		},
		"NoNamespace": {
			reason: "A misspelt namespace is no namespace.",
			spoil: func(t *testing.T) {
				policy(t, "nowhere", "", `match: {kinds: [{apiGroups: [""], kinds: [Secret]}], namespaces: [shopp]}`)
			},
			want: []string{"warning policies.namespaces: Policy nowhere spec.match: matches no namespace of this cluster"},
		},
		"ExcludedNamespaces": {
			reason: "What is for excluded namespaces alone looks as if it held.",
			spoil: func(t *testing.T) {
				policy(t, "shadowed", "", `match: {kinds: [{apiGroups: [""], kinds: [Secret]}], namespaces: [kube-system, lintel-system]}`)
			},
			want: []string{"warning policies.namespaces: Policy shadowed spec.match: matches excluded namespaces alone: kube-system, lintel-system"},
		},
		"Scope": {
			reason: "A scope that selects nothing may be misspelt.",
			spoil: func(t *testing.T) {
				policy(t, "scoped", "", `match: {kinds: [{apiGroups: [""], kinds: [Secret]}]}, scopes: [{namespaceSelector: {matchLabels: {environment: productoin}}, enforcement: deny}]`)
			},
			want: []string{"note policies.scopes: Policy scoped spec.scopes[0].namespaceSelector: selects no namespace of this cluster: environment=productoin"},
		},
		"Exceptions": {
			reason: "An exception that excuses nothing looks as if it did.",
			spoil: func(t *testing.T) {
				exception(t, "doctor-shop", "used", "guarded", "legacy-*", "2037-01-01T00:00:00Z")
				exception(t, "doctor-shop", "expired", "guarded", "legacy-*", expired)
				exception(t, "doctor-shop", "ends", "guarded", "legacy-*", tomorrow)
				exception(t, "doctor-shop", "idle", "guarded", "gone", "2037-01-01T00:00:00Z")
				exception(t, "doctor-shop", "unknown", "guardedd", "legacy-*", "2037-01-01T00:00:00Z")
				exception(t, "doctor-other", "unselected", "guarded", "a", "2037-01-01T00:00:00Z")
				exception(t, "lintel-system", "excluded", "guarded", "a", "2037-01-01T00:00:00Z")
			},
			want: []string{
				"warning exceptions.honoured: PolicyException doctor-other/unselected spec.policies[0]: policy guarded honours exceptions in namespaces with exceptions=allowed, which doctor-other is not",
				"warning exceptions.expires: PolicyException doctor-shop/ends spec.expires: ends at " + tomorrow,
				"warning exceptions.expired: PolicyException doctor-shop/expired spec.expires: has ended at " + expired,
				"warning exceptions.honoured: PolicyException doctor-shop/unknown spec.policies[0]: there is no policy guardedd in force",
				"warning exceptions.idle: PolicyException lintel-system/excluded : is in a namespace that is never judged",
				"note exceptions.idle: PolicyException doctor-shop/idle spec.objects: selects no object that is there",
			},
		},
		"NoGuard": {
			reason: "Without the guard, whoever labels a namespace decides.",
			spoil: func(t *testing.T) {
				remove(t, "validatingadmissionpolicybinding", "namespace-labels.lintel.dev", "")
			},
			want: []string{"warning labels.guard: ValidatingAdmissionPolicyBinding namespace-labels.lintel.dev : is not there, so the policy does nothing"},
		},
		"UnguardedKey": {
			reason: "The guard knows the labels by name, which a policy may forget to add to.",
			spoil: func(t *testing.T) {
				change(t, "configmap", "lintel-namespace-labels", namespace, func(o object) { o["data"] = object{"keys": "team"} })
			},
			want:  []string{"warning labels.guard: ConfigMap lintel-system/lintel-namespace-labels data.keys: lacks environment, exceptions"},
			mends: true,
		},
		"NotReady": {
			reason: "Two replicas less are two less to fall back on.",
			spoil:  func(t *testing.T) { replicas(t, 1) },
			want:   []string{"warning replicas.ready: Deployment lintel-system/lintel status.readyReplicas: 1 of 3 replicas are ready"},
		},
		"NoneReady": {
			reason: "An outage is the worst that there is.",
			spoil:  func(t *testing.T) { replicas(t, 0) },
			want:   []string{"problem replicas.ready: Deployment lintel-system/lintel status.readyReplicas: no replica is ready"},
		},
		"NoEndpoints": {
			reason: "A Service that leads nowhere is an outage too.",
			spoil:  func(t *testing.T) { remove(t, "endpointslice", "lintel-test", namespace) },
			want:   []string{"problem service.endpoints: Service lintel-system/lintel : has no endpoint that is ready"},
		},
		"NoBudget": {
			reason: "A drain is the commonest outage.",
			spoil:  func(t *testing.T) { remove(t, "poddisruptionbudget", "lintel", namespace) },
			want:   []string{"warning replicas.budget: PodDisruptionBudget lintel-system/lintel : is not there"},
		},
		"OtherWebhooks": {
			reason: "The API server asks by the names of configurations, and adds up what they take.",
			spoil: func(t *testing.T) {
				hook(t, "a-first", "ingresses", "Ignore", 15)
				hook(t, "z-last", "ingresses", "Ignore", 10)
				hook(t, "z-unrelated", "limitranges", "Ignore", 30)
			},
			want: []string{
				"warning timeouts.sum: MutatingWebhookConfigurations : webhooks may take 30 s of a CREATE ingresses.networking.k8s.io: a-first.test.dev 15 s, patch.lintel.dev 2 s, z-last.test.dev 10 s",
				"note webhooks.later: MutatingWebhookConfiguration lintel : others change objects after it: z-last.test.dev",
				"note webhooks.earlier: MutatingWebhookConfiguration lintel : others do not look again at what it patches: a-first.test.dev",
			},
		},
		"Lockout": {
			reason: "What holds up Lintel's own pods may be what Lintel's outage holds up.",
			spoil:  func(t *testing.T) { hook(t, "b-pods", "pods", "Fail", 1) },
			want:   []string{"warning webhooks.lockout: MutatingWebhookConfiguration b-pods webhooks[b-pods.test.dev].namespaceSelector: b-pods.test.dev is asked about CREATE pods in lintel-system, and has failurePolicy Fail"},
			mends:  true,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.spoil(t)
			r := await(t, tc.reason, tc.want)
			if tc.mends {
				mend(t, r)
				await(t, "What mends it has been applied.", []string{})
			}
		})
		await(t, name+" is put right.", []string{})
	}
}

// mend does what the findings say.
func mend(t *testing.T, r *doctor.Report) {
	t.Helper()
	for _, f := range r.Findings {
		switch {
		case f.YAML != "":
			kubectl(t, f.YAML, "apply", "-f", "-")
			file := t.TempDir() + "/mend.yaml"
			must(os.WriteFile(file, []byte(f.YAML), 0o600))
			cleanup(t, "delete", "-f", file)
		case f.Command != "":
			shell := exec.CommandContext(t.Context(), "sh", "-c", "alias kubectl='"+shared.Cluster(t).KubectlPath()+" --kubeconfig "+shared.Cluster(t).Kubeconfig()+"'\n"+f.Command)
			if out, err := shell.CombinedOutput(); err != nil {
				t.Fatalf("%s: %v: %s", f.Command, err, out)
			}
		}
	}
}

type object = map[string]any

// cleanup runs kubectl when the test ends.
func cleanup(t *testing.T, args ...string) {
	t.Helper()
	ctx, c := context.WithoutCancel(t.Context()), shared.Cluster(t)
	t.Cleanup(func() { c.Kubectl(ctx, nil, args...) })
}

// change changes an object until the test ends.
func change(t *testing.T, kind, name, in string, do func(object)) {
	t.Helper()
	before := kubectl(t, "", "get", kind, name, "-n", in, "-o", "json")
	var o object
	must(json.Unmarshal([]byte(before), &o))
	delete(o["metadata"].(object), "resourceVersion")
	original, err := json.Marshal(o)
	must(err)
	do(o)
	changed, err := json.Marshal(o)
	must(err)
	kubectl(t, string(changed), "replace", "-f", "-")
	t.Cleanup(func() { mustKubectl(shared.Cluster(t), string(original), "replace", "-f", "-") })
}

// remove removes an object until the test ends.
func remove(t *testing.T, kind, name, in string) {
	t.Helper()
	var o object
	must(json.Unmarshal([]byte(kubectl(t, "", "get", kind, name, "-n", in, "-o", "json")), &o))
	for _, field := range []string{"resourceVersion", "uid"} {
		delete(o["metadata"].(object), field)
	}
	original, err := json.Marshal(o)
	must(err)
	kubectl(t, "", "delete", kind, name, "-n", in)
	t.Cleanup(func() { mustKubectl(shared.Cluster(t), string(original), "create", "-f", "-") })
}

// put makes an object until the test ends.
func put(t *testing.T, text string) {
	t.Helper()
	kubectl(t, text, "apply", "-f", "-")
	c := shared.Cluster(t)
	t.Cleanup(func() {
		c.Kubectl(context.Background(), strings.NewReader(text), "delete", "--ignore-not-found", "--wait=false", "-f", "-")
	})
}

// policy makes a Policy that is in force at once.
func policy(t *testing.T, name, metadata, more string) {
	t.Helper()
	put(t, fmt.Sprintf(`{apiVersion: lintel.dev/v1alpha1, kind: Policy, metadata: {name: %s}, spec: {source: {modules: [{name: a.rego, rego: "%spackage %s\n\nviolation contains {\"msg\": \"no\"} if input.review.object.data.no"}]}, enforcement: warn, %s}}`,
		name, metadata, name, more))
}

func exception(t *testing.T, in, name, policy, names, expires string) {
	t.Helper()
	put(t, fmt.Sprintf(`{apiVersion: lintel.dev/v1alpha1, kind: PolicyException, metadata: {name: %s, namespace: %s}, spec: {policies: [%s], objects: {names: ["%s"]}, reason: r, owner: o, expires: "%s"}}`,
		name, in, policy, names, expires))
}

// replicas has that many of three be ready.
func replicas(t *testing.T, ready int) {
	t.Helper()
	patch := func(n int) []string {
		return []string{"-n", namespace, "patch", "deployment", "lintel", "--subresource=status", "--type=merge", fmt.Sprintf(`-p={"status": {"readyReplicas": %d, "availableReplicas": %d}}`, n, n)}
	}
	kubectl(t, "", patch(ready)...)
	cleanup(t, patch(3)...)
}

// hook registers a mutating webhook that is not there.
func hook(t *testing.T, name, resource, failure string, seconds int) {
	t.Helper()
	put(t, fmt.Sprintf(`{apiVersion: admissionregistration.k8s.io/v1, kind: MutatingWebhookConfiguration, metadata: {name: %s}, webhooks: [{name: %s.test.dev, clientConfig: {url: "https://127.0.0.1:1/"},
		rules: [{apiGroups: ["*"], apiVersions: ["*"], operations: [CREATE], resources: [%s]}], failurePolicy: %s, timeoutSeconds: %d, sideEffects: None, admissionReviewVersions: [v1]}]}`, name, name, resource, failure, seconds))
}

// TestBrokenGlass holds that a gate which is open on purpose is one finding.
func TestBrokenGlass(t *testing.T) {
	install()
	await(t, "All is registered.", []string{}) // or there is nothing to open
	glass := controller.Glass{Client: kubernetes.NewForConfigOrDie(shared.Cluster(t).Config()).AdmissionregistrationV1()}
	opening, err := controller.NewOpening(time.Now(), 10*time.Minute, "drill", "jo")
	must(err)
	_, err = glass.Break(t.Context(), opening)
	must(err)
	t.Cleanup(func() { _, _ = glass.End(context.Background()) })
	await(t, "Somebody has said until when, and why.", []string{
		"warning registration.open: ValidatingWebhookConfiguration lintel metadata.annotations[lintel.dev/breakglass-until]: jo holds the gate open until " + opening.Until.Format(time.RFC3339) + ": drill",
	})
	_, err = glass.End(t.Context())
	must(err)
	await(t, "It is closed again.", []string{})
}
