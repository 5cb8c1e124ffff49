package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
)

// namespacesTime is how long all Namespace objects of a run may take to be read.
const namespacesTime = 30 * time.Second

// readNamespaces reads, of the cluster that the policies come from, the Namespace
// objects that are not among the objects of the run. One that is not there has no
// labels, as far as anybody knows; so has one that cannot be read, with a warning.
func (j *judge) readNamespaces(ctx context.Context, candidates []candidate, s *surroundings) {
	names := map[string]bool{}
	for _, c := range candidates {
		if c.namespace != "" && s.namespaces[c.namespace] == nil {
			names[c.namespace] = true
		}
	}
	ctx, cancel := context.WithTimeout(ctx, namespacesTime)
	defer cancel()
	sorted := slices.Sorted(maps.Keys(names))
	errs := map[string]error{}
	var mu sync.Mutex
	spread(len(sorted), func(i int) {
		o, err := controller.ReadNamespace(ctx, j.policies.client, sorted[i])
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil:
			s.namespaces[sorted[i]] = o
		case !apierrors.IsNotFound(err):
			errs[sorted[i]] = err
		}
	})
	s.warnings = append(s.warnings, unread(errs)...)
}

// unread says which namespaces could not be read, and of the first one why.
func unread(errs map[string]error) []string {
	if len(errs) == 0 {
		return nil
	}
	names := slices.Sorted(maps.Keys(errs))
	what := "the labels of namespace " + quotedNames(names)
	if len(names) > 1 {
		what = "the labels of namespaces " + quotedNames(names)
	}
	return []string{fmt.Sprintf("%s could not be read from the cluster: %s", what, engine.Printable(errs[names[0]].Error()))}
}
