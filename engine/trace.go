package engine

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// A Read is a field of the object that a rule read.
type Read struct {
	Path Path
	// Absent says that the object has no such field.
	Absent bool
	// Value is what the field holds, as JSON, or what kind of value it is where it may
	// be a secret or has parts.
	Value string
}

// A tracer notes which fields of an object the rules of a query read, and which
// of its own rules yield something.
//
// Rego hands parts of the object from function to function, so that the text of
// an expression does not say which field it reads. Lists and objects are known
// again by identity, and a reference leads on from there.
type tracer struct {
	own    ast.Ref // the rule that is asked
	object *ast.Term
	paths  map[ast.Value]Path // of what the object is made of
	reads  map[string]Read    // by path
	fired  []fired            // what the rule that is asked yielded
	made   map[int][]fired    // what others of its package did, that have messages, by [fired.key]
	// scanned says that the object was searched for secrets.
	scanned bool
}

type fired struct {
	rule *ast.Rule
	item *ast.Term
}

// key is the same for items that are the same finding. An object may have ten
// thousand, so that they are not compared one with all others.
func (f fired) key() int {
	hash := 0
	for _, name := range []string{"msg", "path"} {
		if t := child(f.item, name); t != nil {
			hash = 31*hash + t.Hash()
		}
	}
	return hash
}

func newTracer(q *query, object *ast.Term) *tracer {
	t := &tracer{own: q.ref, object: object, paths: map[ast.Value]Path{}, reads: map[string]Read{}, made: map[int][]fired{}}
	t.index(object, nil)
	return t
}

// index notes where the lists and objects of t stand.
func (t *tracer) index(term *ast.Term, path Path) {
	if term == nil {
		return
	}
	below := func(step any) Path { return append(path[:len(path):len(path)], step) }
	switch v := term.Value.(type) {
	case ast.Object:
		if v.Len() > 0 {
			t.paths[v] = path
		}
		v.Foreach(func(key, value *ast.Term) {
			if s, ok := key.Value.(ast.String); ok {
				t.index(value, below(string(s)))
			}
		})
	case *ast.Array:
		if v.Len() > 0 {
			t.paths[v] = path
		}
		for i := range v.Len() {
			t.index(v.Elem(i), below(i))
		}
	}
}

// Enabled is part of the evaluator's interface.
func (t *tracer) Enabled() bool { return true }

// Config asks for no copies of all variables at each step.
func (t *tracer) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

// TraceEvent looks at one step of the evaluation.
func (t *tracer) TraceEvent(e topdown.Event) {
	switch n := e.Node.(type) {
	case *ast.Rule:
		if e.Op != topdown.ExitOp {
			return
		}
		ref := n.Ref().GroundPrefix()
		if ref.HasPrefix(t.own) {
			t.fire(&e, n)
		} else if ref.HasPrefix(t.own[:len(t.own)-1]) && hasMessage(n) {
			m := fired{n, e.Plug(n.Head.Key)}
			t.made[m.key()] = append(t.made[m.key()], m)
		}
	case *ast.Expr:
		if e.Op == topdown.EvalOp {
			t.expression(&e, n)
		}
	}
}

// fire notes what a rule yielded: one item, or all of a set or a list.
func (t *tracer) fire(e *topdown.Event, rule *ast.Rule) {
	if rule.Head.Key != nil {
		t.fired = append(t.fired, fired{rule, e.Plug(rule.Head.Key)})
		return
	}
	if rule.Head.Value == nil {
		return
	}
	_ = eachItem(e.Plug(rule.Head.Value).Value, func(item *ast.Term) error { // what is no list is told of where it is read
		t.fired = append(t.fired, fired{rule, item})
		return nil
	})
}

// maker returns the rule that an item comes from: where the rule that is asked
// only passes it on, the one that wrote its message.
func (t *tracer) maker(f fired) *ast.Rule {
	if hasMessage(f.rule) {
		return f.rule
	}
	for _, m := range t.made[f.key()] {
		if sameTerm(child(m.item, "msg"), child(f.item, "msg")) && sameTerm(child(m.item, "path"), child(f.item, "path")) {
			return m.rule
		}
	}
	return f.rule
}

// expression notes what an expression is about to read.
func (t *tracer) expression(e *topdown.Event, expr *ast.Expr) {
	if expr.IsCall() {
		t.call(e, expr)
	}
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension, *ast.Every:
			return true // their bodies are evaluated, and seen, by themselves
		case *ast.Term:
			if ref, ok := x.Value.(ast.Ref); ok {
				t.reference(e, ref)
			}
		}
		return false
	}).Walk(expr)
}

// call notes what built-in functions read.
func (t *tracer) call(e *topdown.Event, expr *ast.Expr) {
	operands := expr.Operands()
	switch expr.Operator().String() {
	case "object.get":
		if len(operands) > 1 {
			t.get(e.Plug(operands[0]), e.Plug(operands[1]))
		}
	case scanDecl.Name:
		t.scanned = true
	}
}

// get notes what object.get reads: its key may be a path.
func (t *tracer) get(from, key *ast.Term) {
	path, ok := t.pathOf(from)
	if !ok {
		return
	}
	keys := []*ast.Term{key}
	if list, isList := key.Value.(*ast.Array); isList {
		keys = keys[:0]
		list.Foreach(func(k *ast.Term) { keys = append(keys, k) })
	}
	t.follow(path, from, keys)
}

// inObject is how rules refer to the object.
var inObject = ast.MustParseRef("input.review.object") //nolint:gochecknoglobals // never changed

// reference notes what a reference reads.
func (t *tracer) reference(e *topdown.Event, ref ast.Ref) {
	if len(ref) > len(inObject) && ref.HasPrefix(inObject) {
		t.follow(nil, t.object, plugged(e, ref[len(inObject):]))
		return
	}
	if len(ref) < 2 {
		return
	}
	if from := e.Plug(ref[0]); from != nil {
		if path, ok := t.pathOf(from); ok {
			t.follow(path, from, plugged(e, ref[1:]))
		}
	}
}

func plugged(e *topdown.Event, steps ast.Ref) []*ast.Term {
	all := make([]*ast.Term, len(steps))
	for i, s := range steps {
		all[i] = e.Plug(s)
	}
	return all
}

// pathOf returns where a value stands in the object.
func (t *tracer) pathOf(term *ast.Term) (Path, bool) {
	switch term.Value.(type) {
	case ast.Object, *ast.Array:
		path, ok := t.paths[term.Value]
		return path, ok
	}
	return nil, false
}

// follow notes the field to which steps lead from a value at path, as far as they
// are known.
func (t *tracer) follow(path Path, at *ast.Term, steps []*ast.Term) {
	for _, step := range steps {
		var key any
		switch s := step.Value.(type) {
		case ast.String:
			key = string(s)
		case ast.Number:
			i, ok := s.Int()
			if !ok {
				return
			}
			key = i
		default:
			t.note(path, at) // each part of it is read
			return
		}
		path = append(path[:len(path):len(path)], key)
		if at = stepInto(at, key); at == nil {
			break
		}
	}
	t.note(path, at)
}

// note keeps a field that was read, nil if it is absent.
func (t *tracer) note(path Path, value *ast.Term) {
	if len(path) > 0 {
		t.reads[path.String()] = Read{Path: path, Absent: value == nil, Value: describe(value)}
	}
}

// describe says what kind a value is. Scalars are shown; those that may be secrets
// are withheld later.
func describe(value *ast.Term) string {
	if value == nil {
		return ""
	}
	switch v := value.Value.(type) {
	case ast.Null, ast.Boolean, ast.Number, ast.String:
		return value.String()
	case *ast.Array:
		return "a list of " + Counted(v.Len(), "item", "items")
	case ast.Object:
		return "an object of " + Counted(v.Len(), "field", "fields")
	}
	return "a value"
}

// result returns the fields that were read, without those of which a part was,
// and without values that may be secrets.
func (t *tracer) result() []Read {
	hidden := newWithheld(t.object)
	var all []Read
	for _, r := range t.reads {
		if !r.Absent && t.isPassedThrough(r.Path) {
			continue
		}
		if text, isText := valueOf[ast.String](lookup(t.object, r.Path)); isText && hidden.has(r.Path, text) {
			r.Value = "a string, not shown"
		}
		all = append(all, r)
	}
	return all
}

// isPassedThrough reports whether some field below path was read.
func (t *tracer) isPassedThrough(path Path) bool {
	for _, r := range t.reads {
		if len(r.Path) > len(path) && isPrefix(path, r.Path) {
			return true
		}
	}
	return false
}
