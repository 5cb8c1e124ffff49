package manifests_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/lintel-policy/lintel/e2e/cluster"
)

const guardManifest = "namespace-labels.yaml"

// TestNamespaceLabels has somebody who may do everything with namespaces, and somebody
// who may set guarded labels as well, change labels in each way that there is.
func TestNamespaceLabels(t *testing.T) {
	c := shared.Cluster(t)
	ctx := context.WithoutCancel(t.Context())
	if _, _, code := c.Kubectl(t.Context(), nil, "get", "namespace", namespace); code != 0 {
		kubectl(t, c, "create", "namespace", namespace)
		t.Cleanup(func() { c.Kubectl(ctx, nil, "delete", "namespace", namespace) })
	}
	kubectl(t, c, "apply", "-f", guardManifest)
	kubectl(t, c, "create", "clusterrole", "namespaces", "--verb=*", "--resource=namespaces,namespaces/status,namespaces/finalize")
	kubectl(t, c, "create", "clusterrolebinding", "namespaces", "--clusterrole=namespaces", "--user=tenant", "--user=platform")
	kubectl(t, c, "create", "clusterrolebinding", "labels", "--clusterrole=lintel-namespace-labels", "--user=platform")
	kubectl(t, c, "create", "namespace", "guarded")
	kubectl(t, c, "label", "namespace", "guarded", "environment=production")
	t.Cleanup(func() {
		c.Kubectl(ctx, nil, "delete", "-f", guardManifest, "--ignore-not-found")
		c.Kubectl(ctx, nil, "delete", "clusterrole/namespaces", "clusterrolebinding/namespaces", "clusterrolebinding/labels")
		c.Kubectl(ctx, nil, "delete", "namespace", "guarded", "--wait=false")
	})
	tenant, platform := as(t, c, "tenant"), as(t, c, "platform")
	eventually(t, "the guard to be in force", func() bool {
		return labelled(t, tenant, "", "environment", "staging") != ""
	})
	const refusal = "policies go by the label environment of namespaces: only who may set namespacelabels of lintel.dev may change it"
	for _, subresource := range []string{"", "status", "finalize"} {
		for name, tc := range map[string]struct {
			key   string
			value any // nil takes the label away
			want  string
		}{
			"Change": {"environment", "staging", refusal},
			"Remove": {"environment", nil, refusal},
			"Keep":   {"environment", "production", ""},
			"Other":  {"color", "blue", ""},
			"Add":    {"team", "mine", strings.Replace(refusal, "environment", "team", 1)},
		} {
			t.Run(name+"/"+subresource, func(t *testing.T) {
				if got := labelled(t, tenant, subresource, tc.key, tc.value); tc.want == "" && got != "" || !strings.Contains(got, tc.want) {
					t.Errorf("a tenant: got %q, want %q", got, tc.want)
				}
				if got := labelled(t, platform, subresource, tc.key, tc.value); got != "" {
					t.Errorf("who may set labels is refused: %s", got)
				}
			})
		}
	}
	t.Run("Create", func(t *testing.T) {
		if got := created(t, tenant, map[string]string{"exceptions": "allowed"}); !strings.Contains(got, "label exceptions of namespaces") {
			t.Errorf("a tenant makes a namespace with a guarded label: %q", got)
		}
		if got := created(t, tenant, nil) + created(t, platform, map[string]string{"exceptions": "allowed"}); got != "" {
			t.Errorf("refused: %s", got)
		}
	})
	t.Run("WithoutConfigMap", func(t *testing.T) {
		kubectl(t, c, "delete", "configmap", "-n", namespace, "lintel-namespace-labels")
		eventually(t, "namespaces to be writable", func() bool { return labelled(t, tenant, "", "environment", "staging") == "" })
	})
}

func as(t *testing.T, c *cluster.Cluster, user string) *kubernetes.Clientset {
	t.Helper()
	cfg, err := c.ConfigFor(user)
	must(t, err)
	return kubernetes.NewForConfigOrDie(rest.CopyConfig(cfg))
}

// labelled sets a label of the guarded namespace, in a dry run, through a
// subresource, and returns why that is refused, "" if it is not.
func labelled(t *testing.T, client *kubernetes.Clientset, subresource, key string, value any) string {
	t.Helper()
	ns, err := client.CoreV1().Namespaces().Get(t.Context(), "guarded", metav1.GetOptions{})
	must(t, err)
	if value == nil {
		delete(ns.Labels, key)
	} else {
		ns.Labels[key] = value.(string)
	}
	ns.Kind, ns.APIVersion = "Namespace", "v1"
	data, err := json.Marshal(ns)
	must(t, err)
	path := strings.TrimSuffix("/api/v1/namespaces/guarded/"+subresource, "/")
	return said(client.RESTClient().Put().AbsPath(path).Param("dryRun", "All").SetHeader("Content-Type", "application/json").Body(data).Do(t.Context()).Error())
}

func created(t *testing.T, client *kubernetes.Clientset, labels map[string]string) string {
	t.Helper()
	data, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "another", "labels": labels}})
	must(t, err)
	return said(client.RESTClient().Post().AbsPath("/api/v1/namespaces").Param("dryRun", "All").SetHeader("Content-Type", "application/json").Body(data).Do(t.Context()).Error())
}

func said(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
