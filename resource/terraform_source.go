package resource

import (
	"fmt"
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"
)

// withheldText stands for what the plan marks as sensitive, as Terraform shows it.
const withheldText = "(sensitive value)"

// declared returns the declaration of a variable of the root module, nil if there is none.
func (p *terraformPlan) declared(name string) *tfjson.ConfigVariable {
	if p.config.root == nil {
		return nil
	}
	return p.config.root.module.Variables[name]
}

// variable returns the spec of a variable. What it has from outside and keeps to
// itself is nobody's business.
func (p *terraformPlan) variable(name string, v *tfjson.PlanVariable) map[string]any {
	written := map[string]any{}
	spec := map[string]any{"name": name, "sensitive": false, "configured": written}
	d := p.declared(name)
	switch {
	case d != nil && d.Sensitive:
		spec["sensitive"] = true
		if d.Default != nil {
			written[name] = d.Default
		}
	case v != nil && v.Value != nil:
		spec["value"], written[name] = v.Value, v.Value
	}
	if d != nil && d.Default != nil && !d.Sensitive && fmt.Sprint(d.Default) != fmt.Sprint(written[name]) {
		written["default"] = map[string]any{name: d.Default}
	}
	return spec
}

// configured returns the values of a resource that stand in what people wrote, with
// references where they wrote some.
func (p *terraformPlan) configured(after map[string]any, found configured) map[string]any {
	out := map[string]any{}
	for attribute, v := range after {
		if v == nil {
			continue
		}
		if found.resource == nil {
			out[attribute] = p.known.unwritten(v)
			continue
		}
		e := found.resource.Expressions[attribute]
		switch {
		case e == nil && !isBlocks(v): // computed
		case isConstant(e):
			out[attribute] = v
		case isWord(v) && found.scope.brought(e, 0):
		default:
			out[attribute] = p.known.unwritten(v)
		}
	}
	if found.resource != nil {
		if written := provisioners(found.resource); len(written) > 0 {
			out["provisioner"] = written
		}
	}
	return out
}

// guarded returns the attributes that stand in what people wrote although the plan
// marks them as sensitive, sorted: what they have is secret under any name.
func guarded(kind string, written map[string]any, sensitive any) []string {
	marks, _ := sensitive.(map[string]any)
	names := []string{}
	for attribute, v := range written {
		_, isText := v.(string)
		if isText && marks[attribute] == true && !isDocument(attribute) {
			names = append(names, attribute)
		}
	}
	if kind == "aws_ssm_parameter" && written["type"] != "SecureString" {
		return []string{} // all of them are marked, also those that anybody may read
	}
	slices.Sort(names)
	return names
}

// isDocument reports whether an attribute has a whole document, in which there is
// more than a secret if there is one at all.
func isDocument(attribute string) bool {
	return strings.HasPrefix(attribute, "content") || strings.HasSuffix(attribute, "_data") || strings.HasSuffix(attribute, "_data_base64")
}

// provisioners returns what is constant in the provisioners of a resource.
func provisioners(r *tfjson.ConfigResource) []any {
	var out []any
	for _, p := range r.Provisioners {
		if p == nil {
			continue
		}
		written := map[string]any{}
		for attribute, e := range p.Expressions {
			if v := constantsOf(e); v != nil {
				written[attribute] = v
			}
		}
		out = append(out, map[string]any{p.Type: written})
	}
	return out
}

// isBlocks reports whether a value is a list of objects: dynamic blocks are that,
// and the plan has no expression for them.
func isBlocks(v any) bool {
	list, _ := v.([]any)
	return slices.ContainsFunc(list, func(item any) bool {
		_, ok := item.(map[string]any)
		return ok
	})
}

func isConstant(e *tfjson.Expression) bool {
	return e != nil && e.ExpressionData != nil && len(e.NestedBlocks) == 0 && len(e.References) == 0
}

// isWord reports whether a value is one word: no text in which something else may
// be written beside what a reference stands for.
func isWord(v any) bool {
	text, ok := v.(string)
	return ok && !strings.ContainsAny(text, " \t\r\n=;,{") && !strings.Contains(text, "://")
}

// withheld returns v without what is marked as sensitive in it.
func withheld(v, marks any) any {
	if marks == true {
		return withheldText
	}
	switch v := v.(type) {
	case map[string]any:
		inner, ok := marks.(map[string]any)
		if !ok {
			return v
		}
		out := make(map[string]any, len(v))
		for key, item := range v {
			out[key] = withheld(item, inner[key])
		}
		return out
	case []any:
		inner, ok := marks.([]any)
		if !ok {
			return v
		}
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = item
			if i < len(inner) {
				out[i] = withheld(item, inner[i])
			}
		}
		return out
	}
	return v
}
