package engine

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// hint returns what mends an error of the compiler, "" where its text says so.
func hint(e *ast.Error) string {
	if name, ok := strings.CutPrefix(e.Message, "undefined function "); ok {
		return functionHint(name)
	}
	if e.Code == ast.ParseErr && (strings.HasPrefix(e.Message, "`if` keyword is required") || strings.HasPrefix(e.Message, "`contains` keyword is required")) {
		return "this is Rego before version 1: opa fmt --v0-v1 --write FILE makes it version 1"
	}
	return ""
}

// functionHint says why a function cannot be called, and what can be done instead.
func functionHint(name string) string {
	if !slices.ContainsFunc(ast.Builtins, func(b *ast.Builtin) bool { return b.Name == name }) {
		return "there is neither such a function of Rego nor of this policy: is it misspelt?"
	}
	for _, f := range forbidden {
		if slices.ContainsFunc(f.names, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			return "policies may not call it, since it " + f.reason
		}
	}
	return "policies may not call it: docs/design/built-ins.md says which they may"
}

// forbidden says of what OPA has and [builtinNames] has not, by the beginnings of
// names, why that is and what is there instead. The first that matches counts.
var forbidden = []struct { //nolint:gochecknoglobals // never changed
	reason string
	names  []string
}{
	{"reaches out of the process: name what else the policy reads in METADATA, as custom.inventory", []string{"http.", "net.lookup_ip_addr", "opa.runtime"}},
	{"may fetch what a schema refers to: check the fields in Rego", []string{"json.match_schema", "json.verify_schema"}},
	{"answers otherwise next time: input.time is the time of the request", []string{"time.now_ns"}},
	{"answers otherwise next time", []string{"rand.", "uuid.rfc4122", "crypto.x509.parse_and_verify"}},
	{"reads the time zones of the machine: time.parse_rfc3339_ns yields what can be compared", []string{"time."}},
	{"reads quantities otherwise than Kubernetes: k8s.quantity reads them alike", []string{"units."}},
	{"handles keys and signatures", []string{"io.jwt.", "crypto.", "providers."}},
	{"is deprecated in OPA: regex.match is there", []string{"re_match"}},
	{"goes on long after the deadline, or takes too much memory: docs/design/built-ins.md says which may be called", []string{
		"bits.lsh", "graph.", "indexof_n", "json.patch", "json.marshal_with_options", "net.cidr_expand", "net.cidr_contains_matches", "product",
		"regex.", "strings.render_template",
	}},
}
