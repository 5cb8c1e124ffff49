package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/lintel-policy/lintel/verify"
)

// A testCommand is `lintel test` with its flags.
type testCommand struct {
	streams  streams
	policies []string
	run      string
	outputs  []string // "format" or "format=file"
	timeout  time.Duration
	coverage float64
	verbose  bool
}

func newTest(s streams) *cobra.Command {
	c := &testCommand{streams: s}
	cmd := &cobra.Command{
		Use:   "test [FOLDER...]",
		Short: "Run the tests and samples of policies",
		Long: `Run what proves policies: the tests in their _test.rego files, and the samples in
their testdata. In good*.yaml the policy finds nothing; in bad*.yaml it finds what
comments say, "# want: path: message" for each violation. Patches have to settle.

It also fails for what passes and proves nothing: a built-in kind that is matched
and never tried, a rule that nothing makes fire, a violation that disappears with
a field although no test and no sample lacks that field.

A FOLDER is the same as --policies FOLDER. Policies are tested as they come, without
what Policy objects set. Without any, the library in this binary is tested.

Exit code 0: all is well; 1: something fails; 2: a policy or a test cannot be read
or compiled.`,
		Example: `  lintel test ./policies
  lintel test ./policies --run 'test_patch' -v
  lintel test ./policies --coverage 100 -o text -o junit=lintel-test.xml`,
		Args: func(_ *cobra.Command, args []string) error {
			if slices.Contains(args, "") {
				return errors.New("a folder is empty")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return c.test(cmd, args) },
	}
	flags := cmd.Flags()
	policiesFlag(cmd, &c.policies, fromEmbedded)
	flags.StringVar(&c.run, "run", "", "run only tests and samples whose names match `regexp`; coverage and what is vacuous are not told then")
	flags.BoolVarP(&c.verbose, "verbose", "v", false, "tell of what passed, too, and of lines that are not covered")
	targetsFlag(cmd, &c.outputs, verify.Formats())
	flags.DurationVar(&c.timeout, "timeout", verify.DefaultTimeout, "`time` that one test may take")
	flags.Float64Var(&c.coverage, "coverage", 0, "least `percentage` of lines that tests and samples have to reach")
	return cmd
}

// config checks the flags.
func (c *testCommand) config() (verify.Config, error) {
	cfg := verify.Config{Timeout: c.timeout, Coverage: c.coverage}
	switch {
	case c.timeout <= 0:
		return cfg, errors.New("--timeout is not more than zero")
	case c.coverage < 0 || c.coverage > 100:
		return cfg, errors.New("--coverage is not between 0 and 100")
	case c.run == "":
		return cfg, nil
	}
	var err error
	if cfg.Run, err = regexp.Compile(c.run); err != nil {
		return cfg, fmt.Errorf("read --run: %w", err)
	}
	return cfg, nil
}

func (c *testCommand) test(cmd *cobra.Command, folders []string) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	targets, err := readTargets(c.outputs, verify.Formats())
	if err != nil {
		return err
	}
	from := c.policies
	if len(folders) > 0 && !cmd.Flags().Changed("policies") {
		from = nil
	}
	for _, f := range folders {
		if f == fromEmbedded || f == fromCluster {
			f = "./" + f // a folder is meant
		}
		from = append(from, f)
	}
	suites, broken, err := readSuites(from)
	if err != nil {
		return err
	}
	collectLess()
	var results []*verify.Result
	for _, s := range suites {
		results = append(results, verify.Run(cmd.Context(), cfg, s))
	}
	if err := c.write(targets, results); err != nil {
		return err
	}
	return c.conclude(cmd.Context(), results, broken)
}

// write writes the results everywhere.
func (c *testCommand) write(targets []target, results []*verify.Result) error {
	var errs []error
	for _, t := range targets {
		errs = append(errs, t.write(c.streams.out, func(w io.Writer) error { return verify.Write(w, t.format, results, c.verbose) }))
	}
	return errors.Join(errs...)
}

// conclude returns what the exit code is made of.
func (c *testCommand) conclude(ctx context.Context, results []*verify.Result, broken []error) error {
	for _, err := range broken {
		complain(c.streams.err, err.Error())
	}
	failed, ran := false, 0
	for _, r := range results {
		if r.Broken != nil {
			broken = append(broken, r.Broken)
			complain(c.streams.err, "policy "+r.Policy+": "+r.Broken.Error())
		}
		failed = failed || !r.Passed()
		ran += len(r.Cases)
	}
	switch {
	case len(broken) > 0 || ctx.Err() != nil:
		return errUntold
	case failed:
		return errDenied
	case c.run != "" && ran == 0:
		return fmt.Errorf("no test and no sample has a name that matches %q", c.run)
	}
	return nil
}
