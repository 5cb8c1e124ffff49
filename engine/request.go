package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lintel-policy/lintel/api/v1alpha1"
)

// A Request is an admission request as policies see it. It never changes.
//
// The managedFields of its objects are set aside unless a policy reads them, and
// the data of a Secret is left out.
type Request struct {
	uid         string
	operation   v1alpha1.Operation
	kind        schema.GroupVersionKind
	resource    schema.GroupVersionResource
	subresource string
	name        string
	namespace   string
	user        string
	dryRun      bool
	size        int  // of what it was decoded from, in bytes
	headOnly    bool // its objects were not read

	object, old               *ast.Term // nil where the request has none
	objectManaged, oldManaged string    // their managedFields, as JSON
	fields                    [][2]*ast.Term
	ns                        *Object
	time                      time.Time
}

// Decode reads an AdmissionReview of admission.k8s.io/v1. It is an error if the
// review lacks a uid, an operation or a kind.
func Decode(review []byte) (*Request, error) {
	d := newDecoder(string(review))
	r := &Request{}
	if err := d.review(r); err != nil {
		return nil, fmt.Errorf("decode AdmissionReview: %w", err)
	}
	if err := r.complete(); err != nil {
		return nil, fmt.Errorf("decode AdmissionReview: %w", err)
	}
	return r, nil
}

// review reads the envelope, in whatever order its members come.
func (d *decoder) review(r *Request) error {
	if d.next() != '{' {
		return d.malformed("not a JSON object")
	}
	if err := d.enter(); err != nil {
		return err
	}
	var apiVersion, kind *ast.Term
	found := false
	for n := 0; ; n++ {
		key, more, err := d.member(n)
		if err != nil {
			return err
		}
		if !more {
			break
		}
		switch key {
		case "apiVersion":
			apiVersion, err = d.small()
		case "kind":
			kind, err = d.small()
		case "request":
			*r = Request{size: len(d.src), headOnly: d.headOnly}
			found, err = d.request(r)
		default:
			err = d.skip()
		}
		if err != nil {
			return err
		}
	}
	if d.next() != 0 || d.pos < len(d.src) {
		return d.malformed("unexpected data after the value")
	}
	return checkEnvelope(apiVersion, kind, found)
}

func checkEnvelope(apiVersion, kind *ast.Term, found bool) error {
	version, _ := valueOf[ast.String](apiVersion)
	what, _ := valueOf[ast.String](kind)
	switch {
	case version != "admission.k8s.io/v1":
		return errors.New("apiVersion is not admission.k8s.io/v1")
	case what != "AdmissionReview":
		return errors.New("kind is not AdmissionReview")
	case !found:
		return errors.New("there is no request")
	}
	return nil
}

// request reads the AdmissionRequest. It reports false where there is none, but null.
func (d *decoder) request(r *Request) (bool, error) {
	if d.next() != '{' {
		t, err := d.small()
		if err == nil && isPresent(t) {
			err = d.malformed("the request is not a JSON object")
		}
		return false, err
	}
	if err := d.enter(); err != nil {
		return false, err
	}
	for n := 0; ; n++ {
		key, more, err := d.member(n)
		if !more || err != nil {
			return true, err
		}
		switch key {
		case "object":
			r.object, r.objectManaged, err = d.manifest()
		case "oldObject":
			r.old, r.oldManaged, err = d.manifest()
		default:
			var value *ast.Term
			value, err = d.small()
			r.fields = append(r.fields, [2]*ast.Term{d.textTerm(key), value})
		}
		if err != nil {
			return true, err
		}
	}
}

// manifest reads an object or null.
func (d *decoder) manifest() (*ast.Term, string, error) {
	if d.headOnly {
		return nil, "", d.skip()
	}
	d.managed = ""
	t, err := d.value(manifest)
	if err != nil || !isPresent(t) {
		return nil, "", err
	}
	if _, ok := t.Value.(ast.Object); !ok {
		return nil, "", d.malformed("an object of the request is not a JSON object")
	}
	return t, d.managed, nil
}

// complete fills in what r says of itself and checks that nothing needed is missing.
func (r *Request) complete() error {
	r.fields = lastOfEach(r.fields)
	fields := ast.ObjectTerm(r.fields...)
	r.uid, _ = textAt(fields, "uid")
	operation, _ := textAt(fields, "operation")
	r.operation = v1alpha1.Operation(operation)
	r.kind.Group, _ = textAt(fields, "kind", "group")
	r.kind.Version, _ = textAt(fields, "kind", "version")
	r.kind.Kind, _ = textAt(fields, "kind", "kind")
	r.resource.Group, _ = textAt(fields, "resource", "group")
	r.resource.Version, _ = textAt(fields, "resource", "version")
	r.resource.Resource, _ = textAt(fields, "resource", "resource")
	r.subresource, _ = textAt(fields, "subResource")
	r.name, _ = textAt(fields, "name")
	r.namespace, _ = textAt(fields, "namespace")
	r.user, _ = textAt(fields, "userInfo", "username")
	dryRun, _ := valueOf[ast.Boolean](at(fields, "dryRun"))
	r.dryRun = bool(dryRun)
	if err := r.check(); err != nil {
		return err
	}
	r.withholdSecrets()
	return nil
}

func (r *Request) check() error {
	known := []v1alpha1.Operation{v1alpha1.Create, v1alpha1.Update, v1alpha1.Delete, v1alpha1.Connect}
	switch {
	case r.uid == "":
		return errors.New("the request has no uid")
	case r.operation == "":
		return errors.New("the request has no operation")
	case !slices.Contains(known, r.operation):
		return errors.New("the operation of the request is none of CREATE, UPDATE, DELETE and CONNECT")
	case r.kind.Kind == "":
		return errors.New("the request has no kind")
	}
	return nil
}

func (r *Request) withholdSecrets() {
	if r.object != nil {
		r.object = withoutSecretData(r.object)
	}
	if r.old != nil {
		r.old = withoutSecretData(r.old)
	}
}

// NewRequest returns the request that an API server would send for creating the
// object, given as JSON, in namespace. The object's own namespace goes before,
// and a kind that is known to be cluster-scoped is in none.
func NewRequest(object []byte, namespace string) (*Request, error) {
	o, err := DecodeObject(object)
	if err != nil {
		return nil, err
	}
	ref := o.Ref()
	gv, err := schema.ParseGroupVersion(ref.APIVersion)
	if err != nil || ref.APIVersion == "" {
		return nil, errors.New("apiVersion is missing or malformed")
	}
	if ref.Kind == "" {
		return nil, errors.New("kind is missing")
	}
	gvk := gv.WithKind(ref.Kind)
	if ref.Namespace == "" {
		ref.Namespace = namespace
	}
	if isClusterScoped(gvk.GroupKind()) {
		ref.Namespace = ""
	}
	r := &Request{object: o.term, objectManaged: o.managed, size: len(object)}
	if r.fields, err = creationFields(gvk, ref); err != nil {
		return nil, err
	}
	if ref.Namespace != "" {
		meta := with(child(o.term, "metadata"), "namespace", ast.StringTerm(ref.Namespace))
		r.object = with(o.term, "metadata", meta)
	}
	return r, r.complete()
}

// creationFields returns the fields of an AdmissionRequest that creates ref.
func creationFields(gvk schema.GroupVersionKind, ref ObjectRef) ([][2]*ast.Term, error) {
	gvr, _ := meta.UnsafeGuessKindToResource(gvk)
	kind := map[string]string{"group": gvk.Group, "version": gvk.Version, "kind": gvk.Kind}
	resource := map[string]string{"group": gvr.Group, "version": gvr.Version, "resource": gvr.Resource}
	request := map[string]any{
		"uid":             "00000000-0000-0000-0000-000000000000",
		"kind":            kind,
		"requestKind":     kind,
		"resource":        resource,
		"requestResource": resource,
		"name":            ref.Name,
		"operation":       v1alpha1.Create,
		"userInfo":        map[string]any{},
		"dryRun":          false,
	}
	if ref.Namespace != "" {
		request["namespace"] = ref.Namespace
	}
	data, err := json.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	term, err := newDecoder(string(data)).document(plain)
	if err != nil {
		return nil, err
	}
	return membersExcept(term), nil
}

// At returns the request as of t, which stages and exceptions go by.
func (r *Request) At(t time.Time) *Request {
	c := *r
	c.time = t
	return &c
}

// In returns the request with the Namespace object of its namespace, which
// selectors go by.
func (r *Request) In(ns *Object) *Request {
	c := *r
	c.ns = ns
	return &c
}

// Time is that of the request, by which exceptions end and stages begin.
func (r *Request) Time() time.Time { return r.time }

// UID returns the uid to echo.
func (r *Request) UID() string { return r.uid }

// Operation returns the operation.
func (r *Request) Operation() v1alpha1.Operation { return r.operation }

// Kind returns the kind of the request's object; for a subresource that is not
// the kind of the object that owns it.
func (r *Request) Kind() schema.GroupVersionKind { return r.kind }

// Resource returns the resource that the request is made to.
func (r *Request) Resource() schema.GroupVersionResource { return r.resource }

// Subresource returns the subresource, "" for the object itself.
func (r *Request) Subresource() string { return r.subresource }

// Namespace returns the namespace of the request, "" for a cluster-scoped object.
func (r *Request) Namespace() string {
	if r.kind.Group == "" && r.kind.Kind == "Namespace" {
		return "" // the API server gives a Namespace its own name as namespace
	}
	return r.namespace
}

// User returns the name of the user who makes the request.
func (r *Request) User() string { return r.user }

// DryRun reports whether nothing will be stored.
func (r *Request) DryRun() bool { return r.dryRun }

// Object returns the object of the request, nil where it has none.
func (r *Request) Object() *Object {
	if r.object == nil {
		return nil
	}
	return &Object{term: r.object, managed: r.objectManaged}
}

// ChangesSpec reports whether the request makes an object, or changes the spec of
// one. Where that cannot be compared, it does.
func (r *Request) ChangesSpec() (does bool) {
	defer func() {
		if recover() != nil {
			does = true // there are numbers that OPA cannot compare
		}
	}()
	if r.object == nil || r.old == nil {
		return r.object != nil
	}
	return orNull(child(r.object, "spec")).Value.Compare(orNull(child(r.old, "spec")).Value) != 0
}

// Ref names the object of the request.
func (r *Request) Ref() ObjectRef {
	return ObjectRef{
		APIVersion: r.kind.GroupVersion().String(),
		Kind:       r.kind.Kind,
		Namespace:  r.Namespace(),
		Name:       r.objectName(),
	}
}

// objectName returns the name, or as much of it as is known before it is generated.
// Where a collection is deleted, the old object alone has it.
func (r *Request) objectName() string {
	if r.name != "" {
		return r.name
	}
	if name, _ := textAt(r.object, "metadata", "name"); name != "" {
		return name
	}
	if name, _ := textAt(r.old, "metadata", "name"); name != "" {
		return name
	}
	if name, _ := textAt(r.object, "metadata", "generateName"); name != "" {
		return name + "…"
	}
	return ""
}

// term returns input.review, with object in place of the request's own.
func (r *Request) term(object *ast.Term) *ast.Term {
	members := make([][2]*ast.Term, 0, len(r.fields)+3)
	members = append(members, r.fields...)
	members = append(members, [2]*ast.Term{knownTerms["object"], orNull(object)}, [2]*ast.Term{knownTerms["oldObject"], orNull(r.old)})
	if r.ns != nil {
		members = append(members, [2]*ast.Term{knownTerms["namespaceObject"], r.ns.term})
	}
	return ast.ObjectTerm(members...)
}

func orNull(t *ast.Term) *ast.Term {
	if t == nil {
		return ast.InternedNullTerm
	}
	return t
}

// TerraformGroup is the API group of what a plan of Terraform has: variables,
// providers and resources, whose kinds are the types of Terraform. No cluster has it,
// and a policy is asked about it only if its match names it.
const TerraformGroup = "terraform.lintel.dev"

// isClusterScoped reports whether gk is a built-in kind that is in no namespace.
// Kinds of extensions are not known here and are taken to be in one.
func isClusterScoped(gk schema.GroupKind) bool {
	return gk.Group == TerraformGroup || slices.Contains(strings.Fields(clusterScoped[gk.Group]), gk.Kind)
}

// clusterScoped lists the built-in kinds in no namespace by API group, as
// `kubectl api-resources --namespaced=false` prints them for Kubernetes 1.37.
var clusterScoped = map[string]string{ //nolint:gochecknoglobals // never changed
	"":                             "Namespace Node PersistentVolume ComponentStatus",
	"admissionregistration.k8s.io": "MutatingAdmissionPolicy MutatingAdmissionPolicyBinding MutatingWebhookConfiguration ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration",
	"apiextensions.k8s.io":         "CustomResourceDefinition",
	"apiregistration.k8s.io":       "APIService",
	"authentication.k8s.io":        "SelfSubjectReview TokenReview",
	"authorization.k8s.io":         "SelfSubjectAccessReview SelfSubjectRulesReview SubjectAccessReview",
	"certificates.k8s.io":          "CertificateSigningRequest ClusterTrustBundle",
	"flowcontrol.apiserver.k8s.io": "FlowSchema PriorityLevelConfiguration",
	"networking.k8s.io":            "IPAddress IngressClass ServiceCIDR",
	"node.k8s.io":                  "RuntimeClass",
	"rbac.authorization.k8s.io":    "ClusterRole ClusterRoleBinding",
	"resource.k8s.io":              "DeviceClass DeviceTaintRule ResourceSlice",
	"scheduling.k8s.io":            "PriorityClass",
	"storage.k8s.io":               "CSIDriver CSINode StorageClass VolumeAttachment VolumeAttributesClass",
	"storagemigration.k8s.io":      "StorageVersionMigration",
	"lintel.dev":                   "Policy",
}

// withManagedFields returns the request with the managedFields that Decode set aside.
func (r *Request) withManagedFields() (*Request, error) {
	c := *r
	var err error
	if c.object, err = attachManaged(r.object, r.objectManaged); err != nil {
		return nil, err
	}
	if c.old, err = attachManaged(r.old, r.oldManaged); err != nil {
		return nil, err
	}
	return &c, nil
}

func attachManaged(object *ast.Term, managed string) (*ast.Term, error) {
	if managed == "" {
		return object, nil
	}
	fields, err := newDecoder(managed).document(plain)
	if err != nil {
		return nil, fmt.Errorf("decode managedFields: %w", err)
	}
	return with(object, "metadata", with(child(object, "metadata"), "managedFields", fields)), nil
}
