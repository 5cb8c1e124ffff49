package policies

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// A Page is the documentation of a policy: what its METADATA and its samples say.
type Page struct {
	engine.Info
	Matches    []MatchRow
	Parameters []ParameterRow
	// Violations and Changes are the rules by what they yield.
	Violations, Changes []engine.RuleInfo
	Bad, Good           *Sample // an example of each; nil without samples
}

// A MatchRow is a group with the kinds in it that a policy matches.
type MatchRow struct {
	Group    string // "core" for the one without a name, "any" for all
	Versions []string
	Kinds    []string
}

// A ParameterRow is a parameter, or a field of one.
type ParameterRow struct {
	Name        string // such as maximum.periodSeconds or labels[].key
	Type        string // such as list of string
	Default     string // as JSON; "" if there is none
	Required    bool
	Description string
	Limits      string // such as "at least 1"
	Pattern     string // a regular expression; "" if there is none
}

// NewPage returns the documentation of a policy that has these samples.
func NewPage(info engine.Info, samples []Sample) Page {
	p := Page{Info: info, Matches: matchRows(info.Match), Parameters: parameterRows("", info.Parameters)}
	for _, r := range info.Rules {
		if r.Patches {
			p.Changes = append(p.Changes, r)
		} else {
			p.Violations = append(p.Violations, r)
		}
	}
	p.Bad = shortest(samples, func(s Sample) bool { return !s.Good })
	if p.Bad != nil {
		p.Good = shortest(samples, func(s Sample) bool { return s.Good && s.kind() == p.Bad.kind() })
	}
	if p.Good == nil {
		p.Good = shortest(samples, func(s Sample) bool { return s.Good })
	}
	return p
}

// shortest returns the sample that is read in the shortest time, nil if there is none.
func shortest(samples []Sample, wanted func(Sample) bool) *Sample {
	var found *Sample
	for i, s := range samples {
		if wanted(s) && (found == nil || len(s.Object()) < len(found.Object())) {
			found = &samples[i]
		}
	}
	return found
}

// kindLine is where an object in YAML says its kind, as people write it.
var kindLine = regexp.MustCompile(`(?m)^kind: *(\S+)`)

// kind returns the kind of the object, "" if it is written otherwise.
func (s Sample) kind() string {
	if m := kindLine.FindStringSubmatch(s.Text); m != nil {
		return m[1]
	}
	return ""
}

func matchRows(m v1alpha1.Match) []MatchRow {
	var rows []MatchRow
	for _, k := range m.Kinds {
		for _, group := range k.APIGroups {
			switch group {
			case "":
				group = "core"
			case "*":
				group = "any"
			}
			rows = append(rows, MatchRow{group, k.Versions, k.Kinds})
		}
	}
	return rows
}

// parameterRows returns a row for each property of a schema, those of its
// properties and items after it.
func parameterRows(prefix string, schema map[string]any) []ParameterRow {
	properties, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	var rows []ParameterRow
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		property, ok := properties[name].(map[string]any)
		if !ok {
			continue
		}
		description, _ := property["description"].(string)
		rows = append(rows, ParameterRow{
			Name: prefix + name, Type: typeOf(property), Default: asText(property["default"]),
			Required: slices.Contains(required, any(name)), Description: strings.TrimSpace(description), Limits: limitsOf(property),
			Pattern: patternOf(property),
		})
		rows = append(rows, parameterRows(prefix+name+".", property)...)
		if items, ok := property["items"].(map[string]any); ok {
			rows = append(rows, parameterRows(prefix+name+"[].", items)...)
		}
		if values, ok := property["additionalProperties"].(map[string]any); ok {
			rows = append(rows, parameterRows(prefix+name+".*.", values)...)
		}
	}
	return rows
}

// typeOf returns what a schema says of the type, in words.
func typeOf(schema map[string]any) string {
	kind, _ := schema["type"].(string)
	items, _ := schema["items"].(map[string]any)
	values, _ := schema["additionalProperties"].(map[string]any)
	switch {
	case schema["x-kubernetes-int-or-string"] == true:
		return "integer or string"
	case kind == "array" && items != nil:
		return "list of " + typeOf(items)
	case kind == "object" && values != nil:
		return "map of " + typeOf(values)
	}
	return cmp.Or(kind, "any")
}

// limitsOf returns what else a schema asks of a value, in words.
func limitsOf(schema map[string]any) string {
	var limits []string
	for _, l := range []struct{ key, words string }{
		{"minimum", "at least %s"}, {"maximum", "at most %s"}, {"minLength", "%s or more characters"},
		{"maxLength", "%s or fewer characters"}, {"minItems", "%s or more items"}, {"maxItems", "%s or fewer items"},
	} {
		if v, ok := schema[l.key]; ok {
			limits = append(limits, fmt.Sprintf(l.words, asText(v)))
		}
	}
	if values, ok := schema["enum"].([]any); ok {
		var texts []string
		for _, v := range values {
			texts = append(texts, asText(v))
		}
		limits = append(limits, "one of "+strings.Join(texts, ", "))
	}
	if items, ok := schema["items"].(map[string]any); ok {
		if inner := limitsOf(items); inner != "" {
			limits = append(limits, "each "+inner)
		}
	}
	return strings.Join(limits, ", ")
}

// patternOf returns the pattern of a value or of its items.
func patternOf(schema map[string]any) string {
	pattern, _ := schema["pattern"].(string)
	if items, ok := schema["items"].(map[string]any); ok && pattern == "" {
		return patternOf(items)
	}
	return pattern
}

// asText returns a value as JSON, "" for none.
func asText(v any) string {
	if v == nil {
		return ""
	}
	data, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(data)
}
