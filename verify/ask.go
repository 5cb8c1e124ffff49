package verify

import (
	"context"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lintel-policy/lintel/resource"
)

// A finding is a result of the violation rule.
type finding struct {
	path    []any // keys and indexes; numbers are int
	message string
}

// watch asks the policy about a sample with the watcher looking on, which the engine
// has no room for.
func (p *proof) watch(ctx context.Context, s *sample) error {
	input, err := p.input(s, s.object())
	if err != nil {
		return err
	}
	for _, rule := range []string{"violation", "patch"} {
		query, err := p.rego.prepare(ctx, p.rego.pkg+"."+rule, p.inventoryOf(s))
		if err != nil {
			continue // there is no such rule
		}
		if _, err := query.Eval(ctx, rego.EvalParsedInput(input), rego.EvalQueryTracer(p.watched)); err != nil {
			return fmt.Errorf("%s: %s", rule, describe(ctx, err, p.cfg.Timeout))
		}
	}
	return nil
}

// input returns what the policy is asked about an object that takes the place of a sample.
func (p *proof) input(s *sample, o object) (ast.Value, error) {
	parameters := any(p.info.Values)
	if p.info.Values == nil {
		parameters = object{}
	}
	return ast.InterfaceToValue(object{"review": s.review(o), "parameters": parameters})
}

// review returns what a policy is asked about the creation of an object.
func (s *sample) review(o object) object {
	gvk := schema.FromAPIVersionAndKind(s.read.APIVersion, s.read.Kind)
	gvr, _ := meta.UnsafeGuessKindToResource(gvk)
	kind := object{"group": gvk.Group, "version": gvk.Version, "kind": gvk.Kind}
	resources := object{"group": gvr.Group, "version": gvr.Version, "resource": gvr.Resource}
	review := object{
		"uid": "00000000-0000-0000-0000-000000000000", "kind": kind, "requestKind": kind, "resource": resources, "requestResource": resources,
		"name": s.read.Name, "operation": "CREATE", "object": o, "oldObject": nil, "userInfo": object{}, "dryRun": false,
	}
	if s.namespace != "" {
		review["namespace"], review["namespaceObject"] = s.namespace, s.file.namespace(s.namespace)
	}
	return review
}

// inventoryOf returns data.inventory for a sample.
func (p *proof) inventoryOf(s *sample) map[string]any {
	namespaces, cluster := object{}, object{}
	for _, o := range p.beside(s) {
		apiVersion, _ := o["apiVersion"].(string)
		kind, _ := o["kind"].(string)
		metadata, _ := o["metadata"].(object)
		name, _ := metadata["name"].(string)
		namespace, _ := metadata["namespace"].(string)
		if namespace == "" {
			put(o, cluster, apiVersion, kind, name)
		} else {
			put(o, namespaces, namespace, apiVersion, kind, name)
		}
	}
	return object{"namespace": namespaces, "cluster": cluster}
}

// put puts a value where keys lead to.
func put(value any, into object, keys ...string) {
	for _, key := range keys[:len(keys)-1] {
		inner, ok := into[key].(object)
		if !ok {
			inner = object{}
			into[key] = inner
		}
		into = inner
	}
	into[keys[len(keys)-1]] = value
}

// ask returns what the policy finds with an input.
func (p *proof) ask(ctx context.Context, query rego.PreparedEvalQuery, input ast.Value) ([]finding, error) {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	results, err := query.Eval(ctx, rego.EvalParsedInput(input))
	if err != nil || len(results) == 0 {
		return nil, err
	}
	items, _ := results[0].Expressions[0].Value.([]any)
	var found []finding
	for _, item := range items {
		o, ok := item.(object)
		if !ok || o["exempt"] == true {
			continue
		}
		f := finding{}
		f.message, _ = o["msg"].(string)
		steps, _ := o["path"].([]any)
		for _, step := range steps {
			f.path = append(f.path, asStep(step))
		}
		found = append(found, f)
	}
	return found, nil
}

// asStep returns an index as an int.
func asStep(step any) any {
	if n, ok := step.(fmt.Stringer); ok { // a json.Number
		var i int
		if _, err := fmt.Sscan(n.String(), &i); err == nil {
			return i
		}
	}
	return step
}

// written returns the path as people read it.
func written(path []any) string {
	var b strings.Builder
	for i, step := range path {
		switch s := step.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", s)
		case string:
			if i > 0 {
				b.WriteString(".")
			}
			b.WriteString(s)
		}
	}
	return b.String()
}

// changed returns the sample's object as an API server would have it if it were
// written otherwise; false if it would be refused.
func (s *sample) changed(o object) (object, bool) {
	r, err := resource.New(encode(o), s.File, s.Line)
	if err != nil {
		return nil, false
	}
	c := sample{Sample: s.Sample, file: s.file}
	if c.take(r) != nil {
		return nil, false
	}
	return c.object(), true
}
