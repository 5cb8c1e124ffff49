package manifests_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
)

// installed compiles what replicas load: the ConfigMap as they find it on their disk.
func installed(t testing.TB) *engine.Set {
	t.Helper()
	all, err := policies.Load(mount(t, one[*corev1.ConfigMap](t, "lintel-policies").Data))
	if err != nil {
		t.Fatalf("load the ConfigMap: %v", err)
	}
	set, err := engine.Compile(engine.Config{
		Policies: all.Policies, Exceptions: all.Exceptions, ExcludedNamespaces: append(engine.DefaultExcludedNamespaces(), namespace),
	})
	must(t, err)
	return set
}

// mount writes data as kubelets do for a volume of a ConfigMap.
func mount(t testing.TB, data map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	const version = "..2027_01_31_12_00_00.1234567890"
	must(t, os.Mkdir(filepath.Join(dir, version), 0o755))
	must(t, os.Symlink(version, filepath.Join(dir, "..data")))
	for name, text := range data {
		must(t, os.WriteFile(filepath.Join(dir, version, name), []byte(text), 0o600))
		must(t, os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)))
	}
	return dir
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

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
