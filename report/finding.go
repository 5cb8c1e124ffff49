package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/lintel-policy/lintel/engine"
)

// A finding is what makes a violation the same one in another run: neither the
// file, nor the line, nor the version of the API, nor an index in a list, which
// shifts when the item before it goes. The names of the items are in Subject.
type finding struct {
	Policy  string   `json:"policy"`
	Object  identity `json:"object"`
	Path    string   `json:"path,omitempty"`
	Subject string   `json:"subject,omitempty"`
	Message string   `json:"message"`
}

// An identity is what makes an object the same one in another run.
type identity struct {
	Group     string `json:"group,omitempty"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
}

func identityOf(o engine.ObjectRef) identity {
	group, _, ok := strings.Cut(o.APIVersion, "/")
	if !ok {
		group = ""
	}
	return identity{group, o.Kind, o.Namespace, o.Name}
}

// index is one in a path that is written as text.
var index = regexp.MustCompile(`\[[0-9]+\]`)

func findingOf(o *Object, v Violation) finding {
	return finding{v.Policy, identityOf(o.Ref), index.ReplaceAllString(v.Path.String(), "[*]"), v.Subject, v.Message}
}

// compare orders findings as people look for them: by object, then by policy.
func (f finding) compare(other finding) int {
	a, b := f.Object, other.Object
	return cmp.Or(
		cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Group, b.Group),
		cmp.Compare(f.Policy, other.Policy), cmp.Compare(f.Path, other.Path), cmp.Compare(f.Subject, other.Subject),
		cmp.Compare(f.Message, other.Message),
	)
}

// fingerprint returns a short name for the finding.
func (f finding) fingerprint() string {
	h := sha256.New()
	for _, s := range []string{f.Policy, f.Object.Group, f.Object.Kind, f.Object.Namespace, f.Object.Name, f.Path, f.Subject, f.Message} {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
