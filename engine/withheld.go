package engine

import (
	"regexp"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/lintel-policy/lintel/secrets"
)

// A withheld says which values of an object are not to be shown, because they are
// secrets or may be: what the scanner finds, and what people put secrets into.
type withheld struct {
	found   []Path
	scanner *secrets.Scanner // nil if there is none: then nothing is shown
}

func newWithheld(object *ast.Term) withheld {
	s, err := scanner()
	if err != nil || object == nil {
		return withheld{}
	}
	w := withheld{scanner: s}
	for _, f := range s.Scan(node{object}) {
		w.found = append(w.found, Path(f.Path))
	}
	return w
}

// shown is what a value looks like that is shown: a name, an image, a quantity.
var shown = regexp.MustCompile(`^[A-Za-z0-9._:/@-]{0,80}$`)

// holders are the keys below which people put what programs read, secrets too.
var holders = map[string]bool{ //nolint:gochecknoglobals // never changed
	"value": true, "args": true, "command": true, "data": true, "binaryData": true, "stringData": true,
	"annotations": true, "values": true, "valuesObject": true, "parameters": true, "helm": true,
}

// has reports whether a string at path is withheld.
func (w withheld) has(path Path, text ast.String) bool {
	if w.scanner == nil || !shown.MatchString(string(text)) || w.isSecret(path, text) {
		return true
	}
	for _, step := range path {
		if key, ok := step.(string); ok && holders[key] {
			return true
		}
	}
	for _, f := range w.found {
		if isPrefix(f, path) || isPrefix(path, f) {
			return true
		}
	}
	return false
}

// isSecret reports whether a string would be a secret in a file of settings, where
// the scanner looks at everything: in other places it knows what is none.
func (w withheld) isSecret(path Path, text ast.String) bool {
	key, _ := path[len(path)-1].(string)
	settings := ast.ObjectTerm(
		[2]*ast.Term{ast.StringTerm("apiVersion"), ast.StringTerm("v1")},
		[2]*ast.Term{ast.StringTerm("kind"), ast.StringTerm("ConfigMap")},
		[2]*ast.Term{ast.StringTerm("data"), ast.ObjectTerm([2]*ast.Term{ast.StringTerm(key), ast.NewTerm(text)})},
	)
	return len(w.scanner.Scan(node{settings})) > 0
}
