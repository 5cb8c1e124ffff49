package engine

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/lintel-policy/lintel/api/v1alpha1"
)

// An exception excuses objects of one namespace from policies until it expires.
type exception struct {
	name, namespace string
	policies        []string
	kinds, names    []string
	labels          labels.Selector // nil selects all
	expires         time.Time
}

func newException(e v1alpha1.PolicyException) (*exception, error) {
	o := e.Spec.Objects
	switch {
	case e.Namespace == "":
		return nil, errors.New("metadata.namespace is missing")
	case len(e.Spec.Policies) == 0:
		return nil, errors.New("spec.policies is empty")
	case slices.ContainsFunc(e.Spec.Policies, func(p string) bool { return strings.Contains(p, "*") }):
		return nil, errors.New("spec.policies are exact names, without *")
	case e.Spec.Expires.IsZero():
		return nil, errors.New("spec.expires is missing")
	case e.Spec.Reason == "" || e.Spec.Owner == "":
		return nil, errors.New("spec.reason or spec.owner is missing")
	case len(o.Names) == 0 && isEmptySelector(o.LabelSelector):
		return nil, errors.New("spec.objects selects everything: give names or a labelSelector that is not empty")
	}
	for _, name := range o.Names {
		if prefix := strings.TrimSuffix(name, "*"); prefix == "" || strings.Contains(prefix, "*") {
			return nil, fmt.Errorf("spec.objects.names: %q is neither a name nor the beginning of one with * behind it", name)
		}
	}
	selected, err := selector(o.LabelSelector)
	if err != nil {
		return nil, fmt.Errorf("spec.objects.labelSelector: %w", err)
	}
	return &exception{
		name: e.Name, namespace: e.Namespace, policies: e.Spec.Policies,
		kinds: o.Kinds, names: o.Names, labels: selected, expires: e.Spec.Expires.Time,
	}, nil
}

func isEmptySelector(s *metav1.LabelSelector) bool {
	return s == nil || len(s.MatchLabels) == 0 && len(s.MatchExpressions) == 0
}

// excuse returns the exception that excuses the object of a request from p, of
// several the one that ends last, nil if none does. Cluster-scoped objects are
// never excused. What several exceptions say is not combined: one has to name the
// policy, select the object and last, all by itself.
func (s *Set) excuse(p *policy, r *Request) (*exception, error) {
	if p.exceptions == nil || r.Namespace() == "" {
		return nil, nil
	}
	var last *exception
	var origins []origin
	for _, e := range s.exceptions[r.namespace] {
		if !slices.Contains(e.policies, p.info.Name) || !r.time.Before(e.expires) || last != nil && !e.expires.After(last.expires) {
			continue
		}
		if origins == nil {
			origins = s.origins(r)
		}
		if slices.ContainsFunc(origins, e.selects) {
			last = e
		}
	}
	if last == nil {
		return nil, nil
	}
	honoured, err := selectsNamespace(p.exceptions, r)
	if err != nil || !honoured {
		return nil, err
	}
	return last, nil
}

func (e *exception) selects(o origin) bool {
	if len(e.kinds) > 0 && !slices.Contains(e.kinds, o.kind) {
		return false
	}
	named := slices.ContainsFunc(e.names, func(name string) bool {
		prefix, isPrefix := strings.CutSuffix(name, "*")
		return name == o.name || isPrefix && strings.HasPrefix(o.name, prefix)
	})
	if len(e.names) > 0 && !named {
		return false
	}
	return e.labels == nil || e.labels.Matches(labels.Set(o.labels))
}

// An origin is an object, or one that it was made by.
type origin struct {
	kind, name string
	labels     map[string]string
}

// origins returns the object of a request and, where a built-in controller makes
// it, the workloads that it comes from. Owners that anyone else writes into an
// object prove nothing.
func (s *Set) origins(r *Request) []origin {
	object := r.object
	if object == nil {
		object = r.old
	}
	self := origin{r.kind.Kind, r.objectName(), labelsOf(object)}
	if r.subresource != "" {
		self.kind = r.ownerKind()
	}
	found := []origin{self}
	if !s.controllers[r.user] {
		return found
	}
	kind, name := controllerOf(object)
	if kind == "" && r.kind.Kind == "PersistentVolumeClaim" {
		return append(found, claimOrigins(self)...)
	}
	if kind == "" {
		return found
	}
	found = append(found, origin{kind, name, self.labels})
	switch kind {
	case "ReplicaSet":
		if hash := self.labels["pod-template-hash"]; hash != "" {
			found = append(found, origin{"Deployment", strings.TrimSuffix(name, "-"+hash), self.labels})
		}
	case "Job":
		if of := numbered.FindStringSubmatch(name); of != nil {
			found = append(found, origin{"CronJob", of[1], self.labels})
		}
	}
	return found
}

// numbered is how a CronJob names its Jobs, with the minute behind its own name,
// and a StatefulSet its claims: template, own name, ordinal.
var numbered = regexp.MustCompile(`^(.+)-[0-9]+$`)

// claimOrigins returns the StatefulSets that a claim without an owner may come
// from: where the name of the template ends and that of the set begins is not written.
func claimOrigins(claim origin) []origin {
	of := numbered.FindStringSubmatch(claim.name)
	if of == nil {
		return nil
	}
	var found []origin
	for i, c := range of[1] {
		if c == '-' {
			found = append(found, origin{"StatefulSet", of[1][i+1:], claim.labels})
		}
	}
	return found
}
