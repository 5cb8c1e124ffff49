package v1alpha1

// Over returns m with the fields that it leaves out taken from other, which may
// be nil.
func (m *Match) Over(other *Match) *Match {
	merged := m.DeepCopy()
	if other == nil {
		return merged
	}
	setDefault(&merged.Kinds, other.Kinds)
	setDefault(&merged.Subresources, other.Subresources)
	setDefault(&merged.Operations, other.Operations)
	setDefault(&merged.Namespaces, other.Namespaces)
	setDefault(&merged.ExcludedNamespaces, other.ExcludedNamespaces)
	if merged.NamespaceSelector == nil {
		merged.NamespaceSelector = other.NamespaceSelector
	}
	if merged.ObjectSelector == nil {
		merged.ObjectSelector = other.ObjectSelector
	}
	return merged
}

func setDefault[T any](list *[]T, other []T) {
	if *list == nil {
		*list = other
	}
}
