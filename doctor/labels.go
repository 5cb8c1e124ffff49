package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// guardName is that of the ValidatingAdmissionPolicy and of its binding.
const guardName = "namespace-labels.lintel.dev"

// nameLabel is the one label that nobody can set.
const nameLabel = "kubernetes.io/metadata.name"

// checkLabels finds labels that policies select namespaces by and that whoever may
// label a namespace can set.
func checkLabels(s *Snapshot) []Finding {
	keys := s.selectedBy()
	if len(keys) == 0 || !s.saw(seenGuard) {
		return nil
	}
	f := Finding{
		Check: "labels.guard", Severity: Warning, Object: "ValidatingAdmissionPolicy " + guardName,
		Why:     fmt.Sprintf("policies go by labels of namespaces (%s), and whoever may label a namespace decides what it is held to", strings.Join(keys, ", ")),
		Command: "kubectl apply -f namespace-labels.yaml",
	}
	switch {
	case s.Guard == nil:
		f.Message = "is not there"
		return []Finding{f}
	case s.GuardBinding == nil:
		f.Object, f.Message = "ValidatingAdmissionPolicyBinding "+guardName, "is not there, so the policy does nothing"
		return []Finding{f}
	case !s.saw(seenConfigMaps):
		return nil
	}
	return s.checkGuarded(f, keys)
}

// checkGuarded finds keys that the guard does not know of.
func (s *Snapshot) checkGuarded(f Finding, keys []string) []Finding {
	f.Object = "ConfigMap " + s.Namespace + "/" + labelsName
	m := s.configMap(labelsName)
	if m == nil {
		f.Message = "is not there, so no label is guarded"
		return []Finding{f}
	}
	var guarded []string
	for key := range strings.SplitSeq(m.Data["keys"], ",") {
		guarded = append(guarded, strings.TrimSpace(key))
	}
	open := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return slices.Contains(guarded, key) })
	if len(open) == 0 {
		return nil
	}
	guarded = slices.DeleteFunc(append(guarded, open...), func(key string) bool { return key == "" })
	f.Field, f.Message = "data.keys", "lacks "+strings.Join(open, ", ")
	f.Command = fmt.Sprintf("kubectl -n %s patch configmap %s --type=merge -p %s", s.Namespace, labelsName, quoted(`{"data": {"keys": "`+strings.Join(guarded, ", ")+`"}}`))
	return []Finding{f}
}

// selectedBy returns the keys of labels by which policies select namespaces, sorted.
func (s *Snapshot) selectedBy() []string {
	if s.Set == nil {
		return nil
	}
	keys := map[string]bool{}
	take := func(selector *metav1.LabelSelector) {
		for _, key := range settableKeys(selector) {
			keys[key] = true
		}
	}
	for _, p := range s.Set.Policies() {
		take(p.Match.NamespaceSelector)
		for _, scope := range p.Spec.Scopes {
			take(scope.NamespaceSelector)
		}
		if p.Spec.Exceptions != nil {
			take(p.Spec.Exceptions.NamespaceSelector)
		}
	}
	return slices.Sorted(maps.Keys(keys))
}

// settableKeys returns the keys of a selector of namespaces, sorted, but for the name of
// the namespace, which nobody can set.
func settableKeys(selector *metav1.LabelSelector) []string {
	if selector == nil {
		return nil
	}
	keys := slices.Collect(maps.Keys(selector.MatchLabels))
	for _, e := range selector.MatchExpressions {
		keys = append(keys, e.Key)
	}
	slices.Sort(keys)
	return slices.DeleteFunc(slices.Compact(keys), func(key string) bool { return key == nameLabel })
}
