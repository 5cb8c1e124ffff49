package manifests_test

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
)

// policiesManifest has what an installation starts with.
const policiesManifest = "policies.yaml"

// firstPolicies returns the Policy objects of the manifest. Unknown, repeated and misspelt
// fields fail the test.
func firstPolicies(t testing.TB) []v1alpha1.Policy {
	t.Helper()
	text, err := os.ReadFile(policiesManifest)
	must(t, err)
	var all []v1alpha1.Policy
	for document := range bytes.SplitSeq(text, []byte("\n---\n")) {
		var p v1alpha1.Policy
		must(t, yaml.UnmarshalStrict(document, &p))
		if p.APIVersion != v1alpha1.GroupVersion.String() || p.Kind != "Policy" {
			t.Errorf("%s has a %s %s", policiesManifest, p.APIVersion, p.Kind)
		}
		all = append(all, p)
	}
	return all
}

// installed compiles what replicas read of the cluster.
func installed(t testing.TB) *engine.Set {
	t.Helper()
	all, err := policies.FromObjects(policies.Objects{Policies: firstPolicies(t)})
	must(t, err)
	set, err := engine.Compile(engine.Config{Policies: all.Policies, ExcludedNamespaces: append(engine.DefaultExcludedNamespaces(), namespace)})
	must(t, err)
	return set
}

// TestPoliciesWarn holds that an installation starts with every policy of the
// library, and all that any of them does is to warn.
func TestPoliciesWarn(t *testing.T) {
	library, err := policies.Embedded()
	must(t, err)
	want := map[string]v1alpha1.Enforcement{}
	for _, p := range library {
		want[p.Name] = v1alpha1.Warn
	}
	got := map[string]v1alpha1.Enforcement{}
	for _, p := range installed(t).Policies() {
		got[p.Name] = p.Enforcement
		if p.CanDeny() {
			t.Errorf("policy %s can deny", p.Name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("policies of the installation: -want, +got:\n%s", diff)
	}
}

// TestDocumented holds docs/install.md to the revision that an installation has.
func TestDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/install.md")
	must(t, err)
	if want := " " + installed(t).Revision() + " "; strings.Count(string(text), want) != len(firstPolicies(t)) {
		t.Errorf("docs/install.md has not%sas the revision of each policy", want)
	}
}

// TestKustomization holds that what syncs the folder gets every manifest but what an
// operator decides about first, and nothing that is for tests.
func TestKustomization(t *testing.T) {
	text, err := os.ReadFile("kustomization.yaml")
	must(t, err)
	var k struct {
		APIVersion, Kind string
		Resources        []string
	}
	must(t, yaml.UnmarshalStrict(text, &k))
	var want []string
	for _, dir := range []string{".", "crds"} {
		files, err := os.ReadDir(dir)
		must(t, err)
		for _, f := range files {
			name := strings.TrimPrefix(dir+"/"+f.Name(), "./")
			if strings.HasSuffix(name, ".yaml") && name != "kustomization.yaml" && name != guardManifest && name != auditManifest { // those are the operator's step
				want = append(want, name)
			}
		}
	}
	slices.Sort(want)
	slices.Sort(k.Resources)
	if diff := cmp.Diff(want, k.Resources); diff != "" {
		t.Errorf("resources of kustomization.yaml: -want, +got:\n%s", diff)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
