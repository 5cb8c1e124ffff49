package engine

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A RuleInfo describes one of the rules whose results a policy reports.
type RuleInfo struct {
	Name        string // violation, patch, or the rule that violation takes its results from
	Patches     bool   // it yields changes; else what is wrong
	Title       string
	Description string
	File        string
	Row         int
}

// readRules returns the rules of a policy that make what it reports, in the order
// in which they are written: those called patch, and those whose results have a
// msg. A violation rule that only passes on what such rules find is left out.
func readRules(modules []*ast.Module) []RuleInfo {
	var makers, others []RuleInfo
	for _, m := range modules {
		for _, r := range m.Rules {
			name := r.Head.Ref()[0].Value.String()
			if r.Default || len(r.Head.Args) > 0 || name != "violation" && name != "patch" && !hasMessage(r) {
				continue
			}
			info := newRuleInfo(r, name)
			others = append(others, info)
			if name != "violation" || hasMessage(r) {
				makers = append(makers, info)
			}
		}
	}
	for _, r := range makers {
		if !r.Patches {
			return makers
		}
	}
	return others
}

// hasMessage reports whether a rule yields an object that is written with a msg.
func hasMessage(r *ast.Rule) bool {
	if r.Head.Key == nil {
		return false
	}
	o, ok := r.Head.Key.Value.(ast.Object)
	return ok && o.Get(ast.StringTerm("msg")) != nil
}

func newRuleInfo(r *ast.Rule, name string) RuleInfo {
	info := RuleInfo{Name: name, Patches: name == "patch", File: r.Loc().File, Row: r.Loc().Row}
	for _, a := range r.Annotations {
		if info.Title == "" {
			info.Title, info.Description = a.Title, strings.TrimSpace(a.Description)
		}
	}
	return info
}
