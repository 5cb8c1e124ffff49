package controller

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// Stored returns the resources whose objects policies judge or patch when they are
// made or changed, sorted, without subresources and without what cannot be listed.
// The error is that of a policy that asks for what cannot be; the resources are those
// of the others.
func (c *Catalog) Stored(policies []engine.Info) ([]metav1.APIResource, error) {
	all := func(engine.Info) bool { return true }
	rules, err := resolve(policies, c, all, []v1alpha1.Operation{v1alpha1.Create, v1alpha1.Update})
	var found []metav1.APIResource
	seen := map[schema.GroupKind]bool{} // the same object is in every version
	for _, rule := range rules.Rules {
		for _, name := range rule.Resources {
			r, ok := c.listed(schema.GroupVersion{Group: rule.APIGroups[0], Version: rule.APIVersions[0]}, name)
			gk := schema.GroupKind{Group: r.Group, Kind: r.Kind}
			if ok && !seen[gk] {
				seen[gk] = true
				found = append(found, r)
			}
		}
	}
	return found, err
}

// Read returns the resource of a kind that policies read, false where there is none
// that can be listed.
func (c *Catalog) Read(kind engine.InventoryKind) (metav1.APIResource, bool) {
	gvk := schema.FromAPIVersionAndKind(kind.APIVersion, kind.Kind)
	gvr, ok := c.resource(gvk)
	if !ok {
		return metav1.APIResource{}, false
	}
	return c.listed(gvk.GroupVersion(), gvr.Resource)
}

// listed returns a resource that can be listed, with its group and version.
func (c *Catalog) listed(gv schema.GroupVersion, name string) (metav1.APIResource, bool) {
	list := c.lists[gv.String()]
	if list == nil || strings.Contains(name, "/") {
		return metav1.APIResource{}, false
	}
	for _, r := range list.APIResources {
		if r.Name == name && slices.Contains(r.Verbs, "list") {
			r.Group, r.Version = gv.Group, gv.Version
			return r, true
		}
	}
	return metav1.APIResource{}, false
}
