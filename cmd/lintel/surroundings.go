package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/report"
)

// surroundings are what policies see beside the object that they judge.
type surroundings struct {
	namespaces map[string]*engine.Object
	assumed    map[string]bool // the namespaces of which nobody gave the labels
	inventory  *engine.Inventory
	warnings   []string
}

// surroundings gathers, from the objects of the run, the Namespace objects and
// what the policies declare that they read. Other Namespace objects are those of the
// cluster that the policies come from.
func (j *judge) surroundings(ctx context.Context, candidates []candidate) *surroundings {
	s := &surroundings{namespaces: map[string]*engine.Object{}, assumed: map[string]bool{}}
	read := map[[2]string]bool{}
	for _, k := range j.policies.set.Inventory() {
		read[[2]string{k.APIVersion, k.Kind}] = true
	}
	var inventory []*engine.Object
	for i := range candidates {
		c := &candidates[i]
		isNamespace := c.APIVersion == "v1" && c.Kind == "Namespace"
		if !isNamespace && !read[[2]string{c.APIVersion, c.Kind}] {
			continue
		}
		o, err := c.decode()
		if err != nil {
			continue // it cannot be judged, and that is told of there
		}
		if isNamespace {
			s.namespaces[c.Name] = o
		}
		if read[[2]string{c.APIVersion, c.Kind}] {
			inventory = append(inventory, o)
		}
	}
	s.inventory = engine.NewInventory(inventory...)
	if j.labels == nil && j.policies.client != nil {
		j.readNamespaces(ctx, candidates, s)
	}
	j.assume(candidates, s)
	return s
}

// decode returns the object as it would be in a cluster, in its namespace.
func (c *candidate) decode() (*engine.Object, error) {
	if c.err != nil {
		return nil, c.err
	}
	data := c.JSON
	if c.namespace != c.Namespace {
		var err error
		if data, err = inNamespace(data, c.namespace); err != nil {
			return nil, err
		}
	}
	return engine.DecodeObject(data)
}

// inNamespace returns an object, as JSON, with its namespace set.
func inNamespace(object []byte, namespace string) ([]byte, error) {
	var fields, meta map[string]json.RawMessage
	if err := json.Unmarshal(object, &fields); err != nil {
		return nil, err
	}
	if data, ok := fields["metadata"]; ok {
		if err := json.Unmarshal(data, &meta); err != nil {
			return nil, err
		}
	}
	if meta == nil {
		meta = map[string]json.RawMessage{}
	}
	var err error
	if meta["namespace"], err = json.Marshal(namespace); err != nil {
		return nil, err
	}
	if fields["metadata"], err = json.Marshal(meta); err != nil {
		return nil, err
	}
	return json.Marshal(fields)
}

// nameLabel is the label that the API server gives each namespace.
const nameLabel = "kubernetes.io/metadata.name"

// assume makes up the namespaces that are not among the objects.
func (j *judge) assume(candidates []candidate, s *surroundings) {
	for _, c := range candidates {
		if c.namespace == "" || s.namespaces[c.namespace] != nil {
			continue
		}
		labels := maps.Clone(j.labels)
		if labels == nil {
			labels = map[string]string{}
		}
		labels[nameLabel] = c.namespace
		s.assumed[c.namespace] = j.labels == nil
		s.namespaces[c.namespace] = newNamespace(c.namespace, labels)
	}
}

// newNamespace returns a Namespace object, nil if there cannot be such a one.
func newNamespace(name string, labels map[string]string) *engine.Object {
	data, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name, "labels": labels},
	})
	if err != nil {
		return nil
	}
	o, err := engine.DecodeObject(data)
	if err != nil {
		return nil
	}
	return o
}

// assumptions says which namespaces were taken to have no labels although some
// policy that was asked goes by them.
func (j *judge) assumptions(objects []report.Object, asked [][]string, s *surroundings) []string {
	selects, reads := j.policies.selectsNamespaces(), j.policies.readsNamespaces()
	names := map[string]bool{}
	for i := range objects {
		o := &objects[i]
		if !s.assumed[o.Ref.Namespace] || o.Err != nil || o.Passed != "" {
			continue
		}
		if selects || slices.ContainsFunc(asked[i], func(policy string) bool { return reads[policy] }) {
			names[o.Ref.Namespace] = true
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []string{assumption(slices.Sorted(maps.Keys(names)))}
}

// shownNamespaces is how many namespaces an assumption names.
const shownNamespaces = 5

// quotedNames lists names, the first of many.
func quotedNames(names []string) string {
	quoted := make([]string, 0, len(names))
	for _, name := range names[:min(len(names), shownNamespaces)] {
		quoted = append(quoted, fmt.Sprintf("%.63q", name))
	}
	list := strings.Join(quoted, ", ")
	if more := len(names) - shownNamespaces; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return list
}

func assumption(names []string) string {
	list := quotedNames(names)
	if len(names) == 1 {
		return fmt.Sprintf("namespace %s has no labels (--namespace-labels gives them, or its Namespace object among the files)", list)
	}
	return fmt.Sprintf("namespaces %s have no labels (--namespace-labels gives them, or their Namespace objects among the files)", list)
}
