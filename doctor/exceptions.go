package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
)

// maxLists bounds how much is read to find out what exceptions excuse, and maxListed
// how many objects of a kind in a namespace.
const (
	maxLists  = 100
	maxListed = 500
)

// readExcused finds out which exceptions excuse an object that is there.
func (r *reader) readExcused(ctx context.Context) {
	s := r.s
	if s.Set == nil {
		return
	}
	l := lister{reader: r, lists: map[place]*metav1.PartialObjectMetadataList{}}
	for _, e := range s.Exceptions {
		if !s.Now.Before(e.Spec.Expires.Time) {
			continue
		}
		if excused, known := l.excuses(ctx, e); known {
			s.Excused[e.Namespace+"/"+e.Name] = excused
		}
	}
}

// A lister lists what exceptions may be about, each kind and namespace once.
type lister struct {
	*reader
	lists map[place]*metav1.PartialObjectMetadataList // nil for what could not be listed whole
}

type place struct {
	resource  schema.GroupVersionResource
	namespace string
}

// excuses reports whether there is an object that an exception selects, and whether
// that is known.
func (l *lister) excuses(ctx context.Context, e v1alpha1.PolicyException) (excused, known bool) {
	known = true
	for kind, resource := range l.kinds(e) {
		list := l.list(ctx, place{resource, e.Namespace})
		if list == nil {
			known = false
			continue
		}
		for _, o := range list.Items {
			selected, err := engine.Selects(e, kind, o.Name, o.Labels)
			if err != nil {
				return false, false // it is among what is broken
			}
			if selected {
				return true, true
			}
		}
	}
	return false, known
}

// kinds returns the kinds that an exception may be about, which its policies match,
// with their resources.
func (l *lister) kinds(e v1alpha1.PolicyException) map[string]schema.GroupVersionResource {
	found := map[string]schema.GroupVersionResource{}
	for _, p := range l.s.Set.Policies() {
		if !slices.Contains(e.Spec.Policies, p.Name) {
			continue
		}
		rules, _ := controller.RulesOf(p, l.s.Catalog)
		for gk, plural := range l.s.Catalog.Plurals() {
			wanted := len(e.Spec.Objects.Kinds) == 0 || slices.Contains(e.Spec.Objects.Kinds, gk.Kind)
			if version, ok := versionOf(rules.Rules, gk.Group, plural); ok && wanted {
				found[gk.Kind] = schema.GroupVersionResource{Group: gk.Group, Version: version, Resource: plural}
			}
		}
	}
	return found
}

// versionOf returns the version in which rules ask about a namespaced resource.
func versionOf(rules []admissionv1.RuleWithOperations, group, plural string) (string, bool) {
	for _, r := range rules {
		namespaced := r.Scope != nil && *r.Scope == admissionv1.NamespacedScope
		if namespaced && r.APIGroups[0] == group && slices.Contains(r.Resources, plural) {
			return r.APIVersions[0], true
		}
	}
	return "", false
}

func (l *lister) list(ctx context.Context, what place) *metav1.PartialObjectMetadataList {
	if list, ok := l.lists[what]; ok {
		return list
	}
	if len(l.lists) >= maxLists {
		return nil
	}
	list, ok := see(l.s, what.resource.GroupResource().String()+" in namespace "+what.namespace, func() (*metav1.PartialObjectMetadataList, error) {
		return l.metadata.Resource(what.resource).Namespace(what.namespace).List(ctx, metav1.ListOptions{Limit: maxListed})
	})
	if !ok || list.Continue != "" {
		list = nil
	}
	l.lists[what] = list
	return list
}

// checkExceptions finds exceptions that excuse nothing.
func checkExceptions(s *Snapshot) []Finding {
	if s.Set == nil {
		return nil
	}
	var found []Finding
	for _, e := range s.Exceptions {
		found = append(found, s.checkException(e)...)
	}
	return found
}

func (s *Snapshot) checkException(e v1alpha1.PolicyException) []Finding {
	f := Finding{Check: "exceptions.expired", Severity: Warning, Object: "PolicyException " + e.Namespace + "/" + e.Name}
	if left := e.Spec.Expires.Sub(s.Now); left <= engine.EndingSoon {
		f.Field, f.Message = "spec.expires", "ends at "+engine.Moment(e.Spec.Expires.Time)
		f.Why = "what it excuses is held to its policies from then on"
		if left > 0 {
			f.Check = "exceptions.expires"
			return []Finding{f}
		}
		f.Message, f.Why = "has ended at "+engine.Moment(e.Spec.Expires.Time), "it excuses nothing any more"
		f.Command = fmt.Sprintf("kubectl -n %s delete policyexception %s", e.Namespace, e.Name)
		return []Finding{f}
	}
	if slices.Contains(s.excluded(), e.Namespace) {
		f.Check, f.Message, f.Why = "exceptions.idle", "is in a namespace that is never judged", "it excuses nothing"
		return []Finding{f}
	}
	var found []Finding
	for i, name := range e.Spec.Policies {
		f.Check, f.Field = "exceptions.honoured", fmt.Sprintf("spec.policies[%d]", i)
		if s.dishonoured(&f, e, name) {
			found = append(found, f)
		}
	}
	if excused, known := s.Excused[e.Namespace+"/"+e.Name]; known && !excused && len(found) == 0 {
		found = append(found, Finding{
			Check: "exceptions.idle", Severity: Note, Object: f.Object, Field: "spec.objects", Message: "selects no object that is there",
			Why:     "what it was for may be gone, and it excuses whatever takes that name",
			Command: fmt.Sprintf("kubectl -n %s delete policyexception %s", e.Namespace, e.Name),
		})
	}
	return found
}

// dishonoured says why a policy does not honour an exception, and reports whether
// that is so.
func (s *Snapshot) dishonoured(f *Finding, e v1alpha1.PolicyException, name string) bool {
	infos := s.Set.Policies()
	at := slices.IndexFunc(infos, func(p engine.Info) bool { return p.Name == name })
	f.Command = ""
	if at < 0 {
		f.Message, f.Why = "there is no policy "+name+" in force", "it excuses nothing from that one"
		return s.Whole
	}
	honours := infos[at].Spec.Exceptions
	if honours == nil {
		f.Message, f.Why = "policy "+name+" honours no exceptions", "that is for whoever runs Lintel to permit, by spec.exceptions of the Policy"
		return true
	}
	namespace, ok := s.namespace(e.Namespace)
	if !ok || selects(honours.NamespaceSelector, namespace.Labels) {
		return false
	}
	f.Message = fmt.Sprintf("policy %s honours exceptions in namespaces with %s, which %s is not", name, metav1.FormatLabelSelector(honours.NamespaceSelector), e.Namespace)
	f.Why = "the exception excuses nothing"
	if keys := honours.NamespaceSelector.MatchLabels; len(keys) > 0 && len(honours.NamespaceSelector.MatchExpressions) == 0 {
		f.Command = fmt.Sprintf("kubectl label namespace %s %s", e.Namespace, strings.ReplaceAll(metav1.FormatLabelSelector(honours.NamespaceSelector), ",", " "))
	}
	return true
}
