package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
)

// A Catalog is what discovery says there is in a cluster.
type Catalog struct {
	groups []*metav1.APIGroup
	lists  map[string]*metav1.APIResourceList // by group and version
	// kinds has the resources of each kind, of the preferred version first.
	kinds map[schema.GroupKind][]resource
}

// A resource is one version of a resource.
type resource struct {
	gvr          schema.GroupVersionResource
	namespaced   bool
	subresources []string // sorted
}

// ReadCatalog asks discovery. A group that does not answer, as that of an
// extension server which is down, is taken from before, which may be nil.
func ReadCatalog(ctx context.Context, client discovery.ServerResourcesInterfaceWithContext, before *Catalog) (*Catalog, error) {
	groups, lists, err := client.ServerGroupsAndResourcesWithContext(ctx)
	failed, isPartial := discovery.GroupDiscoveryFailedErrorGroups(err)
	if err != nil && !isPartial {
		return nil, fmt.Errorf("discover resources: %w", err)
	}
	if before != nil {
		for gv := range failed {
			if list := before.lists[gv.String()]; list != nil {
				lists = append(lists, list)
			}
		}
	}
	c := NewCatalog(groups, lists)
	if len(c.kinds) == 0 {
		return nil, errors.New("discover resources: there are none")
	}
	return c, nil
}

// NewCatalog returns the catalog of what discovery answered.
func NewCatalog(groups []*metav1.APIGroup, lists []*metav1.APIResourceList) *Catalog {
	c := &Catalog{groups: groups, lists: map[string]*metav1.APIResourceList{}, kinds: map[schema.GroupKind][]resource{}}
	for _, list := range lists {
		c.lists[list.GroupVersion] = list
	}
	for _, group := range groups {
		for _, version := range versionsOf(group) {
			if list := c.lists[version]; list != nil {
				c.add(list)
			}
		}
	}
	return c
}

// versionsOf returns the versions of a group, the preferred one first.
func versionsOf(group *metav1.APIGroup) []string {
	versions := []string{group.PreferredVersion.GroupVersion}
	for _, v := range group.Versions {
		if v.GroupVersion != group.PreferredVersion.GroupVersion {
			versions = append(versions, v.GroupVersion)
		}
	}
	return versions
}

// add takes up the resources of one group and version.
func (c *Catalog) add(list *metav1.APIResourceList) {
	gv, err := schema.ParseGroupVersion(list.GroupVersion)
	if err != nil {
		return // discovery does not answer so
	}
	subresources := map[string][]string{}
	for _, r := range list.APIResources {
		if owner, sub, ok := strings.Cut(r.Name, "/"); ok {
			subresources[owner] = append(subresources[owner], sub)
		}
	}
	for _, r := range list.APIResources {
		if strings.Contains(r.Name, "/") || !isWritten(r.Verbs) {
			continue
		}
		slices.Sort(subresources[r.Name])
		gk := schema.GroupKind{Group: gv.Group, Kind: r.Kind}
		c.kinds[gk] = append(c.kinds[gk], resource{gv.WithResource(r.Name), r.Namespaced, subresources[r.Name]})
	}
}

// isWritten reports whether a resource can be written, which alone is admitted.
func isWritten(verbs metav1.Verbs) bool {
	return slices.ContainsFunc(verbs, func(verb string) bool {
		return slices.Contains([]string{"create", "update", "patch", "delete", "deletecollection"}, verb)
	})
}

// Plurals returns the resource of each kind.
func (c *Catalog) Plurals() map[schema.GroupKind]string {
	plurals := make(map[schema.GroupKind]string, len(c.kinds))
	for gk, resources := range c.kinds {
		plurals[gk] = resources[0].gvr.Resource
	}
	return plurals
}

// resource returns the resource of one version of a kind.
func (c *Catalog) resource(gvk schema.GroupVersionKind) (schema.GroupVersionResource, bool) {
	for _, r := range c.kinds[gvk.GroupKind()] {
		if r.gvr.Version == gvk.Version {
			return r.gvr, true
		}
	}
	return schema.GroupVersionResource{}, false
}

// matching returns the kinds that group and kind, of which either may be "*", stand for, sorted.
func (c *Catalog) matching(group, kind string) []schema.GroupKind {
	var found []schema.GroupKind
	for gk := range maps.Keys(c.kinds) {
		if (group == "*" || group == gk.Group) && (kind == "*" || kind == gk.Kind) {
			found = append(found, gk)
		}
	}
	slices.SortFunc(found, func(a, b schema.GroupKind) int { return strings.Compare(a.String(), b.String()) })
	return found
}
