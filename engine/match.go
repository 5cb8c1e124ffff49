package engine

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lintel-policy/lintel/api/v1alpha1"
)

// errNamespaceUnknown reports that a selector could not be applied. It is never
// read as "does not match".
var errNamespaceUnknown = errors.New("the labels of the namespace are not known")

// errObjectUnknown is the same of a request whose objects were not read.
var errObjectUnknown = errors.New("the labels of the object are not known")

// A matcher says which requests a policy is asked about, beyond what the index
// of the [Set] has looked up already.
type matcher struct {
	match      v1alpha1.Match
	namespaces labels.Selector // nil selects all
	objects    labels.Selector // nil selects all
}

func newMatcher(m v1alpha1.Match) (matcher, error) {
	if len(m.Kinds) == 0 {
		return matcher{}, errors.New("match: kinds is empty, so the policy matches nothing: custom.match in the METADATA of its package names them, or spec.match of its Policy object")
	}
	for _, k := range m.Kinds {
		if len(k.APIGroups) == 0 || len(k.Kinds) == 0 {
			return matcher{}, errors.New("match: an entry of kinds lacks its apiGroups or kinds")
		}
	}
	if len(m.Subresources) == 0 {
		m.Subresources = []string{""}
	}
	if len(m.Operations) == 0 {
		m.Operations = []v1alpha1.Operation{v1alpha1.Create, v1alpha1.Update}
	}
	namespaces, err := selector(m.NamespaceSelector)
	if err != nil {
		return matcher{}, fmt.Errorf("match: namespaceSelector: %w", err)
	}
	objects, err := selector(m.ObjectSelector)
	if err != nil {
		return matcher{}, fmt.Errorf("match: objectSelector: %w", err)
	}
	return matcher{match: m, namespaces: namespaces, objects: objects}, nil
}

// selector returns nil for nil, which selects all.
func selector(s *metav1.LabelSelector) (labels.Selector, error) {
	if s == nil {
		return nil, nil
	}
	return metav1.LabelSelectorAsSelector(s)
}

// request reports whether the namespace and the objects of the request match.
func (m *matcher) request(r *Request) (bool, error) {
	namespace := r.Namespace()
	if len(m.match.Namespaces) > 0 && !slices.Contains(m.match.Namespaces, namespace) {
		return false, nil
	}
	if slices.Contains(m.match.ExcludedNamespaces, namespace) {
		return false, nil
	}
	if m.objects != nil && r.headOnly {
		return false, errObjectUnknown
	}
	if m.objects != nil && !m.object(r) {
		return false, nil
	}
	return selectsNamespace(m.namespaces, r)
}

// object reports whether the new object or the old one is selected, as the API
// server has it, so that an update cannot get out by dropping a label.
func (m *matcher) object(r *Request) bool {
	return r.object != nil && m.objects.Matches(labels.Set(labelsOf(r.object))) ||
		r.old != nil && m.objects.Matches(labels.Set(labelsOf(r.old)))
}

// oldObject reports whether the policy would have been asked about the old
// object too: all else of a request is the same for both.
func (m *matcher) oldObject(r *Request) bool {
	return m.objects == nil || m.objects.Matches(labels.Set(labelsOf(r.old)))
}

// selectsNamespace reports whether s selects the namespace of the request. A
// cluster-scoped object is always selected.
func selectsNamespace(s labels.Selector, r *Request) (bool, error) {
	if s == nil || r.Namespace() == "" {
		return true, nil
	}
	if r.ns == nil {
		return false, errNamespaceUnknown
	}
	return s.Matches(labels.Set(labelsOf(r.ns.term))), nil
}

// neverMatched are the resources that no policy is asked about, whatever it says:
// to hold them up stops nodes, elections and the control plane itself, or whoever
// mends a policy.
var neverMatched = map[schema.GroupResource]bool{ //nolint:gochecknoglobals // never changed
	{Group: "coordination.k8s.io", Resource: "leases"}:                     true,
	{Group: "", Resource: "events"}:                                        true,
	{Group: "events.k8s.io", Resource: "events"}:                           true,
	{Group: "", Resource: "nodes"}:                                         true,
	{Group: "", Resource: "endpoints"}:                                     true,
	{Group: "discovery.k8s.io", Resource: "endpointslices"}:                true,
	{Group: "certificates.k8s.io", Resource: "certificatesigningrequests"}: true,
	{Group: "authentication.k8s.io", Resource: "tokenreviews"}:             true,
	{Group: "authentication.k8s.io", Resource: "selfsubjectreviews"}:       true,
	{Group: "authorization.k8s.io", Resource: "subjectaccessreviews"}:      true,
	{Group: "authorization.k8s.io", Resource: "localsubjectaccessreviews"}: true,
	{Group: "authorization.k8s.io", Resource: "selfsubjectaccessreviews"}:  true,
	{Group: "authorization.k8s.io", Resource: "selfsubjectrulesreviews"}:   true,
	{Group: "apiextensions.k8s.io", Resource: "customresourcedefinitions"}: true,
	// What is wrong with a policy is put right by writing these.
	{Group: v1alpha1.GroupVersion.Group, Resource: "policies"}:         true,
	{Group: v1alpha1.GroupVersion.Group, Resource: "policyexceptions"}: true,
}

// NeverMatched reports whether no policy is ever asked about a resource, whatever
// its match says: leases, events, nodes, endpoints, certificate requests, token
// and access reviews, CustomResourceDefinitions, and Lintel's own objects.
func NeverMatched(resource schema.GroupResource) bool { return neverMatched[resource] }

// An index finds the policies that match a request by what is looked up fastest.
// Objects are found by kind and subresources by the resource that owns them,
// because their own kind is another.
type index struct {
	exact map[indexKey][]*policy
	// any has the policies that match all groups or all kinds.
	any []*policy
	// plurals are the resources of kinds, where they cannot be guessed.
	plurals map[schema.GroupKind]string
}

type indexKey struct {
	group, name, subresource string // name is a kind, or a resource where subresource is not ""
	operation                v1alpha1.Operation
}

func newIndex(policies []*policy, plurals map[schema.GroupKind]string) index {
	ix := index{exact: map[indexKey][]*policy{}, plurals: plurals}
	for _, p := range policies {
		if p.matcher.hasWildcard() {
			ix.any = append(ix.any, p)
			continue
		}
		for key := range ix.keys(p.matcher.match) {
			ix.exact[key] = append(ix.exact[key], p)
		}
	}
	return ix
}

func (m *matcher) hasWildcard() bool {
	if slices.Contains(m.match.Subresources, "*") || slices.Contains(m.match.Operations, "*") {
		return true
	}
	return slices.ContainsFunc(m.match.Kinds, func(k v1alpha1.Kinds) bool {
		return slices.Contains(k.APIGroups, "*") || slices.Contains(k.Kinds, "*") && !slices.Equal(k.APIGroups, terraformOnly)
	})
}

// terraformOnly are the groups of an entry that is about plans alone, whose every
// type is a kind: it is indexed, and costs no other request anything.
//
//nolint:gochecknoglobals // it never changes
var terraformOnly = []string{TerraformGroup}

// keys returns the keys under which a policy with the match m is found.
func (ix *index) keys(m v1alpha1.Match) map[indexKey]bool {
	keys := map[indexKey]bool{}
	for _, kinds := range m.Kinds {
		for _, group := range kinds.APIGroups {
			for _, kind := range kinds.Kinds {
				ix.addKeys(keys, schema.GroupKind{Group: group, Kind: kind}, m)
			}
		}
	}
	return keys
}

func (ix *index) addKeys(keys map[indexKey]bool, gk schema.GroupKind, m v1alpha1.Match) {
	for _, subresource := range m.Subresources {
		name := gk.Kind
		if subresource != "" {
			name = ix.plural(gk)
		}
		for _, operation := range m.Operations {
			keys[indexKey{gk.Group, name, subresource, operation}] = true
		}
	}
}

// plural returns the resource of a kind.
func (ix *index) plural(gk schema.GroupKind) string {
	if name, ok := ix.plurals[gk]; ok {
		return name
	}
	plural, _ := meta.UnsafeGuessKindToResource(gk.WithVersion(""))
	return plural.Resource
}

// find returns the policies that match by kind, version, subresource and
// operation, in the order of their names.
func (ix *index) find(r *Request) []*policy {
	if neverMatched[r.resource.GroupResource()] {
		return nil
	}
	key := indexKey{r.kind.Group, r.kind.Kind, r.subresource, r.operation}
	if r.subresource != "" {
		key.group, key.name = r.resource.Group, r.resource.Resource
	}
	if key.group == TerraformGroup {
		return ix.planned(r, key)
	}
	var found []*policy
	for _, p := range ix.exact[key] {
		if p.matcher.version(r, key, ix) {
			found = append(found, p)
		}
	}
	if len(ix.any) == 0 {
		return found
	}
	for _, p := range ix.any {
		if p.matcher.operation(r) && p.matcher.version(r, key, ix) {
			found = append(found, p)
		}
	}
	slices.SortFunc(found, func(a, b *policy) int { return cmp.Compare(a.info.Name, b.info.Name) })
	return found
}

// planned returns the policies that match what a plan of Terraform has. Those that
// match all groups mean those of clusters.
func (ix *index) planned(r *Request, key indexKey) []*policy {
	all := key
	all.name = "*"
	found := slices.Concat(ix.exact[all], ix.exact[key], ix.any)
	slices.SortFunc(found, func(a, b *policy) int { return cmp.Compare(a.info.Name, b.info.Name) })
	found = slices.Compact(found)
	return slices.DeleteFunc(found, func(p *policy) bool {
		return !p.matcher.namesGroup(key.group) || !p.matcher.operation(r) || !p.matcher.version(r, key, ix)
	})
}

func (m *matcher) namesGroup(group string) bool {
	return slices.ContainsFunc(m.match.Kinds, func(k v1alpha1.Kinds) bool { return slices.Contains(k.APIGroups, group) })
}

// operation reports whether operation and subresource match, wildcards included.
func (m *matcher) operation(r *Request) bool {
	return containsOrAny(m.match.Operations, r.operation) && containsOrAny(m.match.Subresources, r.subresource)
}

// version reports whether some entry of kinds has the kind of key in the version
// of the request.
func (m *matcher) version(r *Request, key indexKey, ix *index) bool {
	version := r.kind.Version
	if r.subresource != "" {
		version = r.resource.Version
	}
	return slices.ContainsFunc(m.match.Kinds, func(k v1alpha1.Kinds) bool {
		return containsOrAny(k.APIGroups, key.group) &&
			(len(k.Versions) == 0 || containsOrAny(k.Versions, version)) &&
			slices.ContainsFunc(k.Kinds, func(kind string) bool {
				if kind == "*" || r.subresource == "" {
					return kind == "*" || kind == key.name
				}
				return ix.plural(schema.GroupKind{Group: key.group, Kind: kind}) == key.name
			})
	})
}

func containsOrAny[T ~string](list []T, value T) bool {
	return slices.Contains(list, value) || slices.Contains(list, "*")
}
