package resource_test

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/resource"
)

// TestDefaultGolden compares with what the code of kube-apiserver 1.37.2 made of
// the same objects: testdata/defaults.golden has, in order and one a line, each
// decoded with its UniversalDecoder (which sets defaults), and encoded again in
// the version that it came in.
func TestDefaultGolden(t *testing.T) {
	in, err := os.Open("testdata/defaults.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	golden, err := os.Open("testdata/defaults.golden")
	if err != nil {
		t.Fatal(err)
	}
	defer golden.Close()
	lines := bufio.NewScanner(golden)
	lines.Buffer(nil, 1<<20)

	read := resource.Read(in, "defaults.yaml")
	if len(read.Errors) > 0 {
		t.Fatalf("Read(...): %v", texts(read))
	}
	for _, o := range read.Objects {
		if !lines.Scan() {
			t.Fatalf("%s %s has no golden line", o.Kind, o.Name)
		}
		got, _, err := resource.Default(o)
		if err != nil {
			t.Errorf("Default(%s %s): %v", o.Kind, o.Name, err)
			continue
		}
		if diff := cmp.Diff(decoded(lines.Bytes()), decoded(got.JSON)); diff != "" {
			t.Errorf("Default(%s %s): -API server, +got:\n%s", o.Kind, o.Name, diff)
		}
		again, _, err := resource.Default(got)
		if err != nil || string(again.JSON) != string(got.JSON) {
			t.Errorf("Default(Default(%s %s)) is not Default of it: %v", o.Kind, o.Name, err)
		}
	}
	if lines.Scan() {
		t.Errorf("more golden lines than objects: %s", lines.Text())
	}
}

func TestDefault(t *testing.T) {
	const controller = `apiVersion: v1
kind: ReplicationController
metadata:
  name: a
spec:
  template:
    metadata:
      labels: {team: x}
    spec:
      containers:
      - name: web
        livenessprobe:
          exec: {}
`
	got := resource.Read(strings.NewReader(controller), "f")
	o, warnings, err := resource.Default(got.Objects[0])
	if err != nil {
		t.Fatalf("Default(...): %v", err)
	}
	want := []resource.Warning{{File: "f", Line: 12, Field: "spec.template.spec.containers[0].livenessprobe"}}
	if diff := cmp.Diff(want, warnings); diff != "" {
		t.Errorf("warnings: -want, +got:\n%s", diff)
	}
	if got, want := warnings[0].String(), `f:12: unknown field "spec.template.spec.containers[0].livenessprobe"`; got != want {
		t.Errorf("warning: want %q, got %q", want, got)
	}
	var c struct {
		Metadata struct{ Labels map[string]string }
	}
	if err := json.Unmarshal(o.JSON, &c); err != nil || c.Metadata.Labels["team"] != "x" {
		t.Errorf("labels come from the template: %v, %s", err, o.JSON)
	}
	for want, path := range map[int][]any{3: {"metadata", "labels", "team"}, 5: {"spec", "replicas"}, 11: {"spec", "template", "spec", "containers", 0, "imagePullPolicy"}} {
		if line := o.LineOf(path); line != want {
			t.Errorf("LineOf(%v): want %d, got %d", path, want, line)
		}
	}
}

func TestDefaultErrors(t *testing.T) {
	const head = "apiVersion: apps/v1\nkind: Deployment\nspec:\n"
	cases := map[string]struct {
		reason string
		in     string
		want   string
	}{
		"String":   {"A wrong type is named with its line.", "  replicas: hunter2\n", "f:4: spec.replicas is a string, not an integer of 32 bits as in Deployment"},
		"Fraction": {"So is a fraction.", "  replicas: 1.5\n", "f:4: spec.replicas is a number, not an integer of 32 bits as in Deployment"},
		"InList": {
			"The item that is wrong is found.",
			"  template: {spec: {containers: [{env: [\n    {name: a, value: b},\n    {name: c, value: 8080}]}]}}\n",
			"f:6: spec.template.spec.containers.env.value is a number, not a string as in Deployment",
		},
		"Embedded": {
			"The names of Go structs are left out.",
			"  template: {spec: {volumes: [{name: a,\n    fc: {lun: 'hunter2'}}]}}\n",
			"f:5: spec.template.spec.volumes.fc.lun is a string, not an integer of 32 bits as in Deployment",
		},
		"List":     {"A list is no object.", "  selector: []\n", "f:4: spec.selector is an array, not an object as in Deployment"},
		"Quantity": {"A quantity is not repeated.", "  template: {spec: {overhead: {cpu: hunter2}}}\n", "f:1: has a quantity that Kubernetes cannot read"},
		"Time":     {"Nor is a time.", "metadata: {creationTimestamp: hunter2}\n", "f:1: does not fit apps/v1 Deployment"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			read := resource.Read(strings.NewReader(head+tc.in), "f")
			if len(read.Objects) != 1 {
				t.Fatalf("Read(...): %v", texts(read))
			}
			o, _, err := resource.Default(read.Objects[0])
			if err == nil || err.Error() != tc.want {
				t.Errorf("%s\nDefault(...): want error %q, got %v", tc.reason, tc.want, err)
			}
			if string(o.JSON) != string(read.Objects[0].JSON) {
				t.Errorf("%s\nDefault(...): the object has changed", tc.reason)
			}
		})
	}
}

func TestDefaultUnknownKind(t *testing.T) {
	const in = `{"apiVersion":"example.com/v1","kind":"Pod","spec":{"a":null,"containers":[{}]}}`
	read := resource.Read(strings.NewReader(in), "f")
	o, warnings, err := resource.Default(read.Objects[0])
	if err != nil || len(warnings) > 0 || string(o.JSON) != in {
		t.Errorf("a kind that is not built in stays as it is: %v, %v, %s", err, warnings, o.JSON)
	}
}

// TestDefaultMisspeltKind holds that a kind which no built-in API has is told of: no
// policy would be asked about it.
func TestDefaultMisspeltKind(t *testing.T) {
	const in = "# comment\napiVersion: apps/v1\nkind: Deploymnet\n"
	o, warnings, err := resource.Default(resource.Read(strings.NewReader(in), "f").Objects[0])
	if err != nil || !strings.Contains(string(o.JSON), "Deploymnet") {
		t.Errorf("Default(...): %v, %s", err, o.JSON)
	}
	want := []resource.Warning{{File: "f", Line: 2, Kind: "Deploymnet of apps/v1"}}
	if diff := cmp.Diff(want, warnings); diff != "" {
		t.Errorf("warnings: -want, +got:\n%s", diff)
	}
	if got := warnings[0].String(); got != "f:2: unknown kind Deploymnet of apps/v1" {
		t.Errorf("String(): %q", got)
	}
}

// TestDefaultCase holds keys to their exact spelling, as the API server does:
// encoding/json would take Containers for containers.
func TestDefaultCase(t *testing.T) {
	const in = "apiVersion: v1\nkind: Pod\nspec:\n  containers: [{name: good}]\n  Containers: [{name: evil}]\n"
	read := resource.Read(strings.NewReader(in), "f")
	o, warnings, err := resource.Default(read.Objects[0])
	if err != nil || strings.Contains(string(o.JSON), "evil") || !strings.Contains(string(o.JSON), "good") {
		t.Errorf("Default(...): %v, %s", err, o.JSON)
	}
	if want := []resource.Warning{{File: "f", Line: 5, Field: "spec.Containers"}}; !cmp.Equal(want, warnings) {
		t.Errorf("warnings: want %v, got %v", want, warnings)
	}
}

func BenchmarkDefault(b *testing.B) {
	o := resource.Read(strings.NewReader(deployment(b)), "f").Objects[0]
	for b.Loop() {
		if _, _, err := resource.Default(o); err != nil {
			b.Fatal(err)
		}
	}
}
