package plan

import (
	"errors"

	"github.com/open-policy-agent/opa/v1/ir"
)

// errAsWritten reports rules that depend on how topdown goes through a literal.
var errAsWritten = errors.New("it goes through the elements of a set or object that is written with variables")

// written says whether topdown goes through a value in the order of the expressions
// that it was written with, and not of their values. It does so for a set or an object of
// which not all is constant, as long as it is in a variable of the same rule; where two of its
// expressions are equal it then sees both. No plan does the same, so what depends on
// it has none.
type written int

const (
	sorted  written = iota
	partly          // a part of it is asWritten
	literal         // it is itself
)

// writtenAs says how topdown goes through a literal.
func (c *compiler) writtenAs(s ir.Stmt, parts []operand) written {
	if keys := keysOf(s, parts); len(keys) > 1 && len(constants(keys)) < len(keys) {
		return literal
	}
	for _, p := range parts {
		if c.writtenIn(p) != sorted {
			return partly
		}
	}
	return sorted
}

// keysOf returns those parts of a literal by which it is in order.
func keysOf(s ir.Stmt, parts []operand) []operand {
	switch s.(type) {
	case *ir.MakeSetStmt:
		return parts
	case *ir.MakeObjectStmt:
		var keys []operand
		for i := 0; i < len(parts); i += 2 {
			keys = append(keys, parts[i])
		}
		return keys
	}
	return nil
}

func (c *compiler) writtenIn(o operand) written {
	if o.constant != nil {
		return sorted
	}
	return c.written[ir.Local(o.local)]
}

// partOf says how topdown goes through a part of what an operand holds.
func (c *compiler) partOf(o operand) written {
	if c.writtenIn(o) == sorted {
		return sorted
	}
	return literal
}

// refuse refuses the plan if what an operand holds is written in one of some ways.
func (c *compiler) refuse(o operand, from written) {
	if c.writtenIn(o) >= from {
		c.refused = errAsWritten
	}
}
