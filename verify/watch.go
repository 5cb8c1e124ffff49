package verify

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

const (
	// maxInputs is how many inputs are remembered of each rule that they made fire.
	maxInputs = 8
	// maxObjects is how many objects are remembered that a policy was asked about.
	maxObjects = 20_000
)

// A place is where a rule stands.
type place struct {
	file string
	row  int
}

// A watcher sees which lines tests and samples reach, which rules they make fire and
// by which inputs, and which objects the policy is asked about.
type watcher struct {
	cover *cover.Cover
	files map[string]bool  // of the policy
	rules map[place]string // whose results are reported, with their titles

	mu       sync.Mutex
	sampling bool                  // tests are over, and samples are asked about
	sampled  map[place]bool        // the rules that samples made fire
	fired    map[place][]*ast.Term // inputs of tests
	asked    map[*ast.Term]bool    // inputs
	objects  []*ast.Term
}

func newWatcher(rules []engine.RuleInfo, modules []v1alpha1.Module) *watcher {
	w := &watcher{
		cover: cover.New(), files: map[string]bool{}, rules: map[place]string{},
		sampled: map[place]bool{}, fired: map[place][]*ast.Term{}, asked: map[*ast.Term]bool{},
	}
	for _, r := range rules {
		w.rules[place{r.File, r.Row}] = r.Title
	}
	for _, m := range modules {
		w.files[m.Name] = true
	}
	return w
}

// Enabled is part of [topdown.QueryTracer].
func (*watcher) Enabled() bool { return true }

// Config is part of [topdown.QueryTracer].
func (w *watcher) Config() topdown.TraceConfig { return w.cover.Config() }

// TraceEvent is part of [topdown.QueryTracer].
func (w *watcher) TraceEvent(e topdown.Event) {
	w.cover.TraceEvent(e)
	rule, isRule := e.Node.(*ast.Rule)
	fires := isRule && e.Op == topdown.ExitOp && rule.Loc() != nil && w.files[rule.Loc().File]
	if !fires && e.Op != topdown.IndexOp && e.Op != topdown.EnterOp {
		return
	}
	input := e.Input()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.see(input) // a rule that the index leaves out is not entered, and asked all the same
	if !fires {
		return
	}
	at := place{rule.Loc().File, rule.Loc().Row}
	if _, reported := w.rules[at]; !reported {
		return
	}
	if w.sampling {
		w.sampled[at] = true
		return
	}
	if inputs, fired := w.fired[at]; !fired || len(inputs) < maxInputs && input != nil && !slices.Contains(inputs, input) {
		w.fired[at] = append(inputs, input)
	}
}

// see remembers the object of an input.
func (w *watcher) see(input *ast.Term) {
	if input == nil || w.asked[input] || len(w.asked) >= maxObjects {
		return
	}
	w.asked[input] = true
	if object := find(input, "review", "object"); object != nil && !slices.Contains(w.objects[max(0, len(w.objects)-1):], object) {
		w.objects = append(w.objects, object)
	}
}

// find returns what keys lead to, nil where nothing is there.
func find(t *ast.Term, keys ...string) *ast.Term {
	for _, key := range keys {
		if t == nil {
			return nil
		}
		o, ok := t.Value.(ast.Object)
		if !ok {
			return nil
		}
		t = o.Get(ast.StringTerm(key))
	}
	return t
}

// Coverage says which lines of a policy tests and samples reach.
type Coverage struct {
	Percent   float64 // of the lines that can be reached
	Uncovered []Lines // by file and line
}

// Lines are some lines of a file, one after the other.
type Lines struct {
	File        string
	First, Last int
}

// text returns the lines in words.
func (l Lines) text() string {
	if l.First == l.Last {
		return fmt.Sprintf("line %d", l.First)
	}
	return "lines " + l.rows()
}

func (l Lines) rows() string {
	if l.First == l.Last {
		return fmt.Sprint(l.First)
	}
	return fmt.Sprintf("%d-%d", l.First, l.Last)
}

// coverage returns that of the modules of the policy.
func (w *watcher) coverage(modules map[string]*ast.Module) *Coverage {
	report := w.cover.Report(modules)
	c := &Coverage{Percent: 100}
	covered, all := 0, 0
	for _, file := range slices.Sorted(maps.Keys(modules)) {
		r := report.Files[file]
		if r == nil {
			continue
		}
		covered, all = covered+r.CoveredLines, all+r.CoveredLines+r.NotCoveredLines
		for _, lines := range r.NotCovered {
			if l := (Lines{file, lines.Start.Row, lines.End.Row}); !slices.Contains(c.Uncovered, l) {
				c.Uncovered = append(c.Uncovered, l)
			}
		}
	}
	if all > 0 {
		c.Percent = 100 * float64(covered) / float64(all)
	}
	return c
}

// below returns a problem for each uncovered place if less is covered than the least.
func (c *Coverage) below(least float64) []Problem {
	if c.Percent >= least {
		return nil
	}
	var problems []Problem
	for _, l := range c.Uncovered {
		problems = append(problems, Problem{l.File, l.First, fmt.Sprintf("no test and no sample reaches %s", l.text())})
	}
	return problems
}

// unfired returns a problem for each rule that never yielded a result.
func (w *watcher) unfired(rules []engine.RuleInfo) []Problem {
	var problems []Problem
	for _, r := range rules {
		at := place{r.File, r.Row}
		if _, fired := w.fired[at]; !fired && !w.sampled[at] {
			problems = append(problems, Problem{r.File, r.Row, fmt.Sprintf("no test and no sample makes %s fire", ruleName(r))})
		}
	}
	return problems
}

// ruleName returns what a rule is called in messages.
func ruleName(r engine.RuleInfo) string {
	if r.Title == "" {
		return "the rule " + strings.TrimSpace(r.Name)
	}
	return fmt.Sprintf("the rule %q", r.Title)
}
