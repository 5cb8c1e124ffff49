package resource

import (
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"
)

// A configuration finds what a plan says of how it was written.
type configuration struct {
	providers map[string]*tfjson.ProviderConfig
	root      *scope // nil where the plan does not say
	scopes    map[string]*scope
}

// A scope is a module of the configuration, in which references have a meaning.
type scope struct {
	module    *tfjson.ConfigModule
	call      *tfjson.ModuleCall // nil for the root
	parent    *scope             // nil for the root
	resources map[string]*tfjson.ConfigResource
	children  map[string]*scope // that were asked for
}

// A configured is a resource as it is written, and the module it is in. Both are nil
// where the plan does not say.
type configured struct {
	scope    *scope
	resource *tfjson.ConfigResource
}

func newConfiguration(c *tfjson.Config) *configuration {
	out := &configuration{scopes: map[string]*scope{}}
	if c == nil {
		return out
	}
	out.providers = c.ProviderConfigs
	if c.RootModule != nil {
		out.root = newScope(c.RootModule, nil, nil)
		out.scopes[""] = out.root
	}
	return out
}

func newScope(m *tfjson.ConfigModule, call *tfjson.ModuleCall, parent *scope) *scope {
	s := &scope{module: m, call: call, parent: parent, resources: map[string]*tfjson.ConfigResource{}, children: map[string]*scope{}}
	for _, r := range m.Resources {
		if r != nil {
			s.resources[string(r.Mode)+" "+r.Type+"."+r.Name] = r
		}
	}
	return s
}

// of returns the configuration of a resource.
func (c *configuration) of(rc *tfjson.ResourceChange) configured {
	return c.find(rc.ModuleAddress, rc.Mode, rc.Type, rc.Name)
}

func (c *configuration) find(module string, mode tfjson.ResourceMode, kind, name string) configured {
	s := c.scope(module)
	if s == nil {
		return configured{}
	}
	return configured{s, s.resources[string(mode)+" "+kind+"."+name]}
}

// scope returns the module at an address such as module.a["x"].module.b[0], nil if
// there is none.
func (c *configuration) scope(address string) *scope {
	if s, ok := c.scopes[address]; ok || c.root == nil {
		return s
	}
	s := c.root
	for _, name := range moduleNames(address) {
		if s = s.child(name); s == nil {
			break
		}
	}
	c.scopes[address] = s
	return s
}

func (s *scope) child(name string) *scope {
	call := s.module.ModuleCalls[name]
	if call == nil || call.Module == nil {
		return nil
	}
	if s.children[name] == nil {
		s.children[name] = newScope(call.Module, call, s)
	}
	return s.children[name]
}

// moduleNames returns the names of the modules of an address, without the keys of
// their instances.
func moduleNames(address string) []string {
	var names []string
	for rest, ok := strings.CutPrefix(address, "module."); ok; rest, ok = strings.CutPrefix(rest, ".module.") {
		end := strings.IndexAny(rest, ".[")
		if end < 0 {
			return append(names, rest)
		}
		names = append(names, rest[:end])
		rest = afterIndex(rest[end:])
	}
	return names
}

// afterIndex returns what follows the index that text begins with, if it does. In a
// key in quotes, brackets and dots mean nothing.
func afterIndex(text string) string {
	if !strings.HasPrefix(text, "[") {
		return text
	}
	quoted := false
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			quoted = !quoted
		case ']':
			if !quoted {
				return text[i+1:]
			}
		}
	}
	return ""
}

// provider returns the address of a provider's configuration, and what is written
// in it as constants: nil if that is nothing.
func (c *configuration) provider(key string) (string, map[string]any) {
	p := c.providers[key]
	if p == nil {
		return "", nil
	}
	written := map[string]any{}
	for attribute, e := range p.Expressions {
		if v := constantsOf(e); v != nil {
			written[attribute] = v
		}
	}
	address := "provider." + p.Name
	if p.ModuleAddress != "" {
		address = p.ModuleAddress + "." + address
	}
	if p.Alias != "" {
		address += "." + p.Alias
	}
	if len(written) == 0 {
		return address, nil
	}
	return address, map[string]any{"name": p.Name, "alias": p.Alias, "module": p.ModuleAddress, "configured": written}
}

// constantsOf returns what is constant in an expression, nil if that is nothing.
func constantsOf(e *tfjson.Expression) any {
	if e == nil || e.ExpressionData == nil {
		return nil
	}
	if len(e.NestedBlocks) == 0 {
		if e.ConstantValue == tfjson.UnknownConstantValue {
			return nil
		}
		return e.ConstantValue
	}
	var blocks []any
	for _, block := range e.NestedBlocks {
		written := map[string]any{}
		for attribute, inner := range block {
			if v := constantsOf(inner); v != nil {
				written[attribute] = v
			}
		}
		blocks = append(blocks, written)
	}
	return blocks
}

// maxFollowed is how many references are followed from one to the next. They lead
// through modules, whose nesting is bounded as well.
const maxFollowed = 64

// maxReferences is how many references of one expression are looked at.
const maxReferences = 100

// brought reports whether all of an expression comes from outside of what is
// written: from resources, data sources and variables that are sensitive and have
// no default. Where one cannot know, as with locals, it does not.
func (s *scope) brought(e *tfjson.Expression, followed int) bool {
	if e == nil || e.ExpressionData == nil || len(e.NestedBlocks) > 0 || len(e.References) == 0 {
		return false
	}
	if followed > maxFollowed || len(e.References) > maxReferences {
		return false
	}
	for _, reference := range e.References {
		if !isWithin(reference, e.References) && !s.leadsOut(reference, followed+1) {
			return false
		}
	}
	return true
}

// isWithin reports whether a reference is the beginning of another: beside a.b.c
// Terraform lists a.b.
func isWithin(reference string, all []string) bool {
	return slices.ContainsFunc(all, func(other string) bool {
		rest, ok := strings.CutPrefix(other, reference)
		return ok && rest != "" && (rest[0] == '.' || rest[0] == '[')
	})
}

func (s *scope) leadsOut(reference string, followed int) bool {
	first, rest, _ := strings.Cut(reference, ".")
	name, rest, _ := strings.Cut(rest, ".")
	name, _, _ = strings.Cut(name, "[")
	switch first {
	case "var":
		v := s.module.Variables[name]
		if s.parent == nil {
			return v != nil && v.Sensitive && v.Default == nil
		}
		return s.call != nil && s.parent.brought(s.call.Expressions[name], followed)
	case "module":
		child := s.child(name)
		output, _, _ := strings.Cut(rest, ".")
		output, _, _ = strings.Cut(output, "[")
		if child == nil || child.module.Outputs[output] == nil {
			return false
		}
		return child.brought(child.module.Outputs[output].Expression, followed)
	case "local", "each", "count", "path", "terraform", "tofu", "self", "":
		return false
	}
	return true
}
