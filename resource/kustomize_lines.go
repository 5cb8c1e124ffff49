package resource

import (
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/resmap"
)

// A tracer finds out on which lines the fields of built objects stand: in the file
// of the object that was built upon, in a patch, or in a kustomization.
type tracer struct {
	plan    *plan
	root    *kustomization
	builds  []*kustomization // the outermost first
	patches []patch          // the last one that is applied first
	sources map[string][]Object
	taken   map[string]map[int]bool // of the objects in sources, those that were built upon
}

func (p *plan) newTracer(k *kustomization) *tracer {
	t := &tracer{plan: p, root: k, builds: k.builds(), sources: map[string][]Object{}, taken: map[string]map[int]bool{}}
	for _, b := range t.builds {
		found := p.patchesOf(b)
		slices.Reverse(found)
		t.patches = append(t.patches, found...)
	}
	return t
}

// An origin is what kustomize knows of where an object came from.
type origin struct {
	file      string // absolute; "" if that is not known
	generated bool
}

// origins returns where the objects of a build came from, in their order. An
// object of which that is not known came from the kustomization.
func (t *tracer) origins(built, tracked resmap.ResMap) []origin {
	out := make([]origin, built.Size())
	if tracked == nil || tracked.Size() != built.Size() {
		return out
	}
	for i, r := range tracked.Resources() {
		if r.CurId() != built.Resources()[i].CurId() {
			continue
		}
		from, err := r.GetOrigin()
		if err != nil || from == nil {
			continue
		}
		path := from.Path
		if from.ConfiguredIn != "" {
			path = from.ConfiguredIn
		}
		out[i] = origin{resolved(filepath.Join(t.root.folder, path)), from.ConfiguredIn != ""}
	}
	return out
}

// shown returns a file as people know it.
func (p *plan) shown(file string) string {
	folder, ok := p.owned[file]
	if !ok {
		folder = filepath.Dir(file)
	}
	k := p.known[folder]
	if k == nil {
		return file
	}
	if file == k.path {
		return k.file
	}
	name, err := filepath.Rel(k.folder, file)
	if err != nil {
		return file
	}
	return filepath.Join(k.shown, name)
}

// place says of a built object, and of each of its fields, where it stands.
func (t *tracer) place(o *Object, from origin) {
	root, err := parseJSON(o.JSON, 1)
	if err != nil {
		return
	}
	o.File, o.Line, o.files = t.root.file, 1, nil
	o.fields = root
	var upon []trace
	name := o.Name
	switch {
	case from.generated:
		o.File = t.plan.shown(from.file)
		upon, o.Line = t.generated(o, from.file)
	case from.file != "":
		o.File = t.plan.shown(from.file)
		if s := t.source(o, from.file); s != nil {
			upon, o.Line, name = []trace{{edge: edge{line: int32(s.Line), node: s.fields}}}, s.Line, s.Name
		}
	}
	upon = append(upon, t.patched(o, name)...)
	upon = append(upon, t.changed(o)...)
	setPlace(root, o.place())
	t.fields(o, root, upon)
}

// source returns the object of a file that one was built upon, nil if it cannot be
// told. Kustomize may have put something before and after its name.
func (t *tracer) source(o *Object, file string) *Object {
	found, ok := t.sources[file]
	if !ok {
		if folder, owned := t.plan.owned[file]; owned {
			if data, err := readWithin(folder, file); err == nil {
				r := reader{file: t.plan.shown(file), encoder: encoder{budget: maxExpanded}}
				r.stream(data)
				found = r.Objects
			}
		}
		t.sources[file], t.taken[file] = found, map[int]bool{}
	}
	best, score := -1, 0
	for i, s := range found {
		if s.Kind != o.Kind || !strings.Contains(o.Name, s.Name) {
			continue
		}
		rank := 4*len(s.Name) + 1
		if s.Namespace == o.Namespace {
			rank++
		}
		if !t.taken[file][i] {
			rank += 2
		}
		if rank > score {
			best, score = i, rank
		}
	}
	if best < 0 {
		return nil
	}
	t.taken[file][best] = true
	return &found[best]
}

// A trace is a value in a file that may have become the field that is looked at, or
// one below it.
type trace struct {
	file    uint16   // of the object's files
	pending []string // steps from the field to where the value was put
	edge             // the value
}

// fields sets the places of all fields of n, of which traces may be the source; the
// first that has the same value is. Without one, it is where its parent is.
func (t *tracer) fields(o *Object, n *node, traces []trace) {
	for i := range n.kids {
		kid := &n.kids[i]
		step := any(kid.key)
		if n.kind == listNode {
			step = i
		}
		var inner []trace
		for _, tr := range traces {
			if next, ok := tr.step(n, step); ok {
				inner = append(inner, next)
			}
		}
		at := place{n.file, int(n.line)}
		if from := slices.IndexFunc(inner, func(tr trace) bool { return tr.isSource(kid.node) }); from >= 0 {
			at = place{inner[from].file, int(inner[from].line)}
		} else if kid.key == "image" && kid.kind == stringNode {
			at = t.image(o, kid.text, at)
		}
		kid.line = int32(at.line)
		setPlace(kid.node, at)
		t.fields(o, kid.node, inner)
	}
}

func setPlace(n *node, at place) { n.file, n.line = at.file, int32(at.line) }

// isSource reports whether the value n may come from that of the trace.
func (tr trace) isSource(n *node) bool {
	if len(tr.pending) > 0 || tr.node == nil || tr.kind != n.kind {
		return false
	}
	return n.kind == objectNode || n.kind == listNode || n.text == tr.text
}

// step returns the trace of a field or item of the value n.
func (tr trace) step(n *node, step any) (trace, bool) {
	if len(tr.pending) > 0 {
		if !pointsAt(tr.pending[0], n, step) {
			return tr, false
		}
		tr.pending = tr.pending[1:]
		return tr, true
	}
	if tr.node == nil {
		return tr, false
	}
	var found *edge
	if i, ok := step.(int); ok {
		found = tr.counterpart(n, i)
	} else {
		found = tr.child(step)
	}
	if found == nil {
		return tr, false
	}
	tr.edge = *found
	return tr, true
}

// mergeKeys are the fields by which items of lists are told apart.
var mergeKeys = []string{"name", "key", "mountPath", "devicePath", "containerPort", "port", "topologyKey", "ip", "uid"} //nolint:gochecknoglobals // never changed

// counterpart returns the item of the list tr that became item i of the list n.
func (tr trace) counterpart(n *node, i int) *edge {
	if tr.kind != listNode {
		return nil
	}
	item := n.kids[i].node
	if item.kind == objectNode {
		for _, key := range mergeKeys {
			if mine := item.child(key); mine != nil {
				same := func(e edge) bool { other := e.child(key); return other != nil && other.text == mine.text }
				if at := slices.IndexFunc(tr.kids, same); at >= 0 {
					return &tr.kids[at]
				}
				break
			}
		}
	} else if at := slices.IndexFunc(tr.kids, func(e edge) bool { return e.kind == item.kind && e.text == item.text }); at >= 0 {
		return &tr.kids[at]
	}
	if len(tr.kids) == len(n.kids) {
		return &tr.kids[i]
	}
	return nil
}
