package resource

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"
)

const (
	// shortest is the shortest text that is taken for what a reference stood for.
	// Shorter ones are in other texts by chance.
	shortest = 6

	// maxKnown is how many of them are known. What goes beyond is taken to be
	// written down, which is a finding too many and not one too few.
	maxKnown = 10_000

	// maxGrown is by how many bytes references may be longer than what they stand
	// for, all together. Beyond, what there is stays.
	maxGrown = 16 << 20
)

// known replaces what a plan got from outside by a reference to where it came from,
// as it stands in what people wrote.
type known struct {
	texts    map[string]string // by text; what it is replaced by
	replacer *strings.Replacer
	grown    int // bytes by which references were longer
}

// learn gathers the texts of a plan that nobody wrote: values of variables that are
// sensitive, and what resources and data sources computed and mark as sensitive.
func (p *terraformPlan) learn(variables map[string]*tfjson.PlanVariable, before member) (*known, error) {
	k := &known{texts: map[string]string{}}
	for name, v := range variables {
		if d := p.declared(name); v != nil && d != nil && d.Sensitive && fmt.Sprint(d.Default) != fmt.Sprint(v.Value) {
			k.add(v.Value, true, "var."+name)
		}
	}
	err := p.each(func(_ int, rc *tfjson.ResourceChange) {
		after, _ := rc.Change.After.(map[string]any)
		p.computed(k, p.config.of(rc), rc.Type, after, rc.Change.AfterSensitive, rc.Address)
	})
	if err != nil {
		return nil, err
	}
	root, err := before.at("values", "root_module")
	if err == nil {
		err = p.dataSources(k, root)
	}
	if err != nil {
		return nil, err
	}
	k.replacer = k.replacing()
	return k, nil
}

// replacing returns what replaces each text by its reference, the longest first: the
// others may be in it.
func (k *known) replacing() *strings.Replacer {
	texts := slices.SortedFunc(maps.Keys(k.texts), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
	})
	pairs := make([]string, 0, 2*len(texts))
	for _, text := range texts {
		pairs = append(pairs, text, k.texts[text])
	}
	return strings.NewReplacer(pairs...)
}

// A stateResource is of a resource in a state what is of use here.
type stateResource struct {
	Address   string         `json:"address"`
	Mode      string         `json:"mode"`
	Type      string         `json:"type"`
	Name      string         `json:"name"`
	Values    map[string]any `json:"values"`
	Sensitive any            `json:"sensitive_values"`
}

// dataSources learns what the data sources of a module and of those in it say.
func (p *terraformPlan) dataSources(k *known, module member) error {
	parts, err := module.members()
	if err != nil {
		return err
	}
	var address string
	if err := parts["address"].decode(&address); err != nil {
		return err
	}
	resources, err := parts["resources"].items()
	if err != nil {
		return err
	}
	for _, item := range resources {
		var r stateResource
		if err := item.decodeSmall(&r); err != nil {
			return err
		}
		if r.Mode == string(tfjson.DataResourceMode) {
			p.computed(k, p.config.find(address, tfjson.DataResourceMode, r.Type, r.Name), r.Type, r.Values, r.Sensitive, r.Address)
		}
	}
	children, err := parts["child_modules"].items()
	if err != nil {
		return err
	}
	for _, child := range children {
		if err := p.dataSources(k, child); err != nil {
			return err
		}
	}
	return nil
}

// computed learns the values that a resource gives and nobody gave to it.
func (p *terraformPlan) computed(k *known, found configured, kind string, values map[string]any, sensitive any, address string) {
	if found.resource == nil {
		return
	}
	marks, _ := sensitive.(map[string]any)
	for attribute, v := range values {
		if found.resource.Expressions[attribute] == nil && !isBlocks(v) {
			k.add(marked(v, marks[attribute], givesSecrets(kind)), true, address)
		}
	}
}

// givesSecrets reports whether what a type computes may be secret although the
// provider does not mark it.
func givesSecrets(kind string) bool {
	return strings.HasPrefix(kind, "random_") || kind == "terraform_remote_state" || kind == "external"
}

// marked returns what of a value is marked as sensitive, or all of it.
func marked(v, marks any, all bool) any {
	if all || marks == true {
		return v
	}
	switch v := v.(type) {
	case map[string]any:
		inner, _ := marks.(map[string]any)
		out := map[string]any{}
		for key, item := range v {
			out[key] = marked(item, inner[key], false)
		}
		return out
	case []any:
		inner, _ := marks.([]any)
		var out []any
		for i, item := range v {
			if i < len(inner) {
				out = append(out, marked(item, inner[i], false))
			}
		}
		return out
	}
	return nil
}

// add learns the texts in a value, and those in the JSON that a text may be.
func (k *known) add(v any, decode bool, from string) {
	switch v := v.(type) {
	case map[string]any:
		for _, item := range v {
			k.add(item, decode, from)
		}
	case []any:
		for _, item := range v {
			k.add(item, decode, from)
		}
	case string:
		if len(v) < shortest || len(k.texts) >= maxKnown {
			return
		}
		reference := "${" + clip(from, 40) + "}"
		if k.texts[v] == "" || reference < k.texts[v] {
			k.texts[v] = reference
		}
		var inner any
		if decode && (v[0] == '{' || v[0] == '[') && json.Unmarshal([]byte(v), &inner) == nil {
			k.add(inner, false, from)
		}
	}
}

// unwritten returns v with what is known in it replaced.
func (k *known) unwritten(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			out[key] = k.unwritten(item)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = k.unwritten(item)
		}
		return out
	case string:
		if k.grown > maxGrown {
			return v
		}
		out := k.replacer.Replace(v)
		k.grown += max(0, len(out)-len(v))
		return out
	}
	return v
}
