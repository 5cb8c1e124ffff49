package manifests_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCRDsAreCurrent generates what is generated from the types, and compares.
func TestCRDsAreCurrent(t *testing.T) {
	dir := t.TempDir()
	generate := exec.CommandContext(t.Context(), "go", "tool", "controller-gen", "object", "crd", "paths=../api/...",
		"output:object:dir="+filepath.Join(dir, "api"), "output:crd:dir="+filepath.Join(dir, "crds"))
	if out, err := generate.CombinedOutput(); err != nil {
		t.Fatalf("controller-gen: %v\n%s", err, out)
	}
	for generated, committed := range map[string]string{
		"api/zz_generated.deepcopy.go":          "../api/v1alpha1/zz_generated.deepcopy.go",
		"crds/lintel.dev_policies.yaml":         "crds/lintel.dev_policies.yaml",
		"crds/lintel.dev_policyexceptions.yaml": "crds/lintel.dev_policyexceptions.yaml",
	} {
		want, err := os.ReadFile(filepath.Join(dir, generated))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(committed)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s: -of the types, +committed (go tool controller-gen object crd paths=./api/... output:crd:dir=manifests/crds writes it):\n%s", committed, diff)
		}
	}
}

// TestObjectsOfOurs makes policies and exceptions that an API server takes, and
// others that it refuses with a message that says what is wrong.
func TestObjectsOfOurs(t *testing.T) {
	c := shared.Cluster(t)
	kubectl(t, c, "apply", "-f", "crds")
	t.Cleanup(func() { c.Kubectl(context.WithoutCancel(t.Context()), nil, "delete", "-f", "crds") })
	kubectl(t, c, "wait", "--for=condition=Established", "crd/policies.lintel.dev", "crd/policyexceptions.lintel.dev")
	policy := func(spec string) string {
		return "apiVersion: lintel.dev/v1alpha1\nkind: Policy\nmetadata: {name: a}\nspec: " + spec
	}
	exception := func(spec string) string {
		return "apiVersion: lintel.dev/v1alpha1\nkind: PolicyException\nmetadata: {name: a, namespace: default}\nspec: " + spec
	}
	const excused = `policies: [probes], reason: r, owner: o, expires: "2027-03-31T00:00:00Z"`
	cases := map[string]struct {
		object string
		want   string // part of the refusal; "" if the object is taken
	}{
		"Library":       {policy(`{source: {library: probes}}`), ""},
		"Modules":       {policy(`{source: {modules: [{name: a.rego, rego: "package a"}]}}`), ""},
		"ConfigMap":     {policy(`{source: {configMapRef: {namespace: a, name: b}}}`), ""},
		"Parameters":    {policy(`{source: {library: a}, parameters: {labels: [{key: team, more: {x: 1}}]}}`), ""},
		"AllSettings":   {policy(`{source: {library: a}, enforcement: warn, patches: "off", onError: allow, existing: enforce, stages: [{from: "2027-01-15T00:00:00Z", enforcement: deny}], exceptions: {}}`), ""},
		"Match":         {policy(`{source: {library: a}, match: {kinds: [{apiGroups: [""], kinds: ["*"], versions: [v1]}], operations: ["*"], subresources: ["", scale], namespaceSelector: {}}}`), ""},
		"EmptyMatch":    {policy(`{source: {library: a}, match: {}}`), ""},
		"Scopes":        {policy(`{source: {library: a}, scopes: [{users: ["system:serviceaccount:argo:workflows"], enforcement: warn}, {namespaceSelector: {matchLabels: {a: b}}, parameters: {x: 1}}]}`), ""},
		"NoSource":      {policy(`{}`), "spec.source: Required value"},
		"TwoSources":    {policy(`{source: {library: a, configMapRef: {namespace: a, name: b}}}`), "exactly one of the fields in [library modules configMapRef] must be set"},
		"EmptySource":   {policy(`{source: {}}`), "exactly one of the fields in [library modules configMapRef] must be set"},
		"Enforcement":   {policy(`{source: {library: a}, enforcement: audit}`), `Unsupported value: "audit": supported values: "deny", "warn", "dryrun"`},
		"Misspelt":      {policy(`{source: {library: a}, enforcment: warn}`), `unknown field "spec.enforcment"`},
		"IdleScope":     {policy(`{source: {library: a}, scopes: [{users: [a]}]}`), "a scope needs an enforcement or parameters, else it changes nothing"},
		"ScopeForAll":   {policy(`{source: {library: a}, scopes: [{enforcement: warn, users: []}]}`), "a scope needs a namespaceSelector or users"},
		"NoKinds":       {policy(`{source: {library: a}, match: {kinds: [{apiGroups: [apps], kinds: []}]}}`), "spec.match.kinds[0].kinds"},
		"TwoModules":    {policy(`{source: {modules: [{name: a, rego: "x"}, {name: a, rego: "y"}]}}`), "Duplicate value"},
		"LargeModule":   {policy(`{source: {modules: [{name: a, rego: "` + strings.Repeat("x", 512<<10+1) + `"}]}}`), "Too long"},
		"Operation":     {policy(`{source: {library: a}, match: {operations: [create]}}`), `Unsupported value: "create"`},
		"Name":          {strings.Replace(policy(`{source: {library: a}}`), "name: a}", "name: a.b}", 1), "a policy's name has small letters, digits and -"},
		"Exception":     {exception(`{` + excused + `, objects: {names: ["legacy-*"]}, ticket: OPS-1}`), ""},
		"Selected":      {exception(`{` + excused + `, objects: {kinds: [Deployment], labelSelector: {matchExpressions: [{key: a, operator: Exists}]}}}`), ""},
		"AllObjects":    {exception(`{` + excused + `, objects: {kinds: [Deployment]}}`), "objects selects everything"},
		"EmptySelector": {exception(`{` + excused + `, objects: {labelSelector: {}}}`), "objects selects everything"},
		"AnyName":       {exception(`{` + excused + `, objects: {names: ["*"]}}`), "spec.objects.names[0]"},
		"AnyPolicy":     {exception(`{policies: ["*"], reason: r, owner: o, expires: "2027-03-31T00:00:00Z", objects: {names: [a]}}`), "spec.policies[0]"},
		"NoPolicy":      {exception(`{policies: [], reason: r, owner: o, expires: "2027-03-31T00:00:00Z", objects: {names: [a]}}`), "spec.policies"},
		"NoReason":      {exception(`{policies: [a], owner: o, expires: "2027-03-31T00:00:00Z", objects: {names: [a]}}`), "spec.reason: Required value"},
		"NoExpiry":      {exception(`{policies: [a], reason: r, owner: o, objects: {names: [a]}}`), "spec.expires: Required value"},
		"NoDate":        {exception(`{policies: [a], reason: r, owner: o, expires: never, objects: {names: [a]}}`), "spec.expires"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, stderr, code := c.Kubectl(t.Context(), strings.NewReader(tc.object), "create", "--dry-run=server", "-f", "-")
			if refused := code != 0; refused != (tc.want != "") || !strings.Contains(stderr, tc.want) {
				t.Errorf("kubectl create: %d %.600s\nwant %q", code, stderr, tc.want)
			}
		})
	}
	t.Run("Columns", func(t *testing.T) { testColumns(t, policy(`{source: {library: probes}}`)) })
	t.Run("ColumnsOfExceptions", func(t *testing.T) {
		testColumnsOfExceptions(t, exception(`{`+excused+`, objects: {names: ["legacy-*"]}}`))
	})
}

// testColumns makes a policy with a status and looks at what kubectl prints of it.
func testColumns(t *testing.T, object string) {
	c := shared.Cluster(t)
	if _, stderr, code := c.Kubectl(t.Context(), strings.NewReader(object), "create", "-f", "-"); code != 0 {
		t.Fatal(stderr)
	}
	if got := kubectl(t, c, "get", "lpol", "a", "-o", "jsonpath={.status.observedGeneration}"); got != "-1" {
		t.Errorf("before Lintel has said anything, observedGeneration is %q, want -1, or tools that wait take silence for well", got)
	}
	kubectl(t, c, "patch", "lpol", "a", "--subresource=status", "--type=merge", "-p",
		`{"status":{"enforcement":"warn","nextStage":{"from":"2027-01-15T00:00:00Z","enforcement":"deny"},"lastDay":{"since":"2026-01-01T00:00:00Z","requests":3,"owners":[{"kind":"Deployment","namespace":"shop","name":"web","team":"checkout","requests":2}],"otherRequests":1},"revision":"4f2a91c","conditions":[{"type":"Ready","status":"False","reason":"Broken","message":"a.rego:1","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}`)
	lines := strings.Split(kubectl(t, c, "get", "lintel", "--all-namespaces"), "\n")
	if got, want := strings.Fields(lines[0]), strings.Fields("NAME ENFORCEMENT NEXT FROM WOULD DENY READY REASON REVISION AGE"); !cmp.Equal(got, want) {
		t.Errorf("columns %q, want %q", got, want)
	}
	if got, want := strings.Fields(lines[1]), strings.Fields("policy.lintel.dev/a warn deny 2027-01-15T00:00:00Z 3 False Broken 4f2a91c"); !cmp.Equal(got[:min(len(got), 8)], want) {
		t.Errorf("kubectl get lintel: %q, want %q", got, want)
	}
	owners := strings.TrimSuffix(strings.Repeat(`{"kind":"Pod","name":"a","requests":1},`, 11), ",")
	for lastDay, want := range map[string]string{
		`{"since":"2026-01-01T00:00:00Z"}`: "status.lastDay.requests: Required value",
		`{"requests":1}`:                   "status.lastDay.since: Required value",
		`{"since":"2026-01-01T00:00:00Z","requests":11,"owners":[` + owners + `]}`: "must have at most 10 items",
	} {
		_, stderr, code := c.Kubectl(t.Context(), nil, "patch", "lpol", "a", "--subresource=status", "--type=merge", "-p", `{"status":{"lastDay":null}}`)
		if code != 0 {
			t.Fatal(stderr)
		}
		if _, stderr, code = c.Kubectl(t.Context(), nil, "patch", "lpol", "a", "--subresource=status", "--type=merge", "-p", `{"status":{"lastDay":`+lastDay+`}}`); code == 0 || !strings.Contains(stderr, want) {
			t.Errorf("%s: %d %s, want %q", lastDay, code, stderr, want)
		}
	}
}

// testColumnsOfExceptions makes an exception with a status and looks at what kubectl
// prints of it.
func testColumnsOfExceptions(t *testing.T, object string) {
	c := shared.Cluster(t)
	if _, stderr, code := c.Kubectl(t.Context(), strings.NewReader(object), "create", "-f", "-"); code != 0 {
		t.Fatal(stderr)
	}
	if got := kubectl(t, c, "get", "lpex", "a", "-o", "jsonpath={.status.observedGeneration}"); got != "-1" {
		t.Errorf("before Lintel has said anything, observedGeneration is %q, want -1, or tools that wait go on before it counts", got)
	}
	kubectl(t, c, "patch", "lpex", "a", "--subresource=status", "--type=merge", "-p",
		`{"status":{"lastUsed":"2026-01-01T00:00:00Z","conditions":[{"type":"Honoured","status":"True","reason":"PartlyHonoured","message":"","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}`)
	lines := strings.Split(kubectl(t, c, "get", "lpex", "a"), "\n")
	if got, want := strings.Fields(lines[0]), strings.Fields("NAME POLICIES OWNER EXPIRES LAST USED HONOURED REASON"); !cmp.Equal(got, want) {
		t.Errorf("columns %q, want %q", got, want)
	}
	row := strings.Fields(lines[1])
	want := strings.Fields(`a ["probes"] o 2027-03-31T00:00:00Z`)
	if len(row) != 7 || !cmp.Equal(row[:4], want) || row[5] != "True" || row[6] != "PartlyHonoured" {
		t.Errorf("kubectl get lpex: %q, want %q, when it was last used, and True PartlyHonoured", row, want)
	}
}
