package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/report"
)

// A fixCommand is `lintel fix` with its flags. It judges as check does.
type fixCommand struct {
	checkCommand
	diff bool
}

func newFix(s streams) *cobra.Command {
	c := &fixCommand{checkCommand: checkCommand{streams: s}}
	cmd := &cobra.Command{
		Use:   "fix PATH...",
		Short: "Write what policies would patch into the files",
		Long: `Write what policies would patch into the files that the objects come from.
Comments, order and formatting stay: no line changes but those that a patch is
about.

A PATH is what it is for check. All patches of the policies are written, those that
are applied in a cluster and those that are only recorded. Files are replaced as a
whole or not at all. With "-" alone, standard input goes to standard output.

What cannot be changed safely is left alone, and standard error says why: a value
that an anchor shares with other places, a generated file, and what a chart or a
kustomization makes, with a hint at what to change instead.

Exit code 0: nothing is left to do; 1: something is denied even so, or was left
alone, or, with --diff, would be changed; 2: could not tell.`,
		Example: `  lintel fix --diff deploy/
  lintel fix deploy/ service.yaml -n shop
  kubectl get deployment web -o yaml | lintel fix - > web.yaml`,
		Args: cobra.MatchAll(somePaths(`no path is given: name files or folders, or "-" for standard input`), func(_ *cobra.Command, args []string) error {
			if slices.Contains(args, "-") && len(args) > 1 {
				return errors.New(`"-" goes with no other path: what it makes goes to standard output`)
			}
			return nil
		}),
		RunE: func(cmd *cobra.Command, args []string) error {
			given, err := c.place.read(cmd)
			if err != nil {
				return err
			}
			return c.run(cmd.Context(), args, given)
		},
	}
	c.policies.add(cmd)
	c.place.add(cmd)
	c.charts.add(cmd)
	cmd.Flags().BoolVar(&c.diff, "diff", false, "show what would be changed, and change nothing")
	return cmd
}

func (c *fixCommand) run(ctx context.Context, paths []string, given map[string]string) error {
	opts, err := c.charts.read(c.streams, c.place.namespace, c.policies.names)
	if err != nil {
		return err
	}
	collectLess()
	policies, err := c.policies.load(ctx)
	if err != nil {
		return err
	}
	j := &judge{policies: policies, now: time.Now(), namespace: c.place.namespace, labels: given}
	f := &fixer{judge: j, seen: map[any]bool{}}
	defer f.close()
	if err := f.load(ctx, opts, paths); err != nil {
		return err
	}
	r, err := f.fix(ctx)
	if err != nil {
		return err
	}
	return c.finish(ctx, f, r, paths[0] == "-")
}

// finish shows or writes what was made of the files, and says what is left to do.
func (c *fixCommand) finish(ctx context.Context, f *fixer, r *report.Report, isFilter bool) error {
	changed := f.changed()
	var err error
	switch {
	case c.diff:
		err = c.show(changed)
	case isFilter:
		err = c.pass(f, changed)
	default:
		err = c.write(ctx, changed, r)
	}
	if err != nil && !errors.Is(err, errUntold) {
		return err
	}
	verdict := conclude(r, c.streams.err)
	for _, n := range f.left {
		complain(c.streams.err, at(n.Source)+n.Message)
	}
	if denied := r.Summary().Denied; denied > 0 && (c.diff || isFilter) {
		complain(c.streams.err, engine.Counted(denied, "object is", "objects are")+" denied even so: lintel check says why")
	}
	switch {
	case errors.Is(err, errUntold), errors.Is(verdict, errUntold):
		return errUntold
	case len(f.left) > 0, c.diff && len(changed) > 0:
		return errDenied
	}
	return verdict
}

// write replaces files, and then says what was done and what is denied even so.
func (c *fixCommand) write(ctx context.Context, changed []*fixFile, r *report.Report) error {
	var failed error
	for _, f := range changed {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f.write(); err != nil {
			complain(c.streams.err, engine.Printable(f.path)+": is not changed: "+err.Error())
			failed = errUntold
			continue
		}
		if _, err := fmt.Fprintln(c.streams.out, f.done("fixed")); err != nil {
			return fmt.Errorf("write results: %w", err)
		}
	}
	format, err := report.New("text", report.Config{Colour: wantsColour(c.streams.out)})
	if err != nil {
		return err
	}
	if err := format.Write(c.streams.out, denials(r)); err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	return failed
}

// pass writes what was standard input, changed or not.
func (c *fixCommand) pass(f *fixer, changed []*fixFile) error {
	for _, file := range changed {
		complain(c.streams.err, file.done("fixed"))
	}
	for _, file := range f.files {
		if _, err := c.streams.out.Write(file.now); err != nil {
			return fmt.Errorf("write results: %w", err)
		}
	}
	return nil
}

// denials returns a report of what is denied, and of what else a person has to see.
func denials(r *report.Report) *report.Report {
	out := *r
	out.Objects = slices.Clone(r.Objects)
	for i := range out.Objects {
		o := &out.Objects[i]
		o.Patches = nil
		o.Violations = slices.DeleteFunc(slices.Clone(o.Violations), func(v report.Violation) bool { return v.Enforcement != v1alpha1.Deny })
	}
	return &out
}
