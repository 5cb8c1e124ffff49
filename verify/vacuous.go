package verify

import (
	"context"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/lintel-policy/lintel/api/v1alpha1"
)

// vacuous returns what passes and proves nothing.
func (p *proof) vacuous(ctx context.Context) []Problem {
	if len(p.rego.tests) == 0 && len(p.samples) == 0 {
		return []Problem{{p.suite.Policy.Modules[0].Name, 1, "there are neither tests nor samples"}}
	}
	problems := p.watched.unfired(p.info.Rules)
	problems = append(problems, p.unmatched()...)
	if p.info.Reviews {
		problems = append(problems, p.absences(ctx)...)
	}
	return problems
}

// unmatched returns a problem for each built-in kind that the policy matches and that
// no sample has and no test mentions.
func (p *proof) unmatched() []Problem {
	have := map[string]bool{}
	for _, s := range p.samples {
		have[s.read.Kind] = true
	}
	for _, m := range p.rego.tests {
		ast.WalkTerms(m, func(t *ast.Term) bool {
			if s, ok := t.Value.(ast.String); ok {
				have[string(s)] = true
			}
			return false
		})
	}
	var missing []string
	tried := false
	for _, k := range p.info.Match.Kinds {
		for _, kind := range k.Kinds {
			tried = tried || have[kind] || kind == "*" && len(have) > 0
			if isBuiltIn(k) && kind != "*" && !have[kind] && !slices.Contains(missing, kind) {
				missing = append(missing, kind)
			}
		}
	}
	module := p.suite.Policy.Modules[0].Name
	switch {
	case len(missing) > 0:
		return []Problem{{module, 1, "it matches kinds that no sample is of and no test mentions: " + strings.Join(missing, ", ")}}
	case !tried:
		return []Problem{{module, 1, "no sample is of a kind that it matches, and no test mentions one"}}
	}
	return nil
}

// isBuiltIn reports whether kinds are of Kubernetes' own groups. Those of extensions
// are as many as operators have, and mostly alike.
func isBuiltIn(k v1alpha1.Kinds) bool {
	return slices.ContainsFunc(k.APIGroups, func(g string) bool {
		return g != "*" && (!strings.Contains(g, ".") || strings.HasSuffix(g, ".k8s.io"))
	})
}
