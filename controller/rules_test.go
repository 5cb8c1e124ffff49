package controller_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
)

// catalog is a cluster with a few kinds, two of them in two versions.
func catalog() *controller.Catalog {
	write := metav1.Verbs{"create", "update", "delete", "get"}
	group := func(name string, versions ...string) *metav1.APIGroup {
		g := &metav1.APIGroup{Name: name}
		for _, v := range versions {
			gv := metav1.GroupVersionForDiscovery{GroupVersion: strings.TrimPrefix(name+"/"+v, "/"), Version: v}
			g.Versions = append(g.Versions, gv)
		}
		g.PreferredVersion = g.Versions[0]
		return g
	}
	list := func(gv string, resources ...metav1.APIResource) *metav1.APIResourceList {
		return &metav1.APIResourceList{GroupVersion: gv, APIResources: resources}
	}
	namespaced := func(kind string, names ...string) []metav1.APIResource {
		var rs []metav1.APIResource
		for _, name := range names {
			k := kind
			if strings.HasSuffix(name, "/scale") {
				k = "Scale"
			}
			rs = append(rs, metav1.APIResource{Name: name, Kind: k, Namespaced: true, Verbs: write})
		}
		return rs
	}
	core := namespaced("Pod", "pods", "pods/status", "pods/ephemeralcontainers", "pods/resize")
	core = append(core, metav1.APIResource{Name: "nodes", Kind: "Node", Verbs: write}, metav1.APIResource{Name: "namespaces", Kind: "Namespace", Verbs: write})
	core = append(core, metav1.APIResource{Name: "componentstatuses", Kind: "ComponentStatus", Verbs: metav1.Verbs{"get", "list"}})
	return controller.NewCatalog(
		[]*metav1.APIGroup{group("", "v1"), group("apps", "v1"), group("autoscaling", "v2", "v1"), group("coordination.k8s.io", "v1")},
		[]*metav1.APIResourceList{
			list("v1", core...),
			list("apps/v1", append(namespaced("Deployment", "deployments", "deployments/scale", "deployments/status"), namespaced("StatefulSet", "statefulsets", "statefulsets/scale")...)...),
			list("autoscaling/v1", append(namespaced("HorizontalPodAutoscaler", "horizontalpodautoscalers"), namespaced("Old", "olds")...)...),
			list("autoscaling/v2", namespaced("HorizontalPodAutoscaler", "horizontalpodautoscalers")...),
			list("coordination.k8s.io/v1", namespaced("Lease", "leases")...),
		})
}

func match(group, kind string) v1alpha1.Match {
	return v1alpha1.Match{Kinds: []v1alpha1.Kinds{{APIGroups: []string{group}, Kinds: strings.Split(kind, ",")}}}
}

// written writes rules in a line each.
func written(rules []admissionv1.RuleWithOperations) []string {
	var lines []string
	for _, r := range rules {
		var ops []string
		for _, op := range r.Operations {
			ops = append(ops, string(op))
		}
		lines = append(lines, strings.Join([]string{
			r.APIGroups[0] + "/" + r.APIVersions[0], strings.Join(r.Resources, ","), strings.Join(ops, ","), string(*r.Scope),
		}, " "))
	}
	return lines
}

func TestReviewRules(t *testing.T) {
	gvk := func(group, version, kind string) schema.GroupVersionKind {
		return schema.GroupVersionKind{Group: group, Version: version, Kind: kind}
	}
	cases := map[string]struct {
		reason  string
		match   []v1alpha1.Match
		want    []string
		pending []schema.GroupVersionKind
		never   []schema.GroupVersionKind
		err     string
	}{
		"Kind": {
			reason: "A kind is asked about in its preferred version, in its scope, without subresources.",
			match:  []v1alpha1.Match{match("", "Pod,Namespace"), match("autoscaling", "HorizontalPodAutoscaler")},
			want:   []string{"/v1 namespaces CREATE,UPDATE Cluster", "/v1 pods CREATE,UPDATE Namespaced", "autoscaling/v2 horizontalpodautoscalers CREATE,UPDATE Namespaced"},
		},
		"OnlyInOldVersion": {
			reason: "A kind that the preferred version of its group lacks is asked about where it is.",
			match:  []v1alpha1.Match{match("autoscaling", "Old")},
			want:   []string{"autoscaling/v1 olds CREATE,UPDATE Namespaced"},
		},
		"Versions": {
			reason: "Versions that are given are asked about, and those alone.",
			match: []v1alpha1.Match{{Kinds: []v1alpha1.Kinds{
				{APIGroups: []string{"autoscaling"}, Kinds: []string{"HorizontalPodAutoscaler"}, Versions: []string{"v1", "v3"}},
			}}},
			want:    []string{"autoscaling/v1 horizontalpodautoscalers CREATE,UPDATE Namespaced"},
			pending: []schema.GroupVersionKind{gvk("autoscaling", "v3", "HorizontalPodAutoscaler")},
		},
		"AllVersions": {
			reason: "A star stands for all versions there are.",
			match: []v1alpha1.Match{{Kinds: []v1alpha1.Kinds{
				{APIGroups: []string{"autoscaling"}, Kinds: []string{"HorizontalPodAutoscaler"}, Versions: []string{"*"}},
			}}},
			want: []string{"autoscaling/v1 horizontalpodautoscalers CREATE,UPDATE Namespaced", "autoscaling/v2 horizontalpodautoscalers CREATE,UPDATE Namespaced"},
		},
		"Subresources": {
			reason: "Subresources are named, each where it exists.",
			match: []v1alpha1.Match{{
				Kinds:        []v1alpha1.Kinds{{APIGroups: []string{"", "apps"}, Kinds: []string{"Pod", "Deployment"}}},
				Subresources: []string{"", "scale", "resize"},
			}},
			want: []string{"/v1 pods,pods/resize CREATE,UPDATE Namespaced", "apps/v1 deployments,deployments/scale CREATE,UPDATE Namespaced"},
			pending: []schema.GroupVersionKind{
				gvk("", "", "Deployment"), gvk("apps", "", "Pod"),
			},
		},
		"AllSubresources": {
			reason: "A star for subresources is written out, because the API server takes it for none.",
			match:  []v1alpha1.Match{{Kinds: match("", "Pod").Kinds, Subresources: []string{"*"}}},
			want:   []string{"/v1 pods,pods/ephemeralcontainers,pods/resize,pods/status CREATE,UPDATE Namespaced"},
		},
		"MisspeltSubresource": {
			reason: "A subresource that none of the kinds has is a mistake, not a rule that is never asked about.",
			match:  []v1alpha1.Match{{Kinds: match("", "Pod").Kinds, Subresources: []string{"ephemeralcontainer"}}, match("apps", "Deployment")},
			want:   []string{"apps/v1 deployments CREATE,UPDATE Namespaced"},
			err:    `policy p0: no kind that it matches has the subresource "ephemeralcontainer"`,
		},
		"Pending": {
			reason:  "A kind that does not exist yet is pending; the others are asked about.",
			match:   []v1alpha1.Match{match("apps", "Deployment,Rollout")},
			want:    []string{"apps/v1 deployments CREATE,UPDATE Namespaced"},
			pending: []schema.GroupVersionKind{gvk("apps", "", "Rollout")},
		},
		"Plans": {
			reason: "What is in plans of Terraform is never in a cluster, so it is not waited for either.",
			match:  []v1alpha1.Match{match("apps", "Deployment"), match("terraform.lintel.dev", "*"), match("terraform.lintel.dev", "aws_instance")},
			want:   []string{"apps/v1 deployments CREATE,UPDATE Namespaced"},
		},
		"Never": {
			reason: "Leases and nodes are never asked about, whatever a policy says.",
			match:  []v1alpha1.Match{match("coordination.k8s.io", "Lease"), match("", "Node")},
			never:  []schema.GroupVersionKind{gvk("coordination.k8s.io", "", "Lease"), gvk("", "", "Node")},
		},
		"Everything": {
			reason: "Stars are written out, without what is never asked about and what cannot be written.",
			match:  []v1alpha1.Match{match("*", "*")},
			want: []string{
				"/v1 namespaces CREATE,UPDATE Cluster", "/v1 pods CREATE,UPDATE Namespaced",
				"apps/v1 deployments,statefulsets CREATE,UPDATE Namespaced",
				"autoscaling/v1 olds CREATE,UPDATE Namespaced", "autoscaling/v2 horizontalpodautoscalers CREATE,UPDATE Namespaced",
			},
		},
		"Operations": {
			reason: "Policies that differ in operations are asked together what they ask together.",
			match: []v1alpha1.Match{
				{Kinds: match("apps", "Deployment,StatefulSet").Kinds, Operations: []v1alpha1.Operation{"CREATE"}},
				{Kinds: match("apps", "Deployment").Kinds, Operations: []v1alpha1.Operation{"DELETE"}},
			},
			want: []string{"apps/v1 deployments CREATE,DELETE Namespaced", "apps/v1 statefulsets CREATE Namespaced"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var policies []engine.Info
			for i, m := range tc.match {
				policies = append(policies, engine.Info{Name: "p" + string(rune('0'+i)), Match: m, Reviews: true})
			}
			got, err := controller.ReviewRules(policies, catalog())
			if diff := cmp.Diff(tc.want, written(got.Rules)); diff != "" {
				t.Errorf("%s\nrules: -want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.pending, kindsOf(got.Pending)); diff != "" {
				t.Errorf("%s\npending: -want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.never, kindsOf(got.Never)); diff != "" {
				t.Errorf("%s\nnever: -want, +got:\n%s", tc.reason, diff)
			}
			if msg := text(err); msg != tc.err {
				t.Errorf("%s\nerror: want %q, got %q", tc.reason, tc.err, msg)
			}
		})
	}
}

func TestPatchRules(t *testing.T) {
	all := v1alpha1.Match{Kinds: match("", "Pod").Kinds, Operations: []v1alpha1.Operation{"*"}}
	cases := map[string]struct {
		reason string
		policy engine.Info
		want   []string
	}{
		"Patches": {"What is created or updated can be patched, and nothing else.",
			engine.Info{Match: all, PatchesObjects: true, Reviews: true}, []string{"/v1 pods CREATE,UPDATE Namespaced"}},
		"Records": {"What would be patched has to be asked for, to be recorded.",
			engine.Info{Match: all, PatchesObjects: true, Spec: v1alpha1.PolicySpec{Patches: v1alpha1.PatchRecord}}, []string{"/v1 pods CREATE,UPDATE Namespaced"}},
		"Off":       {"Patches that are off are not asked for.", engine.Info{Match: all, PatchesObjects: true, Spec: v1alpha1.PolicySpec{Patches: v1alpha1.PatchOff}}, nil},
		"NoPatches": {"A policy without patch rules patches nothing.", engine.Info{Match: all, Reviews: true}, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := controller.PatchRules([]engine.Info{tc.policy}, catalog())
			if err != nil {
				t.Fatalf("%s\nPatchRules(...): %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.want, written(got.Rules)); diff != "" {
				t.Errorf("%s\nrules: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	rule := func(group, version, resource string, scope admissionv1.ScopeType) []admissionv1.RuleWithOperations {
		return []admissionv1.RuleWithOperations{{Rule: admissionv1.Rule{
			APIGroups: []string{group}, APIVersions: []string{version}, Resources: []string{resource}, Scope: &scope,
		}}}
	}
	cases := map[string]struct {
		reason string
		rules  []admissionv1.RuleWithOperations
		want   bool
	}{
		"Right":       {"A resource of discovery is right.", rule("", "v1", "pods", admissionv1.NamespacedScope), true},
		"Subresource": {"So is a subresource of it.", rule("", "v1", "pods/resize", admissionv1.NamespacedScope), true},
		"Singular":    {"The API server never asks for a singular.", rule("", "v1", "pod", admissionv1.NamespacedScope), false},
		"Typo":        {"Nor for a subresource that is none.", rule("", "v1", "namespace/finalize", admissionv1.ClusterScope), false},
		"Scope":       {"Nor for a namespaced resource in the scope of the cluster.", rule("", "v1", "pods", admissionv1.ClusterScope), false},
		"Version":     {"Nor for a version that is not served.", rule("apps", "v1beta1", "deployments", admissionv1.NamespacedScope), false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if err := controller.Check(tc.rules, catalog()); (err == nil) != tc.want {
				t.Errorf("%s\nCheck(...): %v", tc.reason, err)
			}
		})
	}
}

func kindsOf(list []controller.Pending) []schema.GroupVersionKind {
	var kinds []schema.GroupVersionKind
	for _, p := range list {
		kinds = append(kinds, p.Kind)
	}
	return kinds
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
