package e2e_test

import (
	"encoding/json"
	"testing"

	"sigs.k8s.io/yaml"

	k8sjson "k8s.io/apimachinery/pkg/util/json"
)

// An object is a Kubernetes object as JSON has it.
type object map[string]any

// decode reads an object from JSON.
func decode(t *testing.T, text string) object {
	t.Helper()
	var o object
	if err := k8sjson.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("read JSON: %v\n%s", err, text)
	}
	return o
}

// fromYAML reads an object from YAML.
func fromYAML(t *testing.T, text string) object {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatalf("read YAML: %v\n%s", err, text)
	}
	return decode(t, string(data))
}

// encode writes a value as JSON.
func encode(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("write JSON: %v", err)
	}
	return string(data)
}

// at is what is at a path of keys and indexes; nil where there is nothing.
func at(v any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			if o, ok := v.(object); ok {
				v = map[string]any(o)
			}
			fields, _ := v.(map[string]any)
			v = fields[step]
		case int:
			list, _ := v.([]any)
			if step >= len(list) {
				return nil
			}
			v = list[step]
		}
	}
	return v
}

// copied is an object that can be changed without changing o.
func (o object) copied(t *testing.T) object { return decode(t, encode(t, o)) }

// name is that of its metadata.
func (o object) name() string {
	name, _ := at(o, "metadata", "name").(string)
	return name
}
