package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/lintel-policy/lintel/resource"
)

// An explainCommand is `lintel explain` with its flags.
type explainCommand struct {
	streams  streams
	policies sourceFlags
	files    []string
	output   string
	place    placeFlags
	charts   chartFlags
}

func newExplain(s streams) *cobra.Command {
	c := &explainCommand{streams: s}
	cmd := &cobra.Command{
		Use:   "explain [POLICY...] [-f FILE]",
		Short: "Explain policies, or a verdict",
		Long: `Explain policies: what they are about, their parameters, what they find and
change, with examples.

With -f, explain what policies make of objects, all policies or those that are
named: for each whether it is asked and by which clause of its match, what decides
how it is enforced, which exceptions were considered, which fields its rules read,
which rules yielded something and where they stand in its Rego, and what it
patches. Values that are secrets, or that people put secrets into, are not shown.
The labels of namespaces are those that lintel check takes.

Exit code 0: explained; 2: could not be.`,
		Example: `  lintel explain probes
  lintel explain -f deploy.yaml
  lintel explain probes resources -f deploy.yaml
  lintel explain -f deploy.yaml -n shop -p ./policies -o json`,
		ValidArgsFunction: c.complete,
		RunE:              func(cmd *cobra.Command, args []string) error { return c.run(cmd, args) },
	}
	c.policies.add(cmd)
	cmd.Flags().StringArrayVarP(&c.files, "file", "f", nil, "`file` with objects to explain the verdict on; \"-\" is standard input; repeatable")
	c.place.add(cmd)
	c.charts.add(cmd)
	outputFlag(cmd, &c.output)
	return cmd
}

func (c *explainCommand) run(cmd *cobra.Command, names []string) error {
	if len(c.files) == 0 && len(names) == 0 {
		return errors.New("nothing is given to explain: name policies, or a file with -f")
	}
	if len(c.files) == 0 {
		return c.explainPolicies(cmd.Context(), names)
	}
	given, err := c.place.read(cmd)
	if err != nil {
		return err
	}
	policies, err := c.policies.load(cmd.Context())
	if err != nil {
		return err
	}
	if err := know(names, policies.names(), policies.broken); err != nil {
		return err
	}
	opts, err := c.charts.read(c.streams, c.place.namespace, c.policies.names)
	if err != nil {
		return err
	}
	found := resource.Load(cmd.Context(), opts, c.files...)
	j := &judge{policies: policies, now: time.Now(), namespace: c.place.namespace, labels: given}
	e, err := j.explain(cmd.Context(), found.Objects, names)
	if err != nil {
		return err
	}
	if err := writeAs(c.streams.out, c.output, e, e.text); err != nil {
		return err
	}
	for _, text := range e.warnings {
		complain(c.streams.err, "warning: "+text)
	}
	for _, e := range found.Errors {
		complain(c.streams.err, e.Error())
	}
	if err := policies.complain(c.streams.err); err != nil || len(found.Errors) > 0 {
		return errUntold
	}
	return nil
}

// complete offers the names of policies that were not typed yet.
func (c *explainCommand) complete(cmd *cobra.Command, typed []string, _ string) ([]string, cobra.ShellCompDirective) {
	slices.Sort(c.policies.names) // cobra reads the flags of a line that it completes twice
	policies, err := c.policies.loadFrom(cmd.Context(), slices.Compact(c.policies.names))
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, p := range policies.set.Policies() {
		if !slices.Contains(typed, p.Name) {
			names = append(names, cobra.CompletionWithDesc(p.Name, p.Title))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// know returns an error for the first name that is none of the known policies', with
// those of policies that are broken, of which it may be one.
func know(names, known []string, broken []error) error {
	for _, name := range names {
		if !slices.Contains(known, name) {
			return errors.Join(append(broken, errUnknownPolicy(name, known))...)
		}
	}
	return nil
}

// explain explains the verdict on each object, by the policies of these names, by
// all if there are none.
func (j *judge) explain(ctx context.Context, objects []resource.Object, names []string) (explained, error) {
	candidates := make([]candidate, len(objects))
	for i, o := range objects {
		candidates[i] = j.prepare(o)
	}
	s := j.surroundings(ctx, candidates)
	e := explained{Revision: j.policies.set.Revision(), Objects: []explainedObject{}, warnings: s.warnings}
	for _, c := range candidates {
		o, err := j.explainOne(ctx, c, s, names)
		if err != nil {
			return e, fmt.Errorf("%s%s: %w", at(c.at(nil)), c.ref().Printable(), err)
		}
		e.Objects = append(e.Objects, o)
	}
	return e, ctx.Err()
}

func (j *judge) explainOne(ctx context.Context, c candidate, s *surroundings, names []string) (explainedObject, error) {
	o := explainedObject{Object: c.ref(), Source: c.at(nil), Policies: []explainedPolicy{}}
	if c.err != nil {
		return o, c.err
	}
	req, err := j.request(c, s)
	if err != nil {
		return o, err
	}
	ctx, cancel := context.WithTimeout(ctx, perObject)
	defer cancel()
	all, passed, err := j.policies.set.Explain(ctx, req, s.inventory)
	o.Passed = passed
	for _, x := range all {
		if len(names) == 0 || slices.Contains(names, x.Policy.Name) {
			o.Policies = append(o.Policies, newExplained(x, c.at))
		}
	}
	return o, err
}
