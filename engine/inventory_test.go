package engine_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/engine"
)

func TestInventory(t *testing.T) {
	service := func(namespace, name string, spec object) *engine.Object {
		return objectOf(t, object{"apiVersion": "v1", "kind": "Service", "metadata": object{"namespace": namespace, "name": name}, "spec": spec})
	}
	class := objectOf(t, object{"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": object{"name": "fast"}})
	secretive := objectOf(t, object{"apiVersion": "v1", "kind": "ConfigMap", "metadata": object{"namespace": "shop", "name": "other"}})
	all := engine.NewInventory(service("shop", "web", object{"ports": []any{object{"port": 80}}}), service("blog", "www", nil), class, secretive)

	metadata := metadataOf + "#   inventory: [{apiVersion: v1, kind: Service}, {apiVersion: storage.k8s.io/v1, kind: StorageClass}]\n"
	cases := map[string]struct {
		reason    string
		rule      string
		inventory *engine.Inventory
		want      []string
	}{
		"Object": {
			"An object is found by namespace, groupVersion, kind and name.",
			`data.inventory.namespace.shop["v1"].Service.web.spec.ports[0].port`, all, []string{"80"},
		},
		"Names": {
			"All of a kind can be asked about.",
			`[n | some ns; data.inventory.namespace[ns]["v1"].Service[n]]`, all, []string{`["www", "web"]`},
		},
		"ClusterScoped": {
			"Objects in no namespace are under cluster.",
			`data.inventory.cluster["storage.k8s.io/v1"].StorageClass.fast.kind`, all, []string{"StorageClass"},
		},
		"Undeclared": {
			"A policy sees only what it declares that it reads.",
			`object.keys(data.inventory.namespace.shop["v1"])`, all, []string{`{"Service"}`},
		},
		"UndeclaredByName": {
			"What is not declared is not there.",
			`data.inventory.namespace.shop["v1"].ConfigMap.other.kind`, all, []string{},
		},
		"Whole": {
			"The whole inventory can be read.",
			`count(data.inventory.namespace)`, all, []string{"2"},
		},
		"Nil": {
			"No inventory is an empty one.",
			`count(data.inventory.namespace)`, nil, []string{"0"},
		},
		"With": {
			"An inventory with one more has one more.",
			`count(data.inventory.namespace.shop["v1"].Service)`, all.With(service("shop", "new", nil)), []string{"2"},
		},
		"Without": {
			"An inventory without one lacks it.",
			`object.keys(data.inventory.namespace.shop["v1"].Service)`,
			all.With(service("shop", "new", nil)).Without(engine.ObjectRef{APIVersion: "v1", Kind: "Service", Namespace: "shop", Name: "web"}), []string{`{"new"}`},
		},
		"Unchanged": {
			"Neither changes the inventory that it was made from.",
			`object.keys(data.inventory.namespace.shop["v1"].Service)`, all, []string{`{"web"}`},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			set := setOf(t, policyWith("a", metadata, `violation contains {"msg": sprintf("%v", [v])} if v := `+tc.rule))
			d, err := set.Review(t.Context(), ask{object: deployment(object{})}.request(t), tc.inventory)
			if err != nil {
				t.Fatal(err)
			}
			got := []string{}
			for _, v := range d.Violations {
				got = append(got, v.Message)
			}
			if name == "Names" && len(got) == 1 && got[0] == `["web", "www"]` {
				return // namespaces come in any order
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nReview(...): -want, +got:\n%s\nerrors %v", tc.reason, diff, d.Errors)
			}
		})
	}
}
