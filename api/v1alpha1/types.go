// Package v1alpha1 holds the objects by which operators configure Lintel:
// Policy and PolicyException, in the API group lintel.dev.
//
// A Policy says which source a policy has and how it is enforced; all it leaves
// out is taken from the METADATA of its Rego. A PolicyException excuses objects
// of one namespace for a limited time, where the Policy honours exceptions.
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the API group and version of the types in this package.
var GroupVersion = schema.GroupVersion{Group: "lintel.dev", Version: "v1alpha1"}

// An Enforcement says what becomes of an object that violates a policy.
type Enforcement string

const (
	Deny   Enforcement = "deny"   // the request is refused
	Warn   Enforcement = "warn"   // the request passes with a warning
	DryRun Enforcement = "dryrun" // the violation is recorded and nobody is told
)

// A PatchMode says what becomes of the changes that a policy's patch rules ask for.
type PatchMode string

const (
	PatchApply  PatchMode = "apply"  // the object is changed
	PatchRecord PatchMode = "record" // the change is recorded and not made
	PatchOff    PatchMode = "off"    // patch rules are not evaluated
)

// An OnError says what becomes of a request that a policy could not decide.
type OnError string

const (
	OnErrorDeny  OnError = "deny"  // the request is refused
	OnErrorAllow OnError = "allow" // the request passes with a warning
)

// An Existing says what becomes of a violation that the stored object has already.
type Existing string

const (
	ExistingWarn    Existing = "warn"    // it becomes a warning
	ExistingEnforce Existing = "enforce" // it is treated like a new one
)

// Policy configures one policy. It is cluster-scoped.
type Policy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   PolicySpec   `json:"spec"`
	Status PolicyStatus `json:"status,omitempty"`
}

// PolicySpec is what an operator sets of a policy. A field that is absent takes
// the value that the policy's METADATA gives it.
type PolicySpec struct {
	// Source is where the Rego comes from. Exactly one of its fields is set.
	Source Source `json:"source"`
	// Enforcement replaces the policy's own.
	Enforcement Enforcement `json:"enforcement,omitempty"`
	// Patches is by default apply where the enforcement is deny, else record.
	Patches PatchMode `json:"patches,omitempty"`
	// Stages change the enforcement at given times; the latest that has begun counts.
	Stages []Stage `json:"stages,omitempty"`
	// Parameters are laid over the defaults of the policy's schema; each
	// top-level key replaces the default whole.
	Parameters *runtime.RawExtension `json:"parameters,omitempty"`
	// Match replaces the policy's own.
	Match *Match `json:"match,omitempty"`
	// Scopes change enforcement and parameters for some requests; the first
	// that matches counts. They never apply to cluster-scoped objects.
	Scopes []Scope `json:"scopes,omitempty"`
	// OnError is by default deny where the enforcement is deny, else allow.
	OnError OnError `json:"onError,omitempty"`
	// Existing is by default warn, or enforce for a policy that reads userInfo.
	Existing Existing `json:"existing,omitempty"`
	// Exceptions says where PolicyExceptions are honoured. If nil, nowhere.
	Exceptions *Exceptions `json:"exceptions,omitempty"`
}

// Source says where the Rego of a policy comes from.
type Source struct {
	// Library is the name of a policy in Lintel's library.
	Library string `json:"library,omitempty"`
	// Modules are Rego modules of any one package.
	Modules []Module `json:"modules,omitempty"`
	// ConfigMapRef names a ConfigMap whose keys are Rego modules.
	ConfigMapRef *ConfigMapRef `json:"configMapRef,omitempty"`
}

// Module is one Rego file.
type Module struct {
	Name string `json:"name"`
	Rego string `json:"rego"`
}

// ConfigMapRef names a ConfigMap.
type ConfigMapRef struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// Match says which requests a policy is asked about. All that is given must hold.
type Match struct {
	// Kinds are the kinds of object, for a subresource of the object that owns it.
	Kinds []Kinds `json:"kinds,omitempty"`
	// Subresources are by default [""], the object itself.
	Subresources []string `json:"subresources,omitempty"`
	// Operations are by default CREATE and UPDATE.
	Operations []Operation `json:"operations,omitempty"`
	// Namespaces, if not empty, are the only ones, by exact name.
	Namespaces []string `json:"namespaces,omitempty"`
	// ExcludedNamespaces are left out, by exact name.
	ExcludedNamespaces []string `json:"excludedNamespaces,omitempty"`
	// NamespaceSelector selects by the labels of the object's namespace.
	// Cluster-scoped objects pass it.
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`
	// ObjectSelector selects by the labels of the object, or of the old one.
	ObjectSelector *metav1.LabelSelector `json:"objectSelector,omitempty"`
}

// An Operation is that of an admission request.
type Operation string

const (
	Create  Operation = "CREATE"
	Update  Operation = "UPDATE"
	Delete  Operation = "DELETE"
	Connect Operation = "CONNECT"
)

// Kinds names kinds of some API groups. "*" stands for all.
type Kinds struct {
	APIGroups []string `json:"apiGroups"`
	Kinds     []string `json:"kinds"`
	// Versions are by default the one that the API server prefers.
	Versions []string `json:"versions,omitempty"`
}

// A Stage sets the enforcement from a moment on.
type Stage struct {
	From        metav1.Time `json:"from"`
	Enforcement Enforcement `json:"enforcement"`
}

// A Scope changes a policy for the requests that it matches. All that is given
// must hold, and something must be given.
type Scope struct {
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`
	// Users are exact user names.
	Users []string `json:"users,omitempty"`

	Enforcement Enforcement           `json:"enforcement,omitempty"`
	Parameters  *runtime.RawExtension `json:"parameters,omitempty"`
}

// Exceptions says in which namespaces PolicyExceptions are honoured.
type Exceptions struct {
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`
}

// PolicyStatus is what Lintel says of a Policy.
type PolicyStatus struct {
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Revision is that of the set of policies that this generation is part of.
	Revision string `json:"revision,omitempty"`
}

// PolicyException excuses objects of its own namespace from policies.
type PolicyException struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec PolicyExceptionSpec `json:"spec"`
}

// PolicyExceptionSpec says what is excused, why, by whom and until when.
type PolicyExceptionSpec struct {
	// Policies are exact names.
	Policies []string `json:"policies"`
	Objects  Objects  `json:"objects"`
	Reason   string   `json:"reason"`
	Owner    string   `json:"owner"`
	Ticket   string   `json:"ticket,omitempty"`
	// Expires is the moment from which the exception no longer counts.
	Expires metav1.Time `json:"expires"`
}

// Objects selects objects of one namespace. All that is given must match, and
// something must be given.
type Objects struct {
	Kinds []string `json:"kinds,omitempty"`
	// Names may end in "*", which stands for any rest; "*" alone is refused.
	Names         []string              `json:"names,omitempty"`
	LabelSelector *metav1.LabelSelector `json:"labelSelector,omitempty"`
}
