// Package v1alpha1 holds the objects by which operators configure Lintel:
// Policy and PolicyException, in the API group lintel.dev.
//
// A Policy says which source a policy has and how it is enforced; all it leaves
// out is taken from the METADATA of its Rego. A PolicyException excuses objects
// of one namespace for a limited time, where the Policy honours exceptions.
//
// The CustomResourceDefinitions in manifests/crds and the copying functions are
// generated from these types by controller-gen; manifests has a test that says so.
//
// +kubebuilder:object:generate=true
// +groupName=lintel.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the API group and version of the types in this package.
var GroupVersion = schema.GroupVersion{Group: "lintel.dev", Version: "v1alpha1"}

// An Enforcement says what becomes of an object that violates a policy.
//
// +kubebuilder:validation:Enum=deny;warn;dryrun
type Enforcement string

const (
	Deny   Enforcement = "deny"   // the request is refused
	Warn   Enforcement = "warn"   // the request passes with a warning
	DryRun Enforcement = "dryrun" // the violation is recorded and nobody is told
)

// A PatchMode says what becomes of the changes that a policy's patch rules ask for.
//
// +kubebuilder:validation:Enum=apply;record;"off"
type PatchMode string

const (
	PatchApply  PatchMode = "apply"  // the object is changed
	PatchRecord PatchMode = "record" // the change is recorded and not made
	PatchOff    PatchMode = "off"    // patch rules are not evaluated
)

// An OnError says what becomes of a request that a policy could not decide.
//
// +kubebuilder:validation:Enum=deny;allow
type OnError string

const (
	OnErrorDeny  OnError = "deny"  // the request is refused
	OnErrorAllow OnError = "allow" // the request passes with a warning
)

// An Existing says what becomes of a violation that the stored object has already.
//
// +kubebuilder:validation:Enum=warn;enforce
type Existing string

const (
	ExistingWarn    Existing = "warn"    // it becomes a warning
	ExistingEnforce Existing = "enforce" // it is treated like a new one
)

// Policy configures one policy. It is cluster-scoped.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=lpol,categories=lintel
// +kubebuilder:printcolumn:name="Enforcement",type=string,JSONPath=`.status.enforcement`
// +kubebuilder:printcolumn:name="Next",type=string,JSONPath=`.status.nextStage.enforcement`
// +kubebuilder:printcolumn:name="From",type=string,JSONPath=`.status.nextStage.from`
// +kubebuilder:printcolumn:name="Would deny",type=integer,JSONPath=`.status.lastDay.requests`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Revision",type=string,JSONPath=`.status.revision`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$')",message="a policy's name has small letters, digits and -, and at most 63 of them"
type Policy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec PolicySpec `json:"spec"`
	// Status is what Lintel says of it. Until it has, the generation says that nothing
	// was observed yet, or tools that wait for objects would take silence for well.
	//
	// +kubebuilder:default={"observedGeneration":-1}
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
	//
	// +kubebuilder:validation:MaxItems=16
	// +listType=atomic
	Stages []Stage `json:"stages,omitempty"`
	// Parameters are laid over the defaults of the policy's schema; each
	// top-level key replaces the default whole.
	//
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Type=object
	Parameters *runtime.RawExtension `json:"parameters,omitempty"`
	// Match goes before the policy's own, field by field.
	Match *Match `json:"match,omitempty"`
	// Scopes change enforcement and parameters for some requests; the first
	// that matches counts. They never apply to cluster-scoped objects.
	//
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	Scopes []Scope `json:"scopes,omitempty"`
	// OnError is by default deny where the enforcement is deny, else allow.
	OnError OnError `json:"onError,omitempty"`
	// Existing is by default warn, or enforce for a policy that reads userInfo.
	Existing Existing `json:"existing,omitempty"`
	// Exceptions says where PolicyExceptions are honoured. If nil, nowhere.
	Exceptions *Exceptions `json:"exceptions,omitempty"`
}

// Source says where the Rego of a policy comes from.
//
// +kubebuilder:validation:ExactlyOneOf=library;modules;configMapRef
type Source struct {
	// Library is the name of a policy in Lintel's library.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Library string `json:"library,omitempty"`
	// Modules are Rego modules of any one package.
	//
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=name
	Modules []Module `json:"modules,omitempty"`
	// ConfigMapRef names a ConfigMap whose keys are Rego modules.
	ConfigMapRef *ConfigMapRef `json:"configMapRef,omitempty"`
}

// Module is one Rego file.
type Module struct {
	// Name is that of a file, for error messages.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Rego is at most 512 KiB, as much as all modules of a policy may have.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=524288
	Rego string `json:"rego"`
}

// ConfigMapRef names a ConfigMap.
type ConfigMapRef struct {
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// Match says which requests a policy is asked about. All that is given must hold.
type Match struct {
	// Kinds are the kinds of object, for a subresource of the object that owns it.
	//
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +listType=atomic
	Kinds []Kinds `json:"kinds,omitempty"`
	// Subresources are by default [""], the object itself.
	//
	// +kubebuilder:validation:MaxItems=32
	// +listType=set
	Subresources []string `json:"subresources,omitempty"`
	// Operations are by default CREATE and UPDATE.
	//
	// +kubebuilder:validation:MaxItems=5
	// +listType=set
	Operations []Operation `json:"operations,omitempty"`
	// Namespaces, if not empty, are the only ones, by exact name.
	//
	// +kubebuilder:validation:MaxItems=256
	// +listType=set
	Namespaces []string `json:"namespaces,omitempty"`
	// ExcludedNamespaces are left out, by exact name.
	//
	// +kubebuilder:validation:MaxItems=256
	// +listType=set
	ExcludedNamespaces []string `json:"excludedNamespaces,omitempty"`
	// NamespaceSelector selects by the labels of the object's namespace.
	// Cluster-scoped objects pass it.
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`
	// ObjectSelector selects by the labels of the object, or of the old one.
	ObjectSelector *metav1.LabelSelector `json:"objectSelector,omitempty"`
}

// An Operation is that of an admission request; "*" stands for all.
//
// +kubebuilder:validation:Enum=CREATE;UPDATE;DELETE;CONNECT;"*"
type Operation string

const (
	Create  Operation = "CREATE"
	Update  Operation = "UPDATE"
	Delete  Operation = "DELETE"
	Connect Operation = "CONNECT"
)

// Kinds names kinds of some API groups. "*" stands for all.
type Kinds struct {
	// APIGroups are exact names; "" is the core group.
	//
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +listType=set
	APIGroups []string `json:"apiGroups"`
	// Kinds are exact names, as in Deployment.
	//
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +listType=set
	Kinds []string `json:"kinds"`
	// Versions are by default the one that the API server prefers.
	//
	// +kubebuilder:validation:MaxItems=16
	// +listType=set
	Versions []string `json:"versions,omitempty"`
}

// A Stage sets the enforcement from a moment on.
type Stage struct {
	From        metav1.Time `json:"from"`
	Enforcement Enforcement `json:"enforcement"`
}

// A Scope changes a policy for the requests that it matches. All that is given
// must hold, and something must be given.
//
// +kubebuilder:validation:XValidation:rule="has(self.namespaceSelector) || has(self.users) && size(self.users) > 0",message="a scope needs a namespaceSelector or users"
// +kubebuilder:validation:XValidation:rule="has(self.enforcement) || has(self.parameters)",message="a scope needs an enforcement or parameters, else it changes nothing"
type Scope struct {
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`
	// Users are exact user names.
	//
	// +kubebuilder:validation:MaxItems=256
	// +listType=set
	Users []string `json:"users,omitempty"`

	Enforcement Enforcement `json:"enforcement,omitempty"`
	// Parameters are laid over those of the policy, each top-level key whole.
	//
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Type=object
	Parameters *runtime.RawExtension `json:"parameters,omitempty"`
}

// Exceptions says in which namespaces PolicyExceptions are honoured.
type Exceptions struct {
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`
}

// PolicyStatus is what Lintel says of a Policy.
type PolicyStatus struct {
	// ObservedGeneration is the generation that the status is about.
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions has Ready: whether the policy is in force as its spec says. It has
	// Stalled where it is not, and waiting changes nothing before the spec does.
	//
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Enforcement is in force where no scope says otherwise.
	Enforcement Enforcement `json:"enforcement,omitempty"`
	// NextStage is the one that begins next, if any is to come.
	NextStage *Stage `json:"nextStage,omitempty"`
	// LastDay is what the policy would have denied of late, where it does not deny
	// everywhere.
	LastDay *LastDay `json:"lastDay,omitempty"`
	// Revision is that of the set of policies that this generation is part of.
	Revision string `json:"revision,omitempty"`
}

// A LastDay is which requests of the last 24 hours a policy let by and would have denied
// if it denied. Dry runs are not counted.
type LastDay struct {
	// Since is from when on it is counted: 24 hours ago, to the hour, or when the policy
	// and what is excused from it became what they are, if that is later.
	Since metav1.Time `json:"since"`
	// Requests is how many there were.
	Requests int64 `json:"requests"`
	// Owners are those with the most requests, most first.
	//
	// +kubebuilder:validation:MaxItems=10
	// +listType=atomic
	Owners []DayOwner `json:"owners,omitempty"`
	// OtherRequests is how many of Requests are of nobody in Owners.
	OtherRequests int64 `json:"otherRequests,omitempty"`
}

// A DayOwner is whose requests they were: the topmost controlling owner of the object
// that could be found out, else the object itself.
type DayOwner struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	// Team is the label "team" of the object, else of its namespace.
	Team     string `json:"team,omitempty"`
	Requests int64  `json:"requests"`
}

// PolicyList is a list of policies.
//
// +kubebuilder:object:root=true
type PolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Policy `json:"items"`
}

// PolicyException excuses objects of its own namespace from policies.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=lpex,categories=lintel
// +kubebuilder:printcolumn:name="Policies",type=string,JSONPath=`.spec.policies`
// +kubebuilder:printcolumn:name="Owner",type=string,JSONPath=`.spec.owner`
// +kubebuilder:printcolumn:name="Expires",type=string,JSONPath=`.spec.expires`
// +kubebuilder:printcolumn:name="Last used",type=date,JSONPath=`.status.lastUsed`
// +kubebuilder:printcolumn:name="Honoured",type=string,JSONPath=`.status.conditions[?(@.type=="Honoured")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Honoured")].reason`
// +kubebuilder:printcolumn:name="Ends soon",type=string,JSONPath=`.status.conditions[?(@.type=="EndsSoon")].status`,priority=1
// +kubebuilder:printcolumn:name="Unused",type=string,JSONPath=`.status.conditions[?(@.type=="Unused")].status`,priority=1
// +kubebuilder:printcolumn:name="Last excused",type=string,JSONPath=`.status.lastExcused`,priority=1
type PolicyException struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec PolicyExceptionSpec `json:"spec"`
	// Status is what Lintel says of it. Until it has, the generation says that nothing
	// was observed yet, or tools that wait for objects would go on before it counts.
	//
	// +kubebuilder:default={"observedGeneration":-1}
	Status PolicyExceptionStatus `json:"status,omitempty"`
}

// PolicyExceptionStatus is what Lintel says of a PolicyException.
type PolicyExceptionStatus struct {
	// ObservedGeneration is the generation that the status is about.
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions has Honoured: whether the exception excuses anything now; EndsSoon:
	// whether it ends within two weeks; and Unused: whether it has excused nothing for
	// five weeks.
	//
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// LastUsed is when the exception last excused an object, to a minute or so.
	LastUsed *metav1.Time `json:"lastUsed,omitempty"`
	// LastExcused names what it last excused, and from which policies, as in
	// "Deployment shop/web from probes".
	LastExcused string `json:"lastExcused,omitempty"`
}

// PolicyExceptionList is a list of exceptions.
//
// +kubebuilder:object:root=true
type PolicyExceptionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []PolicyException `json:"items"`
}

// PolicyExceptionSpec says what is excused, why, by whom and until when.
type PolicyExceptionSpec struct {
	// Policies are exact names.
	//
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:Pattern=`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`
	// +listType=set
	Policies []string `json:"policies"`
	Objects  Objects  `json:"objects"`
	// Reason is for those who read it in a year.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason"`
	// Owner is who is asked about it.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Owner string `json:"owner"`
	// +kubebuilder:validation:MaxLength=253
	Ticket string `json:"ticket,omitempty"`
	// Expires is the moment from which the exception no longer counts.
	Expires metav1.Time `json:"expires"`
}

// Objects selects objects of one namespace. All that is given must match, and
// something must be given.
//
// +kubebuilder:validation:XValidation:rule="has(self.names) && size(self.names) > 0 || has(self.labelSelector) && (has(self.labelSelector.matchLabels) && size(self.labelSelector.matchLabels) > 0 || has(self.labelSelector.matchExpressions) && size(self.labelSelector.matchExpressions) > 0)",message="objects selects everything: give names, or a labelSelector that is not empty"
type Objects struct {
	// Kinds are exact names; without them, all kinds.
	//
	// +kubebuilder:validation:MaxItems=64
	// +listType=set
	Kinds []string `json:"kinds,omitempty"`
	// Names may end in "*", which stands for any rest; "*" alone is refused.
	//
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:Pattern=`^[^*]+[*]?$`
	// +listType=set
	Names         []string              `json:"names,omitempty"`
	LabelSelector *metav1.LabelSelector `json:"labelSelector,omitempty"`
}
