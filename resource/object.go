// Package resource reads Kubernetes objects out of files, folders and streams,
// as kubectl apply would send them to the API server, and remembers the line
// on which each of their fields stands.
//
// What kubectl does is the reference: documents are split as it splits them,
// YAML means what sigs.k8s.io/yaml (YAML 1.1) makes of it, numbers are as wide
// as they are in an API server, and what kubectl refuses is an error here. In
// three points this package is stricter, because the object that arrives would
// not be the one that people read: a key that is there twice, text after the
// end of a document, and UTF-16 are errors too.
//
// Helm charts are rendered by helm's own engine, in a process of their own that can
// be ended; lines of their objects are those of the templates. See [ChartOptions].
// Kustomizations are built by kustomize's own packages; their lines are those of what
// set a field. Of a Terraform plan, each resource becomes an object.
//
// One bad document does not hide the others: a [Result] has objects and errors
// side by side. Input may be hostile, so every read is bounded in bytes, depth
// and expansion, folders are not left through symbolic links, and no error
// repeats a value, which may be a secret.
package resource

import "strings"

// An Object is one Kubernetes object and the place it was read from.
type Object struct {
	JSON       []byte // the object as kubectl would send it
	APIVersion string
	Kind       string
	Namespace  string // as the object says; "" if it does not
	Name       string // "" if the object has none, as with generateName
	File       string // path as it was given or found; "-" for standard input
	Line       int    // line of the object's first key; from 1
	// Rendered names what made the object of File, as in "chart ./charts/shop", so
	// that a line of File is where to look and not where the field is; "" if the
	// object stands in File as it is.
	Rendered string

	fields *node    // nil for an object that was made without lines
	files  []string // that fields may stand in, beside File; nodes count them from 1
}

// New returns the object in JSON that was read from a line of a file by other
// means than this package's readers. All its fields are taken to stand on that
// line. It is an error if JSON is no object with apiVersion and kind.
func New(json []byte, file string, line int) (Object, error) {
	root, err := parseJSON(json, line)
	if err != nil {
		return Object{}, locate(err, file)
	}
	if !root.isKubernetes() {
		return Object{}, &Error{File: file, Line: line, Err: ErrNotKubernetes}
	}
	o := identify(root, file)
	o.JSON, o.Line = json, line
	return o, nil
}

// LineOf returns the line of the field at path, or of its nearest ancestor that
// the file has. Steps of the path are keys (string) and indexes (int). The line may
// be one of another file than File where [Object.SourceOf] says so.
func (o Object) LineOf(path []any) int {
	_, line := o.SourceOf(path)
	return line
}

// SourceOf returns the file and the line of the field at path, or of its nearest
// ancestor that there is. What kustomize built of several files stands in each of
// them.
func (o Object) SourceOf(path []any) (file string, line int) {
	at := o.place()
	for n := o.fields; n != nil && len(path) > 0; path = path[1:] {
		e := n.child(path[0])
		if e == nil {
			break
		}
		n, at = e.node, e.place()
	}
	return o.fileAt(at), at.line
}

// A place is a line of one of an object's files.
type place struct {
	file uint16 // 0 for Object.File
	line int
}

func (o Object) place() place { return place{line: o.Line} }

func (e *edge) place() place { return place{e.file, int(e.line)} }

// fileAt returns the name of the file of a place.
func (o Object) fileAt(at place) string {
	if i := int(at.file) - 1; i >= 0 && i < len(o.files) {
		return o.files[i]
	}
	return o.File
}

// identify reads off the fields of Object that name it.
func identify(root *node, file string) Object {
	o := Object{File: file, Line: int(root.line)}
	o.APIVersion, _ = root.stringAt("apiVersion")
	o.Kind, _ = root.stringAt("kind")
	if meta := root.child("metadata"); meta != nil {
		o.Namespace, _ = meta.stringAt("namespace")
		o.Name, _ = meta.stringAt("name")
	}
	return o
}

// isKubernetes reports whether n says which kind of object it is.
func (n *node) isKubernetes() bool {
	apiVersion, _ := n.stringAt("apiVersion")
	kind, _ := n.stringAt("kind")
	return apiVersion != "" && kind != ""
}

// itemKind is the kind that items of a typed list have where they do not say.
func itemKind(list string) string { return strings.TrimSuffix(list, "List") }
