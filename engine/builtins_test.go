package engine_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/lintel-policy/lintel/engine"
)

// refused are OPA's functions that no policy may call, and why. A function must
// be here or in [engine.Capabilities], so that whoever updates OPA decides about
// each new one.
func refused() map[string]string {
	const (
		network    = "reaches out of the process"
		runtime    = "tells of the machine or its environment"
		clock      = "answers otherwise at another time"
		random     = "answers otherwise each time"
		zones      = "reads the time zones of the machine"
		keys       = "handles keys and signatures"
		endless    = "goes on for seconds after the deadline"
		memory     = "takes memory out of all proportion to its arguments"
		parser     = "parses a language that no object is written in, and does not look whether time is up"
		quantities = "reads quantities otherwise than Kubernetes"
		nothing    = "does nothing here"
		deprecated = "is deprecated in OPA"
	)
	reasons := map[string]string{
		"bits.lsh":                              endless,
		"crypto.parse_private_keys":             keys,
		"crypto.x509.parse_keypair":             keys,
		"graph.reachable":                       endless,
		"graph.reachable_paths":                 memory,
		"graphql.is_valid":                      parser,
		"graphql.parse":                         parser,
		"graphql.parse_and_verify":              parser,
		"graphql.parse_query":                   parser,
		"graphql.parse_schema":                  parser,
		"graphql.schema_is_valid":               parser,
		"http.send":                             network,
		"indexof_n":                             endless,
		"json.marshal_with_options":             memory,
		"json.match_schema":                     network,
		"json.patch":                            endless,
		"json.verify_schema":                    network,
		"net.cidr_contains_matches":             memory,
		"net.cidr_expand":                       memory,
		"net.lookup_ip_addr":                    network,
		"opa.runtime":                           runtime,
		"product":                               endless,
		"providers.aws.sign_req":                keys,
		"rand.intn":                             random,
		"regex.globs_match":                     endless,
		"regex.template_match":                  endless,
		"rego.parse_module":                     parser,
		"strings.render_template":               endless,
		"time.add_date":                         zones,
		"time.clock":                            zones,
		"time.date":                             zones,
		"time.diff":                             zones,
		"time.format":                           zones,
		"time.now_ns":                           clock,
		"time.parse_ns":                         zones,
		"time.weekday":                          zones,
		"trace":                                 nothing,
		"units.parse":                           quantities,
		"units.parse_bytes":                     quantities,
		"uuid.rfc4122":                          random,
		"crypto.x509.parse_certificate_request": keys,
		"crypto.x509.parse_rsa_private_key":     keys,
		"crypto.x509.parse_and_verify_certificates":              clock,
		"crypto.x509.parse_and_verify_certificates_with_options": clock,
	}
	for _, name := range []string{"equal", "md5", "sha1", "sha256", "sha512"} {
		reasons["crypto.hmac."+name] = keys
	}
	for _, name := range []string{
		"decode", "decode_verify", "encode_sign", "encode_sign_raw", "verify_eddsa", "verify_es256", "verify_es384", "verify_es512",
		"verify_hs256", "verify_hs384", "verify_hs512", "verify_ps256", "verify_ps384", "verify_ps512", "verify_rs256", "verify_rs384", "verify_rs512",
	} {
		reasons["io.jwt."+name] = keys
	}
	for _, name := range []string{
		"all", "any", "cast_array", "cast_boolean", "cast_null", "cast_object", "cast_set", "cast_string", "net.cidr_overlap", "re_match", "set_diff",
	} {
		reasons[name] = deprecated
	}
	return reasons
}

func TestEveryBuiltinIsDecidedUpon(t *testing.T) {
	var got []string
	for _, b := range engine.Capabilities().Builtins {
		got = append(got, b.Name)
	}
	if !slices.IsSorted(got) {
		t.Errorf("Capabilities().Builtins are not sorted: %q", got)
	}
	want := []string{"k8s.quantity", "secrets.scan"}
	reasons := refused()
	for _, b := range ast.CapabilitiesForThisVersion().Builtins {
		if _, ok := reasons[b.Name]; !ok {
			want = append(want, b.Name)
		}
		delete(reasons, b.Name)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Allow what is new in OPA, or add it with a reason to those refused.\nCapabilities().Builtins: -want, +got:\n%s", diff)
	}
	if len(reasons) > 0 {
		t.Errorf("OPA has no functions %q: take them from those refused", slices.Sorted(maps.Keys(reasons)))
	}
}

func TestAllowedBuiltinsAreDeterministic(t *testing.T) {
	for _, b := range engine.Capabilities().Builtins {
		if b.IsNondeterministic() || b.IsDeprecated() {
			t.Errorf("%s is nondeterministic or deprecated", b.Name)
		}
	}
}

func TestCapabilitiesAreTheCallers(t *testing.T) {
	changed := engine.Capabilities()
	changed.Builtins[0], changed.Features[0] = nil, ""
	got := engine.Capabilities()
	if got.Builtins[0] == nil || got.Features[0] == "" {
		t.Error("Capabilities(): a caller's change shows in the next caller's copy")
	}
	if got.AllowNet == nil {
		t.Error("Capabilities().AllowNet is nil, which allows every host")
	}
}

// call returns an expression that calls a function with arguments of the types it
// declares, so that only the function itself can be wrong.
func call(b *ast.Builtin) string {
	args := make([]string, b.Decl.Arity())
	for i := range args {
		args[i] = fmt.Sprintf("input.parameters.x%d", i)
	}
	if b.Name == "trace" {
		args[0] = `"note"`
	}
	return fmt.Sprintf("%s(%s)", b.Name, strings.Join(args, ", "))
}

func TestRefusedBuiltinsDoNotCompile(t *testing.T) {
	for name, why := range refused() {
		t.Run(name, func(t *testing.T) {
			rules := fmt.Sprintf("violation contains {\"msg\": \"m\"} if {\n\tx := %s\n\tx\n}\n", call(ast.BuiltinMap[name]))
			wantNamed(t, fmt.Sprintf("%s %s.", name, why), "calls", rules, name)
		})
	}
}

// wantNamed compiles a policy beside a sound one and wants an error that names the
// policy and has text in it, and the sound policy in the Set.
func wantNamed(t *testing.T, reason, name, rules, text string) {
	t.Helper()
	sound := policy("sound", `violation contains {"msg": "m"} if input.review.name == "x"`)
	set, err := engine.Compile(engine.Config{Policies: []engine.Policy{policy(name, rules), sound}})
	var broken *engine.PolicyError
	if !errors.As(err, &broken) || broken.Policy != name || !strings.Contains(err.Error(), text) {
		t.Fatalf("%s\nCompile(...): got error %v, want one that names policy %s and %q", reason, err, name, text)
	}
	if got := set.Policies(); len(got) != 1 || got[0].Name != "sound" {
		t.Errorf("%s\nCompile(...).Policies(): got %v, want just the sound one", reason, got)
	}
}

func TestHostilePoliciesDoNotCompile(t *testing.T) {
	const uses = "violation contains {\"msg\": \"m\"} if f(1)\n"
	cases := map[string]struct {
		reason string
		rules  string
		text   string
	}{
		"ReplacedByWith": {
			reason: "A function that is refused is not there to be replaced either.",
			rules:  "violation contains {\"msg\": \"m\"} if count([1]) == 1 with http.send as {}\n",
			text:   "hostile.rego:9",
		},
		"PutInPlaceByWith": {
			reason: "Nor may it take the place of one that is allowed.",
			rules:  "violation contains {\"msg\": \"m\"} if upper(\"a\") == \"A\" with upper as opa.runtime\n",
			text:   "hostile.rego:9",
		},
		"InAComprehension": {
			reason: "A call counts wherever it stands.",
			rules:  "violation contains {\"msg\": \"m\"} if { x := [y | y := rand.intn(\"a\", 2)]; x }\n",
			text:   "rand.intn",
		},
		"InAFunction": {
			reason: "A call counts in a rule that nothing calls, too.",
			rules:  "f(x) if http.send(x)\nviolation contains {\"msg\": \"m\"} if true\n",
			text:   "http.send",
		},
		"Recursion": {
			reason: "A rule that needs its own value never ends.",
			rules:  uses + "f(x) if g(x)\ng(x) if f(x)\n",
			text:   "recursive",
		},
		"RecursionThroughData": {
			reason: "A rule may not reach itself by a variable name either.",
			rules:  "violation contains {\"msg\": \"m\"} if { some k; data.lintel.hostile[k] }\n",
			text:   "recursive",
		},
		"TooLong": {
			reason: "Five megabytes of Rego are more than one policy can have.",
			rules:  uses + "f(x) if x\n" + strings.Repeat("# comment\n", 500_000),
			text:   "Rego",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			wantNamed(t, tc.reason, "hostile", tc.rules, tc.text)
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("%s\nCompile(...) took %v", tc.reason, took)
			}
		})
	}
}

func TestManyRulesCompile(t *testing.T) {
	var rules strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&rules, "violation contains {\"msg\": \"%d\"} if input.review.name == \"n%d\"\n", i, i)
	}
	start := time.Now()
	set := setOf(t, policy("many", rules.String()))
	if took := time.Since(start); took > time.Minute {
		t.Errorf("Compile(...) of 5000 rules took %v", took)
	}
	d := review(t, set, ask{object: object{"metadata": object{"name": "n4711"}}})
	if diff := cmp.Diff([]string{"deny many : 4711"}, summary(d)); diff != "" {
		t.Errorf("Just the one rule of 5000 that matches holds.\nReview(...): -want, +got:\n%s", diff)
	}
}

func TestLanguageOfVersion1Compiles(t *testing.T) {
	cases := map[string]struct{ reason, rules string }{
		"TemplateString": {"Templates in strings are part of the language.", `violation contains {"msg": $"name {input.review.name}"} if true`},
		"In":             {"The compiler turns in into an internal function.", `violation contains {"msg": "m"} if { "web" in [input.review.name]; 0, "web" in ["web"] }`},
		"Every":          {"The compiler turns every into a comprehension.", `violation contains {"msg": "m"} if { every x in [1, 2] { x > 0 } }`},
		"Print":          {"Printing is for those who write policies and does nothing in a review.", `violation contains {"msg": "m"} if { print("here", input.review.name) }`},
		"OwnMetadata":    {"The compiler puts METADATA in place of the function.", `violation contains {"msg": m} if { m := rego.metadata.chain()[0].path[0] }`},
		"Walk":           {"Walking ends when time is up.", `violation contains {"msg": "m"} if { walk(input.review.object, [_, "web"]) }`},
		"Operators":      {"Operators are functions, too.", `violation contains {"msg": "m"} if { 1 + 2 * 3 - 4 / 2 == 5; {1} | {2} == {1, 2}; {1} & {2} == set(); 5 % 2 == 1; 1 < 2; 2 >= 1; 1 != 2 }`},
		"Mocked":         {"A function that is allowed can be replaced by another.", `violation contains {"msg": "m"} if { lower("x") == "X" with lower as upper }`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			set := setOf(t, policy("language", tc.rules))
			d := review(t, set, ask{object: object{"metadata": object{"name": "web"}}})
			if len(d.Errors) > 0 || len(d.Violations) != 1 {
				t.Errorf("%s\nReview(...): got %q, want one violation", tc.reason, summary(d))
			}
		})
	}
}

func TestBuiltinsIsSharedAndComplete(t *testing.T) {
	for name, b := range engine.Builtins() {
		if b.Decl.Name != name || !engine.Capabilities().ContainsBuiltin(name) || b.Func == nil {
			t.Errorf("Builtins()[%q]: %+v is misnamed, without a function, or not in Capabilities()", name, b)
		}
		if ast.BuiltinMap[name] != nil {
			t.Errorf("%s is registered with OPA for the whole process", name)
		}
	}
	if n := testing.AllocsPerRun(10, func() { _ = engine.Builtins() }); n != 0 {
		t.Errorf("Builtins(): got %v allocations, want none", n)
	}
}
