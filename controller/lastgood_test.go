package controller_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
)

// keeper composes objects with nothing else.
func keeper() *controller.Keeper {
	return &controller.Keeper{Compose: func(s policies.Source) (engine.Config, error) {
		return engine.Config{Policies: s.Policies, Exceptions: s.Exceptions}, nil
	}}
}

// objectsOf returns Policies as a cluster has them, and one ConfigMap for all who ask.
func objectsOf(data map[string]string, all ...v1alpha1.Policy) policies.Objects {
	return policies.Objects{Policies: all, ConfigMap: func(v1alpha1.ConfigMapRef) (map[string]string, bool) { return data, data != nil }}
}

// configured is a policy of the library with all that a spec can say.
func configured(t *testing.T) v1alpha1.Policy {
	t.Helper()
	var p v1alpha1.Policy
	must(t, "read policy", yaml.UnmarshalStrict([]byte(`
metadata: {name: labels}
spec:
  source: {library: required-labels}
  enforcement: warn
  patches: record
  parameters: {labels: [{key: team, allowedRegex: "^<a&b>$"}], inherit: [team]}
  match: {kinds: [{apiGroups: [""], kinds: [ConfigMap]}], namespaceSelector: {matchLabels: {}}}
  stages: [{from: "2037-01-15T00:00:00Z", enforcement: deny}]
  scopes: [{namespaceSelector: {matchLabels: {environment: development}}, enforcement: dryrun}]
  exceptions: {}
`), &p))
	return p
}

// TestLastGood restarts Lintel, so to speak: what is broken by then is in force as it
// last was, from whatever source, and the revision is the same.
func TestLastGood(t *testing.T) {
	kept := controller.LastGood{Client: emptyMap(t, "last-good"), Name: "last-good"}
	fromMap := v1alpha1.Policy{}
	fromMap.Name, fromMap.Spec.Source.ConfigMapRef = "from-map", &v1alpha1.ConfigMapRef{Namespace: "a", Name: "b"}
	fromMap.Spec.Match = object("", "").Spec.Match
	data := map[string]string{"a.rego": "package team\n\nviolation contains {\"msg\": \"mapped\"}"}
	well := objectsOf(data, object("one", `violation contains {"msg": "one"}`), fromMap, configured(t), object("gone", `violation contains {"msg": "gone"}`))
	before := keeper().Compile(well)
	left, err := kept.Write(t.Context(), before.Well)
	if err != nil || len(left)+len(before.Broken) > 0 {
		t.Fatalf("Write(...): left %v, %v; broken: %v", left, err, before.Broken)
	}

	good, broken, err := kept.Read(t.Context())
	if err != nil || len(broken) > 0 || len(good) != 4 {
		t.Fatalf("Read(...): %d policies, %v, %v", len(good), broken, err)
	}
	unknown := configured(t)
	unknown.Spec.Source.Library = "of-another-version"
	restarted := keeper()
	restarted.Recall(good)
	bad := objectsOf(nil, object("one", "violation contains 1 if nothing"), fromMap, unknown)
	after := restarted.Compile(bad)
	if diff := cmp.Diff(map[string]bool{"one": true, "from-map": true, "labels": true}, after.Kept); diff != "" {
		t.Errorf("kept: -want, +got:\n%s", diff)
	}
	without := objectsOf(data, well.Policies[:3]...)
	if got, want := after.Set.Revision(), keeper().Compile(without).Set.Revision(); got != want {
		t.Errorf("revision of what was kept: got %s, want that of what it was, %s", got, want)
	}

	_, err = kept.Write(t.Context(), after.Well)
	must(t, "write", err)
	good, _, err = kept.Read(t.Context())
	must(t, "read", err)
	if _, there := good["gone"]; there || len(good) != 3 {
		t.Error("a policy that is no object any more is kept")
	}
}

// TestLastGoodOfAnotherVersion holds that what does not compile any more, even as it
// last was, is said so of, and is in force in no form.
func TestLastGoodOfAnotherVersion(t *testing.T) {
	const bad = "violation contains 1 if nothing"
	k := keeper()
	k.Recall(map[string]engine.Policy{
		"one": policy("package lintel.one\n\nviolation contains {\"msg\": http.send({})}\n", v1alpha1.PolicySpec{Match: object("", "").Spec.Match}),
		"two": {Name: "two", FreePackage: true, Modules: []v1alpha1.Module{{Name: "a", Rego: "package team\n\nviolation contains {\"msg\": \"two\"}"}}, Spec: object("", "").Spec},
	})
	out := k.Compile(objectsOf(nil, object("one", bad), object("two", bad), object("three", `violation contains {"msg": "three"}`)))
	if diff := cmp.Diff(map[string]bool{"two": true}, out.Kept); diff != "" {
		t.Errorf("kept: -want, +got:\n%s", diff)
	}
	if err := out.Broken["one"]; err == nil || !strings.Contains(err.Error(), "rego_unsafe_var_error") || !strings.Contains(err.Error(), "nor does it compile as it last was: ") {
		t.Errorf("what is wrong: %v", err)
	}
	var names []string
	for _, info := range out.Set.Policies() {
		names = append(names, info.Name)
	}
	if got := strings.Join(names, " "); got != "three two" || out.Well["one"].Name != "" {
		t.Errorf("in force: %s, kept is %q", got, out.Well["one"].Name)
	}
}

// TestLastGoodIsTampered holds that an entry which is not what Lintel wrote is an
// error of that entry alone.
func TestLastGoodIsTampered(t *testing.T) {
	client := emptyMap(t, "tampered")
	kept := controller.LastGood{Client: client, Name: "tampered"}
	out := keeper().Compile(objectsOf(nil, object("well", `violation contains {"msg": "a"}`)))
	_, err := kept.Write(t.Context(), out.Well)
	must(t, "write", err)
	zipped := func(text string) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, err := w.Write([]byte(text))
		must(t, "compress", errors.Join(err, w.Close()))
		return b.Bytes()
	}
	found, err := client.Get(t.Context(), "tampered", metav1.GetOptions{})
	must(t, "get", err)
	entries := map[string][]byte{
		"plain": []byte("package team"), "cut": found.BinaryData["well"][:40], "other": found.BinaryData["well"],
		"bomb":   zipped(`{"name": "bomb", "origin": "` + strings.Repeat("a", 8<<20) + `"}`),
		"fields": zipped(`{"name": "fields", "spec": {"enforcement": "deny", "confinedTo": "nothing"}}`),
		"text":   zipped("text"),
	}
	for name, data := range entries {
		found.BinaryData[name] = data
	}
	_, err = client.Update(t.Context(), found, metav1.UpdateOptions{})
	must(t, "tamper", err)
	good, broken, err := kept.Read(t.Context())
	if err != nil || len(good) != 1 || good["well"].Name != "well" {
		t.Errorf("Read(...): %d policies, %v, want the one that is well", len(good), err)
	}
	said := fmt.Sprint(broken)
	for name := range entries {
		if !strings.Contains(said, "ConfigMap tampered: policy "+name+" as it last compiled: ") {
			t.Errorf("nothing is said of %s: %s", name, said)
		}
	}
	if len(broken) != len(entries) {
		t.Errorf("%d errors of %d entries", len(broken), len(entries))
	}
}

// TestLastGoodIsFull holds that what there is no room for is named, and that all else is
// kept.
func TestLastGoodIsFull(t *testing.T) {
	client := emptyMap(t, "full")
	kept := controller.LastGood{Client: client, Name: "full"}
	random := rand.NewChaCha8([32]byte{})
	noise := make([]byte, 300<<10)
	_, _ = random.Read(noise)
	many := map[string]engine.Policy{}
	for i := range 4 {
		name := fmt.Sprintf("large-%d", i)
		text := fmt.Sprintf("%x", noise[:(260+10*i)<<10])
		many[name] = engine.Policy{Name: name, Modules: []v1alpha1.Module{{Name: "a", Rego: text}}}
	}
	for i := range 50 {
		name := fmt.Sprintf("small-%d", i)
		many[name] = engine.Policy{Name: name}
	}
	left, err := kept.Write(t.Context(), many)
	if diff := cmp.Diff([]string{"large-3"}, left); diff != "" || err != nil {
		t.Errorf("left out: %v; -want, +got:\n%s", err, diff)
	}
	good, broken, err := kept.Read(t.Context())
	if err != nil || len(broken) > 0 || len(good) != 53 {
		t.Errorf("Read(...): %d policies, %v, %v, want all but one", len(good), broken, err)
	}
}
