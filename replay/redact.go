package replay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/lintel-policy/lintel/secrets"
)

// maxBody is how many bytes a review may have that is recorded. etcd takes objects
// of 1.5 MiB, and the old object comes beside the new one; hardly any is larger.
const maxBody = 4 << 20

// requestFields are what is kept of an AdmissionRequest beside its objects. A field
// that Kubernetes adds is not kept before somebody has looked at what it may hold.
func requestFields() []string {
	return []string{
		"uid", "kind", "resource", "subResource", "requestKind", "requestResource", "requestSubResource",
		"name", "namespace", "operation", "userInfo", "dryRun", "options",
	}
}

// lastApplied is where kubectl keeps a copy of the whole object.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// A redactor takes credentials out of reviews.
type redactor struct{ scanner *secrets.Scanner }

func newRedactor() (*redactor, error) {
	// What one body can hold is scanned whole, keys and decoded texts included.
	scanner, err := secrets.New(secrets.Config{Budget: 16 * maxBody})
	if err != nil {
		return nil, fmt.Errorf("make the scanner for credentials: %w", err)
	}
	return &redactor{scanner}, nil
}

// line returns the line of a review, which is body, with a note, whose Namespace
// has been read but not redacted.
func (r *redactor) line(body []byte, note Note) ([]byte, error) {
	var review struct {
		Request map[string]any `json:"request"`
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&review); err != nil || review.Request == nil {
		return nil, errors.New("read AdmissionReview: not what was answered")
	}
	head := only(review.Request, requestFields()...)
	if user, ok := head["userInfo"].(map[string]any); ok {
		head["userInfo"] = only(user, "username", "uid", "groups") // extra may hold tokens
	}
	isSecret := textAt(head, "kind", "kind") == "Secret"
	var namespace any
	if len(note.Namespace) > 0 {
		if err := json.Unmarshal(note.Namespace, &namespace); err != nil {
			return nil, fmt.Errorf("read namespace: %w", err)
		}
	}
	object, old := stripped(review.Request["object"], isSecret), stripped(review.Request["oldObject"], isSecret)
	copies, err := r.scanner.Redact(object, old, head, namespace, note.Verdict.texts())
	if err != nil {
		return nil, err
	}
	request := copies[2].(map[string]any) //nolint:errcheck // a copy of one
	request["object"], request["oldObject"] = withoutApplied(copies[0]), withoutApplied(copies[1])
	if namespace != nil {
		if note.Namespace, err = json.Marshal(withoutApplied(copies[3])); err != nil {
			return nil, fmt.Errorf("encode namespace: %w", err)
		}
	}
	note.Verdict = note.Verdict.with(copies[4].([]any)) //nolint:errcheck // a copy of one
	return encodeLine(request, note)
}

// encodeLine writes an AdmissionReview that others can read as well.
func encodeLine(request map[string]any, note Note) ([]byte, error) {
	var line bytes.Buffer
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false)
	err := e.Encode(struct {
		APIVersion string         `json:"apiVersion"`
		Kind       string         `json:"kind"`
		Lintel     Note           `json:"lintel"`
		Request    map[string]any `json:"request"`
	}{"admission.k8s.io/v1", "AdmissionReview", note, request})
	if err != nil {
		return nil, fmt.Errorf("encode line: %w", err)
	}
	return line.Bytes(), nil
}

// only returns the entries of m under keys.
func only(m map[string]any, keys ...string) map[string]any {
	kept := make(map[string]any, len(keys))
	for _, key := range keys {
		if v, ok := m[key]; ok {
			kept[key] = v
		}
	}
	return kept
}

// textAt returns the text at keys below v.
func textAt(v any, keys ...string) string {
	for _, key := range keys {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	text, _ := v.(string)
	return text
}

// stripped returns an object without what no policy sees: the data of a Secret and
// who manages which field.
func stripped(v any, isSecret bool) any {
	object, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	if isSecret || object["kind"] == "Secret" {
		object = only(object, "apiVersion", "kind", "metadata", "type", "immutable")
		if annotations := annotationsOf(object); annotations != nil {
			delete(annotations, lastApplied)
		}
	}
	if metadata, ok := object["metadata"].(map[string]any); ok {
		delete(metadata, "managedFields")
	}
	return object
}

func annotationsOf(v any) map[string]any {
	object, _ := v.(map[string]any)
	metadata, _ := object["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	return annotations
}

// withoutApplied drops kubectl's copy of the object, unless a credential was found
// in it: then its mark stays.
func withoutApplied(v any) any {
	if annotations := annotationsOf(v); annotations != nil && !secrets.Found(textAt(annotations, lastApplied)) {
		delete(annotations, lastApplied)
	}
	return v
}

// texts returns the texts of a verdict that may have keys of the object in them.
func (v Verdict) texts() []any {
	texts := []any{v.Passed}
	for _, f := range v.Findings {
		texts = append(texts, f.Path)
	}
	for _, e := range v.Excused {
		texts = append(texts, e.Exception)
	}
	return texts
}

// with returns the verdict with other texts in the order of texts.
func (v Verdict) with(texts []any) Verdict {
	next := func() string {
		text, _ := texts[0].(string)
		texts = texts[1:]
		return text
	}
	v.Passed = next()
	findings := make([]Finding, len(v.Findings))
	for i, f := range v.Findings {
		f.Path = next()
		findings[i] = f
	}
	excused := make([]Excused, len(v.Excused))
	for i, e := range v.Excused {
		e.Exception = next()
		excused[i] = e
	}
	v.Findings, v.Excused = findings, excused
	return v
}
