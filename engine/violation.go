package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// judge returns what the violation rule of a policy finds, and what it exempts.
func (rv *reviewer) judge(ctx context.Context, e *evaluation, a asking) (found []Violation, exempt []Excuse, err error) {
	value, err := e.ask(ctx, a.policy, a.policy.violations, a.settings.parameters)
	if err != nil {
		return nil, nil, err
	}
	object := rv.req.object
	if e == rv.before {
		object = rv.req.old
	}
	err = eachItem(value, func(item *ast.Term) error {
		v, err := readViolation(item, object)
		if is, _ := valueOf[ast.Boolean](child(item, "exempt")); bool(is) {
			exempt = append(exempt, Excuse{Policy: a.policy.info.Name, Exception: v.Path.String()})
			return err
		}
		v.Policy, v.Severity, v.Enforcement = a.policy.info.Name, a.policy.info.Severity, a.settings.enforcement
		v.DeniedFrom = a.settings.deniedFrom
		found = append(found, v)
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("violation: %w", err)
	}
	return found, exempt, nil
}

// eachItem calls read with each item of a set or an array.
func eachItem(value ast.Value, read func(*ast.Term) error) error {
	switch v := value.(type) {
	case ast.Set:
		return v.Iter(read)
	case *ast.Array:
		return v.Iter(read)
	}
	return errors.New("the rule yields neither a set nor an array")
}

// readViolation reads one result of a violation rule about object.
func readViolation(item, object *ast.Term) (Violation, error) {
	message, ok := textAt(item, "msg")
	if !ok || strings.TrimSpace(message) == "" {
		return Violation{}, errors.New("a result has no msg")
	}
	v := Violation{Message: message}
	v.Fix, _ = textAt(item, "fix")
	if path := child(item, "path"); isPresent(path) {
		var err error
		if v.Path, err = readPath(path); err != nil {
			return Violation{}, err
		}
	}
	v.Subject = subject(object, v.Path)
	if details := child(item, "details"); isPresent(details) {
		var err error
		if v.Details, err = encode(details.Value); err != nil {
			return Violation{}, fmt.Errorf("details: %w", err)
		}
	}
	return v, nil
}

// readPath reads a list of keys and indexes.
func readPath(t *ast.Term) (Path, error) {
	steps, ok := t.Value.(*ast.Array)
	if !ok {
		return nil, errPath
	}
	path := make(Path, 0, steps.Len())
	return path, steps.Iter(func(step *ast.Term) error {
		switch s := step.Value.(type) {
		case ast.String:
			path = append(path, string(s))
			return nil
		case ast.Number:
			if i, ok := s.Int(); ok && i >= 0 {
				path = append(path, i)
				return nil
			}
		}
		return errPath
	})
}

// errPath reports a path that does not have the form of one.
var errPath = errors.New("path is not a list of keys and indexes")

// encode returns a value as JSON.
func encode(v ast.Value) (json.RawMessage, error) {
	native, err := ast.JSON(v)
	if err != nil {
		return nil, err
	}
	return json.Marshal(native)
}

// subject returns the names of the list items that path leads through, such as
// that of a container, for people to know them by.
func subject(object *ast.Term, path Path) string {
	var names []string
	for _, step := range path {
		object = stepInto(object, step)
		if _, isIndex := step.(int); !isIndex {
			continue
		}
		if name, _ := textAt(object, "name"); name != "" {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// lookup returns the value at path, nil where there is none.
func lookup(t *ast.Term, path Path) *ast.Term {
	for _, step := range path {
		t = stepInto(t, step)
	}
	return t
}

// stepInto returns the value of a key or an index of t, nil where there is none.
func stepInto(t *ast.Term, step any) *ast.Term {
	switch s := step.(type) {
	case string:
		return child(t, s)
	case int:
		if list, ok := valueOf[*ast.Array](t); ok && s < list.Len() {
			return list.Elem(s)
		}
	}
	return nil
}
