package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lintel-policy/lintel/measure"
	"github.com/lintel-policy/lintel/resource"
)

// A benchCommand is `lintel bench` with its flags.
type benchCommand struct {
	streams   streams
	policies  sourceFlags
	time      time.Duration
	compare   string
	failAbove float64
	output    string
}

func newBench(s streams) *cobra.Command {
	c := &benchCommand{streams: s}
	cmd := &cobra.Command{
		Use:   "bench [PATH...]",
		Short: "Measure what policies cost",
		Long: `Measure what policies cost: the time and the allocations that each takes for one
object, by itself and all together, and what decoding the object takes before.

The objects are those of PATHs, read as lintel check reads them, or the samples of
the policies. Each policy is measured with the objects that it is asked about.

What is measured takes turns, so that all meet the same noise. BEST is the fastest
of ten rounds and says most; where MEDIAN is far from it, the machine was busy. A
run that was saved with -o json is compared with --compare.

Exit code 0: measured; 1: slower than --fail-above allows; 2: could not measure.`,
		Example: `  lintel bench
  lintel bench deploy/ -p ./policies --time 5s
  lintel bench -p ./policies -o json > before.json
  lintel bench -p ./policies --compare before.json --fail-above 1.5`,
		Args: somePaths(""),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args) },
	}
	flags := cmd.Flags()
	c.policies.add(cmd)
	flags.DurationVar(&c.time, "time", time.Second, "`time` for each thing that is measured")
	flags.StringVar(&c.compare, "compare", "", "`file` with a saved run to compare with")
	flags.Float64Var(&c.failAbove, "fail-above", 0, "`ratio` of the time to that of the saved run above which to fail; 0 for none")
	outputFlag(cmd, &c.output)
	return cmd
}

// A benchResult is what `lintel bench -o json` says.
type benchResult struct {
	*measure.Report
	Comparison *measure.Comparison `json:"comparison,omitempty"`
}

func (c *benchCommand) run(ctx context.Context, paths []string) error {
	if err := c.check(); err != nil {
		return err
	}
	saved, err := c.saved()
	if err != nil {
		return err
	}
	p, err := c.policies.load(ctx)
	if err != nil {
		return err
	}
	untold := p.complain(c.streams.err)
	found, err := c.objects(ctx, paths)
	if err != nil {
		return err
	}
	cfg, err := c.config(ctx, p, found)
	if err != nil {
		return err
	}
	report, err := measure.Run(ctx, *cfg)
	if err != nil {
		return err
	}
	result := benchResult{Report: report}
	if saved != nil {
		comparison := measure.Compare(saved, report)
		result.Comparison = &comparison
	}
	write := func(w io.Writer) error { return report.WriteText(w, result.Comparison) }
	if err := writeAs(c.streams.out, c.output, result, write); err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	return c.conclude(result, untold)
}

// maxBenchTime is more than anybody waits for one policy.
const maxBenchTime = time.Hour

func (c *benchCommand) check() error {
	switch {
	case c.time <= 0 || c.time > maxBenchTime:
		return fmt.Errorf("--time %s: not between 0 and %s", c.time, maxBenchTime)
	case c.failAbove != 0 && !(c.failAbove > 0): // or it is no number
		return fmt.Errorf("--fail-above %v: not above 0", c.failAbove)
	case c.failAbove > 0 && c.compare == "":
		return errors.New("--fail-above is given without --compare")
	}
	return checkFormat(c.output)
}

// maxSaved is far more than any saved run has, in bytes.
const maxSaved = 16 << 20

// saved reads the run to compare with, nil if there is none.
func (c *benchCommand) saved() (*measure.Report, error) {
	if c.compare == "" {
		return nil, nil
	}
	data, err := readRegular(c.compare, maxSaved)
	if err != nil {
		return nil, fmt.Errorf("--compare %s: %w", c.compare, err)
	}
	saved, err := measure.Read(data)
	if err != nil {
		return nil, fmt.Errorf("--compare %s: %w", c.compare, err)
	}
	return saved, nil
}

// objects reads those of paths, or the samples of the policies.
func (c *benchCommand) objects(ctx context.Context, paths []string) (resource.Result, error) {
	if len(paths) > 0 {
		opts, err := new(chartFlags).read(c.streams, "default", c.policies.names)
		if err != nil {
			return resource.Result{}, err
		}
		found := resource.Load(ctx, opts, paths...)
		for _, e := range found.Errors {
			complain(c.streams.err, e.Error())
		}
		if len(found.Errors) > 0 {
			return found, errUntold
		}
		return found, nil
	}
	var all resource.Result
	suites, _, err := readSuites(c.policies.names) // what is broken is told of where policies are compiled
	if err != nil {
		return all, err
	}
	for _, suite := range suites {
		for _, sample := range suite.Samples {
			all.Objects = append(all.Objects, resource.Read(strings.NewReader(sample.Text), sample.File).Objects...)
		}
	}
	if len(all.Objects) == 0 {
		return all, errors.New("the policies have no samples (testdata/*.yaml): name objects to measure with")
	}
	return all, nil
}

// config prepares objects as check does. What cannot be judged cannot be measured.
func (c *benchCommand) config(ctx context.Context, p *loaded, found resource.Result) (*measure.Config, error) {
	j := &judge{policies: p, now: time.Now(), namespace: "default"}
	var candidates []candidate
	for _, o := range found.Objects {
		if prepared := j.prepare(o); prepared.err == nil {
			candidates = append(candidates, prepared)
		}
	}
	s := j.surroundings(ctx, candidates)
	cfg := &measure.Config{Policies: p.sources, Set: p.set, Inventory: s.inventory, Now: j.now, Time: c.time}
	for _, prepared := range candidates {
		data := prepared.JSON
		if prepared.namespace != prepared.Namespace {
			var err error
			if data, err = inNamespace(data, prepared.namespace); err != nil {
				return nil, err
			}
		}
		cfg.Objects = append(cfg.Objects, measure.Object{JSON: data, Namespace: s.namespaces[prepared.namespace]})
	}
	return cfg, nil
}

// conclude tells of what makes a measurement doubtful, and returns what the exit
// code is made of.
func (c *benchCommand) conclude(r benchResult, untold error) error {
	for _, cost := range r.Costs {
		if cost.Undecided > 0 && cost.Policy != measure.All && cost.What == measure.Review {
			complain(c.streams.err, fmt.Sprintf("warning: policy %s could not decide about %d of %d objects, which are left out", cost.Policy, cost.Undecided, cost.Objects+cost.Undecided))
		}
	}
	if untold != nil {
		return untold
	}
	if c.failAbove == 0 {
		return nil
	}
	slow := r.Comparison.Above(c.failAbove)
	for _, ratio := range slow {
		what := ratio.What
		if ratio.Policy != "" {
			what += " of " + ratio.Policy
		}
		complain(c.streams.err, fmt.Sprintf("%s takes %.2f times as long as in the saved run", what, ratio.Time))
	}
	if len(slow) > 0 {
		return errDenied
	}
	return nil
}
