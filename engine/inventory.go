package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// An InventoryKind is a kind of object that a policy reads beside the request's.
type InventoryKind struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Optional says that the policy works without: where the kind cannot be read it
	// is empty. Without it, the policy then could not decide.
	Optional bool `json:"optional,omitempty"`
}

// An Inventory holds the objects that policies may read beside the request's. It
// never changes; [Inventory.With] and [Inventory.Without] return others that
// share what they can. The nil Inventory is empty.
type Inventory struct {
	// namespaces has the objects by namespace; "" is that of cluster-scoped ones.
	namespaces map[string]byKind
	// lacking has the kinds that are not known, and why.
	lacking map[kindKey]error
}

type (
	byKind map[kindKey]*byName
	// kindKey is the kind of an object as its apiVersion and kind name it.
	kindKey struct{ apiVersion, kind string }
)

// byName has the objects of one kind in one namespace.
type byName struct {
	objects map[string]*Object
	once    sync.Once
	all     *ast.Term // what policies read of all of them; made when one does
}

// NewInventory returns an inventory of objects. Of two with the same name the
// last counts.
func NewInventory(objects ...*Object) *Inventory {
	inv := &Inventory{namespaces: map[string]byKind{}}
	for _, o := range objects {
		ref := o.Ref()
		kinds, ok := inv.namespaces[ref.Namespace]
		if !ok {
			kinds = byKind{}
			inv.namespaces[ref.Namespace] = kinds
		}
		names, ok := kinds[ref.kindKey()]
		if !ok {
			names = &byName{objects: map[string]*Object{}}
			kinds[ref.kindKey()] = names
		}
		names.objects[ref.Name] = o
	}
	return inv
}

func (o ObjectRef) kindKey() kindKey { return kindKey{o.APIVersion, o.Kind} }

// With returns the inventory with o added, or put in the place of the one of its name.
func (inv *Inventory) With(o *Object) *Inventory {
	ref := o.Ref()
	changed, names := inv.copyTo(ref)
	names.objects[ref.Name] = o
	return changed
}

// Without returns the inventory without the object that ref names.
func (inv *Inventory) Without(ref ObjectRef) *Inventory {
	changed, names := inv.copyTo(ref)
	delete(names.objects, ref.Name)
	return changed
}

// Lacking returns the inventory with just these kinds not known, for these reasons.
// What it has of them is not read: a policy that declared such a kind could not
// decide, or, where it is optional, finds nothing of it.
func (inv *Inventory) Lacking(kinds map[schema.GroupVersionKind]error) *Inventory {
	changed := &Inventory{lacking: make(map[kindKey]error, len(kinds))}
	if inv != nil {
		changed.namespaces = inv.namespaces
	}
	for gvk, err := range kinds {
		apiVersion, kind := gvk.ToAPIVersionAndKind()
		changed.lacking[kindKey{apiVersion, kind}] = err
	}
	return changed
}

// lacks says which kind that p cannot do without is not known, nil if all are.
func (inv *Inventory) lacks(p *policy) error {
	if inv == nil || len(inv.lacking) == 0 {
		return nil
	}
	for _, k := range p.info.Inventory {
		if err := inv.lacking[kindKey{k.APIVersion, k.Kind}]; err != nil && !k.Optional {
			return fmt.Errorf("%s %s cannot be read: %w", k.APIVersion, k.Kind, err)
		}
	}
	return nil
}

// copyTo copies the maps that lead to ref and returns the last of them.
func (inv *Inventory) copyTo(ref ObjectRef) (*Inventory, *byName) {
	changed := &Inventory{}
	if inv != nil {
		*changed = *inv
	}
	namespaces := cloneOrMake(changed.namespaces)
	kinds := cloneOrMake(namespaces[ref.Namespace])
	names := &byName{objects: map[string]*Object{}}
	if before, ok := kinds[ref.kindKey()]; ok {
		names.objects = maps.Clone(before.objects)
	}
	kinds[ref.kindKey()] = names
	namespaces[ref.Namespace] = kinds
	changed.namespaces = namespaces
	return changed, names
}

func cloneOrMake[M ~map[K]V, K comparable, V any](m M) M {
	if m == nil {
		return M{}
	}
	return maps.Clone(m)
}

// A store lets OPA read from an Inventory the kinds that one policy declared.
// It has no transactions, since an Inventory never changes.
type store struct {
	storage.TriggersNotSupported
	storage.PolicyNotSupported
	inventory *Inventory
	kinds     map[kindKey]bool
}

// documents is a store for plans.
type documents struct{ *store }

// Read returns the document at path below data, nil if there is none.
func (d documents) Read(path []string) ast.Value {
	v, err := d.read(path)
	if err != nil {
		return nil
	}
	return v
}

// errReadOnly reports an attempt to write to a store.
var errReadOnly = errors.New("the inventory is read-only")

// errNotFound is what a store answers for a path that leads nowhere.
var errNotFound = &storage.Error{Code: storage.NotFoundErr, Message: "document does not exist"}

// Read returns the document at path below data, as terms.
func (s *store) Read(_ context.Context, _ storage.Transaction, path storage.Path) (any, error) {
	return s.read(path)
}

func (s *store) read(path storage.Path) (ast.Value, error) {
	if len(path) > 0 && path[0] != "inventory" {
		return nil, errNotFound
	}
	switch len(path) {
	case 0:
		return s.root(), nil
	case 1:
		return s.all(), nil
	}
	switch {
	case path[1] == "cluster":
		return s.below("", path[2:])
	case path[1] != "namespace":
		return nil, errNotFound
	case len(path) == 2:
		return s.allNamespaces(), nil
	case path[2] == "":
		return nil, errNotFound
	}
	return s.below(path[2], path[3:])
}

// below returns the document at path, which is groupVersion, kind, name and
// fields of the object, in a namespace.
func (s *store) below(namespace string, path storage.Path) (ast.Value, error) {
	if len(path) < 2 {
		return find(s.namespace(namespace), path)
	}
	names := s.kind(namespace, kindKey{path[0], path[1]})
	switch {
	case names == nil:
		return nil, errNotFound
	case len(path) == 2:
		return names.term().Value, nil
	}
	o, ok := names.objects[path[2]]
	if !ok {
		return nil, errNotFound
	}
	return find(o.term.Value, path[3:])
}

// shows reports whether the policy declared a kind and it is known.
func (s *store) shows(key kindKey) bool { return s.kinds[key] && s.inventory.lacking[key] == nil }

// kind returns the objects of a kind in a namespace, nil where there are none
// that the policy may see.
func (s *store) kind(namespace string, key kindKey) *byName {
	if s.inventory == nil || !s.shows(key) {
		return nil
	}
	return s.inventory.namespaces[namespace][key]
}

func find(v ast.Value, path storage.Path) (ast.Value, error) {
	for _, step := range path {
		t := member(v, step)
		if t == nil {
			return nil, errNotFound
		}
		v = t.Value
	}
	return v, nil
}

// member returns the value of a key of an object or of an index of an array.
func member(v ast.Value, step string) *ast.Term {
	switch v := v.(type) {
	case ast.Object:
		return v.Get(ast.StringTerm(step))
	case *ast.Array:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < v.Len() {
			return v.Elem(i)
		}
	}
	return nil
}

// root is the whole of data.
func (s *store) root() ast.Value {
	return ast.NewObject(ast.Item(ast.StringTerm("inventory"), ast.NewTerm(s.all())))
}

// all is data.inventory.
func (s *store) all() ast.Value {
	return ast.NewObject(
		ast.Item(ast.StringTerm("cluster"), ast.NewTerm(s.namespace(""))),
		ast.Item(ast.StringTerm("namespace"), ast.NewTerm(s.allNamespaces())),
	)
}

// allNamespaces is data.inventory.namespace: those that have something of what the
// policy declared, so that what others declare makes no difference to it.
func (s *store) allNamespaces() ast.Value {
	doc := ast.NewObject()
	if s.inventory != nil {
		for name := range s.inventory.namespaces {
			if objects := s.namespace(name); name != "" && objects.Len() > 0 {
				doc.Insert(ast.StringTerm(name), ast.NewTerm(objects))
			}
		}
	}
	return doc
}

// namespace is the objects of one namespace by groupVersion, kind and name.
func (s *store) namespace(name string) ast.Object {
	versions := map[string]ast.Object{}
	if s.inventory != nil {
		for key, objects := range s.inventory.namespaces[name] {
			if !s.shows(key) {
				continue
			}
			if versions[key.apiVersion] == nil {
				versions[key.apiVersion] = ast.NewObject()
			}
			versions[key.apiVersion].Insert(ast.StringTerm(key.kind), objects.term())
		}
	}
	doc := ast.NewObject()
	for _, version := range slices.Sorted(maps.Keys(versions)) {
		doc.Insert(ast.StringTerm(version), ast.NewTerm(versions[version]))
	}
	return doc
}

func (n *byName) term() *ast.Term {
	n.once.Do(func() {
		members := make([][2]*ast.Term, 0, len(n.objects))
		for name, o := range n.objects {
			members = append(members, ast.Item(ast.StringTerm(name), o.term))
		}
		n.all = ast.ObjectTerm(members...)
	})
	return n.all
}

// NewTransaction returns nil: none is needed to read what never changes.
func (s *store) NewTransaction(context.Context, ...storage.TransactionParams) (storage.Transaction, error) {
	return nil, nil
}

// Write refuses.
func (s *store) Write(context.Context, storage.Transaction, storage.PatchOp, storage.Path, any) error {
	return errReadOnly
}

// Truncate refuses.
func (s *store) Truncate(context.Context, storage.Transaction, storage.TransactionParams, storage.Iterator) error {
	return errReadOnly
}

// Commit does nothing.
func (s *store) Commit(context.Context, storage.Transaction) error { return nil }

// Abort does nothing.
func (s *store) Abort(context.Context, storage.Transaction) {}
