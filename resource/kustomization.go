package resource

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/types"
)

// A kustomization is a folder that kustomize builds, and what its file says.
type kustomization struct {
	folder string // absolute and free of links
	shown  string // the folder as people know it
	file   string // as people know it
	path   string // of the file, absolute and free of links
	data   []byte // of the file
	root   *node  // of the file
	types.Kustomization

	inner   []*kustomization // bases and components, in their order
	entries []entry
	errs    []*Error // why it cannot be built
	chosen  bool     // to be built by itself
	used    bool     // by what is built, or chosen
	built   bool     // and its objects were visited
	told    bool     // whether errs were told of
}

// An entry is what a kustomization says that it is made of, by path.
type entry struct {
	use  use
	text string
	line int
}

// A use is what kustomize does with an entry.
type use uint8

const (
	asBase      use = iota // a file of objects, or a folder with a kustomization
	asComponent            // a folder with a component
	asYAML                 // a file that it reads as YAML or JSON
	asData                 // a file whose content does not matter
	asPlugin               // objects that configure plugins, in a file, a folder or the text itself
)

// kustomizationFiles are the names that the file of a kustomization may have.
var kustomizationFiles = konfig.RecognizedKustomizationFileNames() //nolint:gochecknoglobals // never changed

// isKustomizationFile reports whether a path is one that kustomize looks for.
func isKustomizationFile(path string) bool {
	return slices.Contains(kustomizationFiles, filepath.Base(path))
}

// parse reads the file of k. It reports false if it is no kustomization: Flux has
// objects of the same name, which people keep in files that are called like it.
func (k *kustomization) parse() bool {
	docs, err := parseDocuments(k.data, 1)
	switch {
	case err != nil:
		k.errs = append(k.errs, locate(err, k.file))
		return true
	case len(docs) == 0:
		k.refuse(0, errors.New("is empty: kustomize refuses to build it"))
		return true
	}
	k.root = docs[0]
	if version, _ := k.root.stringAt("apiVersion"); version != "" && !strings.HasPrefix(version, "kustomize.config.k8s.io/") {
		return false
	}
	if len(docs) > 1 {
		k.refuse(int(docs[1].line), errors.New("has a second document, which kustomize does not read: keep it in a file of its own"))
		return true
	}
	if err := k.Unmarshal(k.data); err != nil {
		k.refuse(k.unknownLine(err), fmt.Errorf("is no kustomization: %s", unmarshalProblem(err)))
		return true
	}
	k.entries = k.list()
	k.forbidden()
	return true
}

func (k *kustomization) refuse(line int, err error) {
	if len(k.errs) < maxErrors {
		k.errs = append(k.errs, &Error{File: k.file, Line: line, Err: err})
	}
}

func (k *kustomization) refuseEntry(e entry, err error) {
	shown := e.text
	if isRemoteBase(shown) {
		shown = withoutCredentials(shown)
	}
	k.refuse(e.line, fmt.Errorf("entry %s %w", quoted(shown), err))
}

// isComponent reports whether k can only be built as part of others.
func (k *kustomization) isComponent() bool { return k.Kind == types.ComponentKind }

var (
	errHelm   = errors.New("helmCharts need the program helm, which is never run: render the chart with helm template, or name the chart itself to be checked")
	errRemote = errors.New("is remote, and nothing is ever fetched: vendor it, or give the output of kustomize build to standard input")
	errPlugin = errors.New("configures a plugin that is a program or a container, and those are never run: give the output of kustomize build to standard input")
)

// forbidden refuses what kustomize could only do by running programs.
func (k *kustomization) forbidden() {
	if len(k.HelmCharts) > 0 {
		k.refuse(k.root.lineAt("helmCharts"), errHelm)
	}
	if len(k.HelmChartInflationGenerator) > 0 {
		k.refuse(k.root.lineAt("helmChartInflationGenerator"), errHelm)
	}
}

// list returns the entries, in the order in which kustomize reads them.
func (k *kustomization) list() []entry {
	var out []entry
	add := func(use use, text string, path ...any) {
		if text != "" {
			out = append(out, entry{use, text, k.root.lineAt(path...)})
		}
	}
	all := func(use use, texts []string, path ...any) {
		for i, text := range texts {
			add(use, text, append(slices.Clone(path), i)...)
		}
	}
	all(asBase, k.Resources, "resources")
	all(asBase, k.Bases, "bases")
	all(asComponent, k.Components, "components")
	all(asYAML, k.Configurations, "configurations")
	all(asYAML, k.Crds, "crds")
	add(asYAML, k.OpenAPI["path"], "openapi", "path")
	for i, g := range k.ConfigMapGenerator {
		k.generated(all, add, g.KvPairSources, "configMapGenerator", i)
	}
	for i, g := range k.SecretGenerator {
		k.generated(all, add, g.KvPairSources, "secretGenerator", i)
	}
	for i, p := range k.PatchesStrategicMerge {
		if !isInline(string(p)) {
			add(asYAML, string(p), "patchesStrategicMerge", i)
		}
	}
	for i, p := range k.Patches {
		add(asYAML, p.Path, "patches", i, "path")
	}
	for i, p := range k.PatchesJson6902 {
		add(asYAML, p.Path, "patchesJson6902", i, "path")
	}
	for i, r := range k.Replacements {
		add(asYAML, r.Path, "replacements", i, "path")
	}
	all(asPlugin, k.Generators, "generators")
	all(asPlugin, k.Transformers, "transformers")
	all(asPlugin, k.Validators, "validators")
	return out
}

// generated lists the files of a generator of ConfigMaps or Secrets.
func (k *kustomization) generated(all func(use, []string, ...any), add func(use, string, ...any), g types.KvPairSources, path ...any) {
	under := func(key string) []any { return append(slices.Clone(path), key) }
	all(asData, g.FileSources, under("files")...)
	all(asData, g.EnvSources, under("envs")...)
	add(asData, g.EnvSource, under("env")...)
}

// isInline reports whether an entry is objects and no path.
func isInline(text string) bool {
	docs, err := parseDocuments([]byte(text), 1)
	return err == nil && len(docs) > 0 && docs[0].kind == objectNode
}

// unknownLine returns the line of the field that a decoder does not know.
func (k *kustomization) unknownLine(err error) int {
	if field, ok := unknownField(err); ok {
		if e := k.root.anywhere(field); e != nil {
			return int(e.line)
		}
	}
	return int(k.root.line)
}

// anywhere returns the first field of that name, however deep.
func (n *node) anywhere(key string) *edge {
	if e := n.fold(key); e != nil {
		return e
	}
	for i := range n.kids {
		if e := n.kids[i].anywhere(key); e != nil {
			return e
		}
	}
	return nil
}
