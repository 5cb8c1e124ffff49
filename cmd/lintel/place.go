package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
)

// placeFlags say where objects of files would be created.
type placeFlags struct {
	namespace string
	labels    string
}

func (p *placeFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&p.namespace, "namespace", "n", "default", "`namespace` of objects that do not say theirs")
	flags.StringVar(&p.labels, "namespace-labels", "", "labels, as `key=value,...`, of namespaces whose Namespace object is not among the objects")
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
	given, err := labels.ConvertSelectorToLabelsMap(p.labels)
	if err != nil {
		return nil, fmt.Errorf("read --namespace-labels: %w", err)
	}
	if given == nil {
		given = labels.Set{}
	}
	return given, nil
}
