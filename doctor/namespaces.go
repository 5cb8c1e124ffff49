package doctor

import (
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
)

// excluded are the namespaces that are never judged. A Lintel outside of the cluster
// has none of its own.
func (s *Snapshot) excluded() []string {
	if s.isOutside() {
		return engine.DefaultExcludedNamespaces()
	}
	return append(engine.DefaultExcludedNamespaces(), s.Namespace)
}

// matchedNamespaces returns the names of the namespaces that a match selects, and of
// those of them that are judged.
func (s *Snapshot) matchedNamespaces(m v1alpha1.Match) (matched, judged []string) {
	for _, n := range s.Namespaces {
		switch {
		case len(m.Namespaces) > 0 && !slices.Contains(m.Namespaces, n.Name), slices.Contains(m.ExcludedNamespaces, n.Name),
			!selects(m.NamespaceSelector, n.Labels):
			continue
		}
		matched = append(matched, n.Name)
		if !slices.Contains(s.excluded(), n.Name) {
			judged = append(judged, n.Name)
		}
	}
	return matched, judged
}

// namespace returns a namespace by its name.
func (s *Snapshot) namespace(name string) (corev1.Namespace, bool) {
	at := slices.IndexFunc(s.Namespaces, func(n corev1.Namespace) bool { return n.Name == name })
	if at < 0 {
		return corev1.Namespace{}, false
	}
	return s.Namespaces[at], true
}

// isNamespaced reports whether rules are about objects in namespaces alone.
func isNamespaced(rules controller.Rules) bool {
	return !slices.ContainsFunc(rules.Rules, func(r admissionv1.RuleWithOperations) bool {
		return r.Scope == nil || *r.Scope != admissionv1.NamespacedScope
	})
}

// selects reports whether a selector selects labels. One that is nil selects all,
// one that is broken none.
func selects(selector *metav1.LabelSelector, of map[string]string) bool {
	if selector == nil {
		return true
	}
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(labels.Set(of))
}
