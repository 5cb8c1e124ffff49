package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/client-go/dynamic"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
)

// The places that policies come from which are no folders.
const (
	fromEmbedded = policies.EmbeddedOrigin
	fromCluster  = "cluster"
)

// sourceFlags say where policies come from.
type sourceFlags struct {
	names      []string // embedded, cluster, or folders
	kubeconfig string   // of the cluster; "" is what kubectl would take
}

func (s *sourceFlags) add(cmd *cobra.Command) {
	policiesFlag(cmd, &s.names, fromEmbedded)
	cmd.Flags().StringVar(&s.kubeconfig, "kubeconfig", "", "`file` that says how to reach the cluster of \"-p cluster\"; without it, as kubectl finds out")
}

// load loads and compiles the policies. Broken ones are in the result; it is an
// error if a source cannot be read at all, or if no policy is left.
func (s *sourceFlags) load(ctx context.Context) (*loaded, error) { return s.loadFrom(ctx, s.names) }

// loadFrom does the same from other sources, of the same cluster.
func (s *sourceFlags) loadFrom(ctx context.Context, names []string) (*loaded, error) {
	var objects policies.Objects
	cfg, broken, err := readPolicies(names, func() (source policies.Source, err error) {
		if objects, err = readClusterPolicies(ctx, s.kubeconfig); err != nil {
			return policies.Source{}, err
		}
		return policies.FromObjects(objects)
	})
	if err != nil {
		return nil, err
	}
	l, err := compile(cfg, broken)
	if err == nil && slices.Contains(names, fromCluster) {
		l.objects = objects.Policies
		l.client, err = clusterClient(s.kubeconfig)
	}
	return l, err
}

func clusterClient(kubeconfig string) (dynamic.Interface, error) {
	config, err := findCluster(kubeconfig, "")
	if err != nil {
		return nil, err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	return client, nil
}

// readClusterPolicies reads the objects of a cluster.
func readClusterPolicies(ctx context.Context, kubeconfig string) (policies.Objects, error) {
	client, err := clusterClient(kubeconfig)
	if err != nil {
		return policies.Objects{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	objects, err := controller.ReadPolicies(ctx, client)
	if err != nil {
		return policies.Objects{}, fmt.Errorf("read policies of the cluster: %w", err)
	}
	return objects, nil
}

// policiesFlag adds the flag that says where policies come from.
func policiesFlag(cmd *cobra.Command, from *[]string, standard string) {
	cmd.Flags().StringArrayVarP(from, "policies", "p", []string{standard},
		"`source` of policies: \"embedded\" (the library in this binary), \"cluster\", or a folder; repeatable")
	cmd.Flag("policies").DefValue = standard
	// The words are offered beside the folders.
	must(cmd.RegisterFlagCompletionFunc("policies", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return []string{fromEmbedded, fromCluster}, cobra.ShellCompDirectiveDefault
	}))
}

// complete offers words for a flag.
func complete(cmd *cobra.Command, flag string, words ...string) {
	must(cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)))
}

// must stops the program at an error that only the program itself can have made.
func must(err error) {
	if err != nil {
		panic(err) //nolint:forbidigo // only a mistake in this very program comes here
	}
}

// loaded is a set of policies, and what was broken among them.
type loaded struct {
	set     *engine.Set
	sources []engine.Policy
	broken  []error
	objects []v1alpha1.Policy // those of the cluster that they come from
	client  dynamic.Interface // of that cluster; nil if they come from none
}

// compile compiles what was read.
func compile(cfg engine.Config, broken []error) (*loaded, error) {
	set, err := engine.Compile(cfg)
	l := &loaded{set: set, sources: cfg.Policies, broken: append(broken, engine.EachError(err)...)}
	if len(set.Policies()) == 0 {
		return nil, errors.Join(append(l.broken, errors.New("there are no policies to judge by"))...)
	}
	return l, nil
}

// readPolicies reads policies without compiling them, those of a cluster by cluster.
func readPolicies(from []string, cluster func() (policies.Source, error)) (engine.Config, []error, error) {
	sources, broken, err := readSources(from, cluster)
	if err != nil {
		return engine.Config{}, nil, err
	}
	all, err := policies.Combine(sources...)
	return engine.Config{Policies: all.Policies, Exceptions: all.Exceptions}, append(broken, engine.EachError(err)...), nil
}

// readSources reads what values of the flag name. What is broken is in the second
// result; the error says that there is no cluster, or that it does not answer.
func readSources(from []string, cluster func() (policies.Source, error)) (sources []policies.Source, broken []error, err error) {
	for _, name := range from {
		source, err := readSource(name, cluster)
		var isPolicy *engine.PolicyError
		if name == fromCluster && err != nil && !errors.As(err, &isPolicy) {
			return nil, nil, err
		}
		broken = append(broken, engine.EachError(err)...)
		sources = append(sources, source)
	}
	return sources, broken, nil
}

// readSource reads what one value of the flag names.
func readSource(name string, cluster func() (policies.Source, error)) (policies.Source, error) {
	switch name {
	case fromEmbedded:
		return policies.Library()
	case fromCluster:
		return cluster()
	}
	return policies.Load(name)
}

// folders returns those of the sources that are folders.
func folders(from []string) []string {
	return slices.DeleteFunc(slices.Clone(from), func(name string) bool { return name == fromEmbedded || name == fromCluster })
}

// noCluster is the cluster of those who have none.
func noCluster() (policies.Source, error) {
	return policies.Source{}, errors.New(`there is no cluster to read policies from: name "embedded" or a folder with --policies`)
}

// complain tells of broken policies and returns errUntold if there are any.
func (l *loaded) complain(stderr io.Writer) error { return complainOf(l.broken, stderr) }

// complainOf tells of errors and returns errUntold if there are any.
func complainOf(errs []error, stderr io.Writer) error {
	for _, err := range errs {
		complain(stderr, err.Error())
	}
	if len(errs) > 0 {
		return errUntold
	}
	return nil
}

// names returns the names of the policies, sorted.
func (l *loaded) names() []string {
	var names []string
	for _, p := range l.set.Policies() {
		names = append(names, p.Name)
	}
	return names
}

// readsNamespaces returns the names of the policies whose verdict may depend on
// the labels of namespaces.
func (l *loaded) readsNamespaces() map[string]bool {
	names := map[string]bool{}
	for _, p := range l.sources {
		for _, m := range p.Modules {
			if strings.Contains(m.Rego, "namespaceObject") {
				names[p.Name] = true
			}
		}
	}
	return names
}

// selectsNamespaces reports whether some policy goes by the labels of namespaces
// to find out whether and how it is enforced.
func (l *loaded) selectsNamespaces() bool {
	for _, p := range l.set.Policies() {
		if p.Match.NamespaceSelector != nil || p.Spec.Exceptions != nil && p.Spec.Exceptions.NamespaceSelector != nil {
			return true
		}
		for _, s := range p.Spec.Scopes {
			if s.NamespaceSelector != nil {
				return true
			}
		}
	}
	return false
}
