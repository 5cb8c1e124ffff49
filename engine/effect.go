package engine

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/lintel-policy/lintel/api/v1alpha1"
)

// An Effect is what an exception does to one of the policies that it names, as long
// as it lasts.
type Effect struct {
	Excuse
	// Unknown says that no policy of that name is in force.
	Unknown bool
	// Why says why the exception excuses nothing from it, "" if it does.
	Why string
}

// CheckException says what is wrong with an exception by itself. One that is broken
// is in no [Set].
func CheckException(e v1alpha1.PolicyException) error {
	_, err := newException(e)
	return err
}

// Selects reports whether an exception selects an object of its namespace by kind,
// name and labels. Policies and expiry are not looked at. The error says what is
// broken about the exception.
func Selects(e v1alpha1.PolicyException, kind, name string, labels map[string]string) (bool, error) {
	compiled, err := newException(e)
	if err != nil {
		return false, err
	}
	return compiled.selects(origin{kind, name, labels}), nil
}

// Effects says what an exception does to each policy that it names, in a namespace
// that is ns; nil is one that is not known.
func (s *Set) Effects(e v1alpha1.PolicyException, ns *Object) []Effect {
	effects := make([]Effect, len(e.Spec.Policies))
	for i, name := range e.Spec.Policies {
		effects[i].Excuse = Excuse{Policy: name, Exception: e.Namespace + "/" + e.Name, Expires: e.Spec.Expires.Time}
		switch p := s.policy(name); {
		case p == nil:
			effects[i].Unknown, effects[i].Why = true, "no policy of that name is in force"
		case s.excluded[e.Namespace]:
			effects[i].Why = "the namespace is judged by no policy"
		default:
			effects[i].Then, effects[i].Why = p.info.EnforcementAt(e.Spec.Expires.Time), p.refusesIn(ns)
		}
	}
	return effects
}

// policy returns the policy of a name, nil if there is none.
func (s *Set) policy(name string) *policy {
	i, ok := slices.BinarySearchFunc(s.policies, name, func(p *policy, name string) int { return cmp.Compare(p.info.Name, name) })
	if !ok {
		return nil
	}
	return s.policies[i]
}

// refusesIn says why the policy honours no exceptions in a namespace, "" if it does.
func (p *policy) refusesIn(ns *Object) string {
	switch {
	case p.exceptions == nil:
		return honoursNone
	case ns == nil && !p.exceptions.Empty():
		return errNamespaceUnknown.Error()
	case ns != nil && !p.exceptions.Matches(labels.Set(labelsOf(ns.term))):
		return honoursElsewhere
	}
	return ""
}

// Why a policy honours no exceptions.
const (
	honoursNone      = "the policy honours no exceptions: its spec.exceptions is missing"
	honoursElsewhere = "the policy's spec.exceptions does not select the namespace"
)
