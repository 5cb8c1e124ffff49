package controller_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/lintel-policy/lintel/api/v1alpha1"
)

// teamed wants a label of what people make, and only warns one user.
const teamed = `# METADATA
# custom:
#   match: {kinds: [{apiGroups: [""], kinds: [ConfigMap, Pod]}]}
package lintel.teamed

violation contains {"msg": "label team is missing"} if not input.review.object.metadata.labels.team
`

// configMap is one without the label that is wanted, with more metadata.
func configMap(name, more string) string {
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q%s}}`, name, more)
}

// TestNoWayOut tries what gets out elsewhere: names that look like those of excluded
// namespaces, labels and annotations that opt out.
func TestNoWayOut(t *testing.T) {
	g := start(t, policy(teamed, v1alpha1.PolicySpec{}))
	denied := func(t *testing.T, reason, path, body string) {
		t.Helper()
		if err := g.create(path+"?dryRun=All", body); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "label team is missing") {
			t.Errorf("%s\n%s: want it denied, got %v", reason, path, err)
		}
	}
	t.Run("Namespaces", func(t *testing.T) {
		for _, name := range []string{"kube", "kube-evil", "kube-system-2", "x-kube-system", "my-system", "kube-publica", "lintel", "lintel-systems"} {
			// The label by which namespaces are excluded is set by the API server alone.
			g.namespace(t, name, `"kubernetes.io/metadata.name":"kube-system"`)
			denied(t, "Only namespaces of exactly these names are excluded.", "/api/v1/namespaces/"+name+"/configmaps", configMap("a", ""))
		}
		if err := g.patch("/api/v1/namespaces/kube-evil", `{"metadata":{"labels":{"kubernetes.io/metadata.name":"kube-system"}}}`); err == nil {
			denied(t, "Nor can it be set later.", "/api/v1/namespaces/kube-evil/configmaps", configMap("a", ""))
		}
		if err := g.create("/api/v1/namespaces/kube-system/configmaps?dryRun=All", configMap("a", "")); err != nil {
			t.Errorf("what is excluded: %v", err)
		}
	})
	optOuts := []string{
		"admission.gatekeeper.sh/ignore", "openpolicyagent.org/webhook", "lintel.dev/ignore", "lintel.dev/exclude", "lintel.dev/exempt",
		"policies.kyverno.io/exclude", "control-plane", "admissions.enforcer/disabled",
	}
	for _, key := range optOuts {
		t.Run(key, func(t *testing.T) {
			for _, value := range []string{"true", "ignore", "disabled", ""} {
				pair := fmt.Sprintf(`{%q:%q}`, key, value)
				denied(t, "No label of an object is a way out.", "/api/v1/namespaces/default/configmaps", configMap("a", `,"labels":`+pair))
				denied(t, "Nor is an annotation.", "/api/v1/namespaces/default/configmaps", configMap("a", `,"annotations":`+pair))
			}
		})
	}
	t.Run("OfNamespace", func(t *testing.T) {
		labels := `"` + strings.Join(optOuts, `":"true","`) + `":"true"`
		g.namespace(t, "opted-out", labels)
		denied(t, "Nor is one of a namespace.", "/api/v1/namespaces/opted-out/configmaps", configMap("a", ""))
	})
	t.Run("Registration", g.hasNoSelectors)
}

// hasNoSelectors holds the registration to select by nothing that a user can set.
func (g *gate) hasNoSelectors(t *testing.T) {
	m, err := g.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(t.Context(), "lintel", metav1.GetOptions{})
	must(t, "get", err)
	all := m.Webhooks
	for _, w := range validating(t, g.client, "lintel").Webhooks {
		all = append(all, asMutating(w))
	}
	for _, w := range all {
		if metav1.FormatLabelSelector(w.ObjectSelector) != "<none>" {
			t.Errorf("%s selects objects by %s", w.Name, metav1.FormatLabelSelector(w.ObjectSelector))
		}
		byName := func(r metav1.LabelSelectorRequirement) bool {
			return r.Key == "kubernetes.io/metadata.name" && r.Operator == metav1.LabelSelectorOpNotIn
		}
		if s := w.NamespaceSelector; len(s.MatchLabels) > 0 || len(s.MatchExpressions) != 1 || !byName(s.MatchExpressions[0]) {
			t.Errorf("%s selects namespaces by %s", w.Name, metav1.FormatLabelSelector(s))
		}
		if string(*w.MatchPolicy) != "Equivalent" {
			t.Errorf("%s matches %s", w.Name, *w.MatchPolicy)
		}
	}
}

// TestUsersAreExact impersonates users whose names are nearly those that are exempt,
// recorded or in a scope: only exactly the same name counts.
func TestUsersAreExact(t *testing.T) {
	g := start(t, policy(teamed, v1alpha1.PolicySpec{Scopes: []v1alpha1.Scope{{Users: []string{"system:serviceaccount:argo:workflows"}, Enforcement: v1alpha1.Warn}}}))
	const kubeSystem = "system:serviceaccount:kube-system:"
	cases := map[string]struct {
		reason string
		user   string
		groups []string
		asked  []string // entries
		denied bool
	}{
		"Exempt":            {"Who is exempt is never asked about.", "system:apiserver", nil, nil, false},
		"ExemptPrefix":      {"A name that begins so is another.", "system:apiserver-2", nil, []string{"deny"}, true},
		"ExemptShort":       {"So is one that is shorter.", "system:apiserve", nil, []string{"deny"}, true},
		"ExemptCase":        {"So is one in another case.", "System:apiserver", nil, []string{"deny"}, true},
		"Group":             {"A name of a group is none of a user.", "jane", []string{"system:apiserver"}, []string{"deny"}, true},
		"Masters":           {"Who may do anything is held to the same.", "root", []string{"system:masters"}, []string{"deny"}, true},
		"Controller":        {"What a controller makes is recorded.", deploymentController, nil, []string{"warn"}, false},
		"ControllerSameSA":  {"An account of the same name elsewhere is another.", "system:serviceaccount:default:deployment-controller", nil, []string{"deny"}, true},
		"ControllerPrefix":  {"So is one whose name begins so.", deploymentController + "-2", nil, []string{"deny"}, true},
		"ControllerOther":   {"So is another one of the same namespace.", kubeSystem + "default", nil, []string{"deny"}, true},
		"ControllerGroup":   {"The group of all accounts of that namespace is no user.", "jane", []string{"system:serviceaccounts:kube-system", deploymentController}, []string{"deny"}, true},
		"Scope":             {"Who is in a scope is warned.", "system:serviceaccount:argo:workflows", nil, []string{"deny"}, false},
		"ScopeSameSA":       {"The same account elsewhere is not.", "system:serviceaccount:argo-2:workflows", nil, []string{"deny"}, true},
		"ScopePrefix":       {"Nor is one whose name begins so.", "system:serviceaccount:argo:workflows-2", nil, []string{"deny"}, true},
		"ScopeNotNamespace": {"Nor are all accounts of a namespace.", "system:serviceaccount:argo:other", []string{"system:serviceaccount:argo:workflows"}, []string{"deny"}, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			as := rest.CopyConfig(g.config)
			as.Impersonate = rest.ImpersonationConfig{UserName: tc.user, Groups: append(slices.Clone(tc.groups), "system:masters")}
			client := &gate{client: kubernetes.NewForConfigOrDie(as)}
			var err error
			calls := g.callsOf(func() { err = client.create("/api/v1/namespaces/default/configmaps?dryRun=All", configMap("a", "")) })
			var asked []string
			for _, c := range calls {
				asked = append(asked, c.entry)
			}
			if !slices.Equal(asked, tc.asked) {
				t.Errorf("%s\nasked: got %q, want %q", tc.reason, asked, tc.asked)
			}
			if apierrors.IsForbidden(err) != tc.denied || err != nil && !tc.denied {
				t.Errorf("%s\nwant denied %t, got %v", tc.reason, tc.denied, err)
			}
		})
	}
}

// TestMirrorPods makes pods that say they mirror one which a node runs by itself: a
// user's are judged as all others are, and so are those of nodes.
func TestMirrorPods(t *testing.T) {
	g := start(t, policy(teamed, v1alpha1.PolicySpec{}))
	must(t, "create node", g.create("/api/v1/nodes", `{"metadata":{"name":"n1"}}`))
	t.Cleanup(func() { _ = g.delete("/api/v1/nodes/n1") })
	node, err := g.client.CoreV1().Nodes().Get(t.Context(), "n1", metav1.GetOptions{})
	must(t, "get node", err)
	mirror := func(labels string) string {
		return fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"static-n1","labels":{%s},"annotations":{"kubernetes.io/config.mirror":"x","kubernetes.io/config.hash":"x","kubernetes.io/config.source":"file"},
			"ownerReferences":[{"apiVersion":"v1","kind":"Node","name":"n1","uid":%q,"controller":true}]},
			"spec":{"nodeName":"n1","automountServiceAccountToken":false,"containers":[{"name":"c","image":"i"}],"tolerations":[{"operator":"Exists"}]}}`, labels, node.UID)
	}
	kubelet, err := shared.Cluster(t).ConfigFor("system:node:n1", "system:nodes")
	must(t, "make credentials", err)
	for name, client := range map[string]*kubernetes.Clientset{"user": g.client, "node": kubernetes.NewForConfigOrDie(kubelet)} {
		t.Run(name, func(t *testing.T) {
			as := &gate{client: client}
			const pods = "/api/v1/namespaces/default/pods?dryRun=All"
			if err := as.create(pods, mirror("")); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "label team is missing") {
				t.Errorf("a mirror pod that breaks a policy: want it denied, got %v", err)
			}
			must(t, "create a mirror pod that breaks none", as.create(pods, mirror(`"team":"a"`)))
		})
	}
}
