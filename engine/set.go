package engine

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lintel-policy/lintel/api/v1alpha1"
)

// A Policy is the source of one policy with the settings that configure it.
type Policy struct {
	Name    string
	Origin  string // where it comes from, for error messages
	Modules []v1alpha1.Module
	// FreePackage permits any one package instead of lintel.<name>, and no METADATA.
	FreePackage bool
	// Spec goes before METADATA where it says something. Its Source is not read.
	Spec v1alpha1.PolicySpec
}

// Config says what a [Set] is made of. The zero value makes a Set that finds
// nothing wrong with anything.
type Config struct {
	Policies   []Policy
	Exceptions []v1alpha1.PolicyException
	// ExcludedNamespaces are never judged, by exact name. If nil,
	// [DefaultExcludedNamespaces].
	ExcludedNamespaces []string
	// ExemptUsers are never judged, by exact name. system:apiserver always is.
	ExemptUsers []string
	// Controllers are the users whose violations are recorded and not denied,
	// by exact name. If nil, [DefaultControllers].
	Controllers []string
	// Plurals are the resources of kinds from discovery. One that is not there
	// is guessed from the kind.
	Plurals map[schema.GroupKind]string
	// Compiled are Sets that were made before: a policy that is in one of them, and is
	// still the same, is taken from there and not compiled anew.
	Compiled []*Set
}

// DefaultExcludedNamespaces returns the namespaces that a cluster cannot do without.
func DefaultExcludedNamespaces() []string {
	return []string{"kube-system", "kube-public", "kube-node-lease"}
}

// DefaultControllers returns the users as whom kube-controller-manager runs the
// controllers that make and scale workloads, make and bind claims, and make what
// pods need to start, such as the ConfigMap kube-root-ca.crt of each namespace, with
// and without --use-service-account-credentials.
func DefaultControllers() []string {
	users := []string{"system:kube-controller-manager"}
	for _, name := range []string{
		"attachdetach-controller", "cronjob-controller", "daemon-set-controller", "deployment-controller",
		"ephemeral-volume-controller", "expand-controller", "horizontal-pod-autoscaler", "job-controller",
		"persistent-volume-binder", "replicaset-controller", "replication-controller", "resource-claim-controller",
		"root-ca-cert-publisher", "service-account-controller", "statefulset-controller",
	} {
		users = append(users, "system:serviceaccount:kube-system:"+name)
	}
	return users
}

// apiserver is the user as whom the API server keeps up its own objects. Denying
// it the Service "kubernetes" cuts the cluster off from itself.
const apiserver = "system:apiserver"

// A Set is an immutable set of compiled policies.
type Set struct {
	revision    string
	revisions   map[string]string // of each policy, by name: Sets share policies, and not what excuses from them
	part        Part
	policies    []*policy // by name
	index       index
	exceptions  map[string][]*exception // by namespace, there by name
	excluded    map[string]bool
	exempt      map[string]bool
	controllers map[string]bool
}

// Compile makes a Set. Where policies or exceptions are broken the error joins
// one for each, a *[PolicyError] for a policy; the Set is never nil and holds all
// the others.
func Compile(cfg Config) (*Set, error) {
	s := &Set{
		excluded:    setOf(cfg.ExcludedNamespaces, DefaultExcludedNamespaces()),
		exempt:      setOf(append([]string{apiserver}, cfg.ExemptUsers...), nil),
		controllers: setOf(cfg.Controllers, DefaultControllers()),
	}
	policies, errs := compileAll(cfg.Policies, cfg.Compiled)
	s.policies = policies
	slices.SortFunc(s.policies, func(a, b *policy) int { return cmp.Compare(a.info.Name, b.info.Name) })
	s.index = newIndex(s.policies, cfg.Plurals)
	errs = append(errs, s.except(cfg.Exceptions)...)
	var err error
	if s.revision, err = cfg.revision(); err != nil {
		errs = append(errs, err)
	}
	s.revisions = make(map[string]string, len(s.policies))
	for _, p := range s.policies {
		if s.revisions[p.info.Name], err = cfg.revisionOfOne(p.info.Name); err != nil {
			errs = append(errs, err)
		}
	}
	return s, errors.Join(errs...)
}

// except takes up exceptions. It returns an error for each that is broken.
func (s *Set) except(exceptions []v1alpha1.PolicyException) (errs []error) {
	s.exceptions = map[string][]*exception{}
	for _, e := range exceptions {
		compiled, err := newException(e)
		if err != nil {
			errs = append(errs, fmt.Errorf("exception %s/%s: %w", e.Namespace, e.Name, err))
			continue
		}
		s.exceptions[e.Namespace] = append(s.exceptions[e.Namespace], compiled)
	}
	for _, of := range s.exceptions {
		slices.SortStableFunc(of, func(a, b *exception) int { return cmp.Compare(a.name, b.name) })
	}
	return errs
}

// compileAll compiles policies on all processors. It returns those that are not
// broken, and an error for each that is or whose name is there more than once.
func compileAll(sources []Policy, before []*Set) (policies []*policy, errs []error) {
	repeated := repeatedNames(sources)
	compiled := make([]*policy, len(sources))
	broken := make([]error, len(sources))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, src := range sources {
		if err, ok := repeated[src.Name]; ok {
			broken[i] = err
			repeated[src.Name] = nil // it is told of once
			continue
		}
		group.Go(func() (err error) {
			if compiled[i] = findCompiled(before, src); compiled[i] != nil {
				return nil
			}
			if compiled[i], err = compilePolicy(src); err != nil {
				compiled[i], broken[i] = nil, &PolicyError{Policy: src.Name, Err: err}
			}
			return nil
		})
	}
	_ = group.Wait() // errors are in broken, each in its place
	for i := range sources {
		if compiled[i] != nil {
			policies = append(policies, compiled[i])
		}
		if broken[i] != nil {
			errs = append(errs, broken[i])
		}
	}
	return policies, errs
}

// findCompiled returns the policy of one of the sets that was made of the same source,
// nil if there is none.
func findCompiled(sets []*Set, src Policy) *policy {
	for _, s := range sets {
		if s == nil {
			continue
		}
		i, found := slices.BinarySearchFunc(s.policies, src.Name, func(p *policy, name string) int { return cmp.Compare(p.info.Name, name) })
		if found && reflect.DeepEqual(s.policies[i].source, src) {
			return s.policies[i]
		}
	}
	return nil
}

// repeatedNames returns an error for each name that more than one policy has.
func repeatedNames(policies []Policy) map[string]error {
	origins := map[string][]string{}
	for _, p := range policies {
		origins[p.Name] = append(origins[p.Name], p.Origin)
	}
	errs := map[string]error{}
	for name, from := range origins {
		if len(from) > 1 {
			errs[name] = &PolicyError{Policy: name, Err: fmt.Errorf("the name is there more than once: %q", from)}
		}
	}
	return errs
}

func setOf(names, defaults []string) map[string]bool {
	if names == nil {
		names = defaults
	}
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}

// Revision is a hash of all that the Set was made of.
func (s *Set) Revision() string { return s.revision }

// Info describes a policy of a [Set]: its METADATA with the Spec laid over it.
type Info struct {
	Name string
	// Revision is a hash of all that has a say in what it decides, its exceptions too.
	Revision    string
	Origin      string
	Title       string
	Description string
	Severity    Severity
	Category    string
	Enforcement v1alpha1.Enforcement // without scopes and stages
	Controlled  bool                 // it denies what built-in controllers make, too
	Match       v1alpha1.Match
	Parameters  map[string]any // the schema of its parameters; nil if it has none
	Values      map[string]any // its parameters as they are in force, without scopes
	Rules       []RuleInfo     // those whose results it reports
	Inventory   []InventoryKind
	// Reviews and PatchesObjects say which kinds of rule it has.
	Reviews, PatchesObjects bool
	// Spec has the settings as they are in force.
	Spec v1alpha1.PolicySpec
	// Unplanned says why OPA's own evaluator is asked, which takes several times as
	// long; nil where all rules have plans.
	Unplanned error
}

// CanDeny reports whether the policy refuses anything anywhere at any time: by its
// own enforcement, in a scope, from a stage on, or where it could not decide.
func (i Info) CanDeny() bool {
	denies := i.Enforcement == v1alpha1.Deny || i.Spec.OnError == v1alpha1.OnErrorDeny
	for _, s := range i.Spec.Scopes {
		denies = denies || s.Enforcement == v1alpha1.Deny
	}
	for _, s := range i.Spec.Stages {
		denies = denies || s.Enforcement == v1alpha1.Deny
	}
	return denies
}

// Policies describes the policies of the Set, sorted by name.
func (s *Set) Policies() []Info {
	infos := make([]Info, len(s.policies))
	for i, p := range s.policies {
		infos[i] = p.info
		infos[i].Revision = s.revisions[p.info.Name]
	}
	return infos
}

// Inventory returns the kinds that some policy reads, each once. One is optional
// if every policy that reads it says so.
func (s *Set) Inventory() []InventoryKind {
	kinds := map[kindKey]InventoryKind{}
	for _, p := range s.policies {
		for _, k := range p.info.Inventory {
			key := kindKey{k.APIVersion, k.Kind}
			if have, ok := kinds[key]; ok {
				k.Optional = k.Optional && have.Optional
			}
			kinds[key] = k
		}
	}
	return slices.SortedFunc(maps.Values(kinds), func(a, b InventoryKind) int {
		return cmp.Or(cmp.Compare(a.APIVersion, b.APIVersion), cmp.Compare(a.Kind, b.Kind))
	})
}

// ExcludedNamespaces returns the namespaces that are never judged, sorted.
func (s *Set) ExcludedNamespaces() []string { return sortedKeys(s.excluded) }

// GoesByNamespace reports whether what is decided about a request may depend on its
// Namespace object.
func (s *Set) GoesByNamespace(r *Request) bool {
	return r.Namespace() != "" && s.passes(r) == "" && slices.ContainsFunc(s.index.find(r), (*policy).goesByNamespace)
}

// passes says why no policy is asked about a request, "" if policies are.
func (s *Set) passes(r *Request) string {
	switch {
	case s.excluded[r.namespace]:
		return "namespace " + r.namespace + " is excluded"
	case s.exempt[r.user]:
		return "user " + r.user + " is exempt"
	case r.isDeletionInProgress():
		return "the object is being deleted"
	}
	return ""
}
