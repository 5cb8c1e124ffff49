// Package manifests_test holds what is installed in clusters to what it promises:
// each protection of install.yaml is asked for here, so that none can be taken out
// unnoticed, and a real API server takes the whole of it.
package manifests_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
)

// manifest is the file that is installed.
const manifest = "install.yaml"

// namespace is where all of it is.
const namespace = "lintel-system"

// objects returns what the manifest has. Unknown, repeated and misspelt fields
// fail the test.
func objects(t testing.TB) []runtime.Object {
	t.Helper()
	text, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	var all []runtime.Object
	for documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text))); ; {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("split %s: %v", manifest, err)
		}
		object, _, err := decoder.Decode(document, nil, nil)
		if err != nil {
			t.Fatalf("decode a document of %s: %v\n%s", manifest, err, document)
		}
		all = append(all, object)
	}
}

// one returns the object of this type and name.
func one[T runtime.Object](t testing.TB, name string) T {
	t.Helper()
	for _, object := range objects(t) {
		if typed, ok := object.(T); ok && accessor(t, object).GetName() == name {
			return typed
		}
	}
	var none T
	t.Fatalf("%s has no %T %q", manifest, none, name)
	return none
}

func accessor(t testing.TB, object runtime.Object) metav1.Object {
	t.Helper()
	named, err := meta.Accessor(object)
	if err != nil {
		t.Fatal(err)
	}
	return named
}

// TestObjects holds the manifest to the names that Lintel itself relies on.
func TestObjects(t *testing.T) {
	want := []string{
		"Namespace lintel-system", "ResourceQuota lintel-system/lintel", "ServiceAccount lintel-system/lintel",
		"ClusterRole lintel", "ClusterRoleBinding lintel", "Role lintel-system/lintel", "RoleBinding lintel-system/lintel",
		"Secret lintel-system/lintel-tls", "Lease lintel-system/lintel",
		"ConfigMap lintel-system/lintel-state", "ConfigMap lintel-system/lintel-replicas", "ConfigMap lintel-system/lintel-last-good",
		"ConfigMap lintel-system/lintel-last-day",
		"Service lintel-system/lintel", "NetworkPolicy lintel-system/lintel", "PodDisruptionBudget lintel-system/lintel",
		"Deployment lintel-system/lintel",
	}
	var got []string
	for _, object := range objects(t) {
		named := accessor(t, object)
		got = append(got, object.GetObjectKind().GroupVersionKind().Kind+" "+strings.TrimPrefix(named.GetNamespace()+"/"+named.GetName(), "/"))
		for _, label := range []string{"environment", "team", "service"} {
			if named.GetLabels()[label] == "" {
				t.Errorf("%s has no label %s", got[len(got)-1], label)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("objects of %s: -want, +got:\n%s", manifest, diff)
	}
}

// TestNamespace holds that nothing in the namespace may have privileges.
func TestNamespace(t *testing.T) {
	labels := one[*corev1.Namespace](t, namespace).Labels
	for _, mode := range []string{"enforce", "audit", "warn"} {
		if got := labels["pod-security.kubernetes.io/"+mode]; got != "restricted" {
			t.Errorf("pod security, %s: got %q, want restricted", mode, got)
		}
	}
}

// TestSharedIsEmpty holds that the manifest says nothing of what Lintel writes: what
// it said would be put back by the next apply.
func TestSharedIsEmpty(t *testing.T) {
	secret := one[*corev1.Secret](t, "lintel-tls")
	if len(secret.Data)+len(secret.StringData) > 0 || secret.Type != corev1.SecretTypeOpaque || secret.Immutable != nil {
		t.Error("the Secret has data, is immutable, or is of a type that cannot be empty")
	}
	for _, name := range []string{"lintel-state", "lintel-replicas", "lintel-last-good", "lintel-last-day"} {
		if shared := one[*corev1.ConfigMap](t, name); len(shared.Data)+len(shared.BinaryData) > 0 || shared.Immutable != nil {
			t.Errorf("the ConfigMap %s has data or is immutable", name)
		}
	}
	lease := one[*coordinationv1.Lease](t, "lintel")
	if diff := cmp.Diff(coordinationv1.LeaseSpec{}, lease.Spec); diff != "" {
		t.Errorf("the Lease says who leads: -want, +got:\n%s", diff)
	}
}
