// Package policies is Lintel's library of policies, and loads others from folders.
//
// A policy is a folder of Rego whose name is the policy's. [Library] returns those
// that are part of the binary, [Load] those of a folder on disk together with the
// Policy and PolicyException objects that stand beside them, and [Combine] puts
// several sources together. What they return is not compiled: engine.Compile says
// whether the Rego is right.
//
// A [Suite] is a policy with what proves it, its tests and samples; a [Page] is what
// its METADATA and samples say to people. [New] begins a policy that has both.
package policies

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// library has one folder for each policy, with the tests and samples that prove it.
//
//go:embed */*.rego */testdata/*.yaml
var library embed.FS

// EmbeddedOrigin is where the policies of the library come from, in error messages
// and on command lines.
const EmbeddedOrigin = "embedded"

// Embedded returns the policies of the library as they come, sorted by name.
func Embedded() ([]engine.Policy, error) {
	folders, err := library.ReadDir(".")
	if err != nil {
		return nil, fmt.Errorf("list the library: %w", err)
	}
	var all []engine.Policy
	for _, folder := range folders {
		p, err := embedded(folder.Name())
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// embedded returns one policy of the library.
func embedded(name string) (engine.Policy, error) {
	p := engine.Policy{Name: name, Origin: EmbeddedOrigin}
	files, err := fs.ReadDir(library, name)
	if err != nil {
		return p, fmt.Errorf("read policy %q of the library: %w", name, err)
	}
	for _, f := range files {
		if !isRego(f.Name()) {
			continue
		}
		file := path.Join(name, f.Name())
		rego, err := fs.ReadFile(library, file)
		if err != nil {
			return p, fmt.Errorf("read policy %q of the library: %w", name, err)
		}
		p.Modules = append(p.Modules, v1alpha1.Module{Name: file, Rego: string(rego)})
	}
	return p, nil
}

// embeddedNames returns the names of the policies of the library, sorted.
func embeddedNames() ([]string, error) {
	folders, err := library.ReadDir(".")
	if err != nil {
		return nil, fmt.Errorf("list the library: %w", err)
	}
	names := make([]string, len(folders))
	for i, folder := range folders {
		names[i] = folder.Name()
	}
	return names, nil
}

// isRego reports whether a file has Rego that is no test.
func isRego(file string) bool {
	return strings.HasSuffix(file, ".rego") && !strings.HasSuffix(file, "_test.rego")
}
