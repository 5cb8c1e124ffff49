package verify

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// seen returns the objects that tests and samples ask the policy about, those of
// samples with the API server's defaults.
func (p *proof) seen() []object {
	var all []object
	for _, t := range p.watched.objects {
		if native, err := ast.JSON(t.Value); err == nil {
			if o, ok := native.(object); ok {
				all = append(all, o)
			}
		}
	}
	return all
}

// templates are the ways to the pod in an object; that of a Pod is the object itself.
func templates() [][]any {
	return [][]any{{"spec", "jobTemplate", "spec", "template"}, {"spec", "template"}, {"template"}}
}

// isLackedBy reports whether one of the objects has no such field. A field of a pod
// counts wherever an object has the pod; another only in objects of a kind that has it,
// and in those of no kind.
func isLackedBy(field []any, seen []object) bool {
	inPod, rest := podField(field)
	if inPod {
		return slices.ContainsFunc(seen, func(o object) bool {
			pod, ok := podOf(o)
			return ok && lacks(pod, rest)
		})
	}
	kinds := map[any]bool{nil: true}
	for _, o := range seen {
		if !lacks(o, field) {
			kinds[o["kind"]] = true
		}
	}
	return slices.ContainsFunc(seen, func(o object) bool { return kinds[o["kind"]] && lacks(o, field) })
}

// podField reports whether a field is one of a pod, and returns the way from there.
func podField(field []any) (bool, []any) {
	for _, t := range templates() {
		if len(field) > len(t) && slices.Equal(field[:len(t)], t) {
			return true, field[len(t):]
		}
	}
	inPod := len(field) > 1 && field[0] == "spec" && slices.Contains([]any{"containers", "initContainers", "ephemeralContainers", "volumes"}, field[1])
	return inPod, field
}

// podOf returns the pod, or the template of one, in an object.
func podOf(o object) (any, bool) {
	for _, t := range templates() {
		if pod, ok := lookup(o, t); ok {
			return pod, true
		}
	}
	spec, ok := o["spec"].(object)
	return o, o["kind"] == "Pod" || ok && spec["containers"] != nil
}

// lookup returns what is at a path, false where nothing is there.
func lookup(v any, path []any) (any, bool) {
	for _, step := range path {
		there := false
		switch s := step.(type) {
		case string:
			o, _ := v.(object)
			v, there = o[s]
		case int:
			if list, ok := v.([]any); ok && s < len(list) {
				v, there = list[s], true
			}
		}
		if !there {
			return nil, false
		}
	}
	return v, true
}

func has(o object, path []any) bool {
	_, ok := lookup(o, path)
	return ok
}

// lacks reports whether a field is absent, in one item at least of each list on the way.
func lacks(v any, field []any) bool {
	if len(field) == 0 {
		return false
	}
	switch step := field[0].(type) {
	case string:
		o, ok := v.(object)
		inner, there := o[step]
		return !ok || !there || lacks(inner, field[1:])
	case int:
		list, ok := v.([]any)
		return !ok || len(list) == 0 || slices.ContainsFunc(list, func(item any) bool { return lacks(item, field[1:]) })
	}
	return true
}
