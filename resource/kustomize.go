package resource

import (
	"errors"
	"fmt"
	"path/filepath"

	"sigs.k8s.io/kustomize/api/resmap"
)

// belongs reports whether a file in the folder that is walked belongs to a
// kustomization, and so is not read singly.
func (w *walker) belongs(name string) bool {
	path := filepath.Join(w.base, name)
	if isKustomizationFile(name) && w.plan.known[filepath.Dir(path)] != nil {
		return true
	}
	if w.isLink(name) {
		path = resolved(path)
	}
	_, ok := w.plan.owned[path]
	return ok
}

// kustomization builds the kustomization in a folder that is walked, if there is one
// and nothing else uses it.
func (w *walker) kustomization(name string) error {
	k := w.plan.known[filepath.Join(w.base, name)]
	switch {
	case k == nil:
		return nil
	case k.isComponent() && k.used:
		return nil
	case k.isComponent() && name == ".":
		return w.fail(k.file, errComponent)
	case k.isComponent():
		return w.visit(Result{Skipped: 1})
	}
	return w.build(k)
}

var errDoubling = fmt.Errorf("is built of more than %d kustomizations: one that is used twice on many levels is built very often", maxBuilds)

var errComponent = errors.New("is a component, which cannot be built by itself: name a kustomization that uses it")

// namedKustomization builds the kustomization whose file is named. It reports false if
// the file is none.
func (w *walker) namedKustomization() (bool, error) {
	k := w.plan.known[resolved(filepath.Dir(w.top))]
	switch {
	case k == nil:
		return false, nil
	case k.isComponent() && !k.used:
		return true, w.fail(k.file, errComponent)
	case k.isComponent():
		return true, nil
	}
	return true, w.build(k)
}

// build visits the objects of k, unless something else is built with them, or they
// were visited before.
func (w *walker) build(k *kustomization) error {
	if !k.chosen || k.built {
		return nil
	}
	k.built = true
	r := w.plan.build(k)
	if err := w.plan.builder.stuck; err != nil {
		return err
	}
	return w.visit(r)
}

// build returns the objects of k, or why it cannot be built.
func (p *plan) build(k *kustomization) Result {
	if r, refused := k.refusals(); refused {
		return r
	}
	if k.count(map[*kustomization]int{}) > maxBuilds {
		return Result{Errors: []*Error{{File: k.file, Err: errDoubling}}}
	}
	built, err := p.run(k, nil)
	if err != nil {
		return Result{Errors: []*Error{{File: k.file, Err: err}}}
	}
	r := reader{file: k.file, encoder: encoder{budget: maxExpanded}}
	from := p.origins(k, built)
	t := p.newTracer(k)
	for i, res := range built.Resources() {
		data, err := res.AsYAML()
		if err != nil {
			r.fail(errUnbuildable)
			continue
		}
		before := len(r.Objects)
		n, err := parseYAML(data, 1)
		if err != nil {
			err = at(0, fmt.Errorf("cannot be built: %w", errors.Unwrap(err)))
		}
		if !r.document(n, err) {
			break
		}
		for j := before; j < len(r.Objects); j++ {
			r.Objects[j].Rendered = "kustomization " + k.shown
			t.place(&r.Objects[j], from[i])
		}
	}
	return r.Result
}

// origins returns where the objects of a build came from. They are built a second
// time for that, since saying it changes them: a patch may find annotations where
// there would be none.
func (p *plan) origins(k *kustomization, built resmap.ResMap) []origin {
	t := tracer{root: k}
	instead, err := k.tracked()
	if err != nil {
		return t.origins(built, nil)
	}
	if instead == nil {
		return t.origins(built, built)
	}
	tracked, err := p.run(k, instead)
	if err != nil {
		tracked = nil
	}
	return t.origins(built, tracked)
}

// refusals returns why k cannot be built as far as that was not told of before, and
// whether there is any reason.
func (k *kustomization) refusals() (Result, bool) {
	var r Result
	refused := ""
	for _, b := range k.builds() {
		if len(b.errs) == 0 {
			continue
		}
		refused = b.file
		if !b.told {
			r.Errors = append(r.Errors, b.errs...)
			b.told = true
		}
	}
	if refused != "" && len(r.Errors) == 0 {
		r.Errors = append(r.Errors, &Error{File: k.file, Err: fmt.Errorf("cannot be built: see what was said of %s", refused)})
	}
	return r, refused != ""
}
