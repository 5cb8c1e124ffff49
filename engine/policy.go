package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/lintel-policy/lintel/api/v1alpha1"
)

// A policy is one compiled policy of a [Set].
type policy struct {
	source  Policy // what it was made of
	info    Info
	matcher matcher
	scopes  []policyScope
	// exceptions selects the namespaces where exceptions are honoured; if nil, none are.
	exceptions labels.Selector
	parameters *ast.Term
	inventory  map[kindKey]bool

	violations, patches *query // nil where the policy has no such rule
	// canDeny says that it can refuse a request somewhere.
	canDeny bool
	// ownPackage says that no other policy has rules in the same package.
	ownPackage bool
	// readsManaged, readsNamespace and readsTime say that it reads managedFields,
	// namespaceObject and the time of the request.
	readsManaged, readsNamespace, readsTime bool
}

// A policyScope changes a policy for some requests.
type policyScope struct {
	namespaces  labels.Selector
	users       []string
	enforcement v1alpha1.Enforcement
	parameters  *ast.Term
}

// settings is how one policy is enforced in one request.
type settings struct {
	enforcement v1alpha1.Enforcement
	patches     v1alpha1.PatchMode
	onError     v1alpha1.OnError
	parameters  *ast.Term
	// deniedFrom is when what it lets by is denied; zero if no stage to come does.
	deniedFrom time.Time
}

// settingsFor returns how the policy is enforced in a request: by the first scope
// that matches, else by the latest stage that has begun, else by its own enforcement.
func (p *policy) settingsFor(r *Request) (settings, error) {
	s := settings{
		enforcement: p.info.EnforcementAt(r.time), deniedFrom: p.info.DeniedFrom(r.time),
		patches: p.info.Spec.Patches, onError: p.info.Spec.OnError, parameters: p.parameters,
	}
	scope, err := p.scope(r)
	if scope != nil {
		if scope.enforcement != "" {
			s.enforcement, s.deniedFrom = scope.enforcement, time.Time{} // whatever the stages say
		}
		s.parameters = scope.parameters
	}
	if s.patches == "" {
		s.patches = v1alpha1.PatchRecord
		if s.enforcement == v1alpha1.Deny {
			s.patches = v1alpha1.PatchApply
		}
	}
	if s.onError == "" {
		s.onError = v1alpha1.OnErrorAllow
		if s.enforcement == v1alpha1.Deny {
			s.onError = v1alpha1.OnErrorDeny
		}
	}
	return s, err
}

// scope returns the first scope that matches, nil if none does. Scopes never
// apply to cluster-scoped objects.
func (p *policy) scope(r *Request) (*policyScope, error) {
	if r.Namespace() == "" {
		return nil, nil
	}
	for i := range p.scopes {
		s := &p.scopes[i]
		if len(s.users) > 0 && !slices.Contains(s.users, r.user) {
			continue
		}
		selected, err := selectsNamespace(s.namespaces, r)
		if err != nil {
			return nil, err
		}
		if selected {
			return s, nil
		}
	}
	return nil, nil
}

// goesByNamespace reports whether what the policy says of an object in a namespace
// may depend on the Namespace object.
func (p *policy) goesByNamespace() bool {
	return p.readsNamespace || p.matcher.namespaces != nil || p.exceptions != nil ||
		slices.ContainsFunc(p.scopes, func(s policyScope) bool { return s.namespaces != nil })
}

// existing says what becomes of violations that the old object has already.
func (p *policy) existing() v1alpha1.Existing { return p.info.Spec.Existing }

// errCompilerPanicked reports Rego at which OPA's compiler panics.
var errCompilerPanicked = errors.New("the compiler panicked")

// compilePolicy compiles one policy beside the shared library.
func compilePolicy(src Policy) (_ *policy, err error) {
	defer func() {
		if recover() != nil {
			err = errCompilerPanicked
		}
	}()
	modules, err := parseModules(src)
	if err != nil {
		return nil, err
	}
	meta, err := readMetadata(modules)
	if err != nil {
		return nil, err
	}
	p := &policy{source: src, info: newInfo(src, meta), inventory: map[kindKey]bool{}, ownPackage: !src.FreePackage}
	for _, k := range meta.Custom.Inventory {
		p.inventory[kindKey{k.APIVersion, k.Kind}] = true
	}
	if err := p.configure(meta, src); err != nil {
		return nil, err
	}
	if err := p.compile(modules); err != nil {
		return nil, err
	}
	p.info.Rules = readRules(modules)
	p.canDeny = p.info.CanDeny()
	p.readsManaged = mentions(modules, "managedFields")
	p.readsNamespace = mentions(modules, "namespaceObject")
	p.readsTime = mentions(modules, "time")
	if p.info.Spec.Existing == "" {
		p.info.Spec.Existing = v1alpha1.ExistingWarn
		if mentions(modules, "userInfo") {
			p.info.Spec.Existing = v1alpha1.ExistingEnforce
		}
	}
	return p, nil
}

// newInfo lays the Spec of the source over what METADATA says.
func newInfo(src Policy, m Metadata) Info {
	spec := src.Spec
	setDefault(&spec.Enforcement, m.Custom.Enforcement)
	setDefault(&spec.Enforcement, v1alpha1.Deny)
	setDefault(&spec.Patches, m.Custom.Patches)
	setDefault(&spec.OnError, m.Custom.OnError)
	setDefault(&spec.Existing, m.Custom.Existing)
	severity := m.Custom.Severity
	setDefault(&severity, Medium)
	match := m.Custom.Match
	if spec.Match != nil {
		match = spec.Match.Over(match)
	}
	info := Info{
		Name: src.Name, Origin: src.Origin, Title: m.Title, Description: m.Description,
		Severity: severity, Category: m.Custom.Category, Enforcement: spec.Enforcement,
		Controlled: m.Custom.Controlled == v1alpha1.Deny, Inventory: m.Custom.Inventory,
		Parameters: m.Custom.Parameters, Spec: spec,
	}
	if match != nil {
		info.Match = *match
	}
	return info
}

// setDefault sets field to value where it is empty.
func setDefault[T ~string](field *T, value T) {
	if *field == "" {
		*field = value
	}
}

// configure checks the settings of the policy and prepares what a request needs of them.
func (p *policy) configure(m Metadata, src Policy) (err error) {
	spec := p.info.Spec
	if err := checkSettings(spec.Enforcement, spec.Patches, spec.OnError, spec.Existing); err != nil {
		return err
	}
	if p.matcher, err = newMatcher(p.info.Match); err != nil {
		return err
	}
	p.info.Match = p.matcher.match
	schema, err := newSchema(m.Custom.Parameters)
	if err != nil {
		return fmt.Errorf("METADATA: custom: parameters: %w", err)
	}
	if p.parameters, err = schema.complete(src.Spec.Parameters); err != nil {
		return fmt.Errorf("spec.parameters: %w", err)
	}
	values, err := ast.JSON(p.parameters.Value)
	if err != nil {
		return fmt.Errorf("spec.parameters: %w", err)
	}
	p.info.Values, _ = values.(map[string]any)
	for i, s := range spec.Scopes {
		scope, err := newScope(s)
		if err != nil {
			return fmt.Errorf("spec.scopes[%d]: %w", i, err)
		}
		if scope.parameters, err = schema.complete(src.Spec.Parameters, s.Parameters); err != nil {
			return fmt.Errorf("spec.scopes[%d].parameters: %w", i, err)
		}
		p.scopes = append(p.scopes, scope)
	}
	if spec.Exceptions != nil {
		p.exceptions = labels.Everything()
		if s := spec.Exceptions.NamespaceSelector; s != nil {
			if p.exceptions, err = selector(s); err != nil {
				return fmt.Errorf("spec.exceptions.namespaceSelector: %w", err)
			}
		}
	}
	return p.configureStages()
}

func (p *policy) configureStages() error {
	for i, s := range p.info.Spec.Stages {
		if s.From.IsZero() || s.Enforcement == "" {
			return fmt.Errorf("spec.stages[%d]: from or enforcement is missing", i)
		}
		if err := checkSettings(s.Enforcement, "", "", ""); err != nil {
			return fmt.Errorf("spec.stages[%d]: %w", i, err)
		}
	}
	p.info.Spec.Stages = byTime(p.info.Spec.Stages)
	return nil
}

func newScope(s v1alpha1.Scope) (policyScope, error) {
	if s.NamespaceSelector == nil && len(s.Users) == 0 {
		return policyScope{}, errors.New("neither namespaceSelector nor users is given")
	}
	if err := checkSettings(s.Enforcement, "", "", ""); err != nil {
		return policyScope{}, err
	}
	namespaces, err := selector(s.NamespaceSelector)
	if err != nil {
		return policyScope{}, fmt.Errorf("namespaceSelector: %w", err)
	}
	return policyScope{namespaces: namespaces, users: s.Users, enforcement: s.Enforcement}, nil
}

// mentions reports whether a string that is word, or contains it, stands in the
// Rego: what a policy may read cannot be told more exactly, since keys can be variables.
func mentions(modules []*ast.Module, word string) bool {
	found := false
	for _, m := range modules {
		ast.WalkTerms(m, func(t *ast.Term) bool {
			if s, ok := t.Value.(ast.String); ok && strings.Contains(string(s), word) {
				found = true
			}
			return found
		})
	}
	return found
}
