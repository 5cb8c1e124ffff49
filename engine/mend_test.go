package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/lintel-policy/lintel/engine"
)

// TestParameterErrors holds that what is wrong with a parameter is said by its key,
// what is expected and what there is, and never by its value.
func TestParameterErrors(t *testing.T) {
	const schema = `#   parameters:
#     type: object
#     required: [key]
#     properties:
#       key: {type: string, pattern: "^[a-z]+$", maxLength: 20}
#       skew: {type: integer, minimum: 1, maximum: 5}
#       mode: {type: string, enum: [one, two]}
#       day: {type: string, format: date}
#       labels: {type: array, maxItems: 2, items: {type: object, properties: {name: {type: string}, value: {type: string}}}}
#       quotas: {type: object, additionalProperties: {type: object, properties: {cpu: {type: string}}}}
`
	const always = `violation contains {"msg": "m"}`
	cases := map[string]struct{ given, want string }{
		"Unknown":    {`{"key": "a", "skw": 2}`, "unknown parameter skw: there are day, key, labels, mode, quotas, skew"},
		"InList":     {`{"key": "a", "labels": [{"name": "b"}, {"nam": "c"}]}`, "unknown parameter labels[1].nam: there are name, value"},
		"InMap":      {`{"key": "a", "quotas": {"x": {"memory": "c"}}}`, "unknown parameter quotas.x.memory: there are cpu"},
		"Two":        {`{"key": "a", "b": 1, "c": 1}`, "unknown parameter b: there are day, key, labels, mode, quotas, skew\nunknown parameter c: there are day, key, labels, mode, quotas, skew"},
		"Missing":    {`{}`, "parameters.key: is missing"},
		"Type":       {`{"key": "a", "skew": "s3cr3t"}`, "parameters.skew: must be of type integer, and is string"},
		"TypeInList": {`{"key": "a", "labels": [{"name": 7}]}`, "parameters.labels[0].name: must be of type string, and is integer"},
		"Small":      {`{"key": "a", "skew": 0}`, "parameters.skew: should be greater than or equal to 1"},
		"Pattern":    {`{"key": "S3CR3T"}`, "parameters.key: should match '^[a-z]+$'"},
		"Long":       {`{"key": "aaaaaaaaaaaaaaaaaaaaaaaaaaa"}`, "parameters.key: too long: may not be more than 20 bytes"},
		"Enum":       {`{"key": "a", "mode": "s3cr3t"}`, `parameters.mode: is none of the supported values: "one", "two"`},
		"Format":     {`{"key": "a", "day": "s3cr3t: \"x\""}`, "parameters.day: must be of type date"},
		"Many":       {`{"key": "a", "labels": [{}, {}, {}]}`, "parameters.labels: too many: must have at most 2 items"},
		"NoObject":   {`[]`, "parameters are not an object"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := policyWith("a", metadataOf+schema, always)
			p.Spec.Parameters = &runtime.RawExtension{Raw: []byte(tc.given)}
			_, err := engine.Compile(engine.Config{Policies: []engine.Policy{p}})
			if err == nil {
				t.Fatal("Compile(...): no error")
			}
			if diff := cmp.Diff("policy a: spec.parameters: "+tc.want, err.Error()); diff != "" {
				t.Errorf("Compile(...): -want, +got:\n%s", diff)
			}
		})
	}
	p := policy("a", always)
	p.Spec.Parameters = &runtime.RawExtension{Raw: []byte(`{"a": 1}`)}
	if _, err := engine.Compile(engine.Config{Policies: []engine.Policy{p}}); err == nil || err.Error() != "policy a: spec.parameters: unknown parameter a: there are none" {
		t.Errorf("a policy without parameters: %v", err)
	}
}

// TestHints holds that an error says what mends it: of each function of OPA that
// policies may not call, why, and what is there instead.
func TestHints(t *testing.T) {
	allowed := map[string]bool{}
	for _, b := range engine.Capabilities().Builtins {
		allowed[b.Name] = true
	}
	say := func(rule string) string {
		_, err := engine.Compile(engine.Config{Policies: []engine.Policy{policy("a", rule)}})
		if err == nil {
			return ""
		}
		return err.Error()
	}
	for _, b := range ast.Builtins {
		if allowed[b.Name] || strings.HasPrefix(b.Name, "internal.") || b.Infix != "" {
			continue
		}
		arguments := strings.TrimSuffix(strings.Repeat("1, ", b.Decl.Arity()), ", ")
		got := say(`violation contains {"msg": ` + b.Name + `(` + arguments + `)}`)
		if !strings.Contains(got, "undefined function "+b.Name+"\n\tpolicies may not call it") {
			t.Errorf("%s: got %q", b.Name, got)
		}
	}
	for rule, want := range map[string]string{
		`violation contains {"msg": http.send({})}`:            "since it reaches out of the process: name what else the policy reads in METADATA, as custom.inventory",
		`violation contains {"msg": time.now_ns()}`:            "since it answers otherwise next time: input.time is the time of the request",
		`violation contains {"msg": units.parse_bytes("1Gi")}`: "k8s.quantity",
		`violation contains {"msg": io.jwt.decode("")}`:        "since it handles keys and signatures",
		`violation contains {"msg": graph.reachable({}, {})}`:  "docs/design/built-ins.md",
		`violation contains {"msg": cuont([])}`:                "undefined function cuont\n\tthere is neither such a function of Rego nor of this policy: is it misspelt?",
		`violation[{"msg": "m"}] { true }`:                     "\n\tthis is Rego before version 1: opa fmt --v0-v1 --write FILE makes it version 1",
		`violation contains {"msg": x}`:                        "a.rego:9: rego_unsafe_var_error: var x is unsafe",
		`violation contains {"msg": ` + strings.Repeat(`{"k": x | x := {y | y := [z | true; z := `, 3) + "1" + strings.Repeat("]}}", 3) + "}": "nested more than 8 deep",
		nested(9):    "a.rego: comprehensions are nested more than 8 deep: name the inner ones by rules of their own",
		nested(1000): "nested more than 8 deep",
		long(201):    "a.rego:9: a body has more than 200 expressions: have rules of their own for some",
		`violation contains {"msg": [x | ` + strings.Repeat("true; ", 200) + "x := 1]}": "a body has more than 200 expressions",
	} {
		if got := say(rule); !strings.Contains(got, want) {
			t.Errorf("%.60s: got %q, want %q", rule, got, want)
		}
	}
	if got := say(long(200)); got != "" {
		t.Errorf("a body of 200 expressions: %s", got)
	}
	if got := say(nested(8)); got != "" {
		t.Errorf("eight comprehensions in one another: %s", got)
	}
	several := ast.Errors{{Code: ast.TypeErr, Message: "undefined function x"}, {Code: ast.TypeErr, Message: "other"}}
	if got, want := engine.RegoError(several).Error(), "2 errors:\nrego_type_error: undefined function x\n\tthere is neither"; !strings.HasPrefix(got, want) {
		t.Errorf("several errors: got %q, want %q", got, want)
	}
	if other := errors.New("other"); engine.RegoError(other) != other { //nolint:errorlint // the very same
		t.Error("another error is not returned as it is")
	}
}

// long is a violation whose body has as many expressions, each of which needs the next.
func long(count int) string {
	body := "x0"
	for i := range count - 2 {
		body += fmt.Sprintf("; x%d = x%d", i, i+1)
	}
	return fmt.Sprintf(`violation contains {"msg": "m"} if { %s; x%d = 1 }`, body, count-2)
}

// nested is a violation of comprehensions in one another.
func nested(deep int) string {
	return `violation contains {"msg": ` + strings.Repeat("[x | x := ", deep) + "1" + strings.Repeat("]", deep) + "}"
}

// TestRequestChangesSpec holds that a change of metadata or status is none of the spec.
func TestRequestChangesSpec(t *testing.T) {
	made := ask{object: deployment(object{"x": 1})}
	cases := map[string]struct {
		ask  ask
		want bool
	}{
		"Create":  {made, true},
		"Same":    {ask{operation: "UPDATE", object: deployment(object{"x": 1}), old: deployment(object{"x": 1})}, false},
		"Changed": {ask{operation: "UPDATE", object: deployment(object{"x": 2}), old: deployment(object{"x": 1})}, true},
	}
	for name, tc := range cases {
		req, err := engine.Decode(tc.ask.json(t))
		if err != nil {
			t.Fatal(err)
		}
		if got := req.ChangesSpec(); got != tc.want {
			t.Errorf("%s: ChangesSpec() is %t", name, got)
		}
		if o := req.Object(); o == nil || o.Ref().Kind != "Deployment" {
			t.Errorf("%s: Object() is %v", name, o)
		}
	}
	gone, err := engine.Decode([]byte(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","operation":"DELETE","kind":{"kind":"Deployment"},"oldObject":{"spec":{}}}}`))
	if err != nil || gone.ChangesSpec() || gone.Object() != nil {
		t.Errorf("a deletion changes the spec of %v (%v)", gone.Object(), err)
	}
}
