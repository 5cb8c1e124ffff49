package resource

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
)

var errComputed = errors.New("is a folder of plugins that kustomize would change before it uses them: name their files, or let its kustomization have nothing but resources")

// pluginPaths are the fields by which built-in plugins name files.
var pluginPaths = []string{"path", "paths", "files", "env", "envs", "targetFilePath", "valuesFile", "additionalValuesFiles"} //nolint:gochecknoglobals // never changed

// plugin reads what an entry configures. Plugins read files, too, and would fetch
// them; so their configuration must be known as it stands.
func (p *plan) plugin(k *kustomization, e entry, depth int) {
	if docs, err := parseDocuments([]byte(e.text), e.line); err == nil && len(docs) > 0 && docs[0].kind == objectNode {
		p.configured(k, e, docs)
		return
	}
	if folder, err := within(k.folder, e.text); err == nil && isFolder(folder) {
		p.pluginFolder(k, e, depth)
		return
	}
	before := len(k.errs)
	p.file(k, e)
	if len(k.errs) > before {
		return
	}
	p.pluginFile(k, k.folder, e)
}

func (p *plan) pluginFile(k *kustomization, folder string, e entry) {
	file := resolved(e.path(folder))
	data, err := readWithin(folder, file)
	if err != nil {
		k.refuseEntry(e, err)
		return
	}
	p.plugins[file] = data
	docs, err := parseDocuments(data, 1)
	if err != nil {
		k.refuseEntry(e, err)
		return
	}
	p.configured(k, e, docs)
}

// pluginFolder reads a folder whose kustomization lists plugins.
func (p *plan) pluginFolder(k *kustomization, e entry, depth int) {
	before := len(k.inner)
	p.folder(k, e, depth)
	if len(k.inner) == before {
		return
	}
	for _, inner := range k.inner[before].builds() {
		if !inner.isPlain() {
			k.refuseEntry(e, errComputed)
			return
		}
		for _, r := range inner.entries {
			if !isFolder(filepath.Join(inner.folder, r.text)) && len(inner.errs) == 0 {
				p.pluginFile(k, inner.folder, entry{asPlugin, r.text, e.line})
			}
		}
	}
}

// configured checks the configuration of plugins.
func (p *plan) configured(k *kustomization, e entry, docs []*node) {
	for _, doc := range docs {
		if items := doc.child("items"); items != nil && items.kind == listNode {
			for _, item := range items.kids {
				p.configured(k, e, []*node{item.node})
			}
			continue
		}
		version, _ := doc.stringAt("apiVersion")
		kind, _ := doc.stringAt("kind")
		name := entry{e.use, firstLine(e.text), e.line}
		switch {
		case version != "builtin":
			k.refuseEntry(name, errPlugin)
		case kind == "HelmChartInflationGenerator":
			k.refuseEntry(name, errHelm)
		default:
			p.pluginFields(k, name, doc)
		}
	}
}

// pluginFields notes the files that a plugin reads, and refuses URLs.
func (p *plan) pluginFields(k *kustomization, e entry, n *node) {
	for _, kid := range n.kids {
		if slices.ContainsFunc(pluginPaths, func(key string) bool { return strings.EqualFold(key, kid.key) }) {
			texts := []edge{kid}
			if kid.kind == listNode {
				texts = kid.kids
			}
			for _, t := range texts {
				p.pluginPath(k, entry{asData, t.text, e.line}, strings.HasSuffix(strings.ToLower(kid.key), "path"))
			}
		}
		p.pluginFields(k, e, kid.node)
	}
}

// pluginPath notes a file that a plugin reads. What is no file may be the path of a
// field, or text; if a file is missing, kustomize tells.
func (p *plan) pluginPath(k *kustomization, e entry, parsed bool) {
	if e.isRemote() {
		k.refuseEntry(e, errRemote)
		return
	}
	if _, path, ok := strings.Cut(e.text, "="); ok {
		_, _ = p.own(k, path)
	}
	file, err := p.own(k, e.text)
	if err != nil || !parsed {
		return
	}
	if err := p.check(k, file, filepath.Join(k.shown, e.text)); err != nil {
		k.refuseEntry(e, err)
	}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}
