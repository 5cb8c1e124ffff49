package engine

import (
	"context"

	"github.com/lintel-policy/lintel/api/v1alpha1"
)

// A Policy is the source of one policy with the settings that configure it.
type Policy struct {
	Name    string
	Origin  string // where it comes from, for error messages
	Modules []v1alpha1.Module
	// FreePackage permits any one package instead of lintel.<name>, and no METADATA.
	FreePackage bool
	// Spec overrides METADATA where it says something. Its Source is not read.
	Spec v1alpha1.PolicySpec
}

// Config says what a [Set] is made of.
type Config struct {
	Policies   []Policy
	Exceptions []v1alpha1.PolicyException
	// ExcludedNamespaces are never judged, by exact name.
	ExcludedNamespaces []string
	// ExemptUsers are never judged, by exact name.
	ExemptUsers []string
	// Controllers are the users whose violations are recorded and not denied. If nil, DefaultControllers.
	Controllers []string
}

// Compile makes a Set. Where policies are broken, the error joins a
// *[PolicyError] for each, and the Set, which is never nil, holds the others.
func Compile(cfg Config) (*Set, error) { panic("soon") }

// A Set is an immutable set of compiled policies.
type Set struct{}

// Revision is a hash of all that the Set was made of.
func (s *Set) Revision() string { panic("soon") }

// Info describes a policy of a Set: METADATA with the Spec laid over it.
type Info struct {
	Name        string
	Origin      string
	Title       string
	Description string
	Severity    Severity
	Category    string
	Enforcement v1alpha1.Enforcement
	Match       v1alpha1.Match
	Patches     v1alpha1.PatchMode // "off" where it has no patch rule
}

// Policies describes the policies of the Set, sorted by name.
func (s *Set) Policies() []Info { panic("soon") }

// Review judges the object of the request. The error says that nothing could be
// decided at all; a single policy's is in the Decision.
func (s *Set) Review(ctx context.Context, req *Request, inv *Inventory) (*Decision, error) {
	panic("soon")
}

// Patch asks the patch rules what to change in the object of the request.
func (s *Set) Patch(ctx context.Context, req *Request, inv *Inventory) (*Mutation, error) {
	panic("soon")
}
