package engine

import "time"

// A Request is an admission request as policies see it. It never changes.
type Request struct {
	// to be filled in
}

// Decode reads an AdmissionReview of admission.k8s.io/v1.
func Decode(review []byte) (*Request, error) { panic("soon") }

// NewRequest returns the request that an API server would send for creating
// object (JSON) in the namespace given, which is ignored where the object names its own or
// its kind is known to be cluster-scoped.
func NewRequest(object []byte, namespace string) (*Request, error) { panic("soon") }

// At returns the request as of t, which stages and exceptions go by.
func (r *Request) At(t time.Time) *Request { panic("soon") }

// In returns the request with the Namespace object of its namespace.
func (r *Request) In(ns *Object) *Request { panic("soon") }

// UID returns the uid to echo.
func (r *Request) UID() string { panic("soon") }

// Ref names the object of the request.
func (r *Request) Ref() ObjectRef { panic("soon") }

// Namespace returns the namespace of the request, "" for a cluster-scoped object.
func (r *Request) Namespace() string { panic("soon") }

// Operation, Subresource, User, DryRun: likewise
func (r *Request) Operation() string   { panic("soon") }
func (r *Request) Subresource() string { panic("soon") }
func (r *Request) User() string        { panic("soon") }
func (r *Request) DryRun() bool        { panic("soon") }

// An Object is a decoded object, for inventories and namespaces.
type Object struct{}

// DecodeObject reads one object from JSON.
func DecodeObject(data []byte) (*Object, error) { panic("soon") }

// Ref names the object.
func (o *Object) Ref() ObjectRef { panic("soon") }

// An Inventory holds the objects that policies may read beside the request's.
type Inventory struct{}

// NewInventory returns an inventory of objects.
func NewInventory(objects ...*Object) *Inventory { panic("soon") }
