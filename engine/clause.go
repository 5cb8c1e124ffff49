package engine

import (
	"fmt"
	"slices"

	"github.com/lintel-policy/lintel/api/v1alpha1"
)

// clause reports whether p is asked about a request, and by which clause of its
// match it is or is not.
func (s *Set) clause(p *policy, r *Request) (bool, string) {
	if neverMatched[r.resource.GroupResource()] {
		return false, r.resource.Resource + " are never held to policies"
	}
	entry, why := p.matcher.entry(r, &s.index)
	if why != "" {
		return false, why
	}
	m := p.matcher.match
	switch {
	case !containsOrAny(m.Operations, r.operation):
		return false, fmt.Sprintf("match.operations is %v, without %s", m.Operations, r.operation)
	case !containsOrAny(m.Subresources, r.subresource):
		return false, fmt.Sprintf("match.subresources is %q, without %q", m.Subresources, r.subresource)
	case len(m.Namespaces) > 0 && !slices.Contains(m.Namespaces, r.Namespace()):
		return false, fmt.Sprintf("match.namespaces is %q, without %q", m.Namespaces, r.Namespace())
	case slices.Contains(m.ExcludedNamespaces, r.Namespace()):
		return false, fmt.Sprintf("match.excludedNamespaces has %q", r.Namespace())
	case p.matcher.objects != nil && !p.matcher.object(r):
		return false, "match.objectSelector does not select the object's labels"
	}
	selected, err := selectsNamespace(p.matcher.namespaces, r)
	switch {
	case err != nil:
		return true, "match.namespaceSelector: " + err.Error()
	case !selected:
		return false, "match.namespaceSelector does not select the namespace's labels"
	}
	return true, entry
}

// entry returns the entry of kinds that a request matches, or why none does.
func (m *matcher) entry(r *Request, ix *index) (entry, why string) {
	key := indexKey{r.kind.Group, r.kind.Kind, r.subresource, r.operation}
	if r.subresource != "" {
		key.group, key.name = r.resource.Group, r.resource.Resource
	}
	for i, k := range m.match.Kinds {
		one := matcher{match: v1alpha1.Match{Kinds: []v1alpha1.Kinds{k}}}
		if one.version(r, key, ix) {
			return fmt.Sprintf("match.kinds[%d] has %s", i, kindOf(r)), ""
		}
		k.Versions = nil
		if one.match.Kinds[0] = k; one.version(r, key, ix) {
			return "", fmt.Sprintf("match.kinds[%d].versions is %q, without %s", i, m.match.Kinds[i].Versions, r.kind.Version)
		}
	}
	return "", "match.kinds has no " + kindOf(r)
}

func kindOf(r *Request) string {
	if r.kind.Group == "" {
		return r.kind.Kind
	}
	return r.kind.Kind + " of " + r.kind.Group
}
