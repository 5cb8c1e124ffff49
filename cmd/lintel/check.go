package main

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/lintel-policy/lintel/report"
	"github.com/lintel-policy/lintel/resource"
)

// A checkCommand is `lintel check` with its flags.
type checkCommand struct {
	streams  streams
	policies sourceFlags
	place    placeFlags
	charts   chartFlags
	out      outputs
}

func newCheck(s streams) *cobra.Command {
	c := &checkCommand{streams: s}
	cmd := &cobra.Command{
		Use:   "check PATH...",
		Short: "Hold objects in files to policies",
		Long: `Hold objects in files to policies, and say what the cluster would say if they
were created there: what it would deny, warn about and patch.

A PATH is a file, a folder, which is read with all folders in it, or "-" for
standard input. A named file must hold Kubernetes objects; in a folder, .yaml,
.yml and .json files are read, and what is no Kubernetes object is counted and
skipped. A Terraform plan in JSON is known by what is in it, and each resource that
it plans is judged.

A folder with a Chart.yaml, and a .tgz that is named, is a Helm chart. It is
rendered as helm template does it, with --values, --set and --set-string, and its
templates are not read by themselves. Each chart of the run gets the same values.

A folder with a kustomization is built as kubectl apply -k does it, and the files
that it is made of are not read by themselves; nor are bases and components that
another kustomization of the run uses. Nothing remote is fetched.

The objects are taken to be created together: policies see them all, and those
in a namespace have the labels of its Namespace object if that is among them. The
labels of other namespaces are not known. --namespace-labels gives them; without
it, "-p cluster" reads them from the cluster; else they are taken to be empty, and
the output says so.

The findings are written as text, or in other formats to files as well: each -o is
one of them. In a baseline are findings that were there before; they are counted
and fail nothing.

Exit code 0: nothing is denied; 1: something is, or what --fail-on says; 2: could
not tell.`,
		Example: `  lintel check deploy/ service.yaml
  helm template shop ./chart | lintel check - -n shop
  lintel check overlays/production
  lintel check deploy/ -p embedded -p ./policies -o json
  lintel check ./chart -n shop --values production.yaml --set image.tag=1.2.3
  lintel check deploy/ -o text -o sarif=lintel.sarif -o junit=lintel.xml
  lintel check deploy/ --fail-on never -o baseline=lintel-baseline.json
  lintel check deploy/ --baseline lintel-baseline.json
  terraform show -json plan.out | lintel check -
  lintel check deploy/ -n shop --namespace-labels team=checkout,environment=production`,
		Args: somePaths(`no path is given: name files or folders, or "-" for standard input`),
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
	c.out.flags(cmd, report.Formats())
	return cmd
}

func (c *checkCommand) run(ctx context.Context, paths []string, given map[string]string) error {
	if err := c.out.prepare(c.streams.out); err != nil {
		return err
	}
	opts, err := c.charts.read(c.streams, c.place.namespace, c.policies.names)
	if err != nil {
		return err
	}
	collectLess()
	policies, err := c.policies.load(ctx)
	if err != nil {
		return err
	}
	j := &judge{policies: policies, now: time.Now(), namespace: c.place.namespace, labels: given, progress: startProgress(c.streams.err)}
	found := resource.Load(ctx, opts, paths...)
	r, err := j.judge(ctx, found)
	j.progress.stop()
	if err != nil {
		return err
	}
	for _, text := range append(c.charts.unused(found), nothing(found, paths)...) {
		r.Warnings = append(r.Warnings, report.Note{Message: text})
	}
	return c.out.finish(r, c.streams)
}

// nothing returns the warning that folders hold nothing to judge: in a pipeline, one
// whose files have moved would pass for a clean one. A plan may well plan nothing.
func nothing(found resource.Result, paths []string) []string {
	if len(found.Objects)+len(found.Errors) > 0 {
		return nil
	}
	for _, path := range paths {
		if info, err := os.Stat(path); err != nil || !info.IsDir() {
			return nil
		}
	}
	return []string{"nothing was judged, as no object is in what was named"}
}

// conclude tells of errors and warnings, and returns what the exit code is made of.
func conclude(r *report.Report, stderr io.Writer) error {
	for _, w := range r.Warnings {
		complain(stderr, "warning: "+at(w.Source)+w.Message)
	}
	tell(stderr, r.AllErrors())
	switch {
	case r.Untold():
		return errUntold
	case r.Summary().Failing > 0:
		return errDenied
	}
	return nil
}

// tell writes errors to standard error.
func tell(stderr io.Writer, errs []report.Error) {
	for _, e := range errs {
		text := at(e.Source)
		if e.Object != nil {
			text += e.Object.Printable() + ": "
		}
		if e.Policy != "" {
			text += "policy " + e.Policy + ": "
		}
		complain(stderr, text+e.Message)
	}
}

// at returns "file:line: ", "" for what is in no file.
func at(s report.Source) string {
	if s.File == "" {
		return ""
	}
	return s.String() + ": "
}
