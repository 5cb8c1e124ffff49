package plan

import "github.com/open-policy-agent/opa/v1/ir"

// eachStatement calls f for each statement of a block and of the blocks in it.
func eachStatement(b *ir.Block, f func(ir.Stmt)) {
	for _, s := range b.Stmts {
		f(s)
		for _, inner := range blocksOf(s) {
			eachStatement(inner, f)
		}
	}
}

func blocksOf(s ir.Stmt) []*ir.Block {
	switch s := s.(type) {
	case *ir.BlockStmt:
		return s.Blocks
	case *ir.ScanStmt:
		return []*ir.Block{s.Block}
	case *ir.NotStmt:
		return []*ir.Block{s.Block}
	case *ir.WithStmt:
		return []*ir.Block{s.Block}
	}
	return nil
}

// changes says how many statements put something into the list, object or set that a
// variable holds.
type changes map[ir.Local]int

func changesIn(blocks ...*ir.Block) changes {
	c := changes{}
	for _, b := range blocks {
		eachStatement(b, func(s ir.Stmt) {
			if l, ok := changed(s); ok {
				c[l]++
			}
		})
	}
	return c
}

// changed returns the variable that holds what a statement puts something into.
func changed(s ir.Stmt) (ir.Local, bool) {
	switch s := s.(type) {
	case *ir.ArrayAppendStmt:
		return s.Array, true
	case *ir.ObjectInsertStmt:
		return s.Object, true
	case *ir.ObjectInsertOnceStmt:
		return s.Object, true
	case *ir.SetAddStmt:
		return s.Set, true
	}
	return 0, false
}
