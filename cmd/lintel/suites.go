package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
)

// readSuites reads policies as they come, with what proves them. What is broken is
// in the second result; the error is for what cannot be a source at all.
func readSuites(from []string) ([]policies.Suite, []error, error) {
	var all []policies.Suite
	var broken []error
	origins := map[string]string{}
	for _, name := range from {
		suites, err := readSuite(name)
		if err != nil && len(suites) == 0 {
			return nil, nil, err
		}
		broken = append(broken, engine.EachError(err)...)
		for _, s := range suites {
			if have, ok := origins[s.Policy.Name]; ok {
				broken = append(broken, fmt.Errorf("policy %s is there twice: in %s and in %s", s.Policy.Name, have, s.Policy.Origin))
				continue
			}
			origins[s.Policy.Name] = s.Policy.Origin
			all = append(all, s)
		}
	}
	return all, broken, nil
}

// readSuite reads what one value of the flag names.
func readSuite(name string) ([]policies.Suite, error) {
	switch name {
	case fromEmbedded:
		return policies.EmbeddedSuites()
	case fromCluster:
		return nil, fmt.Errorf(`policies of a cluster have neither tests nor samples there: name "embedded" or a folder`)
	}
	return policies.LoadSuites(name)
}

// readPages returns the documentation of policies as they come, and what is broken
// among them.
func readPages(from []string) ([]policies.Page, []error, error) {
	suites, broken, err := readSuites(from)
	if err != nil {
		return nil, nil, err
	}
	var pages []policies.Page
	for _, s := range suites {
		set, err := engine.Compile(engine.Config{Policies: []engine.Policy{s.Policy}})
		if err != nil {
			broken = append(broken, engine.EachError(err)...)
			continue
		}
		pages = append(pages, policies.NewPage(set.Policies()[0], s.Samples))
	}
	return pages, broken, nil
}

// pages returns the documentation of the policies. Those of a cluster have no
// samples there, and their settings are those of the cluster.
func (s *sourceFlags) pages(ctx context.Context) ([]policies.Page, []error, error) {
	if !slices.Contains(s.names, fromCluster) {
		return readPages(s.names)
	}
	loaded, err := s.load(ctx)
	if err != nil {
		return nil, nil, err
	}
	var pages []policies.Page
	for _, info := range loaded.set.Policies() {
		pages = append(pages, policies.NewPage(info, nil))
	}
	return pages, loaded.broken, nil
}
