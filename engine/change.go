package engine

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// The operations of a change.
const (
	opDefault = "default" // set the value if there is none
	opSet     = "set"     // set the value
	opAppend  = "append"  // add the value to a list that has none like it
	opRemove  = "remove"  // remove what is there
)

// A change is one result of a patch rule.
type change struct {
	policy string
	op     string
	path   Path
	value  *ast.Term // nil for remove
	key    string    // for append: items with the same value under it are alike
}

// readChange reads one result of a patch rule.
func readChange(item *ast.Term) (change, error) {
	c := change{op: opDefault, key: "name"}
	var err error
	path := child(item, "path")
	if path == nil {
		return c, errPath
	}
	if c.path, err = readPath(path); err != nil {
		return c, err
	}
	if len(c.path) == 0 {
		return c, errors.New("path is empty")
	}
	if op := child(item, "op"); op != nil {
		c.op, _ = textAt(item, "op")
	}
	if key := child(item, "key"); key != nil {
		c.key, _ = textAt(item, "key")
	}
	c.value = child(item, "value")
	switch {
	case !slices.Contains([]string{opDefault, opSet, opAppend, opRemove}, c.op):
		return c, fmt.Errorf("%s: op is none of default, set, append and remove", c.path)
	case c.op != opRemove && c.value == nil:
		return c, fmt.Errorf("%s: there is no value to %s", c.path, c.op)
	}
	return c, nil
}

// changes reports whether applying c would change object.
func (c *change) changes(object *ast.Term) bool {
	there := lookup(object, c.path)
	switch c.op {
	case opDefault:
		return !isPresent(there)
	case opSet:
		return !sameTerm(there, c.value)
	case opRemove:
		return there != nil
	}
	return !c.isIn(there)
}

// isIn reports whether list has an item like the one that c appends.
func (c *change) isIn(list *ast.Term) bool {
	items, ok := valueOf[*ast.Array](list)
	if !ok {
		return false
	}
	key := child(c.value, c.key)
	return items.Until(func(item *ast.Term) bool {
		return sameTerm(item, c.value) || key != nil && sameTerm(child(item, c.key), key)
	})
}

// resolve returns the changes that do not conflict, in the order in which they
// are to be applied, and a sentence for each conflict.
func resolve(changes []change) ([]change, []string) {
	dropped := make([]bool, len(changes))
	var conflicts []string
	for i := range changes {
		for j := range i {
			a, b := &changes[j], &changes[i]
			switch a.relation(b) {
			case first:
				dropped[i] = true
			case second:
				dropped[j] = true
			case conflict:
				dropped[i], dropped[j] = true, true
				conflicts = append(conflicts, conflictText(a, b))
			case both:
			}
		}
	}
	var kept []change
	for i, c := range changes {
		if !dropped[i] {
			kept = append(kept, c)
		}
	}
	slices.SortStableFunc(kept, compareChanges)
	return kept, conflicts
}

func conflictText(a, b *change) string {
	path := a.path
	if len(b.path) < len(path) {
		path = b.path
	}
	if a.policy == b.policy {
		return fmt.Sprintf("policy %s asks for two different patches of %s, so neither is applied", a.policy, path)
	}
	return fmt.Sprintf("policies %s and %s ask for different patches of %s, so neither is applied", a.policy, b.policy, path)
}

// compareChanges orders changes so that no path is shifted before it is used:
// values, appends, then removals from the end of a list to its beginning.
func compareChanges(a, b change) int {
	if c := cmp.Compare(a.turn(), b.turn()); c != 0 {
		return c
	}
	switch a.op {
	case opRemove:
		return b.path.Compare(a.path)
	case opAppend:
		return 0 // stays in the order of policy names
	}
	return a.path.Compare(b.path)
}

func (c *change) turn() int {
	switch c.op {
	case opAppend:
		return 1
	case opRemove:
		return 2
	}
	return 0
}

// A relation says which of two changes are applied.
type relation int

const (
	both     relation = iota // they have nothing to do with each other
	first                    // the second says the same or less
	second                   // the first says the same or less
	conflict                 // neither can be applied
)

// relation compares two changes that both have an effect.
func (c *change) relation(other *change) relation {
	switch {
	case len(c.path) > len(other.path):
		switch r := other.relation(c); r {
		case first:
			return second
		case second:
			return first
		default:
			return r
		}
	case !isPrefix(c.path, other.path):
		return both
	case len(c.path) < len(other.path):
		return c.relationToChild(other)
	}
	return c.relationToSame(other)
}

// relationToSame compares changes of one path.
func (c *change) relationToSame(other *change) relation {
	switch {
	case c.op == opAppend && other.op == opAppend:
		return both
	case c.op == opRemove && other.op == opRemove:
		return first
	case c.op == opSet && other.op == opDefault:
		return first
	case c.op == opDefault && other.op == opSet:
		return second
	case c.op == other.op && sameTerm(c.value, other.value):
		return first
	}
	return conflict
}

// relationToChild compares c with a change below its path.
func (c *change) relationToChild(other *change) relation {
	if c.op == opAppend {
		return both
	}
	if c.value != nil && other.value != nil && other.op != opAppend &&
		sameTerm(lookup(c.value, other.path[len(c.path):]), other.value) {
		return first
	}
	return conflict
}

func isPrefix(prefix, path Path) bool {
	return len(prefix) <= len(path) && prefix.Compare(path[:len(prefix)]) == 0
}

// apply returns object with the changes made, in their order, and for each
// policy with a path that leads nowhere what is wrong with it.
func apply(object *ast.Term, changes []change) (*ast.Term, map[string]error) {
	broken := map[string]error{}
	for _, c := range changes {
		next, err := c.apply(object, c.path)
		if err != nil {
			broken[c.policy] = fmt.Errorf("patch: %s: %w", c.path, err)
			continue
		}
		object = next
	}
	return object, broken
}

// apply makes the change in t, below which rest of its path leads.
func (c *change) apply(t *ast.Term, rest Path) (*ast.Term, error) {
	if len(rest) == 0 {
		return c.applyHere(t)
	}
	switch step := rest[0].(type) {
	case int:
		return c.applyToItem(t, step, rest)
	case string:
		return c.applyToMember(t, step, rest)
	}
	return nil, errPath
}

func (c *change) applyHere(t *ast.Term) (*ast.Term, error) {
	switch {
	case c.op == opRemove:
		return nil, nil
	case c.op != opAppend:
		return c.value, nil
	case !isPresent(t):
		return ast.ArrayTerm(c.value), nil
	}
	items, ok := valueOf[*ast.Array](t)
	if !ok {
		return nil, errors.New("what is there is not a list")
	}
	if c.isIn(t) { // an append before this one brought it
		return t, nil
	}
	return ast.NewTerm(items.Append(c.value)), nil
}

func (c *change) applyToMember(t *ast.Term, key string, rest Path) (*ast.Term, error) {
	if !isPresent(t) {
		t = ast.ObjectTerm()
	}
	if _, ok := valueOf[ast.Object](t); !ok {
		return nil, fmt.Errorf("what is there before %q is not an object", strings.ToValidUTF8(key, "?"))
	}
	value, err := c.apply(child(t, key), rest[1:])
	if err != nil {
		return nil, err
	}
	if value == nil {
		return without(t, key), nil
	}
	return with(t, key, value), nil
}

func (c *change) applyToItem(t *ast.Term, i int, rest Path) (*ast.Term, error) {
	items, ok := valueOf[*ast.Array](t)
	if !ok || i >= items.Len() {
		return nil, fmt.Errorf("there is no item [%d]", i)
	}
	value, err := c.apply(items.Elem(i), rest[1:])
	if err != nil {
		return nil, err
	}
	changed := make([]*ast.Term, 0, items.Len())
	for j := range items.Len() {
		switch {
		case j != i:
			changed = append(changed, items.Elem(j))
		case value != nil:
			changed = append(changed, value)
		}
	}
	return ast.ArrayTerm(changed...), nil
}
