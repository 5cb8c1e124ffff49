package policies

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// A Source is what one place, or several together, have to say. The zero value
// says nothing.
type Source struct {
	// Policies are sorted by name; no two have the same.
	Policies []engine.Policy
	// Exceptions are sorted by namespace and name; no two have the same.
	Exceptions []v1alpha1.PolicyException

	// roles says of policies of the library, by name, what they are here.
	roles map[string]role
	// exceptionOrigins has the file and line of each exception.
	exceptionOrigins map[key]string
}

// A role is what a policy of the library is in a [Source].
type role int

const (
	asItComes  role = iota + 1 // with its own settings
	configured                 // with those of a Policy object of the same name
)

// A key names an exception.
type key struct{ namespace, name string }

func keyOf(e v1alpha1.PolicyException) key { return key{e.Namespace, e.Name} }

// Library returns the policies of the library as a [Source].
func Library() (Source, error) {
	all, err := Embedded()
	if err != nil {
		return Source{}, err
	}
	s := Source{Policies: all, roles: map[string]role{}}
	for _, p := range all {
		s.roles[p.Name] = asItComes
	}
	return s, nil
}

// Combine puts sources together, in any order.
//
// A Policy object that takes a policy of the library under the library's own name
// configures that one: where the library itself is among the sources, its policy
// gives way, and all others of the library stay as they come. Under a name of its
// own it is another policy, beside the library's. In every other case the same
// name twice is an error that says where both come from, as it is for exceptions.
// What clashes is left out; the Source has all the rest.
func Combine(sources ...Source) (Source, error) {
	c := newCombination()
	for _, s := range sources {
		for _, p := range s.Policies {
			c.policy(p, s.roles[p.Name])
		}
		for _, e := range s.Exceptions {
			c.exception(e, s.exceptionOrigins[keyOf(e)])
		}
	}
	c.sort()
	return c.Source, errors.Join(c.errs...)
}

// A combination is a Source in the making.
type combination struct {
	Source
	clashing map[string]bool // names of policies that are there more than once
	errs     []error
}

func newCombination() combination {
	return combination{Source: Source{roles: map[string]role{}, exceptionOrigins: map[key]string{}}, clashing: map[string]bool{}}
}

// policy adds p, or lets it or the one that is there already give way.
func (c *combination) policy(p engine.Policy, r role) {
	i := slices.IndexFunc(c.Policies, func(have engine.Policy) bool { return have.Name == p.Name })
	switch {
	case i < 0:
		c.Policies = append(c.Policies, p)
	case r == asItComes && (c.roles[p.Name] == configured || c.roles[p.Name] == asItComes):
		return
	case r == configured && c.roles[p.Name] == asItComes:
		c.Policies[i] = p
	default:
		c.clashing[p.Name] = true
		c.errs = append(c.errs, clash(p.Name, c.Policies[i].Origin, p.Origin))
		return
	}
	if r != 0 {
		c.roles[p.Name] = r
	}
}

// clash says that two policies have the same name.
func clash(name, one, other string) error {
	return &engine.PolicyError{Policy: name, Err: fmt.Errorf("the name is there twice: in %s and in %s", one, other)}
}

// exception adds e unless there is one of its name.
func (c *combination) exception(e v1alpha1.PolicyException, origin string) {
	if have, ok := c.exceptionOrigins[keyOf(e)]; ok {
		c.errs = append(c.errs, fmt.Errorf("exception %s/%s is there twice: in %s and in %s", e.Namespace, e.Name, have, origin))
		return
	}
	c.Exceptions = append(c.Exceptions, e)
	c.exceptionOrigins[keyOf(e)] = origin
}

// sort orders what is there and drops the policies whose names clash.
func (c *combination) sort() {
	c.Policies = slices.DeleteFunc(c.Policies, func(p engine.Policy) bool { return c.clashing[p.Name] })
	slices.SortFunc(c.Policies, func(a, b engine.Policy) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(c.Exceptions, func(a, b v1alpha1.PolicyException) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
}
