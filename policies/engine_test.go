package policies_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// object is what tests write objects as.
type object = map[string]any

// sourceOf returns the policy of a folder, with parameters unless they are nil.
func sourceOf(t testing.TB, name string, parameters object) engine.Policy {
	t.Helper()
	file := filepath.Join(name, strings.ReplaceAll(name, "-", "_")+".rego")
	p := engine.Policy{Name: name, Origin: file, Modules: []v1alpha1.Module{{Name: file, Rego: readFile(t, file)}}}
	if parameters != nil {
		p.Spec.Parameters = &runtime.RawExtension{Raw: asJSON(t, parameters)}
	}
	return p
}

// names are the policies that are tested here.
func names() []string {
	return []string{"no-hardcoded-secrets", "probes", "required-labels", "resources", "topology-spread"}
}

// library returns the Set of all policies as they come.
func library(t testing.TB) *engine.Set {
	t.Helper()
	var cfg engine.Config
	for _, name := range names() {
		cfg.Policies = append(cfg.Policies, sourceOf(t, name, nil))
	}
	return compile(t, cfg)
}

func compile(t testing.TB, cfg engine.Config) *engine.Set {
	t.Helper()
	set, err := engine.Compile(cfg)
	if err != nil {
		t.Fatalf("Compile(...): %v", err)
	}
	return set
}

func asJSON(t testing.TB, v any) json.RawMessage {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("encode %v: %v", v, err)
	}
	return data
}

// fromYAML returns the object that text is.
func fromYAML(t testing.TB, text string) object {
	t.Helper()
	var o object
	if err := yaml.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("read YAML: %v\n%s", err, text)
	}
	return o
}

func readFile(t testing.TB, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("read a file: %v", err)
	}
	return string(data)
}
