package policies

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// Load reads a folder of policies.
//
// Every folder in it that has .rego files, at any depth and dir itself among them,
// is a policy of the folder's name, in the package lintel.<name> with "_" for "-".
// Files that end in _test.rego do not count.
//
// Beside them, anywhere in dir, .yaml, .yml and .json files may have Policy and
// PolicyException objects, several to a file. A Policy without spec.source
// configures the folder of its name; with spec.source.library it takes a policy of
// the library, under the library's name or its own; with spec.source.modules it
// brings Rego of any one package. spec.source.configMapRef needs a cluster and is an
// error. So are objects of other kinds, unknown fields and keys that are there
// twice. Documents that have nothing of a Kubernetes object are passed over.
//
// Hidden files and folders and those called testdata are not read. Symbolic links
// are followed to files inside dir, and are errors where they lead to a folder or
// out of dir. Only regular files are ever opened.
//
// The error joins one for each thing that is wrong, with file and line; the Source
// has all the rest. It is an error if dir has neither policies nor exceptions.
func Load(dir string) (Source, error) {
	f, errs := readFolder(dir, false)
	a := assembly{combination: newCombination(), used: map[string]bool{}, folders: map[string]regoFolder{}}
	for _, r := range f.rego {
		a.folder(r)
	}
	for _, d := range f.documents {
		if err := a.document(d); err != nil {
			errs = append(errs, err)
		}
	}
	a.rest()
	a.sort()
	errs = append(errs, a.errs...)
	if len(errs) == 0 && len(a.Policies) == 0 && len(a.Exceptions) == 0 {
		errs = append(errs, fmt.Errorf("%s: has no policies: neither folders with .rego files nor Policy objects", dir))
	}
	return a.Source, errors.Join(errs...)
}

// An assembly makes a Source of what a folder holds.
type assembly struct {
	combination
	folders map[string]regoFolder // by policy name
	used    map[string]bool       // names of folders that a Policy object configures
}

// validName is what the API server takes as the name of a Policy, without the
// dots that no package can have.
var validName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// folder takes a folder of Rego, which waits for the Policy object that may configure it.
func (a *assembly) folder(r regoFolder) {
	have, ok := a.folders[r.name]
	switch {
	case !validName.MatchString(r.name):
		a.errs = append(a.errs, invalidName(r))
	case ok:
		a.errs = append(a.errs, clash(r.name, have.path, r.path))
		a.clashing[r.name] = true
	default:
		a.folders[r.name] = r
	}
}

// rest takes the folders that no Policy object configures.
func (a *assembly) rest() {
	for _, name := range slices.Sorted(maps.Keys(a.folders)) {
		if !a.used[name] {
			a.policy(a.folders[name].policy(), 0)
		}
	}
}

// policy returns the policy that the folder is, as it comes.
func (r regoFolder) policy() engine.Policy {
	return engine.Policy{Name: r.name, Origin: r.path, Modules: r.modules}
}

// document takes a Policy or a PolicyException.
func (a *assembly) document(d document) error {
	switch kind, err := d.kind(); {
	case err != nil:
		return err
	case kind == "Policy":
		return a.policyObject(d)
	case kind == "PolicyException":
		return a.exceptionObject(d)
	}
	return nil
}

func (a *assembly) exceptionObject(d document) error {
	var e v1alpha1.PolicyException
	if err := d.decode(&e); err != nil {
		return err
	}
	switch {
	case e.Name == "":
		return d.errorf("metadata", "metadata.name is missing")
	case e.Namespace == "":
		return d.errorf("metadata", "metadata.namespace is missing: an exception is for the namespace that it is in")
	}
	a.exception(e, d.place(""))
	return nil
}

func (a *assembly) policyObject(d document) error {
	var p v1alpha1.Policy
	if err := d.decode(&p); err != nil {
		return err
	}
	switch {
	case p.Name == "":
		return d.errorf("metadata", "metadata.name is missing")
	case !validName.MatchString(p.Name):
		return d.errorf("metadata.name", "%q is no name for a policy: small letters, digits and - are", p.Name)
	}
	src := engine.Policy{Name: p.Name, Origin: d.place(""), Spec: p.Spec}
	src.Spec.Source = v1alpha1.Source{}
	r, err := a.source(&src, p.Spec.Source, d.file)
	if err != nil {
		return d.errorf(fieldOf(err), "policy %s: %w", p.Name, err)
	}
	a.policy(src, r)
	return nil
}

// source gives p the Rego that its Policy object asks for.
func (a *assembly) source(p *engine.Policy, s v1alpha1.Source, file string) (role, error) {
	switch {
	case s.ConfigMapRef != nil:
		return 0, fault("spec.source.configMapRef", "spec.source.configMapRef: ConfigMaps are read in a cluster only; "+
			"here Rego stands in a folder called %s or in spec.source.modules", p.Name)
	case s.Library != "" || len(s.Modules) > 0:
		return fromObject(p, s, file)
	}
	r, ok := a.folders[p.Name]
	if !ok {
		return 0, fault("spec", "there is no spec.source, and no folder of that name has Rego: %s", hint(p.Name))
	}
	p.Modules, p.Origin = r.modules, fmt.Sprintf("%s, configured in %s", r.path, p.Origin)
	a.used[p.Name] = true
	return 0, nil
}

// hint says what to write for a policy of that name.
func hint(name string) string {
	if names, err := embeddedNames(); err == nil && slices.Contains(names, name) {
		return fmt.Sprintf("for the library's write source: {library: %s}", name)
	}
	return "write source: {library: …} or source: {modules: […]}"
}
