package resource

import (
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
)

// A patch is one that a kustomization applies.
type patch struct {
	file   string // as people know it
	docs   []*node
	target *types.Selector // nil if the patch says itself what it is for
}

// patchesOf returns the patches of k, in the order in which they are applied.
func (p *plan) patchesOf(k *kustomization) []patch {
	var out []patch
	for i, text := range k.PatchesStrategicMerge {
		line := k.root.lineAt("patchesStrategicMerge", i)
		if isInline(string(text)) {
			out = append(out, k.inlinePatch(string(text), line, nil))
		} else {
			out = append(out, p.patchFile(k, string(text), nil))
		}
	}
	out = append(out, p.patchEntries(k, "patches", k.Patches)...)
	return append(out, p.patchEntries(k, "patchesJson6902", k.PatchesJson6902)...)
}

func (p *plan) patchEntries(k *kustomization, key string, patches []types.Patch) []patch {
	var out []patch
	for i, one := range patches {
		if one.Path != "" {
			out = append(out, p.patchFile(k, one.Path, one.Target))
		} else {
			out = append(out, k.inlinePatch(one.Patch, k.root.lineAt(key, i, "patch"), one.Target))
		}
	}
	return out
}

func (p *plan) patchFile(k *kustomization, path string, target *types.Selector) patch {
	out := patch{file: filepath.Join(k.shown, path), target: target}
	data, err := readWithin(k.folder, resolved(filepath.Join(k.folder, path)))
	if err == nil {
		out.docs, _ = parseDocuments(data, 1)
	}
	return out
}

// inlinePatch returns a patch that stands in the kustomization. Its text begins below
// its key, or all of it is on the line of the key.
func (k *kustomization) inlinePatch(text string, line int, target *types.Selector) patch {
	out := patch{file: k.file, target: target}
	lines := strings.SplitN(string(k.data), "\n", line+1)
	block := line <= len(lines) && blockText.MatchString(strings.TrimRight(lines[line-1], "\r"))
	if block {
		line++
	}
	docs, _ := parseDocuments([]byte(text), line)
	for _, doc := range docs {
		if !block {
			doc = doc.on(int32(line))
		}
		out.docs = append(out.docs, doc)
	}
	return out
}

// blockText matches a line below which literal text begins.
var blockText = regexp.MustCompile(`\|[-+0-9]*( +#.*)?$`)

// patched returns the traces of the patches of an object, which had another name
// before.
func (t *tracer) patched(o *Object, name string) []trace {
	var out []trace
	for _, p := range t.patches {
		for _, doc := range p.docs {
			if doc.kind == objectNode && p.isFor(o, name, doc) {
				out = append(out, trace{file: o.addFile(p.file), edge: edge{line: doc.line, node: doc}})
			}
			if doc.kind == listNode && p.target != nil && p.isFor(o, name, nil) {
				out = append(out, operations(o.addFile(p.file), doc)...)
			}
		}
	}
	return out
}

// isFor reports whether a patch may be for an object.
func (p patch) isFor(o *Object, name string, doc *node) bool {
	if p.target != nil {
		return matches(p.target.Kind, o.Kind) && (matches(p.target.Name, name) || matches(p.target.Name, o.Name))
	}
	kind, _ := doc.stringAt("kind")
	named := ""
	if meta := doc.child("metadata"); meta != nil {
		named, _ = meta.stringAt("name")
	}
	return kind == o.Kind && named != "" && strings.Contains(o.Name, named)
}

// matches reports whether text is what a selector asks for.
func matches(pattern, text string) bool {
	if pattern == "" || pattern == text {
		return true
	}
	re, err := regexp.Compile("^(?:" + pattern + ")$")
	return err == nil && re.MatchString(text)
}

// operations returns the traces of a JSON patch.
func operations(file uint16, ops *node) []trace {
	var out []trace
	for _, op := range slices.Backward(ops.kids) {
		value := op.child("value")
		path, ok := op.stringAt("path")
		if value == nil || !ok || !strings.HasPrefix(path, "/") {
			continue
		}
		steps := strings.Split(path[1:], "/")
		for i, step := range steps {
			steps[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		}
		out = append(out, trace{file: file, pending: steps, edge: *value})
	}
	return out
}

// pointsAt reports whether a step of a JSON pointer leads to a field or item of n.
func pointsAt(pointer string, n *node, step any) bool {
	i, ok := step.(int)
	if !ok {
		return pointer == step
	}
	return pointer == strconv.Itoa(i) || pointer == "-" && i == len(n.kids)-1
}

// addFile returns the number of one of the object's files.
func (o *Object) addFile(name string) uint16 {
	if name == o.File {
		return 0
	}
	i := slices.Index(o.files, name)
	if i < 0 && len(o.files) < 1<<16-1 {
		o.files = append(o.files, name)
		i = len(o.files) - 1
	}
	return uint16(i + 1)
}
