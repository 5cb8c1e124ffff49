package engine

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// builtinNames are the functions of OPA that policies may call. The list is of
// what is allowed, so that a new version of OPA cannot bring in another. What is
// missing would
//
//   - reach out of the process: http.send, net.lookup_ip_addr, opa.runtime,
//     json.match_schema and json.verify_schema, which fetch what a schema refers to
//   - answer otherwise next time or elsewhere: rand.intn, uuid.rfc4122, time.now_ns,
//     and the functions of time that read the machine's time zones
//   - handle keys and signatures: io.jwt.*, crypto.hmac.*, most of crypto.x509,
//     providers.aws.sign_req
//   - in a single call go on for seconds after the deadline, or take memory out of
//     all proportion to the object: bits.lsh, graph.*, indexof_n, json.patch,
//     json.marshal_with_options, net.cidr_expand, net.cidr_contains_matches, product,
//     regex.template_match, strings.render_template
//   - parse languages that no object is written in: graphql.*, rego.parse_module
//   - read quantities otherwise than Kubernetes does: units.*, for which there is
//     k8s.quantity
//   - do nothing here (trace), or be deprecated in OPA itself.
//
// What is left and cost most, per MiB of text, are nested bounded repeats in
// regular expressions (over 20 s), YAML (1 s) and pattern matches that yield lists
// (1 s): they do not look whether time is up, so the caller is answered without them.
//
// Functions under internal are those that the compiler turns syntax into.
func builtinNames() []string {
	return []string{
		"abs", "and",
		"array.concat", "array.flatten", "array.reverse", "array.slice",
		"assign",
		"base64.decode", "base64.encode", "base64.is_valid",
		"base64url.decode", "base64url.encode", "base64url.encode_no_pad",
		"bits.and", "bits.negate", "bits.or", "bits.rsh", "bits.xor",
		"ceil", "concat", "contains", "count",
		"crypto.md5", "crypto.sha1", "crypto.sha256", "crypto.x509.parse_certificates",
		"div", "endswith", "eq", "equal", "floor", "format_int",
		"glob.match", "glob.quote_meta",
		"gt", "gte",
		"hex.decode", "hex.encode",
		"indexof",
		"internal.member_2", "internal.member_3", "internal.print", "internal.template_string", "internal.test_case",
		"intersection",
		"is_array", "is_boolean", "is_null", "is_number", "is_object", "is_set", "is_string",
		"json.filter", "json.is_valid", "json.marshal", "json.remove", "json.unmarshal",
		"lower", "lt", "lte", "max", "min", "minus", "mul", "neq",
		"net.cidr_contains", "net.cidr_intersects", "net.cidr_is_valid", "net.cidr_merge",
		"numbers.range", "numbers.range_step",
		"object.filter", "object.get", "object.keys", "object.remove", "object.subset", "object.union", "object.union_n",
		"or", "plus", "print",
		"regex.find_all_string_submatch_n", "regex.find_n", "regex.is_valid", "regex.match", "regex.replace", "regex.split",
		"rego.metadata.chain", "rego.metadata.rule",
		"rem", "replace", "round",
		"semver.compare", "semver.is_valid",
		"sort", "split", "sprintf", "startswith",
		"strings.any_prefix_match", "strings.any_suffix_match", "strings.count", "strings.replace_n", "strings.reverse", "strings.split_n",
		"substring", "sum",
		"time.parse_duration_ns", "time.parse_rfc3339_ns",
		"to_number",
		"trim", "trim_left", "trim_prefix", "trim_right", "trim_space", "trim_suffix",
		"type_name", "union", "upper",
		"uri.is_valid", "uri.parse",
		"urlquery.decode", "urlquery.decode_object", "urlquery.encode", "urlquery.encode_object",
		"uuid.parse",
		"walk",
		"yaml.is_valid", "yaml.marshal", "yaml.unmarshal",
	}
}

// allowed declares the functions of builtinNames and Lintel's own, by name.
var allowed = declare(builtinNames(), own) //nolint:gochecknoglobals // made once, since every policy is compiled with it

// own are Lintel's own functions. OPA never has to know them as its own: the
// compiler finds them in [Capabilities], the evaluator in [Builtins].
//
//nolint:gochecknoglobals // every request asks for it, and nobody changes it
var own = map[string]*topdown.Builtin{
	quantityDecl.Name: {Decl: quantityDecl, Func: quantity},
	scanDecl.Name:     {Decl: scanDecl, Func: scan},
}

// declare returns the declarations of OPA's functions of these names, and of the
// functions of more, sorted by name.
func declare(names []string, more map[string]*topdown.Builtin) []*ast.Builtin {
	var decls []*ast.Builtin
	for _, b := range ast.Builtins {
		if _, found := slices.BinarySearch(names, b.Name); found {
			decls = append(decls, b)
		}
	}
	for _, b := range more {
		decls = append(decls, b.Decl)
	}
	slices.SortFunc(decls, func(a, b *ast.Builtin) int { return strings.Compare(a.Name, b.Name) })
	return decls
}

// Capabilities returns what Rego can do here: the language in its version 1 and
// the functions that policies may call, those of [Builtins] among them. No host
// may be connected to. The caller may change what it gets, but not the
// declarations in it.
func Capabilities() *ast.Capabilities {
	return &ast.Capabilities{
		Builtins: slices.Clone(allowed),
		Features: []string{ast.FeatureKeywordsInRefs, ast.FeatureRegoV1, ast.FeatureTemplateStrings},
		AllowNet: []string{},
	}
}

// Builtins returns Lintel's own functions, for [topdown.Query.WithBuiltins]. It is
// one map for all callers, who must not change it.
func Builtins() map[string]*topdown.Builtin { return own }
