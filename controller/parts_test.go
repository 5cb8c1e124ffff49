package controller_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
)

// quiet is a policy of that name, with more METADATA, that finds nothing wrong.
func quiet(name, more string) engine.Policy {
	return policy(`# METADATA
# custom:
#   match:
#     kinds: [{apiGroups: [""], kinds: [ConfigMap]}, {apiGroups: [apps], kinds: [Deployment, ReplicaSet]}]
#     subresources: ["", scale]
#   `+more+`
package lintel.`+name+`

violation contains {"msg": "never"} if input.review.object.metadata.name == ""
`, v1alpha1.PolicySpec{})
}

const (
	deploymentController = "system:serviceaccount:kube-system:deployment-controller"
	autoscaler           = "system:serviceaccount:kube-system:horizontal-pod-autoscaler"
)

// TestAnsweredOnce holds that of two entries which match the same requests each
// policy is asked by just one: by that which fails as it has to.
func TestAnsweredOnce(t *testing.T) {
	denies, warns, holds := quiet("denies", "enforcement: deny"), quiet("warns", "enforcement: warn"), quiet("holds", "controlled: deny")
	requests := map[string]string{"person": "", "controller": deploymentController, "scale": "", "autoscaler": autoscaler}
	cases := map[string]struct {
		reason   string
		policies []engine.Policy
		entries  []string
		want     map[string]string // by request
	}{
		"Deny": {
			reason:   "People wait for what denies; what is recorded or scales waits for nobody.",
			policies: []engine.Policy{denies},
			entries:  []string{controller.DenyWebhook, controller.WarnWebhook},
			want:     map[string]string{"person": "deny: denies", "controller": "warn: denies", "scale": "warn: denies", "autoscaler": "warn: denies"},
		},
		"Warn": {
			reason:   "What never denies has no entry that is waited for.",
			policies: []engine.Policy{warns},
			entries:  []string{controller.WarnWebhook},
			want:     map[string]string{"person": "warn: warns", "controller": "warn: warns", "scale": "warn: warns", "autoscaler": "warn: warns"},
		},
		"Mixed": {
			reason:   "Both entries are asked about people, one about all others.",
			policies: []engine.Policy{denies, warns},
			entries:  []string{controller.DenyWebhook, controller.WarnWebhook},
			want: map[string]string{
				"person": "deny: denies; warn: warns", "controller": "warn: denies warns", "scale": "warn: denies warns", "autoscaler": "warn: denies warns",
			},
		},
		"Controlled": {
			reason:   "Controllers wait for a policy that holds them, and for no other.",
			policies: []engine.Policy{denies, holds, warns},
			entries:  []string{controller.DenyWebhook, controller.WarnWebhook},
			want: map[string]string{
				"person": "deny: denies holds; warn: warns", "controller": "deny: holds; warn: denies warns",
				"scale": "warn: denies holds warns", "autoscaler": "warn: denies holds warns",
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			g := start(t, tc.policies...)
			must(t, "create deployment", g.create("/apis/apps/v1/namespaces/default/deployments", workload("Deployment", "parts")))
			t.Cleanup(func() { _ = g.deleteDeployment("parts") })
			if diff := cmp.Diff(tc.entries, g.registered(t)); diff != "" {
				t.Errorf("%s\nentries: -want, +got:\n%s", tc.reason, diff)
			}
			for request, user := range requests {
				got := g.callsOf(func() { must(t, request, g.send(t, request, user)) })
				if diff := cmp.Diff(tc.want[request], summary(got)); diff != "" {
					t.Errorf("%s\n%s is asked about: -want, +got:\n%s", tc.reason, request, diff)
				}
			}
		})
	}
}

// send makes a request of TestAnsweredOnce, as a dry run.
func (g *gate) send(t *testing.T, request, user string) error {
	t.Helper()
	as := rest.CopyConfig(g.config)
	if user != "" {
		as.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:masters"}}
	}
	client := kubernetes.NewForConfigOrDie(as).RESTClient()
	const deployments = "/apis/apps/v1/namespaces/default/deployments"
	switch request {
	case "person":
		return client.Post().RequestURI(deployments + "?dryRun=All").Body([]byte(workload("Deployment", "another"))).Do(t.Context()).Error()
	case "controller":
		return client.Post().RequestURI("/apis/apps/v1/namespaces/default/replicasets?dryRun=All").Body([]byte(workload("ReplicaSet", "made"))).Do(t.Context()).Error()
	default:
		return client.Patch("application/merge-patch+json").RequestURI(deployments + "/parts/scale?dryRun=All").
			Body([]byte(`{"spec":{"replicas":3}}`)).Do(t.Context()).Error()
	}
}

func (g *gate) deleteDeployment(name string) error {
	return g.delete("/apis/apps/v1/namespaces/default/deployments/" + name)
}

// registered names the validating entries that the API server has.
func (g *gate) registered(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, w := range validating(t, g.client, "lintel").Webhooks {
		names = append(names, w.Name)
	}
	return names
}

func workload(kind, name string) string {
	return fmt.Sprintf(`{"apiVersion":"apps/v1","kind":%q,"metadata":{"name":%q},"spec":{"selector":{"matchLabels":{"a":"b"}},`+
		`"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}`, kind, name)
}

// summary writes which entry was answered by which policies. Validating entries
// are asked at the same time, so they are sorted.
func summary(calls []call) string {
	var parts []string
	for _, c := range calls {
		parts = append(parts, c.entry+": "+strings.Join(c.policies, " "))
	}
	slices.Sort(parts)
	return strings.Join(parts, "; ")
}
