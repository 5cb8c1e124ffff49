package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// stored are objects of a cluster in which Lintel's own are checked: a policy that
// honours exceptions in some namespaces, one that honours none, and Rego that a
// policy can name.
const stored = `
apiVersion: lintel.dev/v1alpha1
kind: Policy
metadata: {name: honours}
spec:
  source: {library: probes}
  enforcement: deny
  match: {kinds: [{apiGroups: [apps], kinds: [Deployment]}]}
  exceptions: {namespaceSelector: {matchLabels: {exceptions: allowed}}}
---
apiVersion: lintel.dev/v1alpha1
kind: Policy
metadata: {name: resources}
spec: {source: {library: resources}, enforcement: warn}
---
apiVersion: v1
kind: Namespace
metadata: {name: excusing, labels: {exceptions: allowed}}
---
apiVersion: v1
kind: Namespace
metadata: {name: strict}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: own-broken, namespace: default}
data: {a.rego: "package team\n\nviolation contains {\"msg\": nothing}\n"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: own-empty, namespace: default}
data: {README.md: text}
`

// policyOf is a Policy of one module; more are other fields of its spec.
func policyOf(t *testing.T, name, rego, more string) string {
	t.Helper()
	data, err := json.Marshal(rego)
	must(err)
	return fmt.Sprintf(`{"apiVersion": "lintel.dev/v1alpha1", "kind": "Policy", "metadata": {"name": %q},
		"spec": {"source": {"modules": [{"name": "a.rego", "rego": %s}]}, %s}}`, name, data, more)
}

// policyFrom is a Policy of a source; more are other fields of its spec.
func policyFrom(name, source, more string) string {
	return fmt.Sprintf(`{"apiVersion": "lintel.dev/v1alpha1", "kind": "Policy", "metadata": {"name": %q}, "spec": {"source": {%s} %s}}`, name, source, more)
}

// exceptionOf is a PolicyException; objects and policies are JSON.
func exceptionOf(namespace, policies, objects, expires string) string {
	return fmt.Sprintf(`{"apiVersion": "lintel.dev/v1alpha1", "kind": "PolicyException", "metadata": {"name": "legacy", "namespace": %q},
		"spec": {"policies": %s, "objects": %s, "reason": "r", "owner": "o", "expires": %q}}`, namespace, policies, objects, expires)
}

const (
	later = "2037-01-01T00:00:00Z"
	about = `"match": {"kinds": [{"apiGroups": [""], "kinds": ["ConfigMap"]}]}`
	// refusal is what kubectl says before the message of a refusal.
	refusal = `Error from server (Forbidden): error when creating "STDIN": admission webhook "own.lintel.dev" denied the request: `
)

// attempt has the API server check an object without storing it, and returns what
// kubectl says to the person who asked.
func attempt(t *testing.T, object string) string {
	t.Helper()
	_, stderr, _ := shared.Cluster(t).Kubectl(t.Context(), strings.NewReader(object), "create", "--dry-run=server", "-f", "-")
	return strings.TrimSuffix(stderr, "\n")
}

// awaitChecked waits until the API server asks about Lintel's own objects, of which
// it learns by a watch.
func awaitChecked(t *testing.T) {
	t.Helper()
	broken := policyFrom("no-such", `"library": "no-such"`, "")
	if !comesTrue(func() bool { return strings.Contains(attempt(t, broken), "own.lintel.dev") }) {
		t.Fatal("the API server does not ask about policies")
	}
}

// own makes what is stored. The namespaces stay, since nobody here takes them away.
func own(t *testing.T) {
	t.Helper()
	define(t)
	kubectl(t, stored, "apply", "-f", "-")
	t.Cleanup(func() {
		shared.Cluster(t).Kubectl(context.WithoutCancel(t.Context()), nil, "delete", "configmap", "own-broken", "own-empty")
	})
}

// TestOwnObjects has people write Policies and PolicyExceptions to a real API server.
func TestOwnObjects(t *testing.T) {
	own(t)
	stale := []string{"patch", "policy", "stale", "--type=merge", "-p", `{"metadata": {"finalizers": null}}`}
	t.Cleanup(func() { shared.Cluster(t).Kubectl(context.WithoutCancel(t.Context()), nil, stale...) }) // or its kind cannot go
	kubectl(t, staleWith(t, "nothing"), "create", "-f", "-")                                           // nobody checks it yet
	s := serveFrom(t, "cluster", "-p", "embedded")
	awaitChecked(t)
	t.Run("Said", testOwnSaid)
	t.Run("Changes", func(t *testing.T) { testOwnChanges(t, stale) })
	t.Run("Confined", testConfined)
	t.Run("Unchecked", func(t *testing.T) { testUnchecked(t, s) })
}

// staleWith is a Policy that is broken by a variable.
func staleWith(t *testing.T, variable string) string {
	t.Helper()
	return policyOf(t, "stale", "package team\n\nviolation contains {\"msg\": "+variable+"}", about)
}

// testOwnSaid has them be wrong, or not meant so, in every way: people read what it
// is and how it is mended.
func testOwnSaid(t *testing.T) {
	well := "package team\n\nviolation contains {\"msg\": \"m\"} if input.parameters.n\n"
	schema := "# METADATA\n# custom:\n#   parameters: {type: object, properties: {n: {type: integer}, names: {type: array, items: {type: string}}}}\n" + well
	cases := map[string]struct{ reason, object, want string }{
		"Well":     {"What is well is stored without a word.", policyOf(t, "a", schema, about+`, "parameters": {"n": 1}`), ""},
		"Library":  {"So is a policy of the library.", policyFrom("probes", `"library": "probes"`, ""), ""},
		"Mistyped": {"Which policies there are is said.", policyFrom("a", `"library": "prob"`, ""), refusal + "Policy a would not be in force:\n  spec.source.library: the library has no policy \"prob\", only no-hardcoded-secrets, probes, required-labels, resources, topology-spread"},
		"Syntax": {"The line is said, and where in it.", policyOf(t, "a", "package team\n\nviolation contains {", about), refusal + "Policy a would not be in force:\n  2 errors:\n" +
			"  Policy a#a.rego:3: rego_parse_error: unexpected eof token\n    violation contains {\n                       ^\n" +
			"  Policy a#a.rego:3: rego_parse_error: unexpected eof token: expected rule key term (e.g., violation contains <VALUE> { ... })\n    violation contains {\n                       ^"},
		"OldSyntax": {"How old Rego is turned into new is said.", policyOf(t, "a", "package team\n\nviolation[{\"msg\": \"m\"}] { true }", about), refusal + "Policy a would not be in force:\n  2 errors:\n" +
			"  Policy a#a.rego:3: rego_parse_error: `if` keyword is required before rule body\n    this is Rego before version 1: opa fmt --v0-v1 --write FILE makes it version 1\n" +
			"  Policy a#a.rego:3: rego_parse_error: `contains` keyword is required for partial set rules\n    this is Rego before version 1: opa fmt --v0-v1 --write FILE makes it version 1"},
		"Unsafe": {"So is a variable that is not there.", policyOf(t, "a", "package team\n\nviolation contains {\"msg\": nothing}", about), refusal + "Policy a would not be in force:\n  Policy a#a.rego:3: rego_unsafe_var_error: var nothing is unsafe"},
		"Forbidden": {
			"Why a function may not be called is said, and what is there instead.",
			policyOf(t, "a", "package team\n\nviolation contains {\"msg\": \"m\"} if http.send({\"url\": \"http://a\", \"method\": \"get\"}).body", about),
			refusal + "Policy a would not be in force:\n  Policy a#a.rego:3: rego_type_error: undefined function http.send\n" +
				"    policies may not call it, since it reaches out of the process: name what else the policy reads in METADATA, as custom.inventory",
		},
		"Clock":       {"A policy has the time of the request.", policyOf(t, "a", "package team\n\nviolation contains {\"msg\": time.now_ns()}", about), refusal + "Policy a would not be in force:\n  Policy a#a.rego:3: rego_type_error: undefined function time.now_ns\n    policies may not call it, since it answers otherwise next time: input.time is the time of the request"},
		"NoRule":      {"A policy that says nothing is none.", policyOf(t, "a", "package team\n\ndeny contains {\"msg\": \"m\"}", about), refusal + "Policy a would not be in force:\n  package data.team has neither a violation nor a patch rule"},
		"NoMatch":     {"Nor is one that matches nothing.", policyOf(t, "a", well, `"enforcement": "warn"`), refusal + "Policy a would not be in force:\n  match: kinds is empty, so the policy matches nothing: custom.match in the METADATA of its package names them, or spec.match of its Policy object"},
		"Reserved":    {"No policy changes what others use.", policyOf(t, "a", "package lintel.workload\n\nviolation contains {\"msg\": \"m\"}", about), refusal + "Policy a would not be in force:\n  Policy a#a.rego: package data.lintel.workload is Lintel's own"},
		"Metadata":    {"A key that METADATA does not have is none.", policyOf(t, "a", "# METADATA\n# custom: {sevrity: high}\n"+well, about), refusal + "Policy a would not be in force:\n  Policy a#a.rego:1: METADATA: custom: unknown field \"sevrity\""},
		"NoParameter": {"Which parameters there are is said.", policyOf(t, "a", schema, about+`, "parameters": {"m": 1}`), refusal + "Policy a would not be in force:\n  spec.parameters: unknown parameter m: there are n, names"},
		"Type":        {"What a parameter is expected to be is said, and no value.", policyOf(t, "a", schema, about+`, "parameters": {"n": "s3cr3t"}`), refusal + "Policy a would not be in force:\n  spec.parameters: parameters.n: must be of type integer, and is string"},
		"InScope":     {"So it is in a scope.", policyOf(t, "a", schema, about+`, "scopes": [{"users": ["u"], "parameters": {"names": [1]}}]`), refusal + "Policy a would not be in force:\n  spec.scopes[0].parameters: parameters.names[0]: must be of type string, and is integer"},
		"Clash":       {"A name that is taken is not taken again.", policyOf(t, "probes", well, about), refusal + "Policy probes would not be in force:\n  the name is there twice: in Policy probes and in embedded: give it another name"},
		"FromMap":     {"Rego in a ConfigMap is read, and its line said.", policyFrom("a", `"configMapRef": {"namespace": "default", "name": "own-broken"}`, ", "+about), refusal + "Policy a would not be in force:\n  ConfigMap default/own-broken#a.rego:3: rego_unsafe_var_error: var nothing is unsafe"},
		"EmptyMap":    {"A ConfigMap without Rego is a mistake.", policyFrom("a", `"configMapRef": {"namespace": "default", "name": "own-empty"}`, ", "+about), refusal + "Policy a would not be in force:\n  spec.source.configMapRef: ConfigMap default/own-empty has no key that ends in .rego"},
		"LaterMap":    {"One that is not there may come.", policyFrom("a", `"configMapRef": {"namespace": "default", "name": "own-later"}`, ", "+about), "Warning: a: spec.source.configMapRef: waits for what it is made from: there is no ConfigMap default/own-later"},
		"Nested":      {"What would keep the compiler for ever is refused at once.", policyOf(t, "a", "package team\n\nviolation contains {\"msg\": "+strings.Repeat("[x | x := ", 40)+"1"+strings.Repeat("]", 40)+"}", about), refusal + "Policy a would not be in force:\n  Policy a#a.rego: comprehensions are nested more than 8 deep: name the inner ones by rules of their own"},
		"Controls":    {"What a terminal obeys is not repeated.", policyOf(t, "a", "package team\n\nviolation contains \"\\u001b[31m\" if x\u202e\n", about), ""},
		"Pending":     {"A kind may come later.", policyOf(t, "a", well, `"match": {"kinds": [{"apiGroups": ["example.com"], "kinds": ["Widget"]}]}`), "Warning: a: it matches nothing that this cluster has, until there is Widget.example.com"},
		"SomePending": {"One kind of several is no reason to say so.", policyOf(t, "a", well, `"match": {"kinds": [{"apiGroups": ["", "example.com"], "kinds": ["ConfigMap", "Widget"]}]}`), ""},
		"Never":       {"What is never asked about is said.", policyOf(t, "a", well, `"match": {"kinds": [{"apiGroups": [""], "kinds": ["Node", "ConfigMap"]}]}`), "Warning: a: nobody is ever asked about Node (docs/design/never-held-up.md)"},
		"Subresource": {"So is a subresource that there is not.", policyOf(t, "a", well, `"match": {"kinds": [{"apiGroups": [""], "kinds": ["ConfigMap"]}], "subresources": ["", "scale"]}`), "Warning: a: no kind that it matches has the subresource \"scale\""},
		"Inventory":   {"A policy that cannot decide says so.", policyOf(t, "a", "# METADATA\n# custom: {inventory: [{apiVersion: example.com/v1, kind: Widget}]}\n"+well, about), "Warning: a: it reads example.com/v1 Widget, which this cluster does not have: until then it cannot decide"},

		"Excuse":       {"An exception that excuses something is stored without a word.", exceptionOf("excusing", `["honours"]`, `{"names": ["web"]}`, later), ""},
		"Past":         {"One that ended before it began excuses nothing.", exceptionOf("excusing", `["honours"]`, `{"names": ["web"]}`, "2020-01-01T00:00:00Z"), refusal + "PolicyException excusing/legacy would not be in force:\n  spec.expires: 2020-01-01T00:00:00Z is past: it excuses until then, so give a time to come"},
		"UnknownName":  {"Its policy may come later.", exceptionOf("excusing", `["honours", "later"]`, `{"names": ["web"]}`, later), "Warning: legacy: there is no policy later yet, so it has no effect on that"},
		"NotHonoured":  {"The operator is who allows exceptions, and reads how.", exceptionOf("excusing", `["resources"]`, `{"names": ["web"]}`, later), "Warning: legacy: policy resources honours no exceptions: it has no effect unless spec.exceptions of the Policy says {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: excusing}}}"},
		"Elsewhere":    {"Not in each namespace.", exceptionOf("strict", `["honours"]`, `{"names": ["web"]}`, later), "Warning: legacy: policy honours honours exceptions in namespaces with exceptions=allowed, which strict has not: it has no effect"},
		"Cluster":      {"What is in no namespace is not excused.", exceptionOf("excusing", `["honours"]`, `{"names": ["web"], "kinds": ["Namespace", "Deployment"]}`, later), "Warning: legacy: a Namespace is in no namespace, and no exception excuses it"},
		"MistypedKind": {"Nor is a kind that is misspelt.", exceptionOf("excusing", `["honours"]`, `{"names": ["web"], "kinds": ["deployment"]}`, later), `Warning: legacy: this cluster has no kind "deployment"`},
		"Another":      {"Nor what is in another namespace.", exceptionOf("excusing", `["honours"]`, `{"names": ["strict/web"]}`, later), `Warning: legacy: no object is called "strict/web": an exception is for its own namespace, excusing, and names have none`},
		"Excluded":     {"Where nothing is judged, nothing is excused.", exceptionOf("kube-system", `["honours"]`, `{"names": ["web"]}`, later), "Warning: legacy: nothing in namespace kube-system is ever judged, so there is nothing to excuse\nWarning: legacy: policy honours honours exceptions in namespaces with exceptions=allowed, which kube-system has not: it has no effect"},

		// What the schema says, the API server refuses by itself, and Lintel does not again.
		"SchemaPolicies": {"A wildcard for all policies.", exceptionOf("excusing", `["*"]`, `{"names": ["web"]}`, later), `The PolicyException "legacy" is invalid: spec.policies[0]: Invalid value: "*": spec.policies[0] in body should match '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$'`},
		"SchemaNames":    {"A wildcard for all names.", exceptionOf("excusing", `["honours"]`, `{"names": ["*"]}`, later), `The PolicyException "legacy" is invalid: spec.objects.names[0]: Invalid value: "*": spec.objects.names[0] in body should match '^[^*]+[*]?$'`},
		"SchemaObjects":  {"A selector of everything.", exceptionOf("excusing", `["honours"]`, `{"kinds": ["Pod"], "labelSelector": {}}`, later), `The PolicyException "legacy" is invalid: spec.objects: Invalid value: objects selects everything: give names, or a labelSelector that is not empty`},
		"SchemaExpires":  {"No end.", exceptionOf("excusing", `["honours"]`, `{"names": ["web"]}`, ""), `spec.expires: Invalid value: "": spec.expires in body must be of type date-time: ""`},
		"OwnSelector":    {"What the schema cannot say, Lintel does.", exceptionOf("excusing", `["honours"]`, `{"labelSelector": {"matchExpressions": [{"key": "a", "operator": "Like"}]}}`, later), refusal + "PolicyException excusing/legacy would not be in force:\n  spec.objects.labelSelector: \"Like\" is not a valid label selector operator"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := attempt(t, tc.object)
			switch {
			case strings.HasPrefix(name, "Schema"): // in words of the API server, which may change
				if !strings.Contains(got, tc.want) || strings.Contains(got, "own.lintel.dev") {
					t.Errorf("%s\ngot %q, want %q", tc.reason, got, tc.want)
				}
			case name == "Controls":
				if !strings.Contains(got, "denied the request") || strings.ContainsAny(got, "\x1b\u202e") {
					t.Errorf("%s\ngot %q", tc.reason, got)
				}
			case got != tc.want:
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, cmp.Diff(tc.want, got))
			}
		})
	}
}

// testOwnChanges holds that only a change of the spec is checked: neither labels nor
// finalizers nor the status of an object wait for Lintel, however wrong it is.
func testOwnChanges(t *testing.T, stale []string) {
	before := timesChecked(t)
	kubectl(t, "", "label", "policy", "stale", "team=x")
	kubectl(t, "", "patch", "policy", "stale", "--type=merge", "-p", `{"metadata": {"finalizers": ["example.com/stale"]}}`)
	kubectl(t, "", "patch", "policy", "stale", "--subresource=status", "--type=merge", "-p", `{"status": {"revision": "x"}}`)
	kubectl(t, exceptionOf("excusing", `["honours"]`, `{"names": ["web"]}`, "2037-01-01T00:00:00Z"), "create", "-f", "-")
	kubectl(t, "", "patch", "policyexception", "legacy", "-n", "excusing", "--subresource=status", "--type=merge", "-p", `{"status": {"lastExcused": "x"}}`)
	if got := timesChecked(t) - before; got != 1 {
		t.Errorf("the API server has asked %d times, want once, about the exception that is new", got)
	}
	_, stderr, code := shared.Cluster(t).Kubectl(t.Context(), strings.NewReader(staleWith(t, "nothing_else")), "replace", "-f", "-")
	if want := "Policy stale would not be in force:\n  Policy stale#a.rego:3: rego_unsafe_var_error: var nothing_else is unsafe"; code != 1 || !strings.Contains(stderr, want) {
		t.Errorf("a change to what is broken otherwise: %d %q, want %q", code, stderr, want)
	}
	kubectl(t, "", "delete", "policy", "stale", "--wait=false")
	kubectl(t, "", stale...)
	kubectl(t, "", "wait", "--for=delete", "policy/stale", "--timeout=60s")
	_, stderr, code = shared.Cluster(t).Kubectl(t.Context(), nil, "patch", "policyexception", "legacy", "-n", "excusing", "--type=merge", "-p", `{"spec": {"expires": "2020-01-01T00:00:00Z"}}`)
	if want := "Warning: legacy: it excuses nothing any more, since spec.expires is past\n"; code != 0 || stderr != want {
		t.Errorf("an exception that is ended: %d %q, want %q", code, stderr, want)
	}
	kubectl(t, "", "delete", "policyexception", "legacy", "-n", "excusing")
}

// timesChecked is how often the API server has asked about Lintel's own objects.
func timesChecked(t *testing.T) int {
	t.Helper()
	total := 0
	for line := range strings.Lines(kubectl(t, "", "get", "--raw", "/metrics")) {
		if strings.HasPrefix(line, "apiserver_admission_webhook_request_total{") && strings.Contains(line, `name="own.lintel.dev"`) {
			count, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndex(line, " "):]), 64)
			must(err)
			total += int(count)
		}
	}
	return total
}

// testUnchecked holds that what nobody checked is stored, and its status says what
// would have been said, as soon as somebody is there again.
func testUnchecked(t *testing.T, s *served) {
	s.kill(t)
	kubectl(t, policyOf(t, "unchecked", "package team\n\nviolation contains {\"msg\": nothing}", about), "create", "-f", "-")
	kubectl(t, "", "patch", "policy", "unchecked", "--subresource=status", "--type=merge", "-p", `{"status": {"revision": "x"}}`)
	s = serveFrom(t, "cluster", "-p", "embedded")
	want, got := "False Broken Policy unchecked#a.rego:3: rego_unsafe_var_error: var nothing is unsafe", ""
	if !comesTrue(func() bool {
		got = kubectl(t, "", "get", "policy", "unchecked", "-o", `jsonpath={range .status.conditions[?(@.type=="Ready")]}{.status} {.reason} {.message}{end}`)
		return got == want
	}) {
		t.Errorf("status: got %q, want %q", got, want)
	}
	s.end(t, syscall.SIGTERM)
}

// kill ends lintel as a crash does: what it has registered stays.
func (s *served) kill(t *testing.T) {
	t.Helper()
	must(s.cmd.Process.Kill())
	for range s.log { // to its end
	}
	<-s.ended
	if got := registrations(t, "name"); !strings.Contains(got, "lintel") {
		t.Errorf("registrations after a crash: got %q", got)
	}
}

// testConfined holds that an exception excuses nothing outside of its own namespace,
// however it is aimed: neither an object of its name elsewhere nor what is in none.
func testConfined(t *testing.T) {
	kubectl(t, policyOf(t, "named", `package team

violation contains {"msg": "it has no owner", "path": ["metadata", "labels", "owner"]} if {
	not input.review.object.metadata.labels.owner
}`, `"match": {"kinds": [{"apiGroups": [""], "kinds": ["Namespace", "ConfigMap"]}]}, "exceptions": {}`), "create", "-f", "-")
	object := func(kind, namespace, name string) string {
		return fmt.Sprintf(`{"apiVersion": "v1", "kind": %q, "metadata": {"name": %q %s}}`, kind, name, namespace)
	}
	const in = `, "namespace": `
	denied := "named  metadata.labels.owner: it has no owner"
	create(t, object("ConfigMap", in+`"excusing"`, "web"), denied)
	kubectl(t, exceptionOf("excusing", `["named"]`, `{"names": ["web", "strict/web", "elsewhere"]}`, later), "create", "-f", "-")
	create(t, object("ConfigMap", in+`"excusing"`, "web"), `"name": "web"`)
	create(t, object("ConfigMap", in+`"strict"`, "web"), denied)
	create(t, object("Namespace", "", "elsewhere"), denied)
	kubectl(t, "", "delete", "policy", "named")
}
