package engine

import (
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/types"

	"github.com/lintel-policy/lintel/secrets"
)

// scanDecl declares the function secrets.scan, which [scan] is.
//
//nolint:gochecknoglobals // a declaration, like those that OPA keeps of its own functions
var scanDecl = &ast.Builtin{
	Name: "secrets.scan",
	Description: "Finds credentials in an object and yields where they are and of what kind, never what they are. Each is an object of: " +
		"path, the keys and indexes to the string; at, the same as people read it; rule and class, such as `github-pat` and `token`; " +
		"key, under which it is inside of the string, or empty; line inside of the string, 0 where it has one line.",
	Decl: types.NewFunction(
		types.Args(types.Named("object", types.A).Description("an object, or a part of one")),
		types.Named("findings", types.NewArray(nil, types.NewObject(
			[]*types.StaticProperty{
				types.NewStaticProperty("path", types.NewArray(nil, types.NewAny(types.S, types.N))),
				types.NewStaticProperty("at", types.S),
				types.NewStaticProperty("rule", types.S),
				types.NewStaticProperty("class", types.S),
				types.NewStaticProperty("key", types.S),
				types.NewStaticProperty("line", types.N),
			}, nil))).Description("what was found, in the order of paths"),
	),
	CanSkipBctx: true,
}

// scanner is made when it is first asked for: its tables take some milliseconds.
//
//nolint:gochecknoglobals // it never changes, and all policies share it
var scanner = sync.OnceValues(func() (*secrets.Scanner, error) { return secrets.New(secrets.Config{}) })

// scan calls iter with what was found in the operand.
func scan(_ topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
	s, err := scanner()
	if err != nil {
		return err
	}
	var found []*ast.Term
	for _, f := range s.Scan(node{operands[0]}) {
		found = append(found, findingTerm(f))
	}
	return iter(ast.ArrayTerm(found...))
}

func findingTerm(f secrets.Finding) *ast.Term {
	steps := make([]*ast.Term, len(f.Path))
	for i, step := range f.Path {
		switch s := step.(type) {
		case string:
			steps[i] = ast.StringTerm(s)
		case int:
			steps[i] = ast.InternedTerm(s)
		}
	}
	field := func(key string, value *ast.Term) [2]*ast.Term {
		return [2]*ast.Term{ast.InternedTerm(key), value}
	}
	return ast.ObjectTerm(
		field("path", ast.ArrayTerm(steps...)),
		field("at", ast.StringTerm(Path(f.Path).String())),
		field("rule", ast.StringTerm(f.Rule)),
		field("class", ast.StringTerm(string(f.Class))),
		field("key", ast.StringTerm(f.Key)),
		field("line", ast.InternedTerm(f.Line)),
	)
}

// A node is a term as package secrets reads it.
type node struct{ term *ast.Term }

// Text returns the text of a string.
func (n node) Text() (string, bool) {
	s, ok := n.term.Value.(ast.String)
	return string(s), ok
}

// Items calls yield for each item of a list.
func (n node) Items(yield func(i int, item secrets.Node) bool) bool {
	list, ok := n.term.Value.(*ast.Array)
	if !ok {
		return false
	}
	for i := range list.Len() {
		if !yield(i, node{list.Elem(i)}) {
			break
		}
	}
	return true
}

// Entries calls yield for each entry of a map.
func (n node) Entries(yield func(key string, value secrets.Node) bool) bool {
	object, ok := n.term.Value.(ast.Object)
	if !ok {
		return false
	}
	object.Until(func(key, value *ast.Term) bool {
		text, isText := key.Value.(ast.String)
		return isText && !yield(string(text), node{value})
	})
	return true
}
