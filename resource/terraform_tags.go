package resource

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"
)

// A carrier says by which attributes the resources of a provider carry tags. A
// type carries them if it has one of its own: a plan has no schemas, and says null
// of an attribute that is not set.
type carrier struct {
	own      []string // that people write
	merged   []string // that the provider makes of those and of its defaults
	defaults string   // of the provider, that go to all of its resources
}

// carriers are those of the providers whose resources cost money, by what the names
// of their types begin with. docs/terraform.md says where each is documented.
//
//nolint:gochecknoglobals // a table
var carriers = map[string]carrier{
	"alicloud":     {own: []string{"tags"}},
	"aws":          {own: []string{"tags"}, merged: []string{"tags_all"}, defaults: "default_tags"},
	"awscc":        {own: []string{"tags"}},
	"azapi":        {own: []string{"tags"}, defaults: "default_tags"},
	"azurerm":      {own: []string{"tags"}},
	"digitalocean": {own: []string{"tags"}},
	"google":       {own: []string{"labels", "resource_labels", "user_labels"}, merged: []string{"terraform_labels", "effective_labels"}, defaults: "default_labels"},
	"hcloud":       {own: []string{"labels"}},
	"huaweicloud":  {own: []string{"tags"}},
	"ibm":          {own: []string{"tags"}},
	"linode":       {own: []string{"tags"}},
	"oci":          {own: []string{"freeform_tags"}},
	"scaleway":     {own: []string{"tags"}},
	"tencentcloud": {own: []string{"tags"}},
	"yandex":       {own: []string{"labels"}},
}

// inBlocks has, for types that carry tags in blocks, the block and its attribute. Each
// block that is there has to have them.
//
//nolint:gochecknoglobals // a table
var inBlocks = map[string][2]string{
	"aws_launch_template":          {"tag_specifications", "tags"}, // of the instances and volumes that it makes
	"google_container_node_pool":   {"node_config", "resource_labels"},
	"google_sql_database_instance": {"settings", "user_labels"},
}

// A tagging is a place of a resource that carries tags.
type tagging struct {
	Path    []any             `json:"path"`
	Tags    map[string]string `json:"tags"`
	Unknown []string          `json:"unknown"` // keys whose values are not known, or not to be told; "*" for any key
}

// everyKey stands for keys that are not known.
const everyKey = "*"

// put adds what is not there yet.
func (t *tagging) put(key, value string) {
	if _, ok := t.Tags[key]; !ok && !slices.Contains(t.Unknown, key) {
		t.Tags[key] = value
	}
}

// later adds a key whose value is not known.
func (t *tagging) later(key string) {
	if _, ok := t.Tags[key]; !ok && !slices.Contains(t.Unknown, key) {
		t.Unknown = append(t.Unknown, key)
	}
}

func newTagging(path ...any) *tagging {
	return &tagging{Path: append([]any{"spec", "values"}, path...), Tags: map[string]string{}, Unknown: []string{}}
}

// An attribute is a value of a resource with what the plan says of it.
type attribute struct{ value, unknown, sensitive any }

// in returns the attribute at a key or an index.
func (a attribute) in(step any) attribute {
	return attribute{inner(a.value, step), inner(a.unknown, step), inner(a.sensitive, step)}
}

// inner returns what is in v at a step. What is said of the whole, as that it is
// unknown, holds for its parts.
func inner(v, step any) any {
	switch v := v.(type) {
	case map[string]any:
		key, _ := step.(string)
		return v[key]
	case []any:
		if i, ok := step.(int); ok && i < len(v) {
			return v[i]
		}
	case bool:
		return v
	}
	return nil
}

// has reports whether the type has an attribute.
func (a attribute) has(name string) bool {
	for _, v := range []any{a.value, a.unknown} {
		if fields, ok := v.(map[string]any); ok {
			if _, ok := fields[name]; ok {
				return true
			}
		}
	}
	return false
}

// tagging returns the places of a resource that carry tags, nil if there are none.
func (p *terraformPlan) tagging(rc *tfjson.ResourceChange, found configured) []*tagging {
	prefix, _, _ := strings.Cut(rc.Type, "_")
	by, ok := carriers[prefix]
	if !ok {
		return nil
	}
	all := attribute{rc.Change.After, rc.Change.AfterUnknown, rc.Change.AfterSensitive}
	if rc.Type == "aws_autoscaling_group" {
		return []*tagging{launched(all.in("tag"))}
	}
	var places []*tagging
	if own := ownOf(rc.Type, by, all); len(own) > 0 {
		places = append(places, p.effective(own, by, all, found, prefix))
	}
	return append(places, blocksOf(rc.Type, all)...)
}

// ownOf returns the attributes in which people write the tags of a type.
func ownOf(kind string, by carrier, all attribute) []string {
	var own []string
	for _, name := range by.own {
		// The labels of these two say what is measured and where to notify.
		other := name == "labels" && (kind == "google_monitoring_notification_channel" || kind == "google_monitoring_metric_descriptor")
		if all.has(name) && !other {
			own = append(own, name)
		}
	}
	return own
}

// effective returns the tags that a resource will have: its own, and those that the
// provider adds. While one value is not known, nor is what AWS' provider merges, and
// its defaults are taken from its configuration.
func (p *terraformPlan) effective(own []string, by carrier, all attribute, found configured, prefix string) *tagging {
	t := newTagging(own[0])
	for _, name := range own {
		t.read(all.in(name))
	}
	t.readDefined(all.in("defined_tags"))
	if slices.Contains(t.Unknown, everyKey) || by.defaults == "" {
		return t
	}
	merged, unknown := false, false
	for _, name := range by.merged {
		a := all.in(name)
		if _, ok := a.value.(map[string]any); ok && a.unknown != true {
			merged = true
			t.read(a)
		}
		unknown = unknown || a.unknown == true
	}
	if !merged && (unknown || len(by.merged) == 0) {
		p.addDefaults(t, by.defaults, found, prefix)
	}
	return t
}

// addDefaults adds the tags that a provider gives to all of its resources.
func (p *terraformPlan) addDefaults(t *tagging, attribute string, found configured, prefix string) {
	providers := p.config.providersOf(found, prefix)
	if len(providers) == 0 && p.config.root == nil {
		t.later(everyKey) // the plan does not say
	}
	for _, provider := range providers {
		e := provider.Expressions[attribute]
		if e == nil || e.ExpressionData == nil {
			continue
		}
		if len(e.NestedBlocks) > 0 { // default_tags { tags = … }
			if e = e.NestedBlocks[0]["tags"]; e == nil {
				continue
			}
		}
		tags, _ := constantsOf(e).(map[string]any)
		if tags == nil {
			t.later(everyKey)
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(tags)) {
			t.put(key, textOf(tags[key]))
		}
	}
}

// providersOf returns the provider of a resource, or all that it may be.
func (c *configuration) providersOf(found configured, prefix string) []*tfjson.ProviderConfig {
	if found.resource != nil {
		key := found.resource.ProviderConfigKey
		for {
			if p := c.providers[key]; p != nil && (p.Expressions != nil || !strings.Contains(key, ":")) {
				return []*tfjson.ProviderConfig{p}
			}
			_, rest, ok := strings.Cut(key, ":") // a module that passes none on has that of the root
			if !ok {
				break
			}
			key = rest
		}
	}
	var all []*tfjson.ProviderConfig
	for _, key := range slices.Sorted(maps.Keys(c.providers)) {
		if p := c.providers[key]; p != nil && strings.HasPrefix(p.Name, prefix) {
			all = append(all, p)
		}
	}
	return all
}

// blocksOf returns the places in blocks of a type.
func blocksOf(kind string, all attribute) []*tagging {
	block := inBlocks[kind]
	list, _ := all.in(block[0]).value.([]any)
	var places []*tagging
	for i := range list {
		t := newTagging(block[0], i, block[1])
		t.read(all.in(block[0]).in(i).in(block[1]))
		places = append(places, t)
	}
	return places
}

// launched returns the tags that a scaling group gives to its instances. Those that
// stay with the group are on no bill.
func launched(blocks attribute) *tagging {
	t := newTagging("tag")
	if blocks.unknown == true {
		t.later(everyKey)
	}
	list, _ := blocks.value.([]any)
	for i := range list {
		block := blocks.in(i)
		if block.in("propagate_at_launch").value != false {
			t.pair(block)
		}
	}
	return t
}

// read adds the tags of a map, of a list of keys and values, or of a list of texts
// that are both.
func (t *tagging) read(a attribute) {
	if a.unknown == true || a.sensitive == true {
		t.later(everyKey)
		return
	}
	if fields, ok := a.unknown.(map[string]any); ok {
		for _, key := range slices.Sorted(maps.Keys(fields)) {
			if fields[key] == true {
				t.later(key)
			}
		}
	}
	switch v := a.value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if a.in(key).sensitive == true {
				t.later(key)
			} else if v[key] != nil {
				t.put(key, textOf(v[key]))
			}
		}
	case []any:
		for i := range v {
			t.pair(a.in(i))
		}
	}
}

// readDefined adds the tags that the Oracle cloud keeps in namespaces, by the names
// that they have there.
func (t *tagging) readDefined(a attribute) {
	defined := newTagging()
	defined.read(a)
	for _, key := range slices.Sorted(maps.Keys(defined.Tags)) {
		if _, name, ok := strings.Cut(key, "."); ok {
			t.put(name, defined.Tags[key])
		}
	}
	for _, key := range defined.Unknown {
		if _, name, ok := strings.Cut(key, "."); ok {
			key = name
		}
		t.later(key)
	}
}

// pair adds a tag that is an item of a list.
func (t *tagging) pair(a attribute) {
	switch v := a.value.(type) {
	case string:
		key, value, _ := strings.Cut(strings.Replace(v, "=", ":", 1), ":")
		t.put(key, value)
	case map[string]any:
		key, ok := v["key"].(string)
		switch {
		case !ok:
			t.later(everyKey)
		case a.in("value").unknown == true || a.in("value").sensitive == true:
			t.later(key)
		default:
			t.put(key, textOf(v["value"]))
		}
	default:
		t.later(everyKey)
	}
}

// textOf returns the value of a tag, which providers write as text.
func textOf(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}
