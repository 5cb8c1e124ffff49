package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
)

// somePaths refuses a command line with an empty path, and one without paths, of
// which it says why; if that is "", there may be none.
func somePaths(why string) cobra.PositionalArgs {
	return func(_ *cobra.Command, paths []string) error {
		switch {
		case len(paths) == 0 && why != "":
			return errors.New(why)
		case slices.Contains(paths, ""):
			return errors.New("a path is empty")
		}
		return nil
	}
}

// placeFlags say where objects of files would be created.
type placeFlags struct {
	namespace string
	labels    []string
}

func (p *placeFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&p.namespace, "namespace", "n", "default", "`namespace` of objects that do not say theirs")
	flags.StringArrayVar(&p.labels, "namespace-labels", nil, "labels, as `key=value,...`, of namespaces whose Namespace object is not among the objects; repeatable")
}

// read checks the flags and returns the labels that were given, nil if it was not
// said what they are.
func (p *placeFlags) read(cmd *cobra.Command) (map[string]string, error) {
	if problems := validation.IsDNS1123Label(p.namespace); len(problems) > 0 {
		return nil, fmt.Errorf("namespace %q: %s", p.namespace, problems[0])
	}
	if !cmd.Flags().Changed("namespace-labels") {
		return nil, nil
	}
	all := labels.Set{}
	for _, text := range p.labels {
		given, err := labels.ConvertSelectorToLabelsMap(text)
		if err != nil {
			return nil, fmt.Errorf("read --namespace-labels: %w", err)
		}
		maps.Copy(all, given)
	}
	return all, nil
}
