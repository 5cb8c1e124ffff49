package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/replay"
	"github.com/lintel-policy/lintel/resource"
)

// A replayCommand is `lintel replay` with its flags.
type replayCommand struct {
	streams   streams
	policies  sourceFlags
	baseline  []string
	inventory []string
	at        string
	teamLabel string
	examples  int
	output    string
}

func newReplay(s streams) *cobra.Command {
	c := &replayCommand{streams: s}
	cmd := &cobra.Command{
		Use:   "replay FILE...",
		Short: "Judge recorded reviews by other policies",
		Long: `Judge recorded reviews by other policies, and say which verdicts change: what
would newly be denied or warned about and what no longer, by policy, team and
namespace. This is what to look at before a policy is enforced.

A FILE has been written by lintel serve --record, or holds AdmissionReviews in JSON,
one in each line or several one after another. A folder is one that was recorded in;
"-" is standard input. Name the files of all replicas at once: the lines of one
request are put together.

Each request is judged as it came in: as its user, with its old object and the
labels that its namespace had, at its time. What the policies patch is patched
first. The verdict is compared with the one that was recorded, or with that of
--baseline-policies. Objects that policies read beside the request are not
recorded; --inventory gives them.

Exit code 0: nothing is newly denied; 1: something is; 2: could not tell.`,
		Example: `  lintel replay reviews.jsonl -p ./policies
  lintel replay replica-a/ replica-b/ -p embedded -p ./stricter --examples 20
  lintel replay reviews.jsonl -p ./policies --at 2027-01-15T00:00:00Z
  lintel replay captured.json -p ./new --baseline-policies ./old -o json`,
		Args: somePaths(`no file is given: name recorded reviews, or "-" for standard input`),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args) },
	}
	flags := cmd.Flags()
	c.policies.add(cmd)
	flags.StringArrayVar(&c.baseline, "baseline-policies", nil, "`source` of the policies to compare with, as --policies has it; without it, the recorded verdicts; repeatable")
	flags.StringArrayVar(&c.inventory, "inventory", nil, "`path` of objects that policies may read beside the request, as check reads them; repeatable")
	flags.StringVar(&c.at, "at", "", "`time` (RFC 3339) that stages and exceptions go by; without it, that of each request")
	flags.StringVar(&c.teamLabel, "team-label", "team", "`label` of an object, or else of its namespace, that says whose it is")
	flags.IntVar(&c.examples, "examples", 5, "`number` of requests of each kind of change to show")
	outputFlag(cmd, &c.output)
	return cmd
}

func (c *replayCommand) run(ctx context.Context, files []string) error {
	opts, err := c.options()
	if err != nil {
		return err
	}
	policies, err := c.policies.load(ctx)
	if err != nil {
		return err
	}
	opts.Set = policies.set
	untold := policies.complain(c.streams.err)
	if len(c.baseline) > 0 {
		baseline, err := c.policies.loadFrom(ctx, c.baseline)
		if err != nil {
			return fmt.Errorf("--baseline-policies: %w", err)
		}
		opts.Baseline = baseline.set
		untold = errors.Join(untold, baseline.complain(c.streams.err))
	}
	if len(c.inventory) > 0 {
		if opts.Inventory, err = c.readInventory(ctx); err != nil {
			untold = errors.Join(untold, err)
		}
	}
	sources, closeAll, err := replay.OpenSources(c.streams.in, files...)
	defer closeAll()
	for _, err := range engine.EachError(err) {
		complain(c.streams.err, err.Error())
		untold = errUntold
	}
	s, err := replay.Run(ctx, opts, sources...)
	if err != nil {
		return err
	}
	if err := writeAs(c.streams.out, c.output, s, s.WriteText); err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	return c.conclude(s, untold)
}

// maxExamples is more than anybody reads.
const maxExamples = 10_000

// options reads the flags that may be wrong.
func (c *replayCommand) options() (replay.Options, error) {
	opts := replay.Options{Now: time.Now(), TeamLabel: c.teamLabel, Examples: c.examples}
	if c.examples < 0 || c.examples > maxExamples {
		return opts, fmt.Errorf("--examples %d: not between 0 and %d", c.examples, maxExamples)
	}
	if err := checkFormat(c.output); err != nil {
		return opts, err
	}
	if c.at != "" {
		var err error
		if opts.At, err = time.Parse(time.RFC3339, c.at); err != nil {
			return opts, fmt.Errorf("--at %q: no time such as 2027-01-15T00:00:00Z", c.at)
		}
	}
	return opts, nil
}

// readInventory reads the objects that policies may read. One that cannot be read
// is told of; the others count.
func (c *replayCommand) readInventory(ctx context.Context) (*engine.Inventory, error) {
	opts, err := new(chartFlags).read(c.streams, "default", c.policies.names)
	if err != nil {
		return nil, err
	}
	found := resource.Load(ctx, opts, c.inventory...)
	var untold error
	for _, e := range found.Errors {
		complain(c.streams.err, e.Error())
		untold = errUntold
	}
	var objects []*engine.Object
	for _, o := range found.Objects {
		decoded, err := engine.DecodeObject(o.JSON)
		if err != nil {
			complain(c.streams.err, fmt.Sprintf("%s:%d: %s", o.File, o.Line, err))
			untold = errUntold
			continue
		}
		objects = append(objects, decoded)
	}
	return engine.NewInventory(objects...), untold
}

// conclude tells of errors, and returns what the exit code is made of.
func (c *replayCommand) conclude(s *replay.Summary, untold error) error {
	for _, e := range s.Errors {
		complain(c.streams.err, fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message))
		untold = errUntold
	}
	if s.MoreErrors > 0 {
		complain(c.streams.err, fmt.Sprintf("and %d more", s.MoreErrors))
	}
	if s.Requests == 0 && untold == nil {
		complain(c.streams.err, "no review was read")
		untold = errUntold
	}
	undecided := s.Counts[replay.Unsure] > 0 || slices.ContainsFunc(s.Policies, func(p replay.PolicyCounts) bool { return p.Counts[replay.Unsure] > 0 })
	switch {
	case untold != nil:
		return untold
	case undecided:
		complain(c.streams.err, "some policy could not decide")
		return errUntold
	case s.Counts[replay.NewlyDenied] > 0:
		return errDenied
	}
	return nil
}
