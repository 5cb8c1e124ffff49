package resource

import (
	"encoding/base64"
	"path/filepath"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
)

// changed returns the traces of what the kustomizations themselves set in an object.
func (t *tracer) changed(o *Object) []trace {
	var out []trace
	for _, k := range t.builds {
		add := func(value *edge, pending ...string) {
			if value != nil {
				out = append(out, trace{file: o.addFile(k.file), pending: pending, edge: *value})
			}
		}
		add(k.root.fold("namespace"), "metadata", "namespace")
		add(k.root.fold("commonAnnotations"), "metadata", "annotations")
		labels := []*edge{k.root.fold("commonLabels")}
		for i := range k.Labels {
			labels = append(labels, k.root.at("labels", i, "pairs"))
		}
		for _, l := range labels {
			add(l, "metadata", "labels")
			add(l, "spec", "template", "metadata", "labels")
			add(l, "spec", "selector", "matchLabels")
			add(l, "spec", "selector")
		}
		for i, r := range k.Replicas {
			if strings.Contains(o.Name, r.Name) {
				add(k.root.at("replicas", i, "count"), "spec", "replicas")
			}
		}
	}
	return out
}

// at returns the value at a path, nil if there is none. Keys are folded.
func (n *node) at(path ...any) *edge {
	var e *edge
	for _, step := range path {
		if key, ok := step.(string); ok {
			e = n.fold(key)
		} else {
			e = n.child(step)
		}
		if e == nil {
			return nil
		}
		n = e.node
	}
	return e
}

// image returns where a kustomization sets an image, or else the place given.
func (t *tracer) image(o *Object, image string, at place) place {
	for _, k := range t.builds {
		for i, want := range k.Images {
			if key := setsImage(want, image); key != "" {
				return place{o.addFile(k.file), k.root.lineAt("images", i, key)}
			}
		}
	}
	return at
}

// setsImage returns the field of an entry of images that made an image what it is.
func setsImage(want types.Image, image string) string {
	name := want.NewName
	if name == "" {
		name = want.Name
	}
	rest, ok := strings.CutPrefix(image, name)
	switch {
	case !ok:
		return ""
	case want.Digest != "" && strings.HasSuffix(rest, "@"+want.Digest):
		return "digest"
	case want.NewTag != "" && strings.HasPrefix(rest, ":"+want.NewTag):
		return "newTag"
	case want.NewName != "" && (rest == "" || rest[0] == ':' || rest[0] == '@'):
		return "newName"
	}
	return ""
}

// generated returns the traces of an object that was generated, and the line of the
// generator. Several may have added to it, the outermost last.
func (t *tracer) generated(o *Object, file string) ([]trace, int) {
	var out []trace
	line, longest := 1, 0
	for _, k := range t.builds {
		for _, g := range k.generators(o.Kind) {
			if g.args.Name == "" || !strings.Contains(o.Name, g.args.Name) {
				continue
			}
			if k.path == file && len(g.args.Name) > longest {
				longest, line = len(g.args.Name), k.root.lineAt(g.key, g.index)
			}
			out = append(out, t.pairs(o, k, g)...)
		}
	}
	return out, line
}

// A generator is an entry of configMapGenerator or secretGenerator.
type generator struct {
	key   string
	index int
	args  types.GeneratorArgs
}

// generators returns those that make objects of a kind.
func (k *kustomization) generators(kind string) []generator {
	var out []generator
	switch kind {
	case "ConfigMap":
		for i, g := range k.ConfigMapGenerator {
			out = append(out, generator{"configMapGenerator", i, g.GeneratorArgs})
		}
	case "Secret":
		for i, g := range k.SecretGenerator {
			out = append(out, generator{"secretGenerator", i, g.GeneratorArgs})
		}
	}
	return out
}

// pairs returns the traces of the keys and values of a generator.
func (t *tracer) pairs(o *Object, k *kustomization, g generator) []trace {
	var out []trace
	add := func(file string, line int, key, value string) {
		if o.Kind == "Secret" {
			value = base64.StdEncoding.EncodeToString([]byte(value))
		}
		n := &node{kind: stringNode, line: int32(line), text: value}
		out = append(out, trace{file: o.addFile(file), pending: []string{"data", key}, edge: edge{key: key, line: int32(line), node: n}})
	}
	for i, literal := range g.args.LiteralSources {
		key, value, _ := strings.Cut(literal, "=")
		add(k.file, k.root.lineAt(g.key, g.index, "literals", i), key, unquote(value))
	}
	for _, path := range append(g.args.EnvSources, g.args.EnvSource) {
		for i, line := range strings.Split(t.content(k, path), "\n") {
			key, value, _ := strings.Cut(strings.TrimLeft(strings.TrimSuffix(line, "\r"), " \t\ufeff"), "=")
			if key != "" && key[0] != '#' {
				add(filepath.Join(k.shown, path), i+1, key, value)
			}
		}
	}
	for _, source := range g.args.FileSources {
		key, path, ok := strings.Cut(source, "=")
		if !ok {
			key, path = filepath.Base(source), source
		}
		add(filepath.Join(k.shown, path), 1, key, t.content(k, path))
	}
	return out
}

// content returns a file of k, "" if there is none.
func (t *tracer) content(k *kustomization, path string) string {
	if path == "" {
		return ""
	}
	data, err := readWithin(k.folder, resolved(filepath.Join(k.folder, path)))
	if err != nil {
		return ""
	}
	return string(data)
}

// unquote does to a literal what kustomize does.
func unquote(s string) string {
	if len(s) >= 2 && s[0] == s[len(s)-1] && (s[0] == '"' || s[0] == '\'') {
		return s[1 : len(s)-1]
	}
	return s
}
