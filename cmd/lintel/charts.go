package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"

	"github.com/lintel-policy/lintel/resource"
)

// chartFlags say how charts among the files are rendered.
type chartFlags struct {
	options resource.ChartOptions
}

func (c *chartFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&c.options.Values, "values", nil, "`file` with values for charts; repeatable, the last wins")
	flags.StringArrayVar(&c.options.Set, "set", nil, "value for charts, as `key=value`; repeatable, wins over files")
	flags.StringArrayVar(&c.options.SetString, "set-string", nil, "value for charts, as `key=value`, that is a string; repeatable")
	flags.StringVar(&c.options.Release, "release", "", "`name` of the release that charts are told (default the chart's name)")
	flags.StringArrayVar(&c.options.APIVersions, "api-versions", nil, "`version` of an API, as in monitoring.coreos.com/v1, that charts are told the cluster has; repeatable")
}

// read returns how files are read, for objects in a namespace.
// The samples of policies that are folders are no objects of theirs.
func (c *chartFlags) read(s streams, namespace string, policies []string) (resource.Options, error) {
	if name := c.options.Release; name != "" {
		if err := chartutil.ValidateReleaseName(name); err != nil {
			return resource.Options{}, fmt.Errorf("release %q: is no name that helm takes", name)
		}
	}
	program, err := os.Executable()
	if err != nil {
		return resource.Options{}, fmt.Errorf("find the program that renders charts: %w", err)
	}
	charts := c.options
	charts.Renderer = []string{program, renderCommand}
	return resource.Options{Stdin: s.in, Namespace: namespace, Charts: charts, Policies: folders(policies)}, nil
}

// unused returns the warning that values were given and no chart takes them.
func (c *chartFlags) unused(found resource.Result) []string {
	o := c.options
	if len(o.Values)+len(o.Set)+len(o.SetString) == 0 || len(found.Errors) > 0 {
		return nil
	}
	for i := range found.Objects {
		if strings.HasPrefix(found.Objects[i].Rendered, "chart ") {
			return nil
		}
	}
	return []string{"values are given, and no chart is in what was named"}
}

// renderCommand is the command that check runs for each chart.
const renderCommand = "render-chart"

func newRenderChart(s streams) *cobra.Command {
	return &cobra.Command{
		Use:    renderCommand,
		Short:  "Render one chart for another command",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(*cobra.Command, []string) error { return resource.RenderCharts(s.in, s.out) },
	}
}
