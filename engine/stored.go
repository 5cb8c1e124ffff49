package engine

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Decide does what a cluster does: what policies patch is patched before it is
// reviewed. The error is that of the context, or says that nothing could be decided.
func (s *Set) Decide(ctx context.Context, req *Request, inv *Inventory) (*Decision, *Mutation, error) {
	m, err := s.Patch(ctx, req, inv)
	if err != nil {
		return nil, nil, err
	}
	d, err := s.Review(ctx, m.Request, inv)
	return d, m, err
}

// By returns the request as made by a user of that name, in no groups.
func (r *Request) By(user string) *Request {
	c := *r
	c.user = user
	c.fields = append(c.fields[:len(c.fields):len(c.fields)], [2]*ast.Term{
		ast.StringTerm("userInfo"), ast.ObjectTerm([2]*ast.Term{ast.StringTerm("username"), ast.StringTerm(user)}),
	})
	c.fields = lastOfEach(c.fields)
	return &c
}

// Deleted reports whether the object of the request is on its way out.
func (r *Request) Deleted() bool { return isPresent(at(r.object, "metadata", "deletionTimestamp")) }

// Label returns the value of a label of the object of the request, else that of its
// Namespace where that is known, "" where neither has it.
func (r *Request) Label(key string) string {
	if value, _ := textAt(r.object, "metadata", "labels", key); value != "" || r.ns == nil {
		return value
	}
	value, _ := textAt(r.ns.term, "metadata", "labels", key)
	return value
}
