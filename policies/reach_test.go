package policies_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
)

// peeking is a policy that says all that it sees beside the request, in each way in
// which it can be asked for. It declares Services, and METADATA of a rule more, which
// counts for nothing.
const peeking = `# METADATA
# custom:
#   match: {kinds: [{apiGroups: [""], kinds: [Pod]}]}
#   inventory: [{apiVersion: v1, kind: Service}]
package lintel.peek

# METADATA
# scope: rule
# custom:
#   inventory: [{apiVersion: v1, kind: ConfigMap}, {apiVersion: "*", kind: "*"}]
violation contains {"msg": name} if {
	walk(data.inventory, [path, name])
	path[count(path) - 1] == "name"
}

violation contains {"msg": name} if some name, _ in data.inventory.namespace[input.review.namespace].v1.ConfigMap

violation contains {"msg": name} if some name, _ in data.inventory.namespace.elsewhere["v1"][input.review.object.metadata.labels.read]

violation contains {"msg": name} if some name, _ in data.inventory.cluster["v1"].Namespace

violation contains {"msg": kind} if some kind, _ in data.inventory.namespace[_]["v1"]

violation contains {"msg": "another policy"} if data.lintel.greedy.violation
`

// greedy declares all that peeking does not, and is in force beside it.
const greedy = `# METADATA
# custom:
#   match: {kinds: [{apiGroups: [""], kinds: [Pod]}]}
#   inventory: [{apiVersion: v1, kind: ConfigMap}, {apiVersion: v1, kind: Namespace}]
package lintel.greedy

violation contains {"msg": name} if some name, _ in data.inventory.namespace.elsewhere.v1.ConfigMap
`

// TestReach holds that by whatever way a policy is loaded, it reads what it declares
// itself and nothing else, though others read more.
func TestReach(t *testing.T) {
	object := func(name string, source v1alpha1.Source) policies.Objects {
		var p v1alpha1.Policy
		p.Name, p.Spec.Source = name, source
		return policies.Objects{Policies: []v1alpha1.Policy{p}, ConfigMap: func(v1alpha1.ConfigMapRef) (map[string]string, bool) {
			return map[string]string{"peek.rego": peeking}, true
		}}
	}
	modules := v1alpha1.Source{Modules: []v1alpha1.Module{{Name: "peek.rego", Rego: peeking}}}
	folder := func(files map[string]string) func(*testing.T) (policies.Source, error) {
		return func(t *testing.T) (policies.Source, error) {
			dir := t.TempDir()
			for name, text := range files {
				path := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			return policies.Load(dir)
		}
	}
	const head = "apiVersion: lintel.dev/v1alpha1\nkind: Policy\nmetadata: {name: peek}\nspec:\n"
	inYAML := head + "  source:\n    modules:\n    - name: peek.rego\n      rego: |\n        " + strings.ReplaceAll(peeking, "\n", "\n        ") + "\n"
	loaders := map[string]func(*testing.T) (policies.Source, error){
		"Folder":        folder(map[string]string{"peek/peek.rego": peeking}),
		"Configured":    folder(map[string]string{"peek/peek.rego": peeking, "p.yaml": head + "  enforcement: warn\n"}),
		"ModulesInFile": folder(map[string]string{"p.yaml": inYAML}),
		"Modules":       func(*testing.T) (policies.Source, error) { return policies.FromObjects(object("peek", modules)) },
		"OtherName":     func(*testing.T) (policies.Source, error) { return policies.FromObjects(object("another", modules)) },
		"ConfigMap": func(*testing.T) (policies.Source, error) {
			return policies.FromObjects(object("peek", v1alpha1.Source{ConfigMapRef: &v1alpha1.ConfigMapRef{Namespace: "a", Name: "b"}}))
		},
	}
	var all []*engine.Object
	for _, o := range []string{"Service shop a-service", "Service elsewhere another-service", "ConfigMap shop a-map", "ConfigMap elsewhere another-map", "Namespace  a-namespace", "Secret shop a-secret"} {
		at := strings.Split(o, " ")
		decoded, err := engine.DecodeObject(fmt.Appendf(nil, `{"apiVersion": "v1", "kind": %q, "metadata": {"namespace": %q, "name": %q}}`, at[0], at[1], at[2]))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, decoded)
	}
	req, err := engine.NewRequest([]byte(`{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "shop", "labels": {"read": "ConfigMap"}}}`), "shop")
	if err != nil {
		t.Fatal(err)
	}
	for name, load := range loaders {
		t.Run(name, func(t *testing.T) {
			source, err := load(t)
			if err != nil {
				t.Fatal(err)
			}
			with := append(slices.Clone(source.Policies), engine.Policy{Name: "greedy", Modules: []v1alpha1.Module{{Name: "greedy.rego", Rego: greedy}}})
			set, err := engine.Compile(engine.Config{Policies: with})
			if err != nil {
				t.Fatal(err)
			}
			d, err := set.Review(t.Context(), req, engine.NewInventory(all...))
			if err != nil {
				t.Fatal(err)
			}
			got := map[bool][]string{}
			for _, v := range d.Violations {
				got[v.Policy == "greedy"] = append(got[v.Policy == "greedy"], v.Message)
			}
			want := map[bool][]string{false: {"Service", "a-service", "another-service"}, true: {"another-map"}}
			if diff := cmp.Diff(want, got); diff != "" || len(d.Errors) > 0 {
				t.Errorf("what is read: -want, +got:\n%s\nerrors: %v", diff, d.Errors)
			}
		})
	}
}

// TestReachOfLibrary holds that a Policy object which takes a policy of the library,
// under whatever name, reads what the library's own METADATA declares.
func TestReachOfLibrary(t *testing.T) {
	library, err := policies.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	var p v1alpha1.Policy
	for _, want := range library {
		for _, name := range []string{want.Name, "another"} {
			p.Name, p.Spec.Source.Library = name, want.Name
			source, err := policies.FromObjects(policies.Objects{Policies: []v1alpha1.Policy{p}})
			if err != nil {
				t.Fatal(err)
			}
			taken, err := engine.Compile(engine.Config{Policies: source.Policies})
			if err != nil {
				t.Fatal(err)
			}
			own, err := engine.Compile(engine.Config{Policies: []engine.Policy{want}})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(own.Inventory(), taken.Inventory()); diff != "" {
				t.Errorf("%s, called %s: inventory: -library, +object:\n%s", want.Name, name, diff)
			}
		}
	}
}
