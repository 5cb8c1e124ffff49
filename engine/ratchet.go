package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/lintel-policy/lintel/api/v1alpha1"
)

// ratchet marks the violations that the old object has already, and makes
// warnings of those that would deny: what a request touches must be right, and
// what it leaves alone does not stand in its way. Where the old object cannot be
// judged, none is taken to be existing.
func (rv *reviewer) ratchet(ctx context.Context, a asking, violations []Violation) {
	req := rv.req
	if len(violations) == 0 || req.operation != v1alpha1.Update || req.old == nil || req.object == nil {
		return
	}
	if !a.policy.matcher.oldObject(req) {
		return
	}
	if rv.before == nil {
		rv.before = rv.now.with(req.term(req.old))
	}
	old, _, err := rv.judge(ctx, rv.before, a)
	if err != nil {
		return
	}
	had := make(map[string]Violation, len(old))
	for _, v := range old {
		had[ratchetKey(req.old, v)] = v
	}
	for i := range violations {
		v := &violations[i]
		before, ok := had[ratchetKey(req.object, *v)]
		if !ok || !rv.unchanged(*v, before) {
			continue
		}
		v.Existing = true
		if a.policy.existing() == v1alpha1.ExistingWarn {
			v.DeniedFrom = time.Time{}
			if v.Enforcement == v1alpha1.Deny {
				v.Enforcement = v1alpha1.Warn
			}
		}
	}
}

// unchanged reports whether the value that v is about is the same as it was. A
// violation without a path is about all that people write into the object.
func (rv *reviewer) unchanged(v, before Violation) bool {
	if len(v.Path) > 0 {
		return sameTerm(lookup(rv.req.object, v.Path), lookup(rv.req.old, before.Path))
	}
	now, old := rv.req.object, rv.req.old
	return sameExcept(now, old, "metadata", "status") &&
		sameTerm(at(now, "metadata", "labels"), at(old, "metadata", "labels")) &&
		sameTerm(at(now, "metadata", "annotations"), at(old, "metadata", "annotations"))
}

func sameTerm(a, b *ast.Term) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Value.Compare(b.Value) == 0
}

// ratchetKey says where in an object a violation is, with list items named by
// their merge key, since their indexes shift. Without a path the message tells
// violations apart.
func ratchetKey(object *ast.Term, v Violation) string {
	if len(v.Path) == 0 {
		return "message\x00" + v.Message
	}
	key := ""
	list := ""
	for _, step := range v.Path {
		next := stepInto(object, step)
		switch s := step.(type) {
		case string:
			key += "\x00." + s
			list = s
		case int:
			key += "\x00" + itemKey(object, list, s)
		}
		object = next
	}
	return key
}

// itemKey names the item i of a list by its merge key, or by its index where it
// has none or shares it with another item.
func itemKey(list *ast.Term, field string, i int) string {
	items, ok := valueOf[*ast.Array](list)
	if !ok || i >= items.Len() {
		return fmt.Sprintf("[%d]", i)
	}
	for _, key := range mergeKeys(field) {
		value := child(items.Elem(i), key)
		if !isPresent(value) {
			continue
		}
		same := 0
		items.Foreach(func(item *ast.Term) {
			if other := child(item, key); other != nil && other.Value.Compare(value.Value) == 0 {
				same++
			}
		})
		if same == 1 {
			return fmt.Sprintf("[%s=%s]", key, value.Value)
		}
	}
	return fmt.Sprintf("[%d]", i)
}

// mergeKeys returns the keys by which the items of a list are told apart: the
// patchMergeKey of the field in k8s.io/api/core/v1, then those that most other
// lists have.
func mergeKeys(field string) []string {
	switch field {
	case "ports":
		return []string{"containerPort", "port", "name"}
	case "volumeMounts":
		return []string{"mountPath"}
	case "volumeDevices":
		return []string{"devicePath"}
	case "topologySpreadConstraints":
		return []string{"topologyKey"}
	case "hostAliases":
		return []string{"ip"}
	case "ownerReferences":
		return []string{"uid"}
	case "conditions":
		return []string{"type"}
	}
	return []string{"name", "key"}
}
