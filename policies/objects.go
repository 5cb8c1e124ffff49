package policies

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// Objects are the Policy and PolicyException objects of a cluster, which has them
// checked against their schema.
type Objects struct {
	Policies   []v1alpha1.Policy
	Exceptions []v1alpha1.PolicyException
	// ConfigMap returns the data of a ConfigMap that a Policy names, and whether it is there.
	ConfigMap func(v1alpha1.ConfigMapRef) (map[string]string, bool)
	// Refused returns why a ConfigMap that is not there may not be read, "" if it may.
	// If nil, all may.
	Refused func(v1alpha1.ConfigMapRef) string
}

// ErrPending reports a Policy whose ConfigMap is not there yet, or may not be read
// yet, which is no mistake: one may arrive after the other.
var ErrPending = errors.New("waits for what it is made from")

// FromObjects returns what the objects of a cluster say. The error joins an
// *[engine.PolicyError] for each Policy that cannot be made; the Source has all
// others. A Policy that takes a policy of the library has the library's own
// package and METADATA, under whatever name.
func FromObjects(o Objects) (Source, error) {
	c := newCombination()
	for _, p := range slices.SortedFunc(slices.Values(o.Policies), func(a, b v1alpha1.Policy) int { return cmp.Compare(a.Name, b.Name) }) {
		src := engine.Policy{Name: p.Name, Origin: "Policy " + p.Name, Spec: p.Spec}
		src.Spec.Source = v1alpha1.Source{}
		r, err := o.source(&src, p.Spec.Source)
		if err != nil {
			c.errs = append(c.errs, &engine.PolicyError{Policy: p.Name, Err: err})
			continue
		}
		c.policy(src, r)
	}
	for _, e := range o.Exceptions {
		c.exception(e, "PolicyException "+e.Namespace+"/"+e.Name)
	}
	c.sort()
	return c.Source, errors.Join(c.errs...)
}

// source gives p the Rego that its Policy object asks for.
func (o Objects) source(p *engine.Policy, s v1alpha1.Source) (role, error) {
	if s.ConfigMapRef == nil {
		return fromObject(p, s, p.Origin)
	}
	ref := *s.ConfigMapRef
	data, ok := o.ConfigMap(ref)
	if !ok {
		return 0, fault("spec.source.configMapRef", "spec.source.configMapRef: %w: %s", ErrPending, o.missing(ref))
	}
	for _, key := range slices.Sorted(maps.Keys(data)) {
		if strings.HasSuffix(key, ".rego") {
			name := fmt.Sprintf("ConfigMap %s/%s#%s", ref.Namespace, ref.Name, key)
			p.Modules = append(p.Modules, v1alpha1.Module{Name: name, Rego: data[key]})
		}
	}
	if len(p.Modules) == 0 {
		return 0, fault("spec.source.configMapRef", "spec.source.configMapRef: ConfigMap %s/%s has no key that ends in .rego", ref.Namespace, ref.Name)
	}
	p.FreePackage = true
	return 0, nil
}

// missing says why the data of a ConfigMap is not known.
func (o Objects) missing(ref v1alpha1.ConfigMapRef) string {
	if o.Refused != nil {
		if why := o.Refused(ref); why != "" {
			return why
		}
	}
	return fmt.Sprintf("there is no ConfigMap %s/%s", ref.Namespace, ref.Name)
}

// fromObject gives p the Rego that a Policy object names or has. Errors in modules
// name the place where the object is.
func fromObject(p *engine.Policy, s v1alpha1.Source, place string) (role, error) {
	switch {
	case s.Library != "" && len(s.Modules) > 0:
		return 0, fault("spec.source", "spec.source has both library and modules")
	case s.Library != "":
		return fromLibrary(p, s.Library)
	case len(s.Modules) == 0:
		return 0, fault("spec.source", "spec.source has none of library, modules and configMapRef")
	}
	return 0, fromModules(p, s.Modules, place)
}

// fromLibrary gives p the Rego of a policy of the library.
func fromLibrary(p *engine.Policy, name string) (role, error) {
	names, err := embeddedNames()
	if err != nil {
		return 0, err
	}
	if !slices.Contains(names, name) {
		return 0, fault("spec.source.library", "spec.source.library: the library has no policy %q, only %s", name, strings.Join(names, ", "))
	}
	from, err := embedded(name)
	if err != nil {
		return 0, err
	}
	p.Modules = from.Modules
	if name == p.Name {
		return configured, nil
	}
	p.FreePackage = true // it has the package of the library's name
	return 0, nil
}

// fromModules gives p the Rego that stands in its Policy object.
func fromModules(p *engine.Policy, modules []v1alpha1.Module, place string) error {
	for i, m := range modules {
		field := fmt.Sprintf("spec.source.modules[%d]", i)
		switch {
		case m.Name == "":
			return fault(field, "%s.name is missing", field)
		case slices.ContainsFunc(modules[:i], func(o v1alpha1.Module) bool { return o.Name == m.Name }):
			return fault(field, "%s.name: %q is there twice", field, m.Name)
		}
		p.Modules = append(p.Modules, v1alpha1.Module{Name: place + "#" + m.Name, Rego: m.Rego})
	}
	p.FreePackage = true
	return nil
}

// A faulty is what is wrong with a field of an object.
type faulty struct {
	field string
	error
}

func (f *faulty) Unwrap() error { return f.error }

func fault(field, format string, args ...any) error {
	return &faulty{field, fmt.Errorf(format, args...)}
}

// fieldOf returns the field that an error is about, "" if it does not say.
func fieldOf(err error) string {
	var f *faulty
	if errors.As(err, &f) {
		return f.field
	}
	return ""
}
