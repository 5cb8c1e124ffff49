// Package verify runs what proves policies: their tests in Rego, and samples of
// objects that are good or bad.
//
// It also looks for what passes and proves nothing, which it calls vacuous: a
// policy that is asked about no sample, a rule that nothing makes fire, and a
// violation that disappears with a field although no test says that it should.
// Tests run with the functions, the library and the strictness of the engine;
// samples are judged by the engine itself, as the API server would send them.
package verify

import (
	"cmp"
	"context"
	"errors"
	"regexp"
	"slices"
	"time"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
)

// Config says what is run. The zero Config runs everything.
type Config struct {
	// Run selects tests and samples by their names. If it is not nil, neither
	// coverage nor what is vacuous can be told.
	Run *regexp.Regexp
	// Timeout bounds one test, and each time that a policy is asked about a sample.
	// If zero, [DefaultTimeout]. All of a policy has sixty times that.
	Timeout time.Duration
	// Memory is how many bytes the objects of the process may take, or all is
	// stopped. If zero, [DefaultMemory].
	Memory uint64
	// Coverage is the least percentage of lines that tests and samples have to reach.
	Coverage float64
}

// DefaultTimeout is long for a test and short for a person.
const DefaultTimeout = 10 * time.Second

// wholeFactor is how many timeouts all that proves one policy may take together.
const wholeFactor = 60

// A Result is what is known of one policy.
type Result struct {
	Policy string
	Origin string
	// Cases are the tests, then the samples, by file and line.
	Cases []Case
	// Coverage is that of the tests and samples; nil if only some were run.
	Coverage *Coverage
	// Problems say what is vacuous, and what is missing.
	Problems []Problem
	// Broken is why nothing could be run: the Rego does not compile. Nil if it does.
	Broken error
}

// A Kind is that of a [Case].
type Kind string

// The kinds of cases.
const (
	Test       Kind = "test"
	GoodSample Kind = "good sample"
	BadSample  Kind = "bad sample"
)

// A Case is one test, a row of one, or a sample.
type Case struct {
	Kind     Kind
	Name     string
	File     string
	Line     int
	Failure  string // what is wrong, perhaps in several lines; "" if it passed
	Output   string // what the test printed
	Skipped  bool   // it is called todo_
	Duration time.Duration
}

// A Problem is something that passes and proves nothing.
type Problem struct {
	File    string
	Line    int
	Message string
}

// Passed reports whether there is nothing to complain of.
func (r *Result) Passed() bool {
	return r.Broken == nil && len(r.Problems) == 0 && !slices.ContainsFunc(r.Cases, func(c Case) bool { return c.Failure != "" })
}

// count returns how many tests, or how many samples, there are.
func (r *Result) count(tests bool) int {
	n := 0
	for _, c := range r.Cases {
		if (c.Kind == Test) == tests {
			n++
		}
	}
	return n
}

// Run runs what proves a policy. What fails is in the Result.
func Run(ctx context.Context, cfg Config, suite policies.Suite) *Result {
	cfg.Timeout = cmp.Or(cfg.Timeout, DefaultTimeout)
	ctx, cancel := context.WithTimeout(ctx, wholeFactor*cfg.Timeout)
	defer cancel()
	ctx, stop := withinMemory(ctx, cmp.Or(cfg.Memory, DefaultMemory))
	defer stop()
	r := &Result{Policy: suite.Policy.Name, Origin: suite.Policy.Origin}
	p, err := newProof(cfg, suite)
	if err == nil {
		err = p.run(ctx, r)
	}
	switch {
	case errors.Is(context.Cause(ctx), errMemory):
		r.Problems = append(r.Problems, Problem{Message: "stopped before all was run: " + errMemory.Error()})
	case ctx.Err() != nil:
		r.Problems = append(r.Problems, Problem{Message: "stopped before all was run: there is no more time"})
	}
	if err != nil {
		r.Broken = unwrapped(err)
		return r
	}
	slices.SortStableFunc(r.Cases, func(a, b Case) int {
		return cmp.Or(cmp.Compare(b.Kind, Test)-cmp.Compare(a.Kind, Test), cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Name, b.Name))
	})
	return r
}

// RunTests runs tests of modules that are no policy, such as the shared library's.
func RunTests(ctx context.Context, cfg Config, modules, tests []v1alpha1.Module) (*Result, error) {
	cfg.Timeout = cmp.Or(cfg.Timeout, DefaultTimeout)
	rego, err := newRunner(modules, tests)
	if err != nil {
		return nil, err
	}
	watched := newWatcher(nil, modules)
	r := &Result{}
	if r.Cases, err = rego.run(ctx, cfg, watched); err != nil {
		return nil, err
	}
	r.Coverage = watched.coverage(rego.policy)
	r.Problems = append(r.Problems, r.Coverage.below(cfg.Coverage)...)
	return r, nil
}

// unwrapped returns the cause of a policy's error, as the Result says which policy it is.
func unwrapped(err error) error {
	var policy *engine.PolicyError
	if errors.As(err, &policy) {
		return policy.Err
	}
	return err
}

// A proof is a policy that is being proved.
type proof struct {
	cfg     Config
	suite   policies.Suite
	info    engine.Info
	set     *engine.Set // the policy alone, with patches applied
	rego    *runner
	watched *watcher
	samples []*sample
}

func newProof(cfg Config, suite policies.Suite) (*proof, error) {
	policy := suite.Policy
	policy.Spec.Patches = "apply"
	set, err := engine.Compile(engine.Config{Policies: []engine.Policy{policy}, ExcludedNamespaces: []string{}})
	if err != nil {
		return nil, err
	}
	p := &proof{cfg: cfg, suite: suite, info: set.Policies()[0], set: set}
	p.watched = newWatcher(p.info.Rules, suite.Policy.Modules)
	p.rego, err = newRunner(suite.Policy.Modules, suite.Tests)
	return p, err
}

// run runs tests, then samples, and then asks what they prove.
func (p *proof) run(ctx context.Context, r *Result) error {
	var err error
	if r.Cases, err = p.rego.run(ctx, p.cfg, p.watched); err != nil {
		return err
	}
	p.watched.sampling = true
	p.samples = readSamples(p.suite.Samples)
	for _, s := range p.samples {
		if name := s.name(); p.cfg.Run != nil && !p.cfg.Run.MatchString(name) {
			continue
		}
		if c, counts := p.judge(ctx, s); counts {
			r.Cases = append(r.Cases, c)
		}
	}
	if p.cfg.Run != nil {
		return nil
	}
	r.Coverage = p.watched.coverage(p.rego.policy)
	r.Problems = p.vacuous(ctx)
	r.Problems = append(r.Problems, r.Coverage.below(p.cfg.Coverage)...)
	return nil
}
